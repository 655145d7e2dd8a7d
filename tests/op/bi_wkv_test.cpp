// bi-WKV's kernels against the definition and against finite differences of it, for every mode and
// for numbers of tokens around the chunks' ends.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "core/random.h"
#include "kernels/bi_wkv.h"
#include "support/wkv_by_definition.h"

namespace medurwkv {
namespace {

using kernels::WkvMode;
using test::WkvColumn;

struct Case {
  WkvMode mode;
  std::int64_t tokens;
};

void PrintTo(const Case& one, std::ostream* out) {
  *out << "mode " << static_cast<int>(one.mode) << ", " << one.tokens << " tokens";
}

constexpr std::int64_t batch = 2;
constexpr std::int64_t channels = 3;

/// batch x tokens x channels arrays with keys of either sign and decays of either sign.
struct Arrays {
  kernels::WkvShape shape;
  std::vector<double> decay, first, key, value, grad_y;

  explicit Arrays(std::int64_t tokens)
      : shape{.batch = batch, .tokens = tokens, .channels = channels} {
    const Random random({20u, static_cast<std::uint64_t>(tokens), 1u});
    std::uint64_t next = 0;
    const auto draw = [&](std::size_t count, double scale) {
      std::vector<double> out;
      for (std::size_t i = 0; i < count; ++i) out.push_back(scale * random.normal(next++));
      return out;
    };
    const auto size = static_cast<std::size_t>(batch * tokens * channels);
    decay = {0.03, -0.02, 0.08};  // more would make the released sums of weights cancel
    first = draw(channels, 1);
    key = draw(size, 1.5);
    value = draw(size, 1);
    grad_y = draw(size, 1);
  }

  [[nodiscard]] kernels::WkvInput<double> input() const {
    return {.decay = decay.data(), .first = first.data(), .key = key.data(), .value = value.data()};
  }

  [[nodiscard]] std::size_t at(std::int64_t b, std::int64_t t, std::int64_t c) const {
    return static_cast<std::size_t>((b * shape.tokens + t) * channels + c);
  }

  [[nodiscard]] WkvColumn column(std::int64_t b, std::int64_t c) const {
    WkvColumn out{.decay = decay[static_cast<std::size_t>(c)],
                  .first = first[static_cast<std::size_t>(c)],
                  .key = {},
                  .value = {}};
    for (std::int64_t t = 0; t < shape.tokens; ++t) {
      out.key.push_back(key[at(b, t, c)]);
      out.value.push_back(value[at(b, t, c)]);
    }
    return out;
  }
};

class BiWkv : public ::testing::TestWithParam<Case> {};

TEST_P(BiWkv, ForwardIsTheDefinition) {
  const Arrays arrays(GetParam().tokens);
  std::vector<double> y(arrays.key.size());
  const WkvMode mode = GetParam().mode;
  kernels::bi_wkv_forward<double>(
      arrays.shape, mode, arrays.input(), y.data(),
      kernels::OwnWorkspace(kernels::bi_wkv_forward_workspace(
          arrays.shape, mode, arrays.decay.data(), arrays.first.data())));
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const WkvColumn column = arrays.column(b, c);
      const std::vector<double> expected = test::wkv_by_definition(
          column, GetParam().mode, test::wkv_epsilons(column, GetParam().mode));
      for (std::int64_t t = 0; t < arrays.shape.tokens; ++t) {
        const double want = expected[static_cast<std::size_t>(t)];
        EXPECT_NEAR(y[arrays.at(b, t, c)], want, 1e-9 * (1 + std::abs(want))) << b << t << c;
      }
    }
  }
}

TEST_P(BiWkv, BackwardIsTheFiniteDifference) {
  const Arrays arrays(GetParam().tokens);
  const std::size_t size = arrays.key.size();
  std::vector<double> decay(channels);
  std::vector<double> first(channels);
  std::vector<double> key(size);
  std::vector<double> value(size);
  kernels::bi_wkv_backward<double>(
      arrays.shape, GetParam().mode, arrays.input(), arrays.grad_y.data(),
      {.decay = decay.data(), .first = first.data(), .key = key.data(), .value = value.data()},
      kernels::OwnWorkspace(kernels::bi_wkv_backward_workspace(
          arrays.shape, GetParam().mode, arrays.decay.data(), arrays.first.data())));

  std::vector<double> decay_sum(channels);
  std::vector<double> first_sum(channels);
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t c = 0; c < channels; ++c) {
      WkvColumn column = arrays.column(b, c);
      const std::vector<double> epsilons = test::wkv_epsilons(column, GetParam().mode);
      // The derivative of sum(y grad_y) by `x`, of fourth order in the step.
      const auto derivative = [&](double& x) {
        const double kept = x;
        const auto at_step = [&](double step) {
          x = kept + step;
          const auto y = test::wkv_by_definition(column, GetParam().mode, epsilons);
          x = kept;
          double sum = 0;
          for (std::int64_t t = 0; t < arrays.shape.tokens; ++t) {
            sum += y[static_cast<std::size_t>(t)] * arrays.grad_y[arrays.at(b, t, c)];
          }
          return sum;
        };
        constexpr double h = 1e-3;
        return (8 * (at_step(h) - at_step(-h)) - (at_step(2 * h) - at_step(-2 * h))) / (12 * h);
      };
      const auto channel = static_cast<std::size_t>(c);
      decay_sum[channel] += derivative(column.decay);
      first_sum[channel] += derivative(column.first);
      for (std::int64_t t = 0; t < arrays.shape.tokens; ++t) {
        const auto token = static_cast<std::size_t>(t);
        EXPECT_NEAR(key[arrays.at(b, t, c)], derivative(column.key[token]), 1e-8) << b << t << c;
        EXPECT_NEAR(value[arrays.at(b, t, c)], derivative(column.value[token]), 1e-8)
            << b << t << c;
      }
    }
  }
  for (std::size_t c = 0; c < channels; ++c) {
    EXPECT_NEAR(first[c], first_sum[c], 1e-8) << c;
    EXPECT_NEAR(decay[c], decay_sum[c], 1e-6 * (1 + std::abs(decay_sum[c]))) << c;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Modes, BiWkv,
    ::testing::Values(Case{WkvMode::exact, 1}, Case{WkvMode::exact, 2}, Case{WkvMode::exact, 37},
                      Case{WkvMode::released32, 1}, Case{WkvMode::released32, 31},
                      Case{WkvMode::released32, 32}, Case{WkvMode::released32, 33},
                      Case{WkvMode::released32, 70}, Case{WkvMode::released16, 1},
                      Case{WkvMode::released16, 16}, Case{WkvMode::released16, 17},
                      Case{WkvMode::released16, 45}));

}  // namespace
}  // namespace medurwkv
