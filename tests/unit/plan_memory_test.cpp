// Where the values of a plan lie: worked out by hand, and the law that no two that live at the same
// time overlap, for every preset.
#include "plan/memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "net/presets.h"
#include "plan/counting.h"
#include "plan/ops.h"
#include "plan/record_ops.h"

namespace medurwkv::plan {
namespace {

/// Bytes [first, last) of a value that owns its memory.
std::pair<std::int64_t, std::int64_t> place_of(const Plan& plan, const Layout& layout, ValueId id) {
  const std::int64_t start = layout.start[static_cast<std::size_t>(id)];
  return {start, start + 4 * element_count(plan.shape(id))};
}

void expect_lawful(const Plan& plan, const std::string& name) {
  const Layout layout = lay_out(plan);
  const Lifetimes lifetimes = lifetimes_of(plan);
  std::vector<ValueId> owners;
  for (ValueId id = 0; id < std::ssize(plan.values); ++id) {
    const bool owns = !plan.is_parameter(id) && lifetimes.owns(id);
    EXPECT_EQ(layout.start[static_cast<std::size_t>(id)] >= 0, owns) << name << ", value " << id;
    if (owns) owners.push_back(id);
  }
  for (const ValueId a : owners) {
    const auto [first, last] = place_of(plan, layout, a);
    EXPECT_EQ(first % 64, 0) << name;
    EXPECT_LE(last, layout.bytes) << name;
    for (const ValueId b : owners) {
      if (a >= b || !lifetimes.of[static_cast<std::size_t>(a)].meets(
                        lifetimes.of[static_cast<std::size_t>(b)])) {
        continue;
      }
      const auto [other_first, other_last] = place_of(plan, layout, b);
      EXPECT_TRUE(last <= other_first || other_last <= first)
          << name << ": values " << a << " and " << b << " overlap";
    }
  }
  // Nothing can do with less than what is alive at once; gaps cost little.
  const std::int64_t least = count(plan).peak_bytes;
  EXPECT_GE(layout.bytes, least) << name;
  EXPECT_LE(layout.bytes, least + least / 5 + 64 * std::ssize(owners)) << name;
}

TEST(PlanMemory, NoTwoValuesThatLiveTogetherOverlap) {
  for (const std::string& preset : net::preset_names()) {
    expect_lawful(record(net::preset(preset), 1, 96, 64), preset);
    expect_lawful(record(net::preset(preset), 3, 75, 101), preset + " of odd size");
  }
  for (const std::string preset : {"tiny", "large"}) {
    expect_lawful(record(net::encoder_preset(preset), 1, 64, 64), preset + " encoder");
    expect_lawful(record(net::classifier_preset(preset), 2, 64, 64), preset + " classifier");
  }
}

// x -> relu a -> tokens of a (a view) -> b = a tokens + a tokens, with x as large as each.
TEST(PlanMemory, LifetimesWorkedOutByHand) {
  Plan plan;
  RecordOps ops(plan);
  plan.input = plan.add_value({1, 4, 2, 2});
  const ValueId a = ops.relu(plan.input);
  const ValueId tokens = ops.to_tokens(a);
  const ValueId b = ops.add(tokens, tokens);
  const ValueId c = ops.relu(b);
  plan.outputs = {c};
  const Lifetimes lifetimes = lifetimes_of(plan);
  const auto of = [&](ValueId id) {
    const Lifetime& one = lifetimes.of[static_cast<std::size_t>(id)];
    return std::pair(one.first, one.last);
  };
  EXPECT_EQ(of(plan.input), std::pair(std::size_t{0}, std::size_t{0}));
  EXPECT_EQ(of(a), std::pair(std::size_t{0}, std::size_t{2})) << "its view is read by operation 2";
  EXPECT_EQ(of(tokens), of(a));
  EXPECT_EQ(lifetimes.owner[static_cast<std::size_t>(tokens)], a);
  EXPECT_EQ(of(b), std::pair(std::size_t{2}, std::size_t{3}));
  EXPECT_EQ(of(c), std::pair(std::size_t{3}, plan.operations.size()));
  const Layout layout = lay_out(plan);
  EXPECT_EQ(layout.bytes, 2 * 64) << "two of 16 numbers at a time";
}

}  // namespace
}  // namespace medurwkv::plan
