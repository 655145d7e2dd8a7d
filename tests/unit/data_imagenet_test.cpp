// ImageNet as it is downloaded: class folders to learn from, a flat validation folder with a list.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/text.h"
#include "data/layout/picture_set.h"
#include "support/picture_sets.h"
#include "support/refusal.h"
#include "support/zip_by_hand.h"

namespace medurwkv::data {
namespace {

using namespace test::pictures;  // NOLINT(google-build-using-namespace): one file's fixture

class ImageNet : public Pictures {
 protected:
  void SetUp() override {
    for (const char* name : {"n01/n01_1.JPEG", "n01/n01_2.JPEG", "n02/n02_7.JPEG"}) {
      put_image(fs::path("ILSVRC/Data/CLS-LOC/train") / name);
    }
    for (const char* name : {"3", "1", "2"}) {
      put_image(concat("ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_0000000", name, ".JPEG"));
    }
    put_image("ILSVRC/Data/CLS-LOC/test/ILSVRC2012_test_00000001.JPEG");
    put("ILSVRC/Annotations/CLS-LOC/val/ILSVRC2012_val_00000001.xml", "<annotation/>");
  }
  void put_solution(const std::string& lines) const {
    put("LOC_val_solution.csv", "ImageId,PredictionString\n" + lines);
  }
  static constexpr const char* rows =
      "ILSVRC2012_val_00000002,n02 1 2 3 4 n02 5 6 7 8 \nILSVRC2012_val_00000001,n01 1 2 3 4 \n"
      "ILSVRC2012_val_00000003,n02 85 1 499 272\n";
};

// From the folder that Kaggle unpacks to, and from the one with the images alone.
TEST_F(ImageNet, ValidationClassesComeFromTheList) {
  put_solution(rows);
  for (const char* below : {"", "ILSVRC/Data/CLS-LOC", "ILSVRC/Data"}) {
    const PictureSet set = labelled(below);
    EXPECT_EQ(set.classes, (Strings{"n01", "n02"}));
    EXPECT_EQ(classes_of(set, set.train), (Strings{"n01/n01_1", "n01/n01_2", "n02/n02_7"}));
    EXPECT_EQ(classes_of(set, set.val),
              (Strings{"n01/ILSVRC2012_val_00000001", "n02/ILSVRC2012_val_00000002",
                       "n02/ILSVRC2012_val_00000003"}));
    EXPECT_EQ(set.layout, "ImageNet (ILSVRC)");
    EXPECT_TRUE(has_note(set, "1 image of test left out"));
  }
}

// As it is downloaded: one zip, the list in it.
TEST_F(ImageNet, IsReadInItsZip) {
  std::vector<test::ZipEntry> entries;
  for (const auto& entry : fs::recursive_directory_iterator(root())) {
    if (!entry.is_regular_file()) continue;
    entries.push_back({entry.path().lexically_relative(root()).string(), read_file(entry)});
  }
  entries.push_back({"LOC_val_solution.csv", concat("ImageId,PredictionString\n", rows)});
  fs::remove_all(root() / "ILSVRC");
  put("imagenet.zip", test::make_zip(entries).bytes);
  for (const char* below : {"", "imagenet.zip"}) {
    const PictureSet set = labelled(below);
    EXPECT_EQ(set.layout, "ImageNet (ILSVRC)");
    EXPECT_EQ(set.train.size(), 3U);
    EXPECT_EQ(classes_of(set, set.val),
              (Strings{"n01/ILSVRC2012_val_00000001", "n02/ILSVRC2012_val_00000002",
                       "n02/ILSVRC2012_val_00000003"}));
  }
}

TEST_F(ImageNet, AFlatValidationFolderIsRefusedWithTheRemedy) {
  const test::Refusal none = refused({root()}, true);
  EXPECT_TRUE(none.names("val/ILSVRC2012_val_00000001.JPEG")) << none.message;
  EXPECT_TRUE(none.names("2 images more of val")) << none.message;
  EXPECT_TRUE(none.names("sort them into val/CLASS")) << none.message;
  EXPECT_TRUE(none.names("LOC_val_solution.csv")) << none.message;
}

TEST_F(ImageNet, AListThatIsWrongIsRefused) {
  const std::string list = (root() / "LOC_val_solution.csv").string();
  put_solution("ILSVRC2012_val_00000001,n01 1 2 3 4\n");
  const test::Refusal lacking = refused({root()}, true);
  EXPECT_TRUE(lacking.names("ILSVRC2012_val_00000002.JPEG: has no line in " + list))
      << lacking.message;
  put_solution(std::string(rows) + "ILSVRC2012_val_00000001,n02\n");
  EXPECT_TRUE(refused({root()}, true).names("is there twice"));
  put_solution("ILSVRC2012_val_00000001,\n");
  EXPECT_TRUE(refused({root()}, true).names("has no class"));
  put("LOC_val_solution.csv", "Image,Class\nILSVRC2012_val_00000001,n01\n");
  EXPECT_TRUE(refused({root()}, true).names(list));
  put_solution(
      "ILSVRC2012_val_00000001,n01\nILSVRC2012_val_00000002,n05\n"
      "ILSVRC2012_val_00000003,n01\n");
  const test::Refusal foreign = refused({root()}, true);
  EXPECT_TRUE(foreign.names("n05 has no training images")) << foreign.message;
}

}  // namespace
}  // namespace medurwkv::data
