// One training run, from a folder of images to best.model. Relies on everything below it but cli.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace medurwkv::train {

struct TrainRequest {
  std::filesystem::path data, split, out, config;
  std::vector<std::string> settings;  ///< "key=value"
  std::string device = "auto";
  int threads = 1;
  /// Files that the weights start from, at most one of them; empty: random start values.
  std::filesystem::path pretrained, init;
  bool names = false;      ///< list every tensor by what became of it
  std::string folds = {};  ///< of a split with folds: a number, or "all"
  int seeds = 1;           ///< how many, from run.seed on
  bool resume = false;
  double max_minutes = 0;  ///< 0 = no limit; resumed time counts
  double save_every = 60;  ///< seconds between checkpoints
  double cache = -1;       ///< bytes of decoded images to keep; below 0: half of what is left
  double memory = 0;       ///< bytes that the run may take in all; 0: what is available
  /// "host:port" where `world` processes meet that train together, this one as `rank`; empty:
  /// alone.
  std::string rendezvous = {};
  int rank = 0;
  int world = 1;
};

/// How the run talks to whoever started it.
struct TrainListener {
  std::function<void(const std::string&)> line;
  std::function<void(std::int64_t done, std::int64_t total, const std::string& detail)> progress;
  std::function<int()> stop_signal;
};

/// Predicts the memory of the run (train/memory.h) and refuses what does not fit; then trains until
/// the last epoch, max_minutes or a stop signal (then throws Stopped after saving). Returns a
/// summary: epochs, best epoch, best validation Dice, files, whether it has ended. Of several runs
/// (train/series.h) it is one. Throws Error.
nlohmann::json train(const TrainRequest& request, const TrainListener& listener);

}  // namespace medurwkv::train
