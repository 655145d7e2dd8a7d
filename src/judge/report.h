// An evaluation as files: a table for the terminal, cases.csv, summary.json and report.html. Relies
// on core, nlohmann/json and judge/evaluation.h.
//
// summary.json, format 1 (numbers that are undefined are null; lengths are in `unit`):
//   format, program ("medurwkv"), version
//   profile                 name of the judging rules (judge/metrics.h)
//   part                    "test", "val", "train" or "all"
//   command                 the command line that made it
//   seed                    of the bootstrap interval
//   model                   {file, sha256, network, split_sha256: of its training's split or null}
//   data                    {root, sha256: over ids and contents of all files}
//   split                   {file, sha256, same_as_training: true, false, or null when unknown}
//   spacing [x, y], unit    length of a pixel's sides; "px" when both are 1, else "spacing units"
//   cases                   number of cases
//   mean_dice               mean over cases of the mean Dice over foreground classes
//   mean_dice_interval      [low, high], 95 % bootstrap interval of mean_dice
//   constant_guess          mean Dice of the best constant guess; compare it with merged_dice.mean
//   constant_guess_details  {semi_axis_x, semi_axis_y: fractions of width and height, fitted_on:
//                           training masks, dice: statistic}; null when there is no guess
//   merged_dice             statistic: the model's Dice with all foreground classes merged into one
//   class_mean              {<metric>: statistic} of each case's mean over classes
//   classes                 [{label, name, in_truth, missed, hallucinated, both_empty: cases;
//                           metrics: {<metric>: statistic}}]
// where <metric> is dice, iou, precision, recall, specificity, hd95, assd and a statistic is
// {mean, deviation, median, used, of}: "used of" counts the cases where the metric is defined.
//
// cases.csv: one line per case and class, RFC 4180, an empty field where a value is undefined:
//   case,width,height,label,class,true_positive,false_positive,false_negative,true_negative,
//   dice,iou,precision,recall,specificity,hd95,assd,constant_guess_dice
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/model_description.h"
#include "judge/evaluation.h"

namespace medurwkv::judge {

/// Where the figures come from.
struct Provenance {
  ModelDescription model;
  std::string data_root;
  std::string data_sha256;
  std::string split_file;
  std::string split_sha256;
  std::string part;
  std::string command;
  Spacing spacing;
};

/// A picture for the report.
struct Example {
  std::string caption;  ///< plain text
  std::string alt;      ///< what a reader without the picture needs to know
  std::string png;      ///< file bytes
};

struct Report {
  Provenance provenance;
  std::vector<ClassInfo> classes;  ///< background first, as judged
  Evaluation evaluation;
  std::vector<Example> examples;
};

/// Whether the model was trained on this very split: absent when the model does not say.
std::optional<bool> same_split(const Provenance& provenance);

/// "px" when both sides are 1, else "spacing units".
std::string length_unit(const Spacing& spacing);

/// Fixed-width table for people, ending in a newline.
std::string report_text(const Report& report);
std::string cases_csv(const Report& report);
nlohmann::json summary_json(const Report& report);
/// One page without network access; every text from outside is escaped.
std::string report_html(const Report& report);

/// The names write_report uses, for a caller that must not overwrite.
std::vector<std::string> report_files();
/// Writes cases.csv, summary.json and report.html into the folder, which is made if needed.
void write_report(const Report& report, const std::filesystem::path& folder);

}  // namespace medurwkv::judge
