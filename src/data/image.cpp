#include "data/image.h"

#include <array>
#include <cstring>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/codecs.h"

namespace medurwkv::data {
namespace {

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

std::string ImageSource::name() const {
  std::string out = file.string();
  if (!array.empty())
    out += concat(" (array ", array, slice ? concat(", slice ", *slice) : "", ")");
  return out;
}

Image read_image(const std::filesystem::path& path) {
  return read_image(ImageSource{path});
}

ImageSize read_image_size(const std::filesystem::path& path) {
  return read_image_size(ImageSource{path});
}

Image read_image(const ImageSource& source) {
  const std::string file = source.name();
  const std::string bytes = read_file(source.file, file_limit);
  return kind_of(file, bytes) == FileKind::png ? decode_png(file, bytes).image
                                               : decode_jpeg(file, bytes);
}

ImageSize read_image_size(const ImageSource& source) {
  const std::string file = source.name();
  const std::string bytes = read_file(source.file, file_limit);
  return kind_of(file, bytes) == FileKind::png ? png_size(file, bytes) : jpeg_size(file, bytes);
}

}  // namespace medurwkv::data
