// The composition of bi-WKV from LibTorch's operations (ComposedOps, what runs on CUDA): values and
// gradients against our kernel in float64 around the ends of chunks, and the number of its
// operations.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "support/golden.h"
#include "support/other_device.h"
#include "support/tensors.h"
#include "torch/torch_ops.h"

// After torch/aten.h, which must be the first of LibTorch's headers.
#include <ATen/record_function.h>

#include "core/random.h"

namespace medurwkv {
namespace {

using net::WkvMode;

const char* name_of(WkvMode mode) {
  return mode == WkvMode::exact        ? "exact"
         : mode == WkvMode::released32 ? "released32"
                                       : "released16";
}

/// Leaves of bi_wkv with `tokens` tokens: keys and decays of either sign, the decays as
/// large as trained ones (larger ones would make the released modes' sums cancel).
struct Leaves {
  at::Tensor decay, first, key, value;

  explicit Leaves(std::int64_t tokens, const at::Device& device = at::kCPU) {
    constexpr std::int64_t batch = 2;
    constexpr std::int64_t channels = 3;
    const Random random({30u, static_cast<std::uint64_t>(tokens)});
    std::uint64_t next = 0;
    const auto draw = [&](const Shape& shape, double scale) {
      std::vector<double> out;
      for (std::int64_t i = 0; i < element_count(shape); ++i) {
        out.push_back(scale * random.normal(next++));
      }
      return test::tensor_of(out, shape, at::TensorOptions(at::kDouble).device(device))
          .requires_grad_(true);
    };
    decay = test::tensor_of({2, -4, 3}, {channels}, at::TensorOptions(at::kDouble).device(device))
                .requires_grad_(true);
    first = draw({channels}, static_cast<double>(tokens));
    key = draw({batch, tokens, channels}, 1.5);
    value = draw({batch, tokens, channels}, 1);
  }
  [[nodiscard]] std::array<at::Tensor, 4> all() const { return {decay, first, key, value}; }
};

struct Case {
  WkvMode mode = WkvMode::exact;
  std::int64_t tokens = 0;
};

void PrintTo(const Case& one, std::ostream* out) {
  *out << name_of(one.mode) << ", " << one.tokens << " tokens";
}

class ComposedWkv : public ::testing::TestWithParam<Case> {};

TEST_P(ComposedWkv, ValuesAndGradientsAreTheKernels) {
  const auto& [mode, tokens] = GetParam();
  const Leaves kernel(tokens);
  const auto run = [mode = mode](const Leaves& leaves, const auto& bi_wkv) {
    const at::Tensor y = bi_wkv(leaves.decay, leaves.first, leaves.key, leaves.value, mode);
    (y * at::arange(y.numel(), y.options()).sin().reshape(y.sizes())).sum().backward();
    return test::elements(y);
  };
  const auto expected = run(kernel, torch_backend::TorchOps::bi_wkv);
  std::vector<at::Device> devices{at::kCPU};
  if (test::has_other_device()) devices.push_back(test::other_device());
  for (const at::Device& device : devices) {
    SCOPED_TRACE(device);
    const Leaves composed(tokens, device);
    EXPECT_TRUE(test::is_close(run(composed, torch_backend::ComposedOps::bi_wkv), expected, 1e-11));
    for (std::size_t i = 0; i < 4; ++i) {
      const auto gradient = test::elements(kernel.all()[i].grad());
      const double scale = std::max(test::largest(gradient), 1e-5);  // one token's are nearly 0
      EXPECT_TRUE(test::is_close(test::elements(composed.all()[i].grad()), gradient, 1e-10, scale))
          << "gradient of argument " << i;
    }
  }
}

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const WkvMode mode : {WkvMode::exact, WkvMode::released32, WkvMode::released16}) {
    // Around where another composition is taken (64, 128, 448, 704), and 1025: regions of
    // released16 that take two chunks, the last one early; 2100: released32's.
    for (const std::int64_t tokens :
         {1, 2, 31, 64, 65, 128, 129, 196, 256, 448, 449, 704, 705, 1000, 1025, 2100}) {
      out.push_back({mode, tokens});
    }
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(Tokens, ComposedWkv, ::testing::ValuesIn(cases()), [](const auto& tested) {
  return std::string(name_of(tested.param.mode)) + "_" + std::to_string(tested.param.tokens);
});

/// What LibTorch's callbacks see. They are plain functions, so their state is global.
struct Watch {
  std::vector<int> before;  ///< of every operation under way: operations when it began
  int operations = 0;
};
Watch watch;

/// Whether an operation only views, allocates or renames: no kernel on a GPU.
bool computes_nothing(const std::string& name) {
  static const std::set<std::string> names{
      "aten::diagonal",   "aten::_reshape_alias", "aten::_unsafe_view", "aten::resolve_conj",
      "aten::as_strided", "aten::detach",         "aten::empty",        "aten::resolve_neg",
      "aten::empty_like", "aten::empty_strided",  "aten::expand",       "aten::narrow",
      "aten::reshape",    "aten::resize_",        "aten::select",       "aten::slice",
      "aten::squeeze",    "aten::transpose",      "aten::unsqueeze",    "aten::view"};
  return names.contains(name);
}

/// Whether an operation is one kernel on a GPU, whatever it is made of on the CPU (from
/// ATen/native/cuda; cat up to four dimensions).
bool is_one_kernel(const std::string& name) {
  static const std::set<std::string> names{"aten::amax",  "aten::baddbmm_", "aten::bmm",
                                           "aten::cat",   "aten::mm",       "aten::mv",
                                           "aten::addmv_"};
  return names.contains(name);
}

std::unique_ptr<at::ObserverContext> operation_begins(const at::RecordFunction& /*function*/) {
  watch.before.push_back(watch.operations);
  return nullptr;
}

/// Counts the innermost of nested operations, but for those of one kernel.
void operation_ends(const at::RecordFunction& function, at::ObserverContext* /*context*/) {
  const int before = watch.before.back();
  watch.before.pop_back();
  const bool innermost = watch.operations == before;
  if (is_one_kernel(function.name()) || (innermost && !computes_nothing(function.name()))) {
    watch.operations = before + 1;
  }
}

int operations_of(const std::function<void()>& body) {
  watch = {};
  const at::CallbackHandle handle =
      at::addThreadLocalCallback(at::RecordFunctionCallback(operation_begins, operation_ends)
                                     .scopes({at::RecordScope::FUNCTION}));
  body();
  at::removeCallback(handle);
  return watch.operations;
}

class ComposedWkvCount : public ::testing::TestWithParam<WkvMode> {};

// On a GPU every operation is a launch. At most four are allowed per 64 tokens, up to 64 tokens 7
// for released16 and 8 for released32. Above 704 tokens their number must not grow with the tokens;
// it may differ by the filling up of chunks that end early.
TEST_P(ComposedWkvCount, OperationsDoNotGrowWithTokens) {
  const WkvMode mode = GetParam();
  const auto bound_of = [&](std::int64_t tokens) {
    if (mode == WkvMode::released16 && tokens <= 64) return std::int64_t{7};
    if (mode == WkvMode::released32 && tokens <= 64) return std::int64_t{8};
    return 4 * ((tokens + 63) / 64);
  };
  std::vector<int> forward;
  std::vector<int> both;
  for (const std::int64_t tokens :
       {1, 2, 33, 64, 65, 128, 129, 160, 192, 196, 256, 300, 448, 449, 704, 705, 1024, 4096}) {
    const Leaves leaves(tokens);
    const auto run = [&] {
      return torch_backend::ComposedOps::bi_wkv(leaves.decay, leaves.first, leaves.key,
                                                leaves.value, mode);
    };
    run();  // makes tables that are kept
    at::Tensor y;
    const int operations = operations_of([&] { y = run(); });
    const at::Tensor sum = y.sum();
    const int with_backward = operations + operations_of([&] { sum.backward(); });
    std::cout << tokens << " tokens: " << operations << " operations forward, " << with_backward
              << " with backward\n";
    EXPECT_GE(operations, 4) << "the callbacks do not see the operations";
    EXPECT_GT(with_backward, 3 * operations) << "the callbacks do not see the backward pass";
    EXPECT_LE(operations, bound_of(tokens)) << tokens;
    if (tokens > 704) {
      forward.push_back(operations);
      both.push_back(with_backward);
    }
  }
  const auto spread = [](const std::vector<int>& counts) {
    const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
    return *most - *least;
  };
  EXPECT_LE(spread(forward), 12);
  EXPECT_LE(spread(both), 12);
}

INSTANTIATE_TEST_SUITE_P(Modes, ComposedWkvCount,
                         ::testing::Values(WkvMode::exact, WkvMode::released32,
                                           WkvMode::released16),
                         [](const auto& tested) { return name_of(tested.param); });

}  // namespace
}  // namespace medurwkv
