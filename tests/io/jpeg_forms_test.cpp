// JPEG files as cameras and programs write them, made here with libjpeg: subsampled, progressive,
// CMYK, orientations in both byte orders, as masks; and broken ones.
#include <gtest/gtest.h>

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"
#include "data/image/image.h"
#include "support/images.h"
#include "support/jpeg_files.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

using test::exif_block;
using test::jpeg_bytes;
using test::JpegForm;

/// A smooth colour picture with no symmetry.
Image picture(std::int64_t width = 48, std::int64_t height = 32) {
  return test::make_image(width, height, 3, [&](auto x, auto y, auto c) {
    return c == 0   ? static_cast<int>(x * 255 / width)
           : c == 1 ? static_cast<int>(y * 255 / height)
                    : 60;
  });
}

double worst_difference(const Image& a, const Image& b) {
  int worst = a.bytes.size() == b.bytes.size() ? 0 : 255;
  for (std::size_t i = 0; i < std::min(a.bytes.size(), b.bytes.size()); ++i) {
    worst = std::max(worst, std::abs(int{a.bytes[i]} - int{b.bytes[i]}));
  }
  return worst;
}

// Whatever the coding, the picture is the one that went in, up to JPEG's loss.
TEST(JpegForms, EveryCodingGivesThePicture) {
  const Image color = picture();
  const auto sampling = [](int h, int v) {
    return [h, v](jpeg_compress_struct& info) {
      info.comp_info[0].h_samp_factor = h;
      info.comp_info[0].v_samp_factor = v;
    };
  };
  const std::vector<std::pair<std::string, JpegForm>> forms{
      {"4:2:0", {.change = sampling(2, 2)}},
      {"4:2:2", {.change = sampling(2, 1)}},
      {"4:4:4", {.change = sampling(1, 1)}},
      {"4:1:1", {.change = sampling(4, 1)}},
      {"progressive",
       {
           .progressive = true,
       }},
      {"restart markers",
       {.change = [](jpeg_compress_struct& info) { info.restart_interval = 1; }}},
      {"own Huffman tables",
       {.change = [](jpeg_compress_struct& info) { info.optimize_coding = TRUE; }}},
      {"stored as RGB",
       {.change = [](jpeg_compress_struct& info) { jpeg_set_colorspace(&info, JCS_RGB); }}},
      {"arithmetic coding",
       {.change = [](jpeg_compress_struct& info) { info.arith_code = TRUE; }}}};
  for (const auto& [name, form] : forms) {
    const Image seen = decode_jpeg("f", jpeg_bytes(color, form));
    ASSERT_EQ(seen.channels, 3) << name;
    EXPECT_LE(worst_difference(seen, color), 14) << name;
  }
  const Image gray = test::make_image(20, 9, 1, [](auto x, auto, auto) { return 12 * x; });
  const Image seen = decode_jpeg("f", jpeg_bytes(gray));
  ASSERT_EQ(seen.channels, 1);
  EXPECT_LE(worst_difference(seen, gray), 8);
}

TEST(JpegForms, FourAndTwoChannelsAreRefusedWithTheRemedy) {
  const Image four = test::make_image(8, 8, 4, [](auto, auto, auto c) { return 40 * c; });
  const Image two = test::make_image(8, 8, 2, [](auto, auto, auto c) { return 40 * c; });
  const auto to_ycck = [](jpeg_compress_struct& info) { jpeg_set_colorspace(&info, JCS_YCCK); };
  for (const std::string& bytes :
       {jpeg_bytes(four), jpeg_bytes(four, {.change = to_ycck}), jpeg_bytes(two)}) {
    const auto refused = test::refusal_of([&] { return decode_jpeg("print.jpg", bytes); });
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->kind, ErrorKind::failure);
    EXPECT_TRUE(refused->names("print.jpg") && refused->names("RGB")) << refused->message;
  }
}

/// The picture as EXIF says it is to be seen, by the standard's words: where the stored row 0 and
/// column 0 are. 1 top left, 2 top right, 3 bottom right, 4 bottom left, 5 left top, 6 right top,
/// 7 right bottom, 8 left bottom.
Image as_seen(const Image& stored, int orientation) {
  const bool turned = orientation >= 5;
  const std::int64_t w = turned ? stored.height : stored.width;
  const std::int64_t h = turned ? stored.width : stored.height;
  const bool right = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const bool bottom = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  return test::make_image(w, h, stored.channels, [&](auto x, auto y, auto c) {
    const std::int64_t from_x = right ? w - 1 - x : x;
    const std::int64_t from_y = bottom ? h - 1 - y : y;
    const std::int64_t column = turned ? from_y : from_x;
    const std::int64_t line = turned ? from_x : from_y;
    return int{
        stored
            .bytes[static_cast<std::size_t>((line * stored.width + column) * stored.channels + c)]};
  });
}

TEST(JpegForms, OrientationsInBothByteOrders) {
  const Image plain = decode_jpeg("f", jpeg_bytes(picture()));
  for (const bool little : {true, false}) {
    for (int orientation = 1; orientation <= 8; ++orientation) {
      const std::string bytes = jpeg_bytes(picture(), {.exif = {exif_block(little, orientation)}});
      const Image seen = decode_jpeg("f", bytes);
      const Image expected = as_seen(plain, orientation);
      EXPECT_EQ(seen.width, expected.width) << orientation;
      EXPECT_EQ(seen.bytes, expected.bytes) << orientation;
      EXPECT_EQ(jpeg_size("f", bytes), (ImageSize{expected.width, expected.height}));
    }
  }
}

// EXIF blocks that say nothing sensible are no orientation, wherever they are cut.
TEST(JpegForms, BrokenOrientationsMeanNone) {
  const Image plain = decode_jpeg("f", jpeg_bytes(picture()));
  std::vector<std::string> blocks{std::string("http://ns.adobe.com/xap/1.0/\0<x/>", 33),
                                  exif_block(true, 0), exif_block(true, 9),
                                  exif_block(false, 65535)};
  const std::string good = exif_block(false, 6);
  for (std::size_t length = 0; length < 38; ++length) blocks.push_back(good.substr(0, length));
  std::string far = good;
  far.replace(10, 4, "\xff\xff\xff\xff");  // the directory lies beyond the block
  blocks.push_back(far);
  std::string many = good.substr(0, 28);
  many.replace(14, 2, "\xff\xff");  // 65535 entries, one of them there
  blocks.push_back(many);
  for (const std::string& block : blocks) {
    const Image seen = decode_jpeg("f", jpeg_bytes(picture(), {.exif = {block}}));
    EXPECT_EQ(seen.width, plain.width);
    EXPECT_EQ(seen.bytes, plain.bytes) << block.size();
  }
}

TEST(JpegForms, AMaskWithLossKeepsItsMeaning) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "mask.jpg";
  const Image mask = test::make_image(40, 40, 3, [](auto x, auto y, auto) {
    return (x - 20) * (x - 20) + (y - 20) * (y - 20) < 150 ? 255 : 0;
  });
  write_file(path, jpeg_bytes(mask, {
                                        .quality = 75,
                                    }));
  const MaskPixels values = read_mask({path});
  for (std::size_t i = 0; i < values.values.size(); ++i) {
    EXPECT_EQ(values.values[i] > 127, mask.bytes[3 * i] == 255) << i;
  }
  write_file(path, jpeg_bytes(picture()));
  const MaskPixels colored = read_mask({path});
  EXPECT_TRUE(colored.values.empty() && colored.lossy);
  EXPECT_EQ(colored.colors, decode_jpeg("f", jpeg_bytes(picture())).bytes);
}

// Cut anywhere (the last two bytes are the end marker): never gray pixels in place of lost ones.
TEST(BrokenJpeg, CutAtEveryByte) {
  for (const bool progressive : {false, true}) {
    const std::string whole = jpeg_bytes(picture(24, 16), {
                                                              .progressive = progressive,
                                                          });
    for (std::size_t length = 0; length < whole.size(); ++length) {
      const auto refused =
          test::refusal_of([&] { return decode_jpeg("cut.jpg", whole.substr(0, length)); });
      ASSERT_TRUE(refused) << length << " of " << whole.size();
      EXPECT_EQ(refused->kind, ErrorKind::failure);
      EXPECT_TRUE(refused->names("cut.jpg")) << refused->message;
    }
  }
}

/// `bytes` with other sides in its frame header (SOF0: marker, length, precision, height, width).
std::string with_sides(std::string bytes, ImageSize claim) {
  const std::size_t at = bytes.find("\xff\xc0");
  for (unsigned i = 0; i < 2; ++i) {
    bytes[at + 5 + i] = static_cast<char>((claim.height >> (8 - 8 * i)) & 0xff);
    bytes[at + 7 + i] = static_cast<char>((claim.width >> (8 - 8 * i)) & 0xff);
  }
  return bytes;
}

// JPEG's largest sides are over the limit. Sides within it still need a bit for each block of 8 x 8
// pixels, so a small file cannot hold them: refused before 0.8 GB are asked for.
TEST(BrokenJpeg, MorePixelsThanTheFileCanHoldAreRefusedBeforeAllocating) {
  const std::string small = jpeg_bytes(picture());
  rusage before{};
  getrusage(RUSAGE_SELF, &before);
  for (const ImageSize claim : {ImageSize{65500, 65500}, {16384, 16384}, {65500, 4000}}) {
    const auto refused =
        test::refusal_of([&] { return decode_jpeg("bomb.jpg", with_sides(small, claim)); });
    ASSERT_TRUE(refused) << claim.width << " x " << claim.height;
    EXPECT_TRUE(refused->names("bomb.jpg") && refused->names(std::to_string(claim.width)))
        << refused->message;
  }
  rusage after{};
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 100 * 1024) << "KiB";
  for (const ImageSize claim : {ImageSize{0, 8}, {8, 0}}) {
    EXPECT_TRUE(test::refusal_of([&] { return decode_jpeg("f", with_sides(small, claim)); }));
  }
}

// The other side of that rule: a flat picture, the best packed there is, is read.
TEST(BrokenJpeg, AFlatImageOfManyPixelsIsRead) {
  const Image flat{.width = 3000,
                   .height = 2000,
                   .channels = 1,
                   .bytes = std::vector<unsigned char>(6'000'000, 128)};
  for (const bool progressive : {false, true}) {
    const auto optimal = [](jpeg_compress_struct& info) { info.optimize_coding = TRUE; };
    const Image seen = decode_jpeg(
        "f", jpeg_bytes(flat, {.quality = 10, .progressive = progressive, .change = optimal}));
    EXPECT_EQ(seen.bytes, flat.bytes);
  }
}

TEST(ImageFiles, OfOtherKindsAreNamed) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "thing.png";
  using namespace std::string_literals;
  const std::vector<std::pair<std::string, std::string>> kinds{
      {"", "empty"},
      {"just some text\n", "not an image"},
      {"\x89PNG", "not an image"},
      {"\xff\xd8", "not an image"},
      {"GIF89a......", "GIF"},
      {"BM......", "BMP"},
      {"II*\0......"s, "TIFF"},
      {"MM\0*......"s, "TIFF"},
      {"\x1f\x8b......", "gzip"},
      {"\x93NUMPY\1\0"s, ".npy"},
      {"<!DOCTYPE html>", "HTML"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"}};
  for (const auto& [bytes, reason] : kinds) {
    write_file(path, bytes);
    for (const auto& refused : {test::refusal_of([&] { return read_image(path); }),
                                test::refusal_of([&] { return read_mask({path}); })}) {
      ASSERT_TRUE(refused) << reason;
      EXPECT_EQ(refused->kind, ErrorKind::failure);
      EXPECT_TRUE(refused->names("thing.png") && refused->names(reason)) << refused->message;
    }
    EXPECT_TRUE(test::refusal_of([&] { return read_image_size(path); })) << reason;
  }
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  EXPECT_TRUE(test::refusal_of([&] { return read_image(path); })) << "a folder";
  EXPECT_TRUE(test::refusal_of([&] { return read_image(folder.path() / "absent.png"); }));
}

}  // namespace
}  // namespace medurwkv::data
