// Pickles written opcode by opcode (Python's Lib/pickletools.py), and checkpoints around them as
// PyTorch lays them out, so that tests can lie anywhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/zip_by_hand.h"

namespace medurwkv::test::pickle {

inline const std::string start = "\x80\x02";
inline const std::string stop = ".";

inline std::string text(std::string_view value) {
  return "X" + little(value.size(), 4) + std::string(value);
}
inline std::string whole(std::int64_t value) {
  return "\x8a\x08" + little(static_cast<std::uint64_t>(value), 8);
}
inline std::string global(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}
inline std::string tuple(const std::string& items) {
  return "(" + items + "t";
}
inline std::string wholes(const std::vector<std::int64_t>& values) {
  std::string items;
  for (const std::int64_t value : values) items += whole(value);
  return tuple(items);
}
/// A dict of keys and values that are opcodes already.
inline std::string dict(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out = "}(";
  for (const auto& [key, value] : pairs) out += key + value;
  return out + "u";
}
inline std::string call(const std::string& function, const std::string& arguments) {
  return function + arguments + "R";
}

struct StorageText {
  std::string key = "0";
  std::string type = "FloatStorage";
  std::int64_t elements = 4;
};

/// A reference to a storage: the persistent id of a zip file, with a None behind it of a legacy
/// one.
inline std::string storage(const StorageText& of, bool legacy) {
  return tuple(text("storage") + global("torch", of.type) + text(of.key) + text("cpu") +
               whole(of.elements) + (legacy ? "N" : "")) +
         "Q";
}

struct TensorText {
  StorageText storage = {};
  std::int64_t offset = 0;
  std::vector<std::int64_t> shape = {2, 2};
  std::vector<std::int64_t> strides = {2, 1};
};

inline std::string tensor(const TensorText& of, bool legacy) {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              tuple(storage(of.storage, legacy) + whole(of.offset) + wholes(of.shape) +
                    wholes(of.strides) + "\x89" + call(global("collections", "OrderedDict"), ")")));
}

/// A storage's bytes beside its key.
using StorageData = std::vector<std::pair<std::string, std::string>>;

/// What follows the pickle in a checkpoint of four floats 1, 2, 3, 4.
inline StorageData four_floats() {
  return {{"0", std::string("\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40", 16)}};
}

inline std::vector<ZipEntry> zip_entries(const std::string& data_pkl, const StorageData& storages) {
  std::vector<ZipEntry> out{{.name = "archive/data.pkl", .content = data_pkl}};
  for (const auto& [key, bytes] : storages) {
    out.push_back({.name = "archive/data/" + key, .content = bytes});
  }
  out.push_back({.name = "archive/version", .content = "3\n"});
  return out;
}

/// The parts of a legacy file; each is a whole pickle but the last, which is raw.
struct LegacyParts {
  std::string magic = std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
  std::string protocol = std::string("\x80\x02M\xe9\x03.", 6);
  std::string system = start +
                       dict({{text("protocol_version"), whole(1001)},
                             {text("little_endian"), "\x88"},
                             {text("type_sizes"), "}"}}) +
                       stop;
  std::string pickle;
  std::string keys;
  std::string storages;
  [[nodiscard]] std::string bytes() const {
    return magic + protocol + system + pickle + keys + storages;
  }
};

inline LegacyParts legacy_parts(const std::string& pickle, const StorageData& storages,
                                std::size_t element_bytes = 4) {
  LegacyParts out;
  out.pickle = pickle;
  out.keys = start + "](";
  for (const auto& [key, bytes] : storages) {
    out.keys += text(key);
    out.storages += little(bytes.size() / element_bytes, 8) + bytes;
  }
  out.keys += "e" + stop;
  return out;
}

}  // namespace medurwkv::test::pickle
