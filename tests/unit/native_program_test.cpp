// The native engine's program against the reference executor in float64: every value of every
// preset, on odd sizes, several images, any channels and every bi-WKV mode; same bits on every run;
// what bfloat16 changes.
#include "native/program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/half.h"
#include "core/random.h"
#include "core/threads.h"
#include "native/fuse.h"
#include "native/lower.h"
#include "native/onednn.h"
#include "native/precision.h"
#include "native/seen_numbers.h"
#include "net/presets.h"
#include "plan/memory.h"
#include "plan/ops.h"
#include "plan/reference.h"
#include "support/fill_rule.h"
#include "support/network_case.h"

namespace medurwkv {
namespace {

using native::Program;
using plan::Plan;
using plan::ValueId;

using Case = test::NetworkCase;
using test::network_case;

std::vector<float> floats(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

std::vector<float> filled(const net::ParameterSpec& spec) {
  return floats(test::fill_values(spec.name, spec.shape));
}

/// Numbers of a value as they are held.
std::vector<float> as_floats(const plan::Value& value, const float* numbers) {
  const auto count = static_cast<std::size_t>(element_count(value.shape));
  std::vector<float> out(count);
  const auto each = [&]<class Number>(const Number* held, const auto& read) {
    std::transform(held, held + count, out.begin(),
                   [&](Number one) { return static_cast<float>(read(one)); });
  };
  const double step = value.held.step;
  switch (value.held.type) {
    case plan::NumberType::float32: each(numbers, [](float one) { return one; }); break;
    case plan::NumberType::bfloat16:
      each(reinterpret_cast<const std::uint16_t*>(numbers), bfloat16_to_double);
      break;
    case plan::NumberType::int8:
      each(reinterpret_cast<const std::int8_t*>(numbers), [&](auto one) { return step * one; });
      break;
    case plan::NumberType::uint8:
      each(reinterpret_cast<const std::uint8_t*>(numbers), [&](auto one) { return step * one; });
      break;
  }
  return out;
}

/// The largest |x| that each product reads in float32, and a quarter more: in int8 what it reads is
/// a little different, and nothing is to be cut off.
native::Ranges ranges_of(const Plan& recorded, const std::vector<float>& input) {
  Program program(recorded, filled);
  std::vector<std::vector<float>> outputs;
  std::vector<float*> places;
  for (const ValueId id : recorded.outputs) {
    outputs.emplace_back(static_cast<std::size_t>(element_count(recorded.shape(id))));
    places.push_back(outputs.back().data());
  }
  native::Ranges out;
  program.run(input.data(), places, native::workspace_for(program).get(),
              [&](const plan::Operation& op, std::span<const float* const> inputs,
                  std::span<const float* const> /*outputs*/) {
                const std::int64_t source = native::source_of(program.plan(), op);
                if (source < 0) return;
                const auto at = static_cast<std::size_t>(source);
                double& range = out[native::weight_of(program.plan(), op)];
                const std::int64_t count = element_count(program.plan().shape(op.inputs[at]));
                for (std::int64_t i = 0; i < count; ++i) {
                  range = std::max(range, static_cast<double>(std::abs(inputs[at][i])));
                }
              });
  for (auto& [weight, range] : out) range *= 1.25;
  return out;
}

struct Ran {
  std::vector<std::vector<float>> outputs;
  /// Values of the lowered plan, maps channels last.
  std::map<ValueId, std::vector<float>> values;
};

Ran run(Program& program, const std::vector<float>& input) {
  Ran out;
  std::vector<float*> places;
  for (const ValueId id : program.plan().outputs) {
    const auto count = static_cast<std::size_t>(element_count(program.plan().shape(id)));
    out.outputs.emplace_back(count, NAN);
  }
  for (std::vector<float>& one : out.outputs) places.push_back(one.data());
  const native::Memory workspace = native::workspace_for(program);
  program.run(input.data(), places, workspace.get(),
              [&](const plan::Operation& op, std::span<const float* const> /*inputs*/,
                  std::span<const float* const> numbers) {
                for (std::size_t i = 0; i < numbers.size(); ++i) {
                  const ValueId id = op.outputs[i];
                  out.values[id] = as_floats(program.plan().value(id), numbers[i]);
                }
              });
  return out;
}

/// A map's numbers channels last; others as they are.
std::vector<double> channels_last(const plan::Array& array) {
  const Shape& shape = array.shape;
  if (shape.size() != 4) return array.values;
  std::vector<double> out;
  out.reserve(array.values.size());
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    for (std::int64_t pixel = 0; pixel < shape[2] * shape[3]; ++pixel) {
      for (std::int64_t c = 0; c < shape[1]; ++c) {
        out.push_back(array.values[static_cast<std::size_t>(
            (n * shape[1] + c) * shape[2] * shape[3] + pixel)]);
      }
    }
  }
  return out;
}

/// The largest difference over the largest number.
double difference(const std::vector<float>& ours, const std::vector<double>& expected) {
  if (ours.size() != expected.size()) return HUGE_VAL;
  double most = 0;
  double largest = 1e-30;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (!std::isfinite(ours[i])) return HUGE_VAL;
    most = std::max(most, std::abs(static_cast<double>(ours[i]) - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  return most / largest;
}

class NativeProgram : public ::testing::TestWithParam<Case> {};

TEST_P(NativeProgram, GivesEveryValueOfTheReference) {
  const Case& one = GetParam();
  const Plan recorded = plan::record(one.network, one.batch, one.height, one.width);
  Program program(recorded, filled);
  const Plan& lowered = program.plan();
  std::vector<std::vector<double>> parameters;
  for (const net::ParameterSpec& spec : lowered.parameters) {
    parameters.push_back(test::fill_values(spec.name, spec.shape));
  }
  const std::vector<double> input = test::fill_values("input", recorded.shape(recorded.input));
  const std::vector<plan::Array> expected = plan::run_reference(lowered, parameters, input);
  const std::vector<plan::Array> of_network = plan::run_reference(recorded, parameters, input);
  const Ran ran = run(program, floats(input));
  // float32 through some hundred operations, as the golden files allow it.
  constexpr double tolerance = 5e-4;
  EXPECT_GT(ran.values.size(), 20U);
  for (const plan::Operation& op : lowered.operations) {
    for (const ValueId id : op.outputs) {
      const auto found = ran.values.find(id);
      if (found == ran.values.end()) continue;  // a view, or known beforehand
      const plan::Array& value = expected[static_cast<std::size_t>(id)];
      const bool planes = op.is(native::to_planes);
      ASSERT_LT(difference(found->second, planes ? value.values : channels_last(value)), tolerance)
          << op.type->name << ", value " << id;
    }
  }
  for (std::size_t i = 0; i < ran.outputs.size(); ++i) {
    EXPECT_LT(difference(ran.outputs[i],
                         of_network[static_cast<std::size_t>(recorded.outputs[i])].values),
              tolerance);
  }
  EXPECT_EQ(run(program, floats(input)).outputs, ran.outputs) << "another run";
}

/// Numbers as the program holds them, in the reference's layout.
plan::Array held(const Plan& plan, const plan::Operation& op, ValueId id,
                 const std::vector<float>& numbers) {
  plan::Array out{.shape = plan.shape(id), .values = {numbers.begin(), numbers.end()}};
  if (out.shape.size() != 4 || op.is(native::to_planes)) return out;
  const std::int64_t channels = out.shape[1];
  const std::int64_t area = out.shape[2] * out.shape[3];
  for (std::int64_t i = 0; i < std::ssize(numbers); ++i) {
    const std::int64_t n = i / (channels * area);
    const std::int64_t pixel = i / channels % area;
    out.values[static_cast<std::size_t>((n * channels + i % channels) * area + pixel)] =
        static_cast<double>(numbers[static_cast<std::size_t>(i)]);
  }
  return out;
}

/// Every step by itself, given what the steps before it have made.
void expect_each_step(const Case& one, native::Precision precision) {
  const Plan recorded = plan::record(one.network, one.batch, one.height, one.width);
  const native::Ranges ranges =
      precision == native::Precision::int8
          ? ranges_of(recorded, floats(test::fill_values("input", recorded.shape(recorded.input))))
          : native::Ranges{};
  Program program(recorded, filled, precision, ranges);
  const Plan& plan = program.plan();
  const std::vector<double> input = test::fill_values("input", recorded.shape(recorded.input));
  const Ran ran = run(program, floats(input));
  std::vector<plan::Array> values;
  for (ValueId id = 0; id < std::ssize(plan.values); ++id) {
    const auto parameter = plan.value(id).parameter;
    values.push_back({.shape = plan.shape(id), .values = {}});
    if (parameter) {
      values.back().values = test::fill_values(plan.parameters[*parameter].name, plan.shape(id));
    }
  }
  const auto at = [&](ValueId id) -> plan::Array& { return values[static_cast<std::size_t>(id)]; };
  at(plan.input).values = input;
  int rounded = 0;
  for (const plan::Operation& op : plan.operations) {
    std::vector<const plan::Array*> in;
    for (const ValueId id : op.inputs) in.push_back(&at(id));
    std::vector<plan::Array> out;
    for (const ValueId id : op.outputs) {
      const auto count = static_cast<std::size_t>(element_count(plan.shape(id)));
      out.push_back({.shape = plan.shape(id), .values = std::vector<double>(count)});
    }
    op.type->run(in, op.detail, out);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const ValueId id = op.outputs[i];
      const auto found = ran.values.find(id);
      if (found != ran.values.end()) {
        const plan::Array ours = held(plan, op, id, found->second);
        const double off = difference(floats(ours.values), out[i].values);
        ASSERT_LT(off, 0.02) << op.type->name << ", value " << id;
        rounded += off > 1e-4 ? 1 : 0;
        out[i] = ours;
      }
      at(id) = out[i];
    }
  }
  EXPECT_GT(rounded, 5) << "the precision changes nothing";
  EXPECT_EQ(run(program, floats(input)).outputs, ran.outputs) << "another run";
}

// Products of numbers with 8 bits each, added up in float32.
TEST_P(NativeProgram, RoundsToBfloat16AndNoMore) {
  if (!native::onednn_has_bfloat16()) GTEST_SKIP() << "this processor has no bfloat16";
  expect_each_step(GetParam(), native::Precision::bfloat16);
}

// Products of whole numbers up to 127 or 255, added up as such.
TEST_P(NativeProgram, RoundsToInt8AndNoMore) {
  if (!native::onednn_has_int8()) GTEST_SKIP() << "this processor has no int8";
  expect_each_step(GetParam(), native::Precision::int8);
}

int uses_of(const Plan& plan, const plan::OpType& type) {
  return static_cast<int>(std::count_if(plan.operations.begin(), plan.operations.end(),
                                        [&](const plan::Operation& op) { return op.is(type); }));
}

// A kernel writes what it computes in bfloat16 at once, and nothing else is rounded.
TEST(InPrecision, HoldsInBfloat16WhatOnlyProductsRead) {
  const Plan fused = native::fuse(native::lower(plan::record(net::preset("tiny"), 1, 64, 64)));
  const Plan narrow = native::in_precision(fused, native::Precision::bfloat16);
  std::map<std::string, int> held;
  for (const plan::Operation& op : narrow.operations) {
    for (const ValueId id : op.outputs) {
      if (narrow.value(id).held.type == plan::NumberType::bfloat16) ++held[op.type->name];
    }
  }
  const auto count = [&](const plan::OpType& type) { return uses_of(narrow, type); };
  EXPECT_EQ(held.at("linear_squared_relu"), count(native::linear_squared_relu));
  EXPECT_EQ(held.at("linear_gate"), count(native::linear_gate));
  EXPECT_GE(held.at("shift_mix"), 2 * count(plan::op::shift_mix));
  EXPECT_FALSE(held.contains("linear_add")) << "residuals stay in float32";
  EXPECT_FALSE(held.contains("bi_wkv"));
  EXPECT_EQ(narrow.value(narrow.outputs[0]).held.type, plan::NumberType::float32);
  EXPECT_LT(plan::lay_out(narrow).bytes, plan::lay_out(fused).bytes);
  const Plan same = native::in_precision(fused, native::Precision::float32);
  EXPECT_EQ(same.operations.size(), fused.operations.size());
}

/// With a range of 1 for every product but those of `without`.
Plan in_int8(const Plan& fused, const std::set<std::string>& without) {
  native::Ranges ranges;
  for (const plan::Operation& op : fused.operations) {
    if (native::source_of(fused, op) < 0) continue;
    const std::string weight = native::weight_of(fused, op);
    if (!without.contains(weight)) ranges[weight] = 1;
  }
  return native::in_precision(fused, native::Precision::int8, ranges);
}

// What is never negative has all 256 steps, gates among it; a shift mix writes all of its outputs
// alike, so that one product in float32 keeps the others' x in float32, too.
TEST(InPrecision, HoldsInInt8WhatOnlyProductsOfItsRangeRead) {
  const Plan fused = native::fuse(native::lower(plan::record(net::preset("tiny"), 1, 64, 64)));
  const Plan whole = in_int8(fused, {});
  std::map<std::string, std::map<plan::NumberType, int>> held;
  for (const plan::Operation& op : whole.operations) {
    for (const ValueId id : op.outputs) ++held[op.type->name][whole.value(id).held.type];
  }
  using plan::NumberType;
  const auto count = [&](const plan::OpType& type) { return uses_of(whole, type); };
  EXPECT_EQ(held.at("linear_squared_relu").at(NumberType::uint8),
            count(native::linear_squared_relu));
  EXPECT_EQ(held.at("linear_sigmoid").at(NumberType::uint8), count(native::linear_sigmoid));
  EXPECT_EQ(held.at("linear_gate").at(NumberType::int8), count(native::linear_gate));
  EXPECT_FALSE(held.at("shift_mix").contains(NumberType::float32));
  EXPECT_EQ(held.at("linear_add").size(), 1U) << "residuals stay in float32";
  EXPECT_LT(plan::lay_out(whole).bytes, plan::lay_out(fused).bytes);

  const auto mixed = std::find_if(whole.operations.begin(), whole.operations.end(),
                                  [](const auto& op) { return op.is(plan::op::shift_mix); });
  const auto reader = std::find_if(
      whole.operations.begin(), whole.operations.end(), [&](const plan::Operation& op) {
        return std::ranges::find(op.inputs, mixed->outputs[0]) != op.inputs.end();
      });
  const Plan with_one_left = in_int8(fused, {native::weight_of(whole, *reader)});
  const auto same = std::find_if(with_one_left.operations.begin(), with_one_left.operations.end(),
                                 [](const auto& op) { return op.is(plan::op::shift_mix); });
  for (const ValueId id : same->outputs) {
    EXPECT_EQ(with_one_left.value(id).held, plan::Held{});
  }
}

// The best range cuts off a little: of a million normal numbers the largest is about 5.
TEST(SeenNumbers, FindTheRangeOfTheLeastError) {
  const Plan fused = native::fuse(native::lower(plan::record(net::preset("nano"), 1, 64, 64)));
  const auto product =
      std::find_if(fused.operations.begin(), fused.operations.end(),
                   [&](const plan::Operation& op) { return native::source_of(fused, op) == 0; });
  std::vector<float> x(
      static_cast<std::size_t>(element_count(fused.shape(product->inputs.front()))));
  native::SeenNumbers seen;
  double squares = 0;
  for (std::uint64_t round = 0; round < 20; ++round) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<float>(Random({round}).normal(i));
      squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    }
    const std::vector<const float*> inputs{x.data(), nullptr, nullptr};
    seen.see(fused, *product, inputs);
  }
  const std::vector<native::ProductRange> found = seen.products();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].weight, native::weight_of(fused, *product));
  EXPECT_GT(found[0].range, 3.3);
  EXPECT_LT(found[0].range, 4.8);
  // As it is when the numbers are rounded one by one.
  double lost = 0;
  const double step = found[0].range / 127;
  for (std::uint64_t round = 0; round < 20; ++round) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double one = static_cast<double>(static_cast<float>(Random({round}).normal(i)));
      const double off = one - step * std::nearbyint(std::clamp(one / step, -127.0, 127.0));
      lost += off * off;
    }
  }
  EXPECT_NEAR(found[0].error, std::sqrt(lost / squares), 0.05 * found[0].error);
}

// What a product can take in does not pass through memory by itself.
TEST(Fusing, LeavesNothingThatAProductCanTakeIn) {
  for (const std::string preset : {"nano", "tiny", "base"}) {
    const Plan plain = native::lower(plan::record(net::preset(preset), 1, 64, 64));
    const Plan fused = native::fuse(plain);
    for (const plan::OpType* type :
         {&plan::op::gate, &plan::op::squared_relu, &plan::op::norm_relu, &plan::op::gelu}) {
      EXPECT_GT(uses_of(plain, *type), 0) << preset << ": " << type->name;
      EXPECT_EQ(uses_of(fused, *type), 0) << preset << ": " << type->name;
    }
    const auto& encoder = net::preset(preset).encoder;
    // A norm stands between a branch and its residual in a post-norm encoder.
    const int normed = encoder.post_norm ? 2 * static_cast<int>(encoder.depth()) : 0;
    EXPECT_EQ(uses_of(fused, plan::op::scale_add), normed) << preset;
    std::int64_t before = 0;
    std::int64_t after = 0;
    for (const plan::Operation& op : plain.operations) before += op.multiply_adds;
    for (const plan::Operation& op : fused.operations) after += op.multiply_adds;
    EXPECT_EQ(after, before) << preset;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Networks, NativeProgram,
    ::testing::Values(network_case("nano", 64, 96), network_case("nano", 47, 70, 1),
                      network_case("nano", 64, 64, 5, net::WkvMode::released32, 2),
                      network_case("nano", 96, 64, 3, net::WkvMode::released16),
                      network_case("nanopost", 64, 64),
                      network_case("nanopost", 33, 65, 3, net::WkvMode::released32, 3),
                      network_case("tiny", 32, 64), network_case("unet_small", 32, 48),
                      network_case("unet_small", 37, 50, 1, net::WkvMode::exact, 2),
                      Case{.network = net::encoder_preset("nano"), .batch = 2, .height = 60},
                      Case{.network = net::classifier_preset("nano", 5), .height = 50}));

}  // namespace
}  // namespace medurwkv
