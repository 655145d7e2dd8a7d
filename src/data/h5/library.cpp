// libmedurwkv_h5.so: arrays out of HDF5 files, as TransUNet and SSL4MIS pack them. Everything that
// HDF5 could be led to by a file is off: no external links are followed, no plugins are loaded.
#include <hdf5.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "data/h5/entry.h"

namespace {

/// A file of ours has a handful of arrays of a few axes.
constexpr int highest_rank = 8;

/// An HDF5 identifier, closed at the end. Throws when it is none.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle(hid_t id, Close close, const char* what) : id_(id), close_(close) {
    if (id < 0) throw std::runtime_error(what);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  Handle(Handle&&) = delete;
  Handle& operator=(Handle&&) = delete;
  ~Handle() { close_(id_); }
  [[nodiscard]] hid_t get() const { return id_; }

 private:
  hid_t id_;
  Close close_;
};

/// HDF5's own lock is not built everywhere.
std::mutex& lock() {
  static std::mutex one;
  return one;
}

Handle open_file(const char* file) {
  static_cast<void>(H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr));
  static_cast<void>(H5PLset_loading_state(0));
  return {H5Fopen(file, H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, "is broken or no HDF5 file"};
}

MedurwkvH5Type type_of(hid_t dataset) {
  const Handle type(H5Dget_type(dataset), H5Tclose, "an array has no type");
  const std::size_t size = H5Tget_size(type.get());
  const H5T_class_t kind = H5Tget_class(type.get());
  if (kind == H5T_FLOAT && size == 4) return medurwkv_h5_f32;
  if (kind == H5T_FLOAT && size == 8) return medurwkv_h5_f64;
  if (kind != H5T_INTEGER) return medurwkv_h5_other;
  const bool negative = H5Tget_sign(type.get()) == H5T_SGN_2;
  switch (size) {
    case 1: return negative ? medurwkv_h5_i8 : medurwkv_h5_u8;
    case 2: return negative ? medurwkv_h5_i16 : medurwkv_h5_u16;
    case 4: return negative ? medurwkv_h5_i32 : medurwkv_h5_u32;
    case 8: return negative ? medurwkv_h5_i64 : medurwkv_h5_other;
    default: return medurwkv_h5_other;
  }
}

/// The type in memory.
hid_t native_of(MedurwkvH5Type type) {
  switch (type) {
    case medurwkv_h5_u8: return H5T_NATIVE_UINT8;
    case medurwkv_h5_u16: return H5T_NATIVE_UINT16;
    case medurwkv_h5_u32: return H5T_NATIVE_UINT32;
    case medurwkv_h5_i8: return H5T_NATIVE_INT8;
    case medurwkv_h5_i16: return H5T_NATIVE_INT16;
    case medurwkv_h5_i32: return H5T_NATIVE_INT32;
    case medurwkv_h5_i64: return H5T_NATIVE_INT64;
    case medurwkv_h5_f32: return H5T_NATIVE_FLOAT;
    case medurwkv_h5_f64: return H5T_NATIVE_DOUBLE;
    case medurwkv_h5_other: break;
  }
  throw std::runtime_error("the array's elements are neither whole numbers nor float32 or float64");
}

std::vector<hsize_t> shape_of(hid_t space) {
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0 || rank > highest_rank) throw std::runtime_error("an array has more than 8 axes");
  std::vector<hsize_t> shape(static_cast<std::size_t>(rank));
  if (rank > 0) H5Sget_simple_extent_dims(space, shape.data(), nullptr);
  return shape;
}

/// Names of the hard links of the root group that are arrays.
std::vector<std::string> array_names(hid_t file) {
  H5G_info_t group{};
  if (H5Gget_info(file, &group) < 0) throw std::runtime_error("its root group is broken");
  constexpr hsize_t most_links = 1000;
  std::vector<std::string> out;
  for (hsize_t i = 0; i < std::min(group.nlinks, most_links); ++i) {
    std::array<char, 256> name{};
    const ssize_t length = H5Lget_name_by_idx(file, ".", H5_INDEX_NAME, H5_ITER_INC, i, name.data(),
                                              name.size(), H5P_DEFAULT);
    if (length <= 0 || length >= static_cast<ssize_t>(name.size())) continue;
    H5L_info_t link{};
    if (H5Lget_info(file, name.data(), &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD) {
      continue;
    }
    H5O_info_t object{};
    if (H5Oget_info_by_name2(file, name.data(), &object, H5O_INFO_BASIC, H5P_DEFAULT) >= 0 &&
        object.type == H5O_TYPE_DATASET) {
      out.emplace_back(name.data());
    }
  }
  return out;
}

void list(const char* path, void* user, void (*each)(void*, const MedurwkvH5Array*)) {
  const Handle file = open_file(path);
  for (const std::string& name : array_names(file.get())) {
    const Handle array(H5Dopen2(file.get(), name.c_str(), H5P_DEFAULT), H5Dclose,
                       "an array is broken");
    const Handle space(H5Dget_space(array.get()), H5Sclose, "an array has no shape");
    std::vector<std::int64_t> shape;
    for (const hsize_t side : shape_of(space.get()))
      shape.push_back(static_cast<std::int64_t>(side));
    const MedurwkvH5Array one{name.c_str(), type_of(array.get()), static_cast<int>(shape.size()),
                              shape.data()};
    each(user, &one);
  }
}

/// Elements of external files would be read from wherever the file says.
void refuse_external(hid_t array) {
  const Handle properties(H5Dget_create_plist(array), H5Pclose, "an array is broken");
  if (H5Pget_external_count(properties.get()) != 0 ||
      H5Pget_layout(properties.get()) == H5D_VIRTUAL) {
    throw std::runtime_error("the array's elements lie in other files, which are not followed");
  }
}

void read(const char* path, const char* name, std::int64_t slice, void* out, std::size_t bytes) {
  const Handle file = open_file(path);
  const Handle array(H5Dopen2(file.get(), name, H5P_DEFAULT), H5Dclose, "has no such array");
  refuse_external(array.get());
  const Handle space(H5Dget_space(array.get()), H5Sclose, "the array has no shape");
  std::vector<hsize_t> count = shape_of(space.get());
  std::vector<hsize_t> start(count.size(), 0);
  if (slice >= 0) {
    if (count.empty() || static_cast<hsize_t>(slice) >= count[0]) {
      throw std::runtime_error("the array has no such slice");
    }
    start[0] = static_cast<hsize_t>(slice);
    count[0] = 1;
  }
  const hid_t type = native_of(type_of(array.get()));
  std::size_t wanted = H5Tget_size(type);
  for (const hsize_t side : count) wanted *= static_cast<std::size_t>(side);
  if (wanted != bytes) throw std::runtime_error("the array's size is not the one listed");
  if (count.empty() || bytes == 0) throw std::runtime_error("the array is empty");
  H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  const Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr),
                      H5Sclose, "out of memory");
  if (H5Dread(array.get(), type, memory.get(), space.get(), H5P_DEFAULT, out) < 0) {
    throw std::runtime_error("the array cannot be read: its data are damaged");
  }
}

/// No exception leaves; its text does.
template <class Call>
int guarded(char* message, std::size_t size, const Call& call) {
  try {
    const std::lock_guard guard(lock());
    call();
    return 0;
  } catch (const std::exception& error) {
    std::snprintf(message, size, "%s", error.what());
    return 1;
  }
}

}  // namespace

const MedurwkvH5Library* medurwkv_h5_library() {
  static const MedurwkvH5Library library{
      .abi = medurwkv_h5_abi,
      .list =
          [](const char* file, void* user, void (*each)(void*, const MedurwkvH5Array*),
             char* message,
             std::size_t size) { return guarded(message, size, [&] { list(file, user, each); }); },
      .read =
          [](const char* file, const char* name, std::int64_t slice, void* out, std::size_t bytes,
             char* message, std::size_t size) {
            return guarded(message, size, [&] { read(file, name, slice, out, bytes); });
          }};
  return &library;
}
