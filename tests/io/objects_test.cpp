// Masks that tell objects apart: by values of 8 and 16 bits, by colours, by one file each.
#include "data/layout/objects.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "core/files.h"
#include "data/check/open.h"
#include "data/codecs/read.h"
#include "support/images.h"
#include "support/paths.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

class Objects : public ::testing::Test {
 protected:
  void write(const std::string& name, const Image& image) {
    const fs::path file = folder_.path() / name;
    make_folder(file.parent_path());
    write_file(file, encode_png(image));
  }
  /// A mask of 16 bits, its values in rows of 40.
  static Image wide(const std::vector<std::uint16_t>& values) {
    Image out{40, static_cast<std::int64_t>(values.size()) / 40, 1, SampleType::u16, {}, {}};
    for (const std::uint16_t value : values) {
      out.bytes.push_back(static_cast<std::uint8_t>(value & 255U));
      out.bytes.push_back(static_cast<std::uint8_t>(value >> 8U));
    }
    return out;
  }
  [[nodiscard]] Dataset opened(const DatasetOptions& options = {}) const {
    return open_dataset(folder_.path(), options);
  }

  test::TemporaryFolder folder_;
};

// 400 objects of two pixels each, beyond what 8 bits tell apart: none is lost, none joined.
TEST_F(Objects, OfSixteenBitsAreAllThere) {
  std::vector<std::uint16_t> values(40 * 40, 0);
  for (std::uint16_t k = 0; k < 400; ++k) values[4U * k] = values[4U * k + 1] = k + 1;
  write("images/a.png", test::make_blobs(1, 40, 40, 3));
  write("masks/a.png", wide(values));
  const Dataset set = opened({.encoding = MaskEncoding::instances, .classes = {}});
  ASSERT_TRUE(tells_objects(set, set.cases.at(0)));
  const ObjectMap got = read_objects(set, set.cases[0]);
  EXPECT_EQ(got.count, 400U);
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(got.objects[i], values[i]) << i;
}

// Numbers rise with the values, whichever comes first in the picture and whatever lies between.
TEST_F(Objects, RiseWithTheirValues) {
  MaskPixels mask;
  mask.width = 5;
  mask.height = 1;
  mask.values = {90, 0, 7, 7, 200};
  EXPECT_EQ(objects_from(mask).objects, (std::vector<std::uint32_t>{2, 0, 1, 1, 3}));
  MaskPixels colors;
  colors.width = 3;
  colors.height = 1;
  colors.colors = {0, 0, 9, 0, 0, 0, 0, 0, 8};
  EXPECT_EQ(objects_from(colors).objects, (std::vector<std::uint32_t>{2, 0, 1}));
}

// As DSB 2018 has them: a folder for each image, a mask for each nucleus.
TEST_F(Objects, OfOneFileEach) {
  write("one/images/one.png", test::make_blobs(1, 12, 10, 3));
  const auto block = [](std::int64_t from, std::int64_t to) {
    return test::make_image(12, 10, 1,
                            [=](auto x, auto, auto) { return x >= from && x < to ? 255 : 0; });
  };
  write("one/masks/x.png", block(0, 4));
  write("one/masks/y.png", block(3, 6));
  write("one/masks/z.png", block(9, 12));
  const Dataset set = opened();
  ASSERT_EQ(set.cases.size(), 1U);
  ASSERT_TRUE(tells_objects(set, set.cases[0]));
  const ObjectMap got = read_objects(set, set.cases[0]);
  EXPECT_EQ(got.count, 3U);
  const std::vector<std::uint32_t> row(got.objects.begin(), got.objects.begin() + 12);
  EXPECT_EQ(row, (std::vector<std::uint32_t>{1, 1, 1, 2, 2, 2, 0, 0, 0, 3, 3, 3}));
}

// One mask of 0 and 255 tells classes alone.
TEST_F(Objects, AreNotToldByAClass) {
  write("images/a.png", test::make_blobs(1, 8, 8, 3));
  write("masks/a.png",
        test::make_image(8, 8, 1, [](auto x, auto, auto) { return x < 3 ? 255 : 0; }));
  const Dataset set = opened();
  EXPECT_FALSE(tells_objects(set, set.cases.at(0)));
}

}  // namespace
}  // namespace medurwkv::data
