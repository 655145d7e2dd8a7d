#include "data/split/deal.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "core/error.h"
#include "core/random.h"

namespace medurwkv::data {
namespace {

/// How many of a stratum a bundle holds.
using Counts = std::map<std::size_t, double>;

/// What every part has and should have; stratum 0 is everything.
class Table {
 public:
  Table(const std::vector<Counts>& bundles, std::vector<double> shares)
      : shares_(std::move(shares)), have_(shares_.size()), bundles_in_(shares_.size()) {
    const double sum = std::accumulate(shares_.begin(), shares_.end(), 0.0);
    for (double& share : shares_) share /= sum;
    for (const Counts& bundle : bundles) {
      for (const auto& [stratum, count] : bundle) totals_[stratum] += count;
    }
  }

  [[nodiscard]] double total(std::size_t stratum) const { return totals_.at(stratum); }

  /// The part for a bundle when `left` bundles (this one included) are to be dealt.
  std::size_t best_part(const Counts& bundle, std::size_t left) const {
    std::size_t waiting = 0;
    for (std::size_t p = 0; p < shares_.size(); ++p) {
      waiting += shares_[p] > 0 && bundles_in_[p] == 0 ? 1 : 0;
    }
    std::size_t best = shares_.size();
    double best_score = 0;
    for (std::size_t p = 0; p < shares_.size(); ++p) {
      const bool may_take =
          left <= waiting ? shares_[p] > 0 && bundles_in_[p] == 0 : lack(p, 0) > 0;
      if (!may_take) continue;
      const double score = score_of(p, bundle);
      if (best == shares_.size() || score > best_score) {
        best = p;
        best_score = score;
      }
    }
    return best < shares_.size() ? best : largest_share();
  }

  void give(std::size_t part, const Counts& bundle) {
    for (const auto& [stratum, count] : bundle) have_[part][stratum] += count;
    ++bundles_in_[part];
  }

 private:
  [[nodiscard]] double lack(std::size_t part, std::size_t stratum) const {
    const auto found = have_[part].find(stratum);
    const double have = found == have_[part].end() ? 0 : found->second;
    return shares_[part] * totals_.at(stratum) - have;
  }

  /// By how much of each stratum's target the part is short, rarer strata counting more.
  [[nodiscard]] double score_of(std::size_t part, const Counts& bundle) const {
    double score = 0;
    for (const auto& [stratum, count] : bundle) {
      score +=
          count * lack(part, stratum) / (shares_[part] * totals_.at(stratum)) / totals_.at(stratum);
    }
    return score;
  }

  /// For the rare case that rounding leaves no part that lacks members.
  [[nodiscard]] std::size_t largest_share() const {
    return static_cast<std::size_t>(std::max_element(shares_.begin(), shares_.end()) -
                                    shares_.begin());
  }

  std::vector<double> shares_;
  std::map<std::size_t, double> totals_;
  std::vector<Counts> have_;
  std::vector<std::size_t> bundles_in_;
};

std::vector<Counts> count_strata(const std::vector<Bundle>& bundles,
                                 const std::vector<std::vector<std::string>>& strata) {
  std::map<std::string, std::size_t> numbers;
  std::vector<Counts> out(bundles.size());
  for (std::size_t b = 0; b < bundles.size(); ++b) {
    for (const std::size_t member : bundles[b]) {
      ++out[b][0];
      for (const std::string& name : strata[member]) {
        ++out[b][numbers.emplace(name, numbers.size() + 1).first->second];
      }
    }
  }
  return out;
}

}  // namespace

std::vector<Bundle> bundles_of(std::size_t count,
                               const std::vector<std::pair<std::size_t, std::size_t>>& pairs) {
  std::vector<std::size_t> leader(count);
  std::iota(leader.begin(), leader.end(), std::size_t{0});
  const auto root = [&](std::size_t i) {
    while (leader[i] != i) i = leader[i] = leader[leader[i]];
    return i;
  };
  for (const auto& [a, b] : pairs) {
    const auto [low, high] = std::minmax({root(a), root(b)});
    leader[high] = low;
  }
  std::map<std::size_t, Bundle> by_root;
  for (std::size_t i = 0; i < count; ++i) by_root[root(i)].push_back(i);
  std::vector<Bundle> out;
  out.reserve(by_root.size());
  for (auto& [unused, members] : by_root) out.push_back(std::move(members));
  return out;
}

void check_shares(const std::vector<double>& shares) {
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  const bool sound = std::all_of(shares.begin(), shares.end(), [](double s) { return s >= 0; });
  if (!sound || !(sum > 0) || !std::isfinite(sum)) {
    throw_usage("the shares of a split are finite, at least 0 and not all 0");
  }
}

std::vector<std::size_t> deal(const std::vector<Bundle>& bundles,
                              const std::vector<std::vector<std::string>>& strata,
                              const std::vector<double>& shares, std::uint64_t seed) {
  check_shares(shares);
  const std::vector<Counts> counts = count_strata(bundles, strata);
  Table table(counts, shares);
  const auto rarest = [&](std::size_t b) {
    double least = table.total(0);
    for (const auto& [stratum, unused] : counts[b]) least = std::min(least, table.total(stratum));
    return least;
  };
  std::vector<std::size_t> order;
  for (const std::int64_t b :
       Random(seed, "split").permutation(static_cast<std::int64_t>(bundles.size()))) {
    order.push_back(static_cast<std::size_t>(b));
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (bundles[a].size() != bundles[b].size()) return bundles[a].size() > bundles[b].size();
    return rarest(a) < rarest(b);
  });
  std::vector<std::size_t> part_of(strata.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::size_t part = table.best_part(counts[order[i]], order.size() - i);
    table.give(part, counts[order[i]]);
    for (const std::size_t member : bundles[order[i]]) part_of[member] = part;
  }
  return part_of;
}

}  // namespace medurwkv::data
