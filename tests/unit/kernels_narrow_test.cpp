// Rounding to bfloat16 and to whole numbers of 8 bits, by itself and as the last step of other
// kernels, on every instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/half.h"
#include "core/random.h"
#include "kernels/isa.h"
#include "kernels/norm.h"
#include "kernels/pointwise.h"
#include "kernels/shift_mix.h"

namespace medurwkv::kernels {
namespace {

double value_of(Bfloat16 number) {
  return bfloat16_to_double(static_cast<std::uint16_t>(number));
}

/// The nearest number of 8 significant bits, ties to the even one: in double, whose bits suffice.
double rounded(float x) {
  if (x == 0 || !std::isfinite(x)) return static_cast<double>(x);
  // Below the smallest normal number the last place no longer moves.
  const int exponent = std::max(std::ilogb(x), std::numeric_limits<float>::min_exponent - 1);
  const double unit = std::ldexp(1.0, exponent - 7);
  const double out = std::nearbyint(static_cast<double>(x) / unit) * unit;
  return std::abs(out) >= std::ldexp(1.0, 128) ? std::copysign(HUGE_VAL, out) : out;
}

class NarrowKernels : public ::testing::TestWithParam<const Isa*> {
 protected:
  void SetUp() override { force_isa(*GetParam()); }
  void TearDown() override { force_isa(*before_); }

 private:
  const Isa* before_ = &chosen_isa();
};

std::vector<float> numbers(std::size_t count, std::uint64_t seed) {
  std::vector<float> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = static_cast<float>(Random({seed}).normal(i));
  }
  return out;
}

TEST_P(NarrowKernels, RoundToTheNearestBfloat16AndTiesToEven) {
  std::vector<float> x = numbers(1000, 1);
  using Limits = std::numeric_limits<float>;
  for (const float one :
       {0.0F, -0.0F, 1.0F, Limits::max(), Limits::min(), Limits::denorm_min(), Limits::infinity(),
        -Limits::infinity(), 1.00390625F, 1.01171875F, -1.00390625F, 3.3895314e38F}) {
    x.push_back(one);
  }
  for (std::uint64_t i = 0; i < 2000; ++i) {
    x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(Random({2}).bits(i))));
  }
  std::vector<Bfloat16> out(x.size());
  to_bfloat16(std::ssize(x), x.data(), out.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i])) {
      EXPECT_TRUE(std::isnan(value_of(out[i]))) << std::bit_cast<std::uint32_t>(x[i]);
    } else {
      EXPECT_EQ(value_of(out[i]), rounded(x[i])) << x[i];
    }
  }
}

TEST_P(NarrowKernels, WriteInBfloat16WhatTheyWouldInFloat) {
  const ShiftMixShape shape{.batch = 2, .height = 3, .width = 5, .channels = 37};
  const std::size_t count = 2 * 3 * 5 * 37;
  const std::vector<float> x = numbers(count, 3);
  const std::vector<float> mix = numbers(37, 4);
  const std::vector<float> other = numbers(37, 5);
  const auto expect_rounded = [&](const std::vector<float>& plain,
                                  const std::vector<Bfloat16>& narrow) {
    std::vector<Bfloat16> expected(count);
    to_bfloat16(std::ssize(plain), plain.data(), expected.data());
    EXPECT_EQ(narrow, expected);
  };
  std::array<std::vector<float>, 2> plain{std::vector<float>(count), std::vector<float>(count)};
  std::array<std::vector<Bfloat16>, 2> narrow{std::vector<Bfloat16>(count),
                                              std::vector<Bfloat16>(count)};
  const std::array<const float*, 2> mixes{mix.data(), other.data()};
  const std::array<float*, 2> to_plain{plain[0].data(), plain[1].data()};
  const std::array<Bfloat16*, 2> to_narrow{narrow[0].data(), narrow[1].data()};
  const OwnWorkspace workspace(shift_mix_forward_workspace<float>(shape));
  shift_mix_forward<float>(shape, x.data(), mixes, to_plain, workspace);
  shift_mix_forward(shape, x.data(), mixes, to_narrow, workspace);
  for (std::size_t i = 0; i < 2; ++i) expect_rounded(plain[i], narrow[i]);

  const LayerNormShape rows{.rows = 30, .channels = 37};
  const LayerNormInput<float> in{.x = x.data(), .weight = mix.data(), .bias = other.data()};
  std::vector<float> moments(60);
  layer_norm_forward<float>(rows, in, plain[0].data(), moments.data(), moments.data() + 30);
  layer_norm_forward(rows, in, narrow[0].data(), moments.data(), moments.data() + 30);
  expect_rounded(plain[0], narrow[0]);
}

TEST_P(NarrowKernels, RoundToTheNearestWholeNumberAndTiesToEven) {
  std::vector<float> x = numbers(1000, 1);
  for (float& one : x) one *= 40;
  using Limits = std::numeric_limits<float>;
  for (const float one : {0.0F, 0.5F, 1.5F, -0.5F, -2.5F, 126.5F, 127.49F, 127.51F, 300.0F, -127.5F,
                          -1e9F, Limits::max(), Limits::infinity(), -Limits::infinity()}) {
    x.push_back(one);
  }
  for (const float steps : {1.0F, 0.5F, 3.7F}) {
    std::vector<Int8> out(x.size());
    to_int8(std::ssize(x), x.data(), steps, out.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float many = x[i] * steps;
      EXPECT_EQ(static_cast<float>(out[i]), std::nearbyint(std::clamp(many, -127.0F, 127.0F)))
          << x[i] << " times " << steps;
    }
  }
}

TEST_P(NarrowKernels, WriteInInt8WhatTheyWouldInFloat) {
  const ShiftMixShape shape{.batch = 2, .height = 3, .width = 5, .channels = 37};
  const std::size_t count = 2 * 3 * 5 * 37;
  const std::vector<float> x = numbers(count, 3);
  const std::vector<float> mix = numbers(37, 4);
  const std::vector<float> other = numbers(37, 5);
  // A multiplication and an addition may round once or twice: a number beside a tie differs by 1.
  const auto expect_rounded = [&](const std::vector<float>& plain, float steps,
                                  const std::vector<Int8>& whole) {
    int exact = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const float expected = std::nearbyint(std::clamp(plain[i] * steps, -127.0F, 127.0F));
      EXPECT_LE(std::abs(static_cast<float>(whole[i]) - expected), 1) << plain[i];
      exact += static_cast<float>(whole[i]) == expected ? 1 : 0;
    }
    EXPECT_GT(exact, static_cast<int>(count) - 5);
  };
  std::array<std::vector<float>, 2> plain{std::vector<float>(count), std::vector<float>(count)};
  std::array<std::vector<Int8>, 2> whole{std::vector<Int8>(count), std::vector<Int8>(count)};
  const std::array<const float*, 2> mixes{mix.data(), other.data()};
  const std::array<float*, 2> to_plain{plain[0].data(), plain[1].data()};
  const std::array<Int8*, 2> to_whole{whole[0].data(), whole[1].data()};
  const std::array<float, 2> steps{20.0F, 55.0F};
  const OwnWorkspace workspace(shift_mix_forward_workspace<float>(shape));
  shift_mix_forward<float>(shape, x.data(), mixes, to_plain, workspace);
  shift_mix_forward(shape, x.data(), mixes, steps, to_whole, workspace);
  for (std::size_t i = 0; i < 2; ++i) expect_rounded(plain[i], steps[i], whole[i]);

  const LayerNormShape rows{.rows = 30, .channels = 37};
  const LayerNormInput<float> in{.x = x.data(), .weight = mix.data(), .bias = other.data()};
  std::vector<float> moments(60);
  layer_norm_forward<float>(rows, in, plain[0].data(), moments.data(), moments.data() + 30);
  layer_norm_forward(rows, in, 31.0F, whole[0].data(), moments.data(), moments.data() + 30);
  expect_rounded(plain[0], 31.0F, whole[0]);
}

INSTANTIATE_TEST_SUITE_P(Isas, NarrowKernels, ::testing::ValuesIn(available_isas()),
                         [](const auto& one) { return std::string(one.param->name); });

}  // namespace
}  // namespace medurwkv::kernels
