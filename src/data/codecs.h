// The decoders behind read_image, each over bytes in memory. Relies on data/image.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/image.h"

namespace medurwkv::data {

/// What the first bytes of a file say it is.
enum class FileKind { png, jpeg, other };

/// Throws Error for an empty file, a Git LFS pointer, and formats that are known but not read yet,
/// each by its name.
FileKind kind_of(const std::string& file, std::string_view bytes);

/// More pixels than this are refused before anything is allocated.
inline constexpr std::int64_t pixel_limit = std::int64_t{1} << 28;

/// Throws Error when a side is not positive or the image is larger than pixel_limit.
void check_size(const std::string& file, std::int64_t width, std::int64_t height);

/// Throws Error when `most` pixels are the most that the file's bytes can hold and it claims more,
/// so that a small file cannot ask for much memory.
void check_claim(const std::string& file, ImageSize claimed, std::int64_t most);

/// A decoded PNG; for palette images the indices are kept beside the colours.
struct DecodedPng {
  Image image;                        ///< gray or RGB, 8 or 16 bit; palette expanded, alpha dropped
  std::vector<std::uint8_t> indices;  ///< one per pixel when the file has a palette, else empty
  bool colored_palette = false;       ///< the palette has a colour with unequal red, green, blue
};

DecodedPng decode_png(const std::string& file, std::string_view bytes);
ImageSize png_size(const std::string& file, std::string_view bytes);

/// EXIF orientation is applied. CMYK is refused.
Image decode_jpeg(const std::string& file, std::string_view bytes);
ImageSize jpeg_size(const std::string& file, std::string_view bytes);

/// A mask's raw values: palette indices where the file has a coloured palette, else gray values (of
/// a colour image whose channels agree). Throws Error for a mask with colours.
struct MaskValues {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::vector<std::uint8_t> values;
};
MaskValues read_mask_values(const std::filesystem::path& path);

}  // namespace medurwkv::data
