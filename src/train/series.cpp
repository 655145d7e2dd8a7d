#include "train/series.h"

#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/folder_lock.h"
#include "core/text.h"
#include "data/split/split.h"
#include "library/json.h"
#include "train/checkpoint.h"
#include "train/run/config.h"
#include "train/run/folder.h"
#include "train/run_setup.h"

namespace medurwkv::train {
namespace {

using library::RunResult;
using library::TrainResult;
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
  const fs::path folder = out.out.path();
  out.resume =
      request.resume && (is_there(folder / "config.toml") || is_there(folder / "last.ckpt"));
  return out;
}

/// The file that the weights start from; an empty object without one.
json initial_of(const TrainRequest& request) {
  const auto initial = initial_weights_of(request);
  if (!initial) return json::object();
  return {{"option", initial->option()}, {"content_sha256", initial->content()}};
}

bool starts_as_recorded(const TrainRequest& request, const json& recorded) {
  const auto initial = initial_weights_of(request);
  return initial ? initial->is_origin(recorded, initial->content()) : recorded.empty();
}

OutputPath record_of(const TrainRequest& request) {
  return request.out / "series.json";
}

/// A folder for a new series.
void prepare(const TrainRequest& request) {
  const OutputPath& out = request.out;
  if (!request.resume && is_there((out / "config.toml").path())) {
    throw_usage(concat(out.path().string(),
                       ": holds a training run already; go on with --resume or choose another "
                       "--out"));
  }
  make_folder(out);
}

/// A new series: what --resume needs, beside a copy of the configuration file and the split.
json begin_series(const TrainRequest& request) {
  const std::string config =
      request.config.empty() ? std::string() : read_file(request.config, 1 << 20);
  json record{{"folds", request.folds},          {"seeds", request.seeds},
              {"settings", request.settings},    {"initial_weights", initial_of(request)},
              {"config_sha256", sha256(config)}, {"ended", json::object()}};
  write_file(request.out / "split.json", read_file(request.split));
  write_file(request.out / "config.toml", config);
  write_file(record_of(request), record.dump(2) + "\n");
  return record;
}

/// A run on record. One of version 0.1 says "best_validation_dice".
RunResult ended_run(const json& record) {
  if (record.contains("temperature")) return library::from_value<RunResult>(record);
  if (record.contains("best")) {  // before there were temperatures
    json now = record;
    now["temperature"] = json();
    return library::from_value<RunResult>(now);
  }
  RunResult out{.folder = record.value("folder", ""),
                .run = record.value("run", ""),
                .model = record.value("model", ""),
                .model_checksum = record.value("model_checksum", ""),
                .temperature = {},
                .curves = record.value("curves", ""),
                .epochs = record.value("epochs", std::int64_t{0}),
                .best_epoch = record.value("best_epoch", std::int64_t{0}),
                .figure = "validation Dice",
                .best = {},
                .ended = true,
                .seconds = record.at("seconds").get<double>()};
  library::take(record.at("best_validation_dice"), out.best);
  return out;
}

constexpr std::int64_t most_seeds = 1000;  // as --seeds takes

[[noreturn]] void throw_damaged(const TrainRequest& request, const std::string& what) {
  throw_failure(concat(record_of(request).path().string(), ": is damaged (", shown(what),
                       "); delete it and resume again with the options that the series was "
                       "started with"));
}

/// The record of a series that has begun. Throws Error with the remedy where it is damaged.
json read_record(const TrainRequest& request) {
  try {
    json out = json::parse(read_file(record_of(request).path()));
    static_cast<void>(out.at("folds").get<std::string>());
    if (const auto seeds = out.at("seeds").get<std::int64_t>(); seeds < 1 || seeds > most_seeds) {
      throw_damaged(request, concat("seeds = ", seeds));
    }
    static_cast<void>(out.at("settings").get<std::vector<std::string>>());
    if (const json& initial = out.at("initial_weights"); !initial.empty()) {
      static_cast<void>(initial.at("option").get<std::string>());
      static_cast<void>(recorded_hash(initial));
    }
    static_cast<void>(out.value("config_sha256", ""));
    for (const auto& [folder, summary] : out.at("ended").items()) {
      static_cast<void>(ended_run(summary));
    }
    return out;
  } catch (const json::exception& error) {
    throw_damaged(request, error.what());
  }
}

/// The configuration that the series was started with.
void refuse_another_configuration(const TrainRequest& request, const json& record) {
  if (!record.contains("config_sha256")) return;  // of an earlier version
  const bool there = fs::exists(request.config);
  if (there && sha256_file(request.config) == record.at("config_sha256").get<std::string>()) return;
  throw_failure(concat(request.config.string(), there ? ": is not" : ": is gone, it was",
                       " the configuration that the series was started with; name that: --config "
                       "FILE"));
}

/// Whether the series began without a configuration and its own empty one is damaged or gone.
bool has_lost_empty_configuration(const TrainRequest& request, const json& record) {
  const fs::path own = (request.out / "config.toml").path();
  return request.config == own && record.value("config_sha256", "") == sha256("") &&
         (!is_there(own) || sha256_file(own) != sha256(""));
}

/// Every run has the split of the series, so that a damaged one is written anew from theirs.
void mend_split(const TrainRequest& request, const Member& member, Listener& listener) {
  const fs::path good = (request.out / member.folder / "split.json").path();
  const fs::path own = (request.out / "split.json").path();
  if (!is_there(good)) return;
  const std::string bytes = read_file(good);
  if (is_there(own) && read_file(own) == bytes) return;
  static_cast<void>(data::read_plan(good));
  listener.line(
      concat("note: ", own.string(), " was damaged or gone; written anew from ", good.string()));
  write_file(request.out / "split.json", bytes);
}

/// The request as it was when the series began; what is said anew comes on top.
TrainRequest resumed_request(const TrainRequest& request, const json& record) {
  TrainRequest out = request;
  record.at("folds").get_to(out.folds);
  record.at("seeds").get_to(out.seeds);
  if ((!request.folds.empty() && request.folds != out.folds) ||
      (request.seeds > 1 && request.seeds != out.seeds)) {
    throw_usage(
        concat(request.out.path().string(), ": the series was started with other folds or seeds"));
  }
  record.at("settings").get_to(out.settings);
  out.settings.insert(out.settings.end(), request.settings.begin(), request.settings.end());
  const json& initial = record.at("initial_weights");
  if (!starts_as_recorded(request, initial)) {
    throw_usage(concat(request.out.path().string(), ": the series was started ",
                       initial.empty()
                           ? std::string("without --pretrained and --init; leave them out")
                           : concat("with ", initial.at("option").get<std::string>(), " FILE (",
                                    recorded_hash(initial), "); name it again")));
  }
  return out;
}

/// More epochs than the series had: what has ended goes on. Throws a usage Error for another
/// setting, which runs that have ended would not notice.
void raise_epochs(const TrainRequest& request, json& record) {
  const Config was =
      load_config(request.config, record.at("settings").get<std::vector<std::string>>());
  const Config now = load_config(request.config, request.settings);
  for (const Difference& one : differences(was, now)) {
    if (one.key == "run.epochs" && now.run.epochs > was.run.epochs) continue;
    throw_usage(concat(request.out.path().string(), ": the series has ", one.key, " = ", one.was,
                       ", not ", one.now,
                       "; resume without that setting, or start a series of its own: "
                       "--out ANOTHER"));
  }
  if (now.run.epochs == was.run.epochs) return;
  record.at("settings").push_back(concat("run.epochs=", now.run.epochs));
  record.at("ended") = json::object();
  write_file(record_of(request), record.dump(2) + "\n");
}

/// Whether a run is on record as ended and still has its best.model. One without is run again: that
/// writes the model anew, or says that it is lost.
bool has_ended(const TrainRequest& request, const Member& member, const json& ended) {
  if (!ended.contains(member.folder)) return false;
  const std::string checksum = ended_run(ended.at(member.folder)).model_checksum;
  return model_problem((request.out / member.folder / "best.model").path(), checksum).empty();
}

/// Fills in the mean and the deviation of the best figures.
void average(TrainResult& result) {
  std::vector<double> values;
  for (const RunResult& run : result.runs) {
    if (run.best) values.push_back(*run.best);
  }
  result.averaged = std::ssize(values);
  if (values.empty()) return;
  const auto count = static_cast<double>(values.size());
  double mean = 0;
  for (const double value : values) mean += value / count;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  result.mean = mean;
  if (values.size() > 1) result.deviation = std::sqrt(squares / (count - 1));
}

/// A series whose first run was refused leaves nothing behind.
RunResult train_member(const TrainRequest& request, Listener& listener, UnusedFolder& of_series) {
  try {
    RunResult out = train(request, listener);
    of_series.keep();
    return out;
  } catch (...) {
    if (is_there(request.out.path())) of_series.keep();
    throw;
  }
}

}  // namespace

TrainResult train_series(const TrainRequest& given, Listener& listener) {
  const auto alone = [&](const TrainRequest& request) {
    TrainResult out;
    out.runs.push_back(train(request, listener));
    return out;
  };
  if (!given.pictures.empty()) return alone(given);  // a pretraining
  const bool begun = given.resume && is_there(record_of(given).path());
  json record = begun ? read_record(given) : json::object();
  TrainRequest request = begun ? resumed_request(given, record) : given;
  const bool several = begun || request.folds == "all" || request.seeds > 1;
  if (several && request.resume && request.config.empty()) {
    request.config = (request.out / "config.toml").path();
  }
  const bool mends = begun && has_lost_empty_configuration(request, record);
  if (mends) {
    request.config.clear();
  } else if (begun) {
    refuse_another_configuration(request, record);
  }
  const std::vector<Member> members = members_of(request);
  if (members.size() == 1) return alone(request_of(request, members.front()));
  refuse_within(request.out, {request.data});
  for (const Member& member : members) refuse_links(request.out / member.folder);
  UnusedFolder unused(request.out, {"series.json", "split.json", "config.toml"});
  if (!begun) prepare(request);
  const FolderLock lock(request.out);
  unused.own();
  remove_leftovers(request.out, {"series.json", "split.json", "config.toml"});
  if (mends) {
    listener.line(concat("note: ", (request.out / "config.toml").path().string(),
                         " was damaged or gone; it is empty again, as it was"));
    write_file(request.out / "config.toml", "");
  }
  if (begun) {
    mend_split(request, members.front(), listener);
    raise_epochs(request, record);
  } else {
    record = begin_series(request);
  }
  json& ended = record.at("ended");
  TrainResult out;
  out.series = true;
  double seconds = 0;
  for (const Member& member : members) {
    if (has_ended(request, member, ended)) {
      listener.line(concat(member.folder, ": has ended before"));
    } else {
      TrainRequest one = request_of(request, member);
      if (request.max_minutes > 0) {
        one.max_minutes = request.max_minutes - seconds / 60;
        if (one.max_minutes <= 0) break;
      }
      listener.line(
          concat("--- ", member.folder, " (", out.runs.size() + 1, " of ", members.size(), ")"));
      RunResult run = train_member(one, listener, unused);
      if (!run.ended) break;  // --max-minutes
      run.folder = member.folder;
      ended[member.folder] = library::to_value(run);
      write_file(record_of(request), record.dump(2) + "\n");
    }
    out.runs.push_back(ended_run(ended.at(member.folder)));
    seconds += out.runs.back().seconds;
  }
  average(out);
  return out;
}

}  // namespace medurwkv::train
