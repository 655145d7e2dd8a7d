#include "weights/pth_file.h"

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

namespace medurwkv::weights {
namespace {

constexpr std::uint64_t most_bytes = std::numeric_limits<std::uint32_t>::max();

/// `bytes` bytes of `value`, little endian.
std::string little(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>((value >> (8 * i)) & 0xffU);
  return out;
}

// --- pickle --------------------------------------------------------------------------------------

const char* storage_of(DType type) {
  switch (type) {
    case DType::f64: return "DoubleStorage";
    case DType::f32: return "FloatStorage";
    case DType::f16: return "HalfStorage";
    case DType::bf16: return "BFloat16Storage";
    case DType::i64: return "LongStorage";
    case DType::i32: return "IntStorage";
    case DType::i16: return "ShortStorage";
    case DType::i8: return "CharStorage";
    case DType::u8: return "ByteStorage";
    case DType::boolean: return "BoolStorage";
  }
  throw_internal("unknown tensor type");
}

/// BINUNICODE.
std::string text(std::string_view value) {
  return concat("X", little(value.size(), 4), value);
}

/// GLOBAL.
std::string global(std::string_view module, std::string_view name) {
  return concat("c", module, "\n", name, "\n");
}

/// LONG1 with as many bytes as a positive number of 63 bits can need.
std::string number(std::int64_t value) {
  std::string bytes = little(static_cast<std::uint64_t>(value), 8);
  return concat("\x8a\x08", bytes);
}

/// MARK ... TUPLE.
std::string tuple(const std::vector<std::int64_t>& values) {
  std::string out = "(";
  for (const std::int64_t value : values) out += number(value);
  return out + "t";
}

/// EMPTY_TUPLE REDUCE: a call without arguments.
std::string empty_ordered_dict() {
  return global("collections", "OrderedDict") + ")R";
}

/// torch._utils._rebuild_tensor_v2(storage, offset, shape, stride, requires_grad, hooks).
std::string pickled(const TensorView& tensor, std::size_t key) {
  std::vector<std::int64_t> stride(tensor.shape.size(), 1);
  for (std::size_t i = stride.size(); i-- > 1;) stride[i - 1] = stride[i] * tensor.shape[i];
  const std::string storage =
      concat("(", text("storage"), global("torch", storage_of(tensor.type)),
             text(std::to_string(key)), text("cpu"), number(element_count(tensor.shape)), "tQ");
  return concat(global("torch._utils", "_rebuild_tensor_v2"), "(", storage, number(0),
                tuple(tensor.shape), tuple(stride), "\x89", empty_ordered_dict(), "tR");
}

/// The whole program: protocol 2, a dict of "state_dict" and, with metadata, "medurwkv". Tensor i
/// has the storage "i".
std::string pickled(const std::vector<TensorView>& tensors, const TensorView* metadata) {
  std::string out = concat("\x80\x02}(", text("state_dict"), empty_ordered_dict(), "(");
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    out += text(tensors[i].name) + pickled(tensors[i], i);
  }
  out += "u";
  if (metadata != nullptr) {
    out +=
        concat(text("medurwkv"), "}(", text("metadata"), pickled(*metadata, tensors.size()), "u");
  }
  return out + "u.";
}

// --- zip -----------------------------------------------------------------------------------------

struct Entry {
  std::string name;
  std::string_view data;
  std::uint64_t offset = 0;
  std::uint32_t crc = 0;
  std::size_t padding = 0;
};

/// What both headers of an entry share: version 2.0, stored, 1 January 1980, checksum and sizes.
std::string common_fields(const Entry& entry) {
  return concat(little(20, 2), little(0x800, 2), little(0, 2), little(0, 2), little(0x21, 2),
                little(entry.crc, 4), little(entry.data.size(), 4), little(entry.data.size(), 4),
                little(entry.name.size(), 2));
}

/// The extra field is there to begin the data at a multiple of 64, as PyTorch does.
std::string local_header(const Entry& entry) {
  const std::string extra = concat("FB", little(entry.padding, 2), std::string(entry.padding, 'Z'));
  return concat("PK\x03\x04", common_fields(entry), little(extra.size(), 2), entry.name, extra);
}

std::string central_header(const Entry& entry) {
  return concat("PK\x01\x02", little(20, 2), common_fields(entry), little(0, 2), little(0, 2),
                little(0, 2), little(0, 2), little(0, 4), little(entry.offset, 4), entry.name);
}

std::uint32_t checksum(std::string_view bytes) {
  const auto* start = reinterpret_cast<const unsigned char*>(bytes.data());
  return static_cast<std::uint32_t>(::crc32_z(0, start, bytes.size()));
}

/// Fills in places and checksums; the size of the whole archive.
std::uint64_t lay_out(std::vector<Entry>& entries) {
  constexpr std::size_t fixed = 30;
  constexpr std::size_t alignment = 64;
  std::uint64_t at = 0;
  std::uint64_t directory = 22;
  for (Entry& entry : entries) {
    entry.crc = checksum(entry.data);
    entry.offset = at;
    const std::uint64_t start = at + fixed + entry.name.size() + 4;
    entry.padding = static_cast<std::size_t>((alignment - start % alignment) % alignment);
    at = start + entry.padding + entry.data.size();
    directory += 46 + entry.name.size();
  }
  return at + directory;
}

}  // namespace

void write_pth_file(const OutputPath& file, const std::vector<TensorView>& tensors,
                    const Metadata& metadata) {
  const std::string json = nlohmann::json(metadata).dump();
  const TensorView stated{.name = "metadata",
                          .type = DType::u8,
                          .shape = {static_cast<std::int64_t>(json.size())},
                          .data = json};
  const std::string program = pickled(tensors, metadata.empty() ? nullptr : &stated);
  std::vector<Entry> entries{{.name = "archive/data.pkl", .data = program},
                             {.name = "archive/byteorder", .data = "little"}};
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    entries.push_back({.name = concat("archive/data/", i), .data = tensors[i].data});
  }
  if (!metadata.empty()) {
    entries.push_back({.name = concat("archive/data/", tensors.size()), .data = json});
  }
  entries.push_back({.name = "archive/version", .data = "3\n"});
  if (lay_out(entries) > most_bytes || entries.size() >= 0xffff) {
    throw_failure(concat(file.path().string(),
                         ": more than 4 GB or 65534 tensors do not fit into a .pth ",
                         "of this program; write a .safetensors instead"));
  }
  write_file(file, [&](const AppendBytes& append) {
    for (const Entry& entry : entries) {
      append(local_header(entry));
      append(entry.data);
    }
    std::string directory;
    for (const Entry& entry : entries) directory += central_header(entry);
    const std::uint64_t start =
        entries.back().offset + local_header(entries.back()).size() + entries.back().data.size();
    append(directory);
    append(concat("PK\x05\x06", little(0, 4), little(entries.size(), 2), little(entries.size(), 2),
                  little(directory.size(), 4), little(start, 4), little(0, 2)));
  });
}

}  // namespace medurwkv::weights
