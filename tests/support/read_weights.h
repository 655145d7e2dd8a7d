// Files of weights of any kind, as a whole or piece by piece.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "weights/file_layout.h"
#include "weights/tensor_file.h"
#include "weights/weights_source.h"

namespace medurwkv::test {

inline weights::TensorFile read_weights(const std::filesystem::path& path) {
  return {path.string(), read_file(path), weights::layout_of};
}

/// For files that must be refused, in memory and piece by piece alike.
inline void read_both_ways(const std::filesystem::path& path) {
  bool refused = false;
  try {
    weights::WeightsSource::open(path).check();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::internal) throw;
    refused = true;
  }
  if (!refused) throw_internal(path.string() + " is read piece by piece");
  read_weights(path);
}

/// What the pieces of each tensor are, one after the other.
inline std::map<std::string, std::string> pieces_of(const weights::WeightsSource& file) {
  std::map<std::string, std::string> out;
  std::mutex mutex;
  file.read([&](const weights::TensorInfo& tensor, std::uint64_t at, std::string_view piece) {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(out[tensor.name].size(), at) << tensor.name;
    out[tensor.name] += piece;
  });
  return out;
}

}  // namespace medurwkv::test
