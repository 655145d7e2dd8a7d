// Proves that sums over several ranks, their gradients and batch normalisation over them are those
// of one process with all samples. Ranks are threads here; processes are in tests/fault.
#include "torch/process_group.h"

#include <gtest/gtest.h>

#include <torch/csrc/autograd/autograd.h>

#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "core/error.h"
#include "support/free_port.h"
#include "torch/torch_ops.h"

namespace medurwkv::torch_backend {
namespace {

bool skipped() {
  return !ProcessGroup::why_not(at::kCPU).empty();
}

/// Runs `body` as every rank of a group; the first exception of a rank is thrown again.
void with_ranks(int world, const std::function<void(const ProcessGroup&)>& body,
                std::chrono::seconds patience = std::chrono::seconds(30)) {
  const std::uint16_t port = test::free_port();
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(world));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < world; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        const ProcessGroup group({.port = port, .rank = rank, .world = world, .patience = patience},
                                 at::kCPU);
        body(group);
      } catch (...) {
        errors[static_cast<std::size_t>(rank)] = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

double largest(const at::Tensor& x) {
  return x.abs().max().item<double>();
}

TEST(ProcessGroup, SumsAndBroadcasts) {
  if (skipped()) GTEST_SKIP() << ProcessGroup::why_not(at::kCPU);
  with_ranks(3, [](const ProcessGroup& group) {
    EXPECT_EQ(group.world(), 3);
    at::Tensor x = at::full({5}, group.rank() + 1.5, at::kDouble);
    group.sum(x);
    EXPECT_TRUE(x.equal(at::full({5}, 7.5, at::kDouble)));
    at::Tensor y = at::full({2, 2}, group.rank() + 4, at::kLong);
    group.broadcast(y);
    EXPECT_TRUE(y.equal(at::full({2, 2}, 4, at::kLong)));
  });
}

// Every rank's loss is (r + 1) s^2 with s the sum of all x, so the sum of the losses has the
// derivative 2 s (1 + 2 + 3) by every x.
TEST(ProcessGroup, GradientsAreThoseOfTheSumOfAllLosses) {
  if (skipped()) GTEST_SKIP() << ProcessGroup::why_not(at::kCPU);
  with_ranks(3, [](const ProcessGroup& group) {
    const at::Tensor x = at::full({1}, group.rank() + 1.0, at::kDouble).requires_grad_();
    const at::Tensor s = group.differentiable_sum(x);
    ((group.rank() + 1) * s * s).sum().backward();
    EXPECT_DOUBLE_EQ(x.grad().item<double>(), 2 * 6.0 * 6);
  });
}

struct Normed {
  at::Tensor y, input_gradient, weight_gradient, bias_gradient, mean, variance;
};

/// Normalises `x`, weighs the result by `factors` and goes back.
Normed normalise(const at::Tensor& samples, const at::Tensor& factors, const RunMode& mode,
                 bool relu) {
  static const ParameterStore store({}, 1, at::kDouble, at::kCPU);
  TorchOps ops(store, mode);
  const at::Tensor x = samples.detach().clone().requires_grad_();
  const auto of_channels = [](double first, double step) {
    return (at::arange(4, at::kDouble) * step + first).requires_grad_();
  };
  const net::BatchNorm<at::Tensor> norm{.weight = of_channels(0.5, 0.3),
                                        .bias = of_channels(-0.2, 0.1),
                                        .running_mean = at::zeros({4}, at::kDouble),
                                        .running_var = at::ones({4}, at::kDouble),
                                        .batches = at::zeros({}, at::kLong)};
  const at::Tensor y = relu ? ops.norm_relu(x, norm) : ops.batch_norm(x, norm);
  (y * factors).sum().backward();
  return {y.detach(),       x.grad(),          norm.weight.grad(),
          norm.bias.grad(), norm.running_mean, norm.running_var};
}

TEST(ProcessGroup, BatchNormIsOverAllSamples) {
  if (skipped()) GTEST_SKIP() << ProcessGroup::why_not(at::kCPU);
  const at::Tensor x = at::randn({5, 4, 3, 2}, at::kDouble) * 3 + 100;
  const at::Tensor factors = at::randn({5, 4, 3, 2}, at::kDouble);
  for (const bool relu : {false, true}) {
    const Normed whole = normalise(x, factors, {.training = true}, relu);
    with_ranks(2, [&](const ProcessGroup& group) {
      const std::int64_t first = group.rank() == 0 ? 0 : 2;
      const std::int64_t count = group.rank() == 0 ? 2 : 3;
      const auto mine = [&](const at::Tensor& all) { return all.narrow(0, first, count); };
      Normed part = normalise(mine(x), mine(factors),
                              {.training = true, .group = &group, .first_sample = first}, relu);
      EXPECT_LT(largest(part.y - mine(whole.y)), 1e-12);
      EXPECT_LT(largest(part.input_gradient - mine(whole.input_gradient)), 1e-12);
      group.sum(part.weight_gradient);
      group.sum(part.bias_gradient);
      EXPECT_LT(largest(part.weight_gradient - whole.weight_gradient), 1e-11);
      EXPECT_LT(largest(part.bias_gradient - whole.bias_gradient), 1e-11);
      EXPECT_LT(largest(part.mean - whole.mean), 1e-12);
      EXPECT_LT(largest(part.variance - whole.variance), 1e-12);
    });
  }
}

// Three ranks, a batch of two: the third one's sample stands in and must change nothing.
TEST(ProcessGroup, AStandInSampleChangesNothing) {
  if (skipped()) GTEST_SKIP() << ProcessGroup::why_not(at::kCPU);
  const at::Tensor x = at::randn({2, 4, 3, 2}, at::kDouble);
  const at::Tensor factors = at::randn({2, 4, 3, 2}, at::kDouble);
  const Normed whole = normalise(x, factors, {.training = true}, false);
  with_ranks(3, [&](const ProcessGroup& group) {
    const bool counts = group.rank() < 2;
    const std::int64_t first = counts ? group.rank() : 0;
    const at::Tensor mine = factors.narrow(0, first, 1) * (counts ? 1 : 0);
    const Normed part = normalise(x.narrow(0, first, 1), mine,
                                  {.training = true, .group = &group, .counts = counts}, false);
    EXPECT_LT(largest(part.mean - whole.mean), 1e-12);
    EXPECT_LT(largest(part.y - whole.y.narrow(0, first, 1)), 1e-12);
    if (counts) {
      EXPECT_LT(largest(part.input_gradient - whole.input_gradient.narrow(0, first, 1)), 1e-12);
    } else {
      EXPECT_EQ(largest(part.input_gradient), 0);
    }
  });
}

TEST(ProcessGroup, ARankThatIsGoneIsAnErrorInTime) {
  if (skipped()) GTEST_SKIP() << ProcessGroup::why_not(at::kCPU);
  const auto body = [](const ProcessGroup& group) {
    if (group.rank() == 1) return;  // leaves while the other sums
    at::Tensor x = at::ones({3});
    try {
      group.sum(x);
      ADD_FAILURE() << "a sum without rank 1";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("rank 0 of 2: a sum over all ranks failed"),
                std::string::npos)
          << error.what();
    }
  };
  with_ranks(2, body, std::chrono::seconds(3));
  EXPECT_THROW(
      ProcessGroup(
          {.port = test::free_port(), .rank = 1, .world = 2, .patience = std::chrono::seconds(1)},
          at::kCPU),
      Error);
}

TEST(ProcessGroup, ARendezvousIsAHostAndAPort) {
  EXPECT_EQ(rendezvous_from("10.0.0.1:29500").host, "10.0.0.1");
  EXPECT_EQ(rendezvous_from("[fe80::1]:80").host, "fe80::1");
  EXPECT_EQ(rendezvous_from("node-a:29500").port, 29500);
  for (const char* wrong : {"", ":1", "host", "host:", "host:0", "host:70000", "host:1x"}) {
    EXPECT_THROW(rendezvous_from(wrong), Error) << wrong;
  }
}

}  // namespace
}  // namespace medurwkv::torch_backend
