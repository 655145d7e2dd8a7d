// Pairing by name, the meaning of mask values, splits.
#include "data/layout/dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/listener.h"
#include "core/random.h"
#include "data/check/examine.h"
#include "data/check/faults.h"
#include "data/check/open.h"
#include "data/layout/encoding.h"
#include "data/layout/layout.h"
#include "data/split/split.h"
#include "support/images.h"
#include "support/paths.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

template <class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A pair of 8 x 8 files, the image noise that is another for every shade; the mask's lower half
/// holds `value`.
void add_pair(const fs::path& root, const std::string& name, const std::string& mask_name,
              int value, int shade = -1) {
  const int gray = shade >= 0 ? shade : static_cast<int>(std::hash<std::string>()(name) % 200);
  const Random noise({static_cast<std::uint64_t>(gray)});
  test::write_gray(root / "images" / (name + ".png"), 8, 8, [&](auto x, auto y) {
    return static_cast<int>(noise.below(static_cast<std::uint64_t>(8 * y + x), 256));
  });
  test::write_gray(root / "masks" / (mask_name + ".png"), 8, 8,
                   [&](auto, auto y) { return y < 4 ? 0 : value; });
}

TEST(Layout, PairsByNameNeverByOrder) {
  const test::TemporaryFolder folder;
  add_pair(folder.path(), "a", "c_mask", 255);
  add_pair(folder.path(), "b", "a_segmentation", 255);
  add_pair(folder.path(), "c", "b", 255);
  const Layout layout = find_layout(folder.path());
  ASSERT_EQ(layout.cases.size(), 3U);
  for (const Case& item : layout.cases) {
    EXPECT_EQ(item.images.front().file.stem().string(), item.id);
    ASSERT_EQ(item.masks.size(), 1U);
    EXPECT_EQ(pairing_key(item.masks.front().file), item.id);
  }
}

TEST(Layout, NamesWhatStandsAlone) {
  const test::TemporaryFolder folder;
  add_pair(folder.path(), "a", "a", 255);
  add_pair(folder.path(), "b", "other", 255);
  const Layout layout = find_layout(folder.path());
  ASSERT_EQ(layout.cases.size(), 1U);
  ASSERT_EQ(layout.images_alone.size(), 1U);
  EXPECT_EQ(layout.images_alone.front().filename(), "b.png");
  ASSERT_EQ(layout.masks_alone.size(), 1U);
  EXPECT_EQ(layout.masks_alone.front().filename(), "other.png");
  const CheckReport report = check_dataset(folder.path(), {}, silence());
  ASSERT_FALSE(report.faults.empty());
  for (const Fault& fault : report.faults) EXPECT_FALSE(fault.remedy.empty()) << fault.kind;
}

TEST(Encoding, IsDecidedOverAllMasks) {
  MaskUse use;
  use.values[0] = 100;
  use.values[255] = 50;
  EXPECT_EQ(encoding_from_values(use), MaskEncoding::binary);
  use.values[255] = 0;
  use.values[1] = 20;
  use.values[3] = 20;
  use.with_gaps = 1;
  EXPECT_EQ(encoding_from_values(use), MaskEncoding::index);
  EXPECT_EQ(class_count(MaskEncoding::index, use), 4U);
  use.values[120] = 60;  // a gray ramp is neither
  use.values[77] = 60;
  EXPECT_EQ(encoding_from_values(use), std::nullopt);
}

TEST(Encoding, AmbiguityListsTheChoices) {
  const test::TemporaryFolder folder;
  add_pair(folder.path(), "a", "a", 120);
  add_pair(folder.path(), "b", "b", 77);
  const std::string message = error_of([&] { open_dataset(folder.path()); });
  for (const char* part : {"0, 77, 120", "--classes", "--mask-encoding instances"}) {
    EXPECT_TRUE(contains(message, part)) << message;
  }
}

TEST(Labels, AreReadAtTheImagesSizeOrRefused) {
  const test::TemporaryFolder folder;
  add_pair(folder.path(), "a", "a", 255);
  const Dataset dataset = open_dataset(folder.path());
  EXPECT_EQ(read_labels(dataset, dataset.cases.front()),
            test::make_labels(8, 8, [](auto, auto y) { return y < 4 ? 0 : 1; }));
  test::write_gray(folder.path() / "masks/a.png", 9, 8, [](auto, auto) { return 0; });
  const std::string message = error_of([&] { read_labels(dataset, dataset.cases.front()); });
  EXPECT_TRUE(contains(message, "8 x 8")) << message;
  EXPECT_TRUE(contains(message, "9 x 8")) << message;
}

class Splits : public ::testing::Test {
 protected:
  Splits() {
    for (int patient = 0; patient < 10; ++patient) {
      for (int frame = 0; frame < 3; ++frame) {
        const std::string name =
            "patient" + std::to_string(100 + patient) + "_frame" + std::to_string(frame);
        add_pair(folder_.path(), name, name, 255, 20 * patient + frame);
      }
    }
    // Two equal images under other names, of different patients.
    add_pair(folder_.path(), "twin_x", "twin_x", 255, 222);
    add_pair(folder_.path(), "twin_y", "twin_y", 255, 222);
    dataset_ = open_dataset(folder_.path());
  }
  [[nodiscard]] Split split_of(std::uint64_t seed) const {
    return make_split(dataset_, traits_of(examine(folder_.path(), {}, silence())),
                      {.ratios = ratios_, .seed = seed}, silence())
        .parts;
  }
  [[nodiscard]] fs::path write(const Split& split) const {
    fs::path file = folder_.path() / "split.json";
    SplitPlan plan;
    plan.parts = split;
    write_file(file, split_to_json(dataset_, plan).dump());
    return file;
  }

  test::TemporaryFolder folder_;
  Dataset dataset_;
  SplitRatios ratios_{.train = 0.5, .val = 0.25, .test = 0.25};
};

TEST_F(Splits, HoldEveryCaseOnceAndKeepGroupsTogether) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Split split = split_of(seed);
    std::map<std::string, std::set<int>> parts_of_group;
    std::set<std::string> seen;
    int part = 0;
    for (const auto* ids : {&split.train, &split.val, &split.test}) {
      EXPECT_FALSE(ids->empty());
      for (const std::string& id : *ids) {
        EXPECT_TRUE(seen.insert(id).second) << id;
        parts_of_group[id.substr(0, id.find('_'))].insert(part);
      }
      ++part;
    }
    EXPECT_EQ(seen.size(), dataset_.cases.size());
    for (const auto& [group, parts] : parts_of_group) EXPECT_EQ(parts.size(), 1U) << group;
    // Within one group of three (or the twins) of what was asked for.
    EXPECT_NEAR(static_cast<double>(split.train.size()), 0.5 * 32, 3);
    EXPECT_NEAR(static_cast<double>(split.test.size()), 0.25 * 32, 3);
  }
}

TEST_F(Splits, AreAFunctionOfTheSeed) {
  const Split a = split_of(5);
  EXPECT_EQ(a.train, split_of(5).train);
  EXPECT_NE(a.train, split_of(6).train);
}

TEST_F(Splits, ReadBackAsWritten) {
  const Split split = split_of(1);
  const Split read = read_split(write(split), dataset_);
  EXPECT_EQ(read.train, split.train);
  EXPECT_EQ(read.val, split.val);
  EXPECT_EQ(read.test, split.test);
}

TEST_F(Splits, AreRefusedWhenTheyDoNotFitTheData) {
  const Split split = split_of(1);
  const auto refused = [&](const Split& changed) {
    const fs::path file = write(changed);
    return error_of([&] { read_split(file, dataset_); });
  };
  Split unknown = split;
  unknown.test.emplace_back("stranger");
  EXPECT_TRUE(contains(refused(unknown), "stranger")) << refused(unknown);
  Split twice = split;
  twice.test.push_back(split.train.front());
  EXPECT_TRUE(contains(refused(twice), split.train.front())) << refused(twice);

  const fs::path file = write(split);
  EXPECT_EQ(error_of([&] { read_split(file, dataset_); }), "");
  test::write_gray(dataset_.cases.front().masks.front().file, 8, 8, [](auto, auto) { return 0; });
  EXPECT_NE(error_of([&] { read_split(file, dataset_); }), "") << "changed contents";

  nlohmann::json newer = nlohmann::json::parse(read_file(file));
  newer["format_version"] = 3;
  write_file(file, newer.dump());
  const std::string message = error_of([&] { read_split(file, dataset_); });
  EXPECT_TRUE(contains(message, "3")) << message;
  write_file(file, std::string_view("{]"));
  EXPECT_TRUE(contains(error_of([&] { read_split(file, dataset_); }), "split.json"));
}

}  // namespace
}  // namespace medurwkv::data
