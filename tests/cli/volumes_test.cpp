// `predict` and `evaluate` on volumes: labels lie where the volume does, are those of its slices,
// and hold nothing else of its header.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "data/image/image.h"
#include "data/volumes/volume.h"
#include "support/paths.h"
#include "support/process.h"
#include "support/volume_files.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using data::Volume;
using nlohmann::json;
using test::contains;
using test::operator+;
using test::NiftiBytes;
using test::Outcome;
using test::run_program;

constexpr std::int64_t columns = 40, rows = 32, slices = 3;

/// A bright ellipse that moves from slice to slice.
std::vector<std::uint8_t> voxels() {
  std::vector<std::uint8_t> out;
  for (std::int64_t z = 0; z < slices; ++z) {
    for (std::int64_t y = 0; y < rows; ++y) {
      for (std::int64_t x = 0; x < columns; ++x) {
        const double dx = (static_cast<double>(x) - 16 - 4 * static_cast<double>(z)) / 9;
        const double dy = (static_cast<double>(y) - 15) / 7;
        out.push_back(dx * dx + dy * dy < 1 ? 60 : static_cast<std::uint8_t>(190 + (x * y) % 20));
      }
    }
  }
  return out;
}

class VolumesOnTheCommandLine : public ::testing::Test {
 protected:
  [[nodiscard]] static std::string model() {
    return (test::source_folder() / "tests/cli/data/version1.model").string();
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  void write(const std::string& name, const std::string& bytes) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary).write(bytes.data(), std::ssize(bytes));
  }
  /// The bytes of a file, unpacked where they are packed.
  [[nodiscard]] std::string unpacked(const std::string& name) const {
    const Volume volume = data::read_volume(path(name));
    std::string out = volume.header;
    for (std::int64_t z = 0; z < volume.slices; ++z) {
      const data::Image image = data::read_slice(volume, z);
      out.append(image.bytes.begin(), image.bytes.end());
    }
    return out + read_file(path(name));
  }

  [[nodiscard]] static NiftiBytes nifti() {
    return NiftiBytes()
        .sides({columns, rows, slices})
        .type(2, 8)
        .sizes({0.7, 0.7, 3.3})
        .qform({0.1, 0.2, 0.3}, {1.1, 2.2, 3.3})
        .sform({{{-0.7, 0.01, 0, 10.1}, {0.01, -0.7, 0.2, 20.2}, {0, 0.1, 3.3, 30.3}}})
        .text(148, "DOE^JANE in descrip");
  }
  /// The same voxels as a volume of each format.
  void write_all() const {
    write("in/a.nii.gz", test::packed(nifti().with(voxels()), true));
    write("in/b.nrrd",
          concat("NRRD0005\n# DOE^JANE\ntype: uchar\ndimension: 3\nsizes: ", columns, " ", rows,
                 " ", slices,
                 "\nspace: right-anterior-superior\nspace directions: (-0.7,0.1,0) (0.1,-0.7,0) "
                 "(0,0,3.25)\nspace origin: (1.125,2,3)\nencoding: raw\nname:=DOE^JANE\n\n",
                 test::elements(voxels())));
    write("in/c.mha", concat("ObjectType = Image\nNDims = 3\nComment = DOE^JANE\nDimSize = ",
                             columns, " ", rows, " ", slices,
                             "\nTransformMatrix = 0 1 0 1 0 0 0 0 -1\nOffset = 1.5 2.25 3\n"
                             "ElementSpacing = 0.7 0.71 3.3\nElementType = MET_UCHAR\n"
                             "ElementDataFile = LOCAL\n",
                             test::elements(voxels())));
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(VolumesOnTheCommandLine, LabelsLieWhereTheirVolumeDoes) {
  write_all();
  // The slices as pictures.
  const std::vector<std::uint8_t> all = voxels();
  constexpr std::int64_t area = columns * rows;
  for (std::int64_t z = 0; z < slices; ++z) {
    const data::Image slice{columns,
                            rows,
                            1,
                            data::SampleType::u8,
                            {all.begin() + z * area, all.begin() + (z + 1) * area}};
    write(concat("slices/", z, ".png"), data::encode_png(slice));
  }
  ASSERT_EQ(run_program({"predict", model(), path("slices"), "--out", path("pictures")}).code, 0);
  const Outcome outcome = run_program({"predict", model(), path("in"), "--out", path("out")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json manifest = json::parse(read_file(path("out/manifest.json")));
  ASSERT_EQ(manifest.at("images").size(), 3U);

  std::int64_t foreground = 0;
  for (const std::string name : {"a.nii.gz", "b.nrrd", "c.mha"}) {
    SCOPED_TRACE(name);
    const Volume from = data::read_volume(path("in/" + name));
    const Volume to = data::read_volume(path("out/" + name));
    EXPECT_EQ(to.format, from.format);
    EXPECT_EQ(to.sides(), from.sides());
    EXPECT_EQ(to.type, NpyType::u8);
    EXPECT_EQ(to.placing, from.placing);
    EXPECT_EQ(to.misplaced, from.misplaced);
    for (std::int64_t z = 0; z < slices; ++z) {
      const data::Image labels = data::read_slice(to, z);
      const data::MaskPixels picture = data::read_mask({path(concat("pictures/", z, ".png"))});
      EXPECT_EQ(labels.bytes, picture.values) << z;
      foreground += std::count(picture.values.begin(), picture.values.end(), 1);
    }
    EXPECT_FALSE(contains(unpacked("out/" + name), "DOE"));
  }
  EXPECT_GT(foreground, 0) << "nothing was compared";
  // What says where a NIfTI lies is the same to the bit: qform, sform, sizes, units.
  const std::string before = data::read_volume(path("in/a.nii.gz")).header;
  const std::string after = data::read_volume(path("out/a.nii.gz")).header;
  EXPECT_EQ(after.substr(252, 76), before.substr(252, 76));
  EXPECT_EQ(after.substr(76, 32), before.substr(76, 32));
  EXPECT_EQ(after.substr(123, 1), before.substr(123, 1));

  const Outcome again =
      run_program({"predict", model(), path("in"), "--out", path("out"), "--continue", "--json"});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(json::parse(again.out).at("kept"), 3);
}

TEST_F(VolumesOnTheCommandLine, NoOverlayIsDrawnOfThem) {
  write_all();
  write("in/d.png", data::encode_png(data::Image{8, 8, 1, data::SampleType::u8,
                                                 std::vector<unsigned char>(64, 100)}));
  const Outcome outcome =
      run_program({"predict", model(), path("in"), "--overlay", "--out", path("out")});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(
      contains(outcome.err, "is a volume, of which no overlay is drawn; leave out --overlay"))
      << outcome.err;
  EXPECT_TRUE(fs::exists(path("out/d_overlay.png")));
  EXPECT_FALSE(fs::exists(path("out/a.nii.gz")));
}

/// What predict wrote is judged as the model itself is.
TEST_F(VolumesOnTheCommandLine, PredictedVolumesAreJudged) {
  std::vector<std::uint8_t> labels;
  for (const std::uint8_t voxel : voxels()) labels.push_back(voxel == 60 ? 1 : 0);
  for (const char* const key : {"p1", "p2"}) {
    write(concat("set/images/", key, ".nii.gz"), test::packed(nifti().with(voxels()), true));
    write(concat("set/labels/", key, ".nii.gz"), test::packed(nifti().with(labels), true));
  }
  ASSERT_EQ(run_program({"predict", model(), path("set/images"), "--out", path("out")}).code, 0);
  const auto judged = [&](const test::Words& what, const std::string& out) {
    const Outcome outcome =
        run_program(test::Words{"evaluate"} + what +
                    test::Words{"--data", path("set"), "--profiles", "default,volumes", "--spacing",
                                "0.7,0.7,3.3", "--out", path(out)});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return json::parse(read_file(path(out + "/summary.json")));
  };
  const json by_model = judged({model()}, "one");
  const json by_files = judged({"--predictions", path("out")}, "two");
  EXPECT_EQ(by_model.at("mean_dice"), by_files.at("mean_dice"));
  EXPECT_EQ(by_model.at("profiles"), by_files.at("profiles"));
  EXPECT_GT(by_model.at("mean_dice"), 0.05);
}

}  // namespace
}  // namespace medurwkv
