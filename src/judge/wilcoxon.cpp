#include "judge/wilcoxon.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace medurwkv::judge {

namespace {

// Magnitudes in order: twice the rank of each (whole even where ties share a rank), and what ties
// take from the variance.
struct Ranks {
  std::vector<std::int64_t> doubled;  // by difference
  double tie_correction = 0;          // sum of t^3 - t over groups of t equal ones that are not 0
  bool has_ties = false;
};

Ranks ranks_of(const std::vector<double>& differences) {
  std::vector<std::size_t> order(differences.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto magnitude = [&](std::size_t i) { return std::abs(differences[i]); };
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return magnitude(a) < magnitude(b); });
  Ranks out;
  out.doubled.resize(order.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t end = first + 1;
    while (end < order.size() && magnitude(order[end]) == magnitude(order[first])) ++end;
    for (std::size_t i = first; i < end; ++i) {
      out.doubled[order[i]] = static_cast<std::int64_t>(first + 1 + end);
    }
    const auto count = static_cast<double>(end - first);
    out.has_ties = out.has_ties || count > 1;
    if (magnitude(order[first]) > 0) out.tie_correction += count * count * count - count;
    first = end;
  }
  return out;
}

// Twice the smaller tail, over all signs of the ranks: how many give each rank sum.
double exact_p(const std::vector<std::int64_t>& ranks, std::int64_t positive) {
  const std::int64_t total = std::accumulate(ranks.begin(), ranks.end(), std::int64_t{0});
  std::vector<double> ways(static_cast<std::size_t>(total + 1), 0);
  ways[0] = 1;
  for (const std::int64_t rank : ranks) {
    for (std::int64_t sum = total; sum >= rank; --sum) {
      ways[static_cast<std::size_t>(sum)] += ways[static_cast<std::size_t>(sum - rank)];
    }
  }
  const auto at = ways.begin() + static_cast<std::ptrdiff_t>(positive);
  const double all = std::ldexp(1.0, static_cast<int>(ranks.size()));
  const double below = std::accumulate(ways.begin(), at + 1, 0.0) / all;
  const double above = std::accumulate(at, ways.end(), 0.0) / all;
  return std::min(1.0, 2 * std::min(below, above));
}

}  // namespace

std::optional<WilcoxonTest> wilcoxon(std::span<const double> differences, Zeros zeros) {
  if (differences.empty()) return std::nullopt;
  std::vector<double> kept(differences.begin(), differences.end());
  const auto zero_count = std::count(kept.begin(), kept.end(), 0.0);
  if (zeros == Zeros::wilcox) std::erase(kept, 0.0);
  WilcoxonTest out;
  out.used = static_cast<std::int64_t>(differences.size()) - zero_count;
  if (out.used == 0) return out;
  const Ranks ranks = ranks_of(kept);
  std::int64_t positive = 0;
  std::int64_t negative = 0;
  std::vector<std::int64_t> signed_ranks;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (kept[i] == 0) continue;
    (kept[i] > 0 ? positive : negative) += ranks.doubled[i];
    signed_ranks.push_back(ranks.doubled[i]);
  }
  out.statistic = static_cast<double>(std::min(positive, negative)) / 2;
  out.rank_biserial =
      static_cast<double>(positive - negative) / static_cast<double>(positive + negative);
  constexpr std::size_t most_exact = 50;
  constexpr std::size_t most_exact_with_ties = 13;
  const bool plain = !ranks.has_ties && zero_count == 0;
  out.exact = differences.size() <= (plain ? most_exact : most_exact_with_ties);
  if (out.exact) {
    out.p_value = exact_p(signed_ranks, positive);
    return out;
  }
  const auto sizes = [](double n) { return std::pair{n * (n + 1) / 4, n * (n + 1) * (2 * n + 1)}; };
  auto [mean, variance] = sizes(static_cast<double>(kept.size()));
  if (zeros == Zeros::pratt) {
    // Cureton 1967.
    const auto [zero_mean, zero_variance] = sizes(static_cast<double>(zero_count));
    mean -= zero_mean;
    variance -= zero_variance;
  }
  const double deviation = std::sqrt((variance - ranks.tie_correction / 2) / 24);
  const double z = (static_cast<double>(positive) / 2 - mean) / deviation;
  out.p_value = std::erfc(std::abs(z) / std::sqrt(2.0));
  return out;
}

std::vector<double> holm(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> out(p_values.size());
  double largest = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const auto left = static_cast<double>(order.size() - k);
    largest = std::max(largest, std::min(1.0, left * p_values[order[k]]));
    out[order[k]] = largest;
  }
  return out;
}

}  // namespace medurwkv::judge
