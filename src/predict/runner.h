// A prediction run: many images to files. Relies on the other files of predict and core.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/stop.h"
#include "predict/outputs.h"
#include "predict/predictor.h"

namespace medurwkv::predict {

struct RunOptions {
  std::filesystem::path out;
  OutputOptions outputs;
  bool force = false;     ///< overwrite outputs of an earlier run
  bool go_on = false;     ///< keep what an earlier run with the same models and options has done
  int jobs = 1;           ///< images that are read, and written, beside the one that is computed
  bool quiet = false;     ///< no progress on stderr
  double save_every = 5;  ///< seconds between manifests on disk
};

struct RunResult {
  std::int64_t done = 0;  ///< in this run
  std::int64_t kept = 0;  ///< of an earlier run
  std::int64_t failed = 0;
};

/// Called, in the order of the jobs, for an image that could not be read or predicted; the run goes
/// on with the next.
using OnFailure = std::function<void(const std::filesystem::path& input, const std::string& error)>;

/// Predicts every job into `options.out`. A manifest is there from the start, with what is planned,
/// and at the end; also when `stop` ends the run (Stopped is thrown on, after the images that were
/// begun are written). Each file appears whole or not at all. Models are run on the calling thread
/// alone. Throws Error, before anything is written, when an output exists that is not to be
/// overwritten; and when a file cannot be written.
RunResult run_jobs(const Ensemble& ensemble, const std::vector<Job>& jobs,
                   const RunOptions& options, const OnFailure& on_failure, const StopSignal& stop);

}  // namespace medurwkv::predict
