// A prediction run: many images to files. Relies on core, data and the other files of predict.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/listener.h"
#include "predict/outputs.h"
#include "predict/predictor.h"

namespace medurwkv::predict {

struct RunOptions {
  std::filesystem::path out;
  OutputOptions outputs;
  bool force = false;  ///< overwrite outputs of an earlier run
  bool go_on = false;  ///< keep what an earlier run with the same models and options has done
  /// Images that are read, and written, beside the one that is computed; at most so many are
  /// computed side by side.
  int jobs = 1;
  double save_every = 5;  ///< seconds between manifests on disk
  /// The jobs are a shard's (predict/shard.h): they have a manifest of their own, and other shards
  /// may write into the folder meanwhile.
  std::optional<PartOfList> part = {};
};

struct RunResult {
  std::int64_t done = 0;  ///< in this run
  std::int64_t kept = 0;  ///< of an earlier run
  std::int64_t failed = 0;
};

/// Predicts every job into `options.out`. An image that cannot be read or predicted is a
/// Listener::failure, in the order of the jobs, and the run goes on with the next. A manifest is
/// there from the start, with what is planned, and at the end; also when the listener ends the run
/// (Stopped is thrown on, after the images that were predicted are written). Where every model sees
/// tiles of one size, an image is read, predicted and written row by row, unless the outputs need
/// all of it (predict/image_outputs.h). Each file appears whole or
/// not at all. Where there are images enough, each thread has models of its own and computes whole
/// images on one thread: that is faster than all threads on one image. What follows for the last
/// bits is that of one thread. Else, and for models that have no other beside them, models run on
/// the calling thread alone. Throws Error, before anything is
/// written, when an output exists that is not to be overwritten or another run writes into the
/// folder; and when a file cannot be written.
RunResult run_jobs(const Ensemble& ensemble, const std::vector<Job>& jobs,
                   const RunOptions& options, Listener& listener);

}  // namespace medurwkv::predict
