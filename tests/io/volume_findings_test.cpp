// What `data check` finds in volumes, and what its remedies come to.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/listener.h"
#include "data/check/examine.h"
#include "data/check/faults.h"
#include "data/check/repair.h"
#include "data/volumes/volume.h"
#include "support/paths.h"
#include "support/scans.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using test::Scans;

class VolumeFindings : public ::testing::Test {
 protected:
  void SetUp() override {
#ifndef MEDURWKV_DICOM
    GTEST_SKIP() << "the library for DICOM is not built";
#endif
    scans_.write(folder_.path());
  }
  [[nodiscard]] std::vector<Fault> found(const char* kind) const {
    std::vector<Fault> out = check_dataset(folder_.path(), {}, silence()).faults;
    std::erase_if(out, [&](const Fault& fault) { return fault.kind != kind; });
    return out;
  }
  [[nodiscard]] fs::path image(const std::string& name) const {
    return folder_.path() / "images" / name;
  }

  test::TemporaryFolder folder_;
  Scans scans_;
};

TEST_F(VolumeFindings, AScanIsSoundAndSaysWhoseItIs) {
  for (const char* kind : {"misplaced-volume", "float-labels", "mixed-series", "one-patient",
                           "burnt-in-text", "broken-layout"}) {
    EXPECT_TRUE(found(kind).empty()) << kind;
  }
  const std::vector<Fault> identity = found("patient-identity");
  ASSERT_EQ(identity.size(), 1U);
  EXPECT_NE(identity.front().what.find("one of 4 volumes"), std::string::npos);
  for (const char* element : {"PatientName", "PatientID", "PatientBirthDate", "StudyDate"}) {
    EXPECT_NE(identity.front().what.find(element), std::string::npos) << element;
  }
}

TEST_F(VolumeFindings, AMissingSliceIsNamed) {
  fs::remove(image("Doering_Janette_SECRET123/IM1"));  // the third place, as 3 * 2 % 5 = 1
  // Its labels lose that slice, too, so that sizes agree.
  fs::remove(folder_.path() / "labels/Doering_Janette_SECRET123.nii.gz");
  std::vector<std::uint8_t> voxels(Scans::columns * Scans::rows * 4, 0);
  voxels[500] = 1;
  Scans::put(folder_.path() / "labels/Doering_Janette_SECRET123.nii",
             test::NiftiBytes().sides({Scans::columns, Scans::rows, 4}).type(2, 8).with(voxels));
  const std::vector<Fault> faults = found("misplaced-volume");
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_NE(faults.front().what.find("between its slices 1 and 2 are 5.00 mm, between others 2.50"),
            std::string::npos)
      << faults.front().what;
}

TEST_F(VolumeFindings, SeriesInOneFolderAreNamed) {
  scans_.patients.push_back(scans_.patients.front());
  for (std::int64_t z = 0; z < 2; ++z) {
    Scans::put(image("Doering_Janette_SECRET123") / (z == 0 ? "B0" : "B1"),
               scans_.slice(4, z).file());
  }
  const std::vector<Fault> faults = found("mixed-series");
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults.front().where, image("Doering_Janette_SECRET123").string());
  // The remedy: each into a folder of its own.
  fs::create_directories(folder_.path() / "other");
  for (const char* file : {"B0", "B1"}) {
    fs::rename(image("Doering_Janette_SECRET123") / file, folder_.path() / "other" / file);
  }
  EXPECT_TRUE(found("mixed-series").empty());
}

TEST_F(VolumeFindings, OnePatientIsNamed) {
  for (test::Patient& patient : scans_.patients) patient.id = "ANON";
  for (std::size_t p = 0; p < 4; ++p) {
    for (std::int64_t z = 0; z < Scans::slices; ++z) {
      const std::string name = Scans::folder_of(Scans().patients[p]);
      Scans::put(image(name) / ("IM" + std::to_string(3 * z % Scans::slices)),
                 scans_.slice(p, z).file());
    }
  }
  EXPECT_EQ(found("one-patient").size(), 1U);
}

TEST_F(VolumeFindings, FloatLabelsAndBurntInTextAreNamed) {
  std::vector<float> voxels(Scans::columns * Scans::rows * Scans::slices, 0);
  voxels[700] = 1;
  fs::remove(folder_.path() / "labels/Doering_Janette_SECRET123.nii.gz");
  Scans::put(folder_.path() / "labels/Doering_Janette_SECRET123.nii",
             test::NiftiBytes()
                 .sides({Scans::columns, Scans::rows, Scans::slices})
                 .type(16, 32)
                 .with(voxels));
  for (std::int64_t z = 0; z < Scans::slices; ++z) {
    Scans::put(image("Muster_Maximilian_4711-X") / ("IM" + std::to_string(3 * z % Scans::slices)),
               scans_.slice(1, z).text(0x00280301U, "CS", "YES").file());
  }
  EXPECT_EQ(found("float-labels").size(), 1U);
  const std::vector<Fault> burnt = found("burnt-in-text");
  ASSERT_EQ(burnt.size(), 1U);
  EXPECT_EQ(burnt.front().where, image("Muster_Maximilian_4711-X").string());
}

// The copy holds the same voxels at the same places, and nothing that names a patient.
TEST_F(VolumeFindings, ACopyHasVoxelsAndPlacesAlone) {
  const fs::path out = folder_.path().parent_path() / (folder_.path().filename().string() + "c");
  const RepairReport report =
      write_repaired(examine(folder_.path(), {}, silence()), out, silence());
  EXPECT_EQ(report.written, 4 * Scans::slices);
  std::size_t images = 0;
  for (const auto& entry : fs::directory_iterator(out / "images")) {
    ++images;
    const Volume copy = read_volume(entry.path());
    EXPECT_EQ(copy.sides(),
              (std::array<std::int64_t, 3>{Scans::columns, Scans::rows, Scans::slices}));
    EXPECT_LE(farthest_apart(copy.placing, read_volume(image("Doering_Janette_SECRET123")).placing,
                             copy.sides()),
              1e-4);
    const Image middle = read_slice(copy, 2);
    bool same = false;
    for (std::size_t p = 0; p < 4; ++p) {
      bool all = true;
      for (std::int64_t i = 0; all && i < Scans::columns * Scans::rows; ++i) {
        const auto x = i % Scans::columns;
        const auto y = i / Scans::columns;
        all = middle.value(x, y, 0) == static_cast<float>(Scans::value(p, x, y, 2));
      }
      same = same || all;
    }
    EXPECT_TRUE(same) << entry.path();
    EXPECT_EQ(entry.path().string().find("Doering"), std::string::npos);
    EXPECT_EQ(copy.header.find("Doering"), std::string::npos);
  }
  EXPECT_EQ(images, 4U);
  const CheckReport again = check_dataset(out, {}, silence());
  EXPECT_EQ(again.errors(), 0);
  for (const Fault& fault : again.faults) EXPECT_NE(fault.kind, "patient-identity");
  fs::remove_all(out);
}

}  // namespace
}  // namespace medurwkv::data
