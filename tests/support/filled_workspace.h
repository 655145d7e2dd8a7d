// A kernel's workspace for tests: full of NaN, at an odd address, and watched for what is written
// behind it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/workspace.h"

namespace medurwkv::test {

class FilledWorkspace {
 public:
  explicit FilledWorkspace(std::int64_t bytes) : bytes_(offset + size_of(bytes) + behind, full) {}
  FilledWorkspace(const FilledWorkspace&) = delete;
  FilledWorkspace& operator=(const FilledWorkspace&) = delete;
  FilledWorkspace(FilledWorkspace&&) = delete;
  FilledWorkspace& operator=(FilledWorkspace&&) = delete;
  ~FilledWorkspace() {
    const auto same = [](std::byte one) { return one == full; };
    EXPECT_TRUE(std::all_of(bytes_.begin(), bytes_.begin() + offset, same));
    EXPECT_TRUE(std::all_of(bytes_.end() - behind, bytes_.end(), same));
  }

  kernels::Workspace all() {
    return kernels::Workspace(bytes_).subspan(offset, bytes_.size() - offset - behind);
  }

 private:
  static std::size_t size_of(std::int64_t bytes) { return static_cast<std::size_t>(bytes); }

  static constexpr std::size_t offset = 13;
  static constexpr std::size_t behind = 4096;
  static constexpr std::byte full{0xff};
  std::vector<std::byte> bytes_;
};

}  // namespace medurwkv::test
