// Dealing by shares: laws that hold for any bundles, and strata that come out even.
#include "data/split/deal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "core/random.h"

namespace medurwkv::data {
namespace {

std::vector<Bundle> singles(std::size_t count) {
  return bundles_of(count, {});
}

/// How many of a stratum each part holds.
std::vector<int> held(const std::vector<std::size_t>& parts,
                      const std::vector<std::vector<std::string>>& strata, const std::string& name,
                      std::size_t part_count) {
  std::vector<int> out(part_count);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    out[parts[i]] += static_cast<int>(std::count(strata[i].begin(), strata[i].end(), name));
  }
  return out;
}

TEST(Bundles, JoinThroughOthers) {
  EXPECT_EQ(bundles_of(6, {{4, 1}, {2, 4}, {3, 3}}),
            (std::vector<Bundle>{{0}, {1, 2, 4}, {3}, {5}}));
  EXPECT_TRUE(bundles_of(0, {}).empty());
}

// Every stratum whose shares are whole numbers is met exactly, each by itself and crossed.
TEST(Deal, SpreadsStrataEvenly) {
  std::vector<std::vector<std::string>> strata(100);
  for (std::size_t i = 0; i < 100; ++i) {
    strata[i].push_back(i % 10 == 0 ? "rare" : "common");
    strata[i].push_back(i < 50 ? "left" : "right");
  }
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto parts = deal(singles(100), strata, {0.7, 0.1, 0.2}, seed);
    EXPECT_EQ(held(parts, strata, "rare", 3), (std::vector<int>{7, 1, 2})) << seed;
    EXPECT_EQ(held(parts, strata, "common", 3), (std::vector<int>{63, 9, 18})) << seed;
    EXPECT_EQ(held(parts, strata, "left", 3), (std::vector<int>{35, 5, 10})) << seed;
    const auto folds = deal(singles(100), strata, {1, 1, 1, 1, 1}, seed);
    EXPECT_EQ(held(folds, strata, "rare", 5), (std::vector<int>(5, 2))) << seed;
    EXPECT_EQ(held(folds, strata, "right", 5), (std::vector<int>(5, 10))) << seed;
  }
}

// Patients of different sizes with a disease that some have: whole, and no part passes its share by
// a whole patient.
TEST(Deal, KeepsBundlesWholeWithinTheShares) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Random random(seed, "patients");
    std::vector<Bundle> bundles;
    std::vector<std::vector<std::string>> strata;
    std::size_t largest = 0;
    for (std::uint64_t b = 0; b < 40; ++b) {
      Bundle bundle(1 + random.below(2 * b, 8));
      std::iota(bundle.begin(), bundle.end(), strata.size());
      largest = std::max(largest, bundle.size());
      strata.resize(strata.size() + bundle.size(),
                    {random.below(2 * b + 1, 3) == 0 ? "ill" : "well"});
      bundles.push_back(bundle);
    }
    const std::vector<double> shares{0.6, 0.15, 0.25};
    const auto parts = deal(bundles, strata, shares, seed);
    std::vector<double> sizes(3);
    for (const Bundle& bundle : bundles) {
      for (const std::size_t member : bundle) EXPECT_EQ(parts[member], parts[bundle.front()]);
      sizes[parts[bundle.front()]] += static_cast<double>(bundle.size());
    }
    const auto ill = held(parts, strata, "ill", 3);
    const double all_ill = ill[0] + ill[1] + ill[2];
    for (std::size_t p = 0; p < 3; ++p) {
      EXPECT_LT(sizes[p],
                shares[p] * static_cast<double>(strata.size()) + static_cast<double>(largest));
      EXPECT_NEAR(ill[p], shares[p] * all_ill, static_cast<double>(largest));
    }
  }
}

TEST(Deal, GivesEveryPartABundleWhereThereAreEnough) {
  const std::vector<std::vector<std::string>> none(3);
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    auto parts = deal(singles(3), none, {0.98, 0.01, 0.01}, seed);
    std::sort(parts.begin(), parts.end());
    EXPECT_EQ(parts, (std::vector<std::size_t>{0, 1, 2}));
  }
}

TEST(Deal, IsDrawnByTheSeed) {
  const std::vector<std::vector<std::string>> none(50);
  const std::vector<double> shares{0.5, 0.5};
  EXPECT_EQ(deal(singles(50), none, shares, 3), deal(singles(50), none, shares, 3));
  EXPECT_NE(deal(singles(50), none, shares, 3), deal(singles(50), none, shares, 4));
}

}  // namespace
}  // namespace medurwkv::data
