#include "plan/memory.h"

#include <algorithm>

namespace medurwkv::plan {

Lifetimes lifetimes_of(const Plan& plan) {
  Lifetimes out;
  out.owner.resize(plan.values.size());
  for (std::size_t i = 0; i < out.owner.size(); ++i) out.owner[i] = static_cast<ValueId>(i);
  for (const Operation& op : plan.operations) {
    if (!op.type->view) continue;
    out.owner[static_cast<std::size_t>(op.output())] =
        out.owner[static_cast<std::size_t>(op.inputs.front())];
  }
  out.of.resize(plan.values.size());
  const auto entry = [&](ValueId id) -> Lifetime& {
    return out.of[static_cast<std::size_t>(out.owner[static_cast<std::size_t>(id)])];
  };
  for (std::size_t i = 0; i < plan.operations.size(); ++i) {
    const Operation& op = plan.operations[i];
    for (const ValueId id : op.inputs) entry(id).last = i;
    for (const ValueId id : op.outputs) {
      Lifetime& lifetime = entry(id);
      if (out.owns(id)) lifetime.first = i;
      lifetime.last = std::max(lifetime.last, i);
    }
  }
  for (const ValueId id : plan.outputs) entry(id).last = plan.operations.size();
  for (std::size_t i = 0; i < out.of.size(); ++i) {
    out.of[i] = out.of[static_cast<std::size_t>(out.owner[i])];
  }
  return out;
}

Layout lay_out(const Plan& plan, std::int64_t alignment) {
  const Lifetimes lifetimes = lifetimes_of(plan);
  const auto size_of = [&](ValueId id) {
    return round_up(bytes_of(plan.value(id).held.type) * element_count(plan.shape(id)), alignment);
  };
  std::vector<ValueId> order;
  for (ValueId id = 0; id < std::ssize(plan.values); ++id) {
    if (!plan.is_parameter(id) && lifetimes.owns(id)) order.push_back(id);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](ValueId a, ValueId b) { return size_of(a) > size_of(b); });
  Layout out{.start = std::vector<std::int64_t>(plan.values.size(), -1)};
  std::vector<ValueId> placed;  // by their place
  const auto start_of = [&](ValueId id) -> std::int64_t& {
    return out.start[static_cast<std::size_t>(id)];
  };
  for (const ValueId id : order) {
    const Lifetime& mine = lifetimes.of[static_cast<std::size_t>(id)];
    const std::int64_t size = size_of(id);
    std::int64_t place = 0;
    for (const ValueId other : placed) {
      if (!mine.meets(lifetimes.of[static_cast<std::size_t>(other)])) continue;
      if (start_of(other) >= place + size) break;
      place = std::max(place, start_of(other) + size_of(other));
    }
    start_of(id) = place;
    out.bytes = std::max(out.bytes, place + size);
    const auto behind =
        std::upper_bound(placed.begin(), placed.end(), id,
                         [&](ValueId a, ValueId b) { return start_of(a) < start_of(b); });
    placed.insert(behind, id);
  }
  return out;
}

}  // namespace medurwkv::plan
