// What a model file says beside its weights: how images become input, and what the classes are.
// Relies on core/regions.h, core/error.h and core/text.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/regions.h"

namespace medurwkv {

/// How an image is brought to the network's input size.
enum class Fit {
  stretch,  ///< resized to width x height, aspect ratio not kept (default)
  pad,     ///< resized into width x height with its aspect ratio kept, in the middle; the rest is 0
           ///< after normalisation, and ignored in training
  native,  ///< as it is; training takes windows of width x height
  tile,  ///< as it is, in tiles of width x height; training takes crops of that size, half of them
         ///< with foreground
};

/// Every fit, in the order above.
inline constexpr std::array all_fits{Fit::stretch, Fit::pad, Fit::native, Fit::tile};

/// "stretch", "pad", "native", "tile".
const char* to_string(Fit fit);
/// Throws a usage Error that suggests the nearest name.
Fit fit_from(const std::string& name);

/// Along which axis of the patient a volume is cut into slices.
enum class Plane {
  stored,    ///< along the last axis of the file (default)
  axial,     ///< across head and feet
  coronal,   ///< across front and back
  sagittal,  ///< across left and right
};

/// Every plane, in the order above.
inline constexpr std::array all_planes{Plane::stored, Plane::axial, Plane::coronal,
                                       Plane::sagittal};

/// "stored", "axial", "coronal", "sagittal".
const char* to_string(Plane plane);
/// Throws a usage Error that suggests the nearest name.
Plane plane_from(const std::string& name);

/// Stored values that become 0 and 1; what lies outside is cut off.
struct Window {
  double low = 0;
  double high = 1;

  bool operator==(const Window&) const = default;
};

/// How the window of an image follows from its own values, so that a model takes images of any
/// modality and scanner. Each channel has its own, but colours share one.
struct OwnWindow {
  enum class By {
    percentile,  ///< `low` and `high` are percentiles, 0 to 100
    deviation,   ///< mean + `low` and mean + `high` standard deviations
  };
  By by = By::percentile;
  double low = 0.5;
  double high = 99.5;
  /// Over all slices of the volume that the image is a slice of, else over the image alone. An
  /// image that is no slice counts as its own volume.
  bool of_volume = true;

  bool operator==(const OwnWindow&) const = default;
};

/// "percentiles 0.5 to 99.5 of the volume", "mean and standard deviations from -3 to 3 of the
/// image".
std::string to_string(const OwnWindow& own);

/// The input contract: train, evaluate and predict all obey it, so that a model sees the same
/// pixels in each. Values are first scaled to 0..1 (by a window where there is one, else 8-bit /
/// 255, 16-bit / 65535, float as stored), then (value - mean) / deviation per channel.
struct InputContract {
  Fit fit = Fit::stretch;
  std::int64_t width = 256;
  std::int64_t height = 256;
  /// Channels of the network's input. A gray image is repeated when channels is 3; images of any
  /// other number are refused.
  std::int64_t channels = 3;
  std::vector<double> mean{0.485, 0.456, 0.406};
  std::vector<double> deviation{0.229, 0.224, 0.225};
  std::optional<Window> window = {};         ///< in the units of the file (16-bit: 0 to 65535)
  std::optional<OwnWindow> own_window = {};  ///< in place of `window`
  Plane plane = Plane::stored;               ///< of volumes; the network sees one slice
  /// How many files a case of the training set had, each with its share of the channels.
  std::int64_t files = 1;

  bool operator==(const InputContract&) const = default;
};

/// Whether stored values become 0..1 by a window.
inline bool has_window(const InputContract& contract) {
  return contract.window || contract.own_window;
}

/// One class of the segmentation; the first is the background.
struct ClassInfo {
  std::string name;
  std::array<std::uint8_t, 3> color{};  ///< RGB, for overlays

  bool operator==(const ClassInfo&) const = default;
};

std::vector<std::string> names_of(const std::vector<ClassInfo>& classes);

/// What is wrong with the names of classes, background first; empty where nothing is. A right name
/// is one line of UTF-8 without control characters, not blank, and stands for one class.
std::string wrong_class_names(const std::vector<std::string>& names);

/// Label of pixels that are neither trained on nor judged.
inline constexpr std::uint8_t ignore_label = 255;

/// What an output means.
enum class HeadKind {
  softmax,  ///< per pixel one class, the background first
  sigmoid,  ///< per pixel regions, which may overlap
  label,    ///< per image one class
};

/// "softmax", "sigmoid", "label".
const char* to_string(HeadKind kind);

/// One output of a network; its numbers are neighbours among the network's.
struct Head {
  std::string name;  ///< "segmentation"
  HeadKind kind = HeadKind::softmax;
  std::vector<ClassInfo> classes = {};
  Regions regions = {};  ///< of a sigmoid head

  /// How many numbers it has per pixel or image.
  [[nodiscard]] std::int64_t outputs() const {
    return kind == HeadKind::sigmoid ? std::ssize(regions) : std::ssize(classes);
  }
  bool operator==(const Head&) const = default;
};

/// With regions a sigmoid head.
Head segmentation_head(std::vector<ClassInfo> classes, Regions regions = {});

/// Bounds of a temperature: probabilities p become p^(1/T), normalised (docs/metrics.md,
/// "Calibration").
inline constexpr double least_temperature = 0.05;
inline constexpr double most_temperature = 20;

/// The one temperature that acts on the mean of several models' probabilities: the geometric mean
/// of theirs. A model without one counts as 1, so that models of which none has one have 1.
double common_temperature(const std::vector<std::optional<double>>& temperatures);

/// What a running model tells about itself.
struct ModelDescription {
  InputContract input;
  std::vector<ClassInfo> classes;
  Regions regions;                    ///< where the network's outputs are theirs, not the classes'
  std::string network;                ///< preset or "custom"
  std::string file;                   ///< as given by the user
  std::string content_sha256;         ///< that of the model file (docs/formats.md)
  std::string precision = "float32";  ///< of the engine that runs it
  std::string split_sha256;  ///< of the split file the model was trained on; empty if unknown
  std::optional<double> temperature{};  ///< fitted on the validation part; none: as 1

  /// How many logits the network gives per pixel.
  [[nodiscard]] std::int64_t outputs() const {
    return regions.empty() ? std::ssize(classes) : std::ssize(regions);
  }
};

}  // namespace medurwkv
