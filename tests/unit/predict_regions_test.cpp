// Regions to classes, against probabilities multiplied by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "predict/predictor.h"
#include "predict/regions.h"

namespace medurwkv {
namespace {

TEST(Regions, ClassProbabilitiesAreThoseOfTheLastRegion) {
  // Two pixels, three regions; probabilities by hand.
  const std::vector<double> p{0.9, 0.2, 0.5, 0.7, 0.25, 0.001};
  std::vector<float> planes;
  for (const double one : p) planes.push_back(static_cast<float>(std::log(one / (1 - one))));
  std::vector<float> out = predict::class_logits(planes, {{1, 2, 3}, {2, 3}, {3}});
  ASSERT_EQ(out.size(), 8U);
  predict::softmax_over_classes(out, 4);
  const std::vector<double> expected{0.1 * 0.5 * 0.75,
                                     0.8 * 0.3 * 0.999,
                                     0.9 * 0.5 * 0.75,
                                     0.2 * 0.3 * 0.999,
                                     0.5 * 0.75,
                                     0.7 * 0.999,
                                     0.25,
                                     0.001};
  for (std::size_t i = 0; i < out.size(); ++i) EXPECT_NEAR(out[i], expected[i], 1e-6) << i;
}

TEST(Regions, ExtremeLogitsStayFinite) {
  std::vector<float> out = predict::class_logits(std::vector<float>{1e30F, -1e30F}, {{1, 2}, {2}});
  for (const float value : out) EXPECT_TRUE(std::isfinite(value));
  EXPECT_GT(out[1], out[0]);
  EXPECT_GT(out[1], out[2]);
}

}  // namespace
}  // namespace medurwkv
