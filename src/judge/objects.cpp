#include "judge/objects.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/model_description.h"
#include "judge/metrics.h"
#include "judge/pixels.h"

namespace medurwkv::judge {
namespace {

/// The numbers of parts that turn out to be one.
class Joined {
 public:
  std::uint32_t fresh() {
    parents_.push_back(static_cast<std::uint32_t>(parents_.size()));
    return parents_.back();
  }
  std::uint32_t root(std::uint32_t part) {
    while (parents_[part] != part) part = parents_[part] = parents_[parents_[part]];
    return part;
  }
  void join(std::uint32_t a, std::uint32_t b) {
    a = root(a);
    b = root(b);
    parents_[std::max(a, b)] = std::min(a, b);
  }
  [[nodiscard]] std::size_t count() const { return parents_.size(); }

 private:
  std::vector<std::uint32_t> parents_{0};
};

/// One object and where it lies.
struct Object {
  std::vector<std::size_t> pixels;  ///< positions in the image, rising
  Box box;
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(pixels.size()); }
};

/// The objects of one side, and that of each pixel from 1 on.
struct Side {
  std::vector<Object> objects;
  std::vector<std::uint32_t> of_pixel;
};

Side side_of(const data::LabelMap& labels, const data::LabelMap& truth, std::uint8_t label,
             const data::ObjectMap* given) {
  data::LabelMap own{labels.width, labels.height, std::vector<std::uint8_t>(labels.labels.size())};
  for (std::size_t i = 0; i < own.labels.size(); ++i) {
    own.labels[i] = labels.labels[i] == label && truth.labels[i] != ignore_label ? 1 : 0;
  }
  if (given != nullptr && given->objects.size() != own.labels.size()) {
    throw_internal("objects of another size than their labels");
  }
  const data::ObjectMap found = given == nullptr ? connected_parts(own, 1) : data::ObjectMap{};
  const std::vector<std::uint32_t>& objects = given == nullptr ? found.objects : given->objects;
  Side out;
  out.of_pixel.resize(own.labels.size());
  // Numbers rise with those given, without gaps.
  std::vector<std::uint32_t> numbers((given == nullptr ? found : *given).count + std::size_t{1});
  for (std::size_t i = 0; i < own.labels.size(); ++i) {
    if (own.labels[i] != 0) numbers.at(objects[i]) = 1;
  }
  std::uint32_t count = 0;
  for (std::size_t k = 1; k < numbers.size(); ++k) {
    if (numbers[k] != 0) numbers[k] = ++count;
  }
  out.objects.resize(count);
  for (std::size_t i = 0; i < own.labels.size(); ++i) {
    if (own.labels[i] == 0 || objects[i] == 0) continue;
    const auto x = static_cast<std::int64_t>(i) % labels.width;
    const auto y = static_cast<std::int64_t>(i) / labels.width;
    const std::uint32_t number = numbers[objects[i]];
    Object& object = out.objects[number - 1];
    if (object.pixels.empty()) object.box = {x, y, x + 1, y + 1};
    object.pixels.push_back(i);
    object.box = {std::min(object.box.left, x), object.box.top, std::max(object.box.right, x + 1),
                  y + 1};
    out.of_pixel[i] = number;
  }
  return out;
}

/// Pixels that an object of the truth and one of the prediction share, where any.
using Shared = std::map<std::pair<std::size_t, std::size_t>, std::int64_t>;

Shared shared_pixels(const Side& truth, const Side& prediction) {
  Shared out;
  for (std::size_t i = 0; i < truth.of_pixel.size(); ++i) {
    if (truth.of_pixel[i] == 0 || prediction.of_pixel[i] == 0) continue;
    ++out[{truth.of_pixel[i] - 1, prediction.of_pixel[i] - 1}];
  }
  return out;
}

double share_of(std::int64_t part, std::int64_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

/// The partner with which each object shares most pixels, the first of several; absent without any.
struct Partner {
  std::optional<std::size_t> other;
  std::int64_t shared = 0;
};

std::vector<Partner> partners(const Shared& shared, std::size_t count, bool of_truth) {
  std::vector<Partner> out(count);
  for (const auto& [pair, pixels] : shared) {
    Partner& own = out[of_truth ? pair.first : pair.second];
    if (pixels <= own.shared) continue;
    own = {of_truth ? pair.second : pair.first, pixels};
  }
  return out;
}

std::optional<double> aggregated_jaccard(const Side& truth, const Side& prediction,
                                         const Shared& shared) {
  if (truth.objects.empty() && prediction.objects.empty()) return std::nullopt;
  struct Best {
    std::int64_t both = 0, any = 0;
    std::size_t other = 0;
  };
  std::vector<Best> best(truth.objects.size());
  for (const auto& [pair, both] : shared) {
    const auto& [t, p] = pair;
    const std::int64_t any = truth.objects[t].size() + prediction.objects[p].size() - both;
    Best& own = best[t];
    // both / any above that of the best so far; without one its `any` is 0.
    if (own.any == 0 || both * own.any > own.both * any) own = {both, any, p};
  }
  std::vector<bool> used(prediction.objects.size());
  std::int64_t both = 0;
  std::int64_t any = 0;
  for (std::size_t t = 0; t < best.size(); ++t) {
    both += best[t].both;
    any += best[t].any > 0 ? best[t].any : truth.objects[t].size();
    if (best[t].any > 0) used[best[t].other] = true;
  }
  for (std::size_t p = 0; p < used.size(); ++p) any += used[p] ? 0 : prediction.objects[p].size();
  return share_of(both, any);
}

/// The larger of both directions' largest distances between the pixels of two objects.
double hausdorff(const Object& a, const Object& b, std::int64_t width, Spacing spacing) {
  const Box box{std::min(a.box.left, b.box.left), std::min(a.box.top, b.box.top),
                std::max(a.box.right, b.box.right), std::max(a.box.bottom, b.box.bottom)};
  const auto columns = static_cast<std::size_t>(box.right - box.left);
  const auto rows = static_cast<std::size_t>(box.bottom - box.top);
  const auto mask_of = [&](const Object& one) {
    Mask out{columns, rows, std::vector<std::uint8_t>(columns * rows, 0)};
    for (const std::size_t i : one.pixels) {
      const std::int64_t x = static_cast<std::int64_t>(i) % width - box.left;
      const std::int64_t y = static_cast<std::int64_t>(i) / width - box.top;
      out.inside[static_cast<std::size_t>(y) * columns + static_cast<std::size_t>(x)] = 1;
    }
    return out;
  };
  const Mask first = mask_of(a);
  const Mask second = mask_of(b);
  double out = 0;
  for (const double squared : squared_distances(first, second, spacing))
    out = std::max(out, squared);
  for (const double squared : squared_distances(second, first, spacing))
    out = std::max(out, squared);
  return std::sqrt(out);
}

/// Not above the Hausdorff distance: an object's outermost pixel on a side is at least as far from
/// the other object as their boxes' sides are apart.
double least_hausdorff(const Box& a, const Box& b, Spacing spacing) {
  const auto apart = [](std::int64_t x, std::int64_t y) {
    return static_cast<double>(std::abs(x - y));
  };
  return std::max({apart(a.left, b.left) * spacing.x, apart(a.right, b.right) * spacing.x,
                   apart(a.top, b.top) * spacing.y, apart(a.bottom, b.bottom) * spacing.y});
}

/// To the partner or, without one, to whichever object is nearest in this distance.
double hausdorff_of(const Object& own, const Partner& partner, const std::vector<Object>& others,
                    std::int64_t width, Spacing spacing) {
  if (partner.other) return hausdorff(own, others[*partner.other], width, spacing);
  std::vector<std::pair<double, std::size_t>> order;
  for (std::size_t k = 0; k < others.size(); ++k) {
    order.emplace_back(least_hausdorff(own.box, others[k].box, spacing), k);
  }
  std::sort(order.begin(), order.end());
  double best = hausdorff(own, others[order.front().second], width, spacing);
  for (const auto& [least, k] : order) {
    if (least >= best) break;
    best = std::min(best, hausdorff(own, others[k], width, spacing));
  }
  return best;
}

/// Means over the objects of one side, weighted by their pixels.
struct SideMeans {
  double dice = 0;
  double hausdorff = 0;
};

SideMeans side_means(const Side& own, const Side& other, const Shared& shared, bool of_truth,
                     std::int64_t width, Spacing spacing) {
  const std::vector<Partner> with = partners(shared, own.objects.size(), of_truth);
  std::int64_t whole = 0;
  for (const Object& object : own.objects) whole += object.size();
  SideMeans out;
  for (std::size_t k = 0; k < own.objects.size(); ++k) {
    const Object& object = own.objects[k];
    const double weight = share_of(object.size(), whole);
    if (with[k].other) {
      const std::int64_t both = object.size() + other.objects[*with[k].other].size();
      out.dice += weight * share_of(2 * with[k].shared, both);
    }
    out.hausdorff += weight * hausdorff_of(object, with[k], other.objects, width, spacing);
  }
  return out;
}

void count_found(const Side& truth, const Side& prediction, const Shared& shared,
                 ObjectFigures& out) {
  out.in_truth = static_cast<std::int64_t>(truth.objects.size());
  out.predicted = static_cast<std::int64_t>(prediction.objects.size());
  for (const Object& object : truth.objects) out.objects.push_back({.pixels = object.size()});
  for (const auto& [pair, both] : shared) {
    const auto& [t, p] = pair;
    const std::int64_t any = truth.objects[t].size() + prediction.objects[p].size() - both;
    out.objects[t].touched = true;
    // In whole numbers: both / any > 0.5 + 0.05 k.
    for (std::size_t k = 0; k < found_levels; ++k) {
      out.found[k] += 20 * both > static_cast<std::int64_t>(10 + k) * any ? 1 : 0;
    }
    if (2 * both <= any) continue;
    out.objects[t].found = true;
    out.found_iou += share_of(both, any);
  }
}

}  // namespace

ObjectCounts& ObjectCounts::operator+=(const ObjectCounts& other) {
  in_truth += other.in_truth;
  predicted += other.predicted;
  for (std::size_t k = 0; k < found_levels; ++k) found[k] += other.found[k];
  found_iou += other.found_iou;
  objects.insert(objects.end(), other.objects.begin(), other.objects.end());
  return *this;
}

std::optional<double> ObjectCounts::precision() const {
  return ratio(found[0], predicted);
}
std::optional<double> ObjectCounts::recall() const {
  return ratio(found[0], in_truth);
}
std::optional<double> ObjectCounts::f1() const {
  return ratio(2 * found[0], predicted + in_truth);
}
std::optional<double> ObjectCounts::f1_swept() const {
  const std::int64_t sum = std::accumulate(found.begin(), found.end(), std::int64_t{0});
  return ratio(2 * sum, static_cast<std::int64_t>(found_levels) * (predicted + in_truth));
}
std::optional<double> ObjectCounts::segmentation_quality() const {
  if (found[0] == 0) return std::nullopt;
  return found_iou / static_cast<double>(found[0]);
}
std::optional<double> ObjectCounts::panoptic_quality() const {
  if (predicted + in_truth == 0) return std::nullopt;
  return 2 * found_iou / static_cast<double>(predicted + in_truth);
}

data::ObjectMap connected_parts(const data::LabelMap& labels, std::uint8_t label) {
  data::ObjectMap out{labels.width, labels.height, {}};
  out.objects.resize(labels.labels.size());
  Joined joined;
  const auto width = static_cast<std::size_t>(labels.width);
  for (std::size_t i = 0; i < labels.labels.size(); ++i) {
    if (labels.labels[i] != label) continue;
    const std::size_t x = i % width;
    std::uint32_t own = 0;
    const auto meet = [&](std::size_t neighbour) {
      const std::uint32_t other = out.objects[neighbour];
      if (other == 0) return;
      if (own != 0) joined.join(own, other);
      own = other;
    };
    if (x > 0) meet(i - 1);
    if (i >= width) {
      if (x > 0) meet(i - width - 1);
      meet(i - width);
      if (x + 1 < width) meet(i - width + 1);
    }
    out.objects[i] = own != 0 ? own : joined.fresh();
  }
  std::vector<std::uint32_t> numbers(joined.count());
  for (std::uint32_t& object : out.objects) {
    if (object == 0) continue;
    std::uint32_t& number = numbers[joined.root(object)];
    if (number == 0) number = ++out.count;
    object = number;
  }
  return out;
}

ObjectFigures object_figures(const data::LabelMap& truth, const data::LabelMap& prediction,
                             std::uint8_t label, const ObjectSources& sources, Spacing spacing,
                             double apart) {
  const Side in_truth = side_of(truth, truth, label, sources.truth);
  const Side predicted = side_of(prediction, truth, label, sources.prediction);
  const Shared shared = shared_pixels(in_truth, predicted);
  ObjectFigures out;
  count_found(in_truth, predicted, shared, out);
  out.aggregated_jaccard = aggregated_jaccard(in_truth, predicted, shared);
  if (in_truth.objects.empty() && predicted.objects.empty()) return out;
  if (in_truth.objects.empty() || predicted.objects.empty()) {
    out.dice = 0;
    out.hausdorff = apart;
    return out;
  }
  const SideMeans of_truth = side_means(in_truth, predicted, shared, true, truth.width, spacing);
  const SideMeans of_prediction =
      side_means(predicted, in_truth, shared, false, truth.width, spacing);
  out.dice = (of_truth.dice + of_prediction.dice) / 2;
  out.hausdorff = (of_truth.hausdorff + of_prediction.hausdorff) / 2;
  return out;
}

}  // namespace medurwkv::judge
