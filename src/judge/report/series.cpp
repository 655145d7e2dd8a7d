#include "judge/report/series.h"

#include <optional>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "core/version.h"
#include "judge/report/text_table.h"
#include "judge/statistics.h"

namespace medurwkv::judge {
namespace {

using Json = nlohmann::json;

// Over models, of the mean of each.
Statistic spread(const std::vector<SeriesRow>& trained, std::size_t metric) {
  std::vector<std::optional<double>> means;
  for (const SeriesRow& one : trained) means.push_back(one.summary.class_mean.at(metric).mean);
  return statistic(means);
}

int digits_of(std::size_t metric) {
  return metrics.at(metric).kind == MetricKind::length ? 2 : 4;
}

Json members_json(const std::vector<SeriesRow>& members) {
  Json out = Json::array();
  for (const SeriesRow& one : members) {
    Json means;
    for (std::size_t m = 0; m < one.metrics.size(); ++m) {
      means[one.metrics[m].key] = to_json(one.summary.class_mean.at(m));
    }
    out.push_back({{"name", one.name}, {"cases", one.summary.cases}, {"class_mean", means}});
  }
  return out;
}

}  // namespace

std::string series_text(const std::vector<SeriesRow>& trained,
                        const std::vector<SeriesRow>& together) {
  std::string out = concat("means over classes and cases, profile default\n  ",
                           padded("", 22, false), padded("cases", 7, true));
  for (const MetricInfo& metric : metrics) {
    out += padded(metric.key == std::string("volume_difference") ? "Vol. diff." : metric.name, 14,
                  true);
  }
  out += "\n";
  const auto row = [&](const std::string& name, const std::string& cases, auto value) {
    out += concat("  ", padded(name, 22, false), padded(cases, 7, true));
    for (std::size_t m = 0; m < metric_count; ++m) {
      out += padded(number_or_dash(value(m), digits_of(m)), 14, true);
    }
    out += "\n";
  };
  const auto rows = [&](const std::vector<SeriesRow>& members) {
    for (const SeriesRow& one : members) {
      row(one.name, std::to_string(one.summary.cases),
          [&](std::size_t m) { return one.summary.class_mean.at(m).mean; });
    }
  };
  rows(trained);
  row("mean", "", [&](std::size_t m) { return spread(trained, m).mean; });
  row("standard deviation", "", [&](std::size_t m) { return spread(trained, m).deviation; });
  rows(together);
  return out;
}

Json series_json(const std::vector<SeriesRow>& trained, const std::vector<SeriesRow>& together,
                 const std::string& command) {
  Json over;
  for (std::size_t m = 0; m < trained.front().metrics.size(); ++m) {
    over[trained.front().metrics[m].key] = to_json(spread(trained, m));
  }
  return {{"format", 1},
          {"program", "medurwkv"},
          {"version", version},
          {"command", command},
          {"models", members_json(trained)},
          {"over_models", over},
          {"together", members_json(together)}};
}

}  // namespace medurwkv::judge
