#include "predict/postprocess.h"

#include <array>
#include <limits>

#include "core/error.h"
#include "core/model_description.h"

namespace medurwkv::predict {

namespace {

/// Calls visit(pixel) for the up to four pixels that share an edge with `pixel`.
template <class Visit>
void for_neighbours(std::size_t pixel, std::size_t width, std::size_t pixels, const Visit& visit) {
  const std::size_t x = pixel % width;
  if (x > 0) visit(pixel - 1);
  if (x + 1 < width) visit(pixel + 1);
  if (pixel >= width) visit(pixel - width);
  if (pixel + width < pixels) visit(pixel + width);
}

/// Makes background of the objects that `dropped` says, by number.
template <class Dropped>
void drop(data::LabelMap& map, const Components& components, const Dropped& dropped) {
  for (std::size_t i = 0; i < map.labels.size(); ++i) {
    const auto number = static_cast<std::size_t>(components.of[i]);
    if (components.label[number] != 0 && components.label[number] != ignore_label &&
        dropped(number)) {
      map.labels[i] = 0;
    }
  }
}

}  // namespace

Components components_of(const data::LabelMap& map) {
  const std::size_t pixels = map.labels.size();
  const auto width = static_cast<std::size_t>(map.width);
  if (pixels > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    throw_internal("objects of more pixels than can be numbered");
  }
  Components out;
  out.of.assign(pixels, -1);
  std::vector<std::size_t> open;
  for (std::size_t start = 0; start < pixels; ++start) {
    if (out.of[start] >= 0) continue;
    const std::uint8_t label = map.labels[start];
    const auto number = static_cast<std::int32_t>(out.area.size());
    std::int64_t area = 0;
    out.of[start] = number;
    open.push_back(start);
    while (!open.empty()) {
      const std::size_t pixel = open.back();
      open.pop_back();
      ++area;
      for_neighbours(pixel, width, pixels, [&](std::size_t next) {
        if (out.of[next] >= 0 || map.labels[next] != label) return;
        out.of[next] = number;
        open.push_back(next);
      });
    }
    out.area.push_back(area);
    out.label.push_back(label);
  }
  return out;
}

data::LabelMap labels_at(const std::vector<float>& probabilities, std::size_t class_count,
                         data::ImageSize size, double threshold) {
  const auto pixels = static_cast<std::size_t>(size.width * size.height);
  data::LabelMap out{size.width, size.height, std::vector<std::uint8_t>(pixels, 0)};
  for (std::size_t i = 0; i < pixels; ++i) {
    std::size_t best = 1;
    for (std::size_t c = 2; c < class_count; ++c) {
      if (probabilities[c * pixels + i] > probabilities[best * pixels + i]) best = c;
    }
    if (probabilities[best * pixels + i] >= threshold) {
      out.labels[i] = static_cast<std::uint8_t>(best);
    }
  }
  return out;
}

void fill_holes(data::LabelMap& map) {
  constexpr int nothing = -1;
  constexpr int several = -2;  // or the image's edge
  const Components components = components_of(map);
  std::vector<int> around(components.area.size(), nothing);
  const std::size_t pixels = map.labels.size();
  const auto width = static_cast<std::size_t>(map.width);
  for (std::size_t i = 0; i < pixels; ++i) {
    if (map.labels[i] != 0) continue;
    int& seen = around[static_cast<std::size_t>(components.of[i])];
    const std::size_t x = i % width;
    if (x == 0 || x + 1 == width || i < width || i + width >= pixels) seen = several;
    for_neighbours(i, width, pixels, [&](std::size_t next) {
      const int label = map.labels[next];
      if (label == 0 || label == seen) return;
      seen = seen == nothing && label != ignore_label ? label : several;
    });
  }
  for (std::size_t i = 0; i < pixels; ++i) {
    if (map.labels[i] != 0) continue;
    const int label = around[static_cast<std::size_t>(components.of[i])];
    if (label > 0) map.labels[i] = static_cast<std::uint8_t>(label);
  }
}

void keep_largest(data::LabelMap& map) {
  const Components components = components_of(map);
  std::array<std::size_t, 256> best{};
  best.fill(components.area.size());
  for (std::size_t number = 0; number < components.area.size(); ++number) {
    std::size_t& of_class = best[components.label[number]];
    if (of_class == components.area.size() || components.area[number] > components.area[of_class]) {
      of_class = number;
    }
  }
  drop(map, components,
       [&](std::size_t number) { return best[components.label[number]] != number; });
}

void drop_small(data::LabelMap& map, std::int64_t min_area) {
  const Components components = components_of(map);
  drop(map, components, [&](std::size_t number) { return components.area[number] < min_area; });
}

void correct(data::LabelMap& map, const PostOptions& options) {
  if (options.fill_holes) fill_holes(map);
  if (options.largest) keep_largest(map);
  if (options.min_area > 1) drop_small(map, options.min_area);
}

}  // namespace medurwkv::predict
