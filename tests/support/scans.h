// A set as an archive gives it out: a folder of DICOM files per patient, and labels as NIfTI whose
// rows run the other way, as converters write them. Headers and names say who the patients are.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/text.h"
#include "support/dicom_files.h"
#include "support/volume_files.h"

namespace medurwkv::test {

struct Patient {
  std::string name;  ///< "Doering^Janette"
  std::string id;
  std::string birth;  ///< "19700102"
};

/// How the set's scans are.
struct Scans {
  static constexpr std::int64_t columns = 48, rows = 40, slices = 5;
  static constexpr std::array<double, 3> spacing{0.5, 0.25, 2.5};  ///< columns, rows, slices
  static constexpr std::array<double, 3> origin{-12.5, -7.25, 30};

  std::vector<Patient> patients{{"Doering^Janette", "SECRET123", "19700102"},
                                {"Muster^Maximilian", "4711-X", "19800203"},
                                {"Roehmer^Richard", "77", "19900304"},
                                {"Sanders^Susanne", "HOSP-00042", "20000405"}};
  std::string study_date = "20200102";

  /// A dark disc that moves from slice to slice; of patient `p`.
  static bool inside(std::size_t p, std::int64_t x, std::int64_t y, std::int64_t z) {
    const std::int64_t dx = x - 14 - 3 * z - 2 * static_cast<std::int64_t>(p);
    const std::int64_t dy = y - 18 - 3 * static_cast<std::int64_t>(p % 2);
    return dx * dx + dy * dy < 64;
  }
  /// Hounsfield units: blocks of the patient's own, and the disc.
  static int value(std::size_t p, std::int64_t x, std::int64_t y, std::int64_t z) {
    if (inside(p, x, y, z)) return -150;
    const auto block = static_cast<std::uint64_t>(x / 8 + 6 * (y / 8));
    const std::uint64_t mixed = (block + 31 * p) * 2654435761U % 997;
    return 40 + static_cast<int>(mixed % 150) + static_cast<int>((x * y + z) % 7);
  }

  /// `name^given` and the identifier as a folder is often called: Doering_Janette_SECRET123.
  [[nodiscard]] static std::string folder_of(const Patient& patient) {
    std::string out = concat(patient.name, "_", patient.id);
    for (char& c : out) {
      if (c == '^') c = '_';
    }
    return out;
  }

  [[nodiscard]] DicomBytes slice(std::size_t p, std::int64_t z) const {
    const Patient& patient = patients[p];
    DicomBytes out = dicom_image(columns, rows, 16);
    DicomSlicePlace place{
        .position = {origin[0], origin[1], origin[2] + spacing[2] * static_cast<double>(z)},
        .instance = concat("1.2.3.", p + 1, ".", z + 1),
        .series = concat("1.2.3.", p + 1),
        .number = std::to_string(p + 3)};
    placed(out, place)
        .text(0x00080020U, "DA", study_date)
        .text(0x00080050U, "SH", concat("ACC", 9000 + p))
        .text(0x00080090U, "PN", "Refer^Dora")
        .text(0x00100010U, "PN", patient.name)
        .text(0x00100020U, "LO", patient.id)
        .text(0x00100030U, "DA", patient.birth)
        .text(0x0020000dU, "UI", concat("1.2.840.", p + 1))
        .text(0x00281052U, "DS", "-1024")
        .text(0x00281053U, "DS", "1");
    std::vector<std::uint16_t> pixels;
    for (std::int64_t y = 0; y < rows; ++y) {
      for (std::int64_t x = 0; x < columns; ++x) {
        pixels.push_back(static_cast<std::uint16_t>(value(p, x, y, z) + 1024));
      }
    }
    return out.numbers(0x7fe00010U, "OW", pixels);
  }

  /// A volume whose rows run from the last to the first, as NIfTI.
  template <class Number, class Value>
  [[nodiscard]] static std::string nifti(std::int16_t type, const Value& value) {
    std::vector<Number> voxels;
    for (std::int64_t z = 0; z < slices; ++z) {
      for (std::int64_t y = rows - 1; y >= 0; --y) {
        for (std::int64_t x = 0; x < columns; ++x) voxels.push_back(value(x, y, z));
      }
    }
    // NIfTI's axes run to the right, front and head.
    const double last = -(origin[1] + spacing[1] * static_cast<double>(rows - 1));
    return packed(NiftiBytes()
                      .sides({columns, rows, slices})
                      .type(type, 8 * sizeof(Number))
                      .sizes(spacing)
                      .sform({{{-spacing[0], 0, 0, -origin[0]},
                               {0, spacing[1], 0, last},
                               {0, 0, spacing[2], origin[2]}}})
                      .with(voxels),
                  true);
  }

  [[nodiscard]] static std::string labels(std::size_t p) {
    return nifti<std::uint8_t>(2, [p](std::int64_t x, std::int64_t y, std::int64_t z) {
      return static_cast<std::uint8_t>(inside(p, x, y, z) ? 1 : 0);
    });
  }

  /// The same set as NIfTI: images/case_P.nii.gz, labels/case_P.nii.gz.
  void write_as_nifti(const std::filesystem::path& root) const {
    for (std::size_t p = 0; p < patients.size(); ++p) {
      const std::string name = concat("case_", p, ".nii.gz");
      put(root / "images" / name,
          nifti<std::int16_t>(4, [p](std::int64_t x, std::int64_t y, std::int64_t z) {
            return static_cast<std::int16_t>(value(p, x, y, z));
          }));
      put(root / "labels" / name, labels(p));
    }
  }

  /// images/FOLDER/ of files whose names are in no order, labels/FOLDER.nii.gz.
  void write(const std::filesystem::path& root) const {
    for (std::size_t p = 0; p < patients.size(); ++p) {
      const std::string folder = folder_of(patients[p]);
      for (std::int64_t z = 0; z < slices; ++z) {
        put(root / "images" / folder / concat("IM", 3 * z % slices), slice(p, z).file());
      }
      put(root / "labels" / concat(folder, ".nii.gz"), labels(p));
    }
  }

  static void put(const std::filesystem::path& file, const std::string& bytes) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary).write(bytes.data(), std::ssize(bytes));
  }
};

}  // namespace medurwkv::test
