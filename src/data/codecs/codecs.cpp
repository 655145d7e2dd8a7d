#include "data/codecs/codecs.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::data {
namespace {

struct Magic {
  std::string_view bytes;
  const char* name;
};

using namespace std::string_view_literals;

/// Formats people hand us that are not read.
constexpr std::array<Magic, 10> refused{{{"RIFF"sv, "AVI or WAV"},
                                         {"\x1f\x8b"sv, "gzip"},
                                         {"\0\0\0\x0cJXL "sv, "JPEG XL"},
                                         {"\xff\x0a"sv, "JPEG XL"},
                                         {"8BPS"sv, "Photoshop"},
                                         {"\x76\x2f\x31\x01"sv, "OpenEXR"},
                                         {"NRRD"sv, "NRRD"},
                                         {"%PDF"sv, "PDF"},
                                         {"<"sv, "XML or HTML"},
                                         {"{"sv, "JSON"}}};

struct Known {
  std::string_view bytes;
  FileKind kind;
};

constexpr std::array<Known, 14> known_kinds{{{"\x89PNG\r\n\x1a\n"sv, FileKind::png},
                                             {"\xff\xd8\xff"sv, FileKind::jpeg},
                                             {"II*\0"sv, FileKind::tiff},
                                             {"MM\0*"sv, FileKind::tiff},
                                             {"II+\0"sv, FileKind::tiff},
                                             {"MM\0+"sv, FileKind::tiff},
                                             {"BM"sv, FileKind::bmp},
                                             {"GIF87a"sv, FileKind::gif},
                                             {"GIF89a"sv, FileKind::gif},
                                             {"\0\0\0\x0cjP  \r\n\x87\n"sv, FileKind::jpeg2000},
                                             {"\xff\x4f\xff\x51"sv, FileKind::jpeg2000},
                                             {"\x93NUMPY"sv, FileKind::arrays},
                                             {"PK\3\4"sv, FileKind::arrays},
                                             {"\x89HDF\r\n\x1a\n"sv, FileKind::arrays}}};

/// Formats that are known but not read, by a mark behind their first bytes; none: null.
const char* marked_later(std::string_view start) {
  const auto has = [&](std::size_t at, std::string_view mark) {
    return start.size() >= at + mark.size() && start.substr(at, mark.size()) == mark;
  };
  if (has(128, "DICM")) return "DICOM";
  if (has(4, "ftyp")) return "HEIC, AVIF or a film";
  if (has(344, "n+1\0"sv) || has(344, "ni1\0"sv)) return "NIfTI";
  return nullptr;
}

bool is_webp(std::string_view start) {
  return start.size() >= 12 && start.starts_with("RIFF") && start.substr(8, 4) == "WEBP";
}

/// P1 to P7 and what ends a word, so that a text is not taken for an image.
bool is_pnm(std::string_view start) {
  return start.size() >= 3 && start[0] == 'P' && start[1] >= '1' && start[1] <= '7' &&
         (start[2] == '#' || std::isspace(static_cast<unsigned char>(start[2])) != 0);
}

}  // namespace

std::optional<FileKind> known_kind(std::string_view bytes) {
  for (const Known& one : known_kinds) {
    if (bytes.starts_with(one.bytes)) return one.kind;
  }
  if (is_webp(bytes)) return FileKind::webp;
  if (is_pnm(bytes)) return FileKind::pnm;
  return std::nullopt;
}

FileKind kind_of(const std::string& file, std::string_view bytes) {
  if (bytes.empty()) throw_failure(concat(file, ": is empty"));
  if (bytes.starts_with("version https://git-lfs.github.com/spec")) {
    throw_failure(concat(file,
                         ": is a Git LFS pointer, not an image; run `git lfs pull` in its "
                         "repository"));
  }
  if (const auto kind = known_kind(bytes)) return *kind;
  if (const char* name = marked_later(bytes)) {
    throw_failure(concat(file, ": holds ", name, ", which is not read; export it as PNG or TIFF"));
  }
  for (const Magic& magic : refused) {
    if (bytes.starts_with(magic.bytes)) {
      throw_failure(concat(file, ": holds ", magic.name, ", which is not read; convert it to PNG"));
    }
  }
  throw_failure(concat(file,
                       ": is not an image that is read (PNG, JPEG, JPEG 2000, TIFF, BMP, GIF, "
                       "WebP, PNM, .npy, .npz, HDF5)"));
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

namespace {

void refuse_more_pixels(const std::string& file, ImageSize size, std::int64_t most) {
  if (size.width * size.height <= most) return;
  throw_failure(concat(file, ": claims ", size.width, " x ", size.height,
                       " pixels, more than a file of its size can hold"));
}

}  // namespace

void check_rows(const std::string& file, ImageSize size, std::int64_t most) {
  const auto is_side = [](std::int64_t side) { return side > 0 && side <= longest_side; };
  if (!is_side(size.width) || !is_side(size.height)) {
    throw_failure(concat(file, ": claims ", size.width, " x ", size.height, " pixels; at most ",
                         longest_side, " a side are read"));
  }
  refuse_more_pixels(file, size, most);
}

MemoryClaim claim_pixels(const std::string& file, const PixelClaim& claim) {
  refuse_more_pixels(file, claim.size, claim.most);
  return {file, claim.size.width * claim.size.height * claim.bytes_per_pixel};
}

DecodedImage decode_image(const std::string& file, std::string_view bytes) {
  switch (kind_of(file, bytes)) {
    case FileKind::png: return decode_png(file, bytes);
    case FileKind::jpeg: return {.image = decode_jpeg(file, bytes), .lossy = true};
    case FileKind::tiff: return decode_tiff(file, bytes);
    case FileKind::bmp: return decode_bmp(file, bytes);
    case FileKind::gif: return decode_gif(file, bytes);
    case FileKind::webp: return decode_webp(file, bytes);
    case FileKind::jpeg2000: return decode_jpeg2000(file, bytes);
    case FileKind::pnm: return decode_pnm(file, bytes);
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
    case FileKind::webp: return webp_size(file, bytes);
    case FileKind::jpeg2000: return jpeg2000_size(file, bytes);
    case FileKind::pnm: return pnm_size(file, bytes);
    case FileKind::arrays: break;
  }
  throw_internal("arrays are no image bytes");
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

void check_finite(const std::string& file, const Image& image) {
  if (image.type != SampleType::f32) return;
  for (std::size_t at = 0; at < image.bytes.size(); at += sizeof(float)) {
    float sample = 0;
    std::memcpy(&sample, &image.bytes[at], sizeof(sample));
    if (!std::isfinite(sample)) throw_failure(concat(file, ": holds values that are not finite"));
  }
}

void drop_alpha(DecodedImage& out) {
  Image& image = out.image;
  const std::size_t pixel =
      image.bytes.size() / static_cast<std::size_t>(image.width * image.height);
  const std::size_t sample = pixel / static_cast<std::size_t>(image.channels);
  const std::size_t kept = pixel - sample;
  const std::vector<unsigned char> first(image.bytes.begin() + static_cast<std::ptrdiff_t>(kept),
                                         image.bytes.begin() + static_cast<std::ptrdiff_t>(pixel));
  unsigned char* to = image.bytes.data();
  const unsigned char* end = to + image.bytes.size();
  for (const unsigned char* from = to; from != end; from += pixel, to += kept) {
    out.alpha_varies |= std::memcmp(from + kept, first.data(), sample) != 0;
    std::memmove(to, from, kept);
  }
  image.bytes.resize(image.bytes.size() / pixel * kept);
  --image.channels;
}

void store_spread(Image& image, std::size_t index, std::uint32_t value, std::uint32_t most) {
  if (image.type == SampleType::u8) {
    image.bytes[index] = static_cast<unsigned char>((value * 255 + most / 2) / most);
    return;
  }
  const auto wide = static_cast<std::uint16_t>((std::uint64_t{value} * 65535 + most / 2) / most);
  std::memcpy(&image.bytes[2 * index], &wide, sizeof(wide));
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
