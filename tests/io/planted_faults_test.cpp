// Sets with faults planted in them: `data check` finds every one, and nothing else.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/listener.h"
#include "core/random.h"
#include "core/text.h"
#include "data/check/faults.h"
#include "data/check/open.h"
#include "data/check/repair.h"
#include "data/codecs/read.h"
#include "data/split/split.h"
#include "support/images.h"
#include "support/jpeg_files.h"
#include "support/paths.h"
#include "support/png_by_hand.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using test::make_image;
using test::make_labels;

constexpr std::int64_t side = 64;

Image blobs(std::uint64_t seed, std::int64_t width = side, std::int64_t height = side,
            std::int64_t channels = 1) {
  return test::make_blobs(seed, width, height, channels);
}

/// A disc of `white` whose place and size the seed draws.
Image disc(std::uint64_t seed, int white = 255, int black = 0, std::int64_t width = side,
           std::int64_t height = side) {
  const Random random(seed, "disc");
  const double cx = random.uniform(0, 0.35, 0.65) * static_cast<double>(width);
  const double cy = random.uniform(1, 0.35, 0.65) * static_cast<double>(height);
  const double radius = random.uniform(2, 7, 14);
  return make_image(width, height, 1, [&](auto x, auto y, auto) {
    return std::hypot(static_cast<double>(x) - cx, static_cast<double>(y) - cy) < radius ? white
                                                                                         : black;
  });
}

/// A fault that was planted: its kind, and a part of the place where it must be found.
using Planted = std::pair<std::string, std::string>;

class PlantedFaults : public ::testing::Test {
 protected:
  void image(const std::string& name, const Image& content) const {
    put("images/" + name + ".png", encode_png(content));
  }
  void mask(const std::string& name, const Image& content) const {
    put("masks/" + name + ".png", encode_png(content));
  }
  void put(const std::string& name, const std::string& bytes) const {
    const fs::path file = root() / name;
    fs::create_directories(file.parent_path());
    write_file(file, bytes);
  }
  /// A pair without fault.
  void add(const std::string& name, std::uint64_t seed) const {
    image(name, blobs(seed));
    mask(name, disc(seed));
  }
  void add_sound_pairs(std::uint64_t count) const {
    for (std::uint64_t i = 0; i < count; ++i) add(concat("sound", i), 1000 + i);
  }
  [[nodiscard]] fs::path root() const { return folder_.path() / "set"; }
  [[nodiscard]] fs::path place(const std::string& name) const { return folder_.path() / name; }

  /// Every planted fault is among the found ones, every found one was planted.
  void expect_found(const std::vector<Planted>& planted, const CheckOptions& options = {}) const {
    std::vector<Fault> found = check_dataset(root(), options, silence()).faults;
    for (const auto& [kind, where] : planted) {
      const auto it = std::find_if(
          found.begin(), found.end(), [&kind = kind, &where = where](const Fault& fault) {
            return fault.kind == kind && fault.where.find(where) != std::string::npos;
          });
      if (it == found.end()) {
        ADD_FAILURE() << "not found: " << kind << " " << where;
        continue;
      }
      EXPECT_FALSE(it->what.empty() || it->remedy.empty()) << kind;
      EXPECT_EQ((it->what + it->remedy).find('\n'), std::string::npos) << kind;
      found.erase(it);
    }
    for (const Fault& fault : found) {
      ADD_FAILURE() << "not planted: " << fault.kind << " " << fault.where << ": " << fault.what;
    }
  }

 private:
  test::TemporaryFolder folder_;
};

/// 16-bit gray samples as a PNG.
std::string sixteen_bits(const Image& image, unsigned factor) {
  std::string rows;
  for (std::int64_t y = 0; y < image.height; ++y) {
    rows += '\0';
    for (std::int64_t x = 0; x < image.width; ++x) {
      const unsigned value = image.bytes[static_cast<std::size_t>(y * image.width + x)] * factor;
      rows += static_cast<char>(value >> 8);
      rows += static_cast<char>(value & 255U);
    }
  }
  return test::make_png({.width = static_cast<std::uint32_t>(image.width),
                         .height = static_cast<std::uint32_t>(image.height),
                         .depth = 16,
                         .scanlines = rows});
}

TEST_F(PlantedFaults, ASoundSetHasNone) {
  add_sound_pairs(40);
  expect_found({});
}

TEST_F(PlantedFaults, AreAllFoundAndNothingElse) {
  add_sound_pairs(60);
  std::vector<Planted> planted;
  std::uint64_t seed = 0;
  /// A pair with a fault; what is planted afterwards replaces one of its files.
  const auto plant = [&](const std::string& kind, const std::string& where) {
    add(kind, ++seed);
    planted.emplace_back(kind, where);
    return kind;
  };
  const auto in_image = [](const std::string& kind) { return "images/" + kind + ".png"; };
  const auto in_mask = [](const std::string& kind) { return "masks/" + kind + ".png"; };

  // Files and names.
  fs::remove(root() / in_mask(plant("image-without-mask", "images/image-without-mask.png")));
  fs::remove(root() / in_image(plant("mask-without-image", "masks/mask-without-image.png")));
  put("images/same-name-twice.jpg", test::jpeg_bytes(blobs(900)));
  plant("same-name-twice", "same-name-twice");
  add("na\xefve", ++seed);
  planted.emplace_back("name-not-utf8", "na\xefve");
  add("Sound7", ++seed);
  planted.emplace_back("names-differ-by-case", "sound7");
  const std::string link = in_image(plant("broken-link", "images/broken-link.png"));
  fs::remove(root() / link);
  fs::create_symlink(place("gone.png"), root() / link);
  put(in_image(plant("lfs-pointer", "images/lfs-pointer.png")),
      "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
  put(in_mask(plant("empty-file", "masks/empty-file.png")), "");
  const std::string whole = encode_png(blobs(901));
  put(in_image(plant("unreadable-image", "images/unreadable-image.png")),
      whole.substr(0, whole.size() / 2));
  put(in_mask(plant("unreadable-mask", "masks/unreadable-mask.png")), "see the other folder");
  put(in_image(plant("wrong-suffix", "images/wrong-suffix.png")), test::jpeg_bytes(blobs(902)));

  // Pairs that do not fit.
  mask(plant("size-mismatch", "masks/size-mismatch.png"), disc(903, 255, 0, side, side - 1));
  image(plant("turned-mask", "masks/turned-mask.png"), blobs(904, side, side + 30));
  mask("turned-mask", disc(904, 255, 0, side + 30, side));
  image(plant("image-is-mask", "masks/image-is-mask.png"), disc(905));
  mask("image-is-mask", disc(905));

  // What masks hold.
  mask(plant("mixed-encoding", "masks/mixed-encoding.png"), disc(906, 1));
  image("colored", blobs(907));
  mask("colored",
       make_image(side, side, 3, [](auto x, auto, auto c) { return x > 20 && c == 0 ? 200 : 0; }));
  planted.emplace_back("mixed-encoding", "masks/colored.png");
  image("soft", blobs(908));
  mask("soft",
       make_image(side, side, 1, [](auto x, auto, auto) { return static_cast<int>(4 * x); }));
  planted.emplace_back("mixed-encoding", "masks/soft.png");
  fs::remove(root() / in_mask(plant("lossy-masks", "masks/lossy-masks.jpg")));
  put("masks/lossy-masks.jpg", test::jpeg_bytes(disc(909)));
  mask(plant("empty-mask", "masks/empty-mask.png"), disc(910, 0));
  mask(plant("full-mask", "masks/full-mask.png"), disc(911, 255, 255));
  mask(plant("inverted-mask", "masks/inverted-mask.png"), disc(912, 0, 255));
  mask(plant("outline-mask", "masks/outline-mask.png"),
       make_image(side, side, 1, [](auto x, auto y, auto) {
         const bool inside = x >= 10 && x <= 50 && y >= 10 && y <= 50;
         return inside && (x == 10 || x == 50 || y == 10 || y == 50) ? 255 : 0;
       }));
  Image dotted = disc(913);
  dotted.bytes[2 * side + 2] = 255;
  mask(plant("specks", "masks/specks.png"), dotted);
  mask(plant("copied-mask", "masks/sound5.png"), disc(1005));

  // Images unlike the others.
  image(plant("blank-image", "images/blank-image.png"),
        make_image(side, side, 1, [](auto, auto, auto) { return 17; }));
  image(plant("small-image", "images/small-image.png"), blobs(914, 30, 40));
  mask("small-image", make_image(30, 40, 1, [](auto x, auto y, auto) {
         return x > 8 && y > 8 && x < 20 && y < 30 ? 255 : 0;
       }));
  image(plant("mixed-channels", "images/mixed-channels.png"), blobs(915, side, side, 3));
  put(in_image(plant("mixed-depth", "images/dark-16-bit.png")), "");
  fs::remove(root() / in_image("mixed-depth"));
  fs::remove(root() / in_mask("mixed-depth"));
  put(in_image(plant("dark-16-bit", "images/dark-16-bit.png")), sixteen_bits(blobs(916), 16));

  // Images that occur twice.
  image(plant("duplicate-image", "images/sound1.png"), blobs(1001));
  mask("duplicate-image", disc(1001));
  image(plant("duplicate-other-mask", "images/sound2.png"), blobs(1002));
  Image mirrored = blobs(1003);
  for (std::int64_t y = 0; y < side; ++y) {
    const auto row = mirrored.bytes.begin() + y * side;
    std::reverse(row, row + side);
  }
  for (unsigned char& byte : mirrored.bytes) byte = static_cast<unsigned char>(byte * 3 / 4 + 40);
  image(plant("near-duplicate", "images/sound3.png"), mirrored);

  std::set<std::string> kinds;
  for (const auto& [kind, unused] : planted) kinds.insert(kind);
  EXPECT_GE(kinds.size(), 30U);
  expect_found(planted);

  // The repaired copy has no errors, and the set is as it was.
  const auto contents = [&] {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(root())) {
      if (entry.is_regular_file()) out[entry.path().string()] = sha256_file(entry.path());
    }
    return out;
  };
  const std::map<std::string, std::string> before = contents();
  const Examination set = examine(root(), {}, silence());
  const RepairReport repaired = write_repaired(set, place("fixed"), silence());
  EXPECT_EQ(contents(), before);
  const CheckReport after = check_dataset(place("fixed"), {}, silence());
  for (const Fault& fault : after.faults) {
    EXPECT_EQ(fault.severity, Severity::warning) << fault.kind << " " << fault.where;
  }
  EXPECT_EQ(after.pairs, repaired.written);
  const auto done_to = [&](const std::string& name) {
    for (const Repair& repair : repaired.repairs) {
      if (repair.where.find(name) != std::string::npos) return repair.what;
    }
    return std::string();
  };
  for (const char* left_out :
       {"images/image-without-mask", "masks/mask-without-image", "same-name-twice", "broken-link",
        "lfs-pointer", "empty-file", "unreadable-image", "unreadable-mask", "turned-mask",
        "image-is-mask", "images/soft", "images/colored", "images/sound1.png",
        "duplicate-other-mask", "images/sound2"}) {
    EXPECT_TRUE(done_to(left_out).find("left out") != std::string::npos)
        << left_out << ": " << done_to(left_out);
  }
  EXPECT_NE(done_to("size-mismatch").find("resized"), std::string::npos);
  EXPECT_NE(done_to("mixed-encoding").find("index to binary"), std::string::npos);
  EXPECT_NE(done_to("wrong-suffix").find("wrong-suffix.jpg"), std::string::npos);
  EXPECT_TRUE(fs::exists(place("fixed") / "images/wrong-suffix.jpg"));
  EXPECT_TRUE(fs::exists(place("fixed") / "images/sound7_2.png")) << "beside Sound7.png";
  // Not into the set, not over something.
  for (const fs::path& bad : {root() / "fixed", root(), place("fixed")}) {
    const auto refused =
        test::refusal_of([&] { return write_repaired(set, bad, silence()).written; });
    ASSERT_TRUE(refused) << bad;
    EXPECT_EQ(refused->kind, ErrorKind::usage);
  }
}

// A set in parts stays in parts; of twins the one stays that a model is judged on.
TEST_F(PlantedFaults, AreRepairedPartByPart) {
  std::uint64_t seed = 5000;
  const auto pair = [&](const std::string& name, const Image& content) {
    put(name.substr(0, name.find('/')) + "/images" + name.substr(name.find('/')) + ".png",
        encode_png(content));
    put(name.substr(0, name.find('/')) + "/masks" + name.substr(name.find('/')) + ".png",
        encode_png(disc(++seed)));
  };
  for (int i = 0; i < 12; ++i) pair(concat("train/t", i), blobs(++seed));
  for (int i = 0; i < 4; ++i) pair(concat("test/e", i), blobs(++seed));
  Image darker = blobs(5005);
  for (unsigned char& byte : darker.bytes) byte = static_cast<unsigned char>(byte / 2);
  pair("test/twin", darker);
  expect_found({{"leak-near-duplicate", "/t"}});
  const RepairReport repaired =
      write_repaired(examine(root(), {}, silence()), place("fixed"), silence());
  EXPECT_EQ(repaired.written, 16);
  EXPECT_TRUE(fs::exists(place("fixed") / "test/images/twin.png"));
  EXPECT_EQ(check_dataset(place("fixed"), {}, silence()).errors(), 0);
  EXPECT_EQ(check_dataset(place("fixed"), {}, silence()).parts,
            (std::map<std::string, std::int64_t>{{"test", 5}, {"train", 11}}));
}

// Leaks between the parts of a split file, and a file that disagrees with the set.
TEST_F(PlantedFaults, OfASplit) {
  for (std::uint64_t i = 0; i < 30; ++i) add(concat("patient", 100 + i, "_a"), 2000 + i);
  add("patient100_b", 2100);     // of a patient in train
  add("copy", 2001);             // equal to patient101_a
  Image brighter = blobs(2002);  // like patient102_a
  for (unsigned char& byte : brighter.bytes) byte = static_cast<unsigned char>(byte / 2 + 60);
  image("alike", brighter);
  mask("alike", disc(2200));
  add("left_out", 2300);
  SplitPlan plan;
  for (int i = 0; i < 30; ++i) plan.parts.train.push_back(concat("patient", 100 + i, "_a"));
  plan.parts.val = {"alike", "stranger"};
  plan.parts.test = {"copy", "patient100_b", "patient129_a"};
  const Dataset dataset = open_dataset(root());
  const std::vector<std::string> hashes = case_hashes(dataset);
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    plan.contents[dataset.cases[i].id] = hashes[i];
  }
  plan.contents["patient110_a"] = hashes[0];
  const fs::path file = place("split.json");
  write_file(file, split_to_json(dataset, plan).dump());
  expect_found({{"leak-group", "patient100"},
                {"leak-duplicate", "images/patient101_a.png"},
                {"leak-near-duplicate", "images/patient102_a.png"},
                {"split-unknown-case", "stranger"},
                {"split-listed-twice", "patient129_a"},
                {"split-leaves-out", "left_out"},
                {"split-changed", "patient110_a"}},
               {.split = file});
  // Folds are parts too.
  SplitPlan folds;
  for (const Case& item : dataset.cases) {
    if (item.id != "copy") folds.folds.resize(2), folds.folds[0].push_back(item.id);
  }
  folds.folds[1] = {"copy"};
  write_file(file, split_to_json(dataset, folds).dump());
  expect_found({{"leak-duplicate", "images/patient101_a.png"},
                {"near-duplicate", "images/patient102_a.png"}},
               {.split = file});
}

TEST_F(PlantedFaults, OfTwoSets) {
  add_sound_pairs(20);
  const fs::path other = place("other");
  fs::create_directories(other);
  fs::copy(root(), other, fs::copy_options::recursive);
  for (const char* part : {"images", "masks"}) {
    for (const auto& entry : fs::directory_iterator(other / part)) {
      const std::string name = entry.path().stem().string();
      if (name != "sound3" && name != "sound4") fs::remove(entry.path());
    }
    fs::rename(other / part / "sound3.png", other / part / "renamed.png");
  }
  Image half = make_image(side / 2, side / 2, 1, [&](auto x, auto y, auto) {
    const Image whole = blobs(1004);
    return whole.bytes[static_cast<std::size_t>(2 * y * side + 2 * x)];
  });
  write_file(other / "images/sound4.png", encode_png(half));
  write_file(other / "masks/sound4.png", encode_png(disc(5, 255, 0, side / 2, side / 2)));
  expect_found({{"overlap", "images/sound3.png"}, {"near-overlap", "images/sound4.png"}},
               {.against = other});
}

// Classes of an index set.
TEST_F(PlantedFaults, OfClasses) {
  for (std::uint64_t i = 0; i < 20; ++i) {
    image(concat("c", i), blobs(3000 + i));
    mask(concat("c", i), disc(3000 + i, i == 4 || i == 9 ? 3 : 1));
  }
  expect_found({{"missing-class", "class 2"}, {"rare-class", "class 3"}});
  // 255 is ignored where small values are; alone it is another encoding.
  mask("c5", disc(3005, 255));
  expect_found({{"missing-class", "class 2"}, {"rare-class", "class 3"}, {"mixed-encoding", "c5"}});
}

TEST_F(PlantedFaults, OfASetAsAWhole) {
  put("notes.txt", "nothing here");
  expect_found({{"no-pairs", "set"}});
  for (std::uint64_t i = 0; i < 6; ++i) {
    image(concat("c", i), blobs(4000 + i));
    mask(concat("c", i), disc(4000 + i, i % 2 == 0 ? 255 : 100));
  }
  expect_found({{"unclear-encoding", "all masks"}});
}

}  // namespace
}  // namespace medurwkv::data
