// Rasters in memory: images and label maps. Relies on core/error.h and core/model_description.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "core/model_description.h"

namespace medurwkv::data {

/// Type of an image's stored samples.
enum class SampleType { u8, u16, f32 };

/// Where pixels lie in the patient, from formats that know it (none of those read today: their
/// resolution is that of a print).
struct Geometry {
  std::array<double, 3> spacing{1, 1, 1};  ///< mm between columns, rows and slices
  /// Unit vectors of growing column, row and slice in the patient: to the left, back and head.
  std::array<double, 9> axes{1, 0, 0, 0, 1, 0, 0, 0, 1};

  bool operator==(const Geometry&) const = default;
};

/// One for all channels, or one for each; none: by the type of the samples.
using Windows = std::vector<Window>;

/// What an OwnWindow is for the values of an image or its volume, one for each channel.
struct FoundWindows {
  OwnWindow of;
  Windows channels;

  bool operator==(const FoundWindows&) const = default;
};

/// How much of what it is a part of an image shows. A part's own values do not tell the window of
/// the whole.
enum class Extent {
  whole,
  slice,  ///< of a volume
  rows,   ///< or another part of an image
};

/// An image as its file holds it: row-major, channels innermost (1 gray, 3 RGB, others as they
/// come; alpha is dropped when decoding), samples in native byte order.
struct Image {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t channels = 0;
  SampleType type = SampleType::u8;
  std::vector<unsigned char> bytes;
  std::optional<Geometry> geometry{};
  Extent extent = Extent::whole;
  std::vector<FoundWindows> windows{};  ///< those that were asked for when it was read

  /// The sample scaled to 0..1 (8-bit / 255, 16-bit / 65535, float as stored).
  [[nodiscard]] float value(std::int64_t x, std::int64_t y, std::int64_t channel) const;
};

/// The smallest and the largest sample of an image of floats; none for other types.
std::optional<std::pair<float, float>> float_range(const Image& image);

/// Class index per pixel, row-major; ignore_label where a pixel is neither trained on nor judged.
struct LabelMap {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::vector<std::uint8_t> labels;

  bool operator==(const LabelMap&) const = default;
};

/// A place in an image, in pixels; whoever takes it says where (0, 0) is.
struct Point {
  double x = 0;
  double y = 0;
  bool operator==(const Point&) const = default;
};

/// In pixels.
struct ImageSize {
  std::int64_t width = 0;
  std::int64_t height = 0;
  bool operator==(const ImageSize&) const = default;
};

}  // namespace medurwkv::data
