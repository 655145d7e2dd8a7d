// What augmentations of all kinds share about values: floats of any range, gray for a network of
// three channels. Relies on data/image/geometry.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/model_description.h"
#include "data/image/geometry.h"

namespace medurwkv::data {

/// Calls change() on `values` in 0..1. Floats without a window may have any range: what they lie
/// between is scaled to 0..1 for `change`, and back.
template <class Change>
void within_unit_range(std::vector<float>& values, bool any_range, const Change& change) {
  if (!any_range) {
    change();
    return;
  }
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const float low = *least;
  const float range = *most - low;
  if (!(range > 0)) return;
  for (float& value : values) value = (value - low) / range;
  change();
  for (float& value : values) value = low + value * range;
}

/// Planes of `channels` as the network's channels (gray repeated), normalised.
inline std::vector<float> network_channels(std::vector<float> values, std::int64_t channels,
                                           const InputContract& contract) {
  const std::size_t area = values.size() / static_cast<std::size_t>(channels);
  for (std::int64_t c = channels; c < contract.channels; ++c) {
    values.resize(values.size() + area);
    std::copy_n(values.begin(), area, values.end() - static_cast<std::ptrdiff_t>(area));
  }
  normalise(values, contract);
  return values;
}

}  // namespace medurwkv::data
