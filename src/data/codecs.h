// The decoders behind read_image, each over bytes in memory. Relies on data/image.h.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/image.h"

namespace medurwkv::data {

/// What the first bytes of a file say it is. `arrays` are .npy, .npz and HDF5 (data/arrays.h).
enum class FileKind { png, jpeg, tiff, bmp, gif, arrays };

/// Throws Error for an empty file, a Git LFS pointer, formats that are known but not read, each by
/// its name, and for anything else.
FileKind kind_of(const std::string& file, std::string_view bytes);

/// No image file that is read whole is larger.
inline constexpr std::uint64_t file_limit = std::uint64_t{1} << 30;

/// An image of more decoded bytes is refused before anything is allocated (16384 x 16384 in RGB
/// takes 805 MB).
inline constexpr std::int64_t decoded_limit = std::int64_t{1} << 30;

/// Throws Error when a side is not positive or the image takes more than decoded_limit.
void check_size(const std::string& file, std::int64_t width, std::int64_t height,
                std::int64_t bytes_per_pixel);

/// Throws Error when `most` pixels are the most that the file's bytes can hold and it claims more,
/// so that a small file cannot ask for much memory.
void check_claim(const std::string& file, ImageSize claimed, std::int64_t most);

using Color = std::array<std::uint8_t, 3>;

/// A decoded file; for palette images the indices are kept beside the colours.
struct DecodedImage {
  Image image;                        ///< gray or RGB, 8 or 16 bit; palette expanded, alpha dropped
  std::vector<std::uint8_t> indices;  ///< one per pixel when the file has a palette, else empty
  std::vector<Color> palette;         ///< empty when the file has none
  bool lossy = false;                 ///< JPEG
};

/// The image turned as EXIF's or TIFF's orientation 1..8 says it is to be seen.
Image oriented(Image image, int orientation);

/// Indices of `out.palette` as colours, kept beside them. Throws Error for one beyond the palette.
void expand_palette(const std::string& file, Image indices, DecodedImage& out);

/// Decodes bytes of any image format but arrays.
DecodedImage decode_image(const std::string& file, std::string_view bytes);
/// The size from a file's bytes, without its pixels.
ImageSize image_size(const std::string& file, std::string_view bytes);

DecodedImage decode_png(const std::string& file, std::string_view bytes);
ImageSize png_size(const std::string& file, std::string_view bytes);

/// EXIF orientation is applied. CMYK is refused.
Image decode_jpeg(const std::string& file, std::string_view bytes);
ImageSize jpeg_size(const std::string& file, std::string_view bytes);

/// The first picture of a file that holds one of full size (masks and reduced copies beside it are
/// passed); its orientation is applied. Throws Error for several pages.
DecodedImage decode_tiff(const std::string& file, std::string_view bytes);
ImageSize tiff_size(const std::string& file, std::string_view bytes);

/// 1, 4, 8, 16, 24 and 32 bits, with or without run lengths.
DecodedImage decode_bmp(const std::string& file, std::string_view bytes);
ImageSize bmp_size(const std::string& file, std::string_view bytes);

/// The one picture of a file. Throws Error for an animation.
DecodedImage decode_gif(const std::string& file, std::string_view bytes);
ImageSize gif_size(const std::string& file, std::string_view bytes);

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
