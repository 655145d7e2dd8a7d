#include "judge/report/text_table.h"

#include "core/text.h"

namespace medurwkv::judge {

using Json = nlohmann::json;

std::string padded(const std::string& text, std::size_t width, bool right) {
  if (text.size() >= width) return text;
  const std::string blanks(width - text.size(), ' ');
  return right ? blanks + text : text + blanks;
}

std::string number_or_dash(const std::optional<double>& value, int digits) {
  return value ? fixed(*value, digits) : "-";
}

Json or_null(const std::optional<double>& value) {
  return value ? Json(*value) : Json();
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

Json to_json(const std::optional<Interval>& interval) {
  return interval ? Json::array({interval->low, interval->high}) : Json();
}

Json to_json(const Statistic& statistic) {
  return {{"mean", or_null(statistic.mean)},
          {"deviation", or_null(statistic.deviation)},
          {"median", or_null(statistic.median)},
          {"used", statistic.used},
          {"of", statistic.of},
          {"interval", to_json(statistic.interval)}};
}

}  // namespace medurwkv::judge
