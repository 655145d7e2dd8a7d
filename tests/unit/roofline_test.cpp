// The roofline of small plans against sums worked out by hand, and of a whole network against its
// known multiply-adds and parameters.
#include "measure/roofline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "net/presets.h"
#include "plan/counting.h"
#include "plan/record_ops.h"

namespace medurwkv {
namespace {

using measure::Extent;
using measure::network_work;
using measure::roofline_seconds;
using measure::Work;

/// x (2 x 10 x 3) -> linear to 5 with bias -> relu -> times itself -> plus a row of 5.
plan::Plan small_plan() {
  plan::Plan out;
  plan::RecordOps ops(out);
  out.input = out.add_value({2, 10, 3});
  const auto weight = ops.param({.name = "weight", .shape = {5, 3}});
  const auto bias = ops.param({.name = "bias", .shape = {5}});
  const auto row = ops.param({.name = "row", .shape = {5}});
  const auto positive = ops.relu(ops.linear(out.input, weight, bias));
  out.outputs = {ops.add(ops.multiply(positive, positive), row)};
  return out;
}

TEST(Roofline, ForwardIsTheSumWorkedOutByHand) {
  const plan::Plan small = small_plan();
  const std::vector<Work> works = network_work(small, Extent::forward);
  ASSERT_EQ(works.size(), 4U);
  // linear: x 60, weight 15, bias 5, y 100 floats; 2 * 20 * 3 * 5 operations.
  EXPECT_EQ(works[0].bytes, 4 * 180);
  EXPECT_EQ(works[0].flops, 600);
  EXPECT_EQ(works[1].bytes, 4 * 200);
  EXPECT_EQ(works[1].flops, 0) << "waits for memory";
  EXPECT_EQ(works[2].bytes, 4 * 200) << "one value read twice is read once";
  EXPECT_EQ(works[3].bytes, 4 * 205);
  // 100 FLOP/s, 1000 bytes/s: the linear map is bound by arithmetic, the others by memory.
  EXPECT_DOUBLE_EQ(roofline_seconds(works, {100, 1000}), 6 + 0.8 + 0.8 + 0.82);
  EXPECT_DOUBLE_EQ(roofline_seconds(works, {1e9, 1000}), 0.72 + 0.8 + 0.8 + 0.82);
}

TEST(Roofline, BackwardIsTheSumWorkedOutByHand) {
  const plan::Plan small = small_plan();
  const std::vector<Work> works = network_work(small, Extent::forward_backward);
  ASSERT_EQ(works.size(), 8U);
  // linear: the image wants no gradient; weight's and bias's: y's gradient 100, x 60, out 15 + 5.
  EXPECT_EQ(works[4].what, "linear");
  EXPECT_EQ(works[4].bytes, 4 * 180);
  EXPECT_EQ(works[4].flops, 600);
  // relu, multiply: input, gradient, gradient; add: gradient read, the row's written.
  EXPECT_EQ(works[5].bytes, 4 * 300);
  EXPECT_EQ(works[6].bytes, 4 * 300);
  EXPECT_EQ(works[7].bytes, 4 * 105);
}

TEST(Roofline, ATrainingStepAddsLossAndSevenPassesOverTheParameters) {
  plan::Plan small = small_plan();
  const double backward =
      roofline_seconds(network_work(small, Extent::forward_backward), {1e12, 1});
  const double step = roofline_seconds(network_work(small, Extent::training_step), {1e12, 1});
  // Logits 2 x 10 x 5 (the second side is classes): 100 floats and 10 labels, twice, and 100 floats
  // written; 25 parameters.
  EXPECT_DOUBLE_EQ(step - backward, 2 * (400 + 80) + 400 + 7 * 4 * 25);
}

TEST(Roofline, ViewsAndLayersInTheMiddle) {
  plan::Plan out;
  plan::RecordOps ops(out);
  out.input = out.add_value({1, 4, 2, 3});
  const auto first = ops.param({.name = "first", .shape = {4, 4, 1, 1}});
  const auto second = ops.param({.name = "second", .shape = {8, 4}});
  const auto map = ops.conv2d(out.input, first, std::nullopt, {});
  out.outputs = {ops.slice(ops.linear(ops.to_tokens(map), second, std::nullopt), 0, 2)};
  const std::vector<Work> works = network_work(out, Extent::forward_backward);
  // conv2d, view, linear, slice; conv2d's weight; linear's input and weight.
  ASSERT_EQ(works.size(), 7U);
  EXPECT_EQ(works[1].bytes, 0);
  EXPECT_EQ(works[3].bytes, 0);
  EXPECT_EQ(works[4].what, "conv2d");
  EXPECT_EQ(works[5].bytes, 4 * (48 + 32 + 24));
  EXPECT_EQ(works[6].flops, 2 * 6 * 4 * 8);
}

TEST(Roofline, CountsAWholeNetwork) {
  const plan::Plan tiny = plan::record(net::preset("tiny"), 4, 256, 256);
  const plan::Cost cost = plan::count(tiny);
  double products = 0;
  double update = 0;
  for (const Work& work : network_work(tiny, Extent::training_step)) {
    if (work.what == "linear" || work.what.starts_with("conv")) products += work.flops;
    if (work.what == "AdamW") update = work.bytes;
  }
  EXPECT_EQ(update, 28.0 * 14330530);
  // Three products of each, but two for the two convolutions on the image (9 x 3 x 64 at 128 x 128
  // and 768 x 192 at 16 x 16).
  const double on_image = 4 * (27.0 * 64 * 128 * 128 + 768.0 * 192 * 256);
  EXPECT_DOUBLE_EQ(products, 6 * static_cast<double>(cost.multiply_adds) - 2 * on_image);
}

// 600 FLOP and 1200 bytes at (100 FLOP/s, 1000 bytes/s), (200, 1000), (200, 500): bounds of 6 +
// 0.5, 3 + 0.5 and 3 + 1 seconds, against 13, 14 and 8 seconds.
TEST(Figures, AShareIsTheRooflineOverTheTimeOfTheSameRound) {
  const std::vector<Work> works{{.what = "linear", .flops = 600, .bytes = 700},
                                {.what = "relu", .flops = 0, .bytes = 500}};
  const measure::Figures found = measure::figures(works, {.name = "x", .seconds = {13, 14, 8}},
                                                  {{100, 1000}, {200, 1000}, {200, 500}});
  EXPECT_DOUBLE_EQ(found.seconds.median, 13);
  EXPECT_DOUBLE_EQ(found.bound_seconds, 4);
  EXPECT_DOUBLE_EQ(found.share.low, 3.5 / 14);
  EXPECT_DOUBLE_EQ(found.share.median, 0.5);
  EXPECT_DOUBLE_EQ(found.share.high, 0.5);
  EXPECT_DOUBLE_EQ(found.gflop, 600e-9);
  EXPECT_DOUBLE_EQ(found.gbyte, 1200e-9);
}

}  // namespace
}  // namespace medurwkv
