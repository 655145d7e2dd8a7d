// The decoders behind read_image, each over bytes in memory. Relies on data/image.h.
#pragma once

#include <array>
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

/// No image file that is read whole is larger.
inline constexpr std::uint64_t file_limit = std::uint64_t{1} << 30;

/// More pixels than this are refused before anything is allocated.
inline constexpr std::int64_t pixel_limit = std::int64_t{1} << 28;

/// Throws Error when a side is not positive or the image is larger than pixel_limit.
void check_size(const std::string& file, std::int64_t width, std::int64_t height);

/// Throws Error when `most` pixels are the most that the file's bytes can hold and it claims more,
/// so that a small file cannot ask for much memory.
void check_claim(const std::string& file, ImageSize claimed, std::int64_t most);

using Color = std::array<std::uint8_t, 3>;

/// A decoded PNG; for palette images the indices are kept beside the colours.
struct DecodedPng {
  Image image;                        ///< gray or RGB, 8 or 16 bit; palette expanded, alpha dropped
  std::vector<std::uint8_t> indices;  ///< one per pixel when the file has a palette, else empty
  std::vector<Color> palette;         ///< empty when the file has none
};

DecodedPng decode_png(const std::string& file, std::string_view bytes);
ImageSize png_size(const std::string& file, std::string_view bytes);

/// EXIF orientation is applied. CMYK is refused.
Image decode_jpeg(const std::string& file, std::string_view bytes);
ImageSize jpeg_size(const std::string& file, std::string_view bytes);

/// A mask's pixels before they mean anything.
struct MaskPixels {
  std::int64_t width = 0;
  std::int64_t height = 0;
  /// Palette indices where the file has a coloured palette, else gray values (of a colour image
  /// whose channels agree); empty for an image with colours.
  std::vector<std::uint8_t> values;
  std::vector<Color> palette;         ///< of a file with palette, coloured or gray
  std::vector<std::uint8_t> indices;  ///< with `palette`: one per pixel
  std::vector<std::uint8_t> colors;   ///< red, green, blue per pixel of an image with colours
  bool lossy = false;                 ///< JPEG: colours are near what was meant

  [[nodiscard]] bool colored_palette() const;
};
MaskPixels read_mask(const ImageSource& source);

}  // namespace medurwkv::data
