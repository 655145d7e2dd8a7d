// Options and the end of `train` and `pretrain`. Relies on cli/command.h and library/requests.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cli/command.h"
#include "library/requests.h"

namespace medurwkv::cli {

struct TrainingOptions {
  CommonOptions common;
  library::TrainRequest request;
  // Settings by another name.
  std::string preset, wkv, precision;
  std::vector<std::string> settings;
  int epochs = 0;
  int batch = 0;
  int size = 0;
  // In units for people.
  double save_minutes = 1;
  double cache_gigabytes = -1;
  bool auto_resume = false;
  // What is not given may come from a launcher.
  std::optional<int> processes, rank, world;
};

/// What both commands take, but for their data and what their weights start from.
void add_training_options(CLI::App& command, TrainingOptions& options);

/// Trains, in several processes where that is asked for, and prints what came out.
int run_training(TrainingOptions& options, bool seed_given);

}  // namespace medurwkv::cli
