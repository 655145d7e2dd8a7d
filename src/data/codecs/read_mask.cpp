// Mask files as values, palette indices or colours.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/codecs/arrays.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"

namespace medurwkv::data {
namespace {

/// JPEG's colour conversion may be off by a few units on a gray mask. Elsewhere a difference of 1
/// means something (one-hot masks hold 0 and 1).
constexpr int lossy_tolerance = 16;

/// Samples as 8 bits. A 16-bit mask holds small class indices or shades from black to white. Shades
/// (values above 255) are scaled to 8 bits, at least 33, so that they stay apart from class
/// indices. `wide` becomes the values before that.
std::vector<std::uint8_t> eight_bits(Image& image, std::vector<std::uint16_t>& wide) {
  if (image.type == SampleType::u8) return std::move(image.bytes);
  std::vector<std::uint8_t> out(image.bytes.size() / 2);
  wide.resize(out.size());
  std::memcpy(wide.data(), image.bytes.data(), image.bytes.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    unsigned value = wide[i];
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

bool is_gray(const std::vector<std::uint8_t>& rgb, int tolerance) {
  for (std::size_t i = 0; i + 2 < rgb.size(); i += 3) {
    if (std::abs(int{rgb[i]} - int{rgb[i + 1]}) > tolerance ||
        std::abs(int{rgb[i]} - int{rgb[i + 2]}) > tolerance) {
      return false;
    }
  }
  return true;
}

/// Throws Error for a cut-out: a mask of one colour, whose shape is in the alpha channel that was
/// dropped.
void refuse_shape_in_alpha(const std::string& file, const DecodedImage& decoded) {
  if (!decoded.alpha_varies) return;
  const std::vector<unsigned char>& bytes = decoded.image.bytes;
  const std::size_t pixel =
      bytes.size() / static_cast<std::size_t>(decoded.image.width * decoded.image.height);
  for (std::size_t i = pixel; i < bytes.size(); ++i) {
    if (bytes[i] != bytes[i - pixel]) return;
  }
  throw_failure(concat(file,
                       ": is a mask of one colour, its shape is in the alpha channel (its "
                       "transparency), which is not read; export that channel as a gray PNG"));
}

DecodedImage decode_mask(const ImageSource& source) {
  if (is_of_volume(source)) return {.image = read_volume_image(source)};
  const std::string start = read_start(source.file, std::size_t{1} << 16);
  if (array_file_kind(start) != ArrayFile::none) {
    return {.image = read_array_image(source, ArrayUse::mask)};
  }
  DecodedImage out = decode_image(source.name(), read_file(source.file, file_limit));
  refuse_shape_in_alpha(source.name(), out);
  return out;
}

}  // namespace

bool MaskPixels::colored_palette() const {
  return std::any_of(palette.begin(), palette.end(), [](const Color& color) {
    return color[0] != color[1] || color[0] != color[2];
  });
}

MaskPixels read_mask(const ImageSource& source) {
  if (source.store) {
    LabelMap labels = source.store->labels(source.array);
    MaskPixels out;
    out.width = labels.width;
    out.height = labels.height;
    out.values = std::move(labels.labels);
    return out;
  }
  MaskPixels out;
  DecodedImage decoded = decode_mask(source);
  Image image = std::move(decoded.image);
  if (image.type == SampleType::f32) image = whole_numbers(source.name(), image);
  out.palette = std::move(decoded.palette);
  out.indices = std::move(decoded.indices);
  out.lossy = decoded.lossy;
  out.width = image.width;
  out.height = image.height;
  const std::int64_t channels = image.channels;
  std::vector<std::uint8_t> samples = eight_bits(image, out.wide);
  for (const std::uint16_t value : out.wide) out.largest = std::max(out.largest, value);
  if (channels != 1) out.wide = {};
  if (out.colored_palette()) {
    out.values = out.indices;
  } else if (channels == 1) {
    out.values = std::move(samples);
  } else if (channels != 3) {
    throw_failure(concat(source.name(), ": is a mask of ", channels,
                         " channels; 1 and 3 are read: save the number of each pixel's class as "
                         "one channel"));
  } else if (is_gray(samples, out.lossy ? lossy_tolerance : 0)) {
    out.values.resize(samples.size() / 3);
    for (std::size_t i = 0; i < out.values.size(); ++i) out.values[i] = samples[3 * i];
  } else {
    out.colors = std::move(samples);
  }
  return out;
}

}  // namespace medurwkv::data
