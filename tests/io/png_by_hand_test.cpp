// PNG files made by hand after the specification: forms that our own writer never makes, as image
// and as mask, and broken ones.
#include <gtest/gtest.h>

#include <sys/resource.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"
#include "data/image/image.h"
#include "support/paths.h"
#include "support/png_by_hand.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

using test::bytes_of;
using test::make_png;
using test::PngParts;

std::vector<int> samples(const Image& image) {
  return {image.bytes.begin(), image.bytes.end()};
}

/// The values of a mask file with these bytes.
std::vector<int> mask_values(const std::string& bytes) {
  const test::TemporaryFolder folder;
  write_file(folder.path() / "mask.png", bytes);
  const MaskPixels mask = read_mask({folder.path() / "mask.png"});
  return {mask.values.begin(), mask.values.end()};
}

/// Peak memory of this process in bytes.
std::int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

// Widths that end within a byte: 1 bit 101|1 0..., 2 bits 0 1 2 3 0, 4 bits 0 7 15. Gray values are
// scaled to 8 bits: value * 255 / (2^bits - 1).
TEST(PngByHand, RowsThatEndWithinAByte) {
  EXPECT_EQ(samples(decode_png("f", make_png({.width = 3,
                                              .height = 2,
                                              .depth = 1,
                                              .scanlines = bytes_of({0, 0xa0, 0, 0x40})}))
                        .image),
            (std::vector<int>{255, 0, 255, 0, 255, 0}));
  EXPECT_EQ(samples(decode_png("f", make_png({.width = 5,
                                              .height = 1,
                                              .depth = 2,
                                              .scanlines = bytes_of({0, 0x1b, 0x00})}))
                        .image),
            (std::vector<int>{0, 85, 170, 255, 0}));
  EXPECT_EQ(samples(decode_png("f", make_png({.width = 3,
                                              .height = 1,
                                              .depth = 4,
                                              .scanlines = bytes_of({0, 0x07, 0xf0})}))
                        .image),
            (std::vector<int>{0, 119, 255}));
}

// The row filters of the specification, undone by hand: Sub adds the left byte, Up the upper one,
// Average the half of both, Paeth the nearest of three.
TEST(PngByHand, FiltersAreUndone) {
  const std::string rows = bytes_of({1, 10, 5, 5,   // 10 15 20
                                     2, 1, 1, 1,    // 11 16 21
                                     3, 10, 2, 2,   // 15 17 21
                                     4, 1, 1, 1});  // 16 18 22
  EXPECT_EQ(samples(decode_png("f", make_png({.width = 3, .height = 4, .scanlines = rows})).image),
            (std::vector<int>{10, 15, 20, 11, 16, 21, 15, 17, 21, 16, 18, 22}));
}

// Adam7 on 2 x 2: pass 1 holds (0, 0), pass 6 holds (1, 0), pass 7 the row below.
TEST(PngByHand, InterlacedPalette) {
  const PngParts parts{.width = 2,
                       .height = 2,
                       .color = test::png_palette,
                       .interlace = 1,
                       .palette = bytes_of({0, 0, 0, 200, 0, 0, 0, 100, 0, 0, 0, 50}),
                       .scanlines = bytes_of({0, 3, 0, 1, 0, 2, 0})};
  const DecodedImage decoded = decode_png("f", make_png(parts));
  EXPECT_EQ(decoded.indices, (std::vector<std::uint8_t>{3, 1, 2, 0}));
  EXPECT_EQ(samples(decoded.image), (std::vector<int>{0, 0, 50, 200, 0, 0, 0, 100, 0, 0, 0, 0}));
}

// Indices of 1, 2 and 4 bits are unpacked, not scaled; transparency changes nothing.
TEST(PngByHand, PackedPalettes) {
  PngParts parts{.width = 5,
                 .height = 1,
                 .depth = 2,
                 .color = test::png_palette,
                 .palette = bytes_of({0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}),
                 .transparency = bytes_of({0, 128}),
                 .scanlines = bytes_of({0, 0x1b, 0x40})};
  EXPECT_EQ(decode_png("f", make_png(parts)).indices, (std::vector<std::uint8_t>{0, 1, 2, 3, 1}));
  EXPECT_EQ(mask_values(make_png(parts)), (std::vector<int>{0, 1, 2, 3, 1}));
  parts.depth = 4;
  parts.scanlines = bytes_of({0, 0x30, 0x12, 0x00});
  EXPECT_EQ(decode_png("f", make_png(parts)).indices, (std::vector<std::uint8_t>{3, 0, 1, 2, 0}));
}

// PIL's mode 1 and P: a palette of grays means its grays, a coloured one its indices.
TEST(PngByHand, MasksWithPalettes) {
  PngParts parts{.width = 3,
                 .height = 1,
                 .color = test::png_palette,
                 .palette = bytes_of({0, 0, 0, 255, 255, 255}),
                 .scanlines = bytes_of({0, 0, 1, 0})};
  EXPECT_EQ(mask_values(make_png(parts)), (std::vector<int>{0, 255, 0}));
  parts.palette = bytes_of({0, 0, 0, 128, 0, 0});  // VOC's first class
  EXPECT_EQ(mask_values(make_png(parts)), (std::vector<int>{0, 1, 0}));
}

TEST(PngByHand, AlphaIsDroppedAtSixteenBitsToo) {
  const DecodedImage rgba =
      decode_png("f", make_png({.width = 1,
                                .height = 1,
                                .depth = 16,
                                .color = test::png_rgba,
                                .scanlines = bytes_of({0, 0xff, 0xff, 0x33, 0x33, 0, 0, 0, 1})}));
  EXPECT_EQ(rgba.image.channels, 3);
  EXPECT_EQ(rgba.image.type, SampleType::u16);
  EXPECT_FLOAT_EQ(rgba.image.value(0, 0, 0), 1);
  EXPECT_FLOAT_EQ(rgba.image.value(0, 0, 1), 0.2F);
  EXPECT_FLOAT_EQ(rgba.image.value(0, 0, 2), 0);
  const PngParts gray_alpha{.width = 2,
                            .height = 1,
                            .depth = 8,
                            .color = test::png_gray_alpha,
                            .scanlines = bytes_of({0, 255, 0, 7, 255})};
  EXPECT_EQ(mask_values(make_png(gray_alpha)), (std::vector<int>{255, 7}));
  // A gray value declared transparent is still that value.
  const PngParts keyed{
      .width = 2, .height = 1, .transparency = bytes_of({0, 9}), .scanlines = bytes_of({0, 9, 5})};
  EXPECT_EQ(samples(decode_png("f", make_png(keyed)).image), (std::vector<int>{9, 5}));
}

// RGB masks: three equal channels are gray, colours are kept for a table of classes.
TEST(PngByHand, MasksInColour) {
  const PngParts gray{.width = 2,
                      .height = 1,
                      .color = test::png_rgb,
                      .scanlines = bytes_of({0, 255, 255, 255, 0, 0, 0})};
  EXPECT_EQ(mask_values(make_png(gray)), (std::vector<int>{255, 0}));
  const PngParts red{.width = 2,
                     .height = 1,
                     .color = test::png_rgb,
                     .scanlines = bytes_of({0, 0, 0, 0, 255, 0, 0})};
  const test::TemporaryFolder folder;
  const ImageSource source{folder.path() / "mask.png"};
  write_file(source.file, make_png(red));
  const MaskPixels mask = read_mask(source);
  EXPECT_TRUE(mask.values.empty());
  EXPECT_EQ(mask.colors, (std::vector<std::uint8_t>{0, 0, 0, 255, 0, 0}));
}

// Small values of 16-bit masks are indices. Large ones are shades of a black and white mask: cut at
// the middle of their range, and never taken for a class index.
TEST(PngByHand, SixteenBitMasks) {
  const PngParts parts{.width = 6,
                       .height = 1,
                       .depth = 16,
                       .scanlines = bytes_of({0, 0, 0, 0, 3, 0xff, 0xff, 0x40, 0, 0xc0, 0, 1, 44})};
  const std::vector<int> values = mask_values(make_png(parts));
  ASSERT_EQ(values.size(), 6U);
  EXPECT_EQ(values[0], 0);
  EXPECT_EQ(values[1], 3);
  EXPECT_EQ(values[2], 255);
  EXPECT_LE(values[3], 127) << "a quarter of white";
  EXPECT_GE(values[4], 128) << "three quarters of white";
  EXPECT_GT(values[3], 32);
  EXPECT_GT(values[5], 32) << "object 300 of an instance mask is no class";
}

// A few hundred bytes that claim a quarter of a gigapixel of 6 bytes each: more than deflate can
// hold in them (its best is 1032 to 1), so refused before 1.6 GB are asked for.
TEST(PngByHand, MorePixelsThanTheFileCanHoldAreRefusedBeforeAllocating) {
  const PngParts parts{.width = 16384,
                       .height = 16384,
                       .depth = 16,
                       .color = test::png_rgb,
                       .scanlines = std::string(1000, '\0')};
  const std::int64_t before = peak_memory();
  const auto refused = test::refusal_of([&] { return decode_png("bomb.png", make_png(parts)); });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::failure);
  EXPECT_TRUE(refused->names("bomb.png") && refused->names("16384")) << refused->message;
  EXPECT_LT(peak_memory() - before, std::int64_t{100} << 20);
}

// The other side of that rule: what deflate does hold at its best is read.
TEST(PngByHand, AFlatImageOfManyPixelsIsRead) {
  const PngParts parts{
      .width = 4000, .height = 3000, .depth = 1, .scanlines = std::string(3000 * 501, '\0')};
  const std::string bytes = make_png(parts);
  ASSERT_LT(bytes.size(), 2000U) << "it is well packed";
  const Image image = decode_png("f", bytes).image;
  EXPECT_EQ(image.width, 4000);
  EXPECT_EQ(image.bytes.back(), 0);
}

TEST(PngByHand, SidesOfZeroAndSidesTooLongAreRefused) {
  for (const auto& [width, height] :
       std::vector<std::pair<std::uint32_t, std::uint32_t>>{{0, 1},
                                                            {1, 0},
                                                            {0, 0},
                                                            {0x7fffffff, 0x7fffffff},
                                                            {0x7fffffff, 1},
                                                            {0x80000000, 1},
                                                            {0xffffffff, 0xffffffff}}) {
    const std::string bytes =
        make_png({.width = width, .height = height, .scanlines = std::string(10, '\0')});
    for (const auto& refused : {test::refusal_of([&] { return decode_png("odd.png", bytes); }),
                                test::refusal_of([&] { return png_size("odd.png", bytes); })}) {
      ASSERT_TRUE(refused) << width << " x " << height;
      EXPECT_EQ(refused->kind, ErrorKind::failure);
      EXPECT_TRUE(refused->names("odd.png")) << refused->message;
    }
  }
}

class BrokenPng : public ::testing::Test {
 protected:
  void expect_refused(const std::string& bytes, const std::string& what) {
    const auto refused = test::refusal_of([&] { return decode_png("broken.png", bytes); });
    ASSERT_TRUE(refused) << what;
    EXPECT_EQ(refused->kind, ErrorKind::failure) << what;
    EXPECT_TRUE(refused->names("broken.png")) << refused->message;
  }
  PngParts parts_{.width = 7,
                  .height = 5,
                  .color = test::png_palette,
                  .palette = bytes_of({0, 0, 0, 9, 8, 7}),
                  .scanlines = std::string(40, '\0')};
};

TEST_F(BrokenPng, CutAtEveryByte) {
  const std::string whole = make_png(parts_);
  ASSERT_FALSE(test::refusal_of([&] { return decode_png("f", whole); }));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    expect_refused(whole.substr(0, length), std::to_string(length) + " bytes");
  }
}

// Every bit but those of the signature's and chunks' meaning is under a checksum: no flip may crash
// or pass unseen as other pixels.
TEST_F(BrokenPng, NoFlippedBitGivesOtherPixels) {
  parts_.scanlines = bytes_of({0, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1,
                               0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 0, 0, 0});
  const std::string whole = make_png(parts_);
  const Image good = decode_png("f", whole).image;
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    Image seen;
    const auto refused = test::refusal_of([&] { return seen = decode_png("f", flipped).image; });
    if (!refused) {
      EXPECT_EQ(seen.bytes, good.bytes) << "bit " << bit;
    }
  }
}

TEST_F(BrokenPng, RulesOfTheFormat) {
  PngParts parts = parts_;
  parts.palette.clear();
  expect_refused(make_png(parts), "a palette image without palette");
  parts = parts_;
  parts.scanlines[5] = 2;
  expect_refused(make_png(parts), "an index beyond the palette");
  parts = parts_;
  parts.scanlines.resize(20);
  expect_refused(make_png(parts), "pixels missing");
  parts = parts_;
  parts.scanlines[0] = 9;
  expect_refused(make_png(parts), "an unknown filter");
  parts = parts_;
  parts.depth = 16;
  expect_refused(make_png(parts), "a palette of 16 bits");
  parts = parts_;
  parts.depth = 3;
  expect_refused(make_png(parts), "3 bits");
  parts = parts_;
  parts.color = 5;
  expect_refused(make_png(parts), "an unknown colour type");
  parts = parts_;
  parts.interlace = 7;
  expect_refused(make_png(parts), "an unknown interlacing");
  parts = parts_;
  parts.palette = bytes_of({1, 2});
  expect_refused(make_png(parts), "a palette of two thirds of a colour");

  const std::string signature(test::png_signature);
  expect_refused(signature, "nothing but the signature");
  expect_refused(signature + test::png_chunk("IEND", ""), "no header");
  expect_refused(signature + test::png_header(parts_) + test::png_chunk("IEND", ""), "no data");
  expect_refused(signature + test::png_header(parts_) + test::big_endian(0x7fffffff) + "IDAT",
                 "a chunk of 2 GiB");
}

}  // namespace
}  // namespace medurwkv::data
