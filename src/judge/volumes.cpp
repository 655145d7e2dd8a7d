#include "judge/volumes.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <regex>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::judge {
namespace {

/// The smallest box that holds both; an empty one has no right side.
Box joined(const Box& a, const Box& b) {
  if (a.right == 0) return b;
  if (b.right == 0) return a;
  return {std::min(a.left, b.left), std::min(a.top, b.top), std::max(a.right, b.right),
          std::max(a.bottom, b.bottom)};
}

void append(Mask& volume, const Mask& slice) {
  volume.depth = volume.inside.empty() ? 1 : volume.depth + 1;
  volume.width = slice.width;
  volume.height = slice.height;
  volume.inside.insert(volume.inside.end(), slice.inside.begin(), slice.inside.end());
}

std::optional<std::int64_t> whole_number(const std::string& text) {
  std::int64_t out = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, out);
  if (error != std::errc() || at != end) return std::nullopt;
  return out;
}

std::string volume_text(const std::string& name, std::int64_t slice) {
  return concat("the slice ", slice, " of the volume ", shown(name));
}

}  // namespace

VolumeGatherer::VolumeGatherer(std::span<const data::Case> cases, std::size_t class_count)
    : class_count_(class_count) {
  std::map<std::pair<std::string, std::int64_t>, std::string> owners;
  for (const data::Case& item : cases) {
    if (item.volume.empty()) continue;
    const auto [owner, fresh] = owners.emplace(std::pair(item.volume, item.slice), item.id);
    if (!fresh) {
      throw_failure(concat("the cases ", shown(owner->second), " and ", shown(item.id),
                           " are both ", volume_text(item.volume, item.slice),
                           "; --volumes says which part of a name is the volume's"));
    }
    ++volumes_[item.volume].missing;
  }
  has_volumes_ = !volumes_.empty();
}

std::optional<Volume> VolumeGatherer::add(const data::Case& item, const JudgedCase& judged) {
  const data::LabelMap& truth = judged.truth();
  Partial& own = volumes_.at(item.volume);
  if (own.slices.empty()) {
    own.group = item.group;
    own.lengths = judged.lengths();
  } else {
    const data::LabelMap& first = own.slices.begin()->second.truth;
    if (first.width != truth.width || first.height != truth.height) {
      throw_failure(concat("case ", item.id, ": its slice is ", truth.width, " x ", truth.height,
                           " pixels, another of the volume ", item.volume, " is not"));
    }
    if (!(own.lengths.spacing == judged.lengths().spacing)) {
      throw_failure(concat("case ", item.id,
                           ": its spacing differs from that of another slice of the volume ",
                           item.volume));
    }
  }
  own.slices[item.slice] = {truth, judged.prediction()};
  if (--own.missing > 0) return std::nullopt;
  Volume out = whole(item.volume, own);
  volumes_.erase(item.volume);
  return out;
}

Volume VolumeGatherer::whole(const std::string& name, const Partial& from) const {
  const data::LabelMap& first = from.slices.begin()->second.truth;
  Volume out{.name = name,
             .group = from.group,
             .lengths = from.lengths,
             .width = first.width,
             .height = first.height,
             .depth = static_cast<std::int64_t>(from.slices.size()),
             .classes = std::vector<VolumeClass>(class_count_)};
  std::vector<Box> boxes(class_count_);
  for (const auto& [place, slice] : from.slices) {
    const auto pixels = class_pixels(name, slice.truth, slice.prediction, class_count_);
    for (std::size_t label = 1; label < class_count_; ++label) {
      out.classes[label].counts += pixels[label].counts;
      boxes[label] = joined(boxes[label], pixels[label].box);
    }
  }
  for (std::size_t label = 1; label < class_count_; ++label) {
    if (boxes[label].right == 0) continue;
    MaskPair& masks = out.classes[label].masks;
    for (const auto& [place, slice] : from.slices) {
      const MaskPair own = class_masks(slice.truth, slice.prediction,
                                       static_cast<std::uint8_t>(label), boxes[label]);
      append(masks.truth, own.truth);
      append(masks.prediction, own.prediction);
    }
  }
  return out;
}

std::vector<IncompleteVolume> incomplete_volumes(std::span<const data::Case> judged,
                                                 std::span<const data::Case> set) {
  std::map<std::string, std::int64_t> counts;
  for (const data::Case& item : judged) {
    if (!item.volume.empty()) ++counts[item.volume];
  }
  std::map<std::string, std::set<std::int64_t>> places;
  for (const data::Case& item : set) {
    if (counts.contains(item.volume)) places[item.volume].insert(item.slice);
  }
  std::vector<IncompleteVolume> out;
  for (const auto& [name, count] : counts) {
    const std::set<std::int64_t>& own = places[name];
    IncompleteVolume one{name, count, static_cast<std::int64_t>(own.size())};
    std::int64_t step = std::numeric_limits<std::int64_t>::max();
    for (auto at = own.begin(); at != own.end() && std::next(at) != own.end(); ++at) {
      step = std::min(step, *std::next(at) - *at);
    }
    constexpr std::int64_t most = 100000;
    const bool counted = own.size() > 1 && (*own.rbegin() - *own.begin()) / step < most;
    for (std::int64_t at = *own.begin(); counted && at < *own.rbegin(); at += step) {
      if (!own.contains(at)) one.missing.push_back(at);
    }
    if (one.judged < one.in_set || !one.missing.empty()) out.push_back(std::move(one));
  }
  return out;
}

void regroup_volumes(std::vector<data::Case>& cases, const std::string& pattern) {
  std::regex regex;
  try {
    regex = std::regex(pattern);
  } catch (const std::regex_error& error) {
    throw_usage(concat("--volumes: '", pattern, "' is not a regular expression: ", error.what()));
  }
  if (regex.mark_count() != 2) {
    throw_usage(concat("--volumes: '", pattern, "' has ", regex.mark_count(),
                       " groups; it needs two, the volume's name and the slice's number, as in "
                       "'(.+)_slice_([0-9]+)'"));
  }
  std::size_t unmatched = 0;
  std::string first;
  std::map<std::pair<std::string, std::int64_t>, std::string> owners;
  for (data::Case& item : cases) {
    std::smatch match;
    const std::string name = data::name_in_folder(item);
    if (!std::regex_search(item.id, match, regex) && !std::regex_search(name, match, regex)) {
      if (unmatched++ == 0) first = item.id;
      continue;
    }
    const auto number = whole_number(match.str(2));
    if (!number) {
      throw_usage(concat("--volumes: '", pattern, "' finds ", shown(match.str(2)), " in ", item.id,
                         ", which is no slice number"));
    }
    item.volume = match.str(1);
    item.slice = *number;
    const auto [owner, fresh] = owners.emplace(std::pair(item.volume, item.slice), item.id);
    if (fresh) continue;
    throw_usage(concat("--volumes: '", pattern, "' makes both ", owner->second, " and ", item.id,
                       " ", volume_text(item.volume, item.slice)));
  }
  if (unmatched == 0) return;
  throw_usage(concat("--volumes: '", pattern, "' is not in ", unmatched, " of ", cases.size(),
                     " names, the first is ", first));
}

}  // namespace medurwkv::judge
