// Dealing cases to parts by shares: bundles stay whole, strata are spread evenly. Relies on
// core/error.h and core/random.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace medurwkv::data {

/// Positions that stay together.
using Bundle = std::vector<std::size_t>;

/// Joins the positions that `pairs` connect, directly or through others. Every position below
/// `count` is in one bundle. Bundles are ordered by their first member.
std::vector<Bundle> bundles_of(std::size_t count,
                               const std::vector<std::pair<std::size_t, std::size_t>>& pairs);

/// Throws a usage Error for shares that are negative, not finite or all 0.
void check_shares(const std::vector<double>& shares);

/// The part (position in `shares`) of every position that a bundle holds. Larger bundles are dealt
/// first, then those of rarer strata, equal ones in an order drawn by `seed`. Each goes to a part
/// that lacks members; of these to the one that lacks most of the bundle's strata (after Sechidis,
/// Tsoumakas and Vlahavas 2011, here with bundles). So no part passes its share by a whole bundle,
/// and every part with a share gets a bundle where there are enough.
/// `strata`: names per position, any number each. Throws as check_shares does.
std::vector<std::size_t> deal(const std::vector<Bundle>& bundles,
                              const std::vector<std::vector<std::string>>& strata,
                              const std::vector<double>& shares, std::uint64_t seed);

}  // namespace medurwkv::data
