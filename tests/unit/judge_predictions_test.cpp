// Calibration by hand, and masks of other tools found by their names.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>

#include "core/error.h"
#include "core/files.h"
#include "core/model_description.h"
#include "core/npy.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "data/layout/layout.h"
#include "judge/calibration.h"
#include "judge/predicted_masks.h"
#include "predict/outputs.h"
#include "support/paths.h"

namespace medurwkv::judge {
namespace {

namespace fs = std::filesystem;

// Four pixels of two classes, one ignored. Confidences 0.9 (right), 0.9 (wrong: truth foreground)
// and 0.6 (right, foreground): of the bins (0.8667, 0.9333] 2 pixels, 1 right, mean 0.9; of
// (0.5333, 0.6] 1 pixel. ECE = (|1 - 1.8| + |1 - 0.6|) / 3.
TEST(Calibration, IsTheGapBetweenConfidenceAndAccuracy) {
  const data::LabelMap truth{4, 1, {0, 1, 1, ignore_label}};
  const data::LabelMap labels{4, 1, {0, 0, 1, 0}};
  const std::vector<float> probabilities{0.9F, 0.9F, 0.4F, 1, 0.1F, 0.1F, 0.6F, 0};
  Calibration calibration;
  calibration.add(truth, labels, probabilities);
  EXPECT_EQ(calibration.all.pixels(), 3);
  EXPECT_NEAR(calibration.all.expected_error().value(), 1.2 / 3, 1e-7);
  EXPECT_EQ(calibration.all.bins[13].pixels, 2);
  EXPECT_EQ(calibration.all.bins[13].right, 1);
  EXPECT_EQ(calibration.foreground.pixels(), 2);
  EXPECT_NEAR(calibration.foreground.expected_error().value(), (0.9 + 0.4) / 2, 1e-7);
}

TEST(Calibration, CertaintyFitsTheLastBin) {
  Calibration calibration;
  calibration.add({2, 1, {1, 1}}, {2, 1, {1, 1}}, std::vector<float>{0, 0, 1, 1});
  EXPECT_EQ(calibration.all.bins[14].pixels, 2);
  EXPECT_EQ(calibration.all.expected_error(), 0.0);
  EXPECT_EQ(Calibration{}.all.expected_error(), std::nullopt);
}

class Predicted : public testing::Test {
 protected:
  void SetUp() override {
    dataset.encoding = data::MaskEncoding::binary;
    dataset.classes = {{"background", {}}, {"object", {}}};
  }
  void add_case(const std::string& id) {
    cases.emplace_back();
    cases.back().id = id;
  }
  // A gray PNG of one row.
  void add_file(const std::string& name, const std::vector<unsigned char>& values) {
    const fs::path file = folder.path() / name;
    make_folder(file.parent_path());
    write_file(
        file,
        data::encode_png(data::Image{
            static_cast<std::int64_t>(values.size()), 1, 1, data::SampleType::u8, values, {}}));
  }
  PredictedMasks open(const PredictedMasksOptions& options = {}) const {
    return {folder.path(), dataset, cases, options};
  }
  [[nodiscard]] static std::string refusal(const std::function<void()>& act) {
    try {
      act();
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }

  test::TemporaryFolder folder;
  data::Dataset dataset;
  std::vector<data::Case> cases;
};

// Names as the set has them, with suffixes that tools add, below folders; other files are ignored.
TEST_F(Predicted, AreFoundByName) {
  for (const char* id : {"a", "b", "c_0000", "train/d"}) add_case(id);
  add_file("a.png", {0, 255, 255});
  add_file("a_overlay.png", {1, 2, 3});
  add_file("b_segmentation.png", {255, 0, 0});
  add_file("c.png", {0, 0, 255});
  add_file("train/d.png", {0, 0, 0});
  const PredictedMasks masks = open();
  EXPECT_EQ(masks.encoding(), data::MaskEncoding::binary);
  EXPECT_EQ(masks.read(0, {3, 1}).labels, (std::vector<std::uint8_t>{0, 1, 1}));
  EXPECT_EQ(masks.read(1, {3, 1}).labels, (std::vector<std::uint8_t>{1, 0, 0}));
  EXPECT_EQ(masks.read(2, {3, 1}).labels, (std::vector<std::uint8_t>{0, 0, 1}));
  EXPECT_EQ(masks.read(3, {3, 1}).labels, (std::vector<std::uint8_t>{0, 0, 0}));
}

// Other tools may write indices where the truth has 255.
TEST_F(Predicted, HaveAnEncodingOfTheirOwn) {
  add_case("a");
  add_file("a.png", {0, 1, 1});
  EXPECT_EQ(open().read(0, {3, 1}).labels, (std::vector<std::uint8_t>{0, 1, 1}));
  add_file("a.png", {0, 1, 2});
  EXPECT_NE(refusal([&] {
              static_cast<void>(open().read(0, {3, 1}));
            }).find("holds the class 2"),
            std::string::npos);
  EXPECT_EQ(open({Missing::error, data::MaskEncoding::instances}).read(0, {3, 1}).labels,
            (std::vector<std::uint8_t>{0, 1, 1}));
}

TEST_F(Predicted, WhatIsMissingIsNamedOrCountsAsEmpty) {
  for (const char* id : {"a", "b", "c"}) add_case(id);
  add_file("b.png", {0, 255});
  const std::string message = refusal([&] { open(); });
  EXPECT_NE(message.find("2 of 3 cases have no predicted mask: a, c;"), std::string::npos)
      << message;
  const PredictedMasks masks = open({Missing::empty, {}});
  EXPECT_EQ(masks.missing(), 2U);
  EXPECT_EQ(masks.read(0, {4, 2}).labels, std::vector<std::uint8_t>(8, 0));
  EXPECT_EQ(masks.read(1, {2, 1}).labels, (std::vector<std::uint8_t>{0, 1}));
}

TEST_F(Predicted, OtherSizesTwoFilesAndNoFolderAreRefused) {
  add_case("a");
  add_file("a.png", {0, 255});
  const std::string size = refusal([&] { static_cast<void>(open().read(0, {3, 1})); });
  EXPECT_NE(size.find("a.png: is 2 x 1 pixels, the truth of the case a is 3 x 1"),
            std::string::npos)
      << size;
  add_file("more/a.png", {0, 255});
  add_case("b");
  add_file("b.png", {0, 255});
  EXPECT_EQ(refusal([&] { open(); }), "") << "a.png is the case's name, more/a.png is not";
  fs::remove(folder.path() / "a.png");
  add_file("less/a.png", {0, 255});
  EXPECT_NE(refusal([&] { open(); }).find("two predicted masks for the case a"), std::string::npos);
  cases.resize(1);
  cases.front().id = "z";
  EXPECT_NE(refusal([&] {
              open({Missing::empty, {}});
            }).find("no file is named as a case"),
            std::string::npos);
  EXPECT_NE(refusal([&] {
              PredictedMasks(folder.path() / "nowhere", dataset, cases, {});
            }).find("not a folder"),
            std::string::npos);
}

// The same names in several folders: a mask belongs where its folders say, with or without the
// folders that say roles.
TEST_F(Predicted, AreFoundByPlace) {
  for (const char* id : {"P0/a", "P1/a", "test/a", "P2/b"}) add_case(id);
  add_file("P0/images/a.png", {255, 0, 0, 0});
  add_file("P1/a_mask.png", {0, 255, 0, 0});
  add_file("Test_Labels/a.png", {0, 0, 255, 0});
  add_file("b.png", {0, 0, 0, 255});
  const PredictedMasks masks = open();
  for (std::size_t i = 0; i < 4; ++i) {
    std::vector<std::uint8_t> wanted(4, 0);
    wanted[i] = 1;
    EXPECT_EQ(masks.read(i, {4, 1}).labels, wanted) << cases[i].id;
  }
  add_file("P0/a.png", {255, 0, 0, 0});
  const std::string two = refusal([&] { open(); });
  EXPECT_NE(two.find("two predicted masks for the case P0/a"), std::string::npos) << two;
  EXPECT_NE(two.find("P0/images/a.png"), std::string::npos) << two;
}

// A bare name is no proof where folders say otherwise.
TEST_F(Predicted, AreNotThoseOfAnotherCase) {
  for (const char* id : {"P0/a", "P1/a"}) add_case(id);
  add_file("P0/images/a.png", {255, 0});
  EXPECT_NE(refusal([&] { open(); }).find("1 of 2 cases have no predicted mask: P1/a;"),
            std::string::npos);
  // Nor is the mask of a case that is not judged now.
  dataset.cases = cases;
  cases.erase(cases.begin());
  EXPECT_NE(refusal([&] { open(); }).find("no file is named as a case"), std::string::npos);
  fs::remove_all(folder.path() / "P0");
  add_file("P7/a.png", {255, 0});
  EXPECT_NE(refusal([&] { open(); }).find("no file is named as a case"), std::string::npos);
  fs::remove_all(folder.path() / "P7");
  // One mask for both is named, and its remedy helps.
  add_file("a.png", {255, 0});
  EXPECT_EQ(open().read(0, {2, 1}).labels, (std::vector<std::uint8_t>{1, 0}));
  cases = dataset.cases;
  const std::string both = refusal([&] { open(); });
  EXPECT_NE(both.find("a.png: by its name it is the mask of the case P0/a and of P1/a"),
            std::string::npos)
      << both;
  EXPECT_NE(both.find("as P1/a.png"), std::string::npos) << both;
  make_folder(folder.path() / "P1");
  fs::rename(folder.path() / "a.png", folder.path() / "P1/a.png");
  EXPECT_EQ(open({Missing::empty, {}}).missing(), 1U);
}

struct SetOnDisk {
  const char* name;
  std::vector<std::string> files;
};

class PredictThenJudge : public Predicted, public testing::WithParamInterface<SetOnDisk> {};

// Whatever `predict` writes about a set, each case gets the mask of its own image. Masks hold the
// number of their image; everything else that `predict` writes is no image at all.
TEST_P(PredictThenJudge, FindsTheMaskOfEachImage) {
  const test::TemporaryFolder set;
  for (const std::string& file : GetParam().files) {
    make_folder((set.path() / file).parent_path());
    write_file(set.path() / file, "not decoded here");
  }
  dataset.root = set.path();
  dataset.cases = cases = data::find_layout(set.path()).cases;
  ASSERT_EQ(cases.size(), GetParam().files.size() / 2);
  dataset.classes.resize(cases.size() + 1);
  for (const auto probabilities : {predict::Probabilities::npy, predict::Probabilities::png}) {
    fs::remove_all(folder.path());
    make_folder(folder.path());
    const predict::OutputOptions all{
        .overlay = true, .probabilities = probabilities, .unsure = true, .contours = true};
    const predict::Plan plan = predict::plan_outputs({set.path()}, folder.path(), all, 3);
    ASSERT_EQ(plan.jobs.size(), cases.size());
    write_file(folder.path() / predict::manifest_name, "{}");
    for (const predict::Job& job : plan.jobs) {
      const auto item = std::find_if(cases.begin(), cases.end(), [&](const data::Case& one) {
        return one.images.front().file == job.input();
      });
      ASSERT_NE(item, cases.end()) << job.input();
      for (const predict::Output& one : job.outputs) {
        const bool is_mask = one.what == predict::What::mask;
        if (is_mask) {
          add_file(one.file.string(), {static_cast<unsigned char>(item - cases.begin() + 1)});
        } else {
          write_file(folder.path() / one.file, "no mask");
        }
      }
    }
    const PredictedMasks masks = open({Missing::error, data::MaskEncoding::index});
    for (std::size_t i = 0; i < cases.size(); ++i) {
      EXPECT_EQ(masks.read(i, {1, 1}).labels.front(), i + 1) << cases[i].id;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Layouts, PredictThenJudge,
    testing::Values(
        SetOnDisk{"flat", {"images/a.png", "images/b.jpg", "masks/a.png", "masks/b.png"}},
        SetOnDisk{"beside", {"a.png", "a_mask.png", "b.v1.png", "b.v1_mask.png"}},
        SetOnDisk{"patients",
                  {"P0/images/0.png", "P0/masks/0.png", "P1/images/0.png", "P1/masks/0.png",
                   "P1/images/1.png", "P1/masks/1.png"}},
        SetOnDisk{"patients_below",
                  {"images/P0/0.png", "labels/P0/0.png", "images/P1/0.png", "labels/P1/0.png"}},
        SetOnDisk{"parts",
                  {"train/images/a.png", "train/masks/a.png", "test/images/a.png",
                   "test/masks/a.png", "test/images/b.png", "test/masks/b.png"}},
        SetOnDisk{"polyps",
                  {"TrainDataset/image/1.png", "TrainDataset/masks/1.png",
                   "TestDataset/CVC-300/images/1.png", "TestDataset/CVC-300/masks/1.png",
                   "TestDataset/Kvasir/images/1.png", "TestDataset/Kvasir/masks/1.png"}},
        SetOnDisk{"isic",
                  {"ISIC2018_Task1_Training_Input/ISIC_1.jpg",
                   "ISIC2018_Task1_Training_GroundTruth/ISIC_1_segmentation.png",
                   "ISIC2018_Task1_Validation_Input/ISIC_1.jpg",
                   "ISIC2018_Task1_Validation_GroundTruth/ISIC_1_segmentation.png"}},
        SetOnDisk{"drive",
                  {"training/images/21_training.tif", "training/1st_manual/21_manual1.gif",
                   "training/images/22_training.tif", "training/1st_manual/22_manual1.gif"}},
        SetOnDisk{"nuclei",
                  {"stage1_train/abc/images/abc.png", "stage1_train/abc/masks/1.png",
                   "stage1_test/abc/images/abc.png", "stage1_test/abc/masks/1.png"}}),
    [](const auto& with) { return std::string(with.param.name); });

// A volume of three slices in one array, for cases that are its slices.
TEST_F(Predicted, SlicesComeOutOfAVolume) {
  for (std::int64_t slice = 0; slice < 3; ++slice) {
    add_case("v_slice" + std::to_string(slice));
    cases.back().volume = "v";
    cases.back().slice = slice;
  }
  std::string voxels(3 * 5 * 6, '\0');
  voxels[2] = voxels[2 * 5 * 6 + 1] = '\1';
  write_npy(folder.path() / "v.npy", NpyType::u8, {3, 5, 6}, voxels);
  const PredictedMasks masks = open();
  const auto slice = [&](std::size_t position) { return masks.read(position, {6, 5}).labels; };
  EXPECT_EQ(slice(0)[2], 1);
  EXPECT_EQ(slice(1), std::vector<std::uint8_t>(30, 0));
  EXPECT_EQ(slice(2)[1], 1);
  EXPECT_EQ(slice(2)[2], 0);
}

}  // namespace
}  // namespace medurwkv::judge
