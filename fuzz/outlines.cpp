// Bytes as a file of outlines, of the format that the first byte says: outlines that can be
// painted, or an Error.
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/polygons/annotations.h"
#include "data/polygons/masks.h"
#include "entry.h"

namespace {

namespace data = medurwkv::data;

void parse(std::string_view bytes) {
  if (bytes.empty()) return;
  using enum data::AnnotationKind;
  constexpr std::array kinds{coco, labelme, via, cvat, imagescope, geojson};
  const std::size_t kind = static_cast<unsigned char>(bytes.front()) % kinds.size();
  const data::AnnotationFile file = data::parse_annotations("fuzzed", bytes.substr(1), kinds[kind]);
  const data::ImageSize size{40, 30};
  const std::vector<std::uint8_t> labels(file.classes.size(), 1);
  for (const data::AnnotatedImage& image : file.images) {
    std::int64_t patience = 10000;
    data::oddities_of(image, size, patience);
    for (const std::uint8_t label : data::paint("fuzzed", image, size, labels).labels) {
      if (label > 1 && label != 255) medurwkv::throw_internal("a label that no object has");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return medurwkv::fuzz::run(data, size, parse);
}
