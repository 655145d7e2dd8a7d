// DICOM written by bytes: values, order and places as PS3.3 says, each computed by hand here.
#ifdef MEDURWKV_DICOM
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/identity.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "data/volumes/dicom.h"
#include "data/volumes/grid.h"
#include "data/volumes/series.h"
#include "data/volumes/volume.h"
#include "support/dicom_case.h"
#include "support/dicom_files.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/refusal.h"
#include "support/volume_files.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using test::ct_slice;
using test::decimals;
using test::dicom_image;
using test::DicomBytes;
using test::DicomForm;
using test::DicomSlicePlace;
using test::group;
using test::pixels_tag;
using test::placed;
using test::shared_groups;
using test::transformation;
using test::values_of;
using Values = std::vector<double>;

class Dicom : public test::DicomFiles {};

// Series.

TEST_F(Dicom, ASeriesIsOrderedByItsPlaces) {
  const auto at = [&](const std::string& name, double z, int first) {
    DicomBytes one = ct_slice({.position = {-1, 7, z}, .instance = "1.2.3." + name}, first);
    write("ct/" + name, one.text(0x00281053U, "DS", "2").text(0x00281052U, "DS", "-10"));
  };
  at("1", 20, 200);
  at("2.dcm", 0, 0);
  at("3.IMA", 10, 100);
  const Volume volume = read_volume(path() / "ct");
  EXPECT_EQ(volume.sides(), (std::array<std::int64_t, 3>{3, 2, 3}));
  // Rows are 0.25 mm apart, columns 0.5: (0028,0030) has rows first.
  EXPECT_EQ(volume.placing.origin, (std::array<double, 3>{-1, 7, 0}));
  EXPECT_EQ(volume.placing.step[0], (std::array<double, 3>{0.5, 0, 0}));
  EXPECT_EQ(volume.placing.step[1], (std::array<double, 3>{0, 0.25, 0}));
  EXPECT_EQ(volume.placing.step[2], (std::array<double, 3>{0, 0, 10}));
  EXPECT_EQ(volume.misplaced, "");
  EXPECT_EQ(slice(path() / "ct", 0), (Values{-10, -8, -6, -4, -2, 0}));
  EXPECT_EQ(slice(path() / "ct", 1), (Values{190, 192, 194, 196, 198, 200}));
  EXPECT_EQ(slice(path() / "ct", 2), (Values{390, 392, 394, 396, 398, 400}));
  EXPECT_EQ(read_image_size(ImageSource{.file = path() / "ct", .slice = 1}), (ImageSize{3, 2}));
  const Image image = read_image(ImageSource{.file = path() / "ct", .slice = 0});
  ASSERT_TRUE(image.geometry);
  EXPECT_EQ(image.geometry->spacing, (std::array<double, 3>{0.5, 0.25, 10}));
}

TEST_F(Dicom, ASeriesSeenFromTheSide) {
  // Columns to the back, rows to the feet: what stands upright on them points to the right.
  for (const int x : {1, 5, 3}) {
    write(concat("s/", x), ct_slice({.position = {1.0 * x, 0, 0},
                                     .orientation = {0, 1, 0, 0, 0, -1},
                                     .instance = concat("1.2.3.", x)},
                                    x));
  }
  const Volume volume = read_volume(path() / "s");
  EXPECT_EQ(volume.placing.origin, (std::array<double, 3>{5, 0, 0}));
  EXPECT_EQ(volume.placing.step[0], (std::array<double, 3>{0, 0.5, 0}));
  EXPECT_EQ(volume.placing.step[1], (std::array<double, 3>{0, 0, -0.25}));
  EXPECT_EQ(volume.placing.step[2], (std::array<double, 3>{-2, 0, 0}));
  EXPECT_EQ(slice(volume, 0).front(), 5);
  EXPECT_EQ(slice(volume, 2).front(), 1);
}

TEST_F(Dicom, EverySliceHasItsOwnScale) {
  const auto pet = [&](const std::string& name, double z, const std::string& slope) {
    DicomBytes one = ct_slice({.position = {0, 0, z}, .instance = "1.2.3." + name}, 10);
    write("pet/" + name, one.text(0x00080060U, "CS", "PT").text(0x00281053U, "DS", slope));
  };
  pet("1", 0, "0.5");
  pet("2", 4, "3");
  EXPECT_EQ(slice(path() / "pet", 0), (Values{5, 5.5, 6, 6.5, 7, 7.5}));
  EXPECT_EQ(slice(path() / "pet", 1), (Values{30, 33, 36, 39, 42, 45}));
}

TEST_F(Dicom, SeriesMixedInAFolder) {
  const auto add = [&](const std::string& name, double z, const std::string& series,
                       const std::string& number, int first) {
    return write("mixed/" + name, ct_slice({.position = {0, 0, z},
                                            .instance = "1.2.3." + name,
                                            .series = series,
                                            .number = number},
                                           first));
  };
  add("a", 1, "1.2.4", "7", 40);
  add("b", 0, "1.2.3", "3", 10);
  add("c", 0, "1.2.4", "7", 30);
  add("d", 1, "1.2.3", "3", 20);
  const fs::path report =
      write("mixed/report", DicomBytes().text(0x00080016U, "UI", "1.2.840.10008.5.1.4.1.1.88.11"));
  const fs::path alone =
      write("mixed/photo.dcm", dicom_image(2, 1, 8).text(pixels_tag, "OB", "ab"));
  const fs::path broken = write("mixed/broken.dcm", ct_slice({}, 0).file().substr(0, 400));
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path() / "mixed")) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  EXPECT_EQ(with_series(files), (std::vector<fs::path>{broken, alone, path() / "mixed/series-3",
                                                       path() / "mixed/series-7"}));
  EXPECT_EQ(slice(path() / "mixed/series-3", 0).front(), 10);
  EXPECT_EQ(slice(path() / "mixed/series-3", 1).front(), 20);
  EXPECT_EQ(slice(path() / "mixed/series-7", 0).front(), 30);
  EXPECT_EQ(slice(path() / "mixed/series-7", 1).front(), 40);
  EXPECT_TRUE(is_series(path() / "mixed/series-7"));
  EXPECT_FALSE(is_series(path() / "mixed/series-8"));
  EXPECT_FALSE(is_series(path() / "mixed"));
  EXPECT_NE(refused(path() / "mixed").find("holds several series: series-3, series-7"),
            std::string::npos);
  EXPECT_NE(refused(report).find("without pixels"), std::string::npos);
  EXPECT_EQ(files_behind(path() / "mixed/series-7"),
            (std::vector<fs::path>{path() / "mixed/a", path() / "mixed/c"}));
  // Two of one number are told apart by what their identifiers hash to.
  for (const int i : {1, 2, 3, 4}) {
    write(concat("same/", i), ct_slice({.position = {0, 0, 1.0 * i},
                                        .instance = concat("1.2.3.", i),
                                        .series = i < 3 ? "1.2.5" : "1.2.6",
                                        .number = "4"},
                                       i));
  }
  std::vector<fs::path> same;
  for (const int i : {1, 2, 3, 4}) same.push_back(path() / "same" / std::to_string(i));
  const std::vector<fs::path> named = with_series(same);
  ASSERT_EQ(named.size(), 2U);
  for (const fs::path& one : named) EXPECT_EQ(one.filename().string().size(), 15U) << one;
}

TEST_F(Dicom, WhatMakesNoVolumeIsRefused) {
  const auto add = [&](const std::string& name, const DicomSlicePlace& place) {
    return ct_slice(place, 0).text(0x00080018U, "UI", "1.2.3." + name);
  };
  write("twice/1", add("1", {.position = {0, 0, 1}}));
  write("twice/2", add("2", {.position = {0, 0, 2}}));
  write("twice/3", add("3", {.position = {5, 0, 2}}));
  const std::string twice = refused(path() / "twice");
  EXPECT_NE(twice.find("several images at one place in the patient, as 2 and 3"), std::string::npos)
      << twice;
  write("unlike/1", add("1", {.position = {0, 0, 1}}));
  write("unlike/2", add("2", {.position = {0, 0, 2}, .orientation = {0, 1, 0, 0, 0, -1}}));
  const std::string unlike = refused(path() / "unlike");
  EXPECT_NE(unlike.find("unlike directions, as 1 and 2"), std::string::npos) << unlike;
  write("kinds/1", add("1", {.position = {0, 0, 1}}));
  write("kinds/2", add("2", {.position = {0, 0, 2}}).us(0x00280010U, 1));
  const std::string kinds = refused(path() / "kinds");
  EXPECT_NE(kinds.find("not of one kind: 1 is 3 x 2"), std::string::npos) << kinds;
  EXPECT_NE(kinds.find("2 3 x 1"), std::string::npos) << kinds;
}

TEST_F(Dicom, UnevenSeriesSayThatTheyAre) {
  for (const double z : {0.0, 2.0, 4.0, 8.0, 10.0}) {
    write(concat("gap/", z), ct_slice({.position = {0, 0, z}, .instance = concat("1.2.3.", z)}, 0));
  }
  const Volume gap = read_volume(path() / "gap");
  EXPECT_EQ(gap.misplaced,
            "between its slices 2 and 3 are 4.00 mm, between others 2.00: a slice is missing");
  // The line of the slices leans by atan(1 / 2) = 26.565 degrees to the back.
  for (const double z : {0.0, 2.0, 4.0}) {
    write(concat("tilt/", z),
          ct_slice({.position = {0, z / 2, z}, .instance = concat("1.2.3.", z)}, 0));
  }
  const Volume tilt = read_volume(path() / "tilt");
  EXPECT_EQ(tilt.placing.step[2], (std::array<double, 3>{0, 1, 2}));
  EXPECT_NE(tilt.misplaced.find("tilted by 26.6 degrees"), std::string::npos) << tilt.misplaced;
  // Voxels do not depend on it.
  EXPECT_EQ(slice(tilt, 2), (Values{0, 1, 2, 3, 4, 5}));
}

// Samples.

TEST_F(Dicom, StoredBits) {
  const auto ct = [&](int allocated, int stored, int high, bool sign) {
    DicomBytes out = dicom_image(2, 2, allocated);
    return placed(out, {})
        .us(0x00280101U, stored)
        .us(0x00280102U, high)
        .us(0x00280103U, sign ? 1 : 0);
  };
  // 12 bits with something above them, which is no part of the number.
  EXPECT_EQ(read(ct(16, 12, 11, false)
                     .numbers<std::uint16_t>(pixels_tag, "OW", {0xf123, 0x0fff, 0x8000, 0x1001})),
            (Values{0x123, 0xfff, 0, 1}));
  EXPECT_EQ(read(ct(16, 12, 15, false)
                     .numbers<std::uint16_t>(pixels_tag, "OW", {0x1230, 0xffff, 0x000f, 0x0010})),
            (Values{0x123, 0xfff, 0, 1}));
  EXPECT_EQ(read(ct(16, 12, 13, false)
                     .numbers<std::uint16_t>(pixels_tag, "OW", {0x048f, 0x3fff, 0xc003, 0x0004})),
            (Values{0x123, 0xfff, 0, 1}));
  EXPECT_EQ(read(ct(16, 12, 11, true)
                     .numbers<std::uint16_t>(pixels_tag, "OW", {0x0fff, 0x0800, 0xa7ff, 0x0001})),
            (Values{-1, -2048, 2047, 1}));
  EXPECT_EQ(
      read(ct(16, 16, 15, true).numbers<std::int16_t>(pixels_tag, "OW", {-5, 32767, -32768, 0})),
      (Values{-5, 32767, -32768, 0}));
  EXPECT_EQ(read(ct(8, 8, 7, true).numbers<std::uint8_t>(pixels_tag, "OB", {255, 128, 127, 0})),
            (Values{-1, -128, 127, 0}));
  // Floats hold 4,000,000,000 = 15,625,000 * 256.
  EXPECT_EQ(read(ct(32, 32, 31, false)
                     .numbers<std::uint32_t>(pixels_tag, "OW", {4000000000U, 1, 0, 65536})),
            (Values{4e9, 1, 0, 65536}));
  EXPECT_EQ(
      read(ct(32, 32, 31, true).numbers<std::int32_t>(pixels_tag, "OW", {-70000, 1, 0, 65536})),
      (Values{-70000, 1, 0, 65536}));
  EXPECT_EQ(read(ct(32, 20, 19, true)
                     .numbers<std::uint32_t>(pixels_tag, "OW", {0xabcfffffU, 0x80000, 0x7ffff, 0})),
            (Values{-1, -524288, 524287, 0}));
}

TEST_F(Dicom, EveryFormOfWriting) {
  DicomBytes words = ct_slice({}, 0x1234);
  words.us(0x00280103U, 0)
      .sequence(0x00081140U, {DicomBytes().text(0x00081155U, "UI", "1.2"), DicomBytes()});
  DicomBytes bytes = dicom_image(3, 2, 8);
  bytes.numbers<std::uint8_t>(pixels_tag, "OW", {1, 2, 3, 4, 5, 6});
  placed(bytes, {});
  // In big endian, words of two pixels each are turned.
  DicomBytes turned = bytes;
  turned.numbers<std::uint16_t>(pixels_tag, "OW", {0x0201, 0x0403, 0x0605});
  DicomBytes longs = dicom_image(2, 1, 32);
  longs.numbers<std::uint32_t>(pixels_tag, "OW", {70000, 131073});
  placed(longs, {});
  for (const bool undefined : {false, true}) {
    for (const DicomForm& form :
         {DicomForm{.undefined = undefined}, DicomForm{.implicit = true, .undefined = undefined},
          DicomForm{.big = true, .undefined = undefined}}) {
      SCOPED_TRACE(form.uid());
      EXPECT_EQ(read(words, form), (Values{0x1234, 0x1235, 0x1236, 0x1237, 0x1238, 0x1239}));
      EXPECT_EQ(read(form.big ? turned : bytes, form), (Values{1, 2, 3, 4, 5, 6}));
      EXPECT_EQ(read(longs, form), (Values{70000, 131073}));
    }
  }
  // Private elements, and a file without preamble.
  DicomBytes more = words;
  more.text(0x00090010U, "LO", "MAKER").text(0x00091001U, "UN", std::string(7, '\xff'));
  more.sequence(0x00091002U, {DicomBytes().text(0x00200032U, "DS", "9\\9\\9")});
  EXPECT_EQ(read(more, {.undefined = true}).front(), 0x1234);
  EXPECT_EQ(values_of(read_image(write("bare.dcm", words.set()))).front(), 0x1234);
  // The content says what it is.
  EXPECT_EQ(values_of(read_image(write("picture.png", words))).front(), 0x1234);
}

// Shades and colours.

TEST_F(Dicom, ShadesOfMonochrome) {
  const auto gray = [](const std::vector<std::uint8_t>& pixels) {
    return dicom_image(static_cast<int>(pixels.size()), 1, 8).numbers(pixels_tag, "OB", pixels);
  };
  EXPECT_EQ(read(gray({0, 255, 51, 7})), (Values{0, 255, 51, 7}));
  EXPECT_EQ(read(gray({0, 255, 51, 7}).text(0x00280004U, "CS", "MONOCHROME1")),
            (Values{255, 0, 204, 248}));
  // Measured values are not turned: the darkest shade of MONOCHROME1 is the largest number.
  DicomBytes measured = gray({0, 255, 51, 7}).text(0x00280004U, "CS", "MONOCHROME1");
  EXPECT_EQ(read(measured.text(0x00080060U, "CS", "CT")), (Values{0, 255, 51, 7}));
  // 10 bits: 0 to 1023 over 0 to 65535; 341 * 65535 / 1023 = 21845.
  DicomBytes ten = dicom_image(2, 1, 16).us(0x00280101U, 10).us(0x00280102U, 9);
  EXPECT_EQ(read(ten.numbers<std::uint16_t>(pixels_tag, "OW", {1023, 341})),
            (Values{65535, 21845}));

  const auto windowed = [&](const std::string& center, const std::string& width,
                            const std::string& function, const std::vector<std::uint8_t>& pixels) {
    DicomBytes out = gray(pixels).text(0x00281050U, "DS", center).text(0x00281051U, "DS", width);
    if (!function.empty()) out.text(0x00281056U, "CS", function);
    return out;
  };
  // (x - 100) / 100 + 1/2; a second window is another view.
  EXPECT_EQ(read(windowed("100.5\\7", "101\\9", "", {50, 100, 150, 75, 0, 200})),
            (Values{0, 128, 255, 64, 0, 255}));
  EXPECT_EQ(read(windowed("100", "100", "LINEAR_EXACT", {50, 100, 150, 75})),
            (Values{0, 128, 255, 64}));
  // 1 / (1 + e^-1) = 0.73106 of 255.
  EXPECT_EQ(read(windowed("100", "40", "SIGMOID", {100, 110})), (Values{128, 186}));
  EXPECT_EQ(read(windowed("100", "1", "", {99, 100})), (Values{0, 255}));
  // The window is one of rescaled values: 2 x - 100.
  EXPECT_EQ(read(windowed("100.5", "101", "", {75, 100, 125, 0})
                     .text(0x00281053U, "DS", "2")
                     .text(0x00281052U, "DS", "-100")),
            (Values{0, 128, 255, 0}));

  const auto table = [](std::uint16_t first, const std::vector<std::uint16_t>& entries, int bits) {
    return DicomBytes()
        .numbers<std::uint16_t>(
            0x00283002U, "US",
            {static_cast<std::uint16_t>(entries.size()), first, static_cast<std::uint16_t>(bits)})
        .numbers(0x00283006U, "US", entries);
  };
  // A table to look at goes before a window.
  EXPECT_EQ(read(windowed("100", "1", "", {9, 10, 11, 12, 13, 99})
                     .sequence(0x00283010U, {table(10, {0, 85, 170, 255}, 8)})),
            (Values{0, 0, 85, 170, 255, 255}));
  // Of a table to values the range is that of its entries: 0, 10, 20, 40.
  EXPECT_EQ(read(gray({0, 1, 2, 3}).sequence(0x00283000U, {table(0, {0, 10, 20, 40}, 16)})),
            (Values{0, 64, 128, 255}));
}

TEST_F(Dicom, Palettes) {
  const auto with = [](const std::vector<std::uint8_t>& pixels, int bits, int count, int first) {
    DicomBytes out = dicom_image(static_cast<int>(pixels.size()), 1, 8);
    out.text(0x00280004U, "CS", "PALETTE COLOR").numbers(pixels_tag, "OB", pixels);
    for (const std::uint32_t tag : {0x00281101U, 0x00281102U, 0x00281103U}) {
      out.numbers<std::uint16_t>(
          tag, "US",
          {static_cast<std::uint16_t>(count), static_cast<std::uint16_t>(first),
           static_cast<std::uint16_t>(bits)});
    }
    return out;
  };
  // 8 bits, two entries in a word, the first in its low byte.
  EXPECT_EQ(read(with({0, 3, 1, 9}, 8, 4, 0)
                     .numbers<std::uint16_t>(0x00281201U, "OW", {0x140a, 0x281e})
                     .numbers<std::uint16_t>(0x00281202U, "OW", {0x0201, 0x0403})
                     .numbers<std::uint16_t>(0x00281203U, "OW", {0, 0xff00})),
            (Values{10, 1, 0, 40, 4, 255, 20, 2, 0, 40, 4, 255}));
  // 16 bits from 100 on: 65535 -> 255, 1285 = 5 * 257, 32896 = 128 * 257.
  const std::vector<std::uint16_t> wide{0, 65535, 1285, 32896};
  EXPECT_EQ(read(with({99, 100, 101, 102, 103, 200}, 16, 4, 100)
                     .numbers(0x00281201U, "OW", wide)
                     .numbers<std::uint16_t>(0x00281202U, "OW", {0, 0, 0, 0})
                     .numbers(0x00281203U, "OW", wide)),
            (Values{0, 0, 0, 0, 0, 0, 255, 0, 255, 5, 0, 5, 128, 0, 128, 128, 0, 128}));
}

TEST_F(Dicom, Colors) {
  const auto color = [](int columns, const std::string& kind, int planar,
                        const std::vector<std::uint8_t>& pixels) {
    return dicom_image(columns, 1, 8)
        .us(0x00280002U, 3)
        .text(0x00280004U, "CS", kind)
        .us(0x00280006U, planar)
        .numbers(pixels_tag, "OB", pixels);
  };
  EXPECT_EQ(read(color(2, "RGB", 0, {1, 3, 5, 2, 4, 6})), (Values{1, 3, 5, 2, 4, 6}));
  EXPECT_EQ(read(color(2, "RGB", 1, {1, 2, 3, 4, 5, 6})), (Values{1, 3, 5, 2, 4, 6}));
  // Red: 76 + 1.402 * 127 = 254.05, 76 + 0.344136 * 43 - 0.714136 * 127 = 0.10, 76 - 1.772 * 43 <
  // 0.
  EXPECT_EQ(read(color(2, "YBR_FULL", 0, {100, 128, 128, 76, 85, 255})),
            (Values{100, 100, 100, 254, 0, 0}));
  EXPECT_EQ(read(color(2, "YBR_FULL", 1, {100, 76, 128, 85, 128, 255})),
            (Values{100, 100, 100, 254, 0, 0}));
  // Two luminances, then the differences that both pixels share.
  EXPECT_EQ(read(color(4, "YBR_FULL_422", 0, {100, 50, 128, 128, 76, 76, 85, 255})),
            (Values{100, 100, 100, 50, 50, 50, 254, 0, 0, 254, 0, 0}));
}

// Several frames in a file.

TEST_F(Dicom, EnhancedFramesInAnotherOrder) {
  DicomBytes file = dicom_image(2, 1, 16).text(0x00080060U, "CS", "MR");
  file.text(0x00280008U, "IS", "3");
  file.sequence(0x52009229U, {shared_groups().sequence(0x00289145U, {transformation("2", "1")})});
  file.sequence(0x52009230U,
                {group({{1, 2, 9}}), group({{1, 2, 3}}),
                 group({{1, 2, 6}}).sequence(0x00289145U, {transformation("10", "0")})});
  file.numbers<std::uint16_t>(pixels_tag, "OW", {1, 2, 3, 4, 5, 6});
  for (const bool undefined : {false, true}) {
    const Volume volume = read_volume(write(file, {.undefined = undefined}));
    EXPECT_EQ(volume.placing.origin, (std::array<double, 3>{1, 2, 3}));
    EXPECT_EQ(volume.placing.step[0], (std::array<double, 3>{0.5, 0, 0}));
    EXPECT_EQ(volume.placing.step[2], (std::array<double, 3>{0, 0, 3}));
    EXPECT_EQ(volume.misplaced, "");
    ASSERT_EQ(volume.slices, 3);
    EXPECT_EQ(slice(volume, 0), (Values{7, 9}));
    EXPECT_EQ(slice(volume, 1), (Values{50, 60}));
    EXPECT_EQ(slice(volume, 2), (Values{3, 5}));
  }
}

TEST_F(Dicom, AClipHasNoPlaces) {
  const fs::path clip = write(dicom_image(2, 1, 8)
                                  .text(0x00280008U, "IS", "3")
                                  .numbers<std::uint8_t>(pixels_tag, "OB", {1, 2, 3, 4, 5, 6}));
  const Volume volume = read_volume(clip);
  EXPECT_EQ(volume.slices, 3);
  EXPECT_EQ(volume.misplaced, "it does not say where it lies in the patient");
  EXPECT_EQ(slice(clip, 0), (Values{1, 2}));
  EXPECT_EQ(slice(clip, 2), (Values{5, 6}));
  const auto whole = test::refusal_of([&] { return read_image(clip); });
  ASSERT_TRUE(whole);
  EXPECT_TRUE(whole->names("volume of 3 slices")) << whole->message;
}

// Identity.

TEST_F(Dicom, IdentitiesBecomePseudonyms) {
  DicomBytes named = ct_slice({}, 0);
  named.text(0x00100010U, "PN", "QUUXMAN^Blorbine").text(0x00100020U, "LO", "ZQ-99817");
  named.text(0x00100030U, "DA", "19520229");
  const auto known = dicom_file(write(named));
  EXPECT_EQ(known->patient, "ZQ-99817");
  EXPECT_EQ(known->identity,
            (std::vector<std::string>{"PatientName", "PatientID", "PatientBirthDate"}));
  for (const char* text :
       {"scan of Quuxman", "blorbine.nii", "ID zq-99817", "born 1952-02-29", "19520229"}) {
    const std::string without = without_identity(text);
    EXPECT_NE(without.find("p-"), std::string::npos) << without;
    for (const char* word : {"uuxman", "lorbine", "99817", "0229", "02-29"}) {
      EXPECT_EQ(without.find(word), std::string::npos) << without;
    }
  }
  EXPECT_EQ(without_identity("a quuxmannian scan"), "a quuxmannian scan");
  // A file that is said to be rid of them is believed.
  DicomBytes rid = ct_slice({}, 0);
  rid.text(0x00100010U, "PN", "WIBBLESON^Anton").text(0x00120062U, "CS", "YES");
  EXPECT_TRUE(dicom_file(write(rid))->identity.empty());
  EXPECT_EQ(without_identity("wibbleson"), "wibbleson");
}

}  // namespace
}  // namespace medurwkv::data
#endif
