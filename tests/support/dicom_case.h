// What tests of DICOM share: files written by bytes, and how they are read. Relies on
// support/dicom_files.h.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/text.h"
#include "data/codecs/read.h"
#include "data/volumes/volume.h"
#include "support/dicom_files.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv::test {

inline constexpr std::uint32_t pixels_tag = 0x7fe00010U;

/// A slice of CT of 3 x 2 pixels of 16 bits: `first` and the five numbers behind it.
inline DicomBytes ct_slice(const DicomSlicePlace& place, int first) {
  std::vector<std::uint16_t> pixels;
  for (int i = 0; i < 6; ++i) pixels.push_back(static_cast<std::uint16_t>(first + i));
  DicomBytes out = dicom_image(3, 2, 16).numbers(pixels_tag, "OW", pixels);
  return placed(out, place);
}

class DicomFiles : public ::testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path path() const { return folder_.path(); }

  std::filesystem::path write(const std::string& name, const std::string& bytes) {
    const std::filesystem::path file = path() / name;
    std::filesystem::create_directories(file.parent_path());
    EXPECT_FALSE(std::filesystem::exists(file)) << "what is known of a file is kept";
    write_quickly(file, bytes);
    return file;
  }
  std::filesystem::path write(const std::string& name, const DicomBytes& bytes,
                              const DicomForm& form = {}) {
    return write(name, bytes.file(form));
  }
  /// As a file of its own.
  std::filesystem::path write(const DicomBytes& bytes, const DicomForm& form = {}) {
    return write(concat("file", count_++, ".dcm"), bytes, form);
  }
  std::vector<double> read(const DicomBytes& bytes, const DicomForm& form = {}) {
    return values_of(data::read_image(write(bytes, form)));
  }

  static std::vector<double> slice(const std::filesystem::path& file, std::int64_t index) {
    return values_of(data::read_image(data::ImageSource{.file = file, .slice = index}));
  }
  static std::vector<double> slice(const data::Volume& volume, std::int64_t index) {
    return values_of(data::read_volume_image(
        data::ImageSource{.file = volume.file,
                          .slice = index,
                          .volume = std::make_shared<const data::Volume>(volume)}));
  }
  /// What reading all of it is refused with; empty where it is not.
  static std::string refused(const std::filesystem::path& file) {
    const auto refusal = refusal_of([&] {
      const data::Volume volume = data::read_volume(file);
      for (std::int64_t i = 0; i < volume.slices; ++i) slice(volume, i);
      return 0;
    });
    if (!refusal) return "";
    EXPECT_EQ(refusal->kind, ErrorKind::failure) << refusal->message;
    return refusal->message;
  }

 private:
  TemporaryFolder folder_;
  int count_ = 0;
};

// Functional groups of frames.

inline DicomBytes group(const std::optional<std::array<double, 3>>& position) {
  DicomBytes out;
  if (!position) return out;
  return out.sequence(
      0x00209113U,
      {DicomBytes().text(0x00200032U, "DS", decimals({position->begin(), position->end()}))});
}

inline DicomBytes transformation(const std::string& slope, const std::string& intercept) {
  return DicomBytes().text(0x00281053U, "DS", slope).text(0x00281052U, "DS", intercept);
}

inline DicomBytes shared_groups() {
  return DicomBytes()
      .sequence(0x00209116U, {DicomBytes().text(0x00200037U, "DS", "1\\0\\0\\0\\1\\0")})
      .sequence(0x00289110U, {DicomBytes().text(0x00280030U, "DS", "0.25\\0.5")});
}

}  // namespace medurwkv::test
