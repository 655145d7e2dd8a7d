// Names and colours of classes for the programs that show volumes. Relies on
// core/model_description.h.
#pragma once

#include <string>
#include <vector>

#include "core/model_description.h"

namespace medurwkv::predict {

/// Beside masks of volumes.
inline constexpr char itksnap_labels_name[] = "itksnap-labels.txt";
inline constexpr char slicer_labels_name[] = "slicer-labels.ctbl";

/// A label description file of ITK-SNAP: index, red, green, blue, opacity, two switches, name.
std::string itksnap_labels(const std::vector<ClassInfo>& classes);
/// A colour table of 3D Slicer: index, name, red, green, blue, opacity. Names have no blanks there.
std::string slicer_labels(const std::vector<ClassInfo>& classes);

}  // namespace medurwkv::predict
