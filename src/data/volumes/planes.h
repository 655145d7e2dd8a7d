// Volumes cut into slices along an axis of the patient. Relies on data/volumes/volume.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/model_description.h"
#include "data/volumes/volume.h"

namespace medurwkv::data {

/// The volume as the plane's slices show it:
///
///             columns    rows       slices
///   axial     to left    to back    to head
///   coronal   to left    to feet    to back
///   sagittal  to back    to feet    to left
///
/// Each runs along the stored axis that is nearest to it. A volume of one slice, and any volume in
/// the plane `stored`, is seen as it is. Throws Error where the volume does not say where it lies.
Volume seen_in(const Volume& volume, Plane plane);

/// The turn that undoes `turn`.
Turn undone(const Turn& turn);

/// The volume as its file has it, of one that is seen in another way.
Volume as_stored(const Volume& volume);

/// Values of `seen`'s voxels (slices x rows x columns) in the order in which its file has them.
template <class Value>
std::vector<Value> in_stored_order(const Volume& seen, std::span<const Value> values) {
  std::array<std::size_t, 3> stored{};  // sides
  for (std::size_t i = 0; i < 3; ++i) {
    stored.at(seen.turn.axis.at(i)) = static_cast<std::size_t>(seen.sides().at(i));
  }
  const std::array<std::size_t, 3> step{1, stored[0], stored[0] * stored[1]};
  std::vector<Value> out(values.size());
  const std::array<std::int64_t, 3> sides = seen.sides();
  std::size_t from = 0;
  std::array<std::int64_t, 3> at{};
  for (at[2] = 0; at[2] < sides[2]; ++at[2]) {
    for (at[1] = 0; at[1] < sides[1]; ++at[1]) {
      for (at[0] = 0; at[0] < sides[0]; ++at[0]) {
        std::size_t to = 0;
        for (std::size_t i = 0; i < 3; ++i) {
          const std::int64_t place =
              seen.turn.flipped.at(i) ? sides.at(i) - 1 - at.at(i) : at.at(i);
          to += static_cast<std::size_t>(place) * step.at(seen.turn.axis.at(i));
        }
        out[to] = values[from++];
      }
    }
  }
  return out;
}

}  // namespace medurwkv::data
