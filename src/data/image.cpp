#include "data/image.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/codecs.h"

namespace medurwkv::data {
namespace {

/// No image file that we read whole is larger.
constexpr std::uint64_t file_limit = std::uint64_t{1} << 30;

struct Magic {
  std::string_view bytes;
  const char* name;
};

using namespace std::string_view_literals;

/// Formats people hand us that are not read (yet).
constexpr std::array<Magic, 12> refused{{{"II*\0"sv, "TIFF"},
                                         {"MM\0*"sv, "TIFF"},
                                         {"BM"sv, "BMP"},
                                         {"GIF8"sv, "GIF"},
                                         {"RIFF"sv, "WebP"},
                                         {"PK\3\4"sv, "zip (npz)"},
                                         {"\x93NUMPY"sv, "NumPy"},
                                         {"\x89HDF"sv, "HDF5"},
                                         {"\x1f\x8b"sv, "gzip (NIfTI)"},
                                         {"\0\0\0\x0cjP"sv, "JPEG 2000"},
                                         {"<"sv, "XML or HTML"},
                                         {"{"sv, "JSON"}}};

}  // namespace

float Image::value(std::int64_t x, std::int64_t y, std::int64_t channel) const {
  const auto index = static_cast<std::size_t>((y * width + x) * channels + channel);
  switch (type) {
    case SampleType::u8: return static_cast<float>(bytes[index]) / 255.0F;
    case SampleType::u16: {
      std::uint16_t sample = 0;
      std::memcpy(&sample, &bytes[2 * index], sizeof(sample));
      return static_cast<float>(sample) / 65535.0F;
    }
    case SampleType::f32: {
      float sample = 0;
      std::memcpy(&sample, &bytes[4 * index], sizeof(sample));
      return sample;
    }
  }
  throw_internal("unknown sample type");
}

FileKind kind_of(const std::string& file, std::string_view bytes) {
  if (bytes.empty()) throw_failure(concat(file, ": is empty"));
  if (bytes.starts_with("version https://git-lfs.github.com/spec")) {
    throw_failure(concat(file,
                         ": is a Git LFS pointer, not an image; run `git lfs pull` in its "
                         "repository"));
  }
  if (bytes.starts_with("\x89PNG\r\n\x1a\n"sv)) return FileKind::png;
  if (bytes.starts_with("\xff\xd8\xff"sv)) return FileKind::jpeg;
  for (const Magic& magic : refused) {
    if (bytes.starts_with(magic.bytes)) {
      throw_failure(
          concat(file, ": holds ", magic.name, ", which is not read yet; convert it to PNG"));
    }
  }
  throw_failure(concat(file, ": is not an image (neither PNG nor JPEG)"));
}

void check_size(const std::string& file, std::int64_t width, std::int64_t height) {
  if (width < 1 || height < 1 || width > pixel_limit / height) {
    throw_failure(concat(file, ": claims ", width, " x ", height, " pixels; at most ", pixel_limit,
                         " are read"));
  }
}

void check_claim(const std::string& file, ImageSize claimed, std::int64_t most) {
  if (claimed.width * claimed.height > most) {
    throw_failure(concat(file, ": claims ", claimed.width, " x ", claimed.height,
                         " pixels, more than a file of its size can hold"));
  }
}

Image read_image(const std::filesystem::path& path) {
  const std::string bytes = read_file(path, file_limit);
  return kind_of(path.string(), bytes) == FileKind::png ? decode_png(path.string(), bytes).image
                                                        : decode_jpeg(path.string(), bytes);
}

ImageSize read_image_size(const std::filesystem::path& path) {
  const std::string bytes = read_file(path, file_limit);
  return kind_of(path.string(), bytes) == FileKind::png ? png_size(path.string(), bytes)
                                                        : jpeg_size(path.string(), bytes);
}

MaskValues read_mask_values(const std::filesystem::path& path) {
  const std::string bytes = read_file(path, file_limit);
  Image image;
  if (kind_of(path.string(), bytes) == FileKind::png) {
    DecodedPng png = decode_png(path.string(), bytes);
    if (png.colored_palette) return {png.image.width, png.image.height, std::move(png.indices)};
    image = std::move(png.image);
  } else {
    image = decode_jpeg(path.string(), bytes);
  }
  const std::size_t step = image.type == SampleType::u16 ? 2 : 1;
  const auto channels = static_cast<std::size_t>(image.channels);
  MaskValues out{image.width, image.height, {}};
  out.values.resize(static_cast<std::size_t>(image.width * image.height));
  const auto sample = [&](std::size_t index) -> unsigned {
    if (step == 1) return image.bytes[index];
    std::uint16_t wide = 0;
    std::memcpy(&wide, &image.bytes[2 * index], sizeof(wide));
    return wide;
  };
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    unsigned value = sample(i * channels);
    for (std::size_t c = 1; c < channels; ++c) {
      // JPEG's colour conversion may be off by a few units on a gray mask.
      const unsigned other = sample(i * channels + c);
      if ((other > value ? other - value : value - other) > 16 * (step == 2 ? 256U : 1U)) {
        throw_failure(concat(path.string(), ": is a mask with colours (pixel ",
                             i % static_cast<std::size_t>(image.width), ", ",
                             i / static_cast<std::size_t>(image.width),
                             "), which needs a table of classes; colour masks are not read yet"));
      }
    }
    // A 16-bit mask holds small class indices or shades from black to white. Shades are brought to
    // 8 bits (so cut at the middle) and kept apart from class indices.
    if (value > 255) value = std::max(33U, (value + 128) / 257);
    out.values[i] = static_cast<std::uint8_t>(value);
  }
  return out;
}

}  // namespace medurwkv::data
