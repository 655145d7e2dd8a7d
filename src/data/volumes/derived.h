// What is common to files of DICOM that are made of others: whose they are, and where they come
// from. Relies on data/volumes/series.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/model_description.h"
#include "data/volumes/series.h"
#include "data/volumes/volume.h"

namespace medurwkv::data {

/// An element as encode_dicom takes it.
nlohmann::json element(const char* vr, nlohmann::json values);
/// A sequence of items.
nlohmann::json sequence(std::vector<nlohmann::json> items);
/// One text.
nlohmann::json text(const char* vr, std::string_view value);
/// One number.
nlohmann::json number(const char* vr, std::int64_t value);
/// Numbers as texts of at most 16 characters (DS).
nlohmann::json decimals(const std::vector<double>& values);
/// A code: (value, scheme, meaning).
nlohmann::json code(std::string_view value, std::string_view scheme, std::string_view meaning);

/// A unique identifier that follows from the text: 2.25 and 122 bits of its SHA-256.
std::string uid_of(std::string_view text);

/// What a file of another kind (`sop_class`, `modality`) made of `source` begins with: patient,
/// study and frame of reference of the source, a series and an instance of its own whose
/// identifiers follow from `seed`, and the program as its maker.
nlohmann::json derived_from(const Volume& source, const char* sop_class, const char* modality,
                            std::string_view seed);

/// A reference to the image of a slice: its class, instance, and frame where it has several.
nlohmann::json reference_to(const DicomSlice& slice);

/// How the classes of a model are called in codes (SNOMED CT), where their names say it; else a
/// code of the program's own scheme.
struct CodedClass {
  nlohmann::json category, type;
};
CodedClass coded(const ClassInfo& info);

}  // namespace medurwkv::data
