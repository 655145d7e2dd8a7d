// Rasters: images as decoded and label maps. Relies on core.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
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

class PackFile;

/// Where an image's or a mask's pixels are: a file, or in a file of arrays (.npz, .h5) one of them,
/// or one slice of a volume, or in a pack.
struct ImageSource {
  std::filesystem::path file;
  std::string array{};                     ///< its name in a .npz or .h5; empty in other files
  std::optional<std::int64_t> slice{};     ///< along the first axis of a volume
  std::uint8_t class_index = 0;            ///< of a mask that holds one class alone, else 0
  std::shared_ptr<const PackFile> pack{};  ///< where the file is a pack; `array` is the case's id

  /// For messages: the file, the array, the slice.
  [[nodiscard]] std::string name() const;
  bool operator==(const ImageSource&) const = default;
};

/// An image as its file holds it: row-major, channels innermost (1 gray, 3 RGB; alpha is dropped
/// when decoding), samples in native byte order.
struct Image {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t channels = 0;
  SampleType type = SampleType::u8;
  std::vector<unsigned char> bytes;
  std::optional<Geometry> geometry{};

  /// The sample scaled to 0..1 (8-bit / 255, 16-bit / 65535, float as stored).
  [[nodiscard]] float value(std::int64_t x, std::int64_t y, std::int64_t channel) const;
};

/// Class index per pixel, row-major; ignore_label where a pixel takes part in nothing.
struct LabelMap {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::vector<std::uint8_t> labels;

  bool operator==(const LabelMap&) const = default;
};

/// Width and height without decoding the pixels.
struct ImageSize {
  std::int64_t width = 0;
  std::int64_t height = 0;
  bool operator==(const ImageSize&) const = default;
};

/// Decodes by the file's content, not its suffix. Throws Error naming the file and the reason.
Image read_image(const ImageSource& source);
Image read_image(const std::filesystem::path& path);
ImageSize read_image_size(const ImageSource& source);
ImageSize read_image_size(const std::filesystem::path& path);

/// Gray (1 channel) or RGB (3 channels) of 8 or 16 bits as PNG bytes.
std::string encode_png(const Image& image);
/// Class indices as a palette PNG whose palette holds the class colours (pixel value = class
/// index).
std::string encode_png(const LabelMap& labels, const std::vector<ClassInfo>& classes);

}  // namespace medurwkv::data
