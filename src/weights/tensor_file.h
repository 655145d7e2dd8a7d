// A file of named tensors in memory, and safetensors files, read and written. Relies on core.
// Format: github.com/huggingface/safetensors (an 8-byte header length, a JSON header, the data).
// Files of any kind are read by weights/file_layout.h.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "core/output.h"
#include "core/shape.h"

namespace medurwkv::weights {

enum class DType { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

/// "F32", "BF16", ... as safetensors writes them.
const char* to_string(DType type);
std::int64_t size_of(DType type);
/// The type of that name, if there is one.
std::optional<DType> dtype_from(std::string_view name);

struct TensorInfo {
  std::string name;
  DType type = DType::f32;
  Shape shape;
  std::uint64_t offset = 0;  ///< from the start of the data; in a safetensors file alone
  std::uint64_t bytes = 0;
};

using Metadata = std::map<std::string, std::string>;

/// What a file's header says.
struct TensorHeader {
  std::vector<TensorInfo> tensors;  ///< in the order of their data
  Metadata metadata;
};

/// What a file is, told by its content.
enum class FileKind { safetensors, torch_zip, torch_legacy };

/// "safetensors", "PyTorch (zip)", "PyTorch (before 1.6)".
const char* to_string(FileKind kind);

/// Where the bytes of a tensor are.
struct TensorPlace {
  std::uint64_t start = 0;           ///< in the file
  std::string_view made;             ///< in its place: what had to be unpacked or rearranged
  std::optional<std::uint32_t> crc;  ///< of the tensor's bytes as the file states it, unchecked yet
};

/// A file of weights as it lies on disk: all that it says but the bytes of its tensors.
struct FileLayout {
  FileKind kind = FileKind::safetensors;
  TensorHeader header;
  std::vector<TensorPlace> places;                      ///< of each tensor
  std::shared_ptr<const std::deque<std::string>> made;  ///< what places point into
};

/// The layout of a safetensors file. Throws Error naming the file and the place when a rule of the
/// format is broken: header length within the file and 100 MB, one JSON object without duplicate or
/// unknown keys, at most 65,536 tensors and as many metadata, known types, shapes of at most 32
/// sides that fit their bytes, data without holes or overlaps that ends with the file.
FileLayout safetensors_layout(const std::string& file, const FilePieces& pieces);

/// Throws Error naming file and tensor when its bytes have another CRC than the file states.
void refuse_wrong_crc(const std::string& file, const TensorInfo& tensor, const TensorPlace& place,
                      std::uint32_t crc);

/// The tensors of a file by name, without their bytes.
class TensorIndex {
 public:
  /// Throws Error when two tensors have one name.
  TensorIndex(FileKind kind, std::string file, TensorHeader header);

  [[nodiscard]] FileKind kind() const { return kind_; }
  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] const std::vector<TensorInfo>& tensors() const { return header_.tensors; }
  [[nodiscard]] const Metadata& metadata() const { return header_.metadata; }
  [[nodiscard]] bool contains(const std::string& name) const;
  /// Throws Error naming file and tensor when it is not there.
  [[nodiscard]] const TensorInfo& info(const std::string& name) const;

 protected:
  /// The place among tensors(). Throws Error as info does.
  [[nodiscard]] std::size_t index_of(const std::string& name) const;

 private:
  [[nodiscard]] std::optional<std::size_t> find(const std::string& name) const;

  FileKind kind_;
  std::string file_;
  TensorHeader header_;
  std::vector<std::size_t> by_name_;  ///< indices of the tensors, sorted by name
};

/// A whole file in memory. Tensors are row-major and little endian; two that share their storage in
/// a .pth share their bytes here.
class TensorFile : public TensorIndex {
 public:
  /// How the layout of a file is found.
  using Parse = std::function<FileLayout(const std::string& file, const FilePieces& pieces)>;
  /// The file with these bytes; `file` is its name in messages. Throws Error as `parse` does, when
  /// two tensors have one name, and when a CRC is wrong.
  TensorFile(const std::string& file, std::string bytes, const Parse& parse);

  /// A safetensors file. Throws Error as safetensors_layout and read_file do.
  static TensorFile read(const std::filesystem::path& path);

  /// SHA-256 of the file itself, computed from the bytes in memory.
  [[nodiscard]] std::string file_sha256() const;
  /// The bytes of one of tensors().
  [[nodiscard]] std::string_view data(const TensorInfo& tensor) const;
  /// Elements converted to double (exact for every type but large 64-bit integers).
  [[nodiscard]] std::vector<double> values(const std::string& name) const;

 private:
  TensorFile(const std::string& file, std::shared_ptr<const std::string> bytes, FileLayout layout);

  std::shared_ptr<const std::string> bytes_;
  std::shared_ptr<const std::deque<std::string>> made_;
  std::vector<std::string_view> data_;
};

/// The elements in `bytes`, as many as they are, as float32.
void to_floats(DType type, std::string_view bytes, float* out);

/// Where the data of a safetensors file of `file_bytes` bytes begin; `bytes` are its first eight or
/// more. Throws Error as TensorFile::read does.
std::uint64_t data_start(const std::string& file, std::string_view bytes, std::uint64_t file_bytes);

/// Parses the first bytes of a file (length and JSON); `data_bytes` is what follows the header.
TensorHeader parse_header(const std::string& file, std::string_view bytes,
                          std::uint64_t data_bytes);

/// The header's bytes (length, JSON, padding to 8) for tensors laid out one after another in the
/// given order; offsets and byte counts are computed here. Throws Error for text that is not UTF-8.
std::string make_header(std::vector<TensorInfo> tensors, const Metadata& metadata);

/// A tensor to write: `data` holds element_count(shape) elements.
struct TensorView {
  std::string name;
  DType type = DType::f32;
  Shape shape;
  std::string_view data;
};

/// Writes atomically (core/files.h). The same content gives the same bytes.
void write_tensor_file(const OutputPath& file, const std::vector<TensorView>& tensors,
                       const Metadata& metadata);

}  // namespace medurwkv::weights
