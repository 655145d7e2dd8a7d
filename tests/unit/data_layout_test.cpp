// Pairing files by name: published layouts, suffixes, junk, and what happens to files that fit
// nothing. Files are empty: nothing here is decoded.
#include <gtest/gtest.h>
#include <unistd.h>

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
#include "core/listener.h"
#include "data/check/faults.h"
#include "data/check/open.h"
#include "data/codecs/read.h"
#include "data/layout/layout.h"
#include "data/split/split.h"
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
  /// The path of a file whose folder is there.
  [[nodiscard]] fs::path make(const std::string& name) const {
    fs::create_directories((folder_.path() / name).parent_path());
    return folder_.path() / name;
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
  const CheckReport report = check_dataset(folder_.path(), {}, silence());
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
  const CheckReport report = check_dataset(folder_.path(), {}, silence());
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
  const CheckReport report = check_dataset(folder_.path(), {}, silence());
  EXPECT_EQ(report.pairs, 2);
  ASSERT_EQ(report.errors(), 1);
  EXPECT_EQ(report.faults.front().kind, "broken-link");
  EXPECT_TRUE(report.faults.front().where.ends_with("images/b.png"));
}

// Latin-1 names come out of old zip files. JSON cannot hold them: the check and `split` name them,
// instead of an exception of the JSON library.
TEST_F(Layouts, NamesThatAreNoUtf8AreNamedAsTheFault) {
  const auto gray = [](auto x, auto) { return static_cast<int>(x) * 20; };
  const auto mask = [](auto x, auto) { return x < 4 ? 0 : 255; };
  for (const char* name : {"good.png", "na\xefve.png"}) {
    test::write_gray(folder_.path() / "images" / name, 8, 8, gray);
    test::write_gray(folder_.path() / "masks" / name, 8, 8, mask);
  }
  const CheckReport report = check_dataset(folder_.path(), {}, silence());
  EXPECT_TRUE(std::any_of(report.faults.begin(), report.faults.end(), [](const Fault& fault) {
    return fault.kind == "name-not-utf8" && fault.severity == Severity::error;
  }));
  EXPECT_NO_THROW(static_cast<void>(to_json(report).dump()));
  const Dataset dataset = examine_masks(folder_.path(), {}, silence()).dataset;
  for (const auto& refused :
       {test::refusal_of([&] { return split_to_json(dataset, {}); }),
        test::refusal_of([&] { return split_to_json(open_dataset(folder_.path()), {}); })}) {
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->kind, ErrorKind::failure);
    EXPECT_TRUE(refused->names("UTF-8")) << refused->message;
  }
}

TEST_F(Layouts, LoopsOfLinksEnd) {
  add({"images/a.png", "masks/a.png"});
  fs::create_directory_symlink(folder_.path(), folder_.path() / "images/loop");
  EXPECT_EQ(pairs().size(), 1U);
}

// Two links into each other's folder: each way through them ends where it meets itself.
TEST_F(Layouts, LinksIntoEachOtherEnd) {
  add({"a/images/1.png", "a/masks/1.png", "b/images/2.png", "b/masks/2.png"});
  fs::create_directory_symlink("../b", folder_.path() / "a/other");
  fs::create_directory_symlink("../a", folder_.path() / "b/other");
  fs::create_directory_symlink("self", folder_.path() / "self");
  std::vector<std::string> files;
  for (const fs::path& file : list_files(folder_.path())) files.push_back(relative(file));
  EXPECT_EQ(files,
            (std::vector<std::string>{"a/images/1.png", "a/masks/1.png", "a/other/images/2.png",
                                      "a/other/masks/2.png", "b/images/2.png", "b/masks/2.png",
                                      "b/other/images/1.png", "b/other/masks/1.png", "self"}))
      << "self is a broken link, for whoever reads it to name";
}

TEST_F(Layouts, LinksToFoldersAreFollowed) {
  add({"real/im/a.png", "real/im/deep/b.png", "real/ma/a.png", "real/ma/deep/b.png"});
  fs::create_directories(folder_.path() / "set");
  fs::create_directory_symlink("../real/im", folder_.path() / "set/images");
  fs::create_directory_symlink(fs::absolute(folder_.path() / "real/ma"),
                               folder_.path() / "set/masks");
  const Layout layout = find_layout(folder_.path() / "set");
  ASSERT_EQ(layout.cases.size(), 2U);
  EXPECT_EQ(relative(layout.cases[0].images.front().file), "set/images/a.png");
  EXPECT_EQ(relative(layout.cases[1].masks.front().file), "set/masks/deep/b.png");
}

// Ten folders with links to all others have millions of ways through them.
TEST_F(Layouts, ATangleOfLinksIsRefused) {
  for (int i = 0; i < 10; ++i) {
    fs::create_directories(folder_.path() / std::to_string(i));
    for (int j = 0; j < 10; ++j) {
      fs::create_directory_symlink("../" + std::to_string(j),
                                   folder_.path() / std::to_string(i) / ("to" + std::to_string(j)));
    }
  }
  const auto refused = test::refusal_of([&] { return list_files(folder_.path()); });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("links")) << refused->message;
}

/// Root may read everything; nobody may not.
class AsNobody {
 public:
  AsNobody() : changed_(::geteuid() == 0 && ::seteuid(65534) == 0) {}
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  AsNobody(AsNobody&&) = delete;
  AsNobody& operator=(AsNobody&&) = delete;
  ~AsNobody() {
    if (changed_) static_cast<void>(::seteuid(0));
  }

 private:
  bool changed_;
};

TEST_F(Layouts, AFolderThatCannotBeListedIsNamed) {
  add({"images/a.png", "masks/a.png", "images/closed/b.png", "images/lost+found/c.png"});
  fs::permissions(folder_.path(), fs::perms::all);
  fs::permissions(folder_.path() / "images/closed", fs::perms::none);
  fs::permissions(folder_.path() / "images/lost+found", fs::perms::none);
  const auto refused = test::refusal_of([&] {
    const AsNobody nobody;
    return find_layout(folder_.path());
  });
  fs::permissions(folder_.path() / "images/closed", fs::perms::all);
  fs::permissions(folder_.path() / "images/lost+found", fs::perms::all);
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("images/closed") && refused->names("cannot be listed"))
      << refused->message;
}

TEST_F(Layouts, WhatSystemsLeaveBehindIsPassed) {
  add({"images/a.png", "masks/a.png", "images/@eaDir/a.png/SYNOPHOTO_THUMB_M.png",
       "#recycle/images/b.png", "$RECYCLE.BIN/c.png", "lost+found/d.png", "images/Thumbs.db",
       "images/.ipynb_checkpoints/a-checkpoint.png", "System Volume Information/e.png"});
  const Layout layout = find_layout(folder_.path());
  EXPECT_EQ(layout.cases.size(), 1U);
  EXPECT_TRUE(layout.images_alone.empty());
  EXPECT_TRUE(layout.notes.empty());
}

// macOS writes the letter and the dots apart, an archive made elsewhere does not.
TEST_F(Layouts, LettersInTwoFormsPair) {
  add({"u\xcc\x88/images/a\xcc\x8a_1.png", "\xc3\xbc/masks/\xc3\xa5_1_mask.png",
       "x/images/\xc3\xa5_1.png"});
  const Layout layout = find_layout(folder_.path());
  ASSERT_EQ(layout.cases.size(), 1U);
  EXPECT_EQ(layout.cases.front().id, "\xc3\xbc/\xc3\xa5_1");
  EXPECT_EQ(relative(layout.cases.front().images.front().file), "u\xcc\x88/images/a\xcc\x8a_1.png");
}

// Somebody's predictions beside the set would take part of its names, and its masks.
TEST_F(Layouts, PicturesBesideTheSetArePassedAndCounted) {
  add({"images/a0.png", "images/a1.png", "masks/a0.png", "masks/a1.png", "p/a0.png", "p/a1.png",
       "p/a1_mask.png", "q/deep/a0_mask.png", "overview.png"});
  const Layout layout = find_layout(folder_.path());
  ASSERT_EQ(layout.cases.size(), 3U);
  EXPECT_EQ(layout.cases[0].id, "a0") << "p/a0 has no mask beside it";
  EXPECT_EQ(layout.cases[1].id, "a1") << "but p/a1 has";
  EXPECT_EQ(layout.cases[2].id, "p/a1");
  EXPECT_TRUE(layout.images_alone.empty());
  EXPECT_EQ(layout.passed.size(), 3U);
  std::map<std::string, std::string> notes;
  for (const FileNote& note : layout.notes) notes[relative(note.file)] = note.what;
  ASSERT_EQ(notes.size(), 3U);
  EXPECT_TRUE(notes["p"].starts_with("has 1 picture ")) << notes["p"];
  EXPECT_TRUE(notes["q"].starts_with("has 1 picture ")) << notes["q"];
  EXPECT_TRUE(notes["."].starts_with("has 1 picture ")) << notes["."];
}

TEST_F(Layouts, TwoFoldersOfMasksAreOneQuestion) {
  for (const char* folder : {"images", "masks", "labels"}) {
    for (const char* name : {"/1.png", "/2.png", "/3.png"}) {
      write_file(make(std::string(folder) + name), std::string(folder) + name);
    }
  }
  const Layout layout = find_layout(folder_.path());
  ASSERT_EQ(layout.broken.size(), 1U);
  const std::string& what = layout.broken.front().what;
  for (const char* word : {"3 cases", "labels/1.png", "masks/1.png", "move"}) {
    EXPECT_NE(what.find(word), std::string::npos) << what;
  }
}

// What is the same for every image is no truth.
TEST_F(Layouts, MasksThatAreAllAlikeAreNotTheTruth) {
  for (const char* name : {"/1.png", "/2.png", "/3.png"}) {
    write_file(make(std::string("images") + name), std::string("image") + name);
    write_file(make(std::string("labels") + name), std::string("truth") + name);
    write_file(make(std::string("mask") + name), std::string_view("circle"));
  }
  const Layout layout = find_layout(folder_.path());
  EXPECT_TRUE(layout.broken.empty());
  ASSERT_EQ(layout.cases.size(), 3U);
  for (const Case& item : layout.cases) {
    ASSERT_EQ(item.masks.size(), 1U);
    EXPECT_EQ(item.masks.front().file.parent_path().filename(), "labels");
  }
  ASSERT_EQ(layout.notes.size(), 1U);
  EXPECT_EQ(layout.notes.front().kind, "field-of-view");
  EXPECT_EQ(layout.passed.size(), 3U);
}

// One folder, two suffixes: no union of what may be two things.
TEST_F(Layouts, TwoKindsOfMasksInOneFolderAreAQuestion) {
  add({"a.png", "a_mask.png", "a_seg.png"});
  ASSERT_EQ(find_layout(folder_.path()).broken.size(), 1U);
}

TEST_F(Layouts, FormatsThatAreNotReadAreNamedWhereTheyAreMissed) {
  add({"images/a.png", "images/b.heic", "masks/a.png", "masks/b.png", "masks/c.mat", "masks/a.mat",
       "images/readme.txt", "docs/manual.pdf", "images.zip"});
  const Layout layout = find_layout(folder_.path());
  std::map<std::string, std::string> unread;
  for (const FileNote& note : layout.unread) unread[relative(note.file)] = note.what;
  ASSERT_EQ(unread.size(), 2U);
  EXPECT_NE(unread["images/b.heic"].find(".heic"), std::string::npos);
  EXPECT_NE(unread["images/b.heic"].find("; convert it to PNG"), std::string::npos);
  EXPECT_NE(unread["masks/c.mat"].find("MATLAB"), std::string::npos);
}

TEST_F(Layouts, ASetInAFormatThatIsNotReadSaysSo) {
  add({"images/a.svs", "images/b.svs", "masks/a.png", "masks/b.png"});
  const auto refused = test::refusal_of([&] { return open_dataset(folder_.path()); });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("2 files have the suffix .svs") && refused->names("tiles"))
      << refused->message;
  EXPECT_FALSE(refused->names("into images/")) << refused->message;
  const test::TemporaryFolder other;
  fs::create_directories(other.path() / "images");
  write_file(other.path() / "images/a.xyz", std::string_view("x"));
  const auto unknown = test::refusal_of([&] { return open_dataset(other.path()); });
  ASSERT_TRUE(unknown);
  EXPECT_TRUE(unknown->names("1 file has the suffix .xyz")) << unknown->message;
}

// Files without a suffix, or with a number as one, are DICOM by their content.
TEST_F(Layouts, DicomNeedsNoSuffix) {
  fs::create_directories(folder_.path() / "images");
  for (const char* name : {"images/IM1", "images/1.2.840.7"}) {
    write_file(folder_.path() / name, std::string(128, '\0') + "DICM\2");
  }
  write_file(folder_.path() / "images/note", std::string(200, 'x'));
  const Layout found = find_layout(folder_.path());
  std::vector<std::string> names;
  for (const fs::path& file : found.images_alone) names.push_back(file.filename().string());
  EXPECT_EQ(names, (std::vector<std::string>{"1.2.840.7", "IM1"}));
}

// The set's own folder is no case of DSB2018, and neither is a folder that holds more images.
TEST_F(Layouts, FoldersNamedLikeAnImage) {
  add({"1/images/1.png", "1/images/2.png", "1/masks/1.png", "1/masks/2.png",
       "2/images/fold1/images.npy", "2/masks/fold1/masks.npy"});
  const Layout layout = find_layout(folder_.path() / "1");
  ASSERT_EQ(layout.cases.size(), 2U);
  EXPECT_EQ(layout.cases[0].id, "1");
  EXPECT_EQ(layout.cases[1].id, "2");
  EXPECT_EQ(find_layout(folder_.path()).cases.size(), 2U);
  const Layout arrays = find_layout(folder_.path() / "2");
  EXPECT_EQ(arrays.images_alone.size(), 1U);
  EXPECT_EQ(arrays.masks_alone.size(), 1U);
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
