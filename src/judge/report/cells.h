// Cells of the report's tables, for all of its sections. Relies on judge/report/report.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "judge/report/report.h"

namespace medurwkv::judge {

/// With `digits` decimals, or a dash.
std::string number(const std::optional<double>& value, int digits);

int digits_of(const Metric& metric);

/// The metric's name and, of a length, the unit.
std::string metric_heading(const Metric& metric, const Report& report);

/// "0.71 to 0.83", or a dash.
std::string interval_cell(const std::optional<Interval>& interval, int digits);

/// Name, mean, interval, deviation, median, used.
std::vector<std::string> statistic_cells(const std::string& name, const Statistic& statistic,
                                         int digits);

/// Figures that not every reader needs, each folded: metrics asked for, images with and without a
/// class, classes by class, strata, sizes, objects, volumes.
std::string more_figures_html(const Report& report);

}  // namespace medurwkv::judge
