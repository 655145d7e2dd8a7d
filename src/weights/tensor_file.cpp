#include "weights/tensor_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/half.h"
#include "core/text.h"

namespace medurwkv::weights {
namespace {

using nlohmann::json;

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

DType type_from(const std::string& file, const std::string& tensor, const std::string& name) {
  for (const TypeName& entry : type_names) {
    if (name == entry.name) return entry.type;
  }
  throw_bad(file, concat("tensor ", tensor, " has the unknown type '", name, "'"));
}

/// JSON of the header; refuses duplicate keys, which a lenient parser would silently drop.
json parse_json(const std::string& file, std::string_view text) {
  std::vector<std::set<std::string>> keys;
  std::string duplicate;
  const auto watch = [&](int /*depth*/, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key &&
        !keys.back().insert(parsed.get<std::string>()).second) {
      duplicate = parsed.get<std::string>();
    }
    return true;
  };
  json header;
  try {
    header = json::parse(text, watch);
  } catch (const json::exception& error) {
    throw_bad(file, concat("its header is not JSON (", error.what(), ")"));
  }
  if (!duplicate.empty()) throw_bad(file, concat("its header has the key '", duplicate, "' twice"));
  if (!header.is_object()) throw_bad(file, "its header is not a JSON object");
  return header;
}

Metadata metadata_from(const std::string& file, const json& from) {
  Metadata out;
  if (!from.is_object()) throw_bad(file, "__metadata__ is not an object");
  for (const auto& [key, value] : from.items()) {
    if (!value.is_string()) throw_bad(file, concat("metadata '", key, "' is not a string"));
    out[key] = value.get<std::string>();
  }
  return out;
}

/// Whether shape and type fill the bytes exactly. The sides other than 0 must be countable too.
bool fits(const TensorInfo& info) {
  std::int64_t product = size_of(info.type);
  bool empty = false;
  for (const std::int64_t side : info.shape) {
    if (side < 0) return false;
    if (side == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(product, side, &product)) {
      return false;
    }
  }
  return info.bytes == (empty ? 0 : static_cast<std::uint64_t>(product));
}

TensorInfo tensor_from(const std::string& file, const std::string& name, const json& from) {
  TensorInfo info{.name = name, .shape = {}};
  try {
    info.type = type_from(file, name, from.at("dtype").get<std::string>());
    if (!from.at("shape").is_array()) throw_bad(file, concat("tensor ", name, " has a bad shape"));
    for (const json& side : from.at("shape")) {
      if (!side.is_number_unsigned()) throw_bad(file, concat("tensor ", name, " has a bad shape"));
      info.shape.push_back(side.get<std::int64_t>());
    }
    const json& offsets = from.at("data_offsets");
    if (offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned()) {
      throw_bad(file, concat("tensor ", name, " has bad offsets"));
    }
    info.offset = offsets[0].get<std::uint64_t>();
    const auto end = offsets[1].get<std::uint64_t>();
    if (end < info.offset) throw_bad(file, concat("tensor ", name, " ends before it starts"));
    info.bytes = end - info.offset;
  } catch (const json::exception& error) {
    throw_bad(file, concat("tensor ", name, " is described wrongly (", error.what(), ")"));
  }
  if (!fits(info)) {
    throw_bad(file, concat("tensor ", name, " of shape ", shape_text(info.shape), " and type ",
                           to_string(info.type), " holds ", info.bytes, " bytes"));
  }
  return info;
}

void check_layout(const std::string& file, std::vector<TensorInfo>& tensors,
                  std::uint64_t data_bytes) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
  });
  std::uint64_t at = 0;
  for (const TensorInfo& tensor : tensors) {
    if (tensor.offset != at) {
      throw_bad(file, concat("tensor ", tensor.name, " starts at byte ", tensor.offset,
                             " of the data, expected ", at));
    }
    if (__builtin_add_overflow(at, tensor.bytes, &at) || at > data_bytes) {
      throw_bad(file, concat("tensor ", tensor.name, " ends beyond the file"));
    }
  }
  if (at != data_bytes) {
    throw_bad(file, concat("it holds ", data_bytes, " bytes of data, its tensors ", at));
  }
}

template <class Stored, class Convert>
std::vector<double> convert_all(std::string_view data, const Convert& convert) {
  std::vector<double> out(data.size() / sizeof(Stored));
  for (std::size_t i = 0; i < out.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, data.data() + i * sizeof(Stored), sizeof(Stored));
    out[i] = convert(stored);
  }
  return out;
}

}  // namespace

const char* to_string(DType type) {
  return entry_of(type).name;
}
std::int64_t size_of(DType type) {
  return entry_of(type).size;
}

TensorHeader parse_header(const std::string& file, std::string_view bytes,
                          std::uint64_t data_bytes) {
  if (bytes.size() < length_bytes) throw_bad(file, "it is shorter than its 8-byte header length");
  const json header = parse_json(file, bytes.substr(length_bytes));
  TensorHeader out;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      out.metadata = metadata_from(file, value);
    } else {
      out.tensors.push_back(tensor_from(file, name, value));
    }
  }
  check_layout(file, out.tensors, data_bytes);
  return out;
}

const char* to_string(FileKind kind) {
  switch (kind) {
    case FileKind::safetensors: return "safetensors";
    case FileKind::torch_zip: return "PyTorch (zip)";
    case FileKind::torch_legacy: return "PyTorch (before 1.6)";
  }
  throw_internal("unknown kind of weights file");
}

TensorFile::TensorFile(FileKind kind, std::string file, std::shared_ptr<const FileContent> content,
                       TensorHeader header, std::vector<std::string_view> data)
    : kind_(kind),
      file_(std::move(file)),
      content_(std::move(content)),
      header_(std::move(header)),
      data_(std::move(data)) {
  for (std::size_t i = 0; i < header_.tensors.size(); ++i) {
    const std::string& name = header_.tensors[i].name;
    if (!by_name_.emplace(name, i).second) {
      throw_failure(concat(file_, ": two of its tensors are named ", shown(name)));
    }
  }
}

TensorFile TensorFile::read(const std::filesystem::path& path) {
  return parse(path.string(), read_file(path));
}

TensorFile TensorFile::parse(const std::string& file, std::string bytes) {
  if (bytes.size() < length_bytes) throw_bad(file, "it is shorter than 8 bytes");
  std::uint64_t length = 0;
  static_assert(std::endian::native == std::endian::little);
  std::memcpy(&length, bytes.data(), length_bytes);
  if (length > header_limit || length > bytes.size() - length_bytes) {
    throw_bad(file, concat("its header claims ", length, " bytes; the file has ", bytes.size(),
                           " and at most ", header_limit, " are allowed"));
  }
  auto content = std::make_shared<FileContent>();
  content->bytes = std::move(bytes);
  const std::string_view all = content->bytes;
  const std::uint64_t data_start = length_bytes + length;
  TensorHeader header = parse_header(file, all.substr(0, data_start), all.size() - data_start);
  std::vector<std::string_view> data;
  for (const TensorInfo& tensor : header.tensors) {
    data.push_back(all.substr(data_start + tensor.offset, tensor.bytes));
  }
  return {FileKind::safetensors, file, std::move(content), std::move(header), std::move(data)};
}

bool TensorFile::contains(const std::string& name) const {
  return by_name_.contains(name);
}

std::size_t TensorFile::index_of(const std::string& name) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) throw_failure(concat(file_, ": has no tensor ", name));
  return found->second;
}

const TensorInfo& TensorFile::info(const std::string& name) const {
  return header_.tensors[index_of(name)];
}

std::string_view TensorFile::data(const TensorInfo& tensor) const {
  return data_[index_of(tensor.name)];
}

std::vector<double> TensorFile::values(const std::string& name) const {
  const TensorInfo& tensor = info(name);
  const std::string_view bytes = data(tensor);
  const auto plain = [](auto stored) { return static_cast<double>(stored); };
  switch (tensor.type) {
    case DType::f64: return convert_all<double>(bytes, plain);
    case DType::f32: return convert_all<float>(bytes, plain);
    case DType::f16: return convert_all<std::uint16_t>(bytes, half_to_double);
    case DType::bf16: return convert_all<std::uint16_t>(bytes, bfloat16_to_double);
    case DType::i64: return convert_all<std::int64_t>(bytes, plain);
    case DType::i32: return convert_all<std::int32_t>(bytes, plain);
    case DType::i16: return convert_all<std::int16_t>(bytes, plain);
    case DType::i8: return convert_all<std::int8_t>(bytes, plain);
    case DType::u8:
    case DType::boolean: return convert_all<std::uint8_t>(bytes, plain);
  }
  throw_internal("unknown tensor type");
}

std::string make_header(std::vector<TensorInfo> tensors, const Metadata& metadata) {
  // Keys in the order of the data: an ordered object keeps it.
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t at = 0;
  for (TensorInfo& tensor : tensors) {
    if (tensor.name == "__metadata__" || header.contains(tensor.name)) {
      throw_internal(concat("two tensors named ", tensor.name, " in one file"));
    }
    const auto bytes =
        static_cast<std::uint64_t>(element_count(tensor.shape) * size_of(tensor.type));
    header[tensor.name] = {{"dtype", to_string(tensor.type)},
                           {"shape", tensor.shape},
                           {"data_offsets", {at, at + bytes}}};
    at += bytes;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const json::exception&) {
    throw_failure("a name or text to be stored in the file is not UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  std::string out(length_bytes, '\0');
  std::memcpy(out.data(), &length, length_bytes);
  return out + text;
}

void write_tensor_file(const std::filesystem::path& path, const std::vector<TensorView>& tensors,
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
  write_file(path, [&](const AppendBytes& append) {
    append(header);
    for (const TensorView& tensor : tensors) append(tensor.data);
  });
}

}  // namespace medurwkv::weights
