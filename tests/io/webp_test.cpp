// WebP as libwebp writes it, and its chunks by hand: lossless pixels come out as they went in, the
// orientation is applied, and odd or broken files are refused by name. Files of Pillow's are in
// image_corpus_test.cpp.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/files.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"
#include "support/images.h"
#include "support/jpeg_files.h"
#include "support/odd_files.h"
#include "support/paths.h"
#include "support/refusal.h"
#include "support/webp_files.h"

namespace medurwkv::data {
namespace {

using namespace std::string_literals;
using test::OddBytes;
using test::Seen;
using test::webp_bytes;
using test::webp_chunk;
using test::webp_chunks;
using test::webp_extended;
using test::webp_number;
using test::webp_riff;

constexpr unsigned animation_flag = 0x02;
constexpr unsigned exif_flag = 0x08;
constexpr unsigned alpha_flag = 0x10;

/// No two neighbours alike; the first sample is white.
Image picture(std::int64_t width, std::int64_t height, std::int64_t channels) {
  return test::make_image(width, height, channels, [](auto x, auto y, auto c) {
    return 255 - static_cast<int>((7 * x + 31 * y + 90 * c) % 256);
  });
}

/// Smooth enough for a lossy coding, white first.
Image soft(std::int64_t width, std::int64_t height) {
  return test::make_image(
      width, height, 3, [](auto x, auto y, auto) { return 255 - static_cast<int>(2 * x + 3 * y); });
}

TEST(Webp, LosslessPixelsAreThoseThatWentIn) {
  for (const std::int64_t width : {1, 7, 64}) {
    const Image image = picture(width, 19, 3);
    const DecodedImage decoded = decode_webp("f", webp_bytes(image));
    EXPECT_EQ(decoded.image.bytes, image.bytes);
    EXPECT_EQ(decoded.image.channels, 3);
    EXPECT_FALSE(decoded.lossy);
    EXPECT_FALSE(decoded.alpha_varies);
    EXPECT_EQ(webp_size("f", webp_bytes(image)), (ImageSize{width, 19}));
  }
}

TEST(Webp, LossyPixelsAreNear) {
  const Image image = soft(40, 24);
  const DecodedImage decoded = decode_webp("f", webp_bytes(image, false));
  EXPECT_TRUE(decoded.lossy);
  ASSERT_EQ(decoded.image.bytes.size(), image.bytes.size());
  for (std::size_t i = 0; i < image.bytes.size(); ++i) {
    ASSERT_NEAR(decoded.image.bytes[i], image.bytes[i], 8) << i;
  }
}

// Alpha is dropped, the colours below it stay as they are stored.
TEST(Webp, AlphaIsDropped) {
  const Image image = picture(9, 5, 4);
  const DecodedImage decoded = decode_webp("f", webp_bytes(image));
  ASSERT_EQ(decoded.image.channels, 3);
  for (std::size_t i = 0; i < 45; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      EXPECT_EQ(decoded.image.bytes[3 * i + c], image.bytes[4 * i + c]);
    }
  }
  EXPECT_TRUE(decoded.alpha_varies);
}

/// The picture of 3 x 2 with an EXIF chunk behind it.
std::string with_exif(const std::string& exif, std::int64_t width = 3, std::int64_t height = 2) {
  return webp_riff(webp_extended(exif_flag, width, height) +
                   webp_chunks(webp_bytes(picture(width, height, 3))) + webp_chunk("EXIF", exif));
}

// EXIF in WebP is the TIFF alone; some programs put JPEG's six letters before it.
TEST(Webp, Orientation) {
  const Image stored = picture(3, 2, 3);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const std::string block = test::exif_block(true, orientation);
    for (const std::string& exif : {block, block.substr(6)}) {
      const std::string bytes = with_exif(exif);
      const Image seen = decode_webp("f", bytes).image;
      EXPECT_EQ(seen.bytes, oriented(stored, orientation).bytes) << orientation;
      EXPECT_EQ(webp_size("f", bytes), (ImageSize{seen.width, seen.height})) << orientation;
      EXPECT_EQ(seen.width, orientation >= 5 ? 2 : 3);
    }
  }
}

// The orientation lies behind the pixels, so the size of a long file is not in its first bytes.
TEST(Webp, TheSizeOfALongTurnedFile) {
  const Image noise = test::make_image(400, 300, 3, [](auto x, auto y, auto c) {
    return static_cast<int>(((x * 2654435761U) ^ (y * 40503U) ^ (c * 977U)) >> 7 & 255);
  });
  const std::string bytes =
      webp_riff(webp_extended(exif_flag, 400, 300) + webp_chunks(webp_bytes(noise)) +
                webp_chunk("EXIF", test::exif_block(true, 6).substr(6)));
  const test::TemporaryFolder folder;
  write_file(folder.path() / "a.webp", bytes);
  EXPECT_EQ(read_image_size(folder.path() / "a.webp"), (ImageSize{300, 400}));
  EXPECT_EQ(read_image(folder.path() / "a.webp").width, 300);
}

std::vector<OddBytes> whole() {
  const std::string plain = webp_bytes(picture(8, 4, 3));
  const std::string lossy = webp_bytes(soft(8, 4), false);
  const std::string alpha = webp_bytes(picture(8, 4, 4));
  const Seen seen{8, 4, 3, 1};
  const auto extended = [&](unsigned flags, const std::string& after) {
    return webp_riff(webp_extended(flags, 8, 4) + webp_chunks(plain) + after);
  };
  std::vector<OddBytes> out{
      {"lossless.webp", plain, seen},
      {"lossy.webp", lossy, seen},
      {"alpha.webp", alpha, seen},
      {"named otherwise.png", plain, seen},
      {"tail of junk.webp", plain + "junk", seen},
      {"one pixel.webp", webp_bytes(picture(1, 1, 3)), Seen{1, 1, 3, 1}},
      {"one row.webp", webp_bytes(picture(16383, 1, 3)), Seen{16383, 1, 3, 1}},
      {"one column.webp", webp_bytes(picture(1, 16383, 3)), Seen{1, 16383, 3, 1}},
      {"lossy of one pixel.webp", webp_bytes(soft(1, 1), false), Seen{1, 1, 3, 1}},
      {"extended header.webp", extended(0, ""), seen},
      {"text behind.webp", extended(0x04, webp_chunk("XMP ", "<x/>")), seen},
      {"unknown chunk.webp", extended(0, webp_chunk("ABCD", "odd")), seen},
      {"colour profile.webp",
       webp_riff(webp_extended(0x20, 8, 4) + webp_chunk("ICCP", std::string(99, 'p')) +
                 webp_chunks(plain)),
       seen},
      {"orientation of nothing.webp", extended(exif_flag, webp_chunk("EXIF", "")), seen},
      {"orientation of junk.webp", extended(exif_flag, webp_chunk("EXIF", "II*")), seen},
      {"announced, not there.webp", extended(exif_flag, ""), seen},
      {"alpha announced.webp", webp_riff(webp_extended(alpha_flag, 8, 4) + webp_chunks(alpha)),
       seen}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image upright = oriented(picture(3, 3, 3), orientation);
    out.push_back({"orientation " + std::to_string(orientation) + ".webp",
                   with_exif(test::exif_block(false, orientation), 3, 3),
                   Seen{3, 3, 3, upright.value(0, 0, 0)}});
  }
  return out;
}

std::string with_byte(std::string bytes, std::size_t at, int value) {
  bytes[at] = static_cast<char>(value);
  return bytes;
}

/// A lossless header that claims these sides, and nothing else.
std::string lossless_claim(std::uint32_t width, std::uint32_t height) {
  const std::uint32_t sides = (width - 1) | (height - 1) << 14U;
  return webp_riff(webp_chunk("VP8L", "\x2f" + webp_number(sides, 4) + std::string(20, '\0')));
}

/// A lossy key frame that claims these sides.
std::string lossy_claim(unsigned width, unsigned height, unsigned first = 0x10 | (10U << 5)) {
  return webp_riff(webp_chunk("VP8 ", webp_number(first, 3) + "\x9d\x01\x2a" +
                                          webp_number(width, 2) + webp_number(height, 2) +
                                          std::string(20, '\0')));
}

std::vector<OddBytes> broken() {
  const std::string plain = webp_bytes(picture(40, 30, 3));
  const std::string lossy = webp_bytes(soft(40, 30), false);
  const auto refused = [](const std::string& name, const std::string& bytes,
                          const std::vector<std::string>& words) {
    return OddBytes{name, bytes, std::nullopt, words};
  };
  const std::string frame =
      webp_chunk("ANMF", std::string(6, '\0') + webp_number(39, 3) + webp_number(29, 3) +
                             std::string(4, '\0') + webp_chunks(plain));
  const std::string film = webp_riff(webp_extended(animation_flag, 40, 30) +
                                     webp_chunk("ANIM", std::string(6, '\0')) + frame + frame);
  return {
      {"chunk of no size.webp", with_byte(with_byte(plain, 16, 0), 17, 0), Seen{40, 30, 3, 1}},
      refused("film.webp", film, {"animation", "PNG"}),
      refused("film of one picture.webp",
              webp_riff(webp_extended(animation_flag, 40, 30) +
                        webp_chunk("ANIM", std::string(6, '\0')) + frame),
              {"animation"}),
      refused("film without frames.webp", webp_riff(webp_extended(animation_flag, 40, 30)),
              {"animation"}),
      refused("sound.webp", "RIFF\x24\0\0\0WAVEfmt "s, {"WAV", "not read"}),
      refused("film of another kind.webp", "RIFF\x24\0\0\0AVI LIST"s, {"AVI"}),
      refused("four letters.webp", "RIFF", {"not read"}),
      refused("eight bytes.webp", plain.substr(0, 8), {"not read"}),
      refused("twelve bytes.webp", plain.substr(0, 12), {"broken WebP", "too early"}),
      refused("no picture.webp", webp_riff(""), {"broken WebP"}),
      refused("no size of the chunk.webp", plain.substr(0, 18), {"broken WebP"}),
      refused("no size.webp", plain.substr(0, 22), {"broken WebP"}),
      refused("half.webp", plain.substr(0, plain.size() / 2), {"broken WebP", "too early"}),
      refused("last bytes missing.webp", plain.substr(0, plain.size() - 8), {"broken WebP"}),
      refused("half of lossy.webp", lossy.substr(0, lossy.size() / 2), {"broken WebP"}),
      refused("header of lossy.webp", lossy.substr(0, 32), {"broken WebP"}),
      refused("extended header alone.webp", webp_riff(webp_extended(0, 40, 30)), {"broken WebP"}),
      refused("extended header cut.webp", webp_riff(webp_extended(0, 40, 30)).substr(0, 25),
              {"broken WebP"}),
      refused("RIFF of no size.webp", with_byte(with_byte(plain, 4, 0), 5, 0), {"broken WebP"}),
      refused("chunk beyond RIFF.webp", with_byte(plain, 19, 0x10), {"broken WebP"}),
      refused("chunk of 4 GB.webp",
              with_byte(with_byte(with_byte(with_byte(plain, 16, 255), 17, 255), 18, 255), 19, 255),
              {"broken WebP"}),
      refused("unknown picture.webp", webp_riff(webp_chunk("VP9 ", std::string(30, '\0'))),
              {"broken WebP"}),
      refused("other signature.webp", with_byte(plain, 20, 0x2e), {"broken WebP"}),
      refused("other version.webp", with_byte(plain, 24, 0xff), {"broken WebP"}),
      refused("other start code.webp", with_byte(lossy, 23, 0), {"broken WebP"}),
      refused("no key frame.webp", with_byte(lossy, 20, lossy[20] | 1), {"broken WebP"}),
      refused("lossy of no width.webp", lossy_claim(0, 8), {"broken WebP"}),
      refused("lossy of no height.webp", lossy_claim(8, 0), {"broken WebP"}),
      refused("first part beyond.webp", lossy_claim(8, 8, 0x10 | 0xffffe0U), {"broken WebP"}),
      refused("lossy zeros.webp", lossy_claim(512, 512), {"512 x 512"}),
      refused("lossy bomb.webp", lossy_claim(12000, 12000),
              {"12000 x 12000", "more than a file of its size"}),
      refused("large lossy bomb.webp", lossy_claim(16383, 16383), {"16383 x 16383", "tiles"}),
      refused("bomb.webp", lossless_claim(12000, 12000),
              {"12000 x 12000", "more than a file of its size"}),
      refused("large bomb.webp", lossless_claim(16384, 16384), {"16384 x 16384", "1.1 GB"}),
      refused("canvas of another size.webp",
              webp_riff(webp_extended(0, 41, 30) + webp_chunks(plain)), {"broken WebP"}),
      refused("canvas beyond.webp",
              webp_riff(webp_extended(0, 16777216, 16777216) + webp_chunks(plain)),
              {"broken WebP"}),
      refused("picture in pieces.webp",
              webp_riff(webp_extended(0, 40, 30) + webp_chunk("ICCP", "x")), {"broken WebP"}),
      refused("orientation cut off.webp",
              webp_riff(webp_extended(exif_flag, 40, 30) + webp_chunks(plain) +
                        webp_chunk("EXIF", std::string(40, ' ')))
                  .substr(0, plain.size() + 40),
              {"broken WebP", "too early"})};
}

/// Pixels of other colours, or a refusal.
std::vector<OddBytes> damaged() {
  std::vector<OddBytes> out;
  for (const bool lossless : {true, false}) {
    const std::string bytes = webp_bytes(soft(40, 30), lossless);
    for (std::size_t i = 0; i < 10; ++i) {
      const std::size_t at = 34 + i * (bytes.size() - 35) / 10;
      out.push_back({"byte " + std::to_string(at) + (lossless ? " lossless.webp" : ".webp"),
                     with_byte(bytes, at, bytes[at] ^ 0x5a)});
    }
  }
  return out;
}

TEST(Webp, OddFilesAreReadRightOrRefused) {
  std::vector<OddBytes> all;
  for (auto part : {whole(), broken(), damaged()}) all.insert(all.end(), part.begin(), part.end());
  EXPECT_GE(all.size(), 80U);
  test::expect_read_or_refused(all);
}

// The other side of the bound: empty masks, the best packed there are, are read.
TEST(Webp, AnEmptyMaskOfManyPixelsIsRead) {
  const Image black{.width = 4000,
                    .height = 3000,
                    .channels = 3,
                    .bytes = std::vector<unsigned char>(36'000'000)};
  const std::string bytes = webp_bytes(black);
  EXPECT_LT(bytes.size(), 5000U);
  EXPECT_EQ(decode_webp("f", bytes).image.bytes, black.bytes);
}

// A lossy mask is nearly gray, a lossless one is gray or has colours.
TEST(Webp, AsAMask) {
  const test::TemporaryFolder folder;
  const ImageSource source{folder.path() / "mask.webp"};
  const Image disc = test::make_image(64, 64, 3, [](auto x, auto y, auto) {
    return (x - 32) * (x - 32) + (y - 32) * (y - 32) < 300 ? 255 : 0;
  });
  write_file(source.file, webp_bytes(disc, false));
  const MaskPixels lossy = read_mask(source);
  ASSERT_EQ(lossy.values.size(), 64U * 64);
  EXPECT_TRUE(lossy.lossy);
  for (std::size_t i = 0; i < lossy.values.size(); ++i) {
    ASSERT_EQ(lossy.values[i] > 127, disc.bytes[3 * i] == 255) << i;
  }
  write_file(source.file, webp_bytes(picture(4, 4, 3)));
  EXPECT_EQ(read_mask(source).colors.size(), 48U);
}

}  // namespace
}  // namespace medurwkv::data
