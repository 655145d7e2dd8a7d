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
#include "data/image.h"

namespace medurwkv::data {

enum class ArrayFile { none, npy, npz, h5 };

/// By the first bytes of a file.
ArrayFile array_file_kind(std::string_view start);

/// An array without its elements.
struct ArrayInfo {
  std::string name;  ///< empty in an .npy
  NpyType type = NpyType::f32;
  Shape shape;
};

/// What a file of arrays holds, by name; arrays of other types than numbers are left out. Throws
/// Error naming the file when it is none or broken, or when it is HDF5 and the library for that is
/// not there.
std::vector<ArrayInfo> list_arrays(const std::filesystem::path& file);

/// How an array lies in pictures: one of `channels`, or `slices` of them.
struct ArrayPictures {
  ImageSize size;
  std::int64_t channels = 1;
  std::optional<std::int64_t> slices;  ///< none: one picture
};
/// rows x columns, rows x columns x channels (up to 4), slices x rows x columns. Throws Error
/// naming `what` for other shapes.
ArrayPictures pictures_of(const std::string& what, const Shape& shape);

/// The picture that the source names. uint8 and uint16 stay, other types become float32. Throws
/// Error naming the source when there is none, when it is too large or not finite.
Image read_array_image(const ImageSource& source);
ImageSize read_array_size(const ImageSource& source);

}  // namespace medurwkv::data
