#include "predict/label_tables.h"

#include <algorithm>
#include <cstddef>

#include "core/text.h"

namespace medurwkv::predict {
namespace {

std::string color_of(const ClassInfo& info) {
  return concat(int{info.color[0]}, " ", int{info.color[1]}, " ", int{info.color[2]});
}

}  // namespace

std::string itksnap_labels(const std::vector<ClassInfo>& classes) {
  std::string out =
      "# ITK-SnAP Label Description File\n"
      "# IDX -R- -G- -B- -A- VIS MSH LABEL\n"
      "0 0 0 0 0 0 0 \"Clear Label\"\n";
  for (std::size_t i = 1; i < classes.size(); ++i) {
    std::string name = classes[i].name;
    std::replace(name.begin(), name.end(), '"', '\'');
    out += concat(i, " ", color_of(classes[i]), " 1 1 1 \"", name, "\"\n");
  }
  return out;
}

std::string slicer_labels(const std::vector<ClassInfo>& classes) {
  std::string out = "# Color table of 3D Slicer\n0 background 0 0 0 0\n";
  for (std::size_t i = 1; i < classes.size(); ++i) {
    std::string name = classes[i].name;
    std::replace(name.begin(), name.end(), ' ', '_');
    out += concat(i, " ", name, " ", color_of(classes[i]), " 255\n");
  }
  return out;
}

}  // namespace medurwkv::predict
