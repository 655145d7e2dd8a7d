// Rounding to bfloat16, by itself and as the last step of other kernels, on every instruction set.
#include <gtest/gtest.h>

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

class Bfloat16Kernels : public ::testing::TestWithParam<const Isa*> {
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

TEST_P(Bfloat16Kernels, RoundToTheNearestAndTiesToEven) {
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

TEST_P(Bfloat16Kernels, WriteWhatTheyWouldInFloat) {
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

INSTANTIATE_TEST_SUITE_P(Isas, Bfloat16Kernels, ::testing::ValuesIn(available_isas()),
                         [](const auto& one) { return std::string(one.param->name); });

}  // namespace
}  // namespace medurwkv::kernels
