// What mask values mean: the decision over a whole set, by the values that published sets hold, and
// the errors where nothing can be told.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/listener.h"
#include "core/model_description.h"
#include "data/check/faults.h"
#include "data/check/open.h"
#include "data/layout/encoding.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

/// Of gray files whose values have gaps in each, as all but numbered objects have.
MaskUse use_of(const std::map<std::size_t, std::int64_t>& pixels) {
  MaskUse use;
  for (const auto& [value, count] : pixels) use.values.at(value) = count;
  use.with_gaps = 1;
  return use;
}

TEST(MaskEncodings, AreDecidedByTheValuesOfPublishedSets) {
  const auto binary = MaskEncoding::binary;
  const auto index = MaskEncoding::index;
  // ISIC, DSB2018: two values.
  EXPECT_EQ(encoding_from_values(use_of({{0, 900}, {255, 100}})), binary);
  // Kvasir-SEG: JPEG noise at both ends.
  EXPECT_EQ(encoding_from_values(use_of({{0, 800}, {3, 40}, {8, 10}, {247, 10}, {255, 140}})),
            binary);
  // Resized Kvasir-SEG: up to 6 % in between; more is no mask.
  EXPECT_EQ(encoding_from_values(use_of({{0, 500}, {100, 30}, {150, 30}, {255, 440}})), binary);
  EXPECT_EQ(encoding_from_values(use_of({{0, 500}, {100, 30}, {150, 31}, {255, 439}})),
            std::nullopt);
  // ACDC; re-packs of GlaS; a set whose every mask is empty.
  EXPECT_EQ(encoding_from_values(use_of({{0, 900}, {1, 50}, {2, 30}, {3, 20}})), index);
  EXPECT_EQ(encoding_from_values(use_of({{0, 900}, {1, 100}})), index);
  EXPECT_EQ(encoding_from_values(use_of({{0, 1000}})), binary);
  EXPECT_EQ(encoding_from_values(use_of({{0, 900}, {20, 100}})), index);
  // Instances: 21 and more objects.
  EXPECT_EQ(encoding_from_values(use_of({{0, 900}, {21, 100}})), std::nullopt);
  // A gray picture in the masks' place.
  EXPECT_EQ(encoding_from_values(use_of({{0, 10}, {60, 300}, {120, 300}, {200, 300}})),
            std::nullopt);
}

// Class indices with 255 at the borders (VOC's "ignore"), or masks of two encodings in one set: as
// binary, the classes would silently become background and the borders the object.
TEST(MaskEncodings, IndicesBeside255CannotBeTold) {
  EXPECT_EQ(encoding_from_values(use_of({{0, 900}, {1, 60}, {2, 20}, {255, 20}})), std::nullopt);
  EXPECT_EQ(encoding_from_values(use_of({{0, 900}, {1, 60}, {255, 40}})), std::nullopt);
  EXPECT_EQ(class_count(MaskEncoding::index, use_of({{0, 900}, {1, 60}, {2, 20}, {255, 20}})), 3U)
      << "255 is no class";
}

class MaskSets : public ::testing::Test {
 protected:
  /// A pair whose mask's lower half holds `value`, its last pixel `last`.
  void add(const std::string& name, int value, int last) const {
    test::write_gray(folder_.path() / "images" / (name + ".png"), 8, 8,
                     [&](auto x, auto y) { return static_cast<int>((8 * x + y) * name[0] % 251); });
    test::write_gray(folder_.path() / "masks" / (name + ".png"), 8, 8, [&](auto x, auto y) {
      return x == 7 && y == 7 ? last : y < 4 ? 0 : value;
    });
  }
  [[nodiscard]] std::vector<std::string> kinds(const DatasetOptions& options = {}) const {
    std::vector<std::string> out;
    for (const Fault& fault : check_dataset(folder_.path(), {options}, silence()).faults) {
      if (fault.kind != "small-image") out.push_back(fault.kind);
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  test::TemporaryFolder folder_;
};

TEST_F(MaskSets, IndicesWith255AreRefusedUntilTheUserSays) {
  add("a", 1, 255);
  add("b", 2, 255);
  const auto refused = test::refusal_of([&] { return open_dataset(folder_.path()); });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::failure);
  for (const char* part : {"--mask-encoding", "binary", "index", "255"}) {
    EXPECT_TRUE(refused->names(part)) << part << ": " << refused->message;
  }
  EXPECT_EQ(kinds(), std::vector<std::string>{"unclear-encoding"});
  const DatasetOptions index{.encoding = MaskEncoding::index};
  EXPECT_EQ(kinds(index), std::vector<std::string>{});
  const Dataset dataset = open_dataset(folder_.path(), index);
  EXPECT_EQ(dataset.classes.size(), 3U);
  const LabelMap labels = read_labels(dataset, dataset.cases.back());
  EXPECT_EQ(labels.labels[63], ignore_label);
  EXPECT_EQ(labels.labels[62], 2);
  EXPECT_EQ(labels.labels[0], 0);
}

TEST_F(MaskSets, ABinaryMaskIsCutBetween127And128) {
  add("a", 255, 127);
  add("b", 255, 128);
  const Dataset dataset = open_dataset(folder_.path());
  EXPECT_EQ(dataset.encoding, MaskEncoding::binary);
  EXPECT_EQ(read_labels(dataset, dataset.cases[0]).labels[63], 0);
  EXPECT_EQ(read_labels(dataset, dataset.cases[1]).labels[63], 1);
}

// JPEG noise of one mask of a binary set is no other encoding.
TEST_F(MaskSets, NoiseNearBlackIsNoFaultInABinarySet) {
  add("a", 255, 250);
  add("b", 255, 3);
  EXPECT_EQ(kinds(), std::vector<std::string>{});
}

TEST_F(MaskSets, SeveralMasksOfACaseAreUnited) {
  add("a", 0, 255);
  std::filesystem::rename(folder_.path() / "masks/a.png", folder_.path() / "masks/a_mask.png");
  test::write_gray(folder_.path() / "masks/a_mask_1.png", 8, 8,
                   [](auto x, auto y) { return x == 0 && y == 0 ? 255 : 0; });
  const Dataset dataset = open_dataset(folder_.path());
  ASSERT_EQ(dataset.cases.size(), 1U);
  EXPECT_EQ(read_labels(dataset, dataset.cases.front()),
            test::make_labels(8, 8, [](auto x, auto y) { return x == y && x % 7 == 0 ? 1 : 0; }));
}

TEST(ClassNames, AreAsManyAsTheClasses) {
  EXPECT_EQ(make_classes(2, {}).at(1).name, "foreground");
  EXPECT_EQ(make_classes(3, {"none", "a", "b"}).at(2).name, "b");
  EXPECT_EQ(make_classes(4, {}).front().color, (std::array<std::uint8_t, 3>{}));
  for (const std::size_t given : {1U, 3U}) {
    const auto refused =
        test::refusal_of([&] { return make_classes(2, std::vector<std::string>(given, "name")); });
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->kind, ErrorKind::usage);
  }
}

TEST(ClassNames, AreUtf8) {
  EXPECT_EQ(make_classes(2, {"b", "na\xc3\xafve"}).at(1).name, "na\xc3\xafve");
  const auto refused = test::refusal_of([] { return make_classes(2, {"b", "na\xefve"}); });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::usage);
}

TEST(MaskEncodings, HaveNames) {
  EXPECT_EQ(mask_encoding_from(to_string(MaskEncoding::binary)), MaskEncoding::binary);
  EXPECT_EQ(mask_encoding_from(to_string(MaskEncoding::index)), MaskEncoding::index);
  const auto refused = test::refusal_of([] { return mask_encoding_from("colours"); });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::usage);
  EXPECT_TRUE(refused->names("binary") && refused->names("index")) << refused->message;
}

}  // namespace
}  // namespace medurwkv::data
