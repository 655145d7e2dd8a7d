// Rasters: images as decoded and label maps. Relies on core.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/model_description.h"

namespace medurwkv::data {

/// Type of an image's stored samples.
enum class SampleType { u8, u16, f32 };

/// An image as its file holds it: row-major, channels innermost (1 gray, 3 RGB; alpha is dropped
/// when decoding), samples in native byte order.
struct Image {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t channels = 0;
  SampleType type = SampleType::u8;
  std::vector<unsigned char> bytes;

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

/// Decodes a PNG or JPEG by its content, not its suffix. Throws Error naming the file and the
/// reason.
Image read_image(const std::filesystem::path& path);
ImageSize read_image_size(const std::filesystem::path& path);

/// 8-bit gray (1 channel) or RGB (3 channels) as PNG bytes.
std::string encode_png(const Image& image);
/// Class indices as a palette PNG whose palette holds the class colours (pixel value = class
/// index).
std::string encode_png(const LabelMap& labels, const std::vector<ClassInfo>& classes);

/// Samples scaled to 0..1 as planes, channels x height x width: gray is replicated, colour becomes
/// luma for one channel. Throws Error for other mismatches of channels.
std::vector<float> image_planes(const Image& image, std::int64_t channels);

/// Planes resized along each axis by area when shrinking, bicubically (a = -0.5) when growing.
std::vector<float> resize_planes(const std::vector<float>& planes, std::int64_t channels,
                                 ImageSize from, ImageSize to);

/// (value - mean) / deviation per channel, in place.
void normalise(std::vector<float>& planes, const InputContract& contract);

/// The image as network input, channels x height x width: brought to the contract's size (area when
/// shrinking, bicubic when growing), scaled to 0..1, normalised.
std::vector<float> to_network_input(const Image& image, const InputContract& contract);

/// Planes (channels x height x width) resized bilinearly, pixel centres aligned
/// (align_corners = false), borders clamped.
std::vector<float> resize_bilinear(const std::vector<float>& planes, std::int64_t channels,
                                   ImageSize from, ImageSize to);

/// Nearest neighbour, pixel centres aligned.
LabelMap resize_nearest(const LabelMap& labels, ImageSize to);

}  // namespace medurwkv::data
