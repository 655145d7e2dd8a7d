#include "train/run_start.h"

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

namespace medurwkv::train {
namespace {

using nlohmann::json;

/// A configuration of an earlier version lacks settings that came later: the same run all the same.
void refuse_another_run(const RunStart& start, const std::string& configuration,
                        const json& split_sha256) {
  const Config recorded =
      parse_config(configuration, concat("the configuration in ", start.folder.path().string()));
  if (to_toml(recorded) == to_toml(start.config) && split_sha256 == start.split_sha256) return;
  throw_usage(concat(start.folder.path().string(),
                     ": the run was started with another configuration or split; resume with "
                     "the same (its configuration is in config.toml)"));
}

/// A resumed run has its weights already; a file named again must be the one it started from.
void refuse_another_origin(const RunStart& start, const json& recorded) {
  if (!start.initial) return;
  if (recorded.value("option", "") == start.initial->option() &&
      recorded.value("sha256", "") == start.initial->sha256()) {
    return;
  }
  throw_usage(concat(start.initial->option(), ": the run in ", start.folder.path().string(),
                     " did not start from this file; leave the option out to resume it"));
}

/// The run was ended before its first checkpoint.
Beginning start_over(const RunStart& start, const net::NetworkConfig& network, Learner& learner) {
  refuse_another_run(start, read_file(start.folder / "config.toml", 1 << 20),
                     sha256_file(start.folder / "split.json"));
  const json recorded = start.folder.record().value("initial_weights", json::object());
  refuse_another_origin(start, recorded);
  if (!recorded.empty() && !start.initial) {
    throw_usage(concat(start.folder.path().string(),
                       ": the run was ended before its first checkpoint; name the file that it "
                       "started from again: ",
                       recorded.at("option").get<std::string>(), " FILE (SHA-256 ",
                       recorded.at("sha256").get<std::string>(), ")"));
  }
  start.line("the run was ended before its first checkpoint: starting from the beginning");
  return start_anew(start, network, learner);
}

}  // namespace

json to_json(const Beginning& beginning) {
  return {{"state", to_json(beginning.state)},
          {"initial_weights", beginning.initial_weights},
          {"initial_tensors", beginning.initial_tensors},
          {"resumed", beginning.resumed}};
}

Beginning beginning_from(const json& from) {
  return {.state = state_from(from.at("state")),
          .initial_weights = from.at("initial_weights"),
          .initial_tensors = from.at("initial_tensors").get<std::vector<std::string>>(),
          .resumed = from.at("resumed").get<bool>()};
}

Beginning start_anew(const RunStart& start, const net::NetworkConfig& network, Learner& learner) {
  Beginning out;
  if (!start.initial) return out;
  const weights::Coverage coverage = start.initial->fill(network, learner.store());
  learner.start_average();
  Origin origin = start.initial->origin(coverage);
  out.initial_weights = std::move(origin.record);
  out.initial_tensors = std::move(origin.tensors);
  for (const std::string& line : start.initial->report(network, coverage, start.list_names)) {
    start.line(line);
  }
  return out;
}

Beginning resume(const RunStart& start, const net::NetworkConfig& network, Learner& learner) {
  if (!start.folder.has_checkpoint()) return start_over(start, network, learner);
  const Resumed resumed = read_checkpoint(start.folder.checkpoint(), learner);
  const json& recorded = resumed.started_with;
  refuse_another_run(start, recorded.at("configuration").get<std::string>(),
                     recorded.at("split_sha256"));
  if (recorded.at("environment") != start.environment) {
    start.line(concat("note: resumed in another environment (", recorded.at("environment").dump(),
                      " before, ", start.environment.dump(),
                      " now); bits may differ from an unbroken run"));
  }
  Beginning out{.state = resumed.state,
                .initial_weights = recorded.value("initial_weights", json::object()),
                .initial_tensors = recorded.value("initial_tensors", std::vector<std::string>()),
                .resumed = true};
  refuse_another_origin(start, out.initial_weights);
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
  return out;
}

}  // namespace medurwkv::train
