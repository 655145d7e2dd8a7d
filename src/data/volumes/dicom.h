// DICOM files as libmedurwkv_dicom.so reads and writes them, opened when the first one is. Relies
// on core and nlohmann/json.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/volumes/dicom/entry.h"

namespace medurwkv::data {

/// Whether the first 132 bytes of a file are those of DICOM.
bool is_dicom(std::string_view start);

/// The elements of a file before its pixels (data/volumes/dicom/entry.h). Throws Error naming the
/// file when it is broken, or when the library is not there.
nlohmann::json dicom_elements(const std::filesystem::path& file);

/// The values of an element as texts or numbers, by its tag ("00280010"); none where it is not
/// there or has others.
std::vector<std::string> texts_of(const nlohmann::json& elements, const char* tag);
std::vector<double> numbers_of(const nlohmann::json& elements, const char* tag);
/// The first of them.
std::string text_of(const nlohmann::json& elements, const char* tag);
std::optional<double> number_of(const nlohmann::json& elements, const char* tag);
/// The items of a sequence.
std::vector<const nlohmann::json*> items_of(const nlohmann::json& elements, const char* tag);

/// Calls `take` with a frame's bytes. Throws Error naming the file.
void read_frame(const std::filesystem::path& file, std::int64_t frame,
                const std::function<void(const MedurwkvDicomFrame&)>& take);

/// A file's bytes made of elements and pixels (empty: none). Throws Error.
std::string encode_dicom(const nlohmann::json& elements, std::span<const unsigned char> pixels);

/// Where a frame lies, and how its samples become values.
struct DicomFrame {
  std::optional<std::array<double, 3>> position{};
  std::optional<std::array<double, 6>> orientation{};
  std::optional<std::array<double, 2>> spacing{};  ///< mm between rows, columns
  double slope = 1, intercept = 0;
  int segment = 0;       ///< of a segmentation
  std::string source{};  ///< of a segmentation: the instance that the frame was made of
  std::int64_t source_frame = 0;
};

/// What a segmentation says of its segments.
struct DicomSegment {
  int number = 0;
  std::string label;
};

/// What is needed of a file to read it as a picture or as part of a volume.
struct DicomFile {
  std::filesystem::path file;
  std::string sop_class, instance, series, series_number, frame_of_reference, modality;
  std::int64_t columns = 0, rows = 0, samples = 1;
  int bits_allocated = 0, bits_stored = 0, high_bit = 0;
  bool has_sign = false;
  std::string patient{};  ///< their identifier, where the file is not said to be rid of it
  /// Elements by which a person is known that hold something: "PatientName", ...
  std::vector<std::string> identity{};
  bool burnt_in = false;   ///< it says that its pixels hold text on the patient
  std::string colors;      ///< photometric interpretation as the file says it
  bool has_pixels = true;  ///< else it is a report, a plan, ...
  std::vector<DicomFrame> frames;
  std::vector<DicomSegment> segments;
  int full = 1;  ///< of a segmentation: the sample that stands for 1

  [[nodiscard]] bool is_segmentation() const;
};

/// Kept for the next call while the file has not changed. What its header says of the patient's
/// identity is remembered (core/identity.h). Throws Error naming the file when it is
/// broken, and where it has pixels and the sizes of none.
std::shared_ptr<const DicomFile> dicom_file(const std::filesystem::path& file);

}  // namespace medurwkv::data
