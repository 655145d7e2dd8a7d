// The memory of a plan: how long each value is needed, and where it lies. Relies on plan/plan.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "plan/plan.h"

namespace medurwkv::plan {

/// From the operation that writes a value to the last one that reads it or a view of it. A plan's
/// input is there before operation 0, its outputs after the last operation.
struct Lifetime {
  std::size_t first = 0;
  std::size_t last = 0;

  [[nodiscard]] bool meets(const Lifetime& other) const {
    return first <= other.last && other.first <= last;
  }
};

struct Lifetimes {
  /// Of each value the one whose memory it lies in: itself, or what it is a view of.
  std::vector<ValueId> owner;
  std::vector<Lifetime> of;  ///< of owners; views have their owner's

  [[nodiscard]] bool owns(ValueId id) const { return owner[static_cast<std::size_t>(id)] == id; }
};

Lifetimes lifetimes_of(const Plan& plan);

/// Places of all values that are no parameters in one piece of memory. Values that live at the same
/// time do not overlap; a view lies in its owner.
struct Layout {
  std::vector<std::int64_t> start;  ///< byte of each owner; -1 for parameters and views
  std::int64_t bytes = 0;           ///< of the whole piece
};

/// Each value aligned to `alignment` bytes. The largest first, each
/// in the lowest gap that it fits into (greedy by size: Pisarchyk and Lee, arXiv 2001.03288).
Layout lay_out(const Plan& plan, std::int64_t alignment = 64);

}  // namespace medurwkv::plan
