// An evaluation as files: a table for the terminal, cases.csv, profiles.csv, summary.json and
// report.html; docs/formats.md says what is in them. Relies on core, nlohmann/json and
// judge/evaluation.h.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/model_description.h"
#include "core/output.h"
#include "judge/evaluation.h"

namespace medurwkv::judge {

/// Masks that were judged instead of a model.
struct JudgedMasks {
  std::string folder;
  std::string encoding;
  std::string sha256;       ///< over ids and contents
  std::size_t missing = 0;  ///< cases without a file, counted as empty
  bool may_miss = false;    ///< whether --missing empty was given
};

/// Where the figures come from.
struct Provenance {
  std::string subject{};                   ///< what was judged, for titles
  std::vector<ModelDescription> models{};  ///< one; several of an ensemble; none of masks
  std::optional<JudgedMasks> masks{};
  std::string data_root{};
  std::string data_sha256{};
  std::string mask_encoding{};  ///< what the truth's values mean
  Plane plane = Plane::stored;  ///< into whose slices the set's volumes were cut
  std::string split_file{};     ///< empty: the whole set was judged without a split
  std::string split_sha256{};
  std::string part{};
  std::string command{};
  Lengths lengths{};
  std::string spacing_file{};  ///< sizes of pixels by case; empty: those in `lengths`
  std::string spacing_sha256{};
  std::string volumes{};  ///< the pattern that found volumes in names; empty: none was given
  std::string strata_file{};
  std::string strata_sha256{};
};

/// A picture for the report.
struct Example {
  std::string caption;  ///< plain text
  std::string alt;      ///< what a reader without the picture needs to know
  std::string png;      ///< file bytes
};

/// The training that made the model, from its run folder.
struct TrainingCurves {
  std::string svg;  ///< the file curves.svg
  std::string alt;
};

struct Report {
  Provenance provenance;
  std::vector<ClassInfo> classes;  ///< background first, as judged
  Evaluation evaluation;
  std::vector<Example> examples;             ///< best, median, worst
  std::vector<Example> failures{};           ///< some of the missed and hallucinated cases
  std::optional<TrainingCurves> training{};  ///< absent when the run folder is not there
};

/// Whether the models were trained on this very split: absent when one does not say.
std::optional<bool> same_split(const Provenance& provenance);

/// What a reader must know of where the figures come from, in whole sentences: cases that were, or
/// may have been, in the model's training.
std::vector<std::string> provenance_remarks(const Provenance& provenance);
/// provenance_remarks, then remarks on the figures themselves; on the page and in the text.
std::vector<std::string> remarks(const Report& report);
/// "mean Dice" of the constant guess, what it is a mean of, and over how many cases.
std::string guess_text(const Report& report);

/// The class of a level, or "any class".
std::string level_name(const Report& report, const ImageLevel& own);

/// A profile's mean and, in brackets, how many units it is over; a dash where there is none.
std::string profile_cell(const ProfileTable& table, const ProfileColumn& column, int digits);

/// The temperature that acted on the probabilities of the models; 1 without one.
double temperature_of(const Provenance& provenance);
/// Calibration errors before and after the temperature, in whole sentences, also where they rise;
/// empty for a model without one.
std::vector<std::string> temperature_sentences(const Report& report);

/// In place of a file of spacings, where they are those in the headers of volumes, in mm.
inline constexpr char spacing_of_headers[] = "headers of the volumes";

/// "px" when all sides are 1, "mm" of those in headers, else "spacing units".
std::string length_unit(const Provenance& provenance);
/// The tolerance of NSD: a length, or "2 pixels" where pixel sizes differ from case to case.
std::string tolerance_text(const Provenance& provenance);

/// Fixed-width table for people, ending in a newline.
std::string report_text(const Report& report);
/// The profiles side by side, ending in a newline; empty for none or the default alone.
std::string profiles_text(const Report& report);
std::string cases_csv(const Report& report);
std::string profiles_csv(const Report& report);
nlohmann::json summary_json(const Report& report);
/// One page without network access; every text from outside is escaped.
std::string report_html(const Report& report);

/// A case whose truth has a class that was not predicted, or the other way round.
struct FailedCase {
  std::size_t index;  ///< in the evaluation's cases
  std::uint8_t label;
  bool missed;  ///< else hallucinated
};
std::vector<FailedCase> failed_cases(const Evaluation& evaluation);

/// The names write_report uses, for a caller that must not overwrite.
std::vector<std::string> report_files();
/// Writes them into the folder, which is made if needed.
void write_report(const Report& report, const OutputPath& folder);

/// A JSON text; file names need not be UTF-8, what is not becomes a replacement character.
std::string json_text(const nlohmann::json& json);

}  // namespace medurwkv::judge
