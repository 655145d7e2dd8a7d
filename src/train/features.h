// Arrays in, the maps of the encoder and logits out: for comparison with other implementations, and
// for those who go on from features. Relies on weights/coverage.h, core/npy.h and torch.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace medurwkv::train {

struct FeaturesRequest {
  /// A model file, or bare tensors of a Med-URWKV, an adapter or a classifier (safetensors, .pth).
  std::filesystem::path model;
  /// .npy, N x channels x height x width, float32 (float64 for dtype float64), normalised.
  std::filesystem::path input;
  std::filesystem::path out;
  std::string preset;             ///< of bare tensors, instead of what their sizes say; or empty
  std::string wkv;                ///< instead of the file's mode; or empty
  std::string dtype = "float32";  ///< float32 or float64: arithmetic and outputs
  std::vector<std::string> settings;  ///< of encoder alone: "encoder.post_norm=true"
  std::string device = "auto";
  int threads = 1;
  bool force = false;  ///< overwrite what lies in `out`
};

struct FeaturesListener {
  std::function<void(const std::string&)> line;
  std::function<int()> stop_signal;
};

/// Writes what the network has into `out`: f1.npy .. f4.npy (N x C x height x width at strides 4,
/// 8, 16, 32; of the padded image, whose sides are multiples of 32) and logits.npy (N x classes x
/// height x width, or N x classes of a classifier). One image is in memory at a time. Returns
/// {"content", "network", "wkv", "dtype", "files": [{"name", "shape", "sha256"}]}. Throws Error.
nlohmann::json features(const FeaturesRequest& request, const FeaturesListener& listener);

}  // namespace medurwkv::train
