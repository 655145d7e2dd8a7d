// What a mask's pixels are before they mean anything: gray values or colours, and what is refused
// by name because its shape would be lost: alpha, other numbers of channels.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/model_description.h"
#include "core/npy.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"
#include "data/layout/encoding.h"
#include "support/bmp_by_hand.h"
#include "support/images.h"
#include "support/jpeg2000_files.h"
#include "support/jpeg_files.h"
#include "support/paths.h"
#include "support/png_by_hand.h"
#include "support/refusal.h"
#include "support/tiff_files.h"
#include "support/webp_files.h"

namespace medurwkv::data {
namespace {

using namespace std::string_literals;
using test::bytes_of;
using test::make_png;
using test::PngParts;
using test::TiffForm;

class MaskForms : public ::testing::Test {
 protected:
  MaskPixels mask_of(const std::string& bytes) const {
    write_file(source_.file, bytes);
    return read_mask(source_);
  }
  Image image_of(const std::string& bytes) const {
    write_file(source_.file, bytes);
    return read_image(source_);
  }
  std::string refusal(const std::string& bytes) const {
    const auto refused = test::refusal_of([&] { return mask_of(bytes); });
    EXPECT_TRUE(refused);
    EXPECT_TRUE(refused && refused->names("mask.file"));
    return refused ? refused->message : "";
  }
  test::TemporaryFolder folder_;
  ImageSource source_{folder_.path() / "mask.file"};
};

PngParts rgb(const std::vector<int>& samples) {
  std::vector<int> line{0};
  line.insert(line.end(), samples.begin(), samples.end());
  std::string bytes;
  for (const int sample : line) bytes += static_cast<char>(sample);
  return {.width = static_cast<std::uint32_t>(samples.size() / 3),
          .height = 1,
          .color = test::png_rgb,
          .scanlines = bytes};
}

// A difference of 1 between channels means something, but in a JPEG.
TEST_F(MaskForms, ChannelsThatDifferAreColours) {
  EXPECT_EQ(mask_of(make_png(rgb({0, 0, 0, 255, 255, 255}))).values.size(), 2U);
  for (const std::vector<int>& other : {std::vector<int>{0, 0, 1}, {1, 0, 0}, {0, 16, 0}}) {
    std::vector<int> samples{0, 0, 0};
    samples.insert(samples.end(), other.begin(), other.end());
    const MaskPixels mask = mask_of(make_png(rgb(samples)));
    EXPECT_TRUE(mask.values.empty());
    EXPECT_EQ(std::vector<int>(mask.colors.begin(), mask.colors.end()), samples);
  }
}

// Classes 1, 2, 3 as 1 in the first, second and third channel.
TEST_F(MaskForms, OneHotInThreeChannelsArrivesAsColours) {
  const std::vector<int> samples{0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1};
  const MaskPixels png = mask_of(make_png(rgb(samples)));
  EXPECT_EQ(std::vector<int>(png.colors.begin(), png.colors.end()), samples);
  std::string elements;
  for (const int sample : samples) elements += static_cast<char>(sample);
  const MaskPixels array = mask_of(npy_header(NpyType::boolean, {1, 4, 3}) + elements);
  EXPECT_EQ(std::vector<int>(array.colors.begin(), array.colors.end()), samples);
}

TEST_F(MaskForms, AJpegIsGrayWithinItsTolerance) {
  const Image nearly =
      test::make_image(16, 16, 3, [](auto, auto, auto c) { return c == 0 ? 206 : 200; });
  const MaskPixels mask = mask_of(test::jpeg_bytes(nearly));
  EXPECT_EQ(mask.values.size(), 256U);
  EXPECT_TRUE(mask.lossy);
  const TiffForm form{.width = 16,
                      .height = 16,
                      .samples = 3,
                      .photometric = PHOTOMETRIC_YCBCR,
                      .compression = COMPRESSION_JPEG,
                      .tiled = true};
  std::string row;
  for (int i = 0; i < 16; ++i) row += "\xce\xc8\xc8";
  EXPECT_EQ(mask_of(tiff_bytes(form, std::vector<std::string>(16, row))).values.size(), 256U)
      << "JPEG inside TIFF";
}

/// Cut-outs of two pixels in every format: one colour, alpha 0 and 255.
std::vector<std::pair<std::string, std::string>> cut_outs() {
  const auto png = [](std::uint8_t color, const std::string& scanlines, const std::string& palette,
                      const std::string& transparency) {
    return make_png({.width = 2,
                     .height = 1,
                     .color = color,
                     .palette = palette,
                     .transparency = transparency,
                     .scanlines = scanlines});
  };
  const PngParts deep{.width = 2,
                      .height = 1,
                      .depth = 16,
                      .color = test::png_gray_alpha,
                      .scanlines = "\0\0\0\0\0\0\0\0\1"s};
  const TiffForm tiff{.width = 2, .height = 1, .samples = 4, .photometric = PHOTOMETRIC_RGB};
  const TiffForm gray_tiff{.width = 2, .height = 1, .samples = 2};
  const Image white =
      test::make_image(2, 1, 4, [](auto x, auto, auto c) { return c == 3 && x == 0 ? 0 : 255; });
  test::Jpeg2000Form jp2{.width = 2, .height = 1, .components = 2, .boxed = true, .alpha = true};
  jp2.value = [](auto x, auto, auto c) { return c == 1 && x == 0 ? 0 : 255; };
  const test::BmpForm bmp{
      .width = 2, .height = 1, .bits = 32, .pixels = "\xff\xff\xff\0\xff\xff\xff\xff"s};
  return {{"white RGBA", png(test::png_rgba, "\0\xff\xff\xff\0\xff\xff\xff\xff"s, "", "")},
          {"black RGBA", png(test::png_rgba, "\0\0\0\0\0\0\0\0\xff"s, "", "")},
          {"red RGBA", png(test::png_rgba, "\0\xff\0\0\0\xff\0\0\x80"s, "", "")},
          {"gray and alpha", png(test::png_gray_alpha, "\0\xff\0\xff\xff"s, "", "")},
          {"16 bits", make_png(deep)},
          {"palette", png(test::png_palette, "\0\0\1"s, "\0\0\0\0\0\0"s, "\0\xff"s)},
          {"TIFF", tiff_bytes(tiff, {"\xff\xff\xff\0\xff\xff\xff\xff"s})},
          {"gray TIFF", tiff_bytes(gray_tiff, {"\0\0\0\xff"s})},
          {"WebP", test::webp_bytes(white)},
          {"JPEG 2000", test::jpeg2000_bytes(jp2)},
          {"BMP", test::make_bmp(bmp)},
          {"PAM",
           "P7\nWIDTH 2\nHEIGHT 1\nDEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\n"
           "\xff\0\xff\xff"s}};
}

TEST_F(MaskForms, AShapeInTheAlphaChannelIsNamed) {
  for (const auto& [name, bytes] : cut_outs()) {
    const std::string message = refusal(bytes);
    EXPECT_NE(message.find("alpha channel"), std::string::npos) << name << ": " << message;
    EXPECT_NE(message.find("export"), std::string::npos) << name << ": " << message;
    EXPECT_NO_THROW(image_of(bytes)) << name << ": as an image it is read without alpha";
  }
}

// Alpha beside a shape in the colours, or the same all over, says nothing.
TEST_F(MaskForms, AlphaBesideAShapeIsDropped) {
  const auto rgba = [](const std::string& scanlines) {
    return make_png(
        {.width = 2, .height = 1, .color = test::png_rgba, .scanlines = "\0"s + scanlines});
  };
  EXPECT_EQ(mask_of(rgba("\0\0\0\0\xff\xff\xff\xff"s)).values, (std::vector<std::uint8_t>{0, 255}));
  EXPECT_EQ(mask_of(rgba("\0\0\0\xff\0\0\0\xff"s)).values, (std::vector<std::uint8_t>{0, 0}))
      << "an empty mask";
  EXPECT_EQ(mask_of(rgba("\0\0\0\0\xff\0\0\xff"s)).colors.size(), 6U);
  const PngParts palette{.width = 2,
                         .height = 1,
                         .color = test::png_palette,
                         .palette = bytes_of({0, 0, 0, 255, 0, 0}),
                         .transparency = bytes_of({0, 255}),
                         .scanlines = bytes_of({0, 0, 1})};
  EXPECT_EQ(mask_of(make_png(palette)).values, (std::vector<std::uint8_t>{0, 1}));
}

std::string wide(const std::vector<std::uint16_t>& values) {
  std::string out = npy_header(NpyType::u16, {1, static_cast<std::int64_t>(values.size())});
  for (const std::uint16_t value : values) {
    out += static_cast<char>(value & 0xff);
    out += static_cast<char>(value >> 8);
  }
  return out;
}

// Numbers above 255 are no classes, and a lesion of 1000 in 65535 is not black.
TEST_F(MaskForms, SixteenBitsAreNeverCutInSilence) {
  const std::vector<ClassInfo> classes(3);
  const auto labels = [&](MaskEncoding encoding, const std::vector<std::uint16_t>& values) {
    return labels_from("mask.file", encoding, mask_of(wide(values)), classes).labels;
  };
  using Labels = std::vector<std::uint8_t>;
  EXPECT_EQ(labels(MaskEncoding::index, {0, 2, 1}), (Labels{0, 2, 1}));
  EXPECT_EQ(labels(MaskEncoding::binary, {0, 65535, 40000, 20000}), (Labels{0, 1, 1, 0}));
  EXPECT_EQ(labels(MaskEncoding::instances, {0, 256, 1000, 65535}), (Labels{0, 1, 1, 1}));
  for (const auto& [encoding, largest] : std::vector<std::pair<MaskEncoding, std::uint16_t>>{
           {MaskEncoding::index, std::uint16_t{256}},
           {MaskEncoding::index, std::uint16_t{65535}},
           {MaskEncoding::binary, std::uint16_t{1000}},
           {MaskEncoding::binary, std::uint16_t{4095}}}) {
    const auto refused = test::refusal_of([&, e = encoding, v = largest] {
      return labels(e, {0, v, 1});
    });
    ASSERT_TRUE(refused) << largest;
    EXPECT_TRUE(refused->names("mask.file") && refused->names(std::to_string(largest)) &&
                refused->names("--mask-encoding instances"))
        << refused->message;
  }
}

TEST_F(MaskForms, OtherNumbersOfChannelsAreNamed) {
  for (const int channels : {2, 4, 5}) {
    const Shape shape{1, 6, channels};
    const std::string elements(static_cast<std::size_t>(6 * channels), '\0');
    TiffForm form{.width = 6, .height = 1, .samples = static_cast<std::uint16_t>(channels)};
    form.extra = std::vector<std::uint16_t>(static_cast<std::size_t>(channels) - 1, 0);
    std::vector<std::string> files{tiff_bytes(form, {elements})};
    if (channels <= 4) files.push_back(npy_header(NpyType::u8, shape) + elements);
    for (const std::string& bytes : files) {
      const std::string message = refusal(bytes);
      EXPECT_NE(message.find(std::to_string(channels) + " channels"), std::string::npos) << message;
      EXPECT_NE(message.find("as one channel"), std::string::npos) << message;
    }
  }
}

}  // namespace
}  // namespace medurwkv::data
