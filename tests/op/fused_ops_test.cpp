// Every fused operation of TorchOps equals its composition from LibTorch's own operations, values
// and gradients, over odd sizes, in float64 and in float32 on each instruction set; and its
// gradient is the finite difference. One table of cases.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "torch/torch_ops.h"

#include "core/random.h"
#include "core/threads.h"
#include "kernels/isa.h"

namespace medurwkv {
namespace {

using at::Tensor;
using net::Grid;
using torch_backend::ComposedOps;
using torch_backend::ParameterStore;
using torch_backend::TorchOps;
using Tensors = std::vector<Tensor>;

constexpr double epsilon = 1e-5;

/// An operation on tensors of given shapes, written for any interpreter.
struct Case {
  std::string name;
  std::vector<Shape> inputs;
  std::function<Tensors(TorchOps&, const Tensors&)> fused;
  std::function<Tensors(ComposedOps&, const Tensors&)> composed;
  bool training = false;
  bool statistics = false;  ///< outputs beyond the first are no functions to differentiate
};

/// A case's name begins with it.
std::string operation_of(const Case& one) {
  return one.name.substr(0, one.name.find(' '));
}

/// The same expression for both interpreters.
template <class Body>
Case make_case(const std::string& name, const std::vector<Shape>& inputs, const Body& body) {
  return {.name = name, .inputs = inputs, .fused = body, .composed = body};
}

net::BatchNorm<Tensor> batch_norm_of(const Tensors& in) {
  // Running statistics of their own for every run; a variance is positive.
  return {.weight = in[1],
          .bias = in[2],
          .running_mean = in[3].detach().clone(),
          .running_var = in[4].detach().abs() + 0.5,
          .batches = at::zeros({}, at::kLong)};
}

Case shift_mix_case(Grid grid, std::int64_t channels, std::size_t mixes) {
  std::vector<Shape> inputs{{2, grid.tokens(), channels}};
  for (std::size_t m = 0; m < mixes; ++m) inputs.push_back({1, 1, channels});
  return make_case("shift_mix " + std::to_string(grid.height) + " x " + std::to_string(grid.width) +
                       " x " + std::to_string(channels) + ", " + std::to_string(mixes) + " mixes",
                   inputs, [grid](auto& ops, const Tensors& in) {
                     return net::shift_mix(ops, in[0], Tensors(in.begin() + 1, in.end()), grid);
                   });
}

Case norm_relu_case(const Shape& map, bool training) {
  const Shape channels{map[1]};
  Case one =
      make_case(std::string("norm_relu ") + (training ? "training " : "") + shape_text(map),
                {map, channels, channels, channels, channels}, [](auto& ops, const Tensors& in) {
                  const net::BatchNorm<Tensor> norm = batch_norm_of(in);
                  const Tensor y = net::norm_relu(ops, in[0], norm);
                  return Tensors{y, norm.running_mean, norm.running_var};
                });
  one.training = training;
  one.statistics = true;
  return one;
}

Case expand_norm_case(Grid grid, std::int64_t factor, std::int64_t channels) {
  return make_case(
      "expand_norm by " + std::to_string(factor) + " to " + std::to_string(channels),
      {{2, grid.tokens(), factor * factor * channels}, {channels}, {channels}},
      [grid, factor](auto& ops, const Tensors& in) {
        return Tensors{net::expand_norm(ops, in[0], grid, factor, in[1], in[2], epsilon)};
      });
}

Case conv2d_case(const Shape& map, const Shape& weight, const net::Convolution& how) {
  return make_case("conv2d " + shape_text(weight) + " on " + shape_text(map),
                   {map, weight, {weight[0]}}, [how](auto& ops, const Tensors& in) {
                     return Tensors{ops.conv2d(in[0], in[1], in[2], how)};
                   });
}

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const std::int64_t channels : {1, 2, 3, 5, 7, 24, 48, 67}) {
    out.push_back(shift_mix_case({5, 3}, channels, 3));
  }
  out.push_back(shift_mix_case({1, 1}, 12, 2));
  out.push_back(shift_mix_case({1, 9}, 8, 1));
  out.push_back(shift_mix_case({9, 1}, 8, 2));
  out.push_back(shift_mix_case({17, 33}, 20, 3));
  for (const std::int64_t length : {1, 3, 16, 97, 20000}) {
    const Shape shape{1, 1, length};
    const std::string size = " of " + std::to_string(length);
    out.push_back(make_case("gate" + size, {shape, shape}, [](auto& ops, const Tensors& in) {
      return Tensors{net::gate(ops, in[0], in[1])};
    }));
    out.push_back(make_case("squared_relu" + size, {shape}, [](auto& ops, const Tensors& in) {
      return Tensors{net::squared_relu(ops, in[0])};
    }));
  }
  for (const std::int64_t channels : {1, 5, 16, 31, 48, 200}) {
    const Shape shape{2, 301, channels};
    const std::string size = " of " + shape_text(shape);
    out.push_back(
        make_case("scale_add" + size, {shape, {channels}, shape}, [](auto& ops, const Tensors& in) {
          return Tensors{net::scale_add(ops, in[0], in[1], in[2])};
        }));
    out.push_back(make_case("layer_norm" + size, {shape, {channels}, {channels}},
                            [](auto& ops, const Tensors& in) {
                              return Tensors{ops.layer_norm(in[0], in[1], in[2], epsilon)};
                            }));
  }
  out.push_back(expand_norm_case({3, 5}, 2, 7));
  out.push_back(expand_norm_case({5, 2}, 4, 24));
  out.push_back(expand_norm_case({1, 1}, 3, 16));
  for (const bool training : {false, true}) {
    out.push_back(norm_relu_case({2, 3, 5, 7}, training));
    out.push_back(norm_relu_case({3, 64, 12, 9}, training));
    out.push_back(norm_relu_case({1, 1, 40, 31}, training));
    out.push_back(norm_relu_case({5, 17, 1, 1}, training));
  }
  out.push_back(conv2d_case({2, 5, 4, 3}, {7, 5, 1, 1}, {}));
  out.push_back(conv2d_case({1, 6, 9, 8}, {4, 6, 3, 3}, {.stride = 2, .padding = 1}));
  out.push_back(conv2d_case({2, 6, 5, 8}, {6, 1, 3, 3}, {.padding = 1, .groups = 6}));
  out.push_back(conv2d_case({2, 3, 8, 16}, {5, 3, 4, 4}, {.stride = 4}));
  out.push_back(make_case("conv_transpose2d", {{2, 5, 3, 4}, {5, 6, 2, 2}, {6}},
                          [](auto& ops, const Tensors& in) {
                            return Tensors{ops.conv_transpose2d(in[0], in[1], in[2], 2)};
                          }));
  out.push_back(make_case("linear", {{2, 9, 5}, {7, 5}, {7}}, [](auto& ops, const Tensors& in) {
    return Tensors{ops.linear(in[0], in[1], in[2])};
  }));
  return out;
}

Tensors draw(const std::vector<Shape>& shapes, at::ScalarType type) {
  const Random random({77u});
  std::uint64_t next = 0;
  Tensors out;
  for (const Shape& shape : shapes) {
    std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
    for (double& value : values) value = random.normal(next++);
    // Rounded to float32, so that both types start from the same numbers.
    out.push_back(at::tensor(values, at::kDouble).to(at::kFloat).to(type).reshape(shape));
  }
  return out;
}

/// sum of the outputs weighted with cosines: every element counts, none alike.
Tensor weighted_sum(const Tensors& outputs, bool first_alone = false) {
  Tensor sum;
  for (const Tensor& y : outputs) {
    if (first_alone && sum.defined()) break;
    const Tensor flat = y.reshape({-1});
    const Tensor weights = at::arange(flat.numel(), at::kDouble).mul(0.7).add(1).cos();
    const Tensor part = (flat * weights.to(flat.scalar_type())).sum();
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

struct Results {
  Tensors outputs, gradients;
};

template <class Interpreter>
Results run(const Case& one, at::ScalarType type,
            const std::function<Tensors(Interpreter&, const Tensors&)>& body) {
  const ParameterStore store({}, 0, type, at::kCPU);
  Interpreter ops(store, {.training = one.training});
  Tensors in = draw(one.inputs, type);
  for (Tensor& tensor : in) tensor.requires_grad_(true);
  // What a network does: x goes two ways, so that its gradients are added up.
  Tensors doubled = in;
  doubled[0] = in[0] * 1;
  Results out{.outputs = body(ops, doubled), .gradients = {}};
  (weighted_sum(out.outputs, one.statistics) + weighted_sum({doubled[0]})).backward();
  for (const Tensor& tensor : in) out.gradients.push_back(tensor.grad());
  return out;
}

double off(const Tensor& actual, const Tensor& expected) {
  const Tensor wanted = expected.to(at::kDouble);
  const double scale = std::max(0.1, wanted.abs().max().item().toDouble());
  return (actual.to(at::kDouble) - wanted).abs().max().item().toDouble() / scale;
}

void expect_equal(const Results& actual, const Results& expected, double tolerance) {
  ASSERT_EQ(actual.outputs.size(), expected.outputs.size());
  for (std::size_t i = 0; i < actual.outputs.size(); ++i) {
    ASSERT_EQ(actual.outputs[i].sizes(), expected.outputs[i].sizes());
    EXPECT_LT(off(actual.outputs[i], expected.outputs[i]), tolerance) << "output " << i;
  }
  for (std::size_t i = 0; i < actual.gradients.size(); ++i) {
    ASSERT_EQ(actual.gradients[i].defined(), expected.gradients[i].defined()) << "input " << i;
    if (!actual.gradients[i].defined()) continue;
    EXPECT_LT(off(actual.gradients[i], expected.gradients[i]), tolerance) << "gradient " << i;
  }
}

/// Cases by operation: a test for each case would load LibTorch a hundred times.
class FusedOps : public ::testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { kernels::force_isa(before_); }

  static std::vector<Case> cases_here() {
    std::vector<Case> out;
    for (const Case& one : cases()) {
      if (operation_of(one) == GetParam()) out.push_back(one);
    }
    return out;
  }

 private:
  const kernels::Isa& before_ = kernels::chosen_isa();
};

TEST_P(FusedOps, EqualTheirComposition) {
  for (const Case& one : cases_here()) {
    SCOPED_TRACE(one.name);
    const Results expected = run<ComposedOps>(one, at::kDouble, one.composed);
    expect_equal(run<TorchOps>(one, at::kDouble, one.fused), expected, 1e-11);
    for (const kernels::Isa* isa : kernels::available_isas()) {
      SCOPED_TRACE(isa->name);
      kernels::force_isa(*isa);
      expect_equal(run<TorchOps>(one, at::kFloat, one.fused), expected, 2e-5);
    }
  }
}

void expect_finite_differences(const Case& one) {
  const Results results = run<TorchOps>(one, at::kDouble, one.fused);
  const ParameterStore store({}, 0, at::kDouble, at::kCPU);
  TorchOps ops(store, {.training = one.training});
  const at::NoGradGuard no_grad;
  const Random random({78u});
  for (std::size_t i = 0; i < one.inputs.size(); ++i) {
    if (!results.gradients[i].defined()) continue;
    const auto value_at = [&](std::int64_t element, double step) {
      Tensors in = draw(one.inputs, at::kDouble);
      in[i].view({-1})[element] += step;
      return (weighted_sum(one.fused(ops, in), one.statistics) + weighted_sum({in[0]}))
          .item()
          .toDouble();
    };
    const double scale = results.gradients[i].abs().max().item().toDouble();
    for (std::uint64_t probe = 0; probe < 3; ++probe) {
      const auto element = static_cast<std::int64_t>(
          random.below(probe, static_cast<std::uint64_t>(element_count(one.inputs[i]))));
      constexpr double step = 1e-5;
      const double slope = (value_at(element, step) - value_at(element, -step)) / (2 * step);
      EXPECT_NEAR(results.gradients[i].reshape({-1})[element].item().toDouble(), slope,
                  1e-6 * (scale + 1))
          << "input " << i << ", element " << element;
    }
  }
}

TEST_P(FusedOps, GradientIsTheFiniteDifference) {
  for (const Case& one : cases_here()) {
    SCOPED_TRACE(one.name);
    expect_finite_differences(one);
  }
}

std::vector<std::string> operations() {
  std::vector<std::string> out;
  for (const Case& one : cases()) {
    if (out.empty() || operation_of(one) != out.back()) out.push_back(operation_of(one));
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

INSTANTIATE_TEST_SUITE_P(Of, FusedOps, ::testing::ValuesIn(operations()),
                         [](const auto& tested) { return tested.param; });

TEST(TokenKernels, RunUnderEveryThreadCountToTheSameBits) {
  const ParameterStore store({}, 0, at::kFloat, at::kCPU);
  TorchOps ops(store, {.training = true});
  const Tensors in = draw({{2, 40 * 25, 24}, {24}, {24}}, at::kFloat);
  const int before = thread_count();
  Tensors first;
  for (const int threads : {1, 2, 3}) {
    set_thread_count(threads);
    Tensors leaves;
    for (const Tensor& tensor : in) leaves.push_back(tensor.clone().requires_grad_(true));
    const Tensor y = TorchOps::layer_norm(leaves[0], leaves[1], leaves[2], epsilon);
    const Tensor z = ops.shift_mix(y, {leaves[1].reshape({1, 1, 24})}, {40, 25})[0];
    weighted_sum({z}).backward();
    const Tensors now{z.detach(), leaves[0].grad(), leaves[1].grad(), leaves[2].grad()};
    if (first.empty()) first = now;
    for (std::size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(now[i].equal(first[i])) << i;
  }
  set_thread_count(before);
}

}  // namespace
}  // namespace medurwkv
