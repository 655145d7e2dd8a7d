// .npz and HDF5 files with an image and its label, as the published packs hold them. HDF5 files are
// written by HDF5 itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#ifdef MEDURWKV_H5
#include <hdf5.h>
#endif

#include "core/files.h"
#include "core/npy.h"
#include "support/zip_by_hand.h"

namespace medurwkv::test {

/// Row-major elements under a name.
template <class Number>
struct NamedArray {
  std::string name;
  Shape shape;
  std::vector<Number> values;
};

template <class Number>
constexpr NpyType npy_type() {
  if constexpr (std::is_same_v<Number, float>) return NpyType::f32;
  if constexpr (std::is_same_v<Number, std::uint8_t>) return NpyType::u8;
  if constexpr (std::is_same_v<Number, std::int64_t>) return NpyType::i64;
  return NpyType::f64;
}

template <class Number>
std::string npy_bytes(const NamedArray<Number>& array) {
  return npy_header(npy_type<Number>(), array.shape) +
         std::string(as_text(std::span<const Number>(array.values)));
}

template <class Image, class Label>
std::string npz_bytes(const NamedArray<Image>& image, const NamedArray<Label>& label,
                      bool deflate = true) {
  return make_zip({{.name = image.name + ".npy", .content = npy_bytes(image), .deflate = deflate},
                   {.name = label.name + ".npy", .content = npy_bytes(label), .deflate = deflate}})
      .bytes;
}

inline void write_in_folder(const std::filesystem::path& file, const std::string& bytes) {
  std::filesystem::create_directories(file.parent_path());
  write_file(file, bytes);
}

#ifdef MEDURWKV_H5
template <class Number>
void add_h5_array(hid_t file, const NamedArray<Number>& array) {
  const hid_t type = std::is_same_v<Number, float>          ? H5T_NATIVE_FLOAT
                     : std::is_same_v<Number, std::uint8_t> ? H5T_NATIVE_UINT8
                                                            : H5T_NATIVE_INT64;
  std::vector<hsize_t> shape(array.shape.begin(), array.shape.end());
  const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(properties, static_cast<int>(shape.size()), shape.data());
  H5Pset_deflate(properties, 4);
  const hid_t one =
      H5Dcreate2(file, array.name.c_str(), type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  H5Dwrite(one, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.values.data());
  H5Dclose(one);
  H5Pclose(properties);
  H5Sclose(space);
}

template <class... Arrays>
void write_h5(const std::filesystem::path& path, const Arrays&... arrays) {
  std::filesystem::create_directories(path.parent_path());
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  (add_h5_array(file, arrays), ...);
  H5Fclose(file);
}
#endif

}  // namespace medurwkv::test
