// Images as other programs write them, made here with libpng, whole and broken. JPEG has a
// file of its own.
#include "data/image/image.h"

#include <gtest/gtest.h>

#include <png.h>
#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"
#include "support/images.h"
#include "support/jpeg_files.h"
#include "support/paths.h"

namespace medurwkv::data {
namespace {

void append_png(png_structp png, png_bytep bytes, std::size_t count) {
  static_cast<std::string*>(png_get_io_ptr(png))->append(reinterpret_cast<char*>(bytes), count);
}

struct PngForm {
  int color = PNG_COLOR_TYPE_GRAY;
  int bits = 8;
  int interlace = PNG_INTERLACE_NONE;
  std::vector<png_color> palette;
};

/// `rows` are packed as the format wants them.
std::string png_bytes(const PngForm& form, png_uint_32 width,
                      std::vector<std::vector<unsigned char>> rows) {
  std::string out;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &out, append_png, nullptr);
  png_set_IHDR(png, info, width, static_cast<png_uint_32>(rows.size()), form.bits, form.color,
               form.interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!form.palette.empty()) {
    png_set_PLTE(png, info, form.palette.data(), static_cast<int>(form.palette.size()));
  }
  png_write_info(png, info);
  std::vector<png_bytep> pointers;
  for (auto& row : rows) pointers.push_back(row.data());
  png_write_image(png, pointers.data());
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return out;
}

std::vector<int> samples(const Image& image) {
  return {image.bytes.begin(), image.bytes.end()};
}

TEST(Png, EveryDepthOfGray) {
  // 1 bit: 10; 2 bits: 0 and 3; 4 bits: 15 and 1.
  EXPECT_EQ(samples(decode_png("f", png_bytes({.bits = 1, .palette = {}}, 2, {{0x80}})).image),
            (std::vector<int>{255, 0}));
  EXPECT_EQ(samples(decode_png("f", png_bytes({.bits = 2, .palette = {}}, 2, {{0x30}})).image),
            (std::vector<int>{0, 255}));
  EXPECT_EQ(samples(decode_png("f", png_bytes({.bits = 4, .palette = {}}, 2, {{0xf1}})).image),
            (std::vector<int>{255, 17}));
  const Image deep =
      decode_png("f", png_bytes({.bits = 16, .palette = {}}, 2, {{0xff, 0xff, 0x00, 0x80}})).image;
  EXPECT_EQ(deep.type, SampleType::u16);
  EXPECT_NEAR(deep.value(0, 0, 0), 1, 1e-6);
  EXPECT_NEAR(deep.value(1, 0, 0), 128 / 65535.0, 1e-6);
}

TEST(Png, AlphaIsDroppedAndInterlacingUndone) {
  const Image rgba = decode_png("f", png_bytes({.color = PNG_COLOR_TYPE_RGBA, .palette = {}}, 1,
                                               {{10, 20, 30, 0}}))
                         .image;
  EXPECT_EQ(samples(rgba), (std::vector<int>{10, 20, 30}));
  const Image gray_alpha =
      decode_png("f", png_bytes({.color = PNG_COLOR_TYPE_GRAY_ALPHA, .palette = {}}, 1, {{77, 3}}))
          .image;
  EXPECT_EQ(samples(gray_alpha), (std::vector<int>{77}));
  const std::vector<std::vector<unsigned char>> rows{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}};
  const Image interlaced =
      decode_png("f", png_bytes({.interlace = PNG_INTERLACE_ADAM7, .palette = {}}, 3, rows)).image;
  EXPECT_EQ(samples(interlaced), (std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(Png, PaletteGivesColoursAndIndices) {
  const PngForm form{.color = PNG_COLOR_TYPE_PALETTE,
                     .palette = {{0, 0, 0}, {255, 0, 0}, {0, 255, 0}}};
  const std::string bytes = png_bytes(form, 3, {{2, 0, 1}});
  const DecodedImage decoded = decode_png("f", bytes);
  EXPECT_EQ(decoded.indices, (std::vector<std::uint8_t>{2, 0, 1}));
  EXPECT_EQ(samples(decoded.image), (std::vector<int>{0, 255, 0, 0, 0, 0, 255, 0, 0}));
  EXPECT_EQ(decoded.palette.size(), 3U);
}

TEST(Png, WhatWeWriteReadsBack) {
  const LabelMap labels = test::make_labels(5, 3, [](auto x, auto y) { return (x + y) % 3; });
  const std::string bytes =
      encode_png(labels, {{"background", {0, 0, 0}}, {"a", {255, 0, 0}}, {"b", {0, 0, 255}}});
  EXPECT_EQ(decode_png("f", bytes).indices, labels.labels);
  const Image color =
      test::make_image(4, 2, 3, [](auto x, auto y, auto c) { return 9 * x + 50 * y + c; });
  for (const Packing packing : {Packing::small, Packing::fast}) {
    EXPECT_EQ(samples(decode_png("f", encode_png(color, packing)).image), samples(color));
  }
}

/// Left half dark, right half bright; upper quarter bright everywhere: no symmetry.
Image pattern() {
  return test::make_image(32, 16, 1,
                          [](auto x, auto y, auto) { return y < 4 || x >= 16 ? 220 : 30; });
}

TEST(Images, AreTakenByContentNotByName) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "really.png";
  write_file(path, test::jpeg_bytes(pattern()));
  EXPECT_EQ(read_image(path).width, 32);
  EXPECT_EQ(read_image_size(path), (ImageSize{32, 16}));
}

TEST(Images, BrokenOnesAreRefusedByName) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "broken.png";
  const std::string png = encode_png(pattern());
  const std::string jpeg = test::jpeg_bytes(pattern());
  std::vector<std::string> broken{"", "hello", "GIF89a", std::string(100, '\0'),
                                  "version https://git-lfs.github.com/spec/v1\noid sha256:1\n"};
  for (std::size_t length = 1; length < png.size(); length += 3) {
    broken.push_back(png.substr(0, length));
  }
  for (std::size_t length = 3; length < 200; length += 7) broken.push_back(jpeg.substr(0, length));
  std::string flipped = png;
  flipped[png.size() / 2] = static_cast<char>(flipped[png.size() / 2] ^ 0x55);
  broken.push_back(flipped);
  for (const std::string& bytes : broken) {
    write_file(path, bytes);
    try {
      read_image(path);
      ADD_FAILURE() << bytes.size() << " bytes were read as an image";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::failure) << error.what();
      EXPECT_NE(std::string(error.what()).find("broken.png"), std::string::npos) << error.what();
    }
  }
}

// A header that claims 2^31 - 1 pixels a side is refused before memory is asked for.
TEST(Images, HugeOnesAreRefusedBeforeAllocating) {
  std::string bytes = encode_png(pattern());
  for (std::size_t i = 16; i < 24; ++i) bytes[i] = i % 4 == 0 ? '\x7f' : '\xff';
  // The header's checksum, or libpng stops at that.
  const uLong crc = crc32(0, reinterpret_cast<const Bytef*>(bytes.data()) + 12, 17);
  for (unsigned i = 0; i < 4; ++i) bytes[29 + i] = static_cast<char>((crc >> (24 - 8 * i)) & 0xffU);
  try {
    decode_png("huge.png", bytes);
    FAIL() << "it was read";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("2147483647"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace medurwkv::data
