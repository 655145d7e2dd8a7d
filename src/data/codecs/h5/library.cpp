// libmedurwkv_h5.so: arrays out of HDF5 files, as TransUNet and SSL4MIS pack them. Everything that
// HDF5 could be led to by a file is off: no external links are followed, no plugins are loaded; the
// one filter beside HDF5's own is LZF, which h5py writes.
#include <hdf5.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/inflater.h"
#include "core/own_library.h"
#include "data/codecs/h5/entry.h"
#include "data/codecs/h5/lzf.h"

namespace {

/// The most axes of an array; those of a set have a few.
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

/// Guards every call: not all builds of HDF5 have a lock of their own.
std::mutex& lock() {
  static std::mutex one;
  return one;
}

Handle open_file(const char* file) {
  static_cast<void>(H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr));
  static_cast<void>(H5PLset_loading_state(0));
  if (H5Zfilter_avail(lzf_filter) <= 0) register_lzf();
  return {H5Fopen(file, H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, "is broken or no HDF5 file"};
}

MedurwkvH5Type integer_type(hid_t type) {
  const bool negative = H5Tget_sign(type) == H5T_SGN_2;
  switch (H5Tget_size(type)) {
    case 1: return negative ? medurwkv_h5_i8 : medurwkv_h5_u8;
    case 2: return negative ? medurwkv_h5_i16 : medurwkv_h5_u16;
    case 4: return negative ? medurwkv_h5_i32 : medurwkv_h5_u32;
    case 8: return negative ? medurwkv_h5_i64 : medurwkv_h5_u64;
    default: return medurwkv_h5_other;
  }
}

/// NumPy's bool as h5py writes it, FALSE and TRUE in a byte; other names stand for their numbers.
MedurwkvH5Type enum_type(hid_t type) {
  const Handle base(H5Tget_super(type), H5Tclose, "an array has no type");
  std::int64_t value = 0;
  const bool boolean = H5Tget_size(type) == 1 && H5Tget_nmembers(type) == 2 &&
                       H5Tenum_valueof(type, "FALSE", &value) >= 0 &&
                       H5Tenum_valueof(type, "TRUE", &value) >= 0;
  return boolean ? medurwkv_h5_bool : integer_type(base.get());
}

MedurwkvH5Type type_of(hid_t dataset) {
  const Handle type(H5Dget_type(dataset), H5Tclose, "an array has no type");
  const std::size_t size = H5Tget_size(type.get());
  switch (H5Tget_class(type.get())) {
    case H5T_FLOAT: return size <= 4 ? medurwkv_h5_f32 : medurwkv_h5_f64;
    case H5T_INTEGER: return integer_type(type.get());
    case H5T_BITFIELD: return size == 1 ? medurwkv_h5_bool : medurwkv_h5_other;  // PyTables' bool
    case H5T_ENUM: return enum_type(type.get());
    default: return medurwkv_h5_other;
  }
}

/// The type in memory.
hid_t native_of(MedurwkvH5Type type) {
  switch (type) {
    case medurwkv_h5_bool:
    case medurwkv_h5_u8: return H5T_NATIVE_UINT8;
    case medurwkv_h5_u16: return H5T_NATIVE_UINT16;
    case medurwkv_h5_u32: return H5T_NATIVE_UINT32;
    case medurwkv_h5_u64: return H5T_NATIVE_UINT64;
    case medurwkv_h5_i8: return H5T_NATIVE_INT8;
    case medurwkv_h5_i16: return H5T_NATIVE_INT16;
    case medurwkv_h5_i32: return H5T_NATIVE_INT32;
    case medurwkv_h5_i64: return H5T_NATIVE_INT64;
    case medurwkv_h5_f32: return H5T_NATIVE_FLOAT;
    case medurwkv_h5_f64: return H5T_NATIVE_DOUBLE;
    case medurwkv_h5_other: break;
  }
  throw std::runtime_error("the array's elements are not numbers");
}

/// The type in memory of an array: HDF5 changes byte orders and narrower floats, and leaves what
/// it names (enumerations, bits) as it is.
Handle memory_type(hid_t dataset, MedurwkvH5Type type) {
  const Handle stored(H5Dget_type(dataset), H5Tclose, "an array has no type");
  const H5T_class_t kind = H5Tget_class(stored.get());
  const hid_t out = kind == H5T_ENUM || kind == H5T_BITFIELD
                        ? H5Tget_native_type(stored.get(), H5T_DIR_ASCEND)
                        : H5Tcopy(native_of(type));
  return {out, H5Tclose, "an array's type is broken"};
}

std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

std::vector<hsize_t> shape_of(hid_t space) {
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0 || rank > highest_rank) throw std::runtime_error("an array has more than 8 axes");
  std::vector<hsize_t> shape(static_cast<std::size_t>(rank));
  if (rank > 0) H5Sget_simple_extent_dims(space, shape.data(), nullptr);
  return shape;
}

struct Link {
  std::string name;
  bool array = false;  ///< a hard link to one
};

/// The links of the root group.
std::vector<Link> links_of(hid_t file) {
  H5G_info_t group{};
  if (H5Gget_info(file, &group) < 0) throw std::runtime_error("its root group is broken");
  constexpr hsize_t most_links = 1000;
  std::vector<Link> out;
  for (hsize_t i = 0; i < std::min(group.nlinks, most_links); ++i) {
    std::array<char, 256> name{};
    const ssize_t length = H5Lget_name_by_idx(file, ".", H5_INDEX_NAME, H5_ITER_INC, i, name.data(),
                                              name.size(), H5P_DEFAULT);
    if (length <= 0 || length >= static_cast<ssize_t>(name.size())) continue;
    H5L_info_t link{};
    H5O_info_t object{};
    const bool array =
        H5Lget_info(file, name.data(), &link, H5P_DEFAULT) >= 0 && link.type == H5L_TYPE_HARD &&
        H5Oget_info_by_name2(file, name.data(), &object, H5O_INFO_BASIC, H5P_DEFAULT) >= 0 &&
        object.type == H5O_TYPE_DATASET;
    out.push_back({name.data(), array});
  }
  return out;
}

constexpr std::size_t most_chunk_bytes = std::size_t{1} << 30;

/// How an array's elements lie. Without chunks `sides` is empty.
struct Chunks {
  std::vector<hsize_t> sides;
  std::size_t bytes = 0;  ///< of one, unpacked; above most_chunk_bytes: that or more
};

Chunks chunks_of(hid_t array, hid_t properties) {
  Chunks out;
  if (H5Pget_layout(properties) != H5D_CHUNKED) return out;
  out.sides.resize(highest_rank);
  const int rank = H5Pget_chunk(properties, highest_rank, out.sides.data());
  if (rank < 1) throw std::runtime_error("the array's chunks are broken");
  out.sides.resize(static_cast<std::size_t>(rank));
  const Handle type(H5Dget_type(array), H5Tclose, "an array has no type");
  out.bytes = std::max<std::size_t>(H5Tget_size(type.get()), 1);
  for (const hsize_t side : out.sides) {
    if (side < 1) throw std::runtime_error("the array's chunks are broken");
    out.bytes = side > most_chunk_bytes / out.bytes ? most_chunk_bytes + 1
                                                    : out.bytes * static_cast<std::size_t>(side);
  }
  return out;
}

void list(const char* path, void* user, void (*each)(void*, const MedurwkvH5Array*)) {
  const Handle file = open_file(path);
  for (const auto& [name, is_array] : links_of(file.get())) {
    if (!is_array) {
      const MedurwkvH5Array other{name.c_str(), medurwkv_h5_other, 0, nullptr, 0};
      each(user, &other);
      continue;
    }
    const Handle array(H5Dopen2(file.get(), name.c_str(), H5P_DEFAULT), H5Dclose,
                       "an array is damaged, or of a newer HDF5 than this one");
    const Handle space(H5Dget_space(array.get()), H5Sclose, "an array has no shape");
    std::vector<std::int64_t> shape;
    for (const hsize_t side : shape_of(space.get()))
      shape.push_back(static_cast<std::int64_t>(side));
    const Handle properties(H5Dget_create_plist(array.get()), H5Pclose, "an array is broken");
    // The packed chunk, the unpacked one, and the buffer that deflate doubles until that fits.
    const std::size_t chunk = chunks_of(array.get(), properties.get()).bytes;
    const MedurwkvH5Array one{name.c_str(), type_of(array.get()), static_cast<int>(shape.size()),
                              shape.data(), static_cast<std::int64_t>(4 * chunk)};
    each(user, &one);
  }
}

/// How a chunk is packed.
struct Packing {
  bool any = false;      ///< some filter changes its bytes
  bool bits = false;     ///< one that leaves out bits
  bool deflate = false;  ///< the last one but checksums, as is the next
  bool szip = false;
};

/// Throws for filters that are not read, and for those to which the file gives another result's
/// size than a chunk's: HDF5 would take that much memory, or read on behind the chunk.
Packing check_filters(hid_t properties, std::size_t chunk_bytes, std::size_t element_bytes) {
  Packing out;
  const int count = H5Pget_nfilters(properties);
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0;
    std::array<unsigned, 16> values{};
    std::size_t value_count = values.size();
    std::array<char, 32> name{};
    const H5Z_filter_t filter =
        H5Pget_filter2(properties, static_cast<unsigned>(i), &flags, &value_count, values.data(),
                       name.size() - 1, name.data(), nullptr);
    if (filter < 0 || H5Zfilter_avail(filter) <= 0) {
      throw std::runtime_error("the array is compressed with the filter " + std::to_string(filter) +
                               " (" + printable(name.data()) +
                               "), which is not read; save it with compression=\"gzip\"");
    }
    out.any = true;
    if (filter == H5Z_FILTER_FLETCHER32) continue;
    if (out.deflate || out.szip) {
      throw std::runtime_error("the array is packed twice, which is not read");
    }
    out.deflate = filter == H5Z_FILTER_DEFLATE;
    out.szip = filter == H5Z_FILTER_SZIP;
    if (filter == lzf_filter && lzf_chunk_bytes(value_count, values.data()) != chunk_bytes) {
      throw std::runtime_error(
          "the array's LZF filter states a size other than that of its chunks");
    }
    const bool bits = filter == H5Z_FILTER_NBIT || filter == H5Z_FILTER_SCALEOFFSET;
    constexpr std::size_t elements_value = 2;  // H5Znbit.c, H5Zscaleoffset.c
    constexpr std::size_t size_value = 4;
    if (bits && (values[elements_value] != chunk_bytes / element_bytes ||
                 values[size_value] != element_bytes)) {
      throw std::runtime_error("the array's " + printable(name.data()) +
                               " filter states a size other than that of its chunks");
    }
    out.bits = out.bits || bits;
  }
  return out;
}

;

/// The bytes that deflated ones unpack to, counted no further than behind `most`.
std::size_t unpacked_bytes(std::vector<unsigned char> packed, std::size_t most) {
  medurwkv::Inflater inflater(MAX_WBITS);
  z_stream& stream = inflater.stream();
  std::array<unsigned char, 1 << 16> out{};
  stream.next_in = packed.data();
  stream.avail_in = static_cast<uInt>(packed.size());
  std::size_t made = 0;
  int status = Z_OK;
  while (status == Z_OK && made <= most) {
    stream.next_out = out.data();
    stream.avail_out = static_cast<uInt>(out.size());
    status = inflate(&stream, Z_NO_FLUSH);
    made += out.size() - stream.avail_out;
  }
  return made;
}

/// What stands in the first four bytes of a chunk of SZIP: how much it unpacks to.
std::size_t said_bytes(const std::vector<unsigned char>& packed) {
  std::size_t out = 0;
  for (std::size_t i = std::min<std::size_t>(4, packed.size()); i-- > 0;)
    out = out << 8 | packed[i];
  return out;
}

/// Checks that a chunk unpacks to its size, because HDF5 does not. It doubles its memory until a
/// deflated stream ends, however long that is. For SZIP it takes as much memory as the chunk says.
/// It takes a stream that ends early for a whole chunk.
void check_packed(hid_t array, const std::vector<hsize_t>& at, hsize_t stored, const Chunks& chunks,
                  const Packing& packing) {
  std::vector<unsigned char> packed(stored);
  std::uint32_t passed = 0;
  if (H5Dread_chunk(array, H5P_DEFAULT, at.data(), &passed, packed.data()) < 0) {
    throw std::runtime_error("the array cannot be read: its data are damaged");
  }
  // A chunk may be marked as not filtered, because filters gained nothing.
  constexpr std::size_t checksums = 64;
  const std::size_t bytes = passed != 0 ? stored
                            : packing.szip
                                ? said_bytes(packed)
                                : unpacked_bytes(std::move(packed), chunks.bytes + checksums);
  if (bytes > chunks.bytes + checksums || (bytes < chunks.bytes && !packing.bits)) {
    throw std::runtime_error("a chunk does not unpack to the size that the array states");
  }
}

/// The elements that are read: all, or those at `slice` of the first axis.
struct Part {
  std::vector<hsize_t> start, count;
};

Part part_of(hid_t space, std::int64_t slice) {
  Part out;
  out.count = shape_of(space);
  out.start.resize(out.count.size(), 0);
  if (slice < 0) return out;
  if (out.count.empty() || static_cast<hsize_t>(slice) >= out.count[0]) {
    throw std::runtime_error("the array has no such slice");
  }
  out.start[0] = static_cast<hsize_t>(slice);
  out.count[0] = 1;
  return out;
}

/// Moves to the next chunk of the part; false behind the last one.
bool next_chunk(std::vector<hsize_t>& at, const Part& part, const std::vector<hsize_t>& sides) {
  for (std::size_t axis = at.size(); axis-- > 0;) {
    at[axis] += sides[axis];
    if (at[axis] < part.start[axis] + part.count[axis]) return true;
    at[axis] = part.start[axis] / sides[axis] * sides[axis];
  }
  return false;
}

/// Every chunk of the part must be there, and none may hold or unpack to more than a chunk has.
void check_chunks(hid_t array, const Part& part, const Chunks& chunks, const Packing& packing,
                  hsize_t file_bytes) {
  if (chunks.sides.size() != part.count.size()) {
    throw std::runtime_error("the array's chunks are broken");
  }
  if (std::find(part.count.begin(), part.count.end(), 0) != part.count.end()) return;
  std::vector<hsize_t> at(part.start.size());
  for (std::size_t axis = 0; axis < at.size(); ++axis) {
    at[axis] = part.start[axis] / chunks.sides[axis] * chunks.sides[axis];
  }
  constexpr hsize_t best_packing = 1032;  // deflate's; LZF's is 88
  hsize_t all = 0;
  do {
    hsize_t stored = 0;
    if (H5Dget_chunk_storage_size(array, at.data(), &stored) < 0 || stored == 0) {
      throw std::runtime_error("a part of the array was never written, or is lost");
    }
    if (stored > file_bytes - all) {
      throw std::runtime_error("the array claims more bytes than the file has");
    }
    all += stored;
    if (packing.any && chunks.bytes / best_packing > stored && !packing.bits && !packing.szip) {
      throw std::runtime_error("a chunk claims more than its bytes can hold");
    }
    if (packing.deflate || packing.szip) check_packed(array, at, stored, chunks, packing);
  } while (next_chunk(at, part, chunks.sides));
}

/// Throws unless the file itself holds the elements. HDF5 would read external ones from wherever
/// the file says, and those that were never written as 0.
void check(const char* path, const char* name, std::int64_t slice) {
  const Handle file = open_file(path);
  const Handle array(H5Dopen2(file.get(), name, H5P_DEFAULT), H5Dclose, "has no such array");
  const Handle properties(H5Dget_create_plist(array.get()), H5Pclose, "an array is broken");
  const H5D_layout_t layout = H5Pget_layout(properties.get());
  if (H5Pget_external_count(properties.get()) != 0 || layout == H5D_VIRTUAL) {
    throw std::runtime_error("the array's elements lie in other files, which are not followed");
  }
  hsize_t file_bytes = 0;
  if (H5Fget_filesize(file.get(), &file_bytes) < 0) throw std::runtime_error("has no size");
  const Handle type(H5Dget_type(array.get()), H5Tclose, "an array has no type");
  const std::size_t element_bytes = std::max<std::size_t>(H5Tget_size(type.get()), 1);
  const Handle space(H5Dget_space(array.get()), H5Sclose, "the array has no shape");
  const Part part = part_of(space.get(), slice);
  if (layout == H5D_CHUNKED) {
    const Chunks chunks = chunks_of(array.get(), properties.get());
    if (chunks.bytes > most_chunk_bytes) {
      throw std::runtime_error("the array's chunks have more than 1.1 GB each");
    }
    const Packing packing = check_filters(properties.get(), chunks.bytes, element_bytes);
    check_chunks(array.get(), part, chunks, packing, file_bytes);
    return;
  }
  if (H5Dget_storage_size(array.get()) == 0) {
    throw std::runtime_error("the array was never written");
  }
  hsize_t wanted = element_bytes;
  for (const hsize_t side : part.count) {
    if (side > file_bytes / wanted) {
      throw std::runtime_error("the array claims more bytes than the file has");
    }
    wanted *= std::max<hsize_t>(side, 1);
  }
}

void read(const char* path, const char* name, std::int64_t slice, void* out, std::size_t bytes) {
  const Handle file = open_file(path);
  const Handle array(H5Dopen2(file.get(), name, H5P_DEFAULT), H5Dclose, "has no such array");
  const Handle space(H5Dget_space(array.get()), H5Sclose, "the array has no shape");
  const auto [start, count] = part_of(space.get(), slice);
  const Handle type = memory_type(array.get(), type_of(array.get()));
  std::size_t wanted = H5Tget_size(type.get());
  for (const hsize_t side : count) wanted *= static_cast<std::size_t>(side);
  if (wanted != bytes) throw std::runtime_error("the array's size is not the one listed");
  if (count.empty() || bytes == 0) throw std::runtime_error("the array is empty");
  H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  const Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr),
                      H5Sclose, "out of memory");
  if (H5Dread(array.get(), type.get(), memory.get(), space.get(), H5P_DEFAULT, out) < 0) {
    throw std::runtime_error("the array cannot be read: its data are damaged");
  }
}

/// One call at a time.
template <class Call>
int one_by_one(char* message, std::size_t size, const Call& call) {
  return medurwkv::guarded(message, size, [&] {
    const std::lock_guard guard(lock());
    call();
  });
}

}  // namespace

const MedurwkvH5Library* medurwkv_h5_library() {
  static const MedurwkvH5Library library{
      .abi = medurwkv_h5_abi,
      .list =
          [](const char* file, void* user, void (*each)(void*, const MedurwkvH5Array*),
             char* message, std::size_t size) {
            return one_by_one(message, size, [&] { list(file, user, each); });
          },
      .check =
          [](const char* file, const char* name, std::int64_t slice, char* message,
             std::size_t size) {
            return one_by_one(message, size, [&] { check(file, name, slice); });
          },
      .read =
          [](const char* file, const char* name, std::int64_t slice, void* out, std::size_t bytes,
             char* message, std::size_t size) {
            return one_by_one(message, size, [&] { read(file, name, slice, out, bytes); });
          }};
  return &library;
}
