// A recorded plan, run by the reference executor in plain loops, gives the values that TorchOps
// gives, every one of them, for every preset and mode; and a plan that is damaged in any way of a
// list gives others, or is refused.
#include <gtest/gtest.h>

#include "torch/aten.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/text.h"
#include "net/presets.h"
#include "plan/ops.h"
#include "plan/reference.h"
#include "support/network_case.h"
#include "support/tensors.h"
#include "torch/plan_run.h"
#include "torch/torch_ops.h"

namespace medurwkv {
namespace {

using plan::Operation;
using plan::OpType;
using plan::Plan;
using plan::ValueId;
using torch_backend::ParameterStore;

using Case = test::NetworkCase;
using test::network_case;

ParameterStore filled(const Plan& plan) {
  ParameterStore store(plan.parameters, 0, at::kDouble, at::kCPU);
  test::fill(store);
  return store;
}

std::vector<std::vector<double>> parameters_of(const Plan& plan, const ParameterStore& store) {
  std::vector<std::vector<double>> out;
  for (const net::ParameterSpec& spec : plan.parameters) {
    out.push_back(test::elements(store.at(spec.name)));
  }
  return out;
}

std::vector<double> input_of(const Plan& plan) {
  return test::fill_values("input", plan.shape(plan.input));
}

/// Every value by TorchOps, one operation after the other.
std::vector<at::Tensor> torch_values(const Plan& plan, const ParameterStore& store) {
  const at::NoGradGuard no_grad;
  torch_backend::TorchOps ops(store, {});
  std::vector<at::Tensor> values(plan.values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto parameter = plan.values[i].parameter;
    if (parameter) values[i] = store.at(plan.parameters[*parameter].name);
  }
  values[static_cast<std::size_t>(plan.input)] =
      test::tensor_of(input_of(plan), plan.shape(plan.input), at::kDouble)
          .contiguous(at::MemoryFormat::ChannelsLast);
  for (const Operation& op : plan.operations) {
    std::vector<at::Tensor> in;
    for (const ValueId id : op.inputs) in.push_back(values[static_cast<std::size_t>(id)]);
    const std::vector<at::Tensor> out = torch_backend::run_operation(ops, op, in);
    for (std::size_t i = 0; i < out.size(); ++i) {
      values[static_cast<std::size_t>(op.outputs[i])] = out[i];
    }
  }
  return values;
}

/// The largest difference over the largest number.
double difference(const std::vector<double>& a, const std::vector<double>& b) {
  double most = 0;
  double largest = 1e-300;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i])) return HUGE_VAL;
    most = std::max(most, std::abs(a[i] - b[i]));
    largest = std::max(largest, std::abs(b[i]));
  }
  return most / largest;
}

class PlanRun : public ::testing::TestWithParam<Case> {};

TEST_P(PlanRun, GivesEveryValueThatTorchOpsGives) {
  const Case& one = GetParam();
  const Plan plan = plan::record(one.network, one.batch, one.height, one.width);
  const ParameterStore store = filled(plan);
  const std::vector<plan::Array> ours =
      plan::run_reference(plan, parameters_of(plan, store), input_of(plan));
  const std::vector<at::Tensor> theirs = torch_values(plan, store);
  // Rounding of 53 bits, and at most a few thousand terms in a sum, layer after layer.
  constexpr double tolerance = 1e-10;
  for (const Operation& op : plan.operations) {
    for (const ValueId id : op.outputs) {
      const auto i = static_cast<std::size_t>(id);
      ASSERT_EQ(theirs[i].sizes().vec(), plan.shape(id)) << op.type->name << ", value " << id;
      ASSERT_LT(difference(ours[i].values, test::elements(theirs[i])), tolerance)
          << op.type->name << ", value " << id;
    }
  }
  // The plan is the network: its outputs are what the network gives as a whole.
  const at::NoGradGuard no_grad;
  const auto whole = torch_backend::run_network(
      one.network, store, {}, test::tensor_of(input_of(plan), plan.shape(plan.input), at::kDouble));
  const std::vector<at::Tensor> outputs = one.network.architecture == net::Architecture::encoder
                                              ? whole.features
                                              : std::vector<at::Tensor>{whole.logits};
  ASSERT_EQ(outputs.size(), plan.outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    EXPECT_LT(difference(ours[static_cast<std::size_t>(plan.outputs[i])].values,
                         test::elements(outputs[i])),
              tolerance);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Networks, PlanRun,
    ::testing::Values(network_case("nano", 64, 96), network_case("nano", 47, 70, 1),
                      network_case("nano", 64, 64, 5, net::WkvMode::released32, 2),
                      network_case("nano", 96, 64, 3, net::WkvMode::released16),
                      network_case("nanopost", 64, 64),
                      network_case("nanopost", 33, 65, 3, net::WkvMode::released32),
                      network_case("tiny", 32, 64), network_case("small", 32, 32),
                      network_case("unet_small", 32, 48), network_case("unet_small", 37, 50, 1),
                      Case{.network = net::encoder_preset("nano"), .batch = 2},
                      Case{.network = net::classifier_preset("nano", 5), .height = 50},
                      Case{.network = net::classifier_preset("tiny", 10), .height = 32}));

/// A damage, and how many operations of the plan it could be done to.
struct Damage {
  std::string name;
  /// Damages one operation; false where it is not of the kind.
  std::function<bool(Plan&, std::size_t)> at;
};

bool swap_inputs(Plan& plan, std::size_t index, const OpType& type, std::size_t a, std::size_t b) {
  Operation& op = plan.operations[index];
  if (!op.is(type)) return false;
  std::swap(op.inputs.at(a), op.inputs.at(b));
  return true;
}

template <class Kind, class Change>
bool change_detail(Plan& plan, std::size_t index, const OpType& type, const Change& change) {
  Operation& op = plan.operations[index];
  if (!op.is(type)) return false;
  change(std::get<Kind>(op.detail));
  return true;
}

/// An input is taken from before the operation that should have made it.
bool read_early(Plan& plan, std::size_t index) {
  Operation& op = plan.operations[index];
  for (ValueId& input : op.inputs) {
    for (ValueId other = input - 1; other > plan.input; --other) {
      if (plan.is_parameter(input) || plan.is_parameter(other)) continue;
      if (plan.shape(other) != plan.shape(input)) continue;
      input = other;
      return true;
    }
  }
  return false;
}

std::vector<Damage> damages() {
  namespace of = plan::op;
  std::vector<Damage> out;
  const auto swaps = [&](const OpType& type, std::size_t a, std::size_t b) {
    out.push_back(
        {concat("inputs ", a, " and ", b, " of ", type.name, " swapped"),
         [&type, a, b](Plan& plan, std::size_t i) { return swap_inputs(plan, i, type, a, b); }});
  };
  swaps(of::bi_wkv, 0, 1);
  swaps(of::bi_wkv, 2, 3);
  swaps(of::gate, 0, 1);
  swaps(of::scale_add, 0, 2);
  swaps(of::layer_norm, 1, 2);
  swaps(of::norm_relu, 1, 2);
  swaps(of::norm_relu, 3, 4);
  swaps(of::batch_norm, 3, 4);
  swaps(of::expand_norm, 1, 2);
  swaps(of::shift_mix, 1, 2);
  swaps(of::concat, 0, 1);
  const auto changes = [&]<class Kind>(const OpType& type, const std::string& what,
                                       void (*change)(Kind&)) {
    out.push_back({concat(what, " of ", type.name), [&type, change](Plan& plan, std::size_t i) {
                     return change_detail<Kind>(plan, i, type, change);
                   }});
  };
  changes(
      of::layer_norm, "epsilon", +[](plan::Epsilon& e) { e.value = 0.1; });
  changes(
      of::expand_norm, "epsilon", +[](plan::Expand& e) { e.epsilon = 0.1; });
  changes(
      of::norm_relu, "epsilon", +[](plan::Epsilon& e) { e.value = 0.1; });
  changes(
      of::bi_wkv, "mode", +[](net::WkvMode& m) { m = net::WkvMode::released16; });
  changes(
      of::shift_mix, "grid", +[](net::Grid& g) { std::swap(g.height, g.width); });
  changes(
      of::to_map, "grid", +[](net::Grid& g) { ++g.height; });
  changes(
      of::deform_attn, "heads", +[](net::DeformableAttention& d) { std::swap(d.heads, d.points); });
  changes(
      of::slice, "start", +[](plan::Range& r) { r.start = r.start == 0 ? 1 : r.start - 1; });
  changes(
      of::row, "index", +[](plan::Range& r) { r.start = (r.start + 1) % 3; });
  changes(
      of::resize, "interpolation", +[](plan::Resize& r) {
        r.how = r.how == net::Interpolation::bilinear ? net::Interpolation::bicubic
                                                      : net::Interpolation::bilinear;
      });
  changes(
      of::conv2d, "padding", +[](net::Convolution& c) { c.padding = 1 - c.padding; });
  changes(
      of::max_pool, "padding", +[](plan::Pool& p) { p.padding = 0; });
  out.push_back({"a value read too early", read_early});
  out.push_back({"an operation left out", [](Plan& plan, std::size_t i) {
                   plan.operations.erase(plan.operations.begin() + static_cast<std::ptrdiff_t>(i));
                   return true;
                 }});
  return out;
}

// Each damage is done to up to three operations, spread over the plan. (With the values of the fill
// rule no operation is without effect.)
TEST(DamagedPlans, AreCaught) {
  net::NetworkConfig network = net::preset("nano", 2);
  const Plan plan = plan::record(network, 1, 64, 96);
  const ParameterStore store = filled(plan);
  const auto parameters = parameters_of(plan, store);
  const std::vector<double> input = input_of(plan);
  const std::vector<double> expected =
      test::elements(torch_values(plan, store)[static_cast<std::size_t>(plan.outputs.front())]);
  for (const Damage& damage : damages()) {
    std::vector<std::size_t> where;
    for (std::size_t i = 0; i < plan.operations.size(); ++i) {
      Plan copy = plan;
      if (damage.at(copy, i)) where.push_back(i);
    }
    ASSERT_FALSE(where.empty()) << damage.name << ": the plan has no such operation";
    const std::size_t count = std::min<std::size_t>(where.size(), 3);
    for (std::size_t k = 0; k < count; ++k) {
      const std::size_t index = where[k * where.size() / count];
      Plan damaged = plan;
      damage.at(damaged, index);
      bool caught = false;
      try {
        const auto values = plan::run_reference(damaged, parameters, input);
        const auto& logits = values[static_cast<std::size_t>(damaged.outputs.front())].values;
        caught = logits.size() != expected.size() || !(difference(logits, expected) < 1e-9);
      } catch (const std::exception&) {
        caught = true;
      }
      EXPECT_TRUE(caught) << damage.name << ", operation " << index << " ("
                          << plan.operations[index].type->name << ")";
    }
  }
}

}  // namespace
}  // namespace medurwkv
