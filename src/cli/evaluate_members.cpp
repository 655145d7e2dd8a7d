#include "cli/evaluate_members.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "core/text.h"
#include "core/version.h"
#include "judge/text_table.h"

namespace medurwkv::cli {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// The number of a folder named `kind` and a number.
std::optional<int> numbered(const fs::path& folder, const std::string& kind) {
  const std::string name = folder.filename().string();
  constexpr std::size_t most_digits = 9;
  const std::size_t digits = name.size() - std::min(name.size(), kind.size());
  if (!name.starts_with(kind) || digits == 0 || digits > most_digits ||
      name.find_first_not_of("0123456789", kind.size()) != std::string::npos) {
    return std::nullopt;
  }
  return std::stoi(name.substr(kind.size()));
}

std::vector<std::pair<int, fs::path>> numbered_folders(const fs::path& folder,
                                                       const std::string& kind) {
  std::vector<std::pair<int, fs::path>> out;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto number = numbered(entry.path(), kind);
    if (number && entry.is_directory()) out.emplace_back(*number, entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

Member member_in(const fs::path& series, const fs::path& run, int fold) {
  Member out{run.lexically_relative(series).generic_string(), run / "best.model", fold};
  if (!fs::is_regular_file(out.model)) {
    throw_failure(concat(run.string(),
                         ": this run of the series has no best.model yet; train on "
                         "with `medurwkv train --resume`"));
  }
  return out;
}

void add_seeds(const fs::path& series, const fs::path& folder, int fold,
               std::vector<Member>& members) {
  for (const auto& [number, run] : numbered_folders(folder, "seed")) {
    members.push_back(member_in(series, run, fold));
  }
}

// Over models, of the mean of each.
judge::Statistic spread(const std::vector<MemberResult>& trained, std::size_t metric) {
  std::vector<std::optional<double>> means;
  for (const MemberResult& one : trained) means.push_back(one.summary.class_mean.at(metric).mean);
  return judge::statistic(means);
}

int digits_of(std::size_t metric) {
  return judge::metrics.at(metric).kind == judge::MetricKind::length ? 2 : 4;
}

Json members_json(const std::vector<MemberResult>& members) {
  Json out = Json::array();
  for (const MemberResult& one : members) {
    Json means;
    for (std::size_t m = 0; m < judge::metric_count; ++m) {
      means[judge::metrics.at(m).key] = judge::to_json(one.summary.class_mean.at(m));
    }
    out.push_back({{"name", one.name}, {"cases", one.summary.cases}, {"class_mean", means}});
  }
  return out;
}

}  // namespace

std::vector<Member> members_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return {{"", path, 0}};
  if (fs::is_regular_file(path / "best.model", error)) return {{"", path / "best.model", 0}};
  std::vector<Member> out;
  for (const auto& [fold, folder] : numbered_folders(path, "fold")) {
    const std::size_t before = out.size();
    add_seeds(path, folder, fold, out);
    if (out.size() == before) out.push_back(member_in(path, folder, fold));
  }
  add_seeds(path, path, 0, out);
  if (out.empty()) {
    throw_failure(
        concat(path.string(),
               ": holds no best.model and no runs foldK or seedS; name a model file or the "
               "folder that `medurwkv train --out` wrote"));
  }
  return out;
}

std::string series_text(const std::vector<MemberResult>& trained,
                        const std::vector<MemberResult>& together) {
  std::string out = concat("means over classes and cases, profile default\n  ",
                           judge::padded("", 22, false), judge::padded("cases", 7, true));
  for (const judge::MetricInfo& metric : judge::metrics) {
    out += judge::padded(
        metric.key == std::string("volume_difference") ? "Vol. diff." : metric.name, 14, true);
  }
  out += "\n";
  const auto row = [&](const std::string& name, const std::string& cases, auto value) {
    out += concat("  ", judge::padded(name, 22, false), judge::padded(cases, 7, true));
    for (std::size_t m = 0; m < judge::metric_count; ++m) {
      out += judge::padded(judge::number_or_dash(value(m), digits_of(m)), 14, true);
    }
    out += "\n";
  };
  const auto rows = [&](const std::vector<MemberResult>& members) {
    for (const MemberResult& one : members) {
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

Json series_json(const std::vector<MemberResult>& trained,
                 const std::vector<MemberResult>& together, const std::string& command) {
  Json over;
  for (std::size_t m = 0; m < judge::metric_count; ++m) {
    over[judge::metrics.at(m).key] = judge::to_json(spread(trained, m));
  }
  return {{"format", 1},
          {"program", "medurwkv"},
          {"version", version},
          {"command", command},
          {"models", members_json(trained)},
          {"over_models", over},
          {"together", members_json(together)}};
}

}  // namespace medurwkv::cli
