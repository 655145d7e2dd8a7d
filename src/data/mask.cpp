// Mask files as values, palette indices or colours.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/arrays.h"
#include "data/codecs.h"
#include "data/pack.h"

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

/// Labels stored as floats (Synapse) or wide integers, as 16 bits.
Image whole_numbers(const std::string& file, const Image& from) {
  Image out{.width = from.width,
            .height = from.height,
            .channels = from.channels,
            .type = SampleType::u16,
            .bytes = {}};
  out.bytes.resize(from.bytes.size() / 2);
  for (std::size_t i = 0; i < from.bytes.size() / sizeof(float); ++i) {
    float value = 0;
    std::memcpy(&value, &from.bytes[i * sizeof(float)], sizeof(float));
    if (!(value >= 0 && value <= 65535) || std::floor(value) != value) {
      throw_failure(concat(file, ": is a mask with the value ", value,
                           "; labels are whole numbers from 0 to 65535"));
    }
    const auto whole = static_cast<std::uint16_t>(value);
    std::memcpy(&out.bytes[i * sizeof(whole)], &whole, sizeof(whole));
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
  if (source.pack) {
    LabelMap labels = source.pack->labels(source.array);
    MaskPixels out;
    out.width = labels.width;
    out.height = labels.height;
    out.values = std::move(labels.labels);
    return out;
  }
  MaskPixels out;
  Image image;
  if (array_file_kind(read_start(source.file, 16)) != ArrayFile::none) {
    image = read_array_image(source);
    if (image.type == SampleType::f32) image = whole_numbers(source.name(), image);
  } else {
    DecodedImage decoded = decode_image(source.name(), read_file(source.file, file_limit));
    if (decoded.image.type == SampleType::f32) {
      decoded.image = whole_numbers(source.name(), decoded.image);
    }
    image = std::move(decoded.image);
    out.palette = std::move(decoded.palette);
    out.indices = std::move(decoded.indices);
    out.lossy = decoded.lossy;
  }
  out.width = image.width;
  out.height = image.height;
  const std::int64_t channels = image.channels;
  std::vector<std::uint8_t> samples = eight_bits(image);
  if (out.colored_palette()) {
    out.values = out.indices;
  } else if (channels == 1) {
    out.values = std::move(samples);
  } else if (channels != 3) {
    throw_failure(concat(source.name(), ": a mask has 1 or 3 channels, this one ", channels));
  } else if (is_gray(samples)) {
    out.values.resize(samples.size() / 3);
    for (std::size_t i = 0; i < out.values.size(); ++i) out.values[i] = samples[3 * i];
  } else {
    out.colors = std::move(samples);
  }
  return out;
}

}  // namespace medurwkv::data
