// A histogram of fractions as inline SVG. Relies on core/markup.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace medurwkv::judge {

struct Histogram {
  std::vector<double> values;       ///< 0..1, in 20 bars of 0.05; 1 belongs to the last
  std::optional<double> median;     ///< a solid line
  std::optional<double> reference;  ///< a dashed line
  std::string reference_name;
  std::string name = "Dice";  ///< of the values
  std::string id = "dice";    ///< distinct for each on a page
};

/// An <svg> element that scales with its container, with a title and a description in words.
std::string histogram_svg(const Histogram& histogram);

}  // namespace medurwkv::judge
