// Masks on images of DICOM: segmentations, and labels of other formats whose axes run otherwise.
#ifdef MEDURWKV_DICOM
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/text.h"
#include "data/codecs/read.h"
#include "data/volumes/grid.h"
#include "data/volumes/series.h"
#include "data/volumes/volume.h"
#include "support/dicom_case.h"
#include "support/dicom_files.h"
#include "support/volume_files.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using test::dicom_image;
using test::DicomBytes;
using test::group;
using test::pixels_tag;
using test::placed;
using test::shared_groups;
using Values = std::vector<double>;

// Segmentations.

struct SegmentFrame {
  int segment = 1;
  std::optional<std::array<double, 3>> position{};
  std::vector<int> pixels{};  ///< 0 and 1
  std::string source{};       ///< the image that it was made of
};

/// Of 3 x 3 pixels, so that frames begin within bytes.
DicomBytes segmentation(const std::vector<SegmentFrame>& frames) {
  DicomBytes out = dicom_image(3, 3, 1);
  out.text(0x00080016U, "UI", "1.2.840.10008.5.1.4.1.1.66.4").text(0x00080060U, "CS", "SEG");
  out.text(0x00620001U, "CS", "BINARY");
  out.text(0x00280008U, "IS", std::to_string(frames.size()));
  out.sequence(0x00620002U, {DicomBytes().us(0x00620004U, 1).text(0x00620005U, "LO", "Liver"),
                             DicomBytes().us(0x00620004U, 2).text(0x00620005U, "LO", "Spleen")});
  out.sequence(0x52009229U, {shared_groups()});
  std::vector<DicomBytes> groups;
  std::vector<std::uint8_t> bits;
  std::size_t at = 0;
  for (const SegmentFrame& frame : frames) {
    DicomBytes own = group(frame.position);
    own.sequence(0x0062000aU, {DicomBytes().us(0x0062000bU, frame.segment)});
    if (!frame.source.empty()) {
      own.sequence(0x00089124U,
                   {DicomBytes().sequence(0x00082112U,
                                          {DicomBytes().text(0x00081155U, "UI", frame.source)})});
    }
    groups.push_back(std::move(own));
    for (const int pixel : frame.pixels) {
      if (at % 8 == 0) bits.push_back(0);
      bits.back() = static_cast<std::uint8_t>(bits.back() | pixel << at % 8);
      ++at;
    }
  }
  return out.sequence(0x52009230U, std::move(groups)).numbers(pixels_tag, "OB", bits);
}

const std::vector<int> cross{0, 1, 0, 1, 1, 1, 0, 1, 0};
const std::vector<int> corner{1, 0, 0, 0, 0, 0, 0, 0, 0};
const std::vector<int> last{0, 0, 0, 0, 0, 0, 0, 0, 1};

class DicomSegments : public test::DicomFiles {
 protected:
  /// Slices of 3 x 3 pixels at z = 0, 2, 4, 6, in files of another order.
  void SetUp() override {
    for (const int i : {0, 1, 2, 3}) {
      DicomBytes one = dicom_image(3, 3, 16);
      one.numbers(pixels_tag, "OW", std::vector<std::uint16_t>(9));
      write(concat("ct/", 9 - i),
            placed(one, {.position = {0, 0, 2.0 * i}, .instance = concat("1.2.3.", i)}));
    }
    image_ = read_volume(path() / "ct");
  }
  Volume image_;
};

TEST_F(DicomSegments, BitsAcrossBytes) {
  const fs::path file = write(segmentation({{1, {{0, 0, 4}}, cross},
                                            {2, {{0, 0, 4}}, corner},
                                            {2, {{0, 0, 0}}, last},
                                            {1, {{0, 0, 2}}, corner}}));
  const Volume volume = read_volume(file);
  ASSERT_EQ(volume.slices, 3);
  EXPECT_EQ(volume.placing.origin, (std::array<double, 3>{0, 0, 0}));
  EXPECT_EQ(volume.placing.step[2], (std::array<double, 3>{0, 0, 2}));
  EXPECT_EQ(slice(volume, 0), (Values{0, 0, 0, 0, 0, 0, 0, 0, 2}));
  EXPECT_EQ(slice(volume, 1), (Values{1, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(slice(volume, 2), (Values{2, 1, 0, 1, 1, 1, 0, 1, 0}));
  EXPECT_EQ(dicom_file(file)->segments.at(1).label, "Spleen");
}

TEST_F(DicomSegments, SparseFramesLieOnTheirImage) {
  const Volume mask =
      read_volume(write(segmentation({{2, {{0, 0, 6}}, last}, {1, {{0, 0, 2}}, cross}})));
  const OnGrid on = on_grid(mask, image_);
  ASSERT_EQ(on.why_not, "");
  EXPECT_EQ(on.volume.sides(), image_.sides());
  EXPECT_EQ(slice(on.volume, 0), Values(9, 0.0));
  EXPECT_EQ(slice(on.volume, 1), (Values{0, 1, 0, 1, 1, 1, 0, 1, 0}));
  EXPECT_EQ(slice(on.volume, 2), Values(9, 0.0));
  EXPECT_EQ(slice(on.volume, 3), (Values{0, 0, 0, 0, 0, 0, 0, 0, 2}));
}

TEST_F(DicomSegments, FramesFindTheirImagesByName) {
  const Volume mask =
      read_volume(write(segmentation({{2, {}, last, "1.2.3.3"}, {1, {}, cross, "1.2.3.1"}})));
  const OnGrid on = on_grid(mask, image_);
  ASSERT_EQ(on.why_not, "");
  EXPECT_EQ(slice(on.volume, 0), Values(9, 0.0));
  EXPECT_EQ(slice(on.volume, 1), (Values{0, 1, 0, 1, 1, 1, 0, 1, 0}));
  EXPECT_EQ(slice(on.volume, 3), (Values{0, 0, 0, 0, 0, 0, 0, 0, 2}));
  const Volume other = read_volume(write(segmentation({{2, {}, last, "1.2.3.77"}})));
  EXPECT_NE(on_grid(other, image_).why_not.find("of another image than"), std::string::npos);
}

TEST_F(DicomSegments, OfAnotherImageIsRefused) {
  const auto why_not = [&](const DicomBytes& bytes) {
    return on_grid(read_volume(write(bytes)), image_).why_not;
  };
  EXPECT_NE(why_not(segmentation({{1, {{0, 0, 9}}, cross}})).find("lies on no slice"),
            std::string::npos);
  EXPECT_NE(why_not(segmentation({{1, {{40, 0, 2}}, cross}})).find("lies on no slice"),
            std::string::npos);
  DicomBytes coarse = segmentation({{1, {{0, 0, 2}}, cross}});
  coarse.sequence(
      0x52009229U,
      {DicomBytes()
           .sequence(0x00209116U, {DicomBytes().text(0x00200037U, "DS", "1\\0\\0\\0\\1\\0")})
           .sequence(0x00289110U, {DicomBytes().text(0x00280030U, "DS", "1\\1")})});
  EXPECT_NE(why_not(coarse).find("another spacing"), std::string::npos);
  DicomBytes small = segmentation({{1, {{0, 0, 2}}, {1, 0, 0, 0, 0, 0}}});
  EXPECT_NE(why_not(small.us(0x00280010U, 2)).find("has 3 x 2 x 1 voxels"), std::string::npos);
}

TEST_F(DicomSegments, OverlapIsRefused) {
  const fs::path apart = write(segmentation({{1, {{0, 0, 2}}, cross}, {2, {{0, 0, 2}}, cross}}));
  EXPECT_NE(refused(apart).find("segments 1 and 2 overlap"), std::string::npos);
  EXPECT_EQ(refused(write(segmentation({{1, {{0, 0, 2}}, cross}, {1, {{0, 0, 2}}, cross}}))), "");
  EXPECT_NE(refused(write(segmentation({{0, {{0, 0, 2}}, cross}}))).find("of no segment"),
            std::string::npos);
}

TEST_F(DicomSegments, FractionsAreThereFromHalfOn) {
  DicomBytes file = segmentation({{2, {{0, 0, 2}}, {}}});
  file.text(0x00620001U, "CS", "FRACTIONAL").us(0x0062000eU, 200);
  file.us(0x00280100U, 8).us(0x00280101U, 8).us(0x00280102U, 7);
  file.numbers<std::uint8_t>(pixels_tag, "OB", {0, 99, 100, 200, 1, 0, 0, 0, 255});
  EXPECT_EQ(slice(read_volume(write(file)), 0), (Values{0, 0, 2, 2, 0, 0, 0, 0, 2}));
}

// Labels of other formats on an image of DICOM.

class DicomLabels : public test::DicomFiles {};

TEST_F(DicomLabels, LabelsWithTheirAxesInAnyOrder) {
  // 4 x 3 x 2 voxels, turned in their plane: cosines 3/5 and 4/5.
  const std::array<std::int64_t, 3> sides{4, 3, 2};
  const std::array<double, 6> rows{0.6, 0.8, 0, -0.8, 0.6, 0};
  for (const int i : {0, 1}) {
    DicomBytes one = dicom_image(4, 3, 16);
    one.numbers(pixels_tag, "OW", std::vector<std::uint16_t>(12));
    write(concat("ct/", i), placed(one, {.position = {10, 20, 30 + 3.0 * i},
                                         .orientation = rows,
                                         .instance = concat("1.2.3.", i)}));
  }
  const Volume image = read_volume(path() / "ct");
  const std::array<double, 3> origin{10, 20, 30};
  const std::array<std::array<double, 3>, 3> steps{
      {{0.5 * 0.6, 0.5 * 0.8, 0}, {-0.25 * 0.8, 0.25 * 0.6, 0}, {0, 0, 3}}};
  std::array<std::size_t, 3> axis{0, 1, 2};
  int tried = 0;
  do {
    for (unsigned flips = 0; flips < 8; ++flips) {
      // Stored axis k runs along the image's axis[k], from its end where that is flipped.
      std::vector<std::int64_t> stored;
      for (const std::size_t own : axis) stored.push_back(sides.at(own));
      std::vector<std::uint8_t> labels(24);
      std::array<std::int64_t, 3> at{};
      for (at[2] = 0; at[2] < stored[2]; ++at[2]) {
        for (at[1] = 0; at[1] < stored[1]; ++at[1]) {
          for (at[0] = 0; at[0] < stored[0]; ++at[0]) {
            std::array<std::int64_t, 3> own{};
            for (std::size_t k = 0; k < 3; ++k) {
              own.at(axis.at(k)) = (flips >> k & 1U) != 0 ? stored[k] - 1 - at.at(k) : at.at(k);
            }
            labels[static_cast<std::size_t>((at[2] * stored[1] + at[1]) * stored[0] + at[0])] =
                static_cast<std::uint8_t>(1 + own[0] + 4 * own[1] + 12 * own[2]);
          }
        }
      }
      std::array<std::array<double, 4>, 3> form{};
      for (std::size_t i = 0; i < 3; ++i) {
        const double sign = i < 2 ? -1 : 1;  // NIfTI: to the right and front
        form.at(i)[3] = sign * origin.at(i);
        for (std::size_t k = 0; k < 3; ++k) {
          const bool flipped = (flips >> k & 1U) != 0;
          const double step = steps.at(axis.at(k)).at(i);
          form.at(i).at(k) = sign * (flipped ? -step : step);
          if (flipped) form.at(i)[3] += sign * step * static_cast<double>(stored[k] - 1);
        }
      }
      const auto header = test::NiftiBytes().sides(stored).type(2, 8).sform(form);
      const Volume mask = read_volume(write(concat("label", tried++, ".nii"), header.with(labels)));
      const OnGrid on = on_grid(mask, image);
      ASSERT_EQ(on.why_not, "");
      for (const std::int64_t z : {0, 1}) {
        Values expected;
        for (int i = 1; i <= 12; ++i) expected.push_back(static_cast<double>(12 * z + i));
        EXPECT_EQ(slice(on.volume, z), expected) << axis[0] << axis[1] << axis[2] << " " << flips;
      }
      // Elsewhere in the patient: 2 mm to the head.
      form[2][3] += 2;
      const Volume moved =
          read_volume(write(concat("moved", tried, ".nii"),
                            test::NiftiBytes().sides(stored).type(2, 8).sform(form).with(labels)));
      EXPECT_NE(on_grid(moved, image).why_not.find("lies up to 2.0 mm from its image"),
                std::string::npos);
    }
  } while (std::next_permutation(axis.begin(), axis.end()));
  EXPECT_EQ(tried, 48);
}

}  // namespace
}  // namespace medurwkv::data
#endif
