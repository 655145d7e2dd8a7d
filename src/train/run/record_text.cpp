#include "train/run/record_text.h"

#include <cmath>
#include <cstddef>
#include <utility>

#include "core/model_description.h"
#include "core/text.h"

namespace medurwkv::train {

std::string figures_text(const EpochRow& row, const Columns& columns) {
  std::string out;
  for (std::size_t i = 0; i < row.figures.size(); ++i) {
    out += concat("  ", columns.figures.at(i).label, " ",
                  std::isfinite(row.figures[i]) ? fixed(row.figures[i], 4) : "-");
  }
  return out;
}

Scalars scalars_of(const EpochRow& row, const Columns& columns) {
  Scalars out{{"rate", row.rate}, {"loss/total", row.loss}};
  for (std::size_t i = 0; i < row.parts.size(); ++i) {
    const PartColumn& part = columns.parts.at(i);
    if (part.used) out.emplace_back(concat("loss/", part.name), row.parts[i]);
  }
  for (std::size_t i = 0; i < row.figures.size(); ++i) {
    if (!std::isfinite(row.figures[i])) continue;
    std::string name = columns.figures.at(i).name;
    if (const std::size_t line = name.find('_'); line != std::string::npos) name[line] = '/';
    out.emplace_back(std::move(name), row.figures[i]);
  }
  return out;
}

std::vector<std::string> temperature_lines(const FittedTemperature& fitted) {
  const auto change = [](double before, double after) {
    return concat(" from ", fixed(before, 4), " to ", fixed(after, 4));
  };
  std::vector<std::string> out{
      concat("temperature ", fixed(fitted.temperature, 3), ", fitted on ",
             with_thousands(fitted.used), " of ", with_thousands(fitted.pixels),
             " validation pixels: it takes the negative log-likelihood",
             change(fitted.likelihood_before, fitted.likelihood_after), ", the calibration error",
             change(fitted.error_before, fitted.error_after))};
  if (fitted.at_bound) {
    out.push_back(concat("note: this temperature is a bound of what is tried (", least_temperature,
                         " to ", most_temperature, "); the best one lies beyond it"));
  }
  return out;
}

}  // namespace medurwkv::train
