#include "train/series.h"

#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/split.h"
#include "train/config.h"

namespace medurwkv::train {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// One run of a series.
struct Member {
  std::string folder;                 ///< below the series'
  std::vector<std::string> settings;  ///< beside those of all
};

std::vector<int> folds_of(const TrainRequest& request) {
  if (request.folds.empty()) return {0};
  const auto count = static_cast<int>(data::read_plan(request.split).folds.size());
  if (request.folds != "all") {
    int fold = 0;
    for (int k = 1; k <= count; ++k) {
      if (request.folds == std::to_string(k)) fold = k;
    }
    if (fold == 0) {
      throw_usage(concat("--fold ", request.folds, ": ", request.split.string(),
                         count > 0
                             ? concat(" has the folds 1 to ", count, ", or all")
                             : std::string(" has no folds; make it with data split --folds")));
    }
    return {fold};
  }
  if (count == 0) {
    throw_usage(concat("--fold all: ", request.split.string(),
                       " has no folds; make it with data split --folds"));
  }
  std::vector<int> out;
  for (int k = 1; k <= count; ++k) out.push_back(k);
  return out;
}

std::vector<Member> members_of(const TrainRequest& request) {
  const std::vector<int> folds = folds_of(request);
  const std::uint64_t first_seed = load_config(request.config, request.settings).run.seed;
  std::vector<Member> out;
  for (const int fold : folds) {
    for (int i = 0; i < request.seeds; ++i) {
      const std::uint64_t seed = first_seed + static_cast<std::uint64_t>(i);
      std::vector<std::string> folders;
      Member member;
      if (fold > 0) member.settings.push_back(concat("run.fold=", fold));
      if (folds.size() > 1) folders.push_back(concat("fold", fold));
      if (request.seeds > 1) {
        member.settings.push_back(concat("run.seed=", seed));
        folders.push_back(concat("seed", seed));
      }
      member.folder = join(folders, "/");
      out.push_back(std::move(member));
    }
  }
  return out;
}

TrainRequest request_of(const TrainRequest& request, const Member& member) {
  TrainRequest out = request;
  out.settings.insert(out.settings.end(), member.settings.begin(), member.settings.end());
  if (member.folder.empty()) return out;
  out.out = request.out / member.folder;
  out.resume = request.resume && fs::exists(out.out / "config.toml");
  return out;
}

/// The file that the weights start from; an empty object without one.
json initial_of(const TrainRequest& request) {
  const bool pretrained = !request.pretrained.empty();
  const fs::path& file = pretrained ? request.pretrained : request.init;
  if (file.empty()) return json::object();
  return {{"option", pretrained ? "--pretrained" : "--init"}, {"sha256", sha256_file(file)}};
}

fs::path record_of(const TrainRequest& request) {
  return request.out / "series.json";
}

/// A new series: what --resume needs, beside a copy of the configuration file and the split.
json begin_series(const TrainRequest& request) {
  if (fs::exists(request.out / "config.toml")) {
    throw_usage(concat(request.out.string(),
                       ": holds a training run already; go on with --resume or choose another "
                       "--out"));
  }
  make_folder(request.out);
  json record{{"folds", request.folds},
              {"seeds", request.seeds},
              {"settings", request.settings},
              {"initial_weights", initial_of(request)},
              {"ended", json::object()}};
  write_file(record_of(request), record.dump(2) + "\n");
  write_file(request.out / "split.json", read_file(request.split));
  write_file(request.out / "config.toml",
             request.config.empty() ? std::string() : read_file(request.config, 1 << 20));
  return record;
}

/// The request as it was when the series began; what is said anew comes on top.
TrainRequest resumed_request(const TrainRequest& request, const json& record) {
  TrainRequest out = request;
  record.at("folds").get_to(out.folds);
  record.at("seeds").get_to(out.seeds);
  if ((!request.folds.empty() && request.folds != out.folds) ||
      (request.seeds > 1 && request.seeds != out.seeds)) {
    throw_usage(concat(request.out.string(), ": the series was started with other folds or seeds"));
  }
  record.at("settings").get_to(out.settings);
  out.settings.insert(out.settings.end(), request.settings.begin(), request.settings.end());
  const json& initial = record.at("initial_weights");
  if (initial != initial_of(request)) {
    throw_usage(
        concat(request.out.string(), ": the series was started ",
               initial.empty()
                   ? std::string("without --pretrained and --init; leave them out")
                   : concat("with ", initial.at("option").get<std::string>(), " FILE (SHA-256 ",
                            initial.at("sha256").get<std::string>(), "); name it again")));
  }
  return out;
}

json dice_over(const std::vector<json>& runs) {
  std::vector<double> values;
  for (const json& run : runs) {
    const json& dice = run.at("best_validation_dice");
    if (!dice.is_null()) values.push_back(dice.get<double>());
  }
  if (values.empty()) return {{"mean", nullptr}, {"deviation", nullptr}, {"runs", 0}};
  const auto count = static_cast<double>(values.size());
  double mean = 0;
  for (const double value : values) mean += value / count;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const bool several = values.size() > 1;
  return {{"mean", mean},
          {"deviation", several ? json(std::sqrt(squares / (count - 1))) : json()},
          {"runs", values.size()}};
}

}  // namespace

json train_series(const TrainRequest& given, const TrainListener& listener) {
  const bool begun = given.resume && fs::exists(record_of(given));
  json record = begun ? json::parse(read_file(record_of(given))) : json::object();
  const TrainRequest request = begun ? resumed_request(given, record) : given;
  const std::vector<Member> members = members_of(request);
  if (members.size() == 1) return train(request_of(request, members.front()), listener);
  if (!begun) record = begin_series(request);
  json& ended = record.at("ended");
  std::vector<json> runs;
  double seconds = 0;
  for (const Member& member : members) {
    if (ended.contains(member.folder)) {
      listener.line(concat(member.folder, ": has ended before"));
    } else {
      TrainRequest one = request_of(request, member);
      if (request.max_minutes > 0) {
        one.max_minutes = request.max_minutes - seconds / 60;
        if (one.max_minutes <= 0) break;
      }
      listener.line(
          concat("--- ", member.folder, " (", runs.size() + 1, " of ", members.size(), ")"));
      json summary = train(one, listener);
      if (!summary.at("ended").get<bool>()) break;  // --max-minutes
      summary["folder"] = member.folder;
      ended[member.folder] = std::move(summary);
      write_file(record_of(request), record.dump(2) + "\n");
    }
    runs.push_back(ended.at(member.folder));
    seconds += runs.back().at("seconds").get<double>();
  }
  return {{"run", request.out.string()}, {"runs", runs}, {"validation_dice", dice_over(runs)}};
}

}  // namespace medurwkv::train
