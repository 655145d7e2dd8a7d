// TIFF and GIF as libtiff and giflib write them and BMP field by field: every form gives the pixels
// that went in, at the size that the header says.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"
#include "data/image/image.h"
#include "support/bmp_by_hand.h"
#include "support/gif_files.h"
#include "support/paths.h"
#include "support/refusal.h"
#include "support/tiff_files.h"

namespace medurwkv::data {
namespace {

using test::BmpForm;
using test::TiffForm;

std::vector<int> samples(const Image& image) {
  return {image.bytes.begin(), image.bytes.end()};
}

std::string bytes_of(const std::vector<int>& values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

MaskPixels mask_of(const std::string& bytes) {
  const test::TemporaryFolder folder;
  const ImageSource source{folder.path() / "mask"};
  write_file(source.file, bytes);
  return read_mask(source);
}

/// 20 x 18 pixels of three samples, no two neighbours alike.
int sample_at(std::size_t x, std::size_t y, std::size_t c) {
  return static_cast<int>((7 * x + 31 * y + 90 * c) % 256);
}

std::vector<int> picture(std::size_t channels) {
  std::vector<int> out;
  for (std::size_t y = 0; y < 18; ++y) {
    for (std::size_t x = 0; x < 20; ++x) {
      for (std::size_t c = 0; c < channels; ++c) out.push_back(sample_at(x, y, c));
    }
  }
  return out;
}

/// Rows of that picture as a file has them.
std::vector<std::string> rows_of(std::size_t samples_per_pixel, bool apart, std::size_t bytes = 1) {
  std::vector<std::string> out;
  for (std::size_t plane = 0; plane < (apart ? samples_per_pixel : 1); ++plane) {
    for (std::size_t y = 0; y < 18; ++y) {
      std::string& row = out.emplace_back();
      for (std::size_t x = 0; x < 20; ++x) {
        for (std::size_t c = 0; c < (apart ? 1 : samples_per_pixel); ++c) {
          row.append(bytes, static_cast<char>(sample_at(x, y, apart ? plane : c)));
        }
      }
    }
  }
  return out;
}

TEST(Tiff, EveryWayOfStoringGivesThePicture) {
  for (const int compression :
       {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS}) {
    for (const int channels : {1, 3, 4}) {
      for (const bool apart : {false, true}) {
        for (const bool tiled : {false, true}) {
          const TiffForm form{.width = 20,
                              .height = 18,
                              .samples = static_cast<std::uint16_t>(channels),
                              .photometric = static_cast<std::uint16_t>(
                                  channels == 1 ? PHOTOMETRIC_MINISBLACK : PHOTOMETRIC_RGB),
                              .compression = static_cast<std::uint16_t>(compression),
                              .planar = static_cast<std::uint16_t>(apart ? PLANARCONFIG_SEPARATE
                                                                         : PLANARCONFIG_CONTIG),
                              .tiled = tiled,
                              .big_endian = apart,
                              .wide = tiled};
          const std::string bytes =
              tiff_bytes(form, rows_of(static_cast<std::size_t>(channels), apart));
          const Image image = decode_tiff("f", bytes).image;
          EXPECT_EQ(samples(image), picture(channels == 1 ? 1 : 3))
              << compression << " " << channels << " " << apart << " " << tiled;
          EXPECT_EQ(tiff_size("f", bytes), (ImageSize{20, 18}));
        }
      }
    }
  }
}

/// One row of two pixels; samples 1, 2, ... and 11, 12, ...
std::string two_pixels(TiffForm form, bool apart) {
  form.width = 2;
  form.planar = static_cast<std::uint16_t>(apart ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
  std::vector<std::string> rows(apart ? form.samples : 1);
  for (int pixel = 0; pixel < 2; ++pixel) {
    for (std::size_t c = 0; c < form.samples; ++c) {
      rows[apart ? c : 0] += static_cast<char>(10 * pixel + static_cast<int>(c) + 1);
    }
  }
  return tiff_bytes(form, rows);
}

// Every sample is a channel unless the file calls it alpha, or says nothing of a single one.
TEST(Tiff, ChannelsAndAlpha) {
  using Extra = std::vector<std::uint16_t>;
  struct Row {
    std::uint16_t photometric, samples;
    std::optional<Extra> extra;
    std::vector<int> seen;
  };
  constexpr std::uint16_t gray = PHOTOMETRIC_MINISBLACK;
  constexpr std::uint16_t rgb = PHOTOMETRIC_RGB;
  constexpr std::uint16_t data = EXTRASAMPLE_UNSPECIFIED;
  constexpr std::uint16_t alpha = EXTRASAMPLE_UNASSALPHA;
  constexpr std::uint16_t premultiplied = EXTRASAMPLE_ASSOCALPHA;
  const std::vector<Row> rows{{gray, 2, std::nullopt, {1, 11}},
                              {gray, 2, Extra{data}, {1, 2, 11, 12}},
                              {gray, 2, Extra{alpha}, {1, 11}},
                              {gray, 3, std::nullopt, {1, 2, 3, 11, 12, 13}},
                              {gray, 3, Extra{data, alpha}, {1, 2, 11, 12}},
                              {gray, 3, Extra{premultiplied, data}, {1, 3, 11, 13}},
                              {gray, 4, Extra{data, data, data}, {1, 2, 3, 4, 11, 12, 13, 14}},
                              {gray, 5, std::nullopt, {1, 2, 3, 4, 5, 11, 12, 13, 14, 15}},
                              {rgb, 4, std::nullopt, {1, 2, 3, 11, 12, 13}},
                              {rgb, 4, Extra{data}, {1, 2, 3, 4, 11, 12, 13, 14}},
                              {rgb, 4, Extra{premultiplied}, {1, 2, 3, 11, 12, 13}},
                              {rgb, 5, std::nullopt, {1, 2, 3, 4, 5, 11, 12, 13, 14, 15}},
                              {rgb, 5, Extra{alpha, data}, {1, 2, 3, 5, 11, 12, 13, 15}},
                              {rgb, 5, Extra{data, alpha}, {1, 2, 3, 4, 11, 12, 13, 14}}};
  for (const Row& row : rows) {
    for (const bool apart : {false, true}) {
      const TiffForm form{
          .samples = row.samples, .photometric = row.photometric, .extra = row.extra};
      const DecodedImage decoded = decode_tiff("f", two_pixels(form, apart));
      EXPECT_EQ(samples(decoded.image), row.seen) << row.samples << " " << apart;
      EXPECT_EQ(decoded.image.channels, static_cast<std::int64_t>(row.seen.size() / 2));
      EXPECT_EQ(decoded.alpha_varies, row.seen.size() / 2 < row.samples);
    }
  }
}

TEST(Tiff, ChannelsOfOtherTypes) {
  std::string row(2 * 5 * 4, '\0');
  const std::vector<float> values{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  std::memcpy(row.data(), values.data(), row.size());
  const TiffForm real{.width = 2, .bits = 32, .samples = 5, .format = SAMPLEFORMAT_IEEEFP};
  const Image image = decode_tiff("f", tiff_bytes(real, {row})).image;
  ASSERT_EQ(image.channels, 5);
  EXPECT_EQ(image.value(1, 0, 3), 8.0F);
  EXPECT_EQ(float_range(image), (std::pair{0.0F, 9.0F}));
}

TEST(Tiff, TooManyChannelsAreRefused) {
  const auto bytes = [](std::uint16_t count) {
    return test::tiff_bytes(TiffForm{.samples = count}, {std::string(count, '\1')});
  };
  EXPECT_EQ(decode_tiff("f", bytes(64)).image.channels, 64);
  const auto refused = test::refusal_of([&] { return decode_tiff("many.tif", bytes(65)); });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("many.tif: has 65 channels") && refused->names("64"))
      << refused->message;
  const TiffForm white{.samples = 3, .photometric = PHOTOMETRIC_MINISWHITE};
  EXPECT_TRUE(test::refusal_of([&] { return decode_tiff("f", tiff_bytes(white, {"abc"})); }));
}

TEST(Tiff, ValuesAreFinite) {
  const float bad = std::numeric_limits<float>::quiet_NaN();
  std::string row(4, '\0');
  std::memcpy(row.data(), &bad, row.size());
  const TiffForm real{.bits = 32, .format = SAMPLEFORMAT_IEEEFP};
  const auto refused =
      test::refusal_of([&] { return decode_tiff("a.tif", tiff_bytes(real, {row})); });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("a.tif") && refused->names("finite")) << refused->message;
}

TEST(Tiff, BitsAreSpreadAndWhiteMayBeZero) {
  const TiffForm one{.width = 10, .height = 1, .bits = 1};
  EXPECT_EQ(samples(decode_tiff("f", tiff_bytes(one, {bytes_of({0xa0, 0x40})})).image),
            (std::vector<int>{255, 0, 255, 0, 0, 0, 0, 0, 0, 255}));
  const TiffForm fax{.width = 10,
                     .height = 1,
                     .bits = 1,
                     .photometric = PHOTOMETRIC_MINISWHITE,
                     .compression = COMPRESSION_CCITTFAX4};
  EXPECT_EQ(samples(decode_tiff("f", tiff_bytes(fax, {bytes_of({0xa0, 0x40})})).image),
            (std::vector<int>{0, 255, 0, 255, 255, 255, 255, 255, 255, 0}));
  const TiffForm four{.width = 3, .height = 1, .bits = 4};
  EXPECT_EQ(samples(decode_tiff("f", tiff_bytes(four, {bytes_of({0x07, 0xf0})})).image),
            (std::vector<int>{0, 119, 255}));
}

TEST(Tiff, SixteenBitsAndFloats) {
  for (const bool big_endian : {false, true}) {
    const std::vector<std::uint16_t> wide{0, 0x3333, 0xffff};
    std::string row(6, '\0');
    std::memcpy(row.data(), wide.data(), row.size());
    const TiffForm form{.width = 3, .height = 1, .bits = 16, .big_endian = big_endian};
    const Image image = decode_tiff("f", tiff_bytes(form, {row})).image;
    ASSERT_EQ(image.type, SampleType::u16);
    EXPECT_FLOAT_EQ(image.value(1, 0, 0), 0.2F);
    EXPECT_FLOAT_EQ(image.value(2, 0, 0), 1);
  }
  const std::vector<float> values{-1000.5F, 0.25F};
  std::string row(8, '\0');
  std::memcpy(row.data(), values.data(), row.size());
  const TiffForm real{.width = 2, .height = 1, .bits = 32, .format = SAMPLEFORMAT_IEEEFP};
  const Image image = decode_tiff("f", tiff_bytes(real, {row})).image;
  ASSERT_EQ(image.type, SampleType::f32);
  EXPECT_EQ(image.value(0, 0, 0), -1000.5F);
  EXPECT_EQ(image.value(1, 0, 0), 0.25F);
  const std::vector<std::uint16_t> halves{0x3800, 0xc200};
  std::string half_row(4, '\0');
  std::memcpy(half_row.data(), halves.data(), half_row.size());
  const TiffForm half{.width = 2, .height = 1, .bits = 16, .format = SAMPLEFORMAT_IEEEFP};
  const Image halved = decode_tiff("f", tiff_bytes(half, {half_row})).image;
  EXPECT_EQ(halved.value(0, 0, 0), 0.5F);
  EXPECT_EQ(halved.value(1, 0, 0), -3.0F);
  const std::vector<std::int16_t> signs{-1024, 3071};
  std::string narrow(4, '\0');
  std::memcpy(narrow.data(), signs.data(), narrow.size());
  const TiffForm hounsfield{.width = 2, .height = 1, .bits = 16, .format = SAMPLEFORMAT_INT};
  EXPECT_EQ(decode_tiff("f", tiff_bytes(hounsfield, {narrow})).image.value(0, 0, 0), -1024.0F);
}

// Rows 1 2 / 3 4 stored; what each orientation shows, by the standard's words.
TEST(Tiff, Orientation) {
  const std::vector<std::vector<int>> seen{{1, 2, 3, 4}, {2, 1, 4, 3}, {4, 3, 2, 1}, {3, 4, 1, 2},
                                           {1, 3, 2, 4}, {3, 1, 4, 2}, {4, 2, 3, 1}, {2, 4, 1, 3}};
  for (std::uint16_t orientation = 1; orientation <= 8; ++orientation) {
    const TiffForm form{.width = 2, .height = 2, .orientation = orientation};
    const std::string bytes = tiff_bytes(form, {bytes_of({1, 2}), bytes_of({3, 4})});
    EXPECT_EQ(samples(decode_tiff("f", bytes).image), seen[orientation - 1U]) << orientation;
  }
  const TiffForm turned{.width = 3, .height = 1, .orientation = 6};
  EXPECT_EQ(tiff_size("f", tiff_bytes(turned, {bytes_of({1, 2, 3})})), (ImageSize{1, 3}));
}

TEST(Tiff, PaletteKeepsItsIndices) {
  TiffForm form{.width = 4, .height = 1, .bits = 2, .photometric = PHOTOMETRIC_PALETTE};
  form.palette = {0, 0xffff, 0, 0, 0, 0, 0x8080, 0, 0, 0, 0, 0x4040};
  const DecodedImage decoded = decode_tiff("f", tiff_bytes(form, {bytes_of({0x1b})}));
  EXPECT_EQ(decoded.indices, (std::vector<std::uint8_t>{0, 1, 2, 3}));
  EXPECT_EQ(samples(decoded.image), (std::vector<int>{0, 0, 0, 255, 0, 0, 0, 128, 0, 0, 0, 64}));
  EXPECT_EQ(mask_of(tiff_bytes(form, {bytes_of({0x1b})})).values,
            (std::vector<std::uint8_t>{0, 1, 2, 3}));
}

TEST(Tiff, JpegInside) {
  const TiffForm form{.width = 16,
                      .height = 16,
                      .samples = 3,
                      .photometric = PHOTOMETRIC_YCBCR,
                      .compression = COMPRESSION_JPEG,
                      .tiled = true};
  const std::vector<std::string> rows(16, bytes_of(std::vector<int>(48, 200)));
  const Image image = decode_tiff("f", tiff_bytes(form, rows)).image;
  ASSERT_EQ(image.channels, 3);
  for (const int value : samples(image)) EXPECT_NEAR(value, 200, 3);
}

TEST(Tiff, OnePictureAFile) {
  const TiffForm form{.width = 2, .height = 1};
  const std::vector<std::string> rows{bytes_of({5, 6})};
  const auto refused = test::refusal_of([&] {
    return decode_tiff("stack.tif", test::tiff_bytes({{form, rows}, {form, rows}}));
  });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("stack.tif") && refused->names("2 pictures")) << refused->message;
  TiffForm reduced{.width = 1, .height = 1, .kind = FILETYPE_REDUCEDIMAGE};
  const std::string pyramid = test::tiff_bytes({{form, rows}, {reduced, {bytes_of({5})}}});
  EXPECT_EQ(samples(decode_tiff("f", pyramid).image), (std::vector<int>{5, 6}));
}

const std::vector<GifColorType> colors{{0, 0, 0}, {255, 0, 0}, {0, 255, 0}, {9, 9, 9}};

TEST(Gif, IndicesAndColours) {
  for (const bool interlaced : {false, true}) {
    std::string indices;
    for (int i = 0; i < 11 * 13; ++i) indices += static_cast<char>((i * i / 3) % 4);
    const std::string bytes = test::gif_bytes(
        {.width = 11,
         .height = 13,
         .palette = colors,
         .frames = {{.width = 11, .height = 13, .interlaced = interlaced, .indices = indices}},
         .comment = "made by a test"});
    EXPECT_EQ(gif_size("f", bytes), (ImageSize{11, 13}));
    const DecodedImage decoded = decode_gif("f", bytes);
    EXPECT_EQ(std::string(decoded.indices.begin(), decoded.indices.end()), indices);
    EXPECT_EQ(mask_of(bytes).values.size(), 143U);
  }
}

// DRIVE's masks: a palette of grays.
TEST(Gif, AGrayPaletteMeansItsGrays) {
  const std::string bytes =
      test::gif_bytes({.width = 3,
                       .height = 1,
                       .palette = {{0, 0, 0}, {255, 255, 255}},
                       .frames = {{.width = 3, .height = 1, .indices = bytes_of({0, 1, 0})}}});
  EXPECT_EQ(mask_of(bytes).values, (std::vector<std::uint8_t>{0, 255, 0}));
}

TEST(Gif, APictureSmallerThanItsScreen) {
  const std::string bytes = test::gif_bytes(
      {.width = 3,
       .height = 2,
       .background = 3,
       .palette = colors,
       .frames = {{.left = 1, .top = 1, .width = 2, .height = 1, .indices = bytes_of({1, 2})}}});
  EXPECT_EQ(decode_gif("f", bytes).indices, (std::vector<std::uint8_t>{3, 3, 3, 3, 1, 2}));
}

TEST(Gif, AnAnimationIsRefused) {
  const test::GifFrame frame{.width = 1, .height = 1, .indices = bytes_of({0})};
  const std::string bytes =
      test::gif_bytes({.width = 1, .height = 1, .palette = colors, .frames = {frame, frame}});
  const auto refused = test::refusal_of([&] { return decode_gif("film.gif", bytes); });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("film.gif") && refused->names("animation")) << refused->message;
}

TEST(Bmp, PalettesOfOneFourAndEightBits) {
  // 3 x 2: rows are filled up to four bytes, the lower one comes first.
  const BmpForm one{.width = 3,
                    .height = 2,
                    .bits = 1,
                    .palette = {0, 0xffffff},
                    .pixels = bytes_of({0xa0, 0, 0, 0, 0x40, 0, 0, 0})};
  EXPECT_EQ(mask_of(make_bmp(one)).values, (std::vector<std::uint8_t>{0, 255, 0, 255, 0, 255}));
  const BmpForm four{.width = 3,
                     .height = 1,
                     .bits = 4,
                     .palette = {0, 0xff0000, 0x00ff00},
                     .pixels = bytes_of({0x01, 0x20, 0, 0})};
  const DecodedImage decoded = decode_bmp("f", make_bmp(four));
  EXPECT_EQ(decoded.indices, (std::vector<std::uint8_t>{0, 1, 2}));
  EXPECT_EQ(samples(decoded.image), (std::vector<int>{0, 0, 0, 255, 0, 0, 0, 255, 0}));
  std::vector<std::uint32_t> ramp;
  for (std::uint32_t i = 0; i < 256; ++i) ramp.push_back(i * 0x010101);
  const BmpForm eight{.width = 2,
                      .height = -2,
                      .bits = 8,
                      .palette = ramp,
                      .pixels = bytes_of({0, 7, 0, 0, 3, 1, 0, 0})};
  EXPECT_EQ(mask_of(make_bmp(eight)).values, (std::vector<std::uint8_t>{0, 7, 3, 1}))
      << "numbered glands, rows from the top";
}

TEST(Bmp, Colours) {
  const BmpForm rgb{.width = 1, .height = 2, .pixels = bytes_of({1, 2, 3, 0, 4, 5, 6, 0})};
  EXPECT_EQ(samples(decode_bmp("f", make_bmp(rgb)).image), (std::vector<int>{6, 5, 4, 3, 2, 1}));
  const BmpForm old{.width = 1, .height = 1, .header = 12, .pixels = bytes_of({1, 2, 3, 0})};
  EXPECT_EQ(samples(decode_bmp("f", make_bmp(old)).image), (std::vector<int>{3, 2, 1}));
  const BmpForm wide{.width = 1, .height = 1, .bits = 32, .pixels = bytes_of({1, 2, 3, 255})};
  EXPECT_EQ(samples(decode_bmp("f", make_bmp(wide)).image), (std::vector<int>{3, 2, 1}));
  const BmpForm small{.width = 2,
                      .height = 1,
                      .bits = 16,
                      .pixels = test::bmp_number(0x7c00, 2) + test::bmp_number(0x001f, 2)};
  EXPECT_EQ(samples(decode_bmp("f", make_bmp(small)).image),
            (std::vector<int>{255, 0, 0, 0, 0, 255}));
  const BmpForm fields{.width = 1,
                       .height = 1,
                       .bits = 32,
                       .coding = 3,
                       .header = 40,
                       .masks = {0x000000ff, 0x0000ff00, 0x00ff0000},
                       .pixels = bytes_of({9, 8, 7, 0})};
  EXPECT_EQ(samples(decode_bmp("f", make_bmp(fields)).image), (std::vector<int>{9, 8, 7}));
}

// Run 3 x 5; end of line; literal 1 2 3 with its filler; end. The lower row comes first.
TEST(Bmp, RunLengths) {
  std::vector<std::uint32_t> ramp;
  for (std::uint32_t i = 0; i < 16; ++i) ramp.push_back(i * 0x101010);
  BmpForm form{.width = 3,
               .height = 2,
               .bits = 8,
               .coding = 1,
               .palette = ramp,
               .pixels = bytes_of({3, 5, 0, 0, 0, 3, 1, 2, 3, 0, 0, 1})};
  EXPECT_EQ(decode_bmp("f", make_bmp(form)).indices, (std::vector<std::uint8_t>{1, 2, 3, 5, 5, 5}));
  // A delta of (1, 1), then one pixel; all else stays 0.
  form.pixels = bytes_of({0, 2, 1, 1, 1, 9, 0, 1});
  EXPECT_EQ(decode_bmp("f", make_bmp(form)).indices, (std::vector<std::uint8_t>{0, 9, 0, 0, 0, 0}));
  // Four bits: a run alternates its two values.
  form.bits = 4;
  form.coding = 2;
  form.pixels = bytes_of({3, 0x5a, 0, 0, 0, 3, 0x12, 0x30, 0, 1});
  EXPECT_EQ(decode_bmp("f", make_bmp(form)).indices,
            (std::vector<std::uint8_t>{1, 2, 3, 5, 10, 5}));
}

}  // namespace
}  // namespace medurwkv::data
