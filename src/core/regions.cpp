#include "core/regions.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "core/text.h"

namespace medurwkv {

std::string wrong_regions(const Regions& regions, std::int64_t classes) {
  if (std::ssize(regions) != classes - 1) {
    return concat("names ", regions.size(), " regions, the set has ", classes - 1,
                  " classes beside the background: one region for each");
  }
  for (std::int64_t i = 1; i < classes; ++i) {
    std::vector<std::int64_t> region = regions[static_cast<std::size_t>(i - 1)];
    std::sort(region.begin(), region.end());
    const auto twice = std::adjacent_find(region.begin(), region.end());
    if (twice != region.end()) {
      return concat("has the class ", *twice, " twice in region ", i, "; name it once");
    }
    if (region.empty() || region.front() != i || region.back() >= classes) {
      return concat("must hold class ", i, " in region ", i, " and may hold those after it, up to ",
                    classes - 1);
    }
  }
  return "";
}

}  // namespace medurwkv
