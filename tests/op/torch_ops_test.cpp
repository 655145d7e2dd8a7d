// TorchOps' own compositions (shift, expand, deformable attention, padding, drop path) against
// plain loops, and the gradient of deformable attention against finite differences.
#include <gtest/gtest.h>

#include "torch/aten.h"

#include <cmath>
#include <optional>
#include <vector>

#include "kernels/isa.h"
#include "support/tensors.h"
#include "torch/torch_ops.h"

namespace medurwkv {
namespace {

using net::Grid;
using torch_backend::TorchOps;

/// Values without pattern, the same on every machine.
at::Tensor some(const Shape& shape, int seed, double scale = 1) {
  return test::tensor_of(test::fill_values("some" + std::to_string(seed), shape), shape,
                         at::kDouble) *
         scale;
}

double at_index(const at::Tensor& x, std::initializer_list<std::int64_t> index) {
  at::Tensor part = x;
  for (const std::int64_t i : index) part = part.select(0, i);
  return part.item().toDouble();
}

TEST(TorchOps, ShiftTakesQuartersFromTheNeighbours) {
  const Grid grid{3, 5};
  for (const std::int64_t channels : {4, 8, 10}) {
    const at::Tensor x = some({2, grid.tokens(), channels}, 1);
    const at::Tensor y = TorchOps::shift(x, grid);
    ASSERT_EQ(y.sizes(), x.sizes());
    for (std::int64_t row = 0; row < grid.height; ++row) {
      for (std::int64_t column = 0; column < grid.width; ++column) {
        for (std::int64_t c = 0; c < channels; ++c) {
          std::int64_t from_row = row;
          std::int64_t from_column = column;
          if (c < channels / 4) {
            --from_column;
          } else if (c < channels / 2) {
            ++from_column;
          } else if (c < 3 * channels / 4) {
            --from_row;
          } else {
            ++from_row;
          }
          const bool inside = from_row >= 0 && from_row < grid.height && from_column >= 0 &&
                              from_column < grid.width;
          const double expected =
              inside ? at_index(x, {1, from_row * grid.width + from_column, c}) : 0;
          EXPECT_EQ(at_index(y, {1, row * grid.width + column, c}), expected)
              << channels << " channels, " << row << ", " << column << ", " << c;
        }
      }
    }
  }
}

TEST(TorchOps, ExpandLaysATokenOutAsPixels) {
  const Grid grid{2, 3};
  constexpr std::int64_t factor = 2;
  constexpr std::int64_t channels = 5;
  const at::Tensor x = some({1, grid.tokens(), factor * factor * channels}, 2);
  const at::Tensor y = TorchOps::expand(x, grid, factor);
  ASSERT_EQ(y.sizes(), (std::vector<std::int64_t>{1, grid.tokens() * 4, channels}));
  for (std::int64_t row = 0; row < factor * grid.height; ++row) {
    for (std::int64_t column = 0; column < factor * grid.width; ++column) {
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t token = row / factor * grid.width + column / factor;
        const std::int64_t element = ((row % factor) * factor + column % factor) * channels + c;
        EXPECT_EQ(at_index(y, {0, row * factor * grid.width + column, c}),
                  at_index(x, {0, token, element}));
      }
    }
  }
}

/// Deformable DETR's equation, sample by sample; values outside a map are zero.
at::Tensor deform_by_definition(const at::Tensor& values, const at::Tensor& offsets,
                                const at::Tensor& weights, const net::DeformableAttention& where) {
  const std::int64_t width = values.size(2) / where.heads;
  const auto levels = static_cast<std::int64_t>(where.levels.size());
  at::Tensor out = at::zeros({values.size(0), offsets.size(1), values.size(2)}, values.options());
  for (std::int64_t b = 0; b < values.size(0); ++b) {
    std::int64_t query = 0;
    for (const Grid queries : where.queries) {
      for (std::int64_t q = 0; q < queries.tokens(); ++q, ++query) {
        const std::int64_t column = q % queries.width;
        const std::int64_t row = q / queries.width;
        const double x0 = (static_cast<double>(column) + 0.5) / static_cast<double>(queries.width);
        const double y0 = (static_cast<double>(row) + 0.5) / static_cast<double>(queries.height);
        for (std::int64_t h = 0; h < where.heads; ++h) {
          const std::int64_t samples = levels * where.points;
          const at::Tensor share =
              weights.select(0, b).select(0, query).narrow(0, h * samples, samples).softmax(0);
          std::int64_t start = 0;
          for (std::int64_t l = 0; l < levels; ++l) {
            const Grid map = where.levels[static_cast<std::size_t>(l)];
            for (std::int64_t p = 0; p < where.points; ++p) {
              const std::int64_t sample = l * where.points + p;
              const std::int64_t pair = 2 * (h * samples + sample);
              const double x =
                  x0 * static_cast<double>(map.width) + at_index(offsets, {b, query, pair}) - 0.5;
              const double y = y0 * static_cast<double>(map.height) +
                               at_index(offsets, {b, query, pair + 1}) - 0.5;
              for (std::int64_t dy = 0; dy < 2; ++dy) {
                for (std::int64_t dx = 0; dx < 2; ++dx) {
                  const auto at_x = static_cast<std::int64_t>(std::floor(x)) + dx;
                  const auto at_y = static_cast<std::int64_t>(std::floor(y)) + dy;
                  if (at_x < 0 || at_y < 0 || at_x >= map.width || at_y >= map.height) continue;
                  const double near = (1 - std::abs(x - static_cast<double>(at_x))) *
                                      (1 - std::abs(y - static_cast<double>(at_y)));
                  out.select(0, b).select(0, query).narrow(0, h * width, width) +=
                      at_index(share, {sample}) * near *
                      values.select(0, b)
                          .select(0, start + at_y * map.width + at_x)
                          .narrow(0, h * width, width);
                }
              }
            }
            start += map.tokens();
          }
        }
      }
    }
  }
  return out;
}

struct DeformCase {
  net::DeformableAttention where;
  at::Tensor values, offsets, weights;
};

DeformCase deform_case() {
  DeformCase out{
      .where = {.queries = {{2, 3}, {1, 2}}, .levels = {{4, 5}, {2, 3}}, .heads = 2, .points = 3},
      .values = some({2, 26, 6}, 3),
      .offsets = some({2, 8, 2 * 2 * 3 * 2}, 4, 3),
      .weights = some({2, 8, 2 * 2 * 3}, 5, 2)};
  return out;
}

TEST(TorchOps, DeformAttnIsTheDefinition) {
  const DeformCase one = deform_case();
  const at::Tensor expected = deform_by_definition(one.values, one.offsets, one.weights, one.where);
  EXPECT_GT(expected.abs().max().item().toDouble(), 0.05);
  const at::Tensor kernel = TorchOps::deform_attn(one.values, one.offsets, one.weights, one.where);
  const at::Tensor composition =
      torch_backend::ComposedOps::deform_attn(one.values, one.offsets, one.weights, one.where);
  for (const at::Tensor& y : {kernel, composition}) {
    ASSERT_EQ(y.sizes(), expected.sizes());
    EXPECT_LT((y - expected).abs().max().item().toDouble(), 1e-13);
  }
}

// The vector kernels' channels: fewer, as many and more than a vector holds; float32 against the
// composition in float64, values and gradients.
TEST(TorchOps, DeformAttnHoldsOnEveryInstructionSet) {
  const kernels::Isa& before = kernels::chosen_isa();
  for (const std::int64_t width : {3, 8, 16, 21, 32}) {
    const net::DeformableAttention where{
        .queries = {{3, 5}}, .levels = {{6, 4}, {3, 2}, {1, 1}}, .heads = 2, .points = 4};
    const auto run = [&](at::ScalarType type, bool composed) {
      std::vector<at::Tensor> in{some({2, 31, 2 * width}, 21), some({2, 15, 2 * 3 * 4 * 2}, 22, 4),
                                 some({2, 15, 2 * 3 * 4}, 23, 2)};
      for (at::Tensor& one : in) one = one.to(type).requires_grad_(true);
      const at::Tensor y = composed
                               ? torch_backend::ComposedOps::deform_attn(in[0], in[1], in[2], where)
                               : TorchOps::deform_attn(in[0], in[1], in[2], where);
      (y * some({2, 15, 2 * width}, 24).to(type)).sum().backward();
      return std::vector<at::Tensor>{y.detach(), in[0].grad(), in[1].grad(), in[2].grad()};
    };
    const auto expected = run(at::kDouble, true);
    for (const kernels::Isa* isa : kernels::available_isas()) {
      kernels::force_isa(*isa);
      const auto actual = run(at::kFloat, false);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_LT((actual[i].to(at::kDouble) - expected[i]).abs().max().item().toDouble(),
                  5e-6 * (1 + expected[i].abs().max().item().toDouble()))
            << isa->name << ", width " << width << ", " << i;
      }
    }
  }
  kernels::force_isa(before);
}

TEST(TorchOps, DeformAttnsGradientIsTheFiniteDifference) {
  DeformCase one = deform_case();
  const at::Tensor grad_y = some({2, 8, 6}, 6);
  std::vector<at::Tensor> inputs{one.values, one.offsets, one.weights};
  for (at::Tensor& input : inputs) input.requires_grad_(true);
  (TorchOps::deform_attn(inputs[0], inputs[1], inputs[2], one.where) * grad_y).sum().backward();
  const at::NoGradGuard no_grad;
  for (const at::Tensor& input : inputs) {
    const at::Tensor flat = input.view(-1);
    for (std::int64_t i = 0; i < flat.numel(); i += 7) {
      constexpr double h = 1e-6;
      const auto loss_at = [&](double step) {
        flat[i] += step;
        const double loss =
            (TorchOps::deform_attn(inputs[0], inputs[1], inputs[2], one.where) * grad_y)
                .sum()
                .item()
                .toDouble();
        flat[i] -= step;
        return loss;
      };
      EXPECT_NEAR(input.grad().reshape(-1)[i].item().toDouble(),
                  (loss_at(h) - loss_at(-h)) / (2 * h), 1e-7)
          << i;
    }
  }
}

// Whatever computes a linear map in float32, it is the one that LibTorch computes in float64;
// inputs that are not contiguous get their gradient too.
TEST(TorchOps, LinearIsLibTorchsInDouble) {
  const torch_backend::ParameterStore store({}, 0, at::kFloat, at::kCPU);
  const TorchOps ops(store, {});
  for (const bool with_bias : {false, true}) {
    for (const bool contiguous : {false, true}) {
      const auto run = [&](at::ScalarType type) {
        at::Tensor x = some({2, 5, 7}, 8).to(type).requires_grad_(true);
        at::Tensor weight = some({3, 7}, 9).to(type).requires_grad_(true);
        at::Tensor bias = some({3}, 10).to(type).requires_grad_(true);
        const at::Tensor grad = some({2, 5, 3}, 11).to(type);
        // The middle operation makes the input another tensor than the leaf.
        const at::Tensor input =
            contiguous ? x * 2 : (x * 2).transpose(0, 1).contiguous().transpose(0, 1);
        EXPECT_EQ(input.is_contiguous(), contiguous);
        const at::Tensor y =
            ops.linear(input, weight, with_bias ? std::optional<at::Tensor>(bias) : std::nullopt);
        (y * grad).sum().backward();
        std::vector<at::Tensor> out{y.detach(), x.grad(), weight.grad()};
        if (with_bias) out.push_back(bias.grad());
        return out;
      };
      const auto single = run(at::kFloat);
      const auto expected = run(at::kDouble);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_TRUE(single[i].defined()) << i;
        EXPECT_LT((single[i].to(at::kDouble) - expected[i]).abs().max().item().toDouble(),
                  1e-6 * (1 + expected[i].abs().max().item().toDouble()))
            << i;
      }
    }
  }
}

TEST(TorchOps, PadsWithTheEdgeAndCropsBack) {
  const at::Tensor x = some({1, 2, 3, 4}, 7);
  const at::Tensor padded = TorchOps::pad_edge(x, {5, 8});
  ASSERT_EQ(padded.sizes(), (std::vector<std::int64_t>{1, 2, 5, 8}));
  EXPECT_TRUE(at::equal(TorchOps::crop(padded, {3, 4}), x));
  EXPECT_EQ(at_index(padded, {0, 1, 4, 7}), at_index(x, {0, 1, 2, 3}));
  EXPECT_EQ(at_index(padded, {0, 0, 1, 6}), at_index(x, {0, 0, 1, 3}));
  EXPECT_EQ(at_index(padded, {0, 0, 4, 2}), at_index(x, {0, 0, 2, 2}));
}

TEST(TorchOps, DropPathDropsWholeSamplesAtItsRate) {
  const torch_backend::ParameterStore empty({}, 0, at::kFloat, at::kCPU);
  constexpr std::int64_t samples = 20000;
  const at::Tensor ones = at::ones({samples, 2, 3});
  TorchOps training(empty, {.training = true, .seed = 5, .step = 7});
  const at::Tensor dropped = training.drop_path(ones, 0.25, "a");
  const at::Tensor sums = dropped.sum({1, 2}) / 6;
  const double kept = (sums > 0).to(at::kDouble).mean().item().toDouble();
  EXPECT_NEAR(kept, 0.75, 4 * std::sqrt(0.25 * 0.75 / samples));
  // A sample is 0 or scaled by 1 / (1 - rate) as a whole.
  EXPECT_TRUE(at::logical_or(sums == 0, (sums - 4.0 / 3).abs() < 1e-6).all().item().toBool());

  EXPECT_TRUE(at::equal(training.drop_path(ones, 0.25, "a"), dropped)) << "a pure function";
  EXPECT_FALSE(at::equal(training.drop_path(ones, 0.25, "b"), dropped)) << "another branch";
  TorchOps next(empty, {.training = true, .seed = 5, .step = 8});
  EXPECT_FALSE(at::equal(next.drop_path(ones, 0.25, "a"), dropped)) << "another step";
  TorchOps running(empty, {.training = false});
  EXPECT_TRUE(at::equal(running.drop_path(ones, 0.25, "a"), ones));
}

}  // namespace
}  // namespace medurwkv
