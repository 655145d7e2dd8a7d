// Images by rows: whatever the format and however many rows are asked for, the pixels are those of
// the whole image. Forms of PNG and TIFF that can be streamed, those that cannot, and broken files.
#include "data/codecs/image_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/npy.h"
#include "core/random.h"
#include "data/codecs/codecs.h"
#include "data/codecs/png_writer.h"
#include "data/codecs/read.h"
#include "data/image/image.h"
#include "data/layout/dataset.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/png_by_hand.h"
#include "support/tiff_files.h"

namespace medurwkv::data {
namespace {

using test::TiffForm;

/// Rows of `source` put together, `at_once` at a time.
Image by_rows(const ImageSource& source, std::int64_t at_once) {
  const auto rows = open_rows(source);
  const ImageForm form = rows->form();
  Image out{form.width, 0, form.channels, form.type, {}};
  while (out.height < form.height) {
    const Image band = rows->next(at_once);
    EXPECT_EQ(form_of(band).row_bytes(), form.row_bytes());
    EXPECT_EQ(band.height, std::min(at_once, form.height - out.height));
    EXPECT_EQ(std::ssize(band.bytes), band.height * form.row_bytes());
    out.height += band.height;
    out.bytes.insert(out.bytes.end(), band.bytes.begin(), band.bytes.end());
  }
  return out;
}

void expect_same_pixels(const std::filesystem::path& file) {
  const Image whole = read_image(file);
  for (const std::int64_t at_once : {1, 3, 7, 1000}) {
    const Image rows = by_rows({file}, at_once);
    EXPECT_EQ(rows.width, whole.width) << at_once;
    EXPECT_EQ(rows.height, whole.height) << at_once;
    EXPECT_EQ(rows.channels, whole.channels) << at_once;
    EXPECT_EQ(rows.type, whole.type) << at_once;
    EXPECT_EQ(rows.bytes, whole.bytes) << at_once;
  }
}

/// Whether the file is read by rows and not decoded first.
bool is_streamed(const std::filesystem::path& file) {
  const auto png = [&] { return png_rows("f", FileBytes(file)) != nullptr; };
  const auto tiff = [&] { return tiff_rows("f", FileBytes(file)) != nullptr; };
  return known_kind(read_start(file, 16)) == FileKind::png ? png() : tiff();
}

class Rows : public testing::Test {
 protected:
  std::filesystem::path written(const std::string& bytes) {
    write_file(folder_.path() / "image", bytes);
    return folder_.path() / "image";
  }

 private:
  test::TemporaryFolder folder_;
};

std::string noise(std::size_t count, std::uint64_t seed) {
  const Random random(seed, "rows");
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += static_cast<char>(random.bits(i) & 0xff);
  return out;
}

/// Rows of packed noise, each behind its filter byte 0.
std::string scanlines(std::uint32_t width, std::uint32_t height, std::size_t bits) {
  const std::size_t row = (width * bits + 7) / 8;
  std::string out;
  for (std::uint32_t y = 0; y < height; ++y) out += '\0' + noise(row, y);
  return out;
}

TEST_F(Rows, EveryFormOfPng) {
  struct Form {
    std::uint8_t color;
    std::size_t samples;
    std::vector<std::uint8_t> depths;
  };
  for (const Form& form :
       {Form{test::png_gray, 1, {1, 2, 4, 8, 16}}, Form{test::png_rgb, 3, {8, 16}},
        Form{test::png_gray_alpha, 2, {8, 16}}, Form{test::png_rgba, 4, {8, 16}},
        Form{test::png_palette, 1, {1, 2, 4, 8}}}) {
    for (const std::uint8_t depth : form.depths) {
      SCOPED_TRACE(testing::Message() << "colour " << int{form.color} << " depth " << int{depth});
      const auto file = written(test::make_png(
          {.width = 19,
           .height = 11,
           .depth = depth,
           .color = form.color,
           .palette = form.color == test::png_palette ? noise(3U << depth, 99) : std::string(),
           .scanlines = scanlines(19, 11, form.samples * depth)}));
      EXPECT_TRUE(is_streamed(file));
      expect_same_pixels(file);
    }
  }
}

// Seven passes lie one behind the other in the file: only the whole gives a row.
TEST_F(Rows, AnInterlacedPngIsDecodedFirst) {
  std::string passes;
  for (const auto& [width, height] :
       {std::pair{1U, 1U}, {1U, 1U}, {2U, 1U}, {2U, 2U}, {4U, 2U}, {4U, 4U}, {8U, 4U}}) {
    passes += scanlines(width, height, 8);
  }
  const auto file =
      written(test::make_png({.width = 8, .height = 8, .interlace = 1, .scanlines = passes}));
  EXPECT_FALSE(is_streamed(file));
  expect_same_pixels(file);
}

void for_each_tiff(
    const std::function<void(const TiffForm&, const std::vector<std::string>&)>& call) {
  for (const bool tiled : {false, true}) {
    for (const bool apart : {false, true}) {
      for (std::uint16_t samples = 1; samples <= 5; ++samples) {
        for (const int compression :
             {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE}) {
          for (const std::uint16_t bits : {std::uint16_t{8}, std::uint16_t{16}}) {
            const TiffForm form{.width = 37,
                                .height = 21,
                                .bits = bits,
                                .samples = samples,
                                .photometric = static_cast<std::uint16_t>(
                                    samples >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK),
                                .compression = static_cast<std::uint16_t>(compression),
                                .planar = static_cast<std::uint16_t>(apart ? PLANARCONFIG_SEPARATE
                                                                           : PLANARCONFIG_CONTIG),
                                .tiled = tiled};
            std::vector<std::string> rows;
            for (std::size_t i = 0; i < 21U * (apart ? samples : 1U); ++i) {
              rows.push_back(noise(37U * bits / 8 * (apart ? 1U : samples), i));
            }
            call(form, rows);
          }
        }
      }
    }
  }
}

TEST_F(Rows, EveryFormOfTiff) {
  int forms = 0;
  for_each_tiff([&](const TiffForm& form, const std::vector<std::string>& rows) {
    SCOPED_TRACE(testing::Message()
                 << form.samples << " samples of " << form.bits << " bits, planar " << form.planar
                 << ", compression " << form.compression << (form.tiled ? ", tiled" : ""));
    const auto file = written(test::tiff_bytes(form, rows));
    EXPECT_TRUE(is_streamed(file));
    expect_same_pixels(file);
    ++forms;
  });
  EXPECT_EQ(forms, 120);
}

TEST_F(Rows, TiffOfOtherSamples) {
  const auto check = [&](TiffForm form, std::size_t row_bytes) {
    form.width = 37;
    form.height = 21;
    std::vector<std::string> rows;
    for (std::size_t i = 0; i < 21; ++i) rows.push_back(noise(row_bytes, i));
    SCOPED_TRACE(testing::Message() << form.bits << " bits, photometric " << form.photometric);
    const auto file = written(test::tiff_bytes(form, rows));
    EXPECT_TRUE(is_streamed(file));
    expect_same_pixels(file);
  };
  for (const std::uint16_t bits : {std::uint16_t{1}, std::uint16_t{2}, std::uint16_t{4}}) {
    check({.bits = bits}, (37U * bits + 7) / 8);
  }
  check({.bits = 8, .photometric = PHOTOMETRIC_MINISWHITE}, 37);
  check({.bits = 32, .format = SAMPLEFORMAT_INT}, 37 * 4);
  check({.bits = 16, .format = SAMPLEFORMAT_INT, .compression = COMPRESSION_LZW}, 37 * 2);
  std::vector<std::uint16_t> palette(3U << 8);
  for (std::size_t i = 0; i < palette.size(); ++i) {
    palette[i] = static_cast<std::uint16_t>(257 * (i * 37 % 256));
  }
  check({.bits = 8, .photometric = PHOTOMETRIC_PALETTE, .palette = palette}, 37);
  check({.bits = 8, .photometric = PHOTOMETRIC_PALETTE, .tiled = true, .palette = palette}, 37);
}

// Whole-slide pictures are tiles of JPEG: libtiff turns them into RGB tile by tile.
TEST_F(Rows, TiffWithJpegInside) {
  for (const bool tiled : {false, true}) {
    TiffForm form{.width = 48,
                  .height = 32,
                  .samples = 3,
                  .photometric = PHOTOMETRIC_YCBCR,
                  .compression = COMPRESSION_JPEG,
                  .tiled = tiled,
                  .strip = 16};
    std::vector<std::string> rows;
    for (std::size_t y = 0; y < 32; ++y) {
      std::string& row = rows.emplace_back();
      for (std::size_t i = 0; i < 48U * 3; ++i) row += static_cast<char>(128 + i / 4 + y);
    }
    const auto file = written(test::tiff_bytes(form, rows));
    EXPECT_TRUE(is_streamed(file));
    expect_same_pixels(file);
  }
}

TEST_F(Rows, ATurnedTiffIsDecodedFirst) {
  const auto file =
      written(test::tiff_bytes({.width = 5, .height = 3, .orientation = ORIENTATION_RIGHTTOP},
                               {noise(5, 1), noise(5, 2), noise(5, 3)}));
  EXPECT_FALSE(is_streamed(file));
  expect_same_pixels(file);
}

TEST_F(Rows, OtherFormatsAreDecodedFirst) {
  expect_same_pixels(test::source_folder() / "data/demo/images/ISIC_0000081.jpg");
  expect_same_pixels(written("P6 2 3 255 " + noise(18, 1)));
  std::string values = npy_header(NpyType::u8, {5, 7, 3}) + noise(105, 2);
  expect_same_pixels(written(values));
}

// Channels of a case, a file each, are stacked as for the whole image.
TEST_F(Rows, SeveralFilesOfACase) {
  const test::TemporaryFolder folder;
  Case item;
  for (int c = 0; c < 3; ++c) {
    const auto file = folder.path() / std::to_string(c);
    write_file(file, encode_png(test::make_blobs(static_cast<std::uint64_t>(c), 23, 17, 1)));
    item.images.push_back({file});
  }
  const Image whole = read_image(item);
  const auto rows = open_rows(item);
  ASSERT_EQ(rows->form().channels, 3);
  std::vector<unsigned char> bytes;
  for (std::int64_t y = 0; y < 17; y += 5) {
    const Image band = rows->next(5);
    bytes.insert(bytes.end(), band.bytes.begin(), band.bytes.end());
  }
  EXPECT_EQ(bytes, whole.bytes);
  write_file(folder.path() / "1", encode_png(test::make_blobs(9, 23, 18, 1)));
  EXPECT_THROW(open_rows(item), Error);
}

/// Reads all rows; the message of the Error that ends it.
std::string failure_of(const std::filesystem::path& file) {
  try {
    by_rows({file}, 4);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// What the whole image refuses is refused by rows, too, with the file's name.
TEST_F(Rows, BrokenFilesAreRefused) {
  const std::string png = test::make_png(
      {.width = 40, .height = 30, .color = test::png_rgb, .scanlines = scanlines(40, 30, 24)});
  const std::string tiff =
      test::tiff_bytes({.width = 40, .height = 30, .compression = COMPRESSION_LZW, .tiled = true},
                       std::vector<std::string>(30, noise(40, 5)));
  for (const std::string& bytes : {png, tiff}) {
    for (std::size_t size = 9; size < bytes.size(); size += 1 + bytes.size() / 150) {
      const auto file = written(bytes.substr(0, size));
      bool whole = true;
      try {
        read_image(file);
      } catch (const Error&) {
        whole = false;
      }
      const std::string failure = failure_of(file);
      EXPECT_EQ(whole, failure.empty()) << size;
      EXPECT_TRUE(whole || failure.find(file.string()) != std::string::npos) << failure;
    }
  }
  EXPECT_FALSE(failure_of(written(test::make_png({.width = 1U << 21,
                                                  .height = 8,
                                                  .depth = 1,
                                                  .scanlines = scanlines(1U << 21, 8, 1)})))
                   .empty())
      << "a side that is too long";
  std::string claims = test::make_png({.width = 1U << 20, .height = 1U << 20, .scanlines = "x"});
  EXPECT_NE(failure_of(written(claims)).find("more than a file of its size can hold"),
            std::string::npos);
}

// 40 000 x 30 000 pixels are more than are decoded as a whole; by rows they are read.
TEST_F(Rows, AnImageLargerThanMayBeDecodedWhole) {
  const std::uint32_t width = 40'000;
  const std::uint32_t height = 30'000;
  std::string rows(static_cast<std::size_t>(height) * (1 + width / 8), '\0');
  const auto file =
      written(test::make_png({.width = width, .height = height, .depth = 1, .scanlines = rows}));
  EXPECT_THROW(read_image(file), Error);
  const auto opened = open_rows(ImageSource{file});
  EXPECT_EQ(opened->form().size(), (ImageSize{width, height}));
  EXPECT_LT(opened->memory(8), 2'000'000);
  EXPECT_EQ(opened->next(8).bytes, std::vector<unsigned char>(8U * width, 0));
}

// Row by row the writer gives the same file, for every kind of picture that is written.
TEST(PngWriter, RowsGiveTheFileOfTheWhole) {
  const auto by_row = [](const PngForm& form, const std::vector<unsigned char>& samples) {
    std::string out;
    PngWriter writer(form, [&](std::string_view bytes) { out += bytes; });
    const std::size_t row = samples.size() / static_cast<std::size_t>(form.size.height);
    for (std::size_t at = 0; at < samples.size(); at += row) writer.row({&samples[at], row});
    EXPECT_THROW(writer.row({samples.data(), row}), Error) << "one row too many";
    return out;
  };
  for (const std::int64_t channels : {1, 3}) {
    Image image = test::make_blobs(3, 31, 24, channels);
    EXPECT_EQ(by_row({.size = {31, 24}, .channels = channels}, image.bytes), encode_png(image));
    EXPECT_EQ(
        by_row({.size = {31, 24}, .channels = channels, .packing = Packing::fast}, image.bytes),
        encode_png(image, Packing::fast));
  }
  Image wide{10, 8, 1, SampleType::u16, {}};
  for (int i = 0; i < 160; ++i) wide.bytes.push_back(static_cast<unsigned char>(7 * i));
  EXPECT_EQ(by_row({.size = {10, 8}, .wide = true}, wide.bytes), encode_png(wide));
  const LabelMap labels = test::make_labels(9, 5, [](auto x, auto y) { return int(x + y) % 3; });
  const std::vector<ClassInfo> classes{{"a", {1, 2, 3}}, {"b", {4, 5, 6}}, {"c", {7, 8, 9}}};
  EXPECT_EQ(by_row({.size = {9, 5}, .labels = &classes}, labels.labels),
            encode_png(labels, classes));
}

}  // namespace
}  // namespace medurwkv::data
