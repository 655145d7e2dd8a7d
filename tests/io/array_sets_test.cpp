// Sets packed as arrays, in TransUNet's and SSL4MIS's forms: slices to train on, volumes to judge;
// and the single files, whole and broken.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "data/check/open.h"
#include "data/codecs/arrays.h"
#include "data/codecs/read.h"
#include "data/layout/dataset.h"
#include "data/layout/layout.h"
#include "support/array_files.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using test::NamedArray;

/// Labels 0 to `most`, floats as Synapse stores them.
NamedArray<float> labels(const Shape& shape, int most, const std::string& name = "label") {
  NamedArray<float> out{name, shape, {}};
  for (std::int64_t i = 0; i < element_count(shape); ++i) {
    out.values.push_back(static_cast<float>(i * 3 % (most + 1)));
  }
  return out;
}

/// Shades from 0 to 1, no two alike.
NamedArray<float> shades(const Shape& shape, const std::string& name = "image") {
  NamedArray<float> out{name, shape, {}};
  const auto count = element_count(shape);
  for (std::int64_t i = 0; i < count; ++i) {
    out.values.push_back(static_cast<float>(i) / static_cast<float>(count));
  }
  return out;
}

class ArraySets : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path path(const std::string& name) const { return folder_.path() / name; }
  void write(const std::string& name, const std::string& bytes) const {
    test::write_in_folder(path(name), bytes);
  }
  test::TemporaryFolder folder_;
};

std::vector<std::string> ids(const std::vector<Case>& cases) {
  std::vector<std::string> out;
  for (const Case& item : cases)
    out.push_back(item.id + (item.part.empty() ? "" : " " + item.part));
  return out;
}

using Lines = std::vector<std::string>;

TEST_F(ArraySets, SlicesInNpz) {
  const Shape shape{3, 4};
  for (const bool deflate : {true, false}) {
    for (const char* name : {"case0005_slice000", "case0005_slice012", "case0006_slice000"}) {
      write(std::string("data/Synapse/train_npz/") + name + ".npz",
            npz_bytes(shades(shape), labels(shape, 8), deflate));
    }
    const Dataset dataset = open_dataset(folder_.path());
    EXPECT_EQ(dataset.layout, "Synapse");
    EXPECT_EQ(dataset.encoding, MaskEncoding::index);
    EXPECT_EQ(ids(dataset.cases),
              (Lines{"case0005_slice000", "case0005_slice012", "case0006_slice000"}));
    const Case& item = dataset.cases[1];
    EXPECT_EQ(item.group, "case0005");
    EXPECT_EQ(item.volume, "case0005");
    EXPECT_EQ(item.slice, 12);
    const Image image = read_image(item);
    EXPECT_EQ(image.type, SampleType::f32);
    EXPECT_EQ(image.width, 4);
    EXPECT_EQ(image.value(1, 2, 0), 9.0F / 12);
    EXPECT_EQ(read_image_size(item), (ImageSize{4, 3}));
    const LabelMap map = read_labels(dataset, item);
    EXPECT_EQ(map.labels, (std::vector<std::uint8_t>{0, 3, 6, 0, 3, 6, 0, 3, 6, 0, 3, 6}));
    ASSERT_EQ(dataset.classes.size(), 9U);
    EXPECT_EQ(dataset.classes[5].name, "liver");
  }
}

// Other packs have the challenge's own labels up to 13: their names, not TransUNet's.
TEST_F(ArraySets, SynapseWithFourteenLabels) {
  write("train_npz/case0005_slice000.npz", npz_bytes(shades({4, 5}), labels({4, 5}, 13)));
  const Dataset dataset = open_dataset(folder_.path());
  ASSERT_EQ(dataset.classes.size(), 14U);
  EXPECT_EQ(dataset.classes[6].name, "liver");
}

// TransUNet's ACDC: keys img and label, the phase in the name.
TEST_F(ArraySets, AcdcInNpz) {
  const auto bytes = npz_bytes(shades({3, 4}, "img"), labels({3, 4}, 3));
  write("ACDC/train/case_001_sliceED_0.npz", bytes);
  write("ACDC/train/case_001_sliceES_0.npz", bytes);
  write("ACDC/valid/case_019_sliceED_3.npz", bytes);
  write("ACDC/test/case_002_volume_ED.npz",
        npz_bytes(shades({2, 5, 6}, "img"), labels({2, 5, 6}, 3)));
  const Dataset dataset = open_dataset(folder_.path());
  EXPECT_EQ(ids(dataset.cases),
            (Lines{"case_001_sliceED_0 train", "case_001_sliceES_0 train",
                   "case_002_volume_ED_slice000 test", "case_002_volume_ED_slice001 test",
                   "case_019_sliceED_3 val"}));
  EXPECT_EQ(dataset.cases[0].volume, "case_001_ED");
  EXPECT_EQ(dataset.cases[0].group, "case_001");
  EXPECT_EQ(dataset.cases[3].volume, "case_002_volume_ED");
  EXPECT_EQ(dataset.cases[3].group, "case_002");
  const Image image = read_image(dataset.cases[3]);
  EXPECT_EQ(image.height, 5);
  EXPECT_EQ(image.value(0, 0, 0), 0.5F) << "the second slice begins in the middle";
  EXPECT_EQ(dataset.classes.size(), 4U);
}

TEST_F(ArraySets, ColourPicturesInNpz) {
  NamedArray<std::uint8_t> image{"image", {2, 1, 3}, {1, 2, 3, 4, 5, 6}};
  NamedArray<std::int64_t> label{"mask", {2, 1}, {0, 1}};
  write("train/a.npz", npz_bytes(image, label));
  write("test/b.npz", npz_bytes(image, label));
  const Dataset dataset = open_dataset(folder_.path());
  EXPECT_EQ(ids(dataset.cases), (Lines{"a train", "b test"}));
  const Image read = read_image(dataset.cases[0]);
  EXPECT_EQ(read.type, SampleType::u8);
  EXPECT_EQ(std::vector<int>(read.bytes.begin(), read.bytes.end()),
            (std::vector<int>{1, 2, 3, 4, 5, 6}));
}

TEST_F(ArraySets, NpyFilesInFolders) {
  write("images/a.npy", npy_bytes(shades({2, 3})));
  write("masks/a.npy", npy_bytes(labels({2, 3}, 1)));
  const Dataset dataset = open_dataset(folder_.path());
  EXPECT_EQ(ids(dataset.cases), Lines{"a"});
  EXPECT_EQ(read_labels(dataset, dataset.cases[0]).labels,
            (std::vector<std::uint8_t>{0, 1, 0, 1, 0, 1}));
}

// What is wrong with one file is said with its name, and the set is not used without it.
TEST_F(ArraySets, WhatCannotBeMeant) {
  const std::string good = npz_bytes(shades({3, 4}), labels({3, 4}, 8));
  write("good.npz", good);
  const auto refusal = [&](const std::string& bytes) {
    write("bad.npz", bytes);
    const auto refused = test::refusal_of([&] {
      return read_labels(open_dataset(folder_.path()), open_dataset(folder_.path()).cases[0]);
    });
    EXPECT_TRUE(refused);
    if (refused) {
      EXPECT_TRUE(refused->names("bad.npz")) << refused->message;
    }
    return refused ? refused->message : "";
  };
  EXPECT_NE(refusal(npz_bytes(shades({3, 4}), labels({3, 5}, 8))).find("one size"),
            std::string::npos);
  EXPECT_NE(refusal(npz_bytes(shades({4}), labels({4}, 8))).find("rows x columns"),
            std::string::npos);
  EXPECT_NE(refusal(good.substr(0, good.size() / 2)), "");
  NamedArray<float> half = labels({3, 4}, 8);
  half.values[3] = 0.5F;
  EXPECT_NE(refusal(npz_bytes(shades({3, 4}), half)).find("whole numbers"), std::string::npos);
  half.values[3] = -1;
  EXPECT_NE(refusal(npz_bytes(shades({3, 4}), half)).find("-1"), std::string::npos);
}

TEST_F(ArraySets, APictureIsFinite) {
  NamedArray<float> image = shades({2, 2});
  image.values[1] = std::numeric_limits<float>::quiet_NaN();
  write("a.npy", npy_bytes(image));
  const auto refused = test::refusal_of([&] { return read_image(path("a.npy")); });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("a.npy") && refused->names("finite")) << refused->message;
}

TEST_F(ArraySets, AnUnnamedArrayIsTheImage) {
  write("a.npz", npz_bytes(shades({2, 2}), labels({2, 2}, 1)));
  EXPECT_EQ(read_image(path("a.npz")).value(1, 1, 0), 0.75F);
  write("b.npz", npz_bytes(shades({2, 2}, "x"), labels({2, 2}, 1, "y")));
  const auto refused = test::refusal_of([&] { return read_image(path("b.npz")); });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("b.npz") && refused->names("x, y")) << refused->message;
  write("c.npy", npy_bytes(shades({7, 2, 5})));
  const auto volume = test::refusal_of([&] { return read_image(path("c.npy")); });
  ASSERT_TRUE(volume);
  EXPECT_TRUE(volume->names("c.npy") && volume->names("7 slices")) << volume->message;
}

#ifdef MEDURWKV_H5
// Volumes to judge as slices in order, named as the training slices are.
TEST_F(ArraySets, SynapseVolumesInHdf5) {
  write("train_npz/case0005_slice000.npz", npz_bytes(shades({3, 4}), labels({3, 4}, 8)));
  test::write_h5(path("test_vol_h5/case0008.npy.h5"), shades({3, 4, 5}), labels({3, 4, 5}, 8));
  const Dataset dataset = open_dataset(folder_.path());
  EXPECT_EQ(ids(dataset.cases), (Lines{"case0005_slice000 train", "case0008_slice000 test",
                                       "case0008_slice001 test", "case0008_slice002 test"}));
  const Case& last = dataset.cases.back();
  EXPECT_EQ(last.volume, "case0008");
  EXPECT_EQ(last.slice, 2);
  EXPECT_EQ(last.group, "case0008");
  EXPECT_EQ(read_image_size(last), (ImageSize{5, 4}));
  EXPECT_EQ(read_image(last).value(4, 3, 0), 59.0F / 60);
  EXPECT_EQ(read_labels(dataset, last).labels[19], 59 * 3 % 9);
  EXPECT_EQ(files_of(last).size(), 1U);
}

// WSL4MIS: the slices and, once more, the volumes they were cut from; lists of patients' frames.
TEST_F(ArraySets, AcdcInHdf5) {
  const NamedArray<std::uint8_t> label{"label", {2, 3}, {0, 1, 2, 3, 0, 1}};
  const NamedArray<std::uint8_t> scribble{"scribble", {2, 3}, {4, 4, 4, 4, 4, 4}};
  for (const char* name :
       {"patient001_frame01_slice_0", "patient001_frame01_slice_1", "patient002_frame01_slice_0"}) {
    test::write_h5(path(std::string("ACDC_training_slices/") + name + ".h5"), shades({2, 3}), label,
                   scribble);
  }
  for (const char* name : {"patient001_frame01", "patient002_frame01"}) {
    test::write_h5(path(std::string("ACDC_training_volumes/") + name + ".h5"), shades({2, 5, 6}),
                   labels({2, 5, 6}, 3));
  }
  write("train.list", "patient001_frame01\n");
  write("val.list", "patient002_frame01\n");
  const Dataset dataset = open_dataset(folder_.path());
  EXPECT_EQ(dataset.layout, "ACDC");
  EXPECT_EQ(ids(dataset.cases),
            (Lines{"patient001_frame01_slice_0 train", "patient001_frame01_slice_1 train",
                   "patient002_frame01_slice_0 val"}));
  EXPECT_EQ(dataset.cases[1].group, "patient001");
  EXPECT_EQ(dataset.classes.at(2).name, "myocardium");
  EXPECT_EQ(read_labels(dataset, dataset.cases[0]).labels, label.values);
}

TEST_F(ArraySets, BrokenHdf5IsNamed) {
  test::write_h5(path("good.h5"), shades({30, 40}), labels({30, 40}, 8));
  const std::string whole = read_file(path("good.h5"));
  fs::remove(path("good.h5"));
  for (const std::size_t length : {std::size_t{8}, std::size_t{100}, whole.size() / 2}) {
    write("bad.h5", whole.substr(0, length));
    const auto refused = test::refusal_of([&] { return read_image(path("bad.h5")); });
    ASSERT_TRUE(refused) << length;
    EXPECT_TRUE(refused->names("bad.h5")) << refused->message;
  }
}

/// Sets a variable of the environment for one test.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    ::setenv(name, value.c_str(), 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  Environment(Environment&&) = delete;
  Environment& operator=(Environment&&) = delete;
  ~Environment() { ::unsetenv(name_); }

 private:
  const char* name_;
};

TEST_F(ArraySets, WithoutTheLibraryTheMessageSaysWhatToDo) {
  test::write_h5(path("a.h5"), shades({3, 4}));
  const Environment without("MEDURWKV_H5_LIBRARY", path("absent.so").string());
  const auto refused = test::refusal_of([&] { return read_image(path("a.h5")); });
  ASSERT_TRUE(refused);
  for (const char* part : {"a.h5", "libmedurwkv_h5.so", "libhdf5-dev", ".npz"}) {
    EXPECT_TRUE(refused->names(part)) << refused->message;
  }
}
#endif

}  // namespace
}  // namespace medurwkv::data
