#include "core/model_description.h"

#include <cmath>
#include <cstddef>
#include <map>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv {

const char* to_string(Fit fit) {
  switch (fit) {
    case Fit::stretch: return "stretch";
    case Fit::pad: return "pad";
    case Fit::native: return "native";
    case Fit::tile: return "tile";
  }
  throw_internal("unknown fit");
}

const char* to_string(Plane plane) {
  switch (plane) {
    case Plane::stored: return "stored";
    case Plane::axial: return "axial";
    case Plane::coronal: return "coronal";
    case Plane::sagittal: return "sagittal";
  }
  throw_internal("unknown plane");
}

Plane plane_from(const std::string& name) {
  std::vector<std::string> known;
  for (const Plane plane : all_planes) {
    if (name == to_string(plane)) return plane;
    known.emplace_back(to_string(plane));
  }
  throw_usage(concat("plane '", shown(name), "' is not known", suggestion(name, known)));
}

std::string to_string(const OwnWindow& own) {
  const bool percentile = own.by == OwnWindow::By::percentile;
  return concat(percentile ? "percentiles " : "mean and standard deviations from ", own.low, " to ",
                own.high, own.of_volume ? " of the volume" : " of the image");
}

const char* to_string(HeadKind kind) {
  switch (kind) {
    case HeadKind::softmax: return "softmax";
    case HeadKind::sigmoid: return "sigmoid";
    case HeadKind::label: return "label";
  }
  throw_internal("unknown kind of a head");
}

Head segmentation_head(std::vector<ClassInfo> classes, Regions regions) {
  return {.name = "segmentation",
          .kind = regions.empty() ? HeadKind::softmax : HeadKind::sigmoid,
          .classes = std::move(classes),
          .regions = std::move(regions)};
}

std::vector<std::string> names_of(const std::vector<ClassInfo>& classes) {
  std::vector<std::string> out;
  out.reserve(classes.size());
  for (const ClassInfo& one : classes) out.push_back(one.name);
  return out;
}

std::string wrong_class_names(const std::vector<std::string>& names) {
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string& name = names[i];
    if (trim(name).empty()) return concat("class ", i, " has an empty name");
    if (one_line(name) != name) {
      return concat("the name '", shown(name), "' of class ", i,
                    " is not one line of text in UTF-8");
    }
    const auto [place, is_new] = seen.emplace(name, i);
    if (!is_new) {
      return concat("the name ", shown(name), " stands for class ", place->second, " and class ",
                    i);
    }
  }
  return "";
}

double common_temperature(const std::vector<std::optional<double>>& temperatures) {
  // One model's own is not rounded by exp(log(.)).
  if (temperatures.size() == 1) return temperatures.front().value_or(1);
  double sum = 0;
  for (const std::optional<double>& one : temperatures) sum += std::log(one.value_or(1));
  return temperatures.empty() ? 1 : std::exp(sum / static_cast<double>(temperatures.size()));
}

Fit fit_from(const std::string& name) {
  std::vector<std::string> names;
  for (const Fit fit : all_fits) {
    names.emplace_back(to_string(fit));
    if (name == names.back()) return fit;
  }
  throw_usage(concat("input fit '", name, "' is not known", suggestion(name, names)));
}

}  // namespace medurwkv
