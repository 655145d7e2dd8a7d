// How a run begins: anew, from a checkpoint, or over again when it was ended before its first one.
// Relies on train/checkpoint.h, train/initial_weights.h, train/run_folder.h.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "train/checkpoint.h"
#include "train/config.h"
#include "train/initial_weights.h"
#include "train/run_folder.h"

namespace medurwkv::train {

/// What a run is started with.
struct RunStart {
  const RunFolder& folder;
  const Config& config;
  const std::string& split_sha256;
  const std::optional<InitialWeights>& initial;  ///< --pretrained or --init
  bool list_names = false;
  nlohmann::json environment;  ///< bits may depend on it
  std::function<void(const std::string&)> line;
};

/// Where it then stands.
// NOLINTNEXTLINE(bugprone-exception-escape): moving JSON checks its invariant, it does not throw.
struct Beginning {
  RunState state;
  nlohmann::json initial_weights = nlohmann::json::object();  ///< Origin::record; empty without
  std::vector<std::string> initial_tensors;  ///< the network's, whose first values were a file's
  bool resumed = false;
};

nlohmann::json to_json(const Beginning& beginning);
Beginning beginning_from(const nlohmann::json& from);

/// A new run: the file's weights into the learner.
Beginning start_anew(const RunStart& start, const net::NetworkConfig& network, Learner& learner);

/// --resume: the checkpoint into the learner, or start_anew. Says so when the environment is
/// another one. Throws a usage Error for another configuration, split or file of first weights.
Beginning resume(const RunStart& start, const net::NetworkConfig& network, Learner& learner);

/// What the checkpoint keeps for resume().
nlohmann::json started_with(const RunStart& start, const Beginning& beginning);

}  // namespace medurwkv::train
