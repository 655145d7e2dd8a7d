#include "data/volumes/planes.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::data {
namespace {

/// Along which axis of the patient (0: left, 1: back, 2: head) the columns, rows and slices run,
/// and whether against it.
struct Directions {
  std::array<std::size_t, 3> axis{};
  std::array<bool, 3> against{};
};

Directions directions_of(Plane plane) {
  switch (plane) {
    case Plane::axial: return {{0, 1, 2}, {false, false, false}};
    case Plane::coronal: return {{0, 2, 1}, {false, true, false}};
    case Plane::sagittal: return {{1, 2, 0}, {false, true, false}};
    case Plane::stored: break;
  }
  throw_internal("a plane without directions");
}

/// The turn onto the stored axes whose directions lie nearest, all three together.
Turn nearest_turn(const Geometry& lies, const Directions& wanted) {
  const auto along = [&](std::size_t stored, std::size_t i) {
    return lies.axes.at(3 * stored + wanted.axis.at(i));
  };
  std::array<std::size_t, 3> axis{0, 1, 2};
  Turn out;
  double best = -1;
  do {
    double sum = 0;
    for (std::size_t i = 0; i < 3; ++i) sum += std::abs(along(axis.at(i), i));
    // Of equals the first one, whatever is rounded how.
    if (sum <= best + 1e-9) continue;
    best = sum;
    out.axis = axis;
  } while (std::next_permutation(axis.begin(), axis.end()));
  for (std::size_t i = 0; i < 3; ++i) {
    out.flipped.at(i) = (along(out.axis.at(i), i) < 0) != wanted.against.at(i);
  }
  return out;
}

}  // namespace

Volume seen_in(const Volume& volume, Plane plane) {
  if (plane == Plane::stored || volume.slices == 1) return volume;
  const auto lies = geometry_of(volume.placing);
  if (!lies || volume.misplaced.starts_with("it does not say")) {
    throw_failure(
        concat(volume.file.string(), ": cannot be cut into ", to_string(plane),
               " slices: ", volume.misplaced.empty() ? "it is placed nowhere" : volume.misplaced));
  }
  return turned(volume, nearest_turn(*lies, directions_of(plane)));
}

Turn undone(const Turn& turn) {
  Turn out;
  for (std::size_t i = 0; i < 3; ++i) {
    out.axis.at(turn.axis.at(i)) = i;
    out.flipped.at(turn.axis.at(i)) = turn.flipped.at(i);
  }
  return out;
}

Volume as_stored(const Volume& volume) {
  return turned(volume, undone(volume.turn));
}

}  // namespace medurwkv::data
