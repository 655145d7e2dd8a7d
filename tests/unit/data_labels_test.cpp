// Label maps out of masks in every encoding: palettes, colours with a table, numbered objects, a
// folder per class, channels in files of their own, fields of view and ignored values.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/model_description.h"
#include "data/check/open.h"
#include "data/codecs/read.h"
#include "data/layout/dataset.h"
#include "data/layout/encoding.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

class MaskLabels : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path path(const std::string& name) const { return folder_.path() / name; }
  void write(const std::string& name, const std::string& bytes) const {
    fs::create_directories(path(name).parent_path());
    write_file(path(name), bytes);
  }
  /// 2 x 2 pixels, row by row.
  void gray(const std::string& name, const Bytes& values) const {
    test::write_gray(path(name), 2, 2,
                     [&](auto x, auto y) { return values[static_cast<std::size_t>(2 * y + x)]; });
  }
  void color(const std::string& name, const std::vector<Color>& pixels) const {
    write(name, encode_png(test::make_image(2, 2, 3, [&](auto x, auto y, auto c) {
            return pixels[static_cast<std::size_t>(2 * y + x)][static_cast<std::size_t>(c)];
          })));
  }
  /// A palette PNG whose palette has these colours.
  void palette(const std::string& name, const Bytes& indices,
               const std::vector<Color>& colors) const {
    std::vector<ClassInfo> classes;
    for (const Color& one : colors) classes.push_back({"", one});
    write(name, encode_png(LabelMap{2, 2, indices}, classes));
  }
  Dataset open(const DatasetOptions& options = {}) const {
    return open_dataset(folder_.path(), options);
  }
  [[nodiscard]] test::Refusal refusal(const std::function<void()>& call) const {
    const auto refused = test::refusal_of([&] {
      call();
      return 0;
    });
    EXPECT_TRUE(refused);
    return refused.value_or(test::Refusal{});
  }
  test::TemporaryFolder folder_;
};

const std::vector<Color> voc{{0, 0, 0}, {128, 0, 0}, {0, 128, 0}};
const std::vector<ClassInfo> polyps{
    {"background", {0, 0, 0}}, {"neoplastic", {255, 0, 0}}, {"other", {0, 255, 0}}};

// VOC: the index is the class whatever its colour, 255 the border that takes part in nothing.
TEST_F(MaskLabels, ColouredPalettesHoldIndices) {
  gray("images/a.png", {1, 2, 3, 4});
  palette("masks/a.png", {0, 1, 2, 255}, voc);
  const Dataset dataset = open();
  EXPECT_EQ(dataset.encoding, MaskEncoding::palette);
  EXPECT_EQ(dataset.classes.size(), 3U);
  EXPECT_EQ(read_labels(dataset, dataset.cases[0]).labels, (Bytes{0, 1, 2, ignore_label}));
}

// A palette of grays means its grays; --mask-encoding palette takes the indices all the same.
TEST_F(MaskLabels, GrayPalettesHoldGrays) {
  gray("images/a.png", {1, 2, 3, 4});
  palette("masks/a.png", {0, 1, 1, 0}, {{0, 0, 0}, {255, 255, 255}});
  EXPECT_EQ(open().encoding, MaskEncoding::binary);
  EXPECT_EQ(read_labels(open(), open().cases[0]).labels, (Bytes{0, 1, 1, 0}));
  const Dataset forced = open({.encoding = MaskEncoding::palette});
  EXPECT_EQ(read_labels(forced, forced.cases[0]).labels, (Bytes{0, 1, 1, 0}));
  palette("masks/a.png", {0, 1, 2, 0}, {{9, 9, 9}, {0, 0, 0}, {200, 200, 200}});
  const Dataset three = open({.encoding = MaskEncoding::palette, .classes = polyps});
  EXPECT_EQ(read_labels(three, three.cases[0]).labels, (Bytes{0, 1, 2, 0}));
}

TEST_F(MaskLabels, ColoursNeedATable) {
  gray("images/a.png", {1, 2, 3, 4});
  color("masks/a.png", {{0, 0, 0}, {255, 0, 0}, {0, 255, 0}, {255, 0, 0}});
  const test::Refusal refused = refusal([&] { open(); });
  for (const char* word : {"255,0,0", "0,255,0", "--classes", "--mask-encoding instances"}) {
    EXPECT_TRUE(refused.names(word)) << refused.message;
  }
  const Dataset dataset = open({.encoding = {}, .classes = polyps});
  EXPECT_EQ(dataset.encoding, MaskEncoding::colors);
  EXPECT_EQ(read_labels(dataset, dataset.cases[0]).labels, (Bytes{0, 1, 2, 1}));
  EXPECT_EQ(dataset.classes[2].color, (Color{0, 255, 0}));
}

// A mask without any lesion is black, so gray; labelmap.txt in the folder is the table.
TEST_F(MaskLabels, ALabelMapInTheFolderIsTheTable) {
  gray("images/a.png", {1, 2, 3, 4});
  gray("images/b.png", {5, 2, 3, 4});
  color("masks/a.png", {{0, 0, 0}, {255, 0, 0}, {0, 255, 0}, {255, 0, 0}});
  gray("masks/b.png", {0, 0, 0, 0});
  write("labelmap.txt", "background:0,0,0::\nneoplastic:255,0,0::\nother:0,255,0::\n");
  const Dataset dataset = open();
  EXPECT_EQ(dataset.encoding, MaskEncoding::colors);
  EXPECT_EQ(dataset.classes.at(1).name, "neoplastic");
  EXPECT_EQ(read_labels(dataset, dataset.cases[1]).labels, (Bytes{0, 0, 0, 0}));
}

// dataset.json names values, not colours: what the colours are is still a question.
TEST_F(MaskLabels, NamesWithoutColoursAreNoTable) {
  gray("imagesTr/a_0000.png", {1, 2, 3, 4});
  color("labelsTr/a.png", {{0, 0, 0}, {255, 0, 0}, {0, 255, 0}, {255, 0, 0}});
  write("dataset.json",
        R"({"channel_names": {"0": "CT"}, "labels": {"background": 0, "a": 1, "b": 2}})");
  const test::Refusal refused = refusal([&] { open(); });
  EXPECT_TRUE(refused.names("255,0,0") && refused.names("--classes")) << refused.message;
}

TEST_F(MaskLabels, AColourThatIsNoClassIsNamed) {
  gray("images/a.png", {1, 2, 3, 4});
  color("masks/a.png", {{0, 0, 0}, {255, 0, 0}, {0, 0, 255}, {250, 5, 9}});
  const Dataset dataset = open({.encoding = {}, .classes = polyps});
  const test::Refusal refused = refusal([&] { read_labels(dataset, dataset.cases[0]); });
  for (const char* word : {"a.png", "0,0,255", "0, 1", "neoplastic 255,0,0", "--classes"}) {
    EXPECT_TRUE(refused.names(word)) << refused.message;
  }
}

// JPEG: near colours are meant, and a few pixels at edges may lie between.
TEST(ColorMasks, LossyOnesGoToTheNearestColour) {
  MaskPixels mask{.width = 100,
                  .height = 1,
                  .values = {},
                  .palette = {},
                  .indices = {},
                  .colors = {},
                  .lossy = true};
  for (int i = 0; i < 100; ++i) {
    const Color pixel = i < 50 ? Color{240, 12, 8} : i < 95 ? Color{6, 0, 3} : Color{128, 128, 0};
    mask.colors.insert(mask.colors.end(), pixel.begin(), pixel.end());
  }
  const LabelMap map = labels_from("f.jpg", MaskEncoding::colors, mask, polyps);
  EXPECT_EQ(map.labels[0], 1);
  EXPECT_EQ(map.labels[60], 0);
  for (std::size_t i = 90; i < 93; ++i) mask.colors[3 * i] = mask.colors[3 * i + 1] = 128;
  EXPECT_TRUE(test::refusal_of([&] {
    return labels_from("f.jpg", MaskEncoding::colors, mask, polyps);
  })) << "8 % between";
}

// More objects than classes are likely: every value from 1 is used.
TEST_F(MaskLabels, NumberedObjects) {
  gray("images/a.png", {1, 2, 3, 4});
  test::write_gray(path("images/b.png"), 8, 4, [](auto, auto) { return 9; });
  gray("masks/a.png", {0, 1, 2, 1});
  test::write_gray(path("masks/b.png"), 8, 4,
                   [](auto x, auto y) { return static_cast<int>(8 * y + x); });
  const Dataset dataset = open();
  EXPECT_EQ(dataset.encoding, MaskEncoding::instances);
  EXPECT_EQ(dataset.classes.size(), 2U);
  EXPECT_EQ(read_labels(dataset, dataset.cases[0]).labels, (Bytes{0, 1, 1, 1}));
}

// Few objects in every mask look like classes; numbers that differ from mask to mask do not.
TEST_F(MaskLabels, FewNumberedObjectsAreUnclear) {
  const std::vector<Bytes> masks{{0, 1, 0, 0}, {0, 1, 2, 0}, {1, 2, 3, 0}, {1, 2, 3, 4}};
  for (std::size_t i = 0; i < masks.size(); ++i) {
    const std::string name = std::to_string(i) + ".png";
    gray("images/" + name, {static_cast<std::uint8_t>(i), 2, 3, 4});
    gray("masks/" + name, masks[i]);
  }
  const test::Refusal refused = refusal([&] { open(); });
  EXPECT_TRUE(refused.names("--mask-encoding index")) << refused.message;
  EXPECT_TRUE(refused.names("--mask-encoding instances")) << refused.message;
  EXPECT_EQ(open({.encoding = MaskEncoding::index}).classes.size(), 5U);
}

// Of many small objects with numbers up to 255 few pixels lie in between; still no binary mask.
TEST(Encodings, ManyNumbersAreNotBlackAndWhite) {
  MaskPixels mask{.width = 100,
                  .height = 100,
                  .values = Bytes(10000, 0),
                  .palette = {},
                  .indices = {},
                  .colors = {},
                  .lossy = false};
  for (std::size_t i = 0; i < 255; ++i) mask.values[i] = static_cast<std::uint8_t>(i + 1);
  EXPECT_EQ(encoding_from_values(use_of(mask)), MaskEncoding::instances);
}

TEST_F(MaskLabels, ColoursAsObjects) {
  gray("images/a.png", {1, 2, 3, 4});
  color("masks/a.png", {{0, 0, 0}, {3, 0, 0}, {0, 200, 90}, {0, 0, 0}});
  const Dataset dataset = open({.encoding = MaskEncoding::instances});
  EXPECT_EQ(read_labels(dataset, dataset.cases[0]).labels, (Bytes{0, 1, 1, 0}));
}

TEST_F(MaskLabels, ColoursInABinarySetAreRefused) {
  gray("images/a.png", {1, 2, 3, 4});
  color("masks/a.png", {{0, 0, 0}, {255, 0, 0}, {0, 0, 0}, {0, 0, 0}});
  const test::Refusal refused = refusal([&] { open({.encoding = MaskEncoding::binary}); });
  EXPECT_TRUE(refused.names("a.png") && refused.names("colours")) << refused.message;
}

// UNet++: each class its own file of 0 and 255; a pixel belongs to one class.
TEST_F(MaskLabels, AFolderPerClass) {
  gray("images/a.png", {1, 2, 3, 4});
  gray("masks/nucleus/a.png", {255, 0, 0, 0});
  gray("masks/cell/a.png", {0, 255, 200, 0});
  const Dataset dataset = open();
  EXPECT_EQ(dataset.encoding, MaskEncoding::binary);
  ASSERT_EQ(dataset.classes.size(), 3U);
  EXPECT_EQ(dataset.classes[1].name, "cell");
  EXPECT_EQ(read_labels(dataset, dataset.cases[0]).labels, (Bytes{2, 1, 1, 0}));
  gray("masks/nucleus/a.png", {255, 255, 0, 0});
  const test::Refusal refused = refusal([&] { read_labels(dataset, dataset.cases[0]); });
  EXPECT_TRUE(refused.names("1, 0") && refused.names("one class")) << refused.message;
}

// nnU-Net: two channels in two files; classes by dataset.json; its "ignore" is no class.
TEST_F(MaskLabels, ChannelsAndAnIgnoredValue) {
  gray("imagesTr/a_0000.png", {10, 20, 30, 40});
  gray("imagesTr/a_0001.png", {11, 21, 31, 41});
  gray("labelsTr/a.png", {0, 1, 3, 2});
  write("dataset.json",
        R"({"channel_names": {"0": "T1", "1": "T2"},
            "labels": {"background": 0, "oedema": 1, "tumour": 2, "ignore": 3}})");
  const Dataset dataset = open();
  EXPECT_EQ(dataset.encoding, MaskEncoding::index);
  EXPECT_EQ(dataset.classes.size(), 3U);
  EXPECT_EQ(dataset.ignored, 3);
  const Image image = read_image(dataset.cases[0]);
  EXPECT_EQ(image.channels, 2);
  EXPECT_EQ(std::vector<int>(image.bytes.begin(), image.bytes.end()),
            (std::vector<int>{10, 11, 20, 21, 30, 31, 40, 41}));
  EXPECT_EQ(read_labels(dataset, dataset.cases[0]).labels, (Bytes{0, 1, ignore_label, 2}));
  EXPECT_EQ(files_of(dataset.cases[0]).size(), 3U);
  test::write_gray(path("imagesTr/a_0001.png"), 3, 2, [](auto, auto) { return 1; });
  const test::Refusal refused = refusal([&] { read_image(dataset.cases[0]); });
  EXPECT_TRUE(refused.names("a_0001.png") && refused.names("3 x 2")) << refused.message;
}

// DRIVE is judged inside the field of view.
TEST_F(MaskLabels, OutsideTheFieldOfViewNothingCounts) {
  gray("images/01_test.png", {1, 2, 3, 4});
  gray("1st_manual/01_manual1.png", {0, 255, 0, 255});
  gray("mask/01_test_mask.png", {255, 255, 0, 0});
  const Dataset dataset = open();
  EXPECT_EQ(read_labels(dataset, dataset.cases[0]).labels,
            (Bytes{0, 1, ignore_label, ignore_label}));
}

TEST_F(MaskLabels, GivenClassesMayBeMoreThanAreFound) {
  gray("images/a.png", {1, 2, 3, 4});
  gray("masks/a.png", {0, 1, 1, 0});
  EXPECT_EQ(open({.encoding = MaskEncoding::index, .classes = polyps}).classes.size(), 3U);
  const test::Refusal refused =
      refusal([&] { open({.encoding = MaskEncoding::binary, .classes = polyps}); });
  EXPECT_EQ(refused.kind, ErrorKind::usage);
  EXPECT_TRUE(refused.names("3 classes")) << refused.message;
}

}  // namespace
}  // namespace medurwkv::data
