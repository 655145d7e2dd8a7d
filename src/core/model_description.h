// What a model file says beside its weights that others must obey: how images become input, and
// what the classes are. Relies on the standard library alone.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace medurwkv {

/// How an image is brought to the network's input size.
enum class Fit {
  stretch,  ///< resized to width x height, aspect ratio not kept (default)
  pad,     ///< resized into width x height with its aspect ratio kept, in the middle; the rest is 0
           ///< after normalisation, and ignored in training
  native,  ///< as it is; training takes windows of width x height
  tile,    ///< as native, but run in tiles of width x height; nothing runs it yet
};

/// "stretch", "pad", "native", "tile".
const char* to_string(Fit fit);
/// Throws a usage Error that names the nearest.
Fit fit_from(const std::string& name);

/// Stored values that become 0 and 1; what lies outside is cut off.
struct Window {
  double low = 0;
  double high = 1;

  bool operator==(const Window&) const = default;
};

/// The input contract: train, evaluate and predict all obey it, so that a model sees the same
/// pixels in each. Values are first scaled to 0..1 (by the window where there is one, else 8-bit /
/// 255, 16-bit / 65535, float as stored), then (value - mean) / deviation per channel.
struct InputContract {
  Fit fit = Fit::stretch;
  std::int64_t width = 256;
  std::int64_t height = 256;
  /// Channels of the network's input. A gray image is replicated when channels is 3; a colour image
  /// becomes luma when channels is 1.
  std::int64_t channels = 3;
  std::vector<double> mean{0.485, 0.456, 0.406};
  std::vector<double> deviation{0.229, 0.224, 0.225};
  std::optional<Window> window = {};  ///< in the units of the file (16-bit: 0 to 65535)

  bool operator==(const InputContract&) const = default;
};

/// One class of the segmentation; the first is the background.
struct ClassInfo {
  std::string name;
  std::array<std::uint8_t, 3> color{};  ///< RGB, for overlays

  bool operator==(const ClassInfo&) const = default;
};

/// Label value of pixels that take part in nothing.
inline constexpr std::uint8_t ignore_label = 255;

/// What a running model tells about itself.
struct ModelDescription {
  InputContract input;
  std::vector<ClassInfo> classes;
  std::string network;       ///< preset or "custom"
  std::string file;          ///< as given by the user
  std::string sha256;        ///< of the model file
  std::string split_sha256;  ///< of the split file the model was trained on; empty if unknown
};

}  // namespace medurwkv
