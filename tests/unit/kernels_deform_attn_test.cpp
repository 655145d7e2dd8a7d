// The vector kernels of deformable attention against the reference in float64: every instruction
// set of this machine, odd numbers of samples, channels and queries, places far outside.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/random.h"
#include "kernels/deform_attn.h"
#include "kernels/isa.h"
#include "support/filled_workspace.h"

namespace medurwkv::kernels {
namespace {

std::vector<float> draw(std::int64_t count, double size, std::uint64_t seed) {
  const Random random({seed});
  std::vector<float> out;
  for (std::int64_t i = 0; i < count; ++i) {
    out.push_back(static_cast<float>(random.uniform(static_cast<std::uint64_t>(i), -size, size)));
  }
  return out;
}

template <class Real>
std::vector<Real> as(const std::vector<float>& from) {
  return {from.begin(), from.end()};
}

struct Arrays {
  DeformShape shape;
  std::vector<float> values, offsets, weights, grad_y;

  explicit Arrays(const DeformShape& of) : shape(of) {
    const std::int64_t wide = of.heads * of.width;
    const std::int64_t samples = of.batch * of.query_count() * of.heads * of.samples();
    values = draw(of.batch * of.value_count() * wide, 1, 1);
    offsets = draw(2 * samples, 4, 2);
    weights = draw(samples, 3, 3);
    grad_y = draw(of.batch * of.query_count() * wide, 1, 4);
  }
};

template <class Real>
struct Results {
  std::vector<Real> y, values, offsets, weights;
};

template <class Real>
Results<Real> run(const Arrays& arrays) {
  const std::vector<Real> values = as<Real>(arrays.values);
  const std::vector<Real> offsets = as<Real>(arrays.offsets);
  const std::vector<Real> weights = as<Real>(arrays.weights);
  const std::vector<Real> grad_y = as<Real>(arrays.grad_y);
  const DeformInput<Real> in{
      .values = values.data(), .offsets = offsets.data(), .weights = weights.data()};
  Results<Real> out{grad_y, values, offsets, weights};
  const std::int64_t bytes = deform_attn_workspace<Real>(arrays.shape);
  deform_attn_forward<Real>(arrays.shape, in, out.y.data(), test::FilledWorkspace(bytes).all());
  deform_attn_backward<Real>(
      arrays.shape, in, grad_y.data(),
      {.values = out.values.data(), .offsets = out.offsets.data(), .weights = out.weights.data()},
      test::FilledWorkspace(bytes).all());
  return out;
}

void expect_near(const std::vector<float>& got, const std::vector<double>& expected,
                 const std::string& what) {
  double largest = 0;
  double distance = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    distance = std::max(distance, std::abs(static_cast<double>(got[i]) - expected[i]));
    ASSERT_TRUE(std::isfinite(got[i])) << what << " at " << i;
  }
  EXPECT_LE(distance, 2e-5 * largest) << what;
}

/// With every instruction set in turn; the strongest again in the end.
template <class Body>
void on_every_isa(const Body& body) {
  const Isa& before = chosen_isa();
  for (const Isa* isa : available_isas()) {
    SCOPED_TRACE(isa->name);
    force_isa(*isa);
    body();
  }
  force_isa(before);
}

void expect_as_in_float64(const Arrays& arrays) {
  const Results<double> expected = run<double>(arrays);
  on_every_isa([&] {
    const Results<float> got = run<float>(arrays);
    expect_near(got.y, expected.y, "result");
    expect_near(got.values, expected.values, "gradient of values");
    expect_near(got.offsets, expected.offsets, "gradient of offsets");
    expect_near(got.weights, expected.weights, "gradient of weights");
  });
}

TEST(DeformAttnKernels, OddSizes) {
  const std::vector<DeformGrid> one{{3, 5, 0}};
  const std::vector<DeformGrid> three{{5, 7, 0}, {3, 4, 35}, {2, 2, 47}};
  for (const std::int64_t points : {1, 3, 4, 7, 17}) {
    for (const std::int64_t width : {1, 5, 16, 32, 37}) {
      SCOPED_TRACE(testing::Message() << points << " points, width " << width);
      expect_as_in_float64(Arrays({2, 3, points, width, one, three}));
      expect_as_in_float64(Arrays({2, 3, points, width, three, one}));
    }
  }
}

TEST(DeformAttnKernels, FarPlacesAreOutside) {
  Arrays arrays({1, 2, 4, 8, {{4, 4, 0}}, {{4, 4, 0}}});
  const float huge = std::numeric_limits<float>::max();
  const float wrong[] = {1e9F,
                         -1e9F,
                         huge,
                         -huge,
                         std::numeric_limits<float>::infinity(),
                         std::numeric_limits<float>::quiet_NaN()};
  for (std::size_t i = 0; i < arrays.offsets.size(); i += 5) arrays.offsets[i] = wrong[i / 5 % 6];
  expect_as_in_float64(arrays);
}

TEST(DeformAttnKernels, ANanAmongWeightsShows) {
  Arrays arrays({1, 1, 4, 8, {{2, 2, 0}}, {{4, 4, 0}}});
  arrays.weights[1] = std::numeric_limits<float>::quiet_NaN();
  on_every_isa([&] { EXPECT_TRUE(std::isnan(run<float>(arrays).y[0])); });
}

}  // namespace
}  // namespace medurwkv::kernels
