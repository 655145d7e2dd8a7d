#include "plan/plan.h"

#include <utility>

#include "net/med_urwkv.h"
#include "plan/record_ops.h"

namespace medurwkv::plan {

std::int64_t bytes_of(NumberType type) {
  switch (type) {
    case NumberType::float32: return 4;
    case NumberType::bfloat16: return 2;
    case NumberType::int8:
    case NumberType::uint8: return 1;
  }
  return 4;
}

Shapes Plan::shapes(const std::vector<ValueId>& ids) const {
  Shapes out;
  for (const ValueId id : ids) out.push_back(shape(id));
  return out;
}

ValueId Plan::add_value(Shape shape) {
  values.push_back({.shape = std::move(shape), .parameter = {}});
  return std::ssize(values) - 1;
}

std::vector<ValueId> Plan::add(const OpType& type, std::vector<ValueId> inputs, Detail detail) {
  const Shapes in = shapes(inputs);
  const Shapes out = type.shapes(in, detail);
  std::vector<ValueId> ids;
  for (const Shape& one : out) ids.push_back(add_value(one));
  if (stages.empty()) stages.emplace_back("network");
  operations.push_back(
      {.type = &type,
       .stage = stages.size() - 1,
       .inputs = std::move(inputs),
       .outputs = ids,
       .detail = std::move(detail),
       .multiply_adds = type.multiply_adds != nullptr ? type.multiply_adds(in, out) : 0});
  return ids;
}

namespace {

Plan record(const net::NetworkConfig& config, const Shape& input, bool with_maps) {
  Plan plan;
  RecordOps ops(plan);
  plan.input = plan.add_value(input);
  const auto out = net::network(ops, config, plan.input);
  const bool encoder = config.architecture == net::Architecture::encoder;
  if (encoder || with_maps) plan.outputs = out.features;
  if (!encoder) plan.outputs.push_back(out.logits);
  return plan;
}

}  // namespace

Plan record(const net::NetworkConfig& config, std::int64_t batch, std::int64_t height,
            std::int64_t width) {
  return record(config, {batch, config.channels, height, width}, false);
}

Plan record_with_maps(const net::NetworkConfig& config, std::int64_t batch, std::int64_t height,
                      std::int64_t width) {
  return record(config, {batch, config.channels, height, width}, true);
}

std::vector<net::ParameterSpec> parameters_of(const net::NetworkConfig& config) {
  return record(config, 1, 32, 32).parameters;
}

}  // namespace medurwkv::plan
