// Lists of odd and hostile files of volumes: each gives the values that it should, or is refused by
// name with the reason, within 2 seconds and bounds of memory, never by a signal. Each is read in a
// process of its own (support/hostile.h).
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/text.h"
#include "data/codecs/read.h"
#include "data/volumes/volume.h"
#include "support/hostile.h"
#include "support/images.h"

namespace medurwkv::test {

struct OddVolume {
  std::string name;   ///< the file's
  std::string bytes;  ///< its content
  /// The voxels of all slices, one behind the other, where it is read.
  std::vector<double> values = {};
  std::string said = {};                           ///< else what the refusal says
  std::map<std::string, std::string> beside = {};  ///< other files by name
  std::string misplaced = {};                      ///< what is said of its place, where it is read
  std::uint64_t room = 0;  ///< bytes of memory that it may take beside those of hostile.h
};

/// The voxels of all slices.
inline std::vector<double> voxels_of(const data::Volume& volume) {
  std::vector<double> out;
  const auto shared = std::make_shared<const data::Volume>(volume);
  for (std::int64_t i = 0; i < volume.slices; ++i) {
    const auto own =
        values_of(data::read_volume_image({.file = volume.file, .slice = i, .volume = shared}));
    out.insert(out.end(), own.begin(), own.end());
  }
  return out;
}

inline std::string shown_values(const std::vector<double>& values) {
  std::string out = concat(values.size(), " voxels:");
  for (std::size_t i = 0; i < std::min<std::size_t>(values.size(), 12); ++i) {
    out += concat(" ", values[i]);
  }
  return out;
}

inline void expect_end(const OddVolume& odd, const HostileEnd& end) {
  const std::string about = odd.name + ": " + end.message;
  if (WIFSIGNALED(end.status)) {
    ADD_FAILURE() << odd.name << ": signal " << WTERMSIG(end.status);
    return;
  }
  EXPECT_LT(end.seconds, limits_memory() ? 2 : 60) << odd.name;
  if (!odd.values.empty()) {
    EXPECT_EQ(WEXITSTATUS(end.status), ended_accepted) << about;
    return;
  }
  EXPECT_EQ(WEXITSTATUS(end.status), ended_refused) << about << " was read";
  bool named = end.message.find(odd.name) != std::string::npos;
  for (const auto& [name, bytes] : odd.beside) {
    named = named || end.message.find(name) != std::string::npos;
  }
  EXPECT_TRUE(named) << about;
  EXPECT_NE(odd.said, "") << about;
  // Where memory is not limited, what would take too much of it is refused for what comes next.
  const bool by_memory = odd.said == "takes about" && !limits_memory();
  EXPECT_TRUE(by_memory || end.message.find(odd.said) != std::string::npos)
      << about << "\nexpected: " << odd.said;
  EXPECT_EQ(end.message.find('\n'), std::string::npos) << about;
}

/// Expects that of each, and `least` files of different bytes.
inline void expect_right_or_refused(const std::vector<OddVolume>& all, std::size_t least) {
  std::set<std::string> different;
  for (const OddVolume& odd : all) {
    EXPECT_TRUE(different.insert(odd.bytes + odd.name).second) << odd.name;
    const TemporaryFolder folder;
    const std::filesystem::path path = folder.path() / odd.name;
    write_quickly(path, odd.bytes);
    for (const auto& [name, bytes] : odd.beside) write_quickly(folder.path() / name, bytes);
    const HostileEnd end =
        end_of(path, odd.bytes.size() + odd.room / 2, [&](const std::filesystem::path& file) {
          const data::Volume volume = data::read_volume(file);
          const std::vector<double> values = voxels_of(volume);
          if (values != odd.values) throw std::runtime_error("has " + shown_values(values));
          if (volume.misplaced.find(odd.misplaced) == std::string::npos) {
            throw std::runtime_error("its place: " + volume.misplaced);
          }
        });
    expect_end(odd, end);
  }
  EXPECT_GE(different.size(), least);
}

}  // namespace medurwkv::test
