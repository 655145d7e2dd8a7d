// How a run begins: anew, from a checkpoint, or over again when it was ended before its first one.
// Relies on train/checkpoint.h, train/initial_weights.h, train/run/folder.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/listener.h"
#include "train/checkpoint.h"
#include "train/initial_weights.h"
#include "train/run/config.h"
#include "train/run/folder.h"

namespace medurwkv::train {

/// What a run is started with.
struct RunStart {
  const RunFolder& folder;
  const Config& config;
  const std::filesystem::path& split;  ///< the file; empty where the task made the split
  const std::string& split_sha256;
  const std::optional<InitialWeights>& initial;  ///< --pretrained or --init
  bool list_names = false;
  nlohmann::json environment;  ///< bits may depend on it
  Listener& listener;
};

/// Where it then stands.
// NOLINTNEXTLINE(bugprone-exception-escape): moving JSON checks its invariant, it does not throw.
struct Beginning {
  RunState state;
  nlohmann::json initial_weights = nlohmann::json::object();  ///< Origin::record; empty without
  std::vector<std::string> initial_tensors;  ///< the network's, whose first values were a file's
  bool resumed = false;
  std::int64_t raised_from = 0;  ///< the epochs that the run had until now; 0: as many as now
  /// Every time that a resumed run was given more epochs: {"step", "from", "to"}.
  nlohmann::json raised_epochs = nlohmann::json::array();
};

/// The configuration that a run in `folder` resumes with where none is named: its config.toml with
/// `settings` over it. Without that file the one that last.ckpt or run.json holds. Throws Error
/// with the remedy where config.toml is damaged or says something else than the run has recorded
/// (but for more epochs).
Config own_configuration(const std::filesystem::path& folder,
                         const std::vector<std::string>& settings, const Config& defaults);

nlohmann::json to_json(const Beginning& beginning);
Beginning beginning_from(const nlohmann::json& from);

/// A new run: the file's weights into the learner.
Beginning start_anew(const RunStart& start, const net::NetworkConfig& network, Learner& learner);

/// --resume: the checkpoint into the learner, or start_anew. Says so when the environment is
/// another one. Throws a usage Error for other settings than the run's (but for more epochs),
/// another split or another file of first weights; the learner must not be used then.
Beginning resume(const RunStart& start, const net::NetworkConfig& network, Learner& learner);

/// What the checkpoint keeps for resume().
nlohmann::json started_with(const RunStart& start, const Beginning& beginning);

/// What was raised, as a comment for config.toml; empty where nothing was.
std::string raised_epochs_text(const Beginning& beginning);

}  // namespace medurwkv::train
