// A prediction run: many images to files. Relies on the other files of predict and core.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/engine.h"
#include "core/stop.h"
#include "predict/outputs.h"

namespace medurwkv::predict {

struct RunOptions {
  std::filesystem::path out;
  OutputOptions outputs;
  bool force = false;  ///< overwrite outputs of an earlier run
  bool quiet = false;  ///< no progress on stderr
};

struct RunResult {
  std::int64_t done = 0;
  std::int64_t failed = 0;
};

/// Called for an image that could not be read or predicted; the run goes on with the next.
using OnFailure = std::function<void(const std::filesystem::path& input, const std::string& error)>;

/// Predicts every job into `options.out`, then writes the manifest, which is also written when
/// `stop` ends the run (Stopped is thrown on). Each file appears whole or not at all. Throws Error,
/// before anything is written, when an output exists and `force` is false; and when a file cannot
/// be written.
RunResult run_jobs(Engine& engine, const std::vector<Job>& jobs, const RunOptions& options,
                   const OnFailure& on_failure, const StopSignal& stop);

}  // namespace medurwkv::predict
