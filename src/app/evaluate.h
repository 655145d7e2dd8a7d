// `evaluate`: scores a model, or masks of any tool, on a set or one part of a split. Relies on
// judge and app/segmenting.h.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "app/segmenting.h"
#include "app/set.h"
#include "core/listener.h"
#include "judge/report/report.h"
#include "judge/report/series.h"

namespace medurwkv::app {

struct EvaluateRequest {
  Segmenting how;                     ///< the model is empty when masks are judged
  std::filesystem::path predictions;  ///< masks to judge instead of a model; or empty
  std::string missing = "error";      ///< a case without a mask: error, or empty (counts as empty)
  std::string prediction_encoding;    ///< name of a MaskEncoding; empty: decided over all
  SetRequest set;
  std::filesystem::path split;  ///< empty: the whole set
  std::string part;             ///< empty: test, without a split all
  std::optional<int> fold{};    ///< fold used for validation, 1 to K, of a split with folds
  /// Width and height of a pixel, distance of slices. None: those in the volumes' headers where
  /// every case has them, else 1.
  std::optional<std::array<double, 3>> spacing{};
  std::filesystem::path spacing_file;  ///< sizes of pixels by case; or empty
  std::vector<double> tolerances{};    ///< of NSD, and of further NSDs; empty: 2 pixels
  std::string volumes;           ///< regular expression: a slice's volume and number; or empty
  std::filesystem::path strata;  ///< kinds of cases; or empty
  std::vector<std::string> metrics{};  ///< beside those of the profile default
  std::vector<std::string> profiles{"default"};
  std::int64_t batch = 8;  ///< of the profile `batch`
  std::uint64_t seed = 0;  ///< of the bootstrap intervals
  bool per_group = false;  ///< means over groups of cases (patients) in place of cases
  std::filesystem::path out;
  bool force = false;  ///< write into a folder that is not empty
};

struct EvaluateResult {
  /// The report on masks, a single model or a requested ensemble; none for a series.
  std::optional<judge::Report> report{};
  std::vector<judge::SeriesRow> trained{};   ///< each model
  std::vector<judge::SeriesRow> together{};  ///< ensembles, and all folds pooled
  std::string command;                       ///< makes the evaluation again
  std::vector<std::string> written;          ///< below `out`
};

/// A case that cannot be read or scored ends the evaluation. Throws Error, and Stopped.
EvaluateResult evaluate(EvaluateRequest request, Listener& listener);

}  // namespace medurwkv::app
