#include "data/image.h"

#include <algorithm>
#include <array>
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

/// Read to see what a file is, and mostly its size.
constexpr std::size_t start_bytes = std::size_t{1} << 18;

struct Magic {
  std::string_view bytes;
  const char* name;
};

using namespace std::string_view_literals;

/// Formats people hand us that are not read.
constexpr std::array<Magic, 6> refused{{{"RIFF"sv, "WebP"},
                                        {"\x1f\x8b"sv, "gzip (NIfTI)"},
                                        {"\0\0\0\x0cjP"sv, "JPEG 2000"},
                                        {"%PDF"sv, "PDF"},
                                        {"<"sv, "XML or HTML"},
                                        {"{"sv, "JSON"}}};

struct Known {
  std::string_view bytes;
  FileKind kind;
};

constexpr std::array<Known, 12> known_kinds{{{"\x89PNG\r\n\x1a\n"sv, FileKind::png},
                                             {"\xff\xd8\xff"sv, FileKind::jpeg},
                                             {"II*\0"sv, FileKind::tiff},
                                             {"MM\0*"sv, FileKind::tiff},
                                             {"II+\0"sv, FileKind::tiff},
                                             {"MM\0+"sv, FileKind::tiff},
                                             {"BM"sv, FileKind::bmp},
                                             {"GIF87a"sv, FileKind::gif},
                                             {"GIF89a"sv, FileKind::gif},
                                             {"\x93NUMPY"sv, FileKind::arrays},
                                             {"PK\3\4"sv, FileKind::arrays},
                                             {"\x89HDF\r\n\x1a\n"sv, FileKind::arrays}}};

/// DICOM's mark lies behind a preamble.
bool is_dicom(std::string_view start) {
  return start.size() >= 132 && start.substr(128, 4) == "DICM";
}

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
  for (const Known& one : known_kinds) {
    if (bytes.starts_with(one.bytes)) return one.kind;
  }
  if (is_dicom(bytes)) {
    throw_failure(concat(file, ": holds DICOM, which is not read yet; export it as PNG or TIFF"));
  }
  for (const Magic& magic : refused) {
    if (bytes.starts_with(magic.bytes)) {
      throw_failure(concat(file, ": holds ", magic.name, ", which is not read; convert it to PNG"));
    }
  }
  throw_failure(concat(file,
                       ": is not an image that is read (PNG, JPEG, TIFF, BMP, GIF, .npy, .npz, "
                       "HDF5)"));
}

void check_size(const std::string& file, std::int64_t width, std::int64_t height,
                std::int64_t bytes_per_pixel) {
  const bool positive = width > 0 && height > 0 && bytes_per_pixel > 0;
  if (positive && width <= decoded_limit / bytes_per_pixel / height) return;
  throw_failure(concat(file, ": claims ", width, " x ", height, " pixels",
                       positive ? concat(" of ", bytes_per_pixel, " bytes") : "", "; at most ",
                       human_bytes(static_cast<double>(decoded_limit)),
                       " are decoded: shrink the image or cut it into tiles"));
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

DecodedImage decode_image(const std::string& file, std::string_view bytes) {
  switch (kind_of(file, bytes)) {
    case FileKind::png: return decode_png(file, bytes);
    case FileKind::jpeg:
      return {.image = decode_jpeg(file, bytes), .indices = {}, .palette = {}, .lossy = true};
    case FileKind::tiff: return decode_tiff(file, bytes);
    case FileKind::bmp: return decode_bmp(file, bytes);
    case FileKind::gif: return decode_gif(file, bytes);
    case FileKind::arrays: break;
  }
  throw_internal("arrays are no image bytes");
}

ImageSize image_size(const std::string& file, std::string_view bytes) {
  switch (kind_of(file, bytes)) {
    case FileKind::png: return png_size(file, bytes);
    case FileKind::jpeg: return jpeg_size(file, bytes);
    case FileKind::tiff: return tiff_size(file, bytes);
    case FileKind::bmp: return bmp_size(file, bytes);
    case FileKind::gif: return gif_size(file, bytes);
    case FileKind::arrays: break;
  }
  throw_internal("arrays are no image bytes");
}

Image read_image(const ImageSource& source) {
  if (source.pack) return source.pack->image(source.array);
  const std::string start = read_start(source.file, start_bytes);
  if (array_file_kind(start) != ArrayFile::none) return read_array_image(source);
  return decode_image(source.name(), read_file(source.file, file_limit)).image;
}

/// The size stands near the beginning, but in TIFF, and in files with much before it.
ImageSize read_image_size(const ImageSource& source) {
  if (source.pack) return source.pack->size(source.array);
  const std::string file = source.name();
  const std::string start = read_start(source.file, start_bytes);
  const FileKind kind = kind_of(file, start);
  if (kind == FileKind::arrays) return read_array_size(source);
  if (kind != FileKind::tiff) {
    try {
      return image_size(file, start);
    } catch (const Error&) {
      if (start.size() < start_bytes) throw;
    }
  }
  return image_size(file, read_file(source.file, file_limit));
}

Image oriented(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const bool swapped = orientation >= 5;
  Image out = image;
  if (swapped) std::swap(out.width, out.height);
  const std::size_t pixel =
      image.bytes.size() / static_cast<std::size_t>(image.width * image.height);
  for (std::int64_t y = 0; y < out.height; ++y) {
    for (std::int64_t x = 0; x < out.width; ++x) {
      // Where the pixel at (x, y) of the upright image is stored.
      std::int64_t from_x = swapped ? y : x;
      std::int64_t from_y = swapped ? x : y;
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8) {
        from_x = image.width - 1 - from_x;
      }
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) {
        from_y = image.height - 1 - from_y;
      }
      const auto to = static_cast<std::size_t>(y * out.width + x) * pixel;
      const auto from = static_cast<std::size_t>(from_y * image.width + from_x) * pixel;
      std::memcpy(&out.bytes[to], &image.bytes[from], pixel);
    }
  }
  return out;
}

void expand_palette(const std::string& file, Image indices, DecodedImage& out) {
  out.image = {.width = indices.width, .height = indices.height, .channels = 3, .bytes = {}};
  out.indices = std::move(indices.bytes);
  out.image.bytes.resize(out.indices.size() * 3);
  for (std::size_t i = 0; i < out.indices.size(); ++i) {
    if (out.indices[i] >= out.palette.size()) {
      throw_failure(concat(file, ": is broken: a pixel names colour ", int{out.indices[i]},
                           " of a palette of ", out.palette.size()));
    }
    const Color& color = out.palette[out.indices[i]];
    std::copy(color.begin(), color.end(),
              out.image.bytes.begin() + static_cast<std::ptrdiff_t>(3 * i));
  }
}

}  // namespace medurwkv::data
