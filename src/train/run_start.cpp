#include "train/run_start.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "weights/model_file.h"
#include "weights/weights_source.h"

namespace medurwkv::train {
namespace {

using nlohmann::json;

constexpr const char* epochs_key = "run.epochs";

/// What a user does whose settings are those of another run.
std::string another_run(const RunFolder& folder, bool same_network) {
  for (const char* file : {"best.model", "last.ckpt"}) {
    if (same_network && model_problem(folder / file, "").empty()) {
      return concat("start a new run from its weights: --init ", (folder / file).string(),
                    " --out ANOTHER");
    }
  }
  return "start a new run: --out ANOTHER";
}

std::string listed(const std::vector<Difference>& settings) {
  constexpr std::size_t most = 3;
  std::vector<std::string> out;
  for (const Difference& one : settings) {
    if (out.size() < most) out.push_back(concat(one.key, " = ", one.was, ", not ", one.now));
  }
  if (settings.size() > most) out.push_back(concat("and ", settings.size() - most, " more"));
  return join(out, "; ");
}

/// What `now` has otherwise than `was`, but for more epochs.
std::vector<Difference> other_settings(const Config& was, const Config& now) {
  std::vector<Difference> out = differences(was, now);
  if (now.run.epochs > was.run.epochs) {
    std::erase_if(out, [](const Difference& one) { return one.key == epochs_key; });
  }
  return out;
}

/// A configuration that was kept beside config.toml.
struct Recorded {
  std::filesystem::path file;
  std::string text;
};

/// None where there is no such file or it cannot be read. Resuming from a checkpoint reports what
/// is wrong with it.
std::optional<Recorded> recorded_configuration(const std::filesystem::path& folder) {
  const std::filesystem::path checkpoint = folder / "last.ckpt";
  const std::filesystem::path record = folder / "run.json";
  try {
    if (std::filesystem::exists(checkpoint)) {
      const auto file = weights::WeightsSource::open(checkpoint);
      const json all = weights::metadata_json(checkpoint.string(), file.metadata(), "checkpoint");
      return Recorded{checkpoint, all.at("started_with").at("configuration").get<std::string>()};
    }
    if (std::filesystem::exists(record)) {
      return Recorded{record,
                      parsed_record(read_file(record)).at("configuration").get<std::string>()};
    }
  } catch (const Error&) {
    return std::nullopt;
  } catch (const json::exception&) {
    return std::nullopt;
  }
  return std::nullopt;
}

/// A run of another command is resumed by that.
void refuse_another_task(const std::filesystem::path& folder, const std::string& configuration,
                         TaskKind task) {
  const std::optional<TaskKind> own = task_in(configuration);
  if (!own || *own == task) return;
  throw_usage(
      concat(folder.string(), ": holds a run of `medurwkv ",
             *own == TaskKind::segmentation ? "train" : concat("pretrain ", to_string(*own)),
             "`, which is what resumes it"));
}

/// Refuses other settings than those of the run, but for more epochs, and another split. A
/// configuration of an earlier version lacks settings that came later: the same run all the same.
/// Returns the run's epochs.
std::int64_t refuse_another_run(const RunStart& start, const std::string& configuration,
                                const json& split_sha256) {
  const std::string folder = start.folder.path().string();
  const Config recorded =
      parse_config(configuration, concat("the configuration in ", folder), start.config.task);
  const std::vector<Difference> settings = other_settings(recorded, start.config);
  const auto any = [&](const char* key) {
    return std::any_of(settings.begin(), settings.end(),
                       [&](const Difference& one) { return one.key.starts_with(key); });
  };
  if (!settings.empty()) {
    throw_usage(concat(folder, ": the run has ", listed(settings), "; resume without ",
                       settings.size() == 1 ? "that setting" : "these settings",
                       any(epochs_key) ? " (epochs can be raised, not lowered)" : "", ", or ",
                       another_run(start.folder, !any("network.preset") && !any("encoder."))));
  }
  if (split_sha256 != start.split_sha256 && start.split.empty()) {
    throw_failure(concat(folder,
                         ": the pictures are others than those that the run began with; name the "
                         "same folders as they were, or ",
                         another_run(start.folder, true)));
  }
  const std::filesystem::path own_split = start.folder / "split.json";
  if (split_sha256 != start.split_sha256 && start.split == own_split) {
    throw_failure(concat(own_split.string(),
                         ": was changed since the run began; name the split that it was started "
                         "with: --split FILE"));
  }
  if (split_sha256 != start.split_sha256) {
    throw_usage(concat(folder, ": the split is not the run's own, ", own_split.string(),
                       "; resume without --split, or ", another_run(start.folder, true)));
  }
  return recorded.run.epochs;
}

/// A file that is named again must be the one that the run started from.
void refuse_another_origin(const RunStart& start, const json& recorded,
                           const std::string& content) {
  if (start.initial->is_origin(recorded, content)) return;
  throw_usage(concat(start.initial->option(), ": the run in ", start.folder.path().string(),
                     " did not start from this file; leave the option out to resume it"));
}

/// Anew from the file's weights; `recorded`, where there is one, is the origin it must have.
Beginning start_from_file(const RunStart& start, const net::NetworkConfig& network,
                          Learner& learner, const json* recorded) {
  const Filled filled = start.initial->fill(network, learner.store());
  if (recorded != nullptr) refuse_another_origin(start, *recorded, filled.content);
  const weights::Coverage& coverage = filled.coverage;
  learner.start(coverage.fresh);
  for (const weights::MismatchedTensor& one : coverage.mismatched) learner.start({one.name});
  learner.start_average();
  Origin origin = start.initial->origin(filled);
  Beginning out;
  out.initial_weights = std::move(origin.record);
  out.initial_tensors = std::move(origin.tensors);
  for (const std::string& line : start.initial->report(network, filled, start.list_names)) {
    start.listener.line(line);
  }
  return out;
}

/// The run was ended before its first checkpoint.
Beginning start_over(const RunStart& start, const net::NetworkConfig& network, Learner& learner) {
  const json record = start.folder.record();
  if (record.empty()) {
    throw_failure(concat((start.folder / "run.json").string(),
                         ": is gone, and nothing of the run was saved yet; start it anew with "
                         "another --out"));
  }
  const std::int64_t epochs = refuse_another_run(
      start, record.at("configuration").get<std::string>(), record.at("split_sha256"));
  const json recorded = record.value("initial_weights", json::object());
  if (!recorded.empty() && !start.initial) {
    throw_usage(concat(start.folder.path().string(),
                       ": the run was ended before its first checkpoint; name the file that it "
                       "started from again: ",
                       recorded.at("option").get<std::string>(), " FILE (", recorded_hash(recorded),
                       ")"));
  }
  start.listener.line("the run was ended before its first checkpoint: starting from the beginning");
  Beginning out = start.initial ? start_from_file(start, network, learner, &recorded)
                                : start_anew(start, network, learner);
  if (start.config.run.epochs > epochs) out.raised_from = epochs;
  return out;
}

}  // namespace

Config own_configuration(const std::filesystem::path& folder,
                         const std::vector<std::string>& settings, const Config& defaults) {
  const std::filesystem::path file = folder / "config.toml";
  const std::optional<Recorded> recorded = recorded_configuration(folder);
  refuse_another_task(folder,
                      recorded         ? recorded->text
                      : is_there(file) ? read_file(file)
                                       : "",
                      defaults.task);
  const auto parsed = [&]() -> Config {
    if (!std::filesystem::exists(file)) {
      if (recorded) return parse_config(recorded->text, recorded->file.string(), defaults.task);
      throw_failure(concat(file.string(), ": is gone; name the configuration with --config"));
    }
    const std::string remedy = recorded
                                   ? concat("delete it and resume again: ", recorded->file.string(),
                                            " holds the configuration")
                                   : std::string("start the run anew with another --out");
    try {
      const Config out = load_config(file, {}, defaults);
      if (!recorded) return out;
      const Config was = parse_config(recorded->text, recorded->file.string(), defaults.task);
      const std::vector<Difference> other = other_settings(was, out);
      if (other.empty()) return out;
      throw_failure(
          concat(file.string(), ": is damaged or was changed: the run has ", listed(other)));
    } catch (const Error& error) {
      throw_failure(concat(error.what(), "; ", remedy));
    }
  };
  return load_config({}, settings, parsed());
}

json to_json(const Beginning& beginning) {
  return {{"state", to_json(beginning.state)},
          {"initial_weights", beginning.initial_weights},
          {"initial_tensors", beginning.initial_tensors},
          {"resumed", beginning.resumed},
          {"raised_from", beginning.raised_from},
          {"raised_epochs", beginning.raised_epochs}};
}

Beginning beginning_from(const json& from) {
  return {.state = state_from(from.at("state")),
          .initial_weights = from.at("initial_weights"),
          .initial_tensors = from.at("initial_tensors").get<std::vector<std::string>>(),
          .resumed = from.at("resumed").get<bool>(),
          .raised_from = from.at("raised_from").get<std::int64_t>(),
          .raised_epochs = from.at("raised_epochs")};
}

Beginning start_anew(const RunStart& start, const net::NetworkConfig& network, Learner& learner) {
  if (start.initial) return start_from_file(start, network, learner, nullptr);
  learner.start();
  return {};
}

Beginning resume(const RunStart& start, const net::NetworkConfig& network, Learner& learner) {
  if (!start.folder.has_checkpoint()) return start_over(start, network, learner);
  std::int64_t epochs = 0;
  const auto check = [&](const json& recorded) {
    epochs = refuse_another_run(start, recorded.at("configuration").get<std::string>(),
                                recorded.at("split_sha256"));
  };
  const Resumed resumed = read_checkpoint(start.folder.checkpoint(), learner, check);
  const json& recorded = resumed.started_with;
  if (recorded.at("environment") != start.environment) {
    start.listener.line(concat(
        "note: resumed in another environment (", recorded.at("environment").dump(), " before, ",
        start.environment.dump(), " now); bits may differ from an unbroken run"));
  }
  Beginning out{.state = resumed.state,
                .initial_weights = recorded.value("initial_weights", json::object()),
                .initial_tensors = recorded.value("initial_tensors", std::vector<std::string>()),
                .resumed = true,
                .raised_from = 0,
                .raised_epochs = recorded.value("raised_epochs", json::array())};
  if (start.initial) refuse_another_origin(start, out.initial_weights, start.initial->content());
  if (const std::int64_t now = start.config.run.epochs; now > epochs) {
    out.raised_from = epochs;
    out.raised_epochs.push_back({{"step", out.state.step}, {"from", epochs}, {"to", now}});
  }
  return out;
}

json started_with(const RunStart& start, const Beginning& beginning) {
  json out{{"configuration", to_toml(start.config)},
           {"split_sha256", start.split_sha256},
           {"environment", start.environment}};
  if (!beginning.initial_tensors.empty()) {
    out["initial_weights"] = beginning.initial_weights;
    out["initial_tensors"] = beginning.initial_tensors;
  }
  if (!beginning.raised_epochs.empty()) out["raised_epochs"] = beginning.raised_epochs;
  return out;
}

std::string raised_epochs_text(const Beginning& beginning) {
  std::string out;
  for (const json& raise : beginning.raised_epochs) {
    out += concat("# Up to step ", raise.at("step").get<std::int64_t>(), " run.epochs was ",
                  raise.at("from").get<std::int64_t>(), "; then --resume raised it to ",
                  raise.at("to").get<std::int64_t>(), ".\n");
  }
  return out;
}

}  // namespace medurwkv::train
