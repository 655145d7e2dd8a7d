#include "weights/tensor_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/half.h"
#include "core/text.h"
#include "core/zip.h"

namespace medurwkv::weights {
namespace {

constexpr std::uint64_t header_limit = 100'000'000;
constexpr std::uint64_t length_bytes = 8;

struct TypeName {
  DType type;
  const char* name;
  std::int64_t size;
};

constexpr std::array<TypeName, 10> type_names{{{DType::f64, "F64", 8},
                                               {DType::f32, "F32", 4},
                                               {DType::f16, "F16", 2},
                                               {DType::bf16, "BF16", 2},
                                               {DType::i64, "I64", 8},
                                               {DType::i32, "I32", 4},
                                               {DType::i16, "I16", 2},
                                               {DType::i8, "I8", 1},
                                               {DType::u8, "U8", 1},
                                               {DType::boolean, "BOOL", 1}}};

const TypeName& entry_of(DType type) {
  for (const TypeName& entry : type_names) {
    if (entry.type == type) return entry;
  }
  throw_internal("tensor type without a name");
}

[[noreturn]] void throw_bad(const std::string& file, const std::string& what) {
  throw_failure(concat(file, ": not a sound safetensors file: ", shown(what)));
}

template <class Stored, class Number, class Convert>
void convert_all(std::string_view data, Number* out, const Convert& convert) {
  const std::size_t count = data.size() / sizeof(Stored);
  for (std::size_t i = 0; i < count; ++i) {
    Stored stored;
    std::memcpy(&stored, data.data() + i * sizeof(Stored), sizeof(Stored));
    out[i] = static_cast<Number>(convert(stored));
  }
}

template <class Number>
void to_numbers(DType type, std::string_view bytes, Number* out) {
  const auto plain = [](auto stored) { return static_cast<double>(stored); };
  switch (type) {
    case DType::f64: return convert_all<double>(bytes, out, plain);
    case DType::f32: return convert_all<float>(bytes, out, plain);
    case DType::f16: return convert_all<std::uint16_t>(bytes, out, half_to_double);
    case DType::bf16: return convert_all<std::uint16_t>(bytes, out, bfloat16_to_double);
    case DType::i64: return convert_all<std::int64_t>(bytes, out, plain);
    case DType::i32: return convert_all<std::int32_t>(bytes, out, plain);
    case DType::i16: return convert_all<std::int16_t>(bytes, out, plain);
    case DType::i8: return convert_all<std::int8_t>(bytes, out, plain);
    case DType::u8:
    case DType::boolean: return convert_all<std::uint8_t>(bytes, out, plain);
  }
  throw_internal("unknown tensor type");
}

}  // namespace

const char* to_string(DType type) {
  return entry_of(type).name;
}
std::int64_t size_of(DType type) {
  return entry_of(type).size;
}

std::optional<DType> dtype_from(std::string_view name) {
  for (const TypeName& entry : type_names) {
    if (name == entry.name) return entry.type;
  }
  return std::nullopt;
}

const char* to_string(FileKind kind) {
  switch (kind) {
    case FileKind::safetensors: return "safetensors";
    case FileKind::torch_zip: return "PyTorch (zip)";
    case FileKind::torch_legacy: return "PyTorch (before 1.6)";
  }
  throw_internal("unknown kind of weights file");
}

TensorIndex::TensorIndex(FileKind kind, std::string file, TensorHeader header)
    : kind_(kind), file_(std::move(file)), header_(std::move(header)) {
  by_name_.resize(header_.tensors.size());
  std::iota(by_name_.begin(), by_name_.end(), std::size_t{0});
  const auto name = [&](std::size_t i) -> const std::string& { return header_.tensors[i].name; };
  std::sort(by_name_.begin(), by_name_.end(),
            [&](std::size_t a, std::size_t b) { return name(a) < name(b); });
  const auto twice =
      std::adjacent_find(by_name_.begin(), by_name_.end(),
                         [&](std::size_t a, std::size_t b) { return name(a) == name(b); });
  if (twice != by_name_.end()) {
    throw_failure(concat(file_, ": two of its tensors are named ", shown(name(*twice))));
  }
}

std::optional<std::size_t> TensorIndex::find(const std::string& name) const {
  const auto found = std::lower_bound(
      by_name_.begin(), by_name_.end(), name,
      [&](std::size_t i, const std::string& n) { return header_.tensors[i].name < n; });
  if (found == by_name_.end() || header_.tensors[*found].name != name) return std::nullopt;
  return *found;
}

bool TensorIndex::contains(const std::string& name) const {
  return find(name).has_value();
}

std::size_t TensorIndex::index_of(const std::string& name) const {
  const auto found = find(name);
  if (!found) throw_failure(concat(file_, ": has no tensor ", shown(name)));
  return *found;
}

const TensorInfo& TensorIndex::info(const std::string& name) const {
  return header_.tensors[index_of(name)];
}

TensorFile::TensorFile(const std::string& file, std::shared_ptr<const std::string> bytes,
                       FileLayout layout)
    : TensorIndex(layout.kind, file, std::move(layout.header)),
      bytes_(std::move(bytes)),
      made_(std::move(layout.made)) {
  const std::string_view all = *bytes_;
  for (std::size_t i = 0; i < layout.places.size(); ++i) {
    const TensorPlace& place = layout.places[i];
    const bool made = place.made.data() != nullptr;
    data_.push_back(made ? place.made : all.substr(place.start, tensors()[i].bytes));
    if (place.crc) refuse_wrong_crc(file, tensors()[i], place, zip_crc(0, data_.back()));
  }
}

TensorFile::TensorFile(const std::string& file, std::string bytes, const Parse& parse)
    : TensorFile([&] {
        auto shared = std::make_shared<const std::string>(std::move(bytes));
        FileLayout layout = parse(file, FilePieces(file, *shared));
        return TensorFile(file, std::move(shared), std::move(layout));
      }()) {}

TensorFile TensorFile::read(const std::filesystem::path& path) {
  return {path.string(), read_file(path), safetensors_layout};
}

void refuse_wrong_crc(const std::string& file, const TensorInfo& tensor, const TensorPlace& place,
                      std::uint32_t crc) {
  if (!place.crc || crc == *place.crc) return;
  throw_failure(concat(file, ": tensor ", shown(tensor.name), " is damaged: its ", tensor.bytes,
                       " bytes do not have the CRC that the file states"));
}

std::uint64_t data_start(const std::string& file, std::string_view bytes,
                         std::uint64_t file_bytes) {
  if (bytes.size() < length_bytes) throw_bad(file, "it is shorter than 8 bytes");
  std::uint64_t length = 0;
  static_assert(std::endian::native == std::endian::little);
  std::memcpy(&length, bytes.data(), length_bytes);
  if (length > header_limit || length > file_bytes - length_bytes) {
    throw_bad(file, concat("its header claims ", length, " bytes; the file has ", file_bytes,
                           " and at most ", header_limit, " are allowed"));
  }
  return length_bytes + length;
}

FileLayout safetensors_layout(const std::string& file, const FilePieces& pieces) {
  std::string room;
  const std::uint64_t start =
      data_start(file, pieces.look(0, std::min(length_bytes, pieces.size()), room), pieces.size());
  FileLayout out;
  out.header = parse_header(file, pieces.look(0, start, room), pieces.size() - start);
  for (const TensorInfo& tensor : out.header.tensors) {
    out.places.push_back({.start = start + tensor.offset, .made = {}, .crc = {}});
  }
  return out;
}

std::string TensorFile::file_sha256() const {
  return sha256(*bytes_);
}

std::string_view TensorFile::data(const TensorInfo& tensor) const {
  return data_[index_of(tensor.name)];
}

std::vector<double> TensorFile::values(const std::string& name) const {
  const TensorInfo& tensor = info(name);
  std::vector<double> out(static_cast<std::size_t>(element_count(tensor.shape)));
  to_numbers(tensor.type, data(tensor), out.data());
  return out;
}

void to_floats(DType type, std::string_view bytes, float* out) {
  to_numbers(type, bytes, out);
}

void write_tensor_file(const OutputPath& file, const std::vector<TensorView>& tensors,
                       const Metadata& metadata) {
  std::vector<TensorInfo> infos;
  for (const TensorView& tensor : tensors) {
    infos.push_back({.name = tensor.name, .type = tensor.type, .shape = tensor.shape});
    const std::int64_t expected = element_count(tensor.shape) * size_of(tensor.type);
    if (static_cast<std::uint64_t>(expected) != tensor.data.size()) {
      throw_internal(concat("tensor ", tensor.name, " to write has the wrong number of bytes"));
    }
  }
  const std::string header = make_header(infos, metadata);
  write_file(file, [&](const AppendBytes& append) {
    append(header);
    for (const TensorView& tensor : tensors) append(tensor.data);
  });
}

}  // namespace medurwkv::weights
