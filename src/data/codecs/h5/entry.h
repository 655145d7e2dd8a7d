// The C interface between data and libmedurwkv_h5.so, which alone contains HDF5 and is opened when
// an .h5 is read. No HDF5 type and no exception crosses it. Relies on the standard library alone.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

/// Kinds of elements: those of NumPy that images and labels have.
enum MedurwkvH5Type : int {
  medurwkv_h5_bool,
  medurwkv_h5_u8,
  medurwkv_h5_u16,
  medurwkv_h5_u32,
  medurwkv_h5_u64,
  medurwkv_h5_i8,
  medurwkv_h5_i16,
  medurwkv_h5_i32,
  medurwkv_h5_i64,
  medurwkv_h5_f32,
  medurwkv_h5_f64,
  medurwkv_h5_other,  ///< texts, structures, ...: listed, not read
};

/// One array of a file; `shape` has `rank` sides. What is no array (a group, a link to another
/// place) is listed as one of other elements, without shape.
struct MedurwkvH5Array {
  const char* name;
  MedurwkvH5Type type;
  int rank;
  const std::int64_t* shape;
  std::int64_t working;  ///< bytes that read() takes beside its result
};

/// Functions give 0, or another number after writing one line to `message` (of `size` bytes).
struct MedurwkvH5Library {
  int abi;
  /// Calls `each` for the links of the file's root group, at most the first 1000.
  int (*list)(const char* file, void* user, void (*each)(void* user, const MedurwkvH5Array* array),
              char* message, std::size_t size);
  /// Whether the file holds all elements of the array, or of its part at `slice` of the first axis
  /// when that is not negative: every one was written, none lies elsewhere, and what is packed
  /// unpacks to what it stands for. Call it before allocating memory for the elements and before
  /// read().
  int (*check)(const char* file, const char* name, std::int64_t slice, char* message,
               std::size_t size);
  /// Reads the array, or its part at `slice`, row-major in the type listed. `bytes` is the size of
  /// `out` and must be exactly what is read.
  int (*read)(const char* file, const char* name, std::int64_t slice, void* out, std::size_t bytes,
              char* message, std::size_t size);
};

/// The library's one exported function.
__attribute__((visibility("default"))) const MedurwkvH5Library* medurwkv_h5_library();

}  // extern "C"

inline constexpr int medurwkv_h5_abi = 3;
inline constexpr char medurwkv_h5_symbol[] = "medurwkv_h5_library";
