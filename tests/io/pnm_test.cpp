// Netpbm's formats, put together by hand after netpbm's manual pages: every form gives the pixels
// that went in, and odd or broken files are refused by name. Files of Pillow's are in
// image_corpus_test.cpp.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"
#include "support/odd_files.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

using namespace std::string_literals;
using test::OddBytes;
using test::Seen;

std::vector<int> samples(const DecodedImage& decoded) {
  return {decoded.image.bytes.begin(), decoded.image.bytes.end()};
}

std::vector<int> pixels_of(const std::string& bytes) {
  return samples(decode_pnm("f", bytes));
}

TEST(Pnm, PlainAndRawGiveTheSamePixels) {
  const std::vector<int> gray{0, 128, 255, 7, 8, 9};
  EXPECT_EQ(pixels_of("P2\n3 2\n255\n0 128 255\n7 8 9\n"), gray);
  EXPECT_EQ(pixels_of("P5\n3 2\n255\n\0\x80\xff\7\10\11"s), gray);
  const std::vector<int> colors{1, 2, 3, 4, 5, 6};
  EXPECT_EQ(pixels_of("P3 2 1 255 1 2 3 4 5 6"), colors);
  EXPECT_EQ(pixels_of("P6 2 1 255 \1\2\3\4\5\6"), colors);
  EXPECT_EQ(decode_pnm("f", "P6 2 1 255 \1\2\3\4\5\6").image.channels, 3);
  EXPECT_EQ(pnm_size("f", "P6 2 1 255 "), (ImageSize{2, 1}));
}

// 1 is black. Rows of a raw file are filled up to bytes; bits of a plain one may touch.
TEST(Pnm, Bits) {
  const std::vector<int> bits{0,   255, 255, 255, 255, 255, 255, 255, 0,   0,
                              255, 0,   255, 255, 255, 255, 255, 255, 255, 255};
  EXPECT_EQ(pixels_of("P4\n10 2\n\x80\xc0\x40\0"s), bits);
  EXPECT_EQ(pixels_of("P1\n10 2\n1000000011\n0100000000\n"), bits);
  EXPECT_EQ(pixels_of("P1 10 2 1 0 0 0 0 0 0 0 1 1 01 00000000"), bits);
}

TEST(Pnm, SixteenBitsHaveTheLargerByteFirst) {
  const DecodedImage decoded = decode_pnm("f", "P5 2 1 65535 \x01\x02\xff\xff"s);
  ASSERT_EQ(decoded.image.type, SampleType::u16);
  EXPECT_FLOAT_EQ(decoded.image.value(0, 0, 0), 258.0F / 65535);
  EXPECT_FLOAT_EQ(decoded.image.value(1, 0, 0), 1);
  EXPECT_FLOAT_EQ(decode_pnm("f", "P2 2 1 65535 258 0").image.value(0, 0, 0), 258.0F / 65535);
}

// Samples count from 0 to the largest value that the header names.
TEST(Pnm, OtherLargestValuesAreSpread) {
  EXPECT_EQ(pixels_of("P2 3 1 1 0 1 1"), (std::vector<int>{0, 255, 255}));
  EXPECT_EQ(pixels_of("P5 4 1 15 \0\1\7\17"s), (std::vector<int>{0, 17, 119, 255}));
  EXPECT_EQ(pixels_of("P2 3 1 100 0 50 100"), (std::vector<int>{0, 128, 255}));
  const DecodedImage wide = decode_pnm("f", "P2 3 1 4095 0 1365 4095");
  ASSERT_EQ(wide.image.type, SampleType::u16);
  EXPECT_FLOAT_EQ(wide.image.value(1, 0, 0), 1.0F / 3);
  EXPECT_FLOAT_EQ(wide.image.value(2, 0, 0), 1);
}

TEST(Pnm, CommentsAndWhiteSpace) {
  const std::vector<int> two{35, 10};
  EXPECT_EQ(pixels_of("P5\n# CREATOR: a program\n2 1\n# another\n255\n#\n"), two)
      << "behind the largest value one white space, then the raster";
  EXPECT_EQ(pixels_of("P5# at once\n2#\n1 255#the end\n#\n"), two);
  EXPECT_EQ(pixels_of("P5\r\n2 1\t255\n#\n"), two);
  EXPECT_EQ(pixels_of("P2 2 1 255 35 # of a row\n10"), two);
}

TEST(Pnm, PamSaysWhatItsSamplesAre) {
  const auto pam = [](int depth, int most, const std::string& type, const std::string& raster) {
    return "P7\n# comment\nWIDTH 2\nHEIGHT 1\nDEPTH " + std::to_string(depth) + "\nMAXVAL " +
           std::to_string(most) + "\n" + (type.empty() ? "" : "TUPLTYPE " + type + "\n") +
           "ENDHDR\n" + raster;
  };
  EXPECT_EQ(pixels_of(pam(1, 255, "GRAYSCALE", "\7\10")), (std::vector<int>{7, 8}));
  EXPECT_EQ(pixels_of(pam(1, 1, "BLACKANDWHITE", "\0\1"s)), (std::vector<int>{0, 255}))
      << "1 is white here";
  EXPECT_EQ(pixels_of(pam(3, 255, "RGB", "\1\2\3\4\5\6")), (std::vector<int>{1, 2, 3, 4, 5, 6}));
  const DecodedImage alpha = decode_pnm("f", pam(4, 255, "RGB_ALPHA", "\1\2\3\11\4\5\6\12"));
  EXPECT_EQ(samples(alpha), (std::vector<int>{1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(alpha.alpha_varies);
  EXPECT_FALSE(decode_pnm("f", pam(2, 255, "GRAYSCALE_ALPHA", "\1\11\4\11")).alpha_varies);
  EXPECT_EQ(pixels_of(pam(2, 255, "", "\1\11\4\11")), (std::vector<int>{1, 4})) << "1 and alpha";
  EXPECT_EQ(pixels_of(pam(2, 255, "TWO", "\1\11\4\11")), (std::vector<int>{1, 9, 4, 9}));
  EXPECT_EQ(pixels_of(pam(5, 255, "", "0123456789")),
            (std::vector<int>{48, 49, 50, 51, 52, 53, 54, 55, 56, 57}));
}

std::string pam_header(const std::string& lines) {
  return "P7\n" + lines + "ENDHDR\n";
}

std::vector<OddBytes> whole() {
  const Seen white{2, 1, 1, 1};
  return {{"plain bits.pbm", "P1 2 1 0 1", white},
          {"touching bits.pbm", "P1\n2 1\n01", white},
          {"no line end.pgm", "P2 2 1 255 255 0", white},
          {"many line ends.pgm", "P2 2 1 255 255 0\n\n\n", white},
          {"leading zeros.pgm", "P2 002 0001 0255 0255 00", white},
          {"raw.pgm", "P5 2 1 255 \xff\0"s, white},
          {"named otherwise.png", "P5 2 1 255 \xff\0"s, white},
          {"tail of junk.pgm", "P5 2 1 255 \xff\0junk"s, white},
          {"tail of zeros.pgm", "P5 2 1 255 \xff\0\0\0\0"s, white},
          {"one pixel.pbm", "P4 1 1 \0"s, Seen{1, 1, 1, 1}},
          {"long comment.pgm", "P5 #" + std::string(500000, 'c') + "\n2 1 255 \xff\0"s, white},
          {"many comments.pgm",
           [] {
             std::string out = "P5\n";
             for (int i = 0; i < 1000; ++i) out += "# line\n";
             return out + "2 1 255 \xff\0"s;
           }(),
           white},
          {"carriage returns.pgm", "P5\r2 1\r255\r\xff\0"s, white},
          {"wide row.pgm", "P5 70000 1 255 " + std::string(70000, '\xff'), Seen{70000, 1, 1, 1}},
          {"12 bits.pgm", "P5 1 1 4095 \x0f\xff", Seen{1, 1, 1, 1}},
          {"largest value 65535.ppm", "P6 1 1 65535 \xff\xff\0\0\0\0"s, Seen{1, 1, 3, 1}},
          {"64 channels.pam",
           pam_header("WIDTH 1\nHEIGHT 1\nDEPTH 64\nMAXVAL 255\n") + std::string(64, '\xff'),
           Seen{1, 1, 64, 1}},
          {"blank lines.pam", "P7\n\n\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\n\nENDHDR\n\xff\0"s,
           white},
          {"order.pam", pam_header("MAXVAL 255\nDEPTH 1\nHEIGHT 1\nWIDTH 2\n") + "\xff\0"s, white}};
}

std::vector<OddBytes> broken_headers() {
  const auto refused = [](const std::string& name, const std::string& bytes,
                          const std::vector<std::string>& words) {
    return OddBytes{name, bytes, std::nullopt, words};
  };
  return {refused("P0.pgm", "P0 2 1 255 00", {"not an image"}),
          refused("P8.pgm", "P8 2 1 255 00", {"not an image"}),
          refused("a word.txt", "P5hello", {"not an image"}),
          refused("magic alone.pgm", "P5\n", {"broken PNM", "width"}),
          refused("one number.pgm", "P5\n3", {"height"}),
          refused("two numbers.pgm", "P5\n3 2\n", {"largest value"}),
          refused("no white space.pgm", "P5\n3 2\n255", {"white space"}),
          refused("letters.pgm", "P5\nabc def\n255\n", {"width"}),
          refused("negative.pgm", "P5\n-3 2\n255\n", {"width"}),
          refused("fraction.pgm", "P5\n3.5 2\n255\n", {"height"}),
          refused("hexadecimal.pgm", "P5\n0x3 2\n255\n", {"height"}),
          refused("no width.pgm", "P5 0 2 255 ", {"0 x 2"}),
          refused("no height.pgm", "P5 2 0 255 ", {"2 x 0"}),
          refused("largest value 0.pgm", "P5 2 1 0 \0\0"s, {"largest value is 0"}),
          refused("largest value 65536.pgm", "P5 2 1 65536 \0\0\0\0"s, {"65536"}),
          refused("beyond 32 bits.pgm", "P5 4294967298 1 255 \0\0"s, {"pixels"}),
          refused("beyond 64 bits.pgm", "P5 99999999999999999999999 1 255 \0"s, {"pixels"}),
          refused("bomb.pgm", "P5 32000 32000 255 \0"s, {"32000 x 32000", "do not fit"}),
          refused("bomb.ppm", "P6 16000 16000 255 \0"s, {"16000 x 16000", "do not fit"}),
          refused("bomb.pbm", "P4 32000 32000 \0"s, {"do not fit"}),
          refused("plain bomb.pbm", "P1 32000 32000 1", {"do not fit"}),
          refused("plain bomb.ppm", "P3 16000 16000 255 1", {"do not fit"}),
          refused("too large.ppm", "P6 30000 30000 255 \0"s, {"1.1 GB", "tiles"}),
          refused("too large.pgm", "P5 60000 60000 65535 \0"s, {"60000 x 60000"}),
          refused("endless comment.pgm", "P5 # no line end", {"width"}),
          refused("endless blanks.pgm", "P5" + std::string(100000, ' '), {"width"}),
          refused("endless number.pgm", "P5 " + std::string(100000, '7'), {"height"}),
          refused("zeros.pgm", "P5 " + std::string(100, '\0'), {"width"}),
          refused("thumbnail.pgm", "P7 332\n#END_OF_COMMENTS\n80 60 255\n", {"broken PNM", "332"})};
}

std::vector<OddBytes> broken_rasters() {
  const auto refused = [](const std::string& name, const std::string& bytes,
                          const std::vector<std::string>& words) {
    return OddBytes{name, bytes, std::nullopt, words};
  };
  const std::string second = "P5 1 1 255 \0"s;
  return {refused("cut.pbm", "P4 9 2 \0\0\0"s, {"do not fit"}),
          refused("cut.pgm", "P5 2 1 255 \xff", {"do not fit"}),
          refused("cut.ppm", "P6 2 1 255 \1\2\3\4\5", {"do not fit"}),
          refused("cut of 16 bits.pgm", "P5 2 1 256 \1\2\3", {"do not fit"}),
          refused("cut plain.pbm", "P1 3 1 01", {"do not fit"}),
          refused("cut plain.pgm", "P2 3 1 255 1 2", {"do not fit"}),
          refused("cut plain of blanks.pgm", "P2 3 1 255 1 2     ", {"sample"}),
          refused("cut plain of blanks.pbm", "P1 3 1 01   ", {"0 nor 1"}),
          refused("a bit of 2.pbm", "P1 2 1 02", {"0 nor 1"}),
          refused("a letter.pbm", "P1 2 1 0x", {"0 nor 1"}),
          refused("a letter.pgm", "P2 2 1 255 1 x", {"sample"}),
          refused("negative sample.pgm", "P2 2 1 255 1 -2", {"sample"}),
          refused("sample beyond.pgm", "P2 2 1 255 1 256", {"256", "255"}),
          refused("huge sample.pgm", "P2 1 1 255 " + std::string(50, '9'), {"255"}),
          refused("raw sample beyond.pgm", "P5 2 1 15 \1\20", {"16", "15"}),
          refused("raw sample beyond of 16 bits.pgm", "P5 1 1 300 \2\0"s, {"512", "300"}),
          refused("two pictures.pgm", second + second, {"several pictures"}),
          refused("two pictures, line between.pgm", second + "\n" + second, {"several pictures"}),
          refused("two plain pictures.pgm", "P2 1 1 255 0\nP2 1 1 255 0\n", {"several pictures"})};
}

std::vector<OddBytes> broken_pams() {
  const auto refused = [](const std::string& name, const std::string& bytes,
                          const std::vector<std::string>& words) {
    return OddBytes{name, bytes, std::nullopt, words};
  };
  const std::string sides = "WIDTH 2\nHEIGHT 1\n";
  return {
      refused("no end.pam", "P7\nWIDTH 2\nHEIGHT 1\n", {"broken PNM"}),
      refused("nothing.pam", "P7\nENDHDR\n", {"depth"}),
      refused("no depth.pam", pam_header(sides + "MAXVAL 255\n") + "\1\2", {"depth is 0"}),
      refused("no largest value.pam", pam_header(sides + "DEPTH 1\n") + "\1\2", {"largest value"}),
      refused("no sides.pam", pam_header("DEPTH 1\nMAXVAL 255\n") + "\1\2", {"0 x 0"}),
      refused("depth 65.pam", pam_header(sides + "DEPTH 65\nMAXVAL 255\n"), {"depth is 65"}),
      refused("depth of a film.pam", pam_header(sides + "DEPTH 4000000\nMAXVAL 255\n"), {"depth"}),
      refused("RGB of 2.pam",
              pam_header(sides + "DEPTH 2\nMAXVAL 255\nTUPLTYPE RGB\n") + "\1\2\3\4",
              {"depth is 2", "RGB"}),
      refused("unknown line.pam", pam_header(sides + "COLOUR 3\n"), {"COLOUR", "WIDTH"}),
      refused("a word for a number.pam", pam_header("WIDTH two\n"), {"width"}),
      refused("bomb.pam", pam_header("WIDTH 4000\nHEIGHT 4000\nDEPTH 64\nMAXVAL 255\n"),
              {"4000 x 4000"}),
      refused("cut.pam", pam_header(sides + "DEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\n") + "\1\2\3\4\5",
              {"do not fit"})};
}

TEST(Pnm, OddFilesAreReadRightOrRefused) {
  std::vector<OddBytes> all;
  for (auto part : {whole(), broken_headers(), broken_rasters(), broken_pams()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  EXPECT_GE(all.size(), 70U);
  test::expect_read_or_refused(all);
}

// Cut anywhere, a raw file is refused: pixels are never made up.
TEST(Pnm, CutAtEveryByte) {
  for (const std::string& bytes :
       {"P4\n9 2\n\1\2\3\4"s, "P5\n3 2\n255\nabcdef"s, "P6 1 2 255 abcdef"s, "P1 3 1 010"s}) {
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      const auto refused =
          test::refusal_of([&] { return decode_pnm("cut", bytes.substr(0, length)); });
      ASSERT_TRUE(refused) << bytes << " at " << length;
      EXPECT_EQ(refused->kind, ErrorKind::failure);
    }
  }
}

TEST(Pnm, AsAMask) {
  const test::TemporaryFolder folder;
  const ImageSource source{folder.path() / "mask.pgm"};
  write_file(source.file, "P5 3 1 255 \0\1\2"s);
  EXPECT_EQ(read_mask(source).values, (std::vector<std::uint8_t>{0, 1, 2}));
  EXPECT_FALSE(read_mask(source).lossy);
}

}  // namespace
}  // namespace medurwkv::data
