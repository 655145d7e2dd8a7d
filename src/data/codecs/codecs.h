// The decoders behind read_image, each over bytes in memory. Relies on data/codecs/read.h.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/memory.h"
#include "data/codecs/file_bytes.h"
#include "data/codecs/image_rows.h"
#include "data/codecs/read.h"
#include "data/image/image.h"

namespace medurwkv::data {

/// What the first bytes of a file say it is. `arrays` are .npy, .npz and HDF5
/// (data/codecs/arrays.h).
enum class FileKind { png, jpeg, tiff, bmp, gif, webp, jpeg2000, pnm, arrays };

/// None where the bytes begin like none of these kinds; 16 bytes are enough to tell.
std::optional<FileKind> known_kind(std::string_view bytes);

/// Throws Error for an empty file, a Git LFS pointer, formats that are known but not read, each by
/// its name, and for anything else.
FileKind kind_of(const std::string& file, std::string_view bytes);

/// Image files of more bytes are refused.
inline constexpr std::uint64_t file_limit = std::uint64_t{1} << 30;

/// An image of more decoded bytes is refused before anything is allocated (16384 x 16384 in RGB
/// takes 805 MB).
inline constexpr std::int64_t decoded_limit = std::int64_t{1} << 30;

/// Throws Error when a side is not positive or the image takes more than decoded_limit.
void check_size(const std::string& file, std::int64_t width, std::int64_t height,
                std::int64_t bytes_per_pixel);

/// A side of an image that is read by rows is at most this.
inline constexpr std::int64_t longest_side = std::int64_t{1} << 20;

/// Throws Error for an image that cannot be read by rows: a side is not positive or too long, or
/// the file cannot hold so many pixels.
void check_rows(const std::string& file, ImageSize size, std::int64_t most);

/// What a decoder is about to allocate for the pixels that a file claims.
struct PixelClaim {
  ImageSize size{};
  /// Bytes of memory per pixel at the most, everything counted: the image, its palette's indices, a
  /// copy that is turned upright, what the library keeps.
  std::int64_t bytes_per_pixel = 0;
  /// The most pixels that the file's bytes can hold in its coding; where a coding has no such bound
  /// its memory alone is bounded.
  std::int64_t most = any_pixels;

  static constexpr std::int64_t any_pixels = std::int64_t{1} << 62;
};

/// Every decoder makes this claim before it allocates, and holds it until the image is made. Throws
/// Error when the file claims more pixels than it can hold or more memory than is left
/// (core/memory.h).
[[nodiscard]] MemoryClaim claim_pixels(const std::string& file, const PixelClaim& claim);

/// An image of more channels is refused.
inline constexpr std::int64_t most_channels = 64;

/// A decoded file; for palette images the indices are kept beside the colours.
struct DecodedImage {
  Image image{};                        ///< palette expanded, alpha dropped
  std::vector<std::uint8_t> indices{};  ///< one per pixel when the file has a palette, else empty
  std::vector<Color> palette{};         ///< empty when the file has none
  bool lossy = false;         ///< JPEG and the like: values are near those that were stored
  bool alpha_varies = false;  ///< the alpha channel that was dropped has more than one value
};

/// Throws Error for floats that are not finite.
void check_finite(const std::string& file, const Image& image);

/// Drops the last channel of `out.image`, which is alpha.
void drop_alpha(DecodedImage& out);

/// A sample of 0 to `most` (at most 65535) stored at `index` of the image's bytes: spread over
/// 0..255 (u8) or 0..65535 (u16) and rounded.
void store_spread(Image& image, std::size_t index, std::uint32_t value, std::uint32_t most);

/// Orientation 1..8 from an EXIF block ("Exif", two zeros, a TIFF), 1 when it says nothing.
int exif_orientation(std::string_view block);

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
/// Null where the file is interlaced.
std::unique_ptr<ImageRows> png_rows(const std::string& file, FileBytes bytes);

/// EXIF orientation is applied. CMYK is refused.
Image decode_jpeg(const std::string& file, std::string_view bytes);
ImageSize jpeg_size(const std::string& file, std::string_view bytes);

/// The first picture of a file that holds one of full size (masks and reduced copies beside it are
/// passed); its orientation is applied. Every sample is a channel, but those that the file calls
/// alpha, and a single one behind gray or RGB of which it says nothing. Throws Error for several
/// pages.
DecodedImage decode_tiff(const std::string& file, std::string_view bytes);
ImageSize tiff_size(const std::string& file, std::string_view bytes);
/// Null where the picture is stored turned, or in colours that libtiff converts (YCbCr that is not
/// JPEG).
std::unique_ptr<ImageRows> tiff_rows(const std::string& file, FileBytes bytes);

/// 1, 4, 8, 16, 24 and 32 bits, with or without run lengths.
DecodedImage decode_bmp(const std::string& file, std::string_view bytes);
ImageSize bmp_size(const std::string& file, std::string_view bytes);

/// The one picture of a file. Throws Error for an animation.
DecodedImage decode_gif(const std::string& file, std::string_view bytes);
ImageSize gif_size(const std::string& file, std::string_view bytes);

/// EXIF orientation is applied. Throws Error for an animation.
DecodedImage decode_webp(const std::string& file, std::string_view bytes);
ImageSize webp_size(const std::string& file, std::string_view bytes);

/// .jp2 or a bare codestream, gray or RGB, up to 16 bits. Samples of another depth than 8 and 16
/// bits are spread over the next of these. Throws Error for a palette, and for components that are
/// signed or smaller than the image.
DecodedImage decode_jpeg2000(const std::string& file, std::string_view bytes);
ImageSize jpeg2000_size(const std::string& file, std::string_view bytes);
/// The samples of a bare codestream as they are, with a sign or without, channels innermost. Throws
/// Error where it has another size or number of components.
std::vector<std::int32_t> decode_codestream(const std::string& file, std::string_view bytes,
                                            ImageSize size, std::int64_t channels);

/// A slice of a volume of DICOM. Measured values (CT, MR, PET, NM) come as the file's slope and
/// intercept give them, as floats. Shades come as they are to be shown: through the file's tables
/// and its first window, MONOCHROME1 turned, spread over 8 or 16 bits; palettes and YBR as RGB.
Image dicom_slice(const Volume& volume, std::int64_t slice);

/// PBM, PGM and PPM, plain and raw, and PAM; samples of 0 to the file's largest value are spread
/// over 8 or 16 bits. Throws Error for several pictures.
DecodedImage decode_pnm(const std::string& file, std::string_view bytes);
ImageSize pnm_size(const std::string& file, std::string_view bytes);

}  // namespace medurwkv::data
