// NIfTI, NRRD and MetaImage: values and places as the formats' texts say, in files written byte by
// byte; folders of them as slices.
#include "data/volumes/volume.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "data/layout/layout.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/refusal.h"
#include "support/volume_files.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using test::NiftiBytes;
using test::packed;
using test::values_of;

/// Of 4 x 3 x 2 voxels.
template <class Number>
std::vector<Number> counted(std::size_t count = 24) {
  std::vector<Number> out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<Number>(i + 1);
  return out;
}

/// slope * (1, 2, ...) + intercept from the 12 * slice + 1 on.
std::vector<double> expected_slice(std::int64_t slice, double slope = 1, double intercept = 0) {
  std::vector<double> out;
  for (int i = 1; i <= 12; ++i) {
    out.push_back(slope * static_cast<double>(12 * slice + i) + intercept);
  }
  return out;
}

class Volumes : public ::testing::Test {
 protected:
  fs::path write(const std::string& name, const std::string& bytes) {
    const fs::path file = folder_.path() / name;
    fs::create_directories(file.parent_path());
    test::write_quickly(file, bytes);
    return file;
  }
  [[nodiscard]] fs::path path() const { return folder_.path(); }

  /// Both slices are as counted.
  static void expect_counted(const fs::path& file, double slope = 1, double intercept = 0) {
    SCOPED_TRACE(file.filename().string());
    const Volume volume = read_volume(file);
    EXPECT_EQ(volume.columns, 4);
    EXPECT_EQ(volume.rows, 3);
    ASSERT_EQ(volume.slices, 2);
    ASSERT_EQ(volume.channels, 1);
    for (const std::int64_t slice : {1, 0}) {
      EXPECT_EQ(values_of(read_slice(volume, slice)), expected_slice(slice, slope, intercept));
      const ImageSource source{.file = file, .slice = slice};
      EXPECT_EQ(values_of(read_image(source)), expected_slice(slice, slope, intercept));
      EXPECT_EQ(read_image_size(source), (ImageSize{4, 3}));
    }
  }
  static std::string refused(const fs::path& file) {
    const auto refusal = test::refusal_of([&] {
      const Volume volume = read_volume(file);
      read_slice(volume, 0);
      return 0;
    });
    return refusal ? refusal->message : "";
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(Volumes, NiftiOfEveryTypeAndOrder) {
  for (const bool second : {false, true}) {
    for (const bool swapped : {false, true}) {
      const auto header = [&](std::int16_t type, std::int16_t bits) {
        return NiftiBytes(second, swapped).sides({4, 3, 2}).type(type, bits);
      };
      const auto name = [&](int type) {
        return concat(second ? "second" : "first", swapped ? "_big_" : "_", type, ".nii");
      };
      expect_counted(write(name(2), header(2, 8).with(counted<std::uint8_t>())));
      expect_counted(write(name(4), header(4, 16).with(counted<std::int16_t>())));
      expect_counted(write(name(8), header(8, 32).with(counted<std::int32_t>())));
      expect_counted(write(name(16), header(16, 32).with(counted<float>())));
      expect_counted(write(name(64), header(64, 64).with(counted<double>())));
      expect_counted(write(name(256), header(256, 8).with(counted<std::int8_t>())));
      expect_counted(write(name(512), header(512, 16).with(counted<std::uint16_t>())));
      expect_counted(write(name(768), header(768, 32).with(counted<std::uint32_t>())));
      expect_counted(write(name(1024), header(1024, 64).with(counted<std::int64_t>())));
      expect_counted(write(name(1280), header(1280, 64).with(counted<std::uint64_t>())));
      expect_counted(
          write(name(5), header(4, 16).scaling(2.5, -1000).with(counted<std::int16_t>())), 2.5,
          -1000);
      // A slope of 0 says that nothing is scaled.
      expect_counted(write(name(6), header(4, 16).scaling(0, 7).with(counted<std::int16_t>())));
    }
  }
}

TEST_F(Volumes, NiftiPackedAndInTwoFiles) {
  const NiftiBytes header = NiftiBytes().sides({4, 3, 2}).type(4, 16);
  const std::string whole = header.with(counted<std::int16_t>());
  expect_counted(write("a.nii.gz", packed(whole, true)));
  // Two members, and zeros behind.
  const std::string two = packed(whole.substr(0, 360), true) + packed(whole.substr(360), true);
  expect_counted(write("b.nii.gz", two + std::string(512, '\0')));
  std::string half = header.bytes().substr(0, 348);
  half.replace(344, 4, std::string("ni1\0", 4));
  half.replace(108, 4, std::string(4, '\0'));
  write("c.hdr", half);
  write("c.img", whole.substr(352));
  expect_counted(path() / "c.hdr");
  write("d.hdr", half);
  write("d.img.gz", packed(whole.substr(352), true));
  expect_counted(path() / "d.hdr");
  write("e.hdr", half);
  EXPECT_NE(refused(path() / "e.hdr").find("e.img, which is not there"), std::string::npos);
}

TEST_F(Volumes, ChannelsOfNifti) {
  // Modalities lie one behind the other.
  const auto four = write(
      "four.nii", NiftiBytes().sides({2, 1, 2, 3}).type(2, 8).with(counted<std::uint8_t>(12)));
  const Volume volume = read_volume(four);
  EXPECT_EQ(volume.channels, 3);
  EXPECT_EQ(values_of(read_slice(volume, 0)), (std::vector<double>{1, 5, 9, 2, 6, 10}));
  EXPECT_EQ(values_of(read_slice(volume, 1)), (std::vector<double>{3, 7, 11, 4, 8, 12}));
  // Colours lie beside each other.
  const auto rgb =
      write("rgb.nii", NiftiBytes().sides({2, 1, 2}).type(128, 24).with(counted<std::uint8_t>(12)));
  EXPECT_EQ(values_of(read_slice(read_volume(rgb), 1)), (std::vector<double>{7, 8, 9, 10, 11, 12}));
}

TEST_F(Volumes, NiftiSaysWhereItLies) {
  const auto volume_of = [&](const NiftiBytes& header) {
    return read_volume(write("g.nii", header.with(counted<std::uint8_t>())));
  };
  const auto fresh = [] { return NiftiBytes().sides({4, 3, 2}).type(2, 8); };
  // To the right and front in the file, to the left and back here.
  const Volume by_rows =
      volume_of(fresh().sform({{{-2, 0, 0, 10}, {0, -3, 0, 20}, {0, 0, 4, 30}}}));
  EXPECT_EQ(by_rows.placing.origin, (std::array<double, 3>{-10, -20, 30}));
  EXPECT_EQ(geometry_of(by_rows.placing)->spacing, (std::array<double, 3>{2, 3, 4}));
  EXPECT_EQ(geometry_of(by_rows.placing)->axes, (std::array<double, 9>{1, 0, 0, 0, 1, 0, 0, 0, 1}));
  EXPECT_EQ(by_rows.misplaced, "");
  // Half a turn around the third axis: a = 0, d = 1; the same place as above.
  const Volume by_turn = volume_of(fresh().sizes({2, 3, 4}).qform({0, 0, 1}, {10, 20, 30}));
  EXPECT_EQ(by_turn.placing, by_rows.placing);
  // qfac -1 turns the third axis.
  EXPECT_EQ(volume_of(fresh().sizes({2, 3, 4}, -1).qform({0, 0, 1}, {10, 20, 30})).placing.step[2],
            (std::array<double, 3>{0, 0, -4}));
  // Metres.
  NiftiBytes metres = fresh().sform({{{-0.002, 0, 0, 0}, {0, -0.003, 0, 0}, {0, 0, 0.004, 0}}});
  metres.set<std::int8_t>(123, 1);
  EXPECT_NEAR(geometry_of(volume_of(metres).placing)->spacing[2], 4, 1e-6);

  const Volume silent = volume_of(fresh().sizes({2, 3, 4}));
  EXPECT_EQ(silent.misplaced, "it does not say where in the patient it lies");
  EXPECT_EQ(geometry_of(silent.placing)->spacing, (std::array<double, 3>{2, 3, 4}));
  const Volume both = volume_of(fresh()
                                    .sizes({2, 3, 4})
                                    .qform({0, 0, 1}, {10, 20, 30})
                                    .sform({{{-2, 0, 0, 18}, {0, -3, 0, 20}, {0, 0, 4, 30}}}));
  EXPECT_NE(both.misplaced.find("sform and its qform"), std::string::npos);
  for (const double size : {0.0, std::nan(""), HUGE_VAL}) {
    const Volume wrong = volume_of(fresh().sizes({2, size, 4}));
    EXPECT_EQ(wrong.misplaced, "a voxel's size is 0 or no number") << size;
    EXPECT_FALSE(geometry_of(wrong.placing));
    EXPECT_EQ(values_of(read_slice(wrong, 0)), expected_slice(0));
  }
}

TEST_F(Volumes, Nrrd) {
  const auto header = [](const std::string& type, const std::string& more) {
    return concat("NRRD0004\n# a comment\ntype: ", type, "\ndimension: 3\nsizes: 4 3 2\n", more);
  };
  const std::string shorts = test::elements(counted<std::int16_t>());
  expect_counted(write("a.nrrd", header("short", "endian: little\nencoding: raw\n\n") + shorts));
  expect_counted(write(
      "b.nrrd", header("int16", "endian: little\nencoding: gzip\n\n") + packed(shorts, true)));
  std::string big = shorts;
  for (std::size_t i = 0; i + 1 < big.size(); i += 2) std::swap(big[i], big[i + 1]);
  expect_counted(write("c.nrrd", header("short", "endian: big\nencoding: raw\n\n") + big));
  expect_counted(write("d.nrrd", header("uchar", "encoding: ascii\n\n") +
                                     "1 2 3 4 5 6 7 8 9 10 11 12\n13 14 15 16 17 18\n"
                                     "19 20 21 22 23 24"));
  // Detached, and the last bytes of the file whatever stands before.
  write("e.raw", "some header" + shorts);
  expect_counted(
      write("e.nhdr",
            header("short", "endian: little\nencoding: raw\nbyte skip: -1\ndata file: e.raw\n")));
  write("f.raw", shorts);
  expect_counted(
      write("f.nhdr", header("short", "endian: little\nencoding: raw\ndatafile: f.raw")));

  const Volume placed =
      read_volume(write("g.nrrd", header("short",
                                         "endian: little\nencoding: raw\nspace: RAS\n"
                                         "space directions: (-2,0,0) (0,-3,0) (0,0,4)\n"
                                         "space origin: (10,20,30)\n\n") +
                                      shorts));
  EXPECT_EQ(placed.placing.origin, (std::array<double, 3>{-10, -20, 30}));
  EXPECT_EQ(geometry_of(placed.placing)->spacing, (std::array<double, 3>{2, 3, 4}));
  EXPECT_EQ(geometry_of(placed.placing)->axes, (std::array<double, 9>{1, 0, 0, 0, 1, 0, 0, 0, 1}));
  EXPECT_EQ(placed.misplaced, "");

  // Channels first, as 3D Slicer writes colours, and last.
  const std::string bytes = test::elements(counted<std::uint8_t>(12));
  const Volume first = read_volume(
      write("h.nrrd",
            "NRRD0004\ntype: uchar\ndimension: 4\nsizes: 3 2 1 2\nkinds: RGB-color domain "
            "domain domain\nencoding: raw\n\n" +
                bytes));
  EXPECT_EQ(values_of(read_slice(first, 1)), (std::vector<double>{7, 8, 9, 10, 11, 12}));
  const Volume last =
      read_volume(write("i.nrrd",
                        "NRRD0004\ntype: uchar\ndimension: 4\nsizes: 2 1 2 3\nkinds: domain domain "
                        "domain list\nencoding: raw\n\n" +
                            bytes));
  EXPECT_EQ(values_of(read_slice(last, 0)), (std::vector<double>{1, 5, 9, 2, 6, 10}));
}

TEST_F(Volumes, MetaImage) {
  const auto header = [](const std::string& more) {
    return concat("ObjectType = Image\nNDims = 3\nDimSize = 4 3 2\nElementType = MET_SHORT\n",
                  more);
  };
  const std::string shorts = test::elements(counted<std::int16_t>());
  expect_counted(write("a.mha", header("BinaryData = True\nElementDataFile = LOCAL\n") + shorts));
  expect_counted(write(
      "b.mha", header("CompressedData = True\nElementDataFile = LOCAL\n") + packed(shorts, false)));
  write("c.raw", shorts);
  expect_counted(write("c.mhd", header("ElementDataFile = c.raw\n")));
  write("d.raw", "a header" + shorts);
  expect_counted(write("d.mhd", header("HeaderSize = -1\nElementDataFile = d.raw\n")));
  expect_counted(write("e.mhd", header("HeaderSize = 8\nElementDataFile = d.raw\n")));
  std::string big = shorts;
  for (std::size_t i = 0; i + 1 < big.size(); i += 2) std::swap(big[i], big[i + 1]);
  expect_counted(
      write("f.mha", header("BinaryDataByteOrderMSB = True\nElementDataFile = LOCAL\n") + big));
  const Volume placed =
      read_volume(write("g.mha", header("TransformMatrix = 0 1 0 1 0 0 0 0 -1\nOffset = 1 2 3\n"
                                        "ElementSpacing = 0.5 0.25 2\nElementDataFile = LOCAL\n") +
                                     shorts));
  EXPECT_EQ(placed.placing.origin, (std::array<double, 3>{1, 2, 3}));
  EXPECT_EQ(placed.placing.step[0], (std::array<double, 3>{0, 0.5, 0}));
  EXPECT_EQ(placed.placing.step[1], (std::array<double, 3>{0.25, 0, 0}));
  EXPECT_EQ(placed.placing.step[2], (std::array<double, 3>{0, 0, -2}));
}

/// What is wrong is said; nothing is read beside the folder, and nothing of what is damaged.
TEST_F(Volumes, RefusesWhatItCannotRead) {
  const auto nifti = [] { return NiftiBytes().sides({4, 3, 2}).type(4, 16); };
  const std::vector<std::int16_t> voxels = counted<std::int16_t>();
  const std::string whole = nifti().with(voxels);
  const std::string gz = packed(whole, true);
  std::string damaged = gz;
  damaged[gz.size() - 7] = static_cast<char>(damaged[gz.size() - 7] ^ 1);  // its CRC
  const std::string nrrd = "NRRD0004\ntype: short\ndimension: 3\nsizes: 4 3 2\nendian: little\n";
  const std::string meta = "NDims = 3\nDimSize = 4 3 2\nElementType = MET_SHORT\n";
  struct Wrong {
    std::string name, bytes, said;
  };
  const std::vector<Wrong> all{
      {"cut.nii", whole.substr(0, whole.size() - 1), "is cut off"},
      {"header.nii", whole.substr(0, 347), ""},
      {"cut.nii.gz", gz.substr(0, gz.size() - 9), "is cut off"},
      {"crc.nii.gz", damaged, "damaged"},
      {"far.nii", nifti().set<float>(108, 1e9F).with(voxels), "is cut off"},
      {"before.nii", nifti().set<float>(108, 100).with(voxels), "begin at byte 100"},
      {"nan.nii", nifti().set<float>(108, NAN).with(voxels), "begin at byte"},
      {"sides0.nii", nifti().set<std::int16_t>(40, 0).with(voxels), "0 dimensions"},
      {"sides9.nii", nifti().set<std::int16_t>(40, 9).with(voxels), "9 dimensions"},
      {"negative.nii", nifti().sides({4, -3, 2}).with(voxels), "its sides are 4 x -3 x 2"},
      {"none.nii", nifti().sides({4, 0, 2}).with(voxels), "its sides are 4 x 0 x 2"},
      {"large.nii", nifti().sides({32000, 32000, 32000}).with(voxels), ""},
      {"frames.nii", nifti().sides({1, 1, 1, 100}).with(voxels), "more than 64"},
      {"complex.nii", nifti().type(32, 64).with(voxels), "type 32"},
      {"size.nii", NiftiBytes().set<std::int32_t>(0, 349).with(voxels), "349 bytes"},
      {"infinite.nii",
       NiftiBytes().sides({1, 1, 1}).type(16, 32).with(std::vector<float>{INFINITY}),
       "NaN or infinite"},
      {"out.nhdr", nrrd + "encoding: raw\ndata file: ../other.raw\n", "names ../other.raw"},
      {"root.nhdr", nrrd + "encoding: raw\ndata file: /etc/passwd\n", "names /etc/passwd"},
      {"missing.nhdr", nrrd + "encoding: raw\ndata file: none.raw\n", "none.raw"},
      {"list.nhdr", nrrd + "encoding: raw\ndata file: LIST\na\nb\n", "several files"},
      {"bzip2.nrrd", nrrd + "encoding: bzip2\n\nabc", "encoded as bzip2"},
      {"twice.nrrd", nrrd + "type: short\nencoding: raw\n\n", "says type twice"},
      {"endless.nrrd", nrrd + "encoding: raw\n", "no empty line"},
      {"five.nrrd", "NRRD0004\ntype: short\ndimension: 5\nsizes: 1 1 1 1 1\nencoding: ascii\n\n1",
       "5 dimensions"},
      {"line.nrrd", nrrd + "nonsense\nencoding: raw\n\n", "the line nonsense"},
      {"dimension.nrrd", "NRRD0004\ntype: short\ndimension: 2\nsizes: 4 3 2\nencoding: raw\n\n",
       "3 sizes"},
      {"text.nrrd", "NRRD0004\ntype: uchar\ndimension: 1\nsizes: 2\nencoding: ascii\n\n1 300",
       "300"},
      {"word.nrrd", "NRRD0004\ntype: uchar\ndimension: 1\nsizes: 2\nencoding: ascii\n\n1 x", "x"},
      {"type.mha", "NDims = 3\nDimSize = 4 3 2\nElementType = MET_FOO\nElementDataFile = LOCAL\n",
       "type MET_FOO"},
      {"sizes.mha",
       "NDims = 2\nDimSize = 4 3 2\nElementType = MET_SHORT\nElementDataFile = LOCAL\n", "3 sizes"},
      {"out.mhd", meta + "ElementDataFile = ../x.raw\n", "names ../x.raw"},
      {"cut.mha", meta + "ElementDataFile = LOCAL\nabc", "is cut off"},
      {"endless.mha", meta, "does not say ElementDataFile"},
      {"zlib.mha", meta + "CompressedData = True\nElementDataFile = LOCAL\nabcdefgh", "damaged"}};
  for (const Wrong& one : all) {
    const std::string said = refused(write(one.name, one.bytes));
    EXPECT_NE(said.find(one.said), std::string::npos) << one.name << ": " << said;
    EXPECT_NE(said, "") << one.name;
  }
}

/// Every field of a header overwritten, and the file cut everywhere: read or refused, never else.
TEST_F(Volumes, NoBytesOfAHeaderBreakIt) {
  const std::string nifti = NiftiBytes().sides({4, 3, 2}).type(4, 16).with(counted<std::int16_t>());
  const std::string nrrd =
      "NRRD0004\ntype: short\ndimension: 3\nsizes: 4 3 2\nendian: little\nspace: LPS\nspace "
      "directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\nencoding: raw\n\n" +
      test::elements(counted<std::int16_t>());
  const std::string meta =
      "NDims = 3\nDimSize = 4 3 2\nElementType = MET_SHORT\nOffset = 0 0 0\nElementSpacing = 1 1 "
      "1\nElementDataFile = LOCAL\n" +
      test::elements(counted<std::int16_t>());
  std::size_t tried = 0;
  const auto attempt = [&](const std::string& name, const std::string& bytes) {
    const auto refusal = test::refusal_of([&] {
      const fs::path file = write(name, bytes);
      const Volume volume = read_volume(file);
      read_slice(volume, volume.slices - 1);
      return 0;
    });
    EXPECT_TRUE(!refusal || refusal->kind != ErrorKind::internal) << refusal->message;
    ++tried;
  };
  for (const auto& [name, whole] :
       {std::pair{std::string("a.nii"), nifti}, std::pair{std::string("b.nrrd"), nrrd},
        std::pair{std::string("c.mha"), meta}}) {
    const std::size_t header = whole.size() - 48;
    for (std::size_t i = 0; i < header; ++i) {
      for (const char byte : {'\0', '\x7f', '\xff', '9', ' ', '\n'}) {
        std::string bytes = whole;
        bytes[i] = byte;
        attempt(name, bytes);
      }
      if (i % 8 == 0) attempt(name, whole.substr(0, i));
    }
  }
  EXPECT_GT(tried, 3000U);
}

TEST_F(Volumes, AFolderOfThemIsItsSlices) {
  const auto nifti = [](std::int16_t type, std::int16_t bits) {
    return NiftiBytes()
        .sides({4, 3, 2})
        .type(type, bits)
        .sform({{{-2, 0, 0, 0}, {0, -2, 0, 0}, {0, 0, 5, 0}}});
  };
  std::vector<std::uint8_t> labels(24);
  labels[3] = labels[20] = 1;
  for (const char* const key : {"case_001", "case_002"}) {
    write(concat("set/imagesTr/", key, "_0000.nii.gz"),
          packed(nifti(4, 16).with(counted<std::int16_t>()), true));
    write(concat("set/labelsTr/", key, ".nii.gz"), packed(nifti(2, 8).with(labels), true));
  }
  const Layout layout = find_layout(path() / "set");
  ASSERT_EQ(layout.cases.size(), 4U);
  EXPECT_TRUE(layout.broken.empty());
  EXPECT_TRUE(layout.unread.empty());
  EXPECT_EQ(layout.cases[3].id, "case_002_slice001");
  EXPECT_EQ(layout.cases[3].volume, "case_002");
  EXPECT_EQ(layout.cases[3].slice, 1);
  EXPECT_EQ(layout.cases[2].group, layout.cases[3].group);
  EXPECT_NE(layout.cases[1].group, layout.cases[2].group);
  EXPECT_EQ(values_of(read_image(layout.cases[3].images.front())), expected_slice(1));
  const MaskPixels mask = read_mask(layout.cases[3].masks.front());
  EXPECT_EQ(mask.values[8], 1);
  EXPECT_EQ(std::count(mask.values.begin(), mask.values.end(), 0), 11);

  // A label elsewhere in the patient, and one of another size.
  NiftiBytes moved = nifti(2, 8).sform({{{-2, 0, 0, 3}, {0, -2, 0, 0}, {0, 0, 5, 0}}});
  write("set/labelsTr/case_001.nii.gz", packed(moved.with(labels), true));
  Layout apart = find_layout(path() / "set");
  ASSERT_EQ(apart.broken.size(), 1U);
  EXPECT_NE(apart.broken.front().what.find("lies up to 3.0 mm from its image"), std::string::npos)
      << apart.broken.front().what;
  EXPECT_EQ(apart.cases.size(), 2U);
  write("set/labelsTr/case_001.nii.gz", packed(nifti(2, 8).sides({3, 4, 2}).with(labels), true));
  apart = find_layout(path() / "set");
  ASSERT_EQ(apart.broken.size(), 1U);
  EXPECT_NE(apart.broken.front().what.find("has 3 x 4 x 2 voxels, its image"), std::string::npos);
}

}  // namespace
}  // namespace medurwkv::data
