// Arrays in every type of NumPy's, and what their axes mean: alone, and beside a label.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/npy.h"
#include "data/check/open.h"
#include "data/codecs/arrays.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"
#include "data/image/geometry.h"
#include "data/layout/dataset.h"
#include "support/array_files.h"
#include "support/paths.h"
#include "support/refusal.h"
#include "support/zip_by_hand.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

std::string bytes_of(const std::vector<int>& values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

/// Elements counted from 0, as 8 bits.
std::string counted(const Shape& shape) {
  std::string out = npy_header(NpyType::u8, shape);
  for (std::int64_t i = 0; i < element_count(shape); ++i) out += static_cast<char>(i % 251);
  return out;
}

std::string zeros(const Shape& shape) {
  return npy_header(NpyType::u8, shape) +
         std::string(static_cast<std::size_t>(element_count(shape)), '\0');
}

class ArrayForms : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path path(const std::string& name) const { return folder_.path() / name; }
  ImageSource npy(const std::string& bytes) const {
    write_file(path("a.npy"), bytes);
    return {path("a.npy")};
  }
  /// An .npz of an image and a label, all black.
  ImageSource pair(const Shape& image, const Shape& label) const {
    write_file(path("a.npz"), test::make_zip({{.name = "image.npy", .content = counted(image)},
                                              {.name = "label.npy", .content = zeros(label)}})
                                  .bytes);
    return {path("a.npz")};
  }
  std::string refusal(const ImageSource& source) const {
    const auto refused = test::refusal_of([&] { return read_image(source); });
    EXPECT_TRUE(refused);
    EXPECT_TRUE(refused && refused->names(source.file.filename().string()));
    return refused ? refused->message : "";
  }
  test::TemporaryFolder folder_;
};

std::vector<int> values(const MaskPixels& mask) {
  return {mask.values.begin(), mask.values.end()};
}

// 0, 1, 1 in each type, and numbers that only that type has.
TEST_F(ArrayForms, LabelsOfEveryType) {
  const std::vector<int> three{0, 1, 1};
  const auto label = [&](NpyType type, const std::vector<int>& bytes) {
    return values(read_mask(npy(npy_header(type, {1, 3}) + bytes_of(bytes))));
  };
  EXPECT_EQ(label(NpyType::boolean, {0, 1, 1}), three);
  EXPECT_EQ(label(NpyType::i8, {0, 1, 1}), three);
  EXPECT_EQ(label(NpyType::u16, {0, 0, 1, 0, 1, 0}), three);
  EXPECT_EQ(label(NpyType::f16, {0, 0, 0, 0x3c, 0, 0x3c}), three);
  std::vector<int> wide(24, 0);
  wide[8] = wide[16] = 1;
  EXPECT_EQ(label(NpyType::u64, wide), three);
  EXPECT_EQ(label(NpyType::i64, wide), three);
  wide[21] = 1;  // 2^40 + 1
  EXPECT_TRUE(test::refusal_of([&] { return label(NpyType::u64, wide); }));
  EXPECT_TRUE(test::refusal_of([&] { return label(NpyType::i8, {0, 1, 0xff}); })) << "-1";
  EXPECT_TRUE(test::refusal_of([&] { return label(NpyType::f16, {0, 0, 0, 0x38, 0, 0}); })) << 0.5;
}

TEST_F(ArrayForms, ImagesOfEveryType) {
  const Image half =
      read_image(npy(npy_header(NpyType::f16, {1, 2}) + bytes_of({0, 0x38, 0, 0xc2})));
  EXPECT_EQ(half.type, SampleType::f32);
  EXPECT_EQ(half.value(0, 0, 0), 0.5F);
  EXPECT_EQ(half.value(1, 0, 0), -3.0F);
  EXPECT_EQ(float_range(half), (std::pair{-3.0F, 0.5F}));
  const Image boolean = read_image(npy(npy_header(NpyType::boolean, {1, 2}) + bytes_of({0, 1})));
  EXPECT_EQ(boolean.value(1, 0, 0), 1.0F);
  const auto refused = test::refusal_of([&] {
    return read_image(npy(npy_header(NpyType::f16, {1, 1}) + bytes_of({0, 0x7c})));
  });
  ASSERT_TRUE(refused) << "infinite";
  EXPECT_TRUE(refused->names("finite")) << refused->message;
  EXPECT_FALSE(float_range(read_image(npy(counted({2, 2})))));
}

// Floats of 0 to 255 are read as they are stored; the window 0 to 255 makes of them what 8 bits
// are.
TEST_F(ArrayForms, AWindowBringsFloatsOf255ToOne) {
  std::string elements;
  for (int i = 0; i < 256; ++i) {
    const auto value = static_cast<float>(i);
    elements.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  const Image floats = read_image(npy(npy_header(NpyType::f32, {16, 16}) + elements));
  EXPECT_EQ(floats.value(15, 15, 0), 255.0F);
  EXPECT_EQ(float_range(floats), (std::pair{0.0F, 255.0F}));
  Image bytes{.width = 16, .height = 16, .channels = 1, .bytes = {}};
  for (int i = 0; i < 256; ++i) bytes.bytes.push_back(static_cast<unsigned char>(i));
  const std::vector<float> seen = image_planes(floats, 1, {Window{0, 255}}).values;
  const std::vector<float> meant = image_planes(bytes, 1).values;
  ASSERT_EQ(seen.size(), meant.size());
  for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_NEAR(seen[i], meant[i], 1e-6F) << i;
}

TEST_F(ArrayForms, AloneAThreeOrOneInFrontAreChannels) {
  const Image colors = read_image(npy(counted({3, 6, 7})));
  ASSERT_EQ(colors.channels, 3);
  EXPECT_EQ(colors.width, 7);
  EXPECT_EQ(colors.height, 6);
  for (std::int64_t c = 0; c < 3; ++c) {
    EXPECT_EQ(colors.value(2, 1, c), static_cast<float>(42 * c + 9) / 255);
  }
  EXPECT_EQ(read_image_size(path("a.npy")), (ImageSize{7, 6}));
  const Image gray = read_image(npy(counted({1, 6, 7})));
  EXPECT_EQ(gray.channels, 1);
  EXPECT_EQ(gray.value(6, 5, 0), 41.0F / 255);
  const Image last = read_image(npy(counted({6, 7, 3})));
  EXPECT_EQ(last.channels, 3);
  EXPECT_EQ(last.value(2, 1, 1), static_cast<float>(3 * 9 + 1) / 255);
  for (const std::int64_t slices : {2, 4, 10}) {
    const std::string message = refusal(npy(counted({slices, 6, 7})));
    EXPECT_NE(message.find(std::to_string(slices) + "x6x7"), std::string::npos) << message;
    EXPECT_NE(message.find("last axis"), std::string::npos) << message;
  }
}

// Three slices of a mask are no colours.
TEST_F(ArrayForms, AMaskAloneHasNoChannelsInFront) {
  EXPECT_TRUE(test::refusal_of([&] { return read_mask(npy(zeros({3, 6, 7}))); }));
  const MaskPixels one = read_mask(npy(counted({1, 2, 5})));
  EXPECT_EQ(values(one), (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

/// Channels of the picture of a pair, and whether they come first; the case's count with it.
struct Meant {
  std::int64_t cases = 0, channels = 0;
  bool first = false;
};

// The label's shape decides.
TEST_F(ArrayForms, BesideALabel) {
  const std::vector<std::pair<std::pair<Shape, Shape>, Meant>> pairs{
      {{{6, 7}, {6, 7}}, {1, 1, false}},       {{{6, 7, 3}, {6, 7}}, {1, 3, false}},
      {{{3, 6, 7}, {6, 7}}, {1, 3, true}},     {{{2, 6, 7}, {6, 7}}, {1, 2, true}},
      {{{5, 6, 7}, {6, 7}}, {1, 5, true}},     {{{6, 7, 5}, {6, 7}}, {1, 5, false}},
      {{{6, 6, 5}, {6, 6}}, {1, 5, false}},    {{{5, 6, 6}, {6, 6}}, {1, 5, true}},
      {{{3, 6, 7}, {1, 6, 7}}, {1, 3, true}},  {{{6, 7, 3}, {6, 7, 1}}, {1, 3, false}},
      {{{6, 7}, {1, 6, 7}}, {1, 1, false}},    {{{3, 6, 7}, {3, 6, 7}}, {3, 1, false}},
      {{{1, 6, 7}, {1, 6, 7}}, {1, 1, false}}, {{{8, 6, 7}, {8, 6, 7}}, {8, 1, false}}};
  for (const auto& [shapes, meant] : pairs) {
    const auto& [image, label] = shapes;
    pair(image, label);
    const Dataset dataset = open_dataset(folder_.path());
    ASSERT_EQ(static_cast<std::int64_t>(dataset.cases.size()), meant.cases) << shape_text(image);
    const Image read = read_image(dataset.cases.back());
    ASSERT_EQ(read.channels, meant.channels) << shape_text(image);
    ASSERT_EQ(read.height, 6);
    const std::int64_t c = meant.channels - 1;
    const std::int64_t pixel = 2 * read.width + 3;
    const std::int64_t before = (meant.cases - 1) * 6 * read.width;
    const std::int64_t index =
        meant.first ? c * 6 * read.width + pixel : before + pixel * meant.channels + c;
    EXPECT_FLOAT_EQ(read.value(3, 2, c), static_cast<float>(index % 251) / 255)
        << shape_text(image);
    EXPECT_EQ(read_labels(dataset, dataset.cases.back()).labels.size(),
              static_cast<std::size_t>(6 * read.width));
  }
}

// Texts and Python objects beside the pixels do no harm; in their place they are named.
TEST_F(ArrayForms, OtherThingsInAnNpz) {
  const std::string text = std::string("\x93NUMPY\1\0\x3e\0", 10) +
                           "{'descr': '<U2', 'fortran_order': False, 'shape': (), }       \n" +
                           std::string(8, '\0');
  const auto archive = [&](const std::string& image, const std::string& extra) {
    return test::make_zip({{.name = "image.npy", .content = image},
                           {.name = "label.npy", .content = zeros({6, 7})},
                           {.name = "extra.npy", .content = extra}})
        .bytes;
  };
  write_file(path("a.npz"), archive(counted({6, 7}), text));
  EXPECT_EQ(open_dataset(folder_.path()).cases.size(), 1U);
  EXPECT_EQ(read_image(path("a.npz")).width, 7);
  write_file(path("a.npz"), archive(text, zeros({1})));
  EXPECT_NE(refusal({path("a.npz")}).find("<U2"), std::string::npos);
}

// A file is read alone (by predict) as it is read in its set: three slices are no colours.
TEST_F(ArrayForms, AFileOfAPairIsReadAloneAsInTheSet) {
  EXPECT_EQ(read_image(pair({5, 6, 7}, {6, 7})).channels, 5);
  EXPECT_NE(refusal(pair({3, 6, 7}, {3, 6, 7})).find("3 slices"), std::string::npos);
}

TEST_F(ArrayForms, PairsThatDoNotFit) {
  const std::vector<std::pair<std::pair<Shape, Shape>, std::string>> pairs{
      {{{6, 7}, {6, 8}}, "one size"},        {{{6, 7}, {7, 6}}, "one size"},
      {{{3, 6, 7}, {7, 6}}, "one size"},     {{{6, 7}, {4, 6, 7}}, "one number for each pixel"},
      {{{3, 6, 7}, {4, 6, 7}}, "one size"},  {{{6, 6, 6}, {6, 6}}, "cannot be told"},
      {{{65, 6, 7}, {6, 7}}, "at most 64"},  {{{6, 7, 100}, {6, 7}}, "100 channels"},
      {{{2, 3, 6, 7}, {2, 6, 7}}, "2x3x6x7"}};
  for (const auto& [shapes, words] : pairs) {
    const std::string message = refusal(pair(shapes.first, shapes.second));
    EXPECT_NE(message.find(words), std::string::npos) << message;
  }
}

// A label is never read as the image, even where the image beside it is missing or unreadable.
TEST_F(ArrayForms, ALabelIsNeverTakenForTheImage) {
  const auto npz = [&](const std::vector<test::ZipEntry>& members) {
    write_file(path("a.npz"), test::make_zip(members).bytes);
    return ImageSource{path("a.npz")};
  };
  for (const std::string name : {"label", "mask", "gt", "seg", "Label"}) {
    const ImageSource alone = npz({{.name = name + ".npy", .content = zeros({4, 4})}});
    EXPECT_NE(refusal(alone).find("no array named image or img; it holds " + name),
              std::string::npos);
    EXPECT_FALSE(test::refusal_of([&] { return read_mask(alone); })) << "it is a mask all the same";
    EXPECT_TRUE(test::refusal_of([&] { return read_image_size(alone); }));
  }
  const std::string complex =
      "{'descr': '<c8', 'fortran_order': False, 'shape': (4, 4), }" + std::string(18, ' ') + "\n";
  const std::string complex_image = "\x93NUMPY\1" + std::string(1, '\0') +
                                    std::string(1, static_cast<char>(complex.size())) +
                                    std::string(1, '\0') + complex + std::string(128, '\0');
  for (const auto& [image, content] :
       {std::pair<std::string, std::string>{"image.npy", complex_image},
        {"image.npy", counted({2, 4, 4, 3})},
        {"image.npy", "no array"},
        {"image.txt", "a text"},
        {"old/image.npy", counted({4, 4})}}) {
    const ImageSource both =
        npz({{.name = image, .content = content}, {.name = "label.npy", .content = zeros({4, 4})}});
    refusal(both);
  }
  const ImageSource image = npz({{.name = "image.npy", .content = counted({4, 4})}});
  EXPECT_TRUE(test::refusal_of([&] { return read_mask(image); })) << "nor an image for the mask";
}

}  // namespace
}  // namespace medurwkv::data
