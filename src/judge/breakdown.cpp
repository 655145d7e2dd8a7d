#include "judge/breakdown.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace medurwkv::judge {
namespace {

constexpr std::size_t parts = 3;
constexpr std::size_t fewest = 2 * parts;

void count(ImageLevel& out, bool in_truth, bool in_prediction) {
  if (in_truth) {
    ++(in_prediction ? out.found : out.missed);
  } else {
    ++(in_prediction ? out.hallucinated : out.clean);
  }
}

/// Positions of `values` in rising order, cut into thirds.
template <class Value>
std::vector<std::vector<std::size_t>> thirds(const std::vector<Value>& values) {
  std::vector<std::vector<std::size_t>> out;
  if (values.size() < fewest) return out;
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  for (std::size_t k = 0; k < parts; ++k) {
    const auto begin = order.begin() + static_cast<std::ptrdiff_t>(k * order.size() / parts);
    const auto end = order.begin() + static_cast<std::ptrdiff_t>((k + 1) * order.size() / parts);
    out.emplace_back(begin, end);
  }
  return out;
}

std::vector<CaseScores> chosen(std::span<const CaseScores> cases,
                               const std::vector<std::size_t>& positions) {
  std::vector<CaseScores> out;
  for (const std::size_t i : positions) out.push_back(cases[i]);
  return out;
}

/// The share of the case's judged pixels that are truly of a class.
double true_share(const ClassScores& own) {
  const auto inside = static_cast<double>(own.true_positive + own.false_negative);
  return inside / (inside + static_cast<double>(own.false_positive + own.true_negative));
}

}  // namespace

std::optional<double> ImageLevel::sensitivity() const {
  return ratio(found, with());
}
std::optional<double> ImageLevel::specificity() const {
  return ratio(clean, without());
}

std::vector<ImageLevel> image_levels(std::span<const CaseScores> cases) {
  if (cases.empty()) return {};
  const std::size_t class_count = cases.front().classes.size();
  ImageLevel any;
  std::vector<ImageLevel> out(class_count);
  for (std::size_t c = 0; c < class_count; ++c) out[c].label = static_cast<std::uint8_t>(c + 1);
  for (const CaseScores& scores : cases) {
    bool in_truth = false;
    bool in_prediction = false;
    for (std::size_t c = 0; c < class_count; ++c) {
      const ClassScores& own = scores.classes[c];
      count(out[c], own.in_truth(), own.in_prediction());
      in_truth = in_truth || own.in_truth();
      in_prediction = in_prediction || own.in_prediction();
    }
    count(any, in_truth, in_prediction);
  }
  if (class_count > 1) out.insert(out.begin(), any);
  return out;
}

std::vector<Stratum> strata_of(std::span<const CaseScores> cases,
                               const std::vector<std::string>& by, std::uint64_t seed) {
  std::vector<Stratum> out;
  for (std::size_t s = 0; s < by.size(); ++s) {
    std::map<std::string, std::vector<std::size_t>> kinds;
    for (std::size_t i = 0; i < cases.size(); ++i) kinds[cases[i].strata.at(s)].push_back(i);
    if (kinds.size() < 2) continue;
    for (const auto& [name, positions] : kinds) {
      const std::vector<CaseScores> own = chosen(cases, positions);
      out.push_back(
          {by[s], name, static_cast<std::int64_t>(own.size()), class_mean_statistics(own, seed)});
    }
  }
  return out;
}

std::vector<SizeGroup> size_groups(std::span<const CaseScores> cases, std::uint64_t seed) {
  std::vector<SizeGroup> out;
  const std::size_t class_count = cases.empty() ? 0 : cases.front().classes.size();
  for (std::size_t c = 0; c < class_count; ++c) {
    std::vector<CaseScores> having;
    std::vector<double> shares;
    for (const CaseScores& scores : cases) {
      if (!scores.classes[c].in_truth()) continue;
      having.push_back(scores);
      shares.push_back(true_share(scores.classes[c]));
    }
    for (const std::vector<std::size_t>& positions : thirds(shares)) {
      const std::vector<CaseScores> own = chosen(having, positions);
      out.push_back({.label = static_cast<std::uint8_t>(c + 1),
                     .least = shares[positions.front()],
                     .most = shares[positions.back()],
                     .cases = static_cast<std::int64_t>(own.size()),
                     .metrics = class_statistics(own, c, seed)});
    }
  }
  return out;
}

std::vector<ObjectSizeGroup> object_size_groups(const ObjectCounts& counts) {
  std::vector<std::int64_t> sizes;
  for (const TrueObject& one : counts.objects) sizes.push_back(one.pixels);
  std::vector<ObjectSizeGroup> out;
  for (const std::vector<std::size_t>& positions : thirds(sizes)) {
    ObjectSizeGroup own{.least = sizes[positions.front()],
                        .most = sizes[positions.back()],
                        .objects = static_cast<std::int64_t>(positions.size())};
    for (const std::size_t i : positions) {
      own.found += counts.objects[i].found ? 1 : 0;
      own.touched += counts.objects[i].touched ? 1 : 0;
    }
    out.push_back(own);
  }
  return out;
}

void add_confusion(const data::LabelMap& truth, const data::LabelMap& prediction,
                   std::size_t class_count, Confusion& out) {
  out.resize(class_count, std::vector<std::int64_t>(class_count));
  for (std::size_t i = 0; i < truth.labels.size(); ++i) {
    const std::uint8_t t = truth.labels[i];
    const std::uint8_t p = prediction.labels[i];
    if (t < class_count && p < class_count) ++out[t][p];
  }
}

}  // namespace medurwkv::judge
