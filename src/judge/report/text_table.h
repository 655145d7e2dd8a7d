// Numbers and cells of the judge's tables. Relies on core/text.h and nlohmann/json.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "judge/statistics.h"

namespace medurwkv::judge {

/// `text` in `width` columns.
std::string padded(const std::string& text, std::size_t width, bool right);

/// With `digits` decimals, or a dash.
std::string number_or_dash(const std::optional<double>& value, int digits);

nlohmann::json or_null(const std::optional<double>& value);
nlohmann::json text_or_null(const std::string& text);
/// [low, high] or null.
nlohmann::json to_json(const std::optional<Interval>& interval);
/// {mean, deviation, median, used, of, interval}.
nlohmann::json to_json(const Statistic& statistic);

}  // namespace medurwkv::judge
