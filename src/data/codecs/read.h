// Pixels from where they are stored: images and masks out of files, arrays and packs. Relies on
// data/image/image.h.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/model_description.h"
#include "data/image/image.h"
#include "data/volumes/volume.h"

namespace medurwkv::data {

/// Decoded images and label maps of many cases in one file, by the case's id (a pack). Every call
/// is safe from any thread, and throws Error naming what cannot be read.
class PixelStore {
 public:
  PixelStore() = default;
  PixelStore(const PixelStore&) = delete;
  PixelStore& operator=(const PixelStore&) = delete;
  PixelStore(PixelStore&&) = delete;
  PixelStore& operator=(PixelStore&&) = delete;
  virtual ~PixelStore() = default;

  [[nodiscard]] virtual Image image(const std::string& id) const = 0;
  [[nodiscard]] virtual LabelMap labels(const std::string& id) const = 0;
  [[nodiscard]] virtual ImageSize size(const std::string& id) const = 0;
  [[nodiscard]] virtual std::int64_t channels(const std::string& id) const = 0;
  /// The ids of the volume of which this one is a slice, in the order of slices; itself alone where
  /// it is none.
  [[nodiscard]] virtual std::vector<std::string> slices_beside(const std::string& id) const {
    return {id};
  }
};

/// Where an image's or a mask's pixels are: a file, one array of a file (.npz, .h5), one slice of a
/// volume, or a store.
struct ImageSource {
  std::filesystem::path file;
  std::string array{};                  ///< its name in a .npz or .h5; empty in other files
  std::optional<std::int64_t> slice{};  ///< along the first axis of a volume
  std::uint8_t class_index = 0;         ///< of a mask that holds one class alone, else 0
  /// Where the file is a pack, a zip or one of outlines; `array` is then the id in it.
  std::shared_ptr<const PixelStore> store{};
  std::shared_ptr<const Volume> volume{};  ///< of a slice, where its header was read before

  /// Whether the file holds others beside it.
  [[nodiscard]] bool is_part() const { return !array.empty() || slice.has_value(); }
  /// For messages: the file, the array, the slice.
  [[nodiscard]] std::string name() const;
  /// The file; of a series of DICOM all its files.
  [[nodiscard]] std::vector<std::filesystem::path> files() const;
  bool operator==(const ImageSource&) const = default;
};

/// The SHA-256 of a file; of several the SHA-256 of theirs, one behind the other.
std::string sha256_of(const std::vector<std::filesystem::path>& files);

/// Whether the source is a volume's slice, or a file that holds one slice alone.
bool is_of_volume(const ImageSource& source);
/// The volume of a source, its slice checked. Throws Error naming the source.
Volume volume_of(const ImageSource& source);
Image read_volume_image(const ImageSource& source);

/// Decodes by the file's content, not its suffix. Throws Error naming the file and the reason.
Image read_image(const ImageSource& source);
Image read_image(const std::filesystem::path& path);
/// An image and the SHA-256 of its file, whose bytes are read once.
struct HashedImage {
  Image image;
  std::string sha256;  ///< of the whole file, also where the image is one of many in it
};
/// Throws Error as read_image. Of a pack the hash is empty.
HashedImage read_hashed(const ImageSource& source);
/// Width and height without decoding the pixels.
ImageSize read_image_size(const ImageSource& source);
ImageSize read_image_size(const std::filesystem::path& path);

using Color = std::array<std::uint8_t, 3>;

/// A mask's pixels before its encoding is known.
struct MaskPixels {
  std::int64_t width = 0;
  std::int64_t height = 0;
  /// Palette indices where the file has a coloured palette, else gray values (of a colour image
  /// whose channels agree); empty for an image with colours.
  std::vector<std::uint8_t> values;
  std::vector<Color> palette;         ///< of a file with palette, coloured or gray
  std::vector<std::uint8_t> indices;  ///< with `palette`: one per pixel
  std::vector<std::uint8_t> colors;   ///< red, green, blue per pixel of an image with colours
  bool lossy = false;                 ///< JPEG and the like: colours are near what was meant
  /// The largest value of a mask of 16 bits, in which those above 255 became shades.
  std::uint16_t largest = 0;
  std::vector<std::uint16_t> wide{};  ///< those values as they were; empty of 8 bits and of colours

  [[nodiscard]] bool colored_palette() const;
};
MaskPixels read_mask(const ImageSource& source);

/// What a PNG is made for.
enum class Packing {
  small,  ///< libpng's defaults
  fast,   ///< pictures that are written again and again: a fraction of the time, somewhat larger
};

/// Gray (1 channel) or RGB (3 channels) of 8 or 16 bits as PNG bytes.
std::string encode_png(const Image& image, Packing packing = Packing::small);
/// Class indices as a palette PNG whose palette holds the class colours (pixel value = class
/// index).
std::string encode_png(const LabelMap& labels, const std::vector<ClassInfo>& classes);

}  // namespace medurwkv::data
