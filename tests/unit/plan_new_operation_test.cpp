// An operation that this file alone defines is recorded, counted, laid out, bounded and run:
// nothing else has a list of operations that it would have to be added to.
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "measure/roofline.h"
#include "plan/counting.h"
#include "plan/memory.h"
#include "plan/ops.h"
#include "plan/reference.h"

namespace medurwkv::plan {
namespace {

/// Sum and product of two arrays, which its gradient needs.
const OpType sum_and_product{
    .name = "sum_and_product",
    .shapes = [](const Shapes& in, const Detail& /*detail*/) -> Shapes {
      return {in[0], in[0]};
    },
    .run =
        [](const std::vector<const Array*>& in, const Detail& /*detail*/, std::vector<Array>& out) {
          for (std::size_t i = 0; i < in[0]->values.size(); ++i) {
            out[0].values[i] = in[0]->values[i] + in[1]->values[i];
            out[1].values[i] = in[0]->values[i] * in[1]->values[i];
          }
        },
    .gradient = {.keeps = Keeps::activations},
    .flops =
        [](const Shapes& out, const Detail& /*detail*/) {
          return 2.0 * static_cast<double>(element_count(out[0]));
        }};

struct Toy {
  Plan plan;
  ValueId sum, product;
};

/// x (2 x 3 x 4) -> squares -> with x: sum and product.
Toy toy() {
  Toy out;
  out.plan.input = out.plan.add_value({2, 3, 4});
  const ValueId squares = out.plan.add(op::multiply, {out.plan.input, out.plan.input}).front();
  const std::vector<ValueId> both = out.plan.add(sum_and_product, {out.plan.input, squares});
  out.sum = both.at(0);
  out.product = both.at(1);
  out.plan.outputs = both;
  return out;
}

TEST(NewOperation, Runs) {
  const Toy made = toy();
  std::vector<double> input;
  for (int i = 0; i < 24; ++i) input.push_back(i - 7);
  const std::vector<Array> values = run_reference(made.plan, {}, input);
  for (std::size_t i = 0; i < 24; ++i) {
    const double x = input[i];
    EXPECT_EQ(values[static_cast<std::size_t>(made.sum)].values[i], x + x * x);
    EXPECT_EQ(values[static_cast<std::size_t>(made.product)].values[i], x * x * x);
  }
}

TEST(NewOperation, IsCountedLaidOutAndBounded) {
  const Plan plan = toy().plan;
  // All four arrays of 24 numbers are alive at once in the second operation.
  EXPECT_EQ(count(plan).peak_bytes, 4 * 4 * 24);
  EXPECT_EQ(lay_out(plan).bytes, 4 * 128);
  const measure::Work work = measure::forward_work(plan, plan.operations.back());
  EXPECT_EQ(work.what, "sum_and_product");
  EXPECT_EQ(work.bytes, 4 * 4 * 24);
  EXPECT_EQ(work.flops, 48);
}

TEST(NewOperation, EveryKnownOneHasANameOfItsOwnAndRuns) {
  std::set<std::string> names;
  for (const OpType* one : op::all()) {
    EXPECT_TRUE(names.insert(one->name).second) << one->name;
    EXPECT_NE(one->run, nullptr) << one->name;
    EXPECT_NE(one->shapes, nullptr) << one->name;
  }
  EXPECT_EQ(names.size(), 32U);
}

}  // namespace
}  // namespace medurwkv::plan
