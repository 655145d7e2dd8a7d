// Pairing files by name: published layouts, suffixes, junk, and what happens to files that fit
// nothing. Files are empty: nothing here is decoded.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "data/faults.h"
#include "data/layout.h"
#include "data/split.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

class Layouts : public ::testing::Test {
 protected:
  void add(const std::vector<std::string>& names) const {
    for (const std::string& name : names) {
      fs::create_directories((folder_.path() / name).parent_path());
      write_file(folder_.path() / name, std::string_view("x"));
    }
  }
  /// Image -> masks, relative to the folder.
  [[nodiscard]] std::map<std::string, std::set<std::string>> pairs() const {
    std::map<std::string, std::set<std::string>> out;
    for (const Case& item : find_layout(folder_.path()).cases) {
      for (const ImageSource& mask : item.masks) {
        out[relative(item.images.front().file)].insert(relative(mask.file));
      }
    }
    return out;
  }
  [[nodiscard]] std::string relative(const fs::path& path) const {
    return path.lexically_relative(folder_.path()).string();
  }

  test::TemporaryFolder folder_;
};

using Pairs = std::map<std::string, std::set<std::string>>;

// The suffixes of published sets (ISIC 2016 and 2017, BUSI, GlaS, PH2, DRIVE, nnU-Net, Carvana-like
// re-packs), in any case; numbers that are part of a name stay.
TEST(PairingKey, IsTheStemWithoutOneSuffix) {
  const std::vector<std::pair<std::string, std::string>> expected{
      {"ISIC_0000001_segmentation.png", "ISIC_0000001"},
      {"ISIC_0000001_Segmentation.PNG", "ISIC_0000001"},
      {"benign (1)_mask.png", "benign (1)"},
      {"benign (1)_mask_12.png", "benign (1)"},
      {"a-mask.png", "a"},
      {"a_seg.png", "a"},
      {"a_gt.png", "a"},
      {"a_label.png", "a"},
      {"a_labels.png", "a"},
      {"train_1_anno.bmp", "train_1"},
      {"IMD003_lesion.bmp", "IMD003"},
      {"21_manual1.gif", "21"},
      {"21_training.tif", "21"},
      {"la_007_0000.png", "la_007"},
      {"train_1.bmp", "train_1"},
      {"patient001_frame01_slice_03.png", "patient001_frame01_slice_03"},
      {"mask.png", "mask"},
      {"_mask.png", "_mask"},
      {"a.b.png", "a.b"},
      {"unmask.png", "unmask"}};
  for (const auto& [file, key] : expected) EXPECT_EQ(pairing_key(file), key) << file;
}

// Ten images, the fourth mask missing: by order, six cases would get a neighbour's mask.
TEST_F(Layouts, AMissingMaskShiftsNothing) {
  Pairs expected;
  for (int i = 1; i <= 10; ++i) {
    const std::string name = std::to_string(i) + ".png";
    add({"images/" + name});
    if (i == 4) continue;
    add({"masks/" + name});
    expected["images/" + name] = {"masks/" + name};
  }
  EXPECT_EQ(pairs(), expected);
  const Layout layout = find_layout(folder_.path());
  ASSERT_EQ(layout.images_alone.size(), 1U);
  EXPECT_EQ(relative(layout.images_alone.front()), "images/4.png");
  EXPECT_TRUE(layout.masks_alone.empty());
}

TEST_F(Layouts, TheCheckNamesTheImageWithoutMaskAndWhatToDo) {
  const auto gray = [](auto x, auto) { return static_cast<int>(x) * 20; };
  const auto mask = [](auto x, auto) { return x < 4 ? 0 : 255; };
  for (const char* name : {"a.png", "b.png"}) {
    test::write_gray(folder_.path() / "images" / name, 8, 8, gray);
  }
  test::write_gray(folder_.path() / "masks/a.png", 8, 8, mask);
  test::write_gray(folder_.path() / "masks/c.png", 8, 8, mask);
  const StopSignal stop{0};
  const CheckReport report = check_dataset(folder_.path(), {}, stop, true);
  EXPECT_EQ(report.pairs, 1);
  EXPECT_EQ(report.images, 2);
  EXPECT_EQ(report.masks, 2);
  std::map<std::string, Fault> by_kind;
  for (const Fault& fault : report.faults) by_kind[fault.kind] = fault;
  ASSERT_TRUE(by_kind.contains("image-without-mask"));
  const Fault& image = by_kind["image-without-mask"];
  EXPECT_EQ(image.severity, Severity::error);
  EXPECT_TRUE(image.where.ends_with("images/b.png")) << image.where;
  EXPECT_NE(image.remedy.find("mask"), std::string::npos) << image.remedy;
  ASSERT_TRUE(by_kind.contains("mask-without-image"));
  EXPECT_TRUE(by_kind["mask-without-image"].where.ends_with("masks/c.png"));
}

TEST_F(Layouts, BusiHasSeveralMasksBesideTheImage) {
  add({"benign/benign (1).png", "benign/benign (1)_mask.png", "benign/benign (1)_mask_1.png",
       "benign/benign (11).png", "benign/benign (11)_mask.png", "normal/normal (1).png",
       "normal/normal (1)_mask.png"});
  EXPECT_EQ(pairs(), (Pairs{{"benign/benign (1).png",
                             {"benign/benign (1)_mask.png", "benign/benign (1)_mask_1.png"}},
                            {"benign/benign (11).png", {"benign/benign (11)_mask.png"}},
                            {"normal/normal (1).png", {"normal/normal (1)_mask.png"}}}));
}

// The parts of one set often repeat names; each pairs within its own part, and ids stay unique.
TEST_F(Layouts, EqualNamesInTwoPartsStayApart) {
  add({"train/images/1.png", "train/masks/1.png", "test/images/1.png", "test/masks/1.png"});
  EXPECT_EQ(pairs(), (Pairs{{"train/images/1.png", {"train/masks/1.png"}},
                            {"test/images/1.png", {"test/masks/1.png"}}}));
  std::set<std::string> ids;
  for (const Case& item : find_layout(folder_.path()).cases) ids.insert(item.id);
  EXPECT_EQ(ids.size(), 2U);
}

TEST_F(Layouts, IsicFoldersOfTheChallenge) {
  add({"ISIC-2017_Training_Data/ISIC_1.jpg",
       "ISIC-2017_Training_Part1_GroundTruth/ISIC_1_segmentation.png",
       "ISIC2018_Task1-2_Validation_Input/ISIC_2.jpg",
       "ISIC2018_Task1_Validation_GroundTruth/ISIC_2_segmentation.png"});
  EXPECT_EQ(pairs(), (Pairs{{"ISIC-2017_Training_Data/ISIC_1.jpg",
                             {"ISIC-2017_Training_Part1_GroundTruth/ISIC_1_segmentation.png"}},
                            {"ISIC2018_Task1-2_Validation_Input/ISIC_2.jpg",
                             {"ISIC2018_Task1_Validation_GroundTruth/ISIC_2_segmentation.png"}}}));
}

// DRIVE's mask/ is the camera's field of view, not the vessels: united with them, all of the
// retina would become vessel.
TEST_F(Layouts, DrivesFieldOfViewIsNoMask) {
  add({"training/images/21_training.png", "training/1st_manual/21_manual1.png",
       "training/mask/21_training_mask.png"});
  EXPECT_EQ(pairs(),
            (Pairs{{"training/images/21_training.png", {"training/1st_manual/21_manual1.png"}}}));
}

TEST_F(Layouts, JunkIsNotSeen) {
  add({"images/a.png", "masks/a.png", "images/._a.png", "__MACOSX/images/._a.png", ".hidden/b.png",
       "images/Thumbs.db", "images/LICENSE.txt", "manifest.csv"});
  EXPECT_EQ(pairs(), (Pairs{{"images/a.png", {"masks/a.png"}}}));
  const Layout layout = find_layout(folder_.path());
  EXPECT_TRUE(layout.images_alone.empty());
  EXPECT_TRUE(layout.masks_alone.empty());
}

TEST_F(Layouts, TwoImagesOfOneNameAreReported) {
  add({"images/a.png", "images/a.jpg", "masks/a.png"});
  EXPECT_EQ(find_layout(folder_.path()).ambiguous, (std::vector<std::string>{"a"}));
  const StopSignal stop{0};
  const CheckReport report = check_dataset(folder_.path(), {}, stop, true);
  EXPECT_EQ(report.images, 2) << "both are images";
  EXPECT_TRUE(std::any_of(report.faults.begin(), report.faults.end(), [](const Fault& fault) {
    return fault.kind == "same-name-twice" && fault.severity == Severity::error;
  }));
}

TEST_F(Layouts, GroupsArePatientsWhereNamesSaySo) {
  add({"images/patient012_frame01.png", "masks/patient012_frame01.png",
       "images/case0005_slice7.png", "masks/case0005_slice7.png", "images/other_1.png",
       "masks/other_1.png"});
  std::map<std::string, std::string> groups;
  for (const Case& item : find_layout(folder_.path()).cases) groups[item.id] = item.group;
  EXPECT_EQ(groups, (std::map<std::string, std::string>{{"patient012_frame01", "patient012"},
                                                        {"case0005_slice7", "case0005"},
                                                        {"other_1", "other_1"}}));
}

// A link whose target is gone is a broken file of the set: named by the check, no reason to refuse
// all others.
TEST_F(Layouts, ADanglingLinkIsOneBrokenFile) {
  const auto gray = [](auto x, auto) { return static_cast<int>(x) * 20; };
  const auto mask = [](auto x, auto) { return x < 4 ? 0 : 255; };
  test::write_gray(folder_.path() / "images/a.png", 8, 8, gray);
  test::write_gray(folder_.path() / "masks/a.png", 8, 8, mask);
  test::write_gray(folder_.path() / "masks/b.png", 8, 8, mask);
  fs::create_symlink(folder_.path() / "gone.png", folder_.path() / "images/b.png");
  const StopSignal stop{0};
  const CheckReport report = check_dataset(folder_.path(), {}, stop, true);
  EXPECT_EQ(report.pairs, 2);
  ASSERT_EQ(report.errors(), 1);
  EXPECT_EQ(report.faults.front().kind, "broken-link");
  EXPECT_TRUE(report.faults.front().where.ends_with("images/b.png"));
}

// Latin-1 names come out of old zip files. JSON cannot hold them: said at the check and before a
// split is written, not by an exception of the JSON library.
TEST_F(Layouts, NamesThatAreNoUtf8AreNamedAsTheFault) {
  const auto gray = [](auto x, auto) { return static_cast<int>(x) * 20; };
  const auto mask = [](auto x, auto) { return x < 4 ? 0 : 255; };
  for (const char* name : {"good.png", "na\xefve.png"}) {
    test::write_gray(folder_.path() / "images" / name, 8, 8, gray);
    test::write_gray(folder_.path() / "masks" / name, 8, 8, mask);
  }
  const StopSignal stop{0};
  const CheckReport report = check_dataset(folder_.path(), {}, stop, true);
  EXPECT_TRUE(std::any_of(report.faults.begin(), report.faults.end(), [](const Fault& fault) {
    return fault.kind == "name-not-utf8" && fault.severity == Severity::error;
  }));
  EXPECT_NO_THROW(static_cast<void>(to_json(report).dump()));
  const Dataset dataset = open_dataset(folder_.path());
  const auto refused = test::refusal_of([&] { return split_to_json(dataset, {}); });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::failure);
  EXPECT_TRUE(refused->names("UTF-8")) << refused->message;
}

TEST_F(Layouts, LoopsOfLinksEnd) {
  add({"images/a.png", "masks/a.png"});
  fs::create_directory_symlink(folder_.path(), folder_.path() / "images/loop");
  EXPECT_EQ(pairs().size(), 1U);
}

TEST_F(Layouts, ARootThatIsNoFolderIsNamed) {
  add({"file"});
  for (const char* name : {"absent", "file"}) {
    const auto refused = test::refusal_of([&] { return find_layout(folder_.path() / name); });
    ASSERT_TRUE(refused) << name;
    EXPECT_EQ(refused->kind, ErrorKind::failure);
    EXPECT_TRUE(refused->names(name)) << refused->message;
  }
}

}  // namespace
}  // namespace medurwkv::data
