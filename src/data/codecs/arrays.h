// Files of arrays: .npy (one), .npz and HDF5 (several, by name). HDF5 is read by
// libmedurwkv_h5.so, opened when the first such file is. Relies on core/npy.h and core/zip.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/npy.h"
#include "data/codecs/read.h"
#include "data/image/image.h"

namespace medurwkv::data {

enum class ArrayFile { none, npy, npz, h5 };

/// By the first bytes of a file.
ArrayFile array_file_kind(std::string_view start);

/// An array without its elements.
struct ArrayInfo {
  std::string name;  ///< empty in an .npy
  NpyType type = NpyType::f32;
  Shape shape;
  std::int64_t working = 0;  ///< bytes that its library takes to read it, beside its elements
};

/// What a file of arrays holds, by name; arrays of other types than numbers are left out. Throws
/// Error naming the file when it is none or broken, or when it is HDF5 and the library for that is
/// not there.
std::vector<ArrayInfo> list_arrays(const std::filesystem::path& file);

/// The array called image (or img), or label (or mask, gt, seg); null when there is none.
const ArrayInfo* find_image(const std::vector<ArrayInfo>& arrays);
const ArrayInfo* find_label(const std::vector<ArrayInfo>& arrays);

/// How an array lies in pictures: one of `channels`, or `slices` of them.
struct ArrayPictures {
  ImageSize size{};
  std::int64_t channels = 1;
  std::optional<std::int64_t> slices{};  ///< none: one picture
  bool channels_first = false;
};
/// What a shape alone says: rows x columns, rows x columns x channels (up to 4), slices x rows x
/// columns. Throws Error naming `what` for other shapes.
ArrayPictures pictures_of(const std::string& what, const Shape& shape);

/// An image and the label beside it. The label's shape decides: where it is rows x columns, a third
/// axis of the image are its channels, first or last; where it is that of the image, both are
/// slices.
struct PairedPictures {
  ArrayPictures image, label;
};
/// Throws Error naming `what` where the two do not fit.
PairedPictures paired_pictures(const std::string& what, const Shape& image, const Shape& label);

/// What an array without a partner is read for: 3 x rows x columns are the colours of an image, but
/// 3 slices of a mask.
enum class ArrayUse { image, mask };

/// The picture that the source names. uint8 and uint16 stay, other types become float32. Throws
/// Error naming the source when there is none, when it is too large or not finite.
Image read_array_image(const ImageSource& source, ArrayUse use = ArrayUse::image);
ImageSize read_array_size(const ImageSource& source);
std::int64_t read_array_channels(const ImageSource& source);

}  // namespace medurwkv::data
