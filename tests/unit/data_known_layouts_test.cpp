// Published sets by the names of their folders and files (sources: docs/read-data.md): what is
// paired, which parts, groups and classes the set names, what is left out. Files hold no pixels:
// nothing here is decoded.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"
#include "data/codecs/read.h"
#include "data/layout/encoding.h"
#include "data/layout/layout.h"
#include "data/layout/sets.h"
#include "support/paths.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

class KnownLayouts : public ::testing::Test {
 protected:
  void add(const std::vector<std::string>& names) const {
    for (const std::string& name : names) write(name, "x");
  }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_.path() / name).parent_path());
    write_file(folder_.path() / name, text);
  }
  void find() { layout_ = find_layout(folder_.path()); }
  [[nodiscard]] std::string relative(const fs::path& path) const {
    return path.lexically_relative(folder_.path()).string();
  }
  /// "id part: image + image <- mask(class) + mask", by id.
  [[nodiscard]] std::vector<std::string> cases() const {
    std::vector<std::string> out;
    for (const Case& item : layout_.cases) {
      std::string line = item.id + (item.part.empty() ? "" : " " + item.part) + ":";
      for (const ImageSource& image : item.images) line += " " + relative(image.file);
      line += " <-";
      for (const ImageSource& mask : item.masks) {
        line += " " + relative(mask.file);
        if (mask.class_index > 0) line += "(" + std::to_string(mask.class_index) + ")";
      }
      out.push_back(line);
    }
    return out;
  }
  [[nodiscard]] std::map<std::string, std::string> groups() const {
    std::map<std::string, std::string> out;
    for (const Case& item : layout_.cases) out[item.id] = item.group;
    return out;
  }
  void expect_nothing_left() const {
    EXPECT_TRUE(layout_.images_alone.empty());
    EXPECT_TRUE(layout_.masks_alone.empty());
    EXPECT_TRUE(layout_.ambiguous.empty());
    EXPECT_TRUE(layout_.broken.empty());
    EXPECT_TRUE(layout_.notes.empty());
  }

  test::TemporaryFolder folder_;
  Layout layout_;
};

using Lines = std::vector<std::string>;
using Groups = std::map<std::string, std::string>;

// Official parts; superpixels, other tasks' masks, texts and doubled folders beside them.
TEST_F(KnownLayouts, Isic2017) {
  add({"ISIC-2017_Training_Data/ISIC_0000001.jpg",
       "ISIC-2017_Training_Data/ISIC_0000001_superpixels.png",
       "ISIC-2017_Training_Data/ISIC-2017_Training_Data_metadata.csv",
       "ISIC-2017_Training_Part1_GroundTruth/ISIC_0000001_segmentation.png",
       "ISIC-2017_Validation_Data/ISIC-2017_Validation_Data/ISIC_0000002.jpg",
       "ISIC-2017_Validation_Part1_GroundTruth/ISIC_0000002_segmentation.png",
       "ISIC-2017_Test_v2_Data/ISIC_0000003.jpg",
       "ISIC-2017_Test_v2_Part1_GroundTruth/ISIC_0000003_segmentation.png",
       "ISIC-2017_Training_Part2_GroundTruth/ISIC_0000001_features.json"});
  find();
  EXPECT_EQ(layout_.name, "ISIC 2017");
  EXPECT_EQ(cases(), (Lines{"ISIC_0000001 train: ISIC-2017_Training_Data/ISIC_0000001.jpg <- "
                            "ISIC-2017_Training_Part1_GroundTruth/ISIC_0000001_segmentation.png",
                            "ISIC_0000002 val: ISIC-2017_Validation_Data/ISIC-2017_Validation_Data/"
                            "ISIC_0000002.jpg <- "
                            "ISIC-2017_Validation_Part1_GroundTruth/ISIC_0000002_segmentation.png",
                            "ISIC_0000003 test: ISIC-2017_Test_v2_Data/ISIC_0000003.jpg <- "
                            "ISIC-2017_Test_v2_Part1_GroundTruth/ISIC_0000003_segmentation.png"}));
  expect_nothing_left();
}

TEST_F(KnownLayouts, Isic2018AndItsSecondTask) {
  add({"ISIC2018_Task1-2_Training_Input/ISIC_1.jpg", "ISIC2018_Task1-2_Training_Input/LICENSE.txt",
       "ISIC2018_Task1_Training_GroundTruth/ISIC_1_segmentation.png",
       "ISIC2018_Task2_Training_GroundTruth_v3/ISIC_1_attribute_globules.png",
       "ISIC2018_Task1-2_Test_Input/ISIC_2.jpg",
       "ISIC2018_Task1_Test_GroundTruth/ISIC_2_segmentation.png"});
  find();
  EXPECT_EQ(layout_.name, "ISIC 2018");
  EXPECT_EQ(cases(), (Lines{"ISIC_1 train: ISIC2018_Task1-2_Training_Input/ISIC_1.jpg <- "
                            "ISIC2018_Task1_Training_GroundTruth/ISIC_1_segmentation.png",
                            "ISIC_2 test: ISIC2018_Task1-2_Test_Input/ISIC_2.jpg <- "
                            "ISIC2018_Task1_Test_GroundTruth/ISIC_2_segmentation.png"}));
  expect_nothing_left();
}

// Part 3B keeps masks beside images, in a folder named for data.
TEST_F(KnownLayouts, Isic2016) {
  add({"ISBI2016_ISIC_Part1_Training_Data/ISIC_1.jpg",
       "ISBI2016_ISIC_Part1_Training_GroundTruth/ISIC_1_Segmentation.png",
       "ISBI2016_ISIC_Part3B_Test_Data/ISIC_2.jpg",
       "ISBI2016_ISIC_Part3B_Test_Data/ISIC_2_Segmentation.png"});
  find();
  EXPECT_EQ(layout_.name, "ISIC 2016");
  EXPECT_EQ(cases(), (Lines{"ISIC_1 train: ISBI2016_ISIC_Part1_Training_Data/ISIC_1.jpg <- "
                            "ISBI2016_ISIC_Part1_Training_GroundTruth/ISIC_1_Segmentation.png",
                            "ISIC_2 test: ISBI2016_ISIC_Part3B_Test_Data/ISIC_2.jpg <- "
                            "ISBI2016_ISIC_Part3B_Test_Data/ISIC_2_Segmentation.png"}));
  expect_nothing_left();
}

TEST_F(KnownLayouts, BusiHasStrataAndSeveralMasks) {
  add({"Dataset_BUSI_with_GT/benign/benign (1).png",
       "Dataset_BUSI_with_GT/benign/benign (1)_mask.png",
       "Dataset_BUSI_with_GT/benign/benign (1)_mask_1.png",
       "Dataset_BUSI_with_GT/normal/normal (1).png",
       "Dataset_BUSI_with_GT/normal/normal (1)_mask.png"});
  find();
  EXPECT_EQ(layout_.name, "BUSI");
  ASSERT_EQ(layout_.cases.size(), 2U);
  EXPECT_EQ(layout_.cases[0].masks.size(), 2U);
  EXPECT_EQ(layout_.cases[0].stratum, "benign");
  EXPECT_EQ(layout_.cases[1].stratum, "normal");
  expect_nothing_left();
}

// Both spellings of the training folders, five sets to test on with equal names in them.
TEST_F(KnownLayouts, PranetsPolyps) {
  add({"TrainDataset/image/a.png", "TrainDataset/mask/a.png", "TestDataset/CVC-300/images/1.png",
       "TestDataset/CVC-300/masks/1.png", "TestDataset/Kvasir/images/1.png",
       "TestDataset/Kvasir/masks/1.png"});
  find();
  EXPECT_EQ(layout_.name, "PraNet's polyps");
  EXPECT_EQ(cases(), (Lines{"a train: TrainDataset/image/a.png <- TrainDataset/mask/a.png",
                            "test/CVC-300/1 test: TestDataset/CVC-300/images/1.png <- "
                            "TestDataset/CVC-300/masks/1.png",
                            "test/Kvasir/1 test: TestDataset/Kvasir/images/1.png <- "
                            "TestDataset/Kvasir/masks/1.png"}));
  EXPECT_EQ(layout_.cases[1].stratum, "CVC-300");
  expect_nothing_left();
}

// Lists of ids without a suffix; the two extra ids are of images that are not here.
TEST_F(KnownLayouts, KvasirSegWithItsLists) {
  add({"Kvasir-SEG/images/a.jpg", "Kvasir-SEG/images/b.jpg", "Kvasir-SEG/masks/a.jpg",
       "Kvasir-SEG/masks/b.jpg", "Kvasir-SEG/kavsir_bboxes.json"});
  write("train.txt", "a\nc\nd\n");
  write("val.txt", "b\r\n");
  find();
  EXPECT_EQ(layout_.name, "Kvasir-SEG");
  EXPECT_EQ(cases(), (Lines{"a train: Kvasir-SEG/images/a.jpg <- Kvasir-SEG/masks/a.jpg",
                            "b val: Kvasir-SEG/images/b.jpg <- Kvasir-SEG/masks/b.jpg"}));
  ASSERT_EQ(layout_.notes.size(), 1U);
  EXPECT_NE(layout_.notes.front().what.find("2 cases"), std::string::npos);
}

// The frames of one sequence are neighbours in a video; the PNG copies are no second set.
TEST_F(KnownLayouts, ClinicDbGroupsSequencesAndReadsOneFormat) {
  add({"PNG/Original/1.png", "PNG/Ground Truth/1.png", "PNG/Original/2.png",
       "PNG/Ground Truth/2.png", "TIF/Original/1.tif", "TIF/Ground Truth/1.tif",
       "TIF/Original/2.tif", "TIF/Ground Truth/2.tif"});
  write("metadata.csv",
        "frame_id,sequence_id,frame_number,png_image_path,png_mask_path\n"
        "1,7,1,/PNG/Original/1.png,/PNG/Ground Truth/1.png\n"
        "2,7,2,/PNG/Original/2.png,/PNG/Ground Truth/2.png\n");
  find();
  EXPECT_EQ(layout_.name, "CVC-ClinicDB");
  EXPECT_EQ(cases(), (Lines{"1: PNG/Original/1.png <- PNG/Ground Truth/1.png",
                            "2: PNG/Original/2.png <- PNG/Ground Truth/2.png"}));
  EXPECT_EQ(groups(), (Groups{{"1", "sequence 7"}, {"2", "sequence 7"}}));
  expect_nothing_left();
}

// A flat folder; the parts are in the names, and masks hold numbered glands.
TEST_F(KnownLayouts, Glas) {
  add({"Warwick QU/train_1.bmp", "Warwick QU/train_1_anno.bmp", "Warwick QU/testA_1.bmp",
       "Warwick QU/testA_1_anno.bmp", "Warwick QU/testB_1.bmp", "Warwick QU/testB_1_anno.bmp"});
  write("Warwick QU/Grade.csv",
        "name, patient ID, grade (GlaS)\ntrain_1, 3, benign\ntestA_1, 5, malignant\n");
  find();
  EXPECT_EQ(layout_.name, "GlaS");
  EXPECT_EQ(layout_.encoding, MaskEncoding::instances);
  EXPECT_EQ(cases(), (Lines{"testA_1 test: Warwick QU/testA_1.bmp <- Warwick QU/testA_1_anno.bmp",
                            "testB_1 test: Warwick QU/testB_1.bmp <- Warwick QU/testB_1_anno.bmp",
                            "train_1 train: Warwick QU/train_1.bmp <- "
                            "Warwick QU/train_1_anno.bmp"}));
  EXPECT_EQ(groups(),
            (Groups{{"testA_1", "patient 5"}, {"testB_1", "testB_1"}, {"train_1", "patient 3"}}));
  ASSERT_EQ(layout_.notes.size(), 1U) << "the table is silent about one case";
  EXPECT_NE(layout_.notes.front().what.find("testB_1"), std::string::npos);
}

// Names alone do not make GlaS: without `_anno` masks of 0 and 255 are what they are.
TEST_F(KnownLayouts, NamesLikeGlas) {
  add({"images/train_1.png", "masks/train_1.png"});
  find();
  EXPECT_EQ(layout_.name, "images and masks");
  EXPECT_FALSE(layout_.encoding);
}

// A mask per nucleus, under names of its own; the test images have none.
TEST_F(KnownLayouts, Dsb2018) {
  add({"stage1_train/aa/images/aa.png", "stage1_train/aa/masks/x1.png",
       "stage1_train/aa/masks/x2.png", "stage1_train/bb/images/bb.png",
       "stage1_train/bb/masks/y1.png", "stage1_train_labels.csv"});
  find();
  EXPECT_EQ(layout_.name, "DSB2018");
  EXPECT_EQ(cases(), (Lines{"aa: stage1_train/aa/images/aa.png <- stage1_train/aa/masks/x1.png "
                            "stage1_train/aa/masks/x2.png",
                            "bb: stage1_train/bb/images/bb.png <- stage1_train/bb/masks/y1.png"}));
  expect_nothing_left();
}

// mask/ is the field of view, in the test part too, whose labels are withheld today.
TEST_F(KnownLayouts, DriveWithWithheldLabels) {
  add({"DRIVE/training/images/21_training.tif", "DRIVE/training/1st_manual/21_manual1.gif",
       "DRIVE/training/mask/21_training_mask.gif", "DRIVE/test/images/01_test.tif",
       "DRIVE/test/mask/01_test_mask.gif", "DRIVE/training/2nd_manual/21_manual2.gif"});
  find();
  EXPECT_EQ(layout_.name, "DRIVE");
  EXPECT_EQ(cases(), (Lines{"21: DRIVE/training/images/21_training.tif <- "
                            "DRIVE/training/1st_manual/21_manual1.gif"}));
  ASSERT_TRUE(layout_.cases.front().field_of_view);
  EXPECT_EQ(relative(layout_.cases.front().field_of_view->file),
            "DRIVE/training/mask/21_training_mask.gif");
  ASSERT_EQ(layout_.unlabelled.size(), 1U);
  expect_nothing_left();
}

TEST_F(KnownLayouts, DriveWithBothParts) {
  add({"training/images/21_training.tif", "training/1st_manual/21_manual1.gif",
       "training/mask/21_training_mask.gif", "test/images/01_test.tif",
       "test/1st_manual/01_manual1.gif", "test/mask/01_test_mask.gif"});
  find();
  EXPECT_EQ(cases(), (Lines{"01 test: test/images/01_test.tif <- test/1st_manual/01_manual1.gif",
                            "21 train: training/images/21_training.tif <- "
                            "training/1st_manual/21_manual1.gif"}));
  expect_nothing_left();
}

// manual1 is the truth, mask the field of view.
TEST_F(KnownLayouts, Hrf) {
  add({"HRF/images/01_dr.JPG", "HRF/images/01_g.jpg", "HRF/manual1/01_dr.tif",
       "HRF/manual1/01_g.tif", "HRF/mask/01_dr_mask.tif", "HRF/mask/01_g_mask.tif"});
  find();
  EXPECT_EQ(layout_.name, "HRF");
  EXPECT_EQ(cases(), (Lines{"01_dr: HRF/images/01_dr.JPG <- HRF/manual1/01_dr.tif",
                            "01_g: HRF/images/01_g.jpg <- HRF/manual1/01_g.tif"}));
  ASSERT_TRUE(layout_.cases.front().field_of_view);
  EXPECT_EQ(relative(layout_.cases.front().field_of_view->file), "HRF/mask/01_dr_mask.tif");
  expect_nothing_left();
}

// The first of two observers.
TEST_F(KnownLayouts, Stare) {
  add({"stare-images/im0001.png", "labels-ah/im0001.ah.png", "labels-vk/im0001.vk.png"});
  find();
  EXPECT_EQ(layout_.name, "STARE");
  EXPECT_EQ(cases(), (Lines{"im0001: stare-images/im0001.png <- labels-ah/im0001.ah.png"}));
  expect_nothing_left();
}

// Two observers; both eyes of a child stay together.
TEST_F(KnownLayouts, ChaseDb1) {
  add({"Image_01L.jpg", "Image_01L_1stHO.png", "Image_01L_2ndHO.png", "Image_01R.jpg",
       "Image_01R_1stHO.png", "Image_01R_2ndHO.png"});
  find();
  EXPECT_EQ(layout_.name, "CHASE_DB1");
  EXPECT_EQ(cases(), (Lines{"Image_01L: Image_01L.jpg <- Image_01L_1stHO.png",
                            "Image_01R: Image_01R.jpg <- Image_01R_1stHO.png"}));
  EXPECT_EQ(groups(), (Groups{{"Image_01L", "Image_01"}, {"Image_01R", "Image_01"}}));
  expect_nothing_left();
}

TEST_F(KnownLayouts, Ph2) {
  const std::string root = "PH2Dataset/PH2 Dataset images/IMD003/";
  add({root + "IMD003_Dermoscopic_Image/IMD003.bmp", root + "IMD003_lesion/IMD003_lesion.bmp",
       root + "IMD003_roi/IMD003_R1_Label4.bmp", "PH2Dataset/PH2_dataset.txt"});
  find();
  EXPECT_EQ(layout_.name, "PH2");
  EXPECT_EQ(cases(), (Lines{"IMD003: " + root + "IMD003_Dermoscopic_Image/IMD003.bmp <- " + root +
                            "IMD003_lesion/IMD003_lesion.bmp"}));
  expect_nothing_left();
}

// A file per channel, classes and the ignored value from dataset.json, test images without labels.
TEST_F(KnownLayouts, NnUnetRaw) {
  const std::string root = "Dataset123_Name/";
  add({root + "imagesTr/a_1_0000.png", root + "imagesTr/a_1_0001.png",
       root + "imagesTr/b_2_0000.png", root + "imagesTr/b_2_0001.png", root + "labelsTr/a_1.png",
       root + "labelsTr/b_2.png", root + "imagesTs/c_0000.png", root + "imagesTs/c_0001.png"});
  write(root + "dataset.json",
        R"({"channel_names": {"0": "T1", "1": "T2"}, "numTraining": 2, "file_ending": ".png",
            "labels": {"tumour": 2, "background": 0, "oedema": 1, "ignore": 3}})");
  find();
  EXPECT_EQ(layout_.name, "nnU-Net raw");
  EXPECT_EQ(cases(), (Lines{"a_1: " + root + "imagesTr/a_1_0000.png " + root +
                                "imagesTr/a_1_0001.png <- " + root + "labelsTr/a_1.png",
                            "b_2: " + root + "imagesTr/b_2_0000.png " + root +
                                "imagesTr/b_2_0001.png <- " + root + "labelsTr/b_2.png"}));
  ASSERT_EQ(layout_.classes.size(), 3U);
  EXPECT_EQ(layout_.classes[1].name, "oedema");
  EXPECT_EQ(layout_.classes[2].name, "tumour");
  EXPECT_EQ(layout_.ignored, 3);
  EXPECT_EQ(layout_.unlabelled.size(), 2U);
  expect_nothing_left();
}

TEST_F(KnownLayouts, NnUnetWithAChannelMissing) {
  add({"imagesTr/a_0000.png", "imagesTr/a_0001.png", "imagesTr/b_0000.png", "labelsTr/a.png",
       "labelsTr/b.png"});
  find();
  ASSERT_EQ(layout_.broken.size(), 1U);
  EXPECT_NE(layout_.broken.front().what.find("case b has no file of channel 1"), std::string::npos)
      << layout_.broken.front().what;
}

// Numbers of frames are no channels: each has its own mask.
TEST_F(KnownLayouts, NnUnetFoldersWithFrames) {
  add({"imagesTr/f_0000.png", "imagesTr/f_0001.png", "labelsTr/f_0000.png", "labelsTr/f_0001.png"});
  find();
  EXPECT_EQ(layout_.cases.size(), 2U);
  expect_nothing_left();
}

// The suffixes that are taken off names are taken off on both sides.
TEST_F(KnownLayouts, NnUnetNamesMayEndLikeOthers) {
  add({"imagesTr/21_training_0000.png", "labelsTr/21_training.png"});
  find();
  EXPECT_EQ(layout_.cases.size(), 1U);
  expect_nothing_left();
}

TEST_F(KnownLayouts, NnUnetWithRegionsSaysSo) {
  add({"imagesTr/a_0000.png", "labelsTr/a.png"});
  write("dataset.json", R"({"labels": {"background": 0, "whole": [1, 2], "core": [2]}})");
  find();
  ASSERT_EQ(layout_.broken.size(), 1U);
  EXPECT_NE(layout_.broken.front().what.find("regions"), std::string::npos);
}

// Slices exported as PNG; names end in digits that are no channels.
TEST_F(KnownLayouts, DecathlonExports) {
  add({"imagesTr/hippocampus_001.png", "imagesTr/hippocampus_002.png",
       "labelsTr/hippocampus_001.png", "labelsTr/hippocampus_002.png",
       "imagesTr/._hippocampus_001.png"});
  write("dataset.json",
        R"({"modality": {"0": "MRI"}, "labels": {"0": "background", "1": "Anterior",
            "2": "Posterior"}, "training": [{"image": "./imagesTr/hippocampus_001.nii.gz"}]})");
  find();
  EXPECT_EQ(layout_.name, "Medical Segmentation Decathlon");
  EXPECT_EQ(cases(),
            (Lines{"hippocampus_001: imagesTr/hippocampus_001.png <- labelsTr/hippocampus_001.png",
                   "hippocampus_002: imagesTr/hippocampus_002.png <- "
                   "labelsTr/hippocampus_002.png"}));
  ASSERT_EQ(layout_.classes.size(), 3U);
  EXPECT_EQ(layout_.classes[2].name, "Posterior");
  expect_nothing_left();
}

TEST_F(KnownLayouts, UnetPlusPlusWithOneClass) {
  add({"inputs/dsb2018_96/images/a.png", "inputs/dsb2018_96/masks/0/a.png"});
  find();
  EXPECT_EQ(cases(), (Lines{"a: inputs/dsb2018_96/images/a.png <- "
                            "inputs/dsb2018_96/masks/0/a.png"}));
  EXPECT_FALSE(layout_.by_folder);
  expect_nothing_left();
}

TEST_F(KnownLayouts, UnetPlusPlusWithThreeClasses) {
  add({"images/a.png", "masks/0/a.png", "masks/1/a.png", "masks/10/a.png", "masks/2/a.png",
       "images/b.png", "masks/0/b.png"});
  find();
  EXPECT_TRUE(layout_.by_folder);
  EXPECT_EQ(cases(), (Lines{"a: images/a.png <- masks/0/a.png(1) masks/1/a.png(2) "
                            "masks/10/a.png(4) masks/2/a.png(3)",
                            "b: images/b.png <- masks/0/b.png(1)"}));
  EXPECT_EQ(layout_.classes.size(), 5U);
  EXPECT_EQ(layout_.encoding, MaskEncoding::binary);
  expect_nothing_left();
}

TEST_F(KnownLayouts, AMaskOutsideTheFoldersOfClassesIsNamed) {
  add({"images/a.png", "images/b.png", "masks/0/a.png", "masks/1/a.png", "masks/b.png"});
  find();
  ASSERT_EQ(layout_.broken.size(), 1U);
  EXPECT_EQ(relative(layout_.broken.front().file), "masks/b.png");
}

// Folders of patients are no classes: no image has masks in two of them.
TEST_F(KnownLayouts, MasksByPatient) {
  add({"images/a.png", "images/b.png", "masks/john/a.png", "masks/mary/b.png"});
  find();
  EXPECT_FALSE(layout_.by_folder);
  EXPECT_EQ(cases(),
            (Lines{"a: images/a.png <- masks/john/a.png", "b: images/b.png <- masks/mary/b.png"}));
  expect_nothing_left();
}

TEST_F(KnownLayouts, VmUnet) {
  add({"data/isic17/train/images/1.png", "data/isic17/train/masks/1.png",
       "data/isic17/val/images/1.png", "data/isic17/val/masks/1.png"});
  find();
  EXPECT_EQ(cases(), (Lines{"data/isic17/train/1 train: data/isic17/train/images/1.png <- "
                            "data/isic17/train/masks/1.png",
                            "data/isic17/val/1 val: data/isic17/val/images/1.png <- "
                            "data/isic17/val/masks/1.png"}));
  expect_nothing_left();
}

// Images without masks are the set's other tasks; lists of those tasks say nothing here.
TEST_F(KnownLayouts, PascalVoc) {
  add({"VOC2012/JPEGImages/a.jpg", "VOC2012/JPEGImages/b.jpg", "VOC2012/JPEGImages/c.jpg",
       "VOC2012/SegmentationClass/a.png", "VOC2012/SegmentationClass/b.png",
       "VOC2012/SegmentationObject/a.png"});
  write("VOC2012/ImageSets/Segmentation/train.txt", "a\n");
  write("VOC2012/ImageSets/Segmentation/val.txt", "b\n");
  write("VOC2012/ImageSets/Main/val.txt", "a\nb\nc\n");
  find();
  EXPECT_EQ(layout_.name, "Pascal VOC");
  EXPECT_EQ(cases(), (Lines{"a train: VOC2012/JPEGImages/a.jpg <- VOC2012/SegmentationClass/a.png",
                            "b val: VOC2012/JPEGImages/b.jpg <- VOC2012/SegmentationClass/b.png"}));
  EXPECT_EQ(layout_.unlabelled.size(), 1U);
  expect_nothing_left();
}

TEST_F(KnownLayouts, MedtsFolders) {
  add({"Train_Folder/img/1.png", "Train_Folder/labelcol/1.png", "Val_Folder/img/1.png",
       "Val_Folder/labelcol/1.png", "Test_Folder/img/2.png", "Test_Folder/labelcol/2.png"});
  find();
  EXPECT_EQ(layout_.name, "MedT's folders");
  EXPECT_EQ(cases(), (Lines{"2 test: Test_Folder/img/2.png <- Test_Folder/labelcol/2.png",
                            "train/1 train: Train_Folder/img/1.png <- Train_Folder/labelcol/1.png",
                            "val/1 val: Val_Folder/img/1.png <- Val_Folder/labelcol/1.png"}));
  expect_nothing_left();
}

// Parts above the roles, below them, in lists, in mmsegmentation's and in BKAI's way.
TEST_F(KnownLayouts, GenericParts) {
  const std::vector<std::pair<Lines, std::string>> forms{
      {{"train/images/1.png", "train/masks/1.png", "test/images/2.png", "test/masks/2.png"}, ""},
      {{"images/train/1.png", "labels/train/1.png", "images/test/2.png", "labels/test/2.png"}, ""},
      {{"img_dir/train/1.png", "ann_dir/train/1.png", "img_dir/test/2.png", "ann_dir/test/2.png"},
       ""},
      {{"train/train/1.jpeg", "train_gt/train_gt/1.jpeg", "test/test/2.jpeg",
        "test_gt/test_gt/2.jpeg"},
       ""},
      {{"images/1.png", "gt/1.png", "images/2.png", "gt/2.png"}, "1.png\n"},
      {{"images/1.png", "gt/1.png", "images/2.png", "gt/2.png"}, "images/1.png gt/1.png\n"}};
  for (const auto& [files, list] : forms) {
    const test::TemporaryFolder folder;
    for (const std::string& name : files) {
      fs::create_directories((folder.path() / name).parent_path());
      write_file(folder.path() / name, std::string_view("x"));
    }
    if (!list.empty()) {
      write_file(folder.path() / "train.txt", list);
      write_file(folder.path() / "test.txt", std::string_view("2\n"));
    }
    const Layout layout = find_layout(folder.path());
    ASSERT_EQ(layout.cases.size(), 2U) << files.front();
    EXPECT_EQ(layout.cases[0].id, "1");
    EXPECT_EQ(layout.cases[0].part, "train") << files.front();
    EXPECT_EQ(layout.cases[1].part, "test") << files.front();
  }
}

TEST_F(KnownLayouts, ACaseInTwoListsIsRefused) {
  add({"images/1.png", "masks/1.png", "images/2.png", "masks/2.png"});
  write("train.txt", "1\n2\n");
  write("val.txt", "2\n");
  find();
  ASSERT_EQ(layout_.broken.size(), 1U);
  EXPECT_NE(layout_.broken.front().what.find("case 2"), std::string::npos);
}

// A mask whose own image is gone never joins the image of that name in another part.
TEST_F(KnownLayouts, AMaskStaysInItsPart) {
  add({"train/images/1.png", "train/masks/1.png", "test/masks/1.png", "test/images/2.png",
       "test/masks/2.png"});
  find();
  EXPECT_EQ(cases(), (Lines{"1 train: train/images/1.png <- train/masks/1.png",
                            "2 test: test/images/2.png <- test/masks/2.png"}));
  ASSERT_EQ(layout_.masks_alone.size(), 1U);
  EXPECT_EQ(relative(layout_.masks_alone.front()), "test/masks/1.png");
}

// Two masks of one case in two folders are two opinions, not one mask.
TEST_F(KnownLayouts, MasksInTwoFoldersAreNotUnited) {
  add({"images/1.png", "masks/1.png", "labels/1.png"});
  find();
  ASSERT_EQ(layout_.broken.size(), 1U);
  EXPECT_NE(layout_.broken.front().what.find("second mask"), std::string::npos);
}

TEST_F(KnownLayouts, OnlyWhatLooksLikePicturesIsNamed) {
  write("other.json", "{\"a\": 1}");
  write("VOC/Annotations/a.xml", "<annotation><object/></annotation>");
  find();
  EXPECT_TRUE(layout_.broken.empty());
  EXPECT_TRUE(layout_.unread.empty());
}

// Nine organs as TransUNet packs them, the challenge's fourteen labels in other packs.
TEST(PublishedClasses, FollowTheNumberOfValues) {
  EXPECT_EQ(published_classes("Synapse", 7).at(8).name, "stomach");
  EXPECT_EQ(published_classes("Synapse", 9).size(), 9U);
  EXPECT_EQ(published_classes("Synapse", 14).at(1).name, "spleen");
  EXPECT_TRUE(published_classes("Synapse", 15).empty());
  EXPECT_EQ(published_classes("ACDC", 3).at(3).name, "left ventricle");
  EXPECT_TRUE(published_classes("images and masks", 2).empty());
}

// Roboflow's semantic masks: a copy of the classes in the folder of each part.
TEST_F(KnownLayouts, Roboflow) {
  for (const char* part : {"train/", "valid/", "test/"}) {
    const std::string place = part;
    add({place + place.substr(0, 2) + "_jpg.rf.0a.jpg",
         place + place.substr(0, 2) + "_jpg.rf.0a_mask.png"});
    write(place + "_classes.csv", "Pixel Value, Class\n0, background\n1, lesion\n");
  }
  find();
  ASSERT_EQ(layout_.cases.size(), 3U);
  EXPECT_EQ(layout_.cases[0].part, "test");
  ASSERT_EQ(layout_.classes.size(), 2U);
  EXPECT_EQ(layout_.classes[1].name, "lesion");
  EXPECT_FALSE(layout_.classes_have_colors);
  EXPECT_EQ(layout_.classes_file.filename(), "_classes.csv");
  expect_nothing_left();
}

TEST_F(KnownLayouts, NamesOfClassesInTheSetsOwnFolder) {
  add({"images/a.png", "masks/a.png", "labels.txt"});
  write("masks/classes.txt", "no\nconcern\n");
  find();
  EXPECT_TRUE(layout_.classes.empty());
  write("class_names.txt",
        "\xef\xbb\xbf"
        "background\r\nleft lung\r\nright lung\r\n");
  find();
  ASSERT_EQ(layout_.classes.size(), 3U);
  EXPECT_EQ(layout_.classes[2].name, "right lung");
  write("labelmap.txt", "x:1,2,3\n");
  find();
  EXPECT_EQ(layout_.classes[1].name, "x");
  EXPECT_TRUE(layout_.classes_have_colors);
}

// Slices know their volume, patients their group.
TEST_F(KnownLayouts, SlicesOfAcdcAsPictures) {
  add({"images/patient001_frame01_slice_03.png", "masks/patient001_frame01_slice_03.png",
       "images/patient001_frame12_slice_00.png", "masks/patient001_frame12_slice_00.png"});
  find();
  EXPECT_EQ(layout_.name, "ACDC");
  ASSERT_EQ(layout_.cases.size(), 2U);
  EXPECT_EQ(layout_.cases[0].volume, "patient001_frame01");
  EXPECT_EQ(layout_.cases[0].slice, 3);
  EXPECT_EQ(layout_.cases[0].group, "patient001");
  EXPECT_EQ(layout_.cases[1].group, "patient001");
}

}  // namespace
}  // namespace medurwkv::data
