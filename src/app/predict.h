// `predict`: images to masks, overlays, probabilities, outlines. Relies on predict/runner.h and
// app/segmenting.h.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <vector>

#include "app/segmenting.h"
#include "core/listener.h"
#include "predict/outputs.h"
#include "predict/runner.h"
#include "predict/shard.h"

namespace medurwkv::app {

struct PredictRequest {
  Segmenting how;
  std::vector<std::filesystem::path> inputs;  ///< images, or folders of images
  std::filesystem::path out;
  /// What is written beside the masks. `how` says how masks are corrected.
  predict::OutputOptions outputs{};
  bool force = false;  ///< overwrite outputs of an earlier run
  bool go_on = false;  ///< keep what an earlier run with the same models and options has done
  std::optional<predict::Shard> shard = {};  ///< of the images; none: all of them
  int jobs = 0;  ///< images read and written beside the one computed; 0: as threads, at most 4
};

struct PredictResult {
  std::size_t images = 0;  ///< of the shard
  predict::RunResult run{};
  std::filesystem::path manifest;
};

/// An image that fails is a Listener::failure, and the rest goes on. Throws Error, and Stopped.
PredictResult predict_images(const PredictRequest& request, Listener& listener);

/// Joins the manifests of the shards in `out` (predict/shard.h).
predict::Merged merge_predictions(const std::filesystem::path& out, bool force, Listener& listener);

}  // namespace medurwkv::app
