// NumPy's .npy files: one array each. Relies on core/files.h, core/output.h and core/shape.h.
// Format: numpy.lib.format, versions 1.0 to 3.0. Nothing in a file is executed: arrays of Python
// objects and structures are refused.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/output.h"
#include "core/shape.h"

namespace medurwkv {

enum class NpyType { boolean, i8, i16, i32, i64, u8, u16, u32, u64, f16, f32, f64 };

/// "bool", "int8", "float32", ... as NumPy names them.
const char* to_string(NpyType type);
std::int64_t size_of(NpyType type);

/// What an array's header says.
struct NpyHeader {
  NpyType type = NpyType::f32;
  Shape shape;
  bool fortran = false;     ///< the first index runs fastest
  bool swapped = false;     ///< elements are big endian
  std::uint64_t start = 0;  ///< byte where they begin
};
/// Reads the header from a file's first bytes; `longest_npy_start` are enough. Throws Error as
/// NpyArray::parse.
NpyHeader parse_npy_header(const std::string& file, std::string_view start);
inline constexpr std::size_t longest_npy_start = 65536 + 12;

/// An array in memory: row-major and little endian, whatever the file was.
class NpyArray {
 public:
  /// Throws Error naming the file and the place when it is no .npy, of a type that is not listed
  /// above, or longer or shorter than its shape says. Memory: twice the file's size (once, when it
  /// is row-major).
  static NpyArray read(const std::filesystem::path& path);
  /// The same from bytes in memory, say a member of an .npz; `file` is its name in messages.
  static NpyArray parse(const std::string& file, std::string bytes);

  [[nodiscard]] NpyType type() const { return type_; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  /// element_count(shape()) elements of type().
  [[nodiscard]] std::string_view data() const { return std::string_view{bytes_}.substr(start_); }
  /// Elements converted to double (exact for every type but large 64-bit integers).
  [[nodiscard]] std::vector<double> doubles() const;
  /// Elements rounded to float.
  [[nodiscard]] std::vector<float> floats() const;

 private:
  NpyType type_ = NpyType::f32;
  Shape shape_;
  std::string bytes_;
  std::uint64_t start_ = 0;
};

/// What stands before an array's elements in a .npy file of version 1.0.
std::string npy_header(NpyType type, const Shape& shape);

/// Writes element_count(shape) row-major elements atomically (core/output.h).
void write_npy(const OutputPath& file, NpyType type, const Shape& shape, std::string_view data);

}  // namespace medurwkv
