// Mask files as values, palette indices or colours.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/codecs.h"

namespace medurwkv::data {
namespace {

/// JPEG's colour conversion may be off by a few units on a gray mask.
constexpr int gray_tolerance = 16;

/// Samples as 8 bits, a 16-bit mask's likewise: it holds small class indices or shades from black
/// to white. Shades are brought to 8 bits (so cut at the middle) and kept apart from class indices.
std::vector<std::uint8_t> eight_bits(Image& image) {
  if (image.type == SampleType::u8) return std::move(image.bytes);
  std::vector<std::uint8_t> out(image.bytes.size() / 2);
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint16_t wide = 0;
    std::memcpy(&wide, &image.bytes[2 * i], sizeof(wide));
    unsigned value = wide;
    if (value > 255) value = std::max(33U, (value + 128) / 257);
    out[i] = static_cast<std::uint8_t>(value);
  }
  return out;
}

bool is_gray(const std::vector<std::uint8_t>& rgb) {
  for (std::size_t i = 0; i + 2 < rgb.size(); i += 3) {
    if (std::abs(int{rgb[i]} - int{rgb[i + 1]}) > gray_tolerance ||
        std::abs(int{rgb[i]} - int{rgb[i + 2]}) > gray_tolerance) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool MaskPixels::colored_palette() const {
  return std::any_of(palette.begin(), palette.end(), [](const Color& color) {
    return color[0] != color[1] || color[0] != color[2];
  });
}

MaskPixels read_mask(const ImageSource& source) {
  const std::string file = source.name();
  const std::string bytes = read_file(source.file, file_limit);
  MaskPixels out;
  Image image;
  if (kind_of(file, bytes) == FileKind::png) {
    DecodedPng png = decode_png(file, bytes);
    out.palette = std::move(png.palette);
    out.indices = std::move(png.indices);
    image = std::move(png.image);
  } else {
    image = decode_jpeg(file, bytes);
    out.lossy = true;
  }
  out.width = image.width;
  out.height = image.height;
  const std::int64_t channels = image.channels;
  std::vector<std::uint8_t> samples = eight_bits(image);
  if (out.colored_palette()) {
    out.values = out.indices;
  } else if (channels == 1) {
    out.values = std::move(samples);
  } else if (is_gray(samples)) {
    out.values.resize(samples.size() / 3);
    for (std::size_t i = 0; i < out.values.size(); ++i) out.values[i] = samples[3 * i];
  } else {
    out.colors = std::move(samples);
  }
  return out;
}

}  // namespace medurwkv::data
