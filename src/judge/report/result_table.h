// An evaluation, or a series of them, as a table for a paper. Relies on judge/report/report.h and
// judge/report/series.h.
#pragma once

#include <string>
#include <vector>

#include "judge/report/report.h"
#include "judge/report/series.h"

namespace medurwkv::judge {

enum class TableFormat { latex, markdown, csv };

/// Of "latex", "markdown" or "csv".
TableFormat table_format_from(const std::string& name);

/// A row for each class and metric, and for the mean over classes where there are several: mean,
/// standard deviation, 95 % interval of the mean, and how many cases they are over. LaTeX needs the
/// package booktabs.
std::string result_table(const Report& report, TableFormat format);

/// A row for each metric and model, then its mean and deviation over the models, then all of them
/// together.
std::string result_table(const std::vector<SeriesRow>& trained,
                         const std::vector<SeriesRow>& together, TableFormat format);

}  // namespace medurwkv::judge
