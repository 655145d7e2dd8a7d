#include "data/layout/objects.h"

#include <map>
#include <unordered_map>

#include "core/error.h"
#include "core/text.h"
#include "data/layout/encoding.h"

namespace medurwkv::data {
namespace {

/// What tells a pixel's object; 0 is none.
std::uint32_t key_of(const MaskPixels& mask, std::size_t i) {
  if (!mask.colors.empty()) {
    return (std::uint32_t{mask.colors[3 * i]} << 16) |
           (std::uint32_t{mask.colors[3 * i + 1]} << 8) | mask.colors[3 * i + 2];
  }
  return mask.wide.empty() ? mask.values[i] : mask.wide[i];
}

}  // namespace

bool tells_objects(const Dataset& dataset, const Case& item) {
  if (item.masks.front().store) return false;
  if (dataset.encoding == MaskEncoding::instances) return true;
  return dataset.classes.size() == 2 && item.masks.size() > 1;
}

ObjectMap objects_from(const MaskPixels& mask) {
  ObjectMap out{mask.width, mask.height, {}};
  out.objects.resize(static_cast<std::size_t>(mask.width * mask.height));
  // Numbers rise with the values: where two objects are alike to a rule, the one with the smaller
  // value comes first, whatever its place.
  std::map<std::uint32_t, std::uint32_t> numbers;
  for (std::size_t i = 0; i < out.objects.size(); ++i) numbers[key_of(mask, i)] = 0;
  numbers.erase(0);
  for (auto& [key, number] : numbers) number = ++out.count;
  const std::unordered_map<std::uint32_t, std::uint32_t> known(numbers.begin(), numbers.end());
  for (std::size_t i = 0; i < out.objects.size(); ++i) {
    const std::uint32_t key = key_of(mask, i);
    if (key != 0) out.objects[i] = known.at(key);
  }
  return out;
}

ObjectMap read_objects(const Dataset& dataset, const Case& item) {
  if (!tells_objects(dataset, item)) throw_internal("objects of masks that do not tell them");
  const ImageSize size = read_image_size(item);
  ObjectMap out{size.width, size.height, {}};
  out.objects.resize(static_cast<std::size_t>(size.width * size.height));
  for (const ImageSource& source : item.masks) {
    const MaskPixels mask = read_mask(source);
    ObjectMap own;
    if (dataset.encoding == MaskEncoding::instances) {
      own = objects_from(mask);
    } else {
      const LabelMap labels = labels_from(source.name(), dataset.encoding, mask, dataset.classes);
      own = {mask.width, mask.height, {labels.labels.begin(), labels.labels.end()}, 1};
    }
    if (own.objects.size() != out.objects.size()) {
      throw_failure(concat(source.name(), ": its size differs from that of its image"));
    }
    for (std::size_t i = 0; i < own.objects.size(); ++i) {
      if (own.objects[i] != 0) out.objects[i] = out.count + own.objects[i];
    }
    out.count += own.count;
  }
  return out;
}

}  // namespace medurwkv::data
