// JPEG 2000 as OpenJPEG writes it, its boxes and markers changed by hand: lossless samples come out
// as they went in, and what is not read, odd or broken is refused by name before OpenJPEG sees it.
// Files of Pillow's are in image_corpus_test.cpp.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"
#include "support/jpeg2000_files.h"
#include "support/odd_files.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

using namespace std::string_literals;
using test::big_number;
using test::jp2_box;
using test::jp2_file;
using test::jpeg2000_bytes;
using test::Jpeg2000Form;
using test::OddBytes;
using test::Seen;

/// No two neighbours alike; the first is the largest.
int sample_of(std::uint32_t bits, std::uint32_t x, std::uint32_t y, std::uint32_t c) {
  const std::uint32_t most = (1U << bits) - 1;
  return static_cast<int>(most - (7 * x + 31 * y + 90 * c) % (most + 1));
}

Jpeg2000Form picture(std::uint32_t components, std::uint32_t bits = 8) {
  Jpeg2000Form out{.width = 40, .height = 30, .components = components, .bits = bits};
  out.value = [bits](auto x, auto y, auto c) { return sample_of(bits, x, y, c); };
  return out;
}

void expect_lossless(const Jpeg2000Form& form) {
  const std::string bytes = jpeg2000_bytes(form);
  const DecodedImage decoded = decode_jpeg2000("f", bytes);
  const bool alpha = form.components % 2 == 0;
  const std::uint32_t channels = form.components - (alpha ? 1 : 0);
  ASSERT_EQ(decoded.image.channels, channels);
  EXPECT_EQ(decoded.image.type, form.bits > 8 ? SampleType::u16 : SampleType::u8);
  EXPECT_FALSE(decoded.lossy);
  EXPECT_EQ(decoded.alpha_varies, alpha);
  const auto most = static_cast<float>((1U << form.bits) - 1);
  const float step = form.bits > 8 ? 65535 : 255;
  for (std::uint32_t y = 0; y < form.height; ++y) {
    for (std::uint32_t x = 0; x < form.width; ++x) {
      for (std::uint32_t c = 0; c < channels; ++c) {
        ASSERT_NEAR(decoded.image.value(x, y, c),
                    static_cast<float>(sample_of(form.bits, x, y, c)) / most, 0.51F / step)
            << x << ", " << y;
      }
    }
  }
  EXPECT_EQ(jpeg2000_size("f", bytes), (ImageSize{form.width, form.height}));
}

TEST(Jpeg2000, LosslessSamplesAreThoseThatWentIn) {
  for (const bool boxed : {false, true}) {
    for (const std::uint32_t components : {1U, 2U, 3U, 4U}) {
      for (const std::uint32_t bits : {1U, 2U, 5U, 8U, 10U, 12U, 16U}) {
        Jpeg2000Form form = picture(components, bits);
        form.boxed = boxed;
        form.alpha = components % 2 == 0;
        expect_lossless(form);
      }
    }
  }
}

TEST(Jpeg2000, EveryWayOfStoringGivesThePicture) {
  std::vector<Jpeg2000Form> forms(7, picture(3));
  forms[0].tile = 16;
  forms[1].resolutions = 4;
  forms[2].precinct = 32;
  forms[3].block = 16;
  forms[4].layers = 3;
  forms[5].left = 5;
  forms[5].top = 3;
  forms[6].tile = 13;
  forms[6].left = 5;
  forms[6].resolutions = 3;
  for (const Jpeg2000Form& form : forms) expect_lossless(form);
}

TEST(Jpeg2000, LossyPixelsAreNear) {
  Jpeg2000Form form{.width = 40, .height = 30, .components = 3, .irreversible = true};
  form.value = [](auto x, auto y, auto c) { return static_cast<int>(250 - 2 * x - 3 * y - c); };
  const DecodedImage decoded = decode_jpeg2000("f", jpeg2000_bytes(form));
  EXPECT_TRUE(decoded.lossy);
  for (std::size_t i = 0; i < decoded.image.bytes.size(); ++i) {
    const int pixel = static_cast<int>(i / 3);
    const int expected = 250 - 2 * (pixel % 40) - 3 * (pixel / 40) - static_cast<int>(i % 3);
    ASSERT_NEAR(decoded.image.bytes[i], expected, 3);
  }
}

std::vector<OddBytes> whole() {
  Jpeg2000Form boxed = picture(3);
  boxed.boxed = true;
  const std::string code = jpeg2000_bytes(picture(3));
  const std::string jp2 = jpeg2000_bytes(boxed);
  const Seen seen{40, 30, 3, 1};
  const std::string srgb = jp2_box("colr", "\1\0\0\0\0\0\20"s);
  // The last tile-part may give its length as 0: up to the end.
  std::string open_ended = code;
  const std::size_t tile = code.find("\xff\x90\0\x0a"s);
  open_ended.replace(tile + 6, 4, 4, '\0');
  std::string long_box = big_number(1, 4) + "jp2c" + big_number(code.size() + 16, 8) + code;
  return {{"codestream.j2k", code, seen},
          {"boxes.jp2", jp2, seen},
          {"named otherwise.png", jp2, seen},
          {"one pixel.j2k",
           jpeg2000_bytes({.components = 1, .value = [](auto, auto, auto) { return 255; }}),
           Seen{1, 1, 1, 1}},
          {"tail of junk.j2k", code + "junk", seen},
          {"tile up to the end.j2k", open_ended, seen},
          {"colours named.jp2", jp2_file(srgb, code), seen},
          {"profile.jp2", jp2_file(jp2_box("colr", "\2\0\0profile"s), code), seen},
          {"no header box.jp2", test::jp2_start() + jp2_box("jp2c", code), seen},
          {"unknown boxes.jp2",
           test::jp2_start() + jp2_box("abcd", "x") + jp2_box("jp2h", jp2_box("res ", "")) +
               jp2_box("uuid", std::string(300, 'u')) + jp2_box("jp2c", code),
           seen},
          {"long box.jp2", test::jp2_start() + long_box, seen},
          {"box up to the end.jp2", test::jp2_start() + big_number(0, 4) + "jp2c" + code, seen},
          {"much before the picture.jp2",
           test::jp2_start() + jp2_box("xml ", std::string(400000, ' ')) + jp2_box("jp2c", code),
           seen}};
}

std::string with(std::string bytes, std::size_t at, const std::string& other) {
  return bytes.replace(at, other.size(), other);
}

OddBytes refused(const std::string& name, const std::string& bytes,
                 const std::vector<std::string>& words) {
  return {name, bytes, std::nullopt, words};
}

/// Forms of the standard that are not read.
std::vector<OddBytes> other_forms() {
  const std::string code = jpeg2000_bytes(picture(3));
  Jpeg2000Form negative = picture(1);
  negative.is_signed = true;
  negative.value = [](auto x, auto, auto) { return static_cast<int>(x) - 20; };
  Jpeg2000Form half = picture(3);
  half.step = 2;
  Jpeg2000Form blocks = picture(1);
  blocks.block = 4;
  const auto colors = [&](std::uint32_t space) {
    return jp2_file(jp2_box("colr", "\1\0\0"s + big_number(space, 4)), code);
  };
  const auto channels = [](std::uint32_t a, std::uint32_t kind, std::uint32_t place) {
    return big_number(a, 2) + big_number(kind, 2) + big_number(place, 2);
  };
  const std::string turned =
      jp2_box("cdef", big_number(3, 2) + channels(0, 0, 3) + channels(1, 0, 2) + channels(2, 0, 1));
  const std::string no_alpha =
      jp2_box("cdef", big_number(2, 2) + channels(0, 0, 1) + channels(1, 65535, 65535));
  const std::string alpha_first =
      jp2_box("cdef", big_number(2, 2) + channels(0, 1, 0) + channels(1, 0, 1));
  const std::size_t coding = code.find("\xff\x52\0"s);
  return {
      refused("signed.j2k", jpeg2000_bytes(negative), {"signed", "PNG"}),
      refused("subsampled.j2k", jpeg2000_bytes(half), {"subsampled"}),
      refused("five components.j2k", jpeg2000_bytes(picture(5)), {"5 components", "TIFF"}),
      refused("24 bits.j2k", jpeg2000_bytes(picture(1, 24)), {"24 bits"}),
      refused("unlike depth.j2k", with(code, 45, "\x03"), {"unlike depth"}),
      refused("small blocks.j2k", jpeg2000_bytes(blocks), {"code blocks"}),
      refused("palette.jp2", jp2_file(jp2_box("pclr", std::string(20, '\0')), code), {"palette"}),
      refused("YCC.jp2", colors(18), {"colours of the kind 18"}),
      refused("CMYK.jp2", colors(12), {"colours of the kind 12"}),
      refused("Lab.jp2", colors(14), {"colours of the kind 14"}),
      refused("blue first.jp2", jp2_file(turned, code), {"another order"}),
      refused("alpha first.jp2", jp2_file(alpha_first, jpeg2000_bytes(picture(2))),
              {"another order"}),
      refused("two channels.jp2", jp2_file(no_alpha, jpeg2000_bytes(picture(2))),
              {"2 components", "none of them alpha"}),
      refused("two pictures.jp2", jp2_file("", code) + jp2_box("jp2c", code), {"several pictures"}),
      refused("high throughput.j2k", with(code, coding + 12, "\x40"), {"high-throughput"}),
      refused("extension.j2k", code.substr(0, coding) + "\xff\x74\0\4\0\0"s + code.substr(coding),
              {"marker"})};
}

/// Headers that claim what is not there.
std::vector<OddBytes> false_claims() {
  const std::string code = jpeg2000_bytes(picture(3));
  const std::string gray = jpeg2000_bytes(picture(1));
  const std::size_t coding = code.find("\xff\x52\0"s);
  const std::size_t tile = code.find("\xff\x90\0\x0a"s);
  const auto sides = [&](std::uint64_t width, std::uint64_t height) {
    return with(gray, 8, big_number(width, 4) + big_number(height, 4));
  };
  const auto tiles = [&](std::uint64_t width, std::uint64_t height) {
    return with(code, 24, big_number(width, 4) + big_number(height, 4));
  };
  // One level, precincts of 1 x 1 in both: the segment grows by two bytes.
  std::string precincts = with(sides(8000, 8000), coding + 2, "\0\x0e\1"s);
  precincts =
      with(with(precincts, 24, big_number(8000, 4) + big_number(8000, 4)), coding + 9, "\1");
  precincts.insert(coding + 14, "\0\0"s);
  Jpeg2000Form tiled = picture(1);
  tiled.tile = 16;
  const std::string six = jpeg2000_bytes(tiled);
  const std::size_t second = six.find("\xff\x90\0\x0a\0\1"s);
  return {
      refused("no width.j2k", sides(0, 30), {"0 x 30"}),
      refused("no height.j2k", sides(40, 0), {"40 x 0"}),
      refused("begins behind its end.j2k", with(code, 16, big_number(41, 4)), {"-1 x 30"}),
      refused("bomb.j2k", sides(60000, 60000), {"60000 x 60000", "1.1 GB"}),
      refused("largest.j2k", sides(0xffffffff, 0xffffffff), {"4294967295"}),
      refused("tiles of no width.j2k", tiles(0, 30), {"tiles"}),
      refused("tiles of one pixel.j2k", tiles(1, 1), {"1200 tiles"}),
      refused("tiles of half.j2k", tiles(20, 30), {"tile 1 of 2"}),
      refused("tiles begin behind.j2k", with(code, 32, big_number(3, 4)), {"tiles do not cover"}),
      refused("tiles end before.j2k",
              with(jpeg2000_bytes([] {
                     Jpeg2000Form form = picture(3);
                     form.left = 30;
                     return form;
                   }()),
                   24, big_number(30, 4)),
              {"tiles do not cover"}),
      refused("no components.j2k", with(code, 40, "\0\0"s), {"0 components"}),
      refused("16384 components.j2k", with(code, 40, "\x40\0"s), {"16384 components"}),
      refused("no step.j2k", with(code, 43, "\0"s), {"subsampled"}),
      refused("33 levels.j2k", with(code, coding + 9, "\x21"), {"levels"}),
      refused("blocks of 2^36.j2k", with(code, coding + 10, "\x20"), {"code blocks"}),
      refused("65535 layers.j2k", with(code, coding + 6, "\xff\xff"), {"65535 layers"}),
      refused("precincts of a pixel.j2k", precincts, {"precincts"}),
      refused("segment of no bytes.j2k", with(code, coding + 2, "\0\0"s), {"segment"}),
      refused("segment beyond.j2k", with(code, coding + 2, "\xff\xff"), {"broken JPEG 2000"}),
      refused("tile of another number.j2k", with(code, tile + 4, "\0\7"s), {"tile 7 of 1"}),
      refused("tile beyond.j2k", with(code, tile + 6, big_number(1U << 30, 4)), {"within tile 0"}),
      refused("tile of 4 GB.j2k", with(code, tile + 6, "\xff\xff\xff\xff"), {"within tile 0"}),
      refused("tile of one byte.j2k", with(code, tile + 6, big_number(1, 4)), {"within tile 0"}),
      refused("tile too short.j2k", with(code, tile + 6, big_number(20, 4)), {"byte"}),
      refused("tile a second time.j2k", with(six, second + 4, "\0\0"s), {"tile 1 of 6 is missing"}),
      refused("tiles missing.j2k", six.substr(0, second) + "\xff\xd9", {"tile 1 of 6 is missing"}),
      refused("no tiles.j2k", code.substr(0, tile) + "\xff\xd9", {"marker"}),
      refused("no end marker.j2k", code.substr(0, code.size() - 2), {"it ends"}),
      refused("no end marker, length open.j2k",
              with(code, tile + 6, "\0\0\0\0"s).substr(0, code.size() - 2), {"it ends"}),
      refused("box of 3 bytes.jp2", test::jp2_start() + big_number(3, 4) + "jp2c" + code,
              {"3 bytes"}),
      refused("long box of 3 bytes.jp2",
              test::jp2_start() + big_number(1, 4) + "jp2c" + big_number(3, 8) + code, {"3 bytes"}),
      refused("box beyond 64 bits.jp2",
              test::jp2_start() + big_number(1, 4) + "abcd" + std::string(8, '\xff') + code,
              {"no codestream"}),
      refused("channels of 65535.jp2", jp2_file(jp2_box("cdef", "\xff\xff"), ""), {"too early"}),
      refused("no codestream.jp2", test::jp2_start(), {"no codestream"}),
      refused("empty codestream.jp2", jp2_file("", ""), {"no codestream"}),
      refused("another codestream.jp2", jp2_file("", "\xff\xd8\xff\xe0 JFIF"), {"its sizes"})};
}

std::vector<OddBytes> cut_and_damaged() {
  std::vector<OddBytes> out;
  const std::string code = jpeg2000_bytes(picture(3));
  for (const std::size_t length : {4U, 12U, 40U, 44U, 60U, 75U, 100U, 120U, 200U, 400U}) {
    out.push_back(refused("cut at " + std::to_string(length) + ".j2k", code.substr(0, length),
                          {"broken JPEG 2000"}));
  }
  Jpeg2000Form boxed = picture(3);
  boxed.boxed = true;
  const std::string jp2 = jpeg2000_bytes(boxed);
  for (const std::size_t length : {12U, 20U, 50U, 86U, 100U, 200U, 400U}) {
    out.push_back(refused("cut at " + std::to_string(length) + ".jp2", jp2.substr(0, length),
                          {"broken JPEG 2000"}));
  }
  const std::size_t data = code.find("\xff\x93") + 2;
  for (std::size_t i = 0; i < 12; ++i) {
    const std::size_t at = data + i * (code.size() - data - 2) / 12;
    out.push_back({"byte " + std::to_string(at) + ".j2k",
                   with(code, at, std::string(1, static_cast<char>(code[at] ^ 0x5a)))});
  }
  return out;
}

TEST(Jpeg2000, OddFilesAreReadRightOrRefused) {
  std::vector<OddBytes> all;
  for (auto part : {whole(), other_forms(), false_claims(), cut_and_damaged()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  EXPECT_GE(all.size(), 90U);
  test::expect_read_or_refused(all);
}

// The other side of the bounds: an empty mask of many pixels takes a few hundred bytes.
TEST(Jpeg2000, AnEmptyMaskOfManyPixelsIsRead) {
  const std::string bytes =
      jpeg2000_bytes({.width = 3000, .height = 2000, .components = 1, .resolutions = 6});
  EXPECT_LT(bytes.size(), 1000U);
  const Image seen = decode_jpeg2000("f", bytes).image;
  EXPECT_EQ(seen.bytes, std::vector<unsigned char>(6'000'000));
}

TEST(Jpeg2000, AsAMask) {
  const test::TemporaryFolder folder;
  const ImageSource source{folder.path() / "mask.jp2"};
  Jpeg2000Form form{.width = 3, .height = 1, .components = 1, .boxed = true};
  form.value = [](auto x, auto, auto) { return static_cast<int>(x); };
  write_file(source.file, jpeg2000_bytes(form));
  EXPECT_EQ(read_mask(source).values, (std::vector<std::uint8_t>{0, 1, 2}));
}

}  // namespace
}  // namespace medurwkv::data
