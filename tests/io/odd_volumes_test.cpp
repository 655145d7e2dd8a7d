// NIfTI, NRRD and MetaImage as programs and enemies write them: each file is read right, or refused
// by name with the reason, in time and memory that follow from its size.
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "core/text.h"
#include "data/layout/layout.h"
#include "data/volumes/volume.h"
#include "support/hostile.h"
#include "support/images.h"
#include "support/odd_volumes.h"
#include "support/paths.h"
#include "support/volume_files.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using test::elements;
using test::NiftiBytes;
using test::OddVolume;
using test::packed;
using Values = std::vector<double>;

const Values right{1, 2, 3, 4, 5, 6, 7, 8};
const std::vector<std::int16_t> shorts{1, 2, 3, 4, 5, 6, 7, 8};

OddVolume read(const std::string& name, const std::string& bytes, const Values& values = right) {
  return {.name = name, .bytes = bytes, .values = values};
}
OddVolume refused(const std::string& name, const std::string& bytes, const std::string& said) {
  return {.name = name, .bytes = bytes, .said = said};
}
OddVolume misplaced(const std::string& name, const std::string& bytes, const std::string& said) {
  OddVolume out = read(name, bytes);
  out.misplaced = said;
  return out;
}
OddVolume beside(OddVolume odd, const std::string& name, const std::string& bytes) {
  odd.beside[name] = bytes;
  return odd;
}

/// 2 x 2 x 2 voxels of int16.
NiftiBytes nifti(bool second = false) {
  return NiftiBytes(second).sides({2, 2, 2}).type(4, 16);
}

std::string file_of(const NiftiBytes& header) {
  return header.with(shorts);
}

// NIfTI.

std::vector<OddVolume> odd_nifti_headers() {
  const auto with = [](std::size_t place, auto value) {
    return file_of(nifti().set(place, value));
  };
  const auto second = [](std::size_t place, auto value) {
    return file_of(nifti(true).set(place, value));
  };
  const std::string whole = file_of(nifti());
  std::string no_magic = whole;
  no_magic.replace(344, 4, 4, '\0');
  std::string swapped_length = whole;
  swapped_length.replace(0, 4, std::string("\0\0\1\x5c", 4));
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  constexpr float infinite = std::numeric_limits<float>::infinity();
  const std::int64_t huge = std::int64_t{1} << 62;
  return {
      refused("empty.nii", "", "is no NIfTI"),
      refused("zeros.nii", std::string(1000, '\0'), "is no NIfTI"),
      refused("text.nii", "these are no voxels", "is no NIfTI"),
      refused("analyze.nii", no_magic, "is no NIfTI"),
      refused("half a header.nii", whole.substr(0, 200), "is no NIfTI"),
      refused("header alone.nii", whole.substr(0, 348), "is cut off"),
      refused("one byte less.nii", whole.substr(0, whole.size() - 1), "is cut off"),
      read("one byte more.nii", whole + "x"),
      refused("length of another order.nii", swapped_length, "dimensions"),
      refused("no dimension.nii", with(40, std::int16_t{0}), "0 dimensions"),
      refused("8 dimensions.nii", with(40, std::int16_t{8}), "8 dimensions"),
      refused("-3 dimensions.nii", with(40, std::int16_t{-3}), "-3 dimensions"),
      refused("a side of 0.nii", with(44, std::int16_t{0}), "2 x 0 x 2"),
      refused("a side of -1.nii", with(46, std::int16_t{-1}), "2 x 2 x -1"),
      refused("a side of 32767.nii", with(46, std::int16_t{32767}), "is cut off"),
      read("seven dimensions.nii", file_of(nifti().sides({2, 2, 2, 1, 1, 1, 1}))),
      read("four dimensions.nii", file_of(nifti().sides({2, 2, 1, 2})), {1, 5, 2, 6, 3, 7, 4, 8}),
      refused("7 sides of 32767.nii",
              file_of(nifti().sides({32767, 32767, 32767, 32767, 32767, 32767, 32767})),
              "channels"),
      refused("4th side of -2.nii", file_of(nifti().sides({2, 2, 2, -2})), "a wrong number of"),
      read("4 sides of which 3 are said.nii", with(48, std::int16_t{-5})),
      refused("a bit each.nii", file_of(nifti().type(1, 1)), "type 1 "),
      refused("complex.nii", file_of(nifti().type(32, 64)), "type 32"),
      refused("128 bits.nii", file_of(nifti().type(1536, 128)), "type 1536"),
      refused("RGBA.nii", file_of(nifti().type(2304, 32)), "type 2304"),
      refused("type -4.nii", file_of(nifti().type(-4, 16)), "type -4"),
      read("bits of another type.nii", file_of(nifti().type(4, 64))),
      refused("starts at 1e30.nii", with(108, 1e30F), "begin at byte"),
      refused("starts at -352.nii", with(108, -352.0F), "begin at byte"),
      refused("starts at NaN.nii", with(108, nan), "begin at byte"),
      refused("starts at infinity.nii", with(108, infinite), "begin at byte"),
      refused("starts within its header.nii", with(108, 300.0F), "begin at byte"),
      refused("starts at half a byte.nii", with(108, 352.5F), "begin at byte"),
      refused("starts behind its end.nii", with(108, 4000.0F), "is cut off"),
      read("starts at 0.nii", with(108, 0.0F)),
      refused("slope without intercept.nii", file_of(nifti().scaling(2, std::nan(""))),
              "scl_inter"),
      refused("slope to infinity.nii", file_of(nifti().scaling(3e38, 3e38)), "NaN or infinite"),
      read("slope of NaN.nii", file_of(nifti().scaling(std::nan(""), 5))),
      read("slope of -1.nii", file_of(nifti().scaling(-1, 0)), {-1, -2, -3, -4, -5, -6, -7, -8}),
      refused("NaN.nii", nifti().type(16, 32).with(std::vector<float>{1, nan, 3, 4, 5, 6, 7, 8}),
              "NaN or infinite"),
      refused("1e300.nii",
              nifti().type(64, 64).with(std::vector<double>{1, 1e300, 3, 4, 5, 6, 7, 8}),
              "NaN or infinite"),
      refused("second of 2^62.nii", second(24, huge), "no sound"),
      refused("second of 2^62 volumes.nii", file_of(nifti(true).sides({2, 2, 2, huge})),
              "a wrong number of"),
      refused("second with 2^40 dimensions.nii", second(16, std::int64_t{1} << 40),
              "1099511627776 dimensions"),
      refused("second starts at 2^62.nii", second(168, huge), "begin at byte"),
      refused("second starts at -1.nii", second(168, std::int64_t{-1}), "begin at byte"),
      refused("second cut.nii", file_of(nifti(true)).substr(0, 400), "cut off in its header"),
      read("second.nii", file_of(nifti(true))),
      beside(refused("two files in one.nii",
                     std::string(whole).replace(344, 4, std::string("ni1\0", 4)), "is not there"),
             "unused", "x"),
  };
}

std::vector<OddVolume> odd_nifti_places() {
  const auto sized = [](double x, double y, double z) { return file_of(nifti().sizes({x, y, z})); };
  const double nan = std::nan("");
  const auto rows = [](double x) {
    return file_of(nifti().sform({{{x, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}}));
  };
  return {
      misplaced("size 0.nii", sized(0, 1, 1), "a voxel's size is 0"),
      misplaced("size NaN.nii", sized(1, nan, 1), "a voxel's size is 0 or no number"),
      misplaced("size infinite.nii", sized(1, 1, HUGE_VAL), "a voxel's size is 0 or no number"),
      misplaced("size negative.nii", sized(1, -1, 1), "negative"),
      misplaced("sform of zeros.nii", rows(0), "a voxel's size is 0"),
      misplaced("sform of NaN.nii", rows(nan), "a voxel's size is 0 or no number"),
      misplaced("quaternion of 9.nii", file_of(nifti().qform({9, 9, 9}, {0, 0, 0})), ""),
      misplaced("quaternion of NaN.nii", file_of(nifti().qform({nan, 0, 0}, {0, 0, 0})),
                "a voxel's size is 0 or no number"),
      misplaced("offset of NaN.nii", file_of(nifti().qform({0, 0, 0}, {nan, 0, 0})),
                "a voxel's size is 0 or no number"),
      misplaced("sform against qform.nii",
                file_of(nifti()
                            .qform({0, 0, 0}, {0, 0, 50})
                            .sform({{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}})),
                "sform and its qform"),
      misplaced("silent.nii", file_of(nifti()), "does not say where"),
      misplaced("codes of -1.nii",
                file_of(nifti().set(252, std::int16_t{-1}).set(254, std::int16_t{-1})),
                "does not say where"),
  };
}

std::vector<OddVolume> odd_nifti_packed() {
  const std::string whole = file_of(nifti());
  const std::string gz = packed(whole, true);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += packed("", true);
  std::string crc = gz;
  crc[gz.size() - 6] = static_cast<char>(crc[gz.size() - 6] ^ 1);
  std::string length = gz;
  length[gz.size() - 1] = static_cast<char>(length[gz.size() - 1] ^ 1);
  std::string half = nifti().bytes().substr(0, 348);
  half.replace(344, 4, std::string("ni1\0", 4));
  half.replace(108, 4, std::string(4, '\0'));
  const std::string voxels = elements(shorts);
  // 200 MB of zeros behind the voxels, and 2 GB of voxels that are claimed.
  const std::string bomb = packed(whole + std::string(200'000'000, '\0'), true);
  const std::string claimed = packed(
      NiftiBytes().sides({20000, 20000, 2}).type(4, 16).bytes() + std::string(4'000'000, '\0'),
      true);
  return {
      read("a.nii.gz", gz),
      read("no suffix", gz),
      read("really packed.nii", gz),
      read("two members.nii.gz",
           packed(whole.substr(0, 350), true) + packed(whole.substr(350), true)),
      read("1,000 empty members.nii.gz", many + gz),
      read("zeros behind.nii.gz", gz + std::string(4096, '\0')),
      refused("junk behind.nii.gz", gz + std::string(100, 'x'), "damaged"),
      refused("cut.nii.gz", gz.substr(0, gz.size() / 2), "."),
      refused("cut checksum.nii.gz", gz.substr(0, gz.size() - 4), "is cut off"),
      refused("wrong checksum.nii.gz", crc, "damaged"),
      refused("wrong length.nii.gz", length, "damaged"),
      refused("start alone.nii.gz", gz.substr(0, 10), "is no NIfTI"),
      refused("two bytes.nii.gz", gz.substr(0, 2), "is no NIfTI"),
      refused("packed twice.nii.gz", packed(gz, true), "is no NIfTI"),
      refused("bomb behind.nii.gz", bomb, "more than its header says"),
      refused("bomb claimed.nii.gz", claimed, "cannot hold"),
      refused("starts in the void.nii.gz", packed(nifti().set<float>(108, 1e8F).with(shorts), true),
              "cannot hold"),
      refused("starts behind.nii.gz", packed(nifti().set<float>(108, 10000).with(shorts), true),
              "is cut off"),
      beside(read("b.hdr", half), "b.img", voxels),
      beside(read("c.hdr", half), "c.img.gz", packed(voxels, true)),
      beside(read("D.HDR", half), "D.IMG", voxels),
      beside(read("e.hdr.gz", packed(half, true)), "e.img.gz", packed(voxels, true)),
      beside(refused("f.hdr", half, "f.img"), "f.img", voxels.substr(1)),
      beside(refused("g.hdr", half, "g.img"), "g.img", ""),
      beside(refused("h.hdr", half, "h.img"), "h.img.gz", packed(voxels, true).substr(0, 20)),
      refused("i.hdr", half, "i.img, which is not there"),
  };
}

// NRRD.

std::string nrrd(const std::string& more, const std::string& sizes = "2 2 2",
                 const std::string& dimension = "3", const std::string& type = "short") {
  return concat("NRRD0004\ntype: ", type, "\ndimension: ", dimension, "\nsizes: ", sizes, "\n",
                more);
}

std::vector<OddVolume> odd_nrrds() {
  const std::string raw = "endian: little\nencoding: raw\n";
  const std::string voxels = elements(shorts);
  const std::string plain = nrrd(raw + "\n") + voxels;
  const auto text = [](const std::string& type, const std::string& numbers) {
    return nrrd("encoding: ascii\n\n", "2 2 2", "3", type) + numbers;
  };
  const auto placed = [&](const std::string& place) { return nrrd(raw + place + "\n\n") + voxels; };
  const std::string vectors = "space directions: (1,0,0) (0,1,0) (0,0,1)";
  std::string windows = plain.substr(0, plain.size() - voxels.size());
  for (std::size_t at = 0; (at = windows.find('\n', at)) != std::string::npos; at += 2) {
    windows.replace(at, 1, "\r\n");
  }
  const std::string size_of_all = "2000 2000 2000";
  return {
      read("plain.nrrd", plain),
      read("of Windows.nrrd", windows + voxels),
      read("comments.nrrd", nrrd("# x: y\n#\nkey:=value: x\n" + raw + "\n") + voxels),
      read("kinds.nrrd", nrrd("kinds: domain domain domain\n" + raw + "\n") + voxels),
      read("of the sixth version.nrrd", std::string(plain).replace(7, 1, "9")),
      refused("name alone.nrrd", "NRRD0004", "no NIfTI"),
      refused("name and line.nrrd", "NRRD0004\n", "does not say"),
      refused("no type.nrrd", "NRRD0004\ndimension: 1\nsizes: 1\n" + raw + "\nab", "type"),
      refused("no sizes.nrrd", "NRRD0004\ntype: short\ndimension: 1\n" + raw + "\nab", "sizes"),
      refused("no encoding.nrrd", nrrd("endian: little\n\n") + voxels, "encoding"),
      refused("no endian.nrrd", nrrd("encoding: raw\n\n") + voxels, "endian"),
      refused("middle endian.nrrd", nrrd("endian: middle\nencoding: raw\n\n") + voxels, "middle"),
      refused("hex.nrrd", nrrd("endian: little\nencoding: hex\n\n") + voxels, "hex"),
      refused("block.nrrd", nrrd(raw + "\n", "2 2 2", "3", "block") + voxels, "block"),
      refused("dimension -3.nrrd", nrrd(raw + "\n", "2 2 2", "-3") + voxels, "dimension"),
      refused("dimension x.nrrd", nrrd(raw + "\n", "2 2 2", "x") + voxels, "dimension x"),
      refused("dimension 2^64.nrrd", nrrd(raw + "\n", "2 2 2", "18446744073709551619") + voxels,
              "dimension"),
      refused("size 0.nrrd", nrrd(raw + "\n", "2 0 2") + voxels, "2 x 0 x 2"),
      refused("size -2.nrrd", nrrd(raw + "\n", "-2 -2 2") + voxels, "-2 x -2"),
      refused("size 2^63.nrrd", nrrd(raw + "\n", "9223372036854775808 2 2") + voxels, "no sound"),
      refused("size 2e0.nrrd", nrrd(raw + "\n", "2e0 2 2") + voxels, "no sound"),
      refused("sizes of eight axes.nrrd", nrrd(raw + "\n", "2 2 2 1 1 1 1 1", "8") + voxels,
              "8 dimensions"),
      refused("2000 cubed.nrrd", nrrd(raw + "\n", size_of_all) + voxels, "cannot hold"),
      refused("2000 cubed and packed.nrrd",
              nrrd("endian: little\nencoding: gzip\n\n", size_of_all) + packed(voxels, true),
              "cannot hold"),
      refused("2000 cubed as text.nrrd", nrrd("encoding: ascii\n\n", size_of_all) + "1 2 3",
              "cannot hold"),
      refused("bomb.nrrd",
              nrrd("endian: little\nencoding: gzip\n\n") +
                  packed(voxels + std::string(100'000'000, '\0'), true),
              "more than its header says"),
      refused("packed and cut.nrrd",
              nrrd("endian: little\nencoding: gzip\n\n") + packed(voxels, true).substr(0, 20),
              "is cut off"),
      refused("no gzip.nrrd", nrrd("endian: little\nencoding: gzip\n\n") + std::string(64, 'x'),
              "damaged"),
      refused("no empty line.nrrd", nrrd(raw), "no empty line"),
      refused("endless.nrrd", nrrd("x: " + std::string(100000, 'x') + "\n\n"), "encoding"),
      refused("line of bytes.nrrd", nrrd(std::string(100, '\xff') + "\n\n"), "the line"),
      refused("skips lines.nrrd", nrrd(raw + "line skip: 1\n\n") + voxels, "skips lines"),
      refused("skips x.nrrd", nrrd(raw + "byte skip: x\n\n") + voxels, "skips x"),
      refused("skips -2.nrrd", nrrd(raw + "byte skip: -2\n\n") + voxels, "skips -2"),
      refused("skips all.nrrd", nrrd(raw + "byte skip: 9223372036854775807\n\n") + voxels,
              "cannot hold"),
      read("skips 3.nrrd", nrrd(raw + "byte skip: 3\n\n") + "abc" + voxels),
      read("from its end.nrrd", nrrd(raw + "byte skip: -1\n\n") + "abcdefg" + voxels),
      read("text.nrrd", text("uchar", "1 2 3\t4\r\n5 6 7 8")),
      read("text of floats.nrrd", text("float", "1 2e0 3.0 +4 5 6 7 8.")),
      refused("text of 256.nrrd", text("uchar", "1 2 3 4 5 6 7 256"), "256"),
      refused("text of -1.nrrd", text("ushort", "-1 2 3 4 5 6 7 8"), "-1"),
      refused("text of halves.nrrd", text("int", "1.5 2 3 4 5 6 7 8"), "1.5"),
      refused("text of nan.nrrd", text("float", "nan 2 3 4 5 6 7 8"), "NaN"),
      refused("text of words.nrrd", text("short", "one 2 3 4 5 6 7 8"), "one"),
      refused("text of commas.nrrd", text("short", "1,2,3,4,5,6,7,8"), "is no voxel"),
      refused("text of seven.nrrd", text("uchar", "1 2 3 4 5 6 7         "), "fewer"),
      refused("to the root.nhdr", nrrd(raw + "data file: /dev/zero\n"), "/dev/zero"),
      refused("upwards.nhdr", nrrd(raw + "data file: x/../../y\n"), "names x/../../y"),
      refused("pattern.nhdr", nrrd(raw + "data file: x%03d.raw 1 8 1\n"), "several files"),
      refused("list.nhdr", nrrd(raw + "data file: LIST\nx\ny\n"), "several files"),
      refused("its folder.nhdr", nrrd(raw + "data file: .\n"), "nhdr"),
      beside(refused("short.nhdr", nrrd(raw + "data file: s.raw\n"), "s.raw"), "s.raw", "abc"),
      misplaced("no space.nrrd", placed(vectors), "does not say where"),
      misplaced("space of time.nrrd", placed("space: right-anterior-superior-time\n" + vectors),
                "does not say where"),
      misplaced("vectors of nan.nrrd",
                placed("space: LPS\nspace directions: (nan,0,0) (0,1,0) (0,0,1)"),
                "0 or no number"),
      misplaced("vectors of 0.nrrd",
                placed("space: LPS\nspace directions: (0,0,0) (0,1,0) (0,0,1)"), "0 or no number"),
      misplaced("no vectors.nrrd", placed("space: LPS\nspace directions: x y z"), "no vectors"),
      misplaced("two vectors.nrrd", placed("space: LPS\nspace directions: (1,0,0) (0,1,0)"),
                "does not say where"),
      misplaced("spacings of nan.nrrd", placed("spacings: nan 1 1"), "0 or no number"),
      misplaced("parentheses.nrrd", placed("space: LPS\nspace directions: ((((((1,0"),
                "does not say where"),
  };
}

// MetaImage.

std::string meta(const std::string& more, const std::string& sizes = "2 2 2") {
  return concat("ObjectType = Image\nNDims = 3\nDimSize = ", sizes, "\nElementType = MET_SHORT\n",
                more);
}

std::vector<OddVolume> odd_metaimages() {
  const std::string local = "ElementDataFile = LOCAL\n";
  const std::string voxels = elements(shorts);
  const std::string plain = meta(local) + voxels;
  const auto placed = [&](const std::string& place) { return meta(place + local) + voxels; };
  const std::string header_size =
      concat("HeaderSize = ", meta("").size() + 17 + local.size(), "\n");
  std::string windows = meta(local);
  for (std::size_t at = 0; (at = windows.find('\n', at)) != std::string::npos; at += 2) {
    windows.replace(at, 1, "\r\n");
  }
  const std::string axes = "TransformMatrix = 1 0 0 0 1 0 0 0 1\n";
  return {
      read("plain.mha", plain),
      read("of Windows.mha", windows + voxels),
      read("narrow.mha",
           "NDims=3\nDimSize=2 2 2\nElementType=MET_SHORT\nElementDataFile=LOCAL\n" + voxels),
      read("size of its header.mha", meta(header_size + local) + voxels),
      read("from its end.mha", meta("HeaderSize = -1\n" + local) + "abc" + voxels),
      read("as text.mha", meta("BinaryData = False\n" + local) + "1 2 3 4 5 6 7 8"),
      refused("empty.mha", "", "no NIfTI"),
      refused("no dimensions.mha", "DimSize = 2 2 2\n" + local, "no NIfTI"),
      refused("no sizes.mha", "NDims = 3\n" + local, "no NIfTI"),
      refused("no type.mha", "NDims = 3\nDimSize = 2 2 2\n" + local + voxels, "of type"),
      refused("no data.mha", meta(""), "does not say ElementDataFile"),
      refused("dimension x.mha", "NDims = x\nDimSize = 2 2 2\nElementType = MET_SHORT\n" + local,
              "NDims = x"),
      refused("dimension 2.mha", "NDims = 2\nDimSize = 2 2 2\nElementType = MET_SHORT\n" + local,
              "NDims = 2"),
      refused("size x.mha", meta(local, "2 x 2") + voxels, "2 x -1 x 2"),
      refused("size 0.mha", meta(local, "2 2 0") + voxels, "2 x 2 x 0"),
      refused("size 2^40.mha", meta(local, "1099511627776 2 2") + voxels, "no sound"),
      refused("2000 cubed.mha", meta(local, "2000 2000 2000") + voxels, "cannot hold"),
      refused("2000 cubed and packed.mha",
              meta("CompressedData = True\n" + local, "2000 2000 2000") + packed(voxels, false),
              "cannot hold"),
      refused("one byte less.mha", plain.substr(0, plain.size() - 1), "is cut off"),
      refused("packed and cut.mha",
              meta("CompressedData = True\n" + local) + packed(voxels, false).substr(0, 15),
              "is cut off"),
      refused("bomb.mha",
              meta("CompressedData = True\n" + local) +
                  packed(voxels + std::string(100'000'000, '\0'), false),
              "more than its header says"),
      refused("array.mha",
              "NDims = 3\nDimSize = 2 2 2\nElementType = MET_SHORT_ARRAY\n" + local + voxels,
              "MET_SHORT_ARRAY"),
      refused("channels x.mha", meta("ElementNumberOfChannels = x\n" + local) + voxels, "channels"),
      refused("no channels.mha", meta("ElementNumberOfChannels = 0\n" + local) + voxels,
              "channels"),
      refused("65 channels.mha", meta("ElementNumberOfChannels = 65\n" + local) + voxels,
              "more than 64"),
      refused("header size x.mha", meta("HeaderSize = x\n" + local) + voxels, "HeaderSize = x"),
      refused("header size 7.mha", meta("HeaderSize = 7\n" + local) + voxels, "HeaderSize = 7"),
      refused("header size -9.mha", meta("HeaderSize = -9\n" + local) + voxels, "HeaderSize = -9"),
      refused("to the root.mhd", meta("ElementDataFile = /dev/zero\n"), "/dev/zero"),
      refused("upwards.mhd", meta("ElementDataFile = ../x.raw\n"), "names ../x.raw"),
      refused("list.mhd", meta("ElementDataFile = LIST\nx\ny\n"), "several files"),
      refused("pattern.mhd", meta("ElementDataFile = x%d.raw 1 8 1\n"), "several files"),
      refused("missing.mhd", meta("ElementDataFile = none.raw\n"), "none.raw"),
      beside(read("apart.mhd", meta("ElementDataFile = a.raw\n")), "a.raw", voxels),
      beside(refused("apart and short.mhd", meta("ElementDataFile = a.raw\n"), "a.raw"), "a.raw",
             voxels.substr(2)),
      beside(refused("behind its end.mhd", meta("HeaderSize = 99\nElementDataFile = a.raw\n"),
                     "a.raw"),
             "a.raw", voxels),
      misplaced("matrix of four.mha", placed("TransformMatrix = 1 0 0 1\n"), "does not say where"),
      misplaced("matrix of nan.mha", placed("TransformMatrix = nan 0 0 0 1 0 0 0 1\n"),
                "0 or no number"),
      misplaced("spacing 0.mha", placed(axes + "ElementSpacing = 0 1 1\n"), "0 or no number"),
      misplaced("spacing of words.mha", placed(axes + "ElementSpacing = a b c\n"),
                "0 or no number"),
      misplaced("offset of inf.mha", placed(axes + "Offset = inf 0 0\n"), "0 or no number"),
  };
}

TEST(OddVolumes, NiftiHeaders) {
  test::expect_right_or_refused(odd_nifti_headers(), 40);
}
TEST(OddVolumes, NiftiPlaces) {
  test::expect_right_or_refused(odd_nifti_places(), 10);
}
TEST(OddVolumes, NiftiPacked) {
  test::expect_right_or_refused(odd_nifti_packed(), 25);
}
TEST(OddVolumes, Nrrd) {
  test::expect_right_or_refused(odd_nrrds(), 60);
}
TEST(OddVolumes, MetaImage) {
  test::expect_right_or_refused(odd_metaimages(), 40);
}

// What is no file is not waited for.
TEST(OddVolumes, EntriesThatAreNoFiles) {
  const test::TemporaryFolder folder;
  const fs::path& path = folder.path();
  std::string half = nifti().bytes().substr(0, 348);
  half.replace(344, 4, std::string("ni1\0", 4));
  for (const char* name : {"pipe.nii", "pipe.nii.gz", "pipe.nrrd", "pipe.mha", "a.img", "b.raw"}) {
    ASSERT_EQ(::mkfifo((path / name).c_str(), 0600), 0);
  }
  test::write_quickly(path / "a.hdr", half);
  test::write_quickly(path / "b.mhd", meta("ElementDataFile = b.raw\n"));
  test::write_quickly(path / "b.nhdr", nrrd("encoding: raw\nendian: big\ndata file: b.raw\n"));
  test::write_quickly(path / "c.nhdr", nrrd("encoding: raw\nendian: big\ndata file: folder.nii\n"));
  fs::create_directory(path / "folder.nii");
  fs::create_symlink("circle.nii", path / "circle.nii");
  fs::create_directory_symlink(path, path / "loop");
  for (const char* name : {"pipe.nii", "pipe.nii.gz", "pipe.nrrd", "pipe.mha", "a.hdr", "b.mhd",
                           "b.nhdr", "c.nhdr", "folder.nii", "circle.nii", "absent.nii"}) {
    const test::HostileEnd end = test::end_of(
        path / name, 0, [](const fs::path& file) { test::voxels_of(read_volume(file)); });
    ASSERT_TRUE(WIFEXITED(end.status)) << name;
    EXPECT_EQ(WEXITSTATUS(end.status), test::ended_refused) << name << end.message;
    EXPECT_NE(end.message.find(name), std::string::npos) << end.message;
  }
  const test::HostileEnd listed =
      test::end_of(path, 0, [](const fs::path& all) { find_layout(all); });
  EXPECT_TRUE(WIFEXITED(listed.status));
}

}  // namespace
}  // namespace medurwkv::data
