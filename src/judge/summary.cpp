#include "judge/summary.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::judge {

namespace {

/// How values of cases become a statistic.
struct How {
  Groups groups;
  bool over_groups = false;
  std::uint64_t seed = 0;
};

Statistic with_interval(const std::vector<std::optional<double>>& values, const How& how) {
  const Groups& groups = how.over_groups ? Groups{} : how.groups;
  const std::vector<std::optional<double>> counted =
      how.over_groups ? group_means(values, how.groups) : values;
  Statistic out = statistic(counted);
  out.interval = bootstrap_interval(counted, groups, bootstrap_resamples, how.seed);
  return out;
}

std::vector<Statistic> statistics_of_class(std::span<const CaseScores> cases, std::size_t position,
                                           const How& how) {
  std::vector<Statistic> out;
  std::vector<std::optional<double>> values(cases.size());
  for (std::size_t m = 0; m < cases.front().class_mean.size(); ++m) {
    std::transform(cases.begin(), cases.end(), values.begin(),
                   [&](const CaseScores& scores) { return value_of(scores.classes[position], m); });
    out.push_back(with_interval(values, how));
  }
  return out;
}

std::vector<Statistic> statistics_of_means(std::span<const CaseScores> cases, const How& how) {
  std::vector<Statistic> out;
  std::vector<std::optional<double>> values(cases.size());
  for (std::size_t m = 0; m < cases.front().class_mean.size(); ++m) {
    std::transform(cases.begin(), cases.end(), values.begin(),
                   [&](const CaseScores& scores) { return scores.class_mean[m]; });
    out.push_back(with_interval(values, how));
  }
  return out;
}

ClassSummary summarise_class(std::span<const CaseScores> cases, std::size_t position,
                             const How& how) {
  ClassSummary out;
  out.label = cases.front().classes[position].label;
  for (const CaseScores& scores : cases) {
    const ClassScores& own = scores.classes[position];
    out.in_truth += own.in_truth() ? 1 : 0;
    out.missed += own.in_truth() && !own.in_prediction() ? 1 : 0;
    out.hallucinated += !own.in_truth() && own.in_prediction() ? 1 : 0;
    out.both_empty += !own.in_truth() && !own.in_prediction() ? 1 : 0;
  }
  out.metrics = statistics_of_class(cases, position, how);
  return out;
}

}  // namespace

std::string drawn_text(std::int64_t groups) {
  return groups > 0 ? concat(groups, " groups of cases") : "cases";
}

Groups groups_of(std::span<const CaseScores> cases) {
  std::vector<std::string> names;
  for (const CaseScores& one : cases) names.push_back(one.group.empty() ? one.id : one.group);
  return groups_of(names);
}

Summary summarise(std::span<const CaseScores> cases, std::uint64_t seed, bool over_groups) {
  const How how{.groups = groups_of(cases), .over_groups = over_groups, .seed = seed};
  Summary out;
  out.cases = static_cast<std::int64_t>(cases.size());
  out.groups = static_cast<std::int64_t>(group_count(how.groups));
  out.over_groups = over_groups && out.groups > 0;
  out.seed = seed;
  if (cases.empty()) return out;
  const std::size_t class_count = cases.front().classes.size();
  for (const CaseScores& scores : cases) {
    if (scores.classes.size() != class_count) throw_internal("cases with different classes");
  }
  for (std::size_t c = 0; c < class_count; ++c)
    out.classes.push_back(summarise_class(cases, c, how));

  out.class_mean = statistics_of_means(cases, how);
  std::vector<std::optional<double>> values(cases.size());
  std::transform(cases.begin(), cases.end(), values.begin(),
                 [](const CaseScores& scores) { return scores.merged_dice; });
  out.merged_dice = with_interval(values, how);
  return out;
}

std::vector<Statistic> class_mean_statistics(std::span<const CaseScores> cases,
                                             std::uint64_t seed) {
  return statistics_of_means(cases, {.groups = groups_of(cases), .seed = seed});
}

std::vector<Statistic> class_statistics(std::span<const CaseScores> cases, std::size_t position,
                                        std::uint64_t seed) {
  return statistics_of_class(cases, position, {.groups = groups_of(cases), .seed = seed});
}

std::vector<Ranked> telling_cases(std::span<const CaseScores> cases) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (cases[i].dice()) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return *cases[a].dice() > *cases[b].dice();
  });
  std::vector<Ranked> out;
  if (order.empty()) return out;
  out.push_back({"best", order.front()});
  if (order.size() > 2) out.push_back({"median", order[order.size() / 2]});
  if (order.size() > 1) out.push_back({"worst", order.back()});
  return out;
}

}  // namespace medurwkv::judge
