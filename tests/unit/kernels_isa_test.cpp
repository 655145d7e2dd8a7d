// The table of instruction sets: what MEDURWKV_ISA may name, and what it refuses.
#include "kernels/isa.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/refusal.h"

namespace medurwkv::kernels {
namespace {

// A machine of 2040 that lacks the second of its sets.
TEST(InstructionSets, WhatTheMachineLacksIsRefused) {
  const std::vector<Isa> table{
      {"plain", Device::cpu, [] { return true; }, nullptr, "", ""},
      {"wide", Device::cpu, [] { return false; }, nullptr, "", ""},
      {"wider", Device::cpu, [] { return true; }, nullptr, "", ""},
  };
  EXPECT_EQ(wanted_isa("wider", table).name, std::string("wider"));
  const auto refusal = [&](const std::string& wanted) {
    return test::refusal_of([&] { return &wanted_isa(wanted, table); })
        .value_or(test::Refusal{})
        .message;
  };
  EXPECT_EQ(refusal("wide"), "MEDURWKV_ISA=wide: this machine lacks it; it has plain, wider");
  EXPECT_EQ(refusal("odd"),
            "MEDURWKV_ISA=odd: there is no such instruction set; this machine has plain, wider");
}

TEST(InstructionSets, EachRowHasItsOwnNameAndThoseAvailableTheirOwnKernels) {
  for (const Isa& isa : isas()) EXPECT_EQ(find_isa(isa.name), &isa);
  const std::vector<const Isa*> available = available_isas();
  ASSERT_GE(available.size(), 2U);
  EXPECT_EQ(available.front(), find_isa("ref"));
  for (std::size_t i = 1; i < available.size(); ++i) {
    EXPECT_NE(available[i]->kernels, available[i - 1]->kernels);
    EXPECT_TRUE(available[i]->is_here());
  }
  EXPECT_TRUE(has_kernels(Device::cpu));
}

}  // namespace
}  // namespace medurwkv::kernels
