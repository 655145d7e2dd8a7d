// Which files a prediction run reads and writes, and what it leaves behind about them
// (manifest.json). Relies on core, data and nlohmann/json.
//
// manifest.json, format 1: format, program, version, complete (false when stopped), model {file,
// sha256, network, classes [{name, color}]}, options {overlay, probabilities}, images [{input,
// sha256, width, height, class_pixels [per class], outputs [{file: relative to the folder, sha256,
// what: "mask", "overlay" or "probabilities"}]}], failed [{input, error}].
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/model_description.h"
#include "data/image.h"

namespace medurwkv::predict {

/// What is written beside the mask.
struct OutputOptions {
  bool overlay = false;
  bool probabilities = false;
};

/// One image and the files made of it. Paths are relative to the output folder; empty: not written.
struct Job {
  std::filesystem::path input;
  std::filesystem::path mask;           ///< <subfolder>/<stem>.png
  std::filesystem::path overlay;        ///< <subfolder>/<stem>_overlay.png
  std::filesystem::path probabilities;  ///< <subfolder>/<stem>_probabilities.npy

  [[nodiscard]] std::vector<std::filesystem::path> outputs() const;
};

inline constexpr char manifest_name[] = "manifest.json";

/// The images of `inputs` (files, or folders searched for images; images of a folder keep their
/// subfolder) and their output names. Where two would write the same file, the later one's stem
/// gets its suffix ("scan_jpg") and, if that is taken too, a number. The same input named twice is
/// done once; a folder is not searched below `out`. A path that does not exist stays in the list,
/// so that reading it fails as for any other bad file. Throws Error when an output would overwrite
/// an input.
std::vector<Job> plan_outputs(const std::vector<std::filesystem::path>& inputs,
                              const std::filesystem::path& out, const OutputOptions& options);

/// float32 values of shape classes x height x width as a NumPy .npy file, version 1.0.
std::string encode_npy(const std::vector<float>& planes, std::int64_t channels,
                       data::ImageSize size);

/// Collects what was done; see the top of this file for the keys.
class Manifest {
 public:
  Manifest(const ModelDescription& model, const OutputOptions& options);
  ~Manifest();
  Manifest(const Manifest&) = delete;
  Manifest& operator=(const Manifest&) = delete;
  Manifest(Manifest&&) = delete;
  Manifest& operator=(Manifest&&) = delete;

  /// Starts the entry of an image that was predicted.
  void add_image(const Job& job, const data::LabelMap& labels);
  /// Adds a written file to the image added last.
  void add_output(const std::filesystem::path& file, std::string_view bytes, const char* what);
  void add_failure(const std::filesystem::path& input, const std::string& error);
  [[nodiscard]] std::string text(bool complete) const;

 private:
  std::unique_ptr<nlohmann::json> json_;
};

}  // namespace medurwkv::predict
