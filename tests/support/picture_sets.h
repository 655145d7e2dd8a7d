// A folder of images for pretraining that a test puts together, and checks of the set.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "data/layout/picture_set.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/refusal.h"
#include "support/zip_by_hand.h"

namespace medurwkv::test::pictures {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

inline constexpr data::ValidationShare no_share{.share = 0};

inline std::string png(int value) {
  return data::encode_png(make_image(3, 2, 1, [&](auto, auto, auto) { return value; }));
}

class Pictures : public ::testing::Test {
 protected:
  [[nodiscard]] const fs::path& root() const { return folder_.path(); }

  void put(const fs::path& file, const std::string& bytes) const {
    fs::create_directories((root() / file).parent_path());
    write_file(root() / file, bytes);
  }
  void put_image(const fs::path& file, int value = 7) const { put(file, png(value)); }
  /// A zip of images, or of texts where a name says so.
  void put_zip(const fs::path& file, const Strings& names) const {
    std::vector<ZipEntry> entries;
    for (const std::string& name : names) {
      const bool image = lower(name).ends_with(".png");
      entries.push_back({.name = name,
                         .content = image ? png(7) : "",
                         .deflate = image && entries.size() % 2 == 1});
    }
    put(file, make_zip(entries).bytes);
  }
  [[nodiscard]] data::PictureSet labelled(const fs::path& below = {},
                                          const data::ValidationShare& share = no_share) const {
    return data::open_pictures({root() / below}, true, share);
  }
  [[nodiscard]] data::PictureSet unlabelled(const fs::path& below = {},
                                            const data::ValidationShare& share = no_share) const {
    return data::open_pictures({root() / below}, false, share);
  }

 private:
  TemporaryFolder folder_;
};

inline Strings ids_of(const std::vector<data::Picture>& pictures) {
  Strings out;
  for (const data::Picture& one : pictures) out.push_back(one.id);
  return out;
}

/// Class and stem of each image, sorted.
inline Strings classes_of(const data::PictureSet& set, const std::vector<data::Picture>& pictures) {
  Strings out;
  for (const data::Picture& one : pictures) {
    out.push_back(concat(set.classes.at(static_cast<std::size_t>(one.label)), "/",
                         fs::path(one.id).stem().string()));
  }
  std::sort(out.begin(), out.end());
  return out;
}

inline bool has_note(const data::PictureSet& set, const std::string& part) {
  return std::any_of(set.notes.begin(), set.notes.end(),
                     [&](const std::string& note) { return note.find(part) != std::string::npos; });
}

/// What opening `data` is refused with.
inline Refusal refused(const std::vector<fs::path>& data, bool labelled,
                       const data::ValidationShare& share = no_share) {
  const auto out = refusal_of([&] { return data::open_pictures(data, labelled, share); });
  EXPECT_TRUE(out) << "is not refused";
  return out.value_or(Refusal{});
}

}  // namespace medurwkv::test::pictures
