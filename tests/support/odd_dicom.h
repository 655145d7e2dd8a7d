// What tests of odd and hostile DICOM share. Relies on support/dicom_case.h and
// support/odd_volumes.h.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "data/volumes/volume.h"
#include "support/dicom_case.h"
#include "support/dicom_files.h"
#include "support/images.h"
#include "support/odd_volumes.h"
#include "support/paths.h"

namespace medurwkv::test {

/// 2 x 2 pixels of CT: 1, 2, 3, 4.
inline DicomBytes good() {
  DicomBytes out = dicom_image(2, 2, 16);
  placed(out, {});
  return out.numbers<std::uint16_t>(pixels_tag, "OW", {1, 2, 3, 4});
}

class OddDicomFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    // The library is opened before any child is.
    const TemporaryFolder folder;
    write_quickly(folder.path() / "good.dcm", good().file());
    EXPECT_EQ(voxels_of(data::read_volume(folder.path() / "good.dcm")),
              (std::vector<double>{1, 2, 3, 4}));
  }
};

}  // namespace medurwkv::test
