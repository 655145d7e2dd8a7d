// What an evaluation's report shows beside figures: cases with their outlines, and the training
// that made the model. Relies on judge/report/report.h and data/layout/dataset.h.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "data/layout/dataset.h"
#include "judge/report/report.h"

namespace medurwkv::app {

/// The predicted labels of a case; `truth` is for its size alone.
using LabelsOfCase =
    std::function<data::LabelMap(const data::Case& item, const data::LabelMap& truth)>;

/// Best, median and worst case, and some of the missed and hallucinated ones; small enough that the
/// page stays below 5 MB.
void add_pictures(judge::Report& report, const data::Dataset& dataset,
                  const std::vector<data::Case>& cases, const LabelsOfCase& labels_of);

/// The curves of a run folder; none where it is not one.
std::optional<judge::TrainingCurves> training_curves(const std::filesystem::path& folder);

}  // namespace medurwkv::app
