// The vector kernels of bi-WKV against the reference: every instruction set of this machine, every
// mode, odd numbers of tokens and channels, extreme values, any number of threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "core/random.h"
#include "core/threads.h"
#include "kernels/bi_wkv.h"
#include "kernels/isa.h"
#include "support/filled_workspace.h"

namespace medurwkv::kernels {
namespace {

struct Arrays {
  WkvShape shape;
  std::vector<float> decay, first, key, value, grad_y;
};

/// Decays between -4 and 6 over all tokens, as training has them.
Arrays usual(const WkvShape& shape) {
  const Random random({static_cast<std::uint64_t>(shape.tokens), 3});
  std::uint64_t next = 0;
  const auto draw = [&](std::int64_t count, double low, double high) {
    std::vector<float> out;
    for (std::int64_t i = 0; i < count; ++i) {
      out.push_back(static_cast<float>(random.uniform(next++, low, high)));
    }
    return out;
  };
  const auto tokens = static_cast<double>(shape.tokens);
  const std::int64_t size = shape.batch * shape.tokens * shape.channels;
  return {shape,
          draw(shape.channels, -4 / tokens, 6 / tokens),
          draw(shape.channels, -2 / tokens, 2 / tokens),
          draw(size, -3, 3),
          draw(size, -2, 2),
          draw(size, -1, 1)};
}

struct Results {
  std::vector<float> y, decay, first, key, value;
};

Results run(const Arrays& arrays, WkvMode mode) {
  const WkvInput<float> in{.decay = arrays.decay.data(),
                           .first = arrays.first.data(),
                           .key = arrays.key.data(),
                           .value = arrays.value.data()};
  const std::size_t size = arrays.key.size();
  const std::size_t channels = arrays.decay.size();
  Results out{std::vector<float>(size), std::vector<float>(channels), std::vector<float>(channels),
              std::vector<float>(size), std::vector<float>(size)};
  bi_wkv_forward<float>(
      arrays.shape, mode, in, out.y.data(),
      test::FilledWorkspace(bi_wkv_forward_workspace(arrays.shape, mode, in.decay, in.first))
          .all());
  bi_wkv_backward<float>(
      arrays.shape, mode, in, arrays.grad_y.data(),
      {.decay = out.decay.data(),
       .first = out.first.data(),
       .key = out.key.data(),
       .value = out.value.data()},
      test::FilledWorkspace(bi_wkv_backward_workspace(arrays.shape, mode, in.decay, in.first))
          .all());
  return out;
}

/// Largest difference relative to the largest expected element.
double off(const std::vector<float>& actual, const std::vector<float>& expected) {
  double scale = 1e-30;
  double out = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!std::isfinite(actual[i])) return std::numeric_limits<double>::infinity();
    scale = std::max(scale, std::abs(static_cast<double>(expected[i])));
    out =
        std::max(out, std::abs(static_cast<double>(actual[i]) - static_cast<double>(expected[i])));
  }
  return out / scale;
}

constexpr WkvMode modes[] = {WkvMode::exact, WkvMode::released32, WkvMode::released16};

class WkvOnIsa : public ::testing::TestWithParam<const Isa*> {
 protected:
  void TearDown() override { force_isa(before_); }

  static void expect_reference(const Arrays& arrays, double tolerance) {
    for (const WkvMode mode : modes) {
      force_isa(*find_isa("ref"));
      const Results expected = run(arrays, mode);
      force_isa(*GetParam());
      const Results actual = run(arrays, mode);
      const std::string what = std::to_string(arrays.shape.tokens) + " tokens, " +
                               std::to_string(arrays.shape.channels) + " channels, mode " +
                               std::to_string(static_cast<int>(mode));
      EXPECT_LT(off(actual.y, expected.y), tolerance) << what;
      EXPECT_LT(off(actual.key, expected.key), tolerance) << what;
      EXPECT_LT(off(actual.value, expected.value), tolerance) << what;
      EXPECT_LT(off(actual.decay, expected.decay), 10 * tolerance) << what;
      EXPECT_LT(off(actual.first, expected.first), 10 * tolerance) << what;
    }
  }

 private:
  const Isa& before_ = chosen_isa();
};

TEST_P(WkvOnIsa, EqualsTheReference) {
  for (const std::int64_t tokens : {1, 2, 3, 15, 16, 17, 31, 32, 33, 64, 97, 256, 1009}) {
    for (const std::int64_t channels : {1, 3, 4, 8, 16, 17, 24, 40}) {
      expect_reference(usual({.batch = 2, .tokens = tokens, .channels = channels}), 4e-6);
    }
  }
}

TEST_P(WkvOnIsa, HoldsOverManyTokens) {
  expect_reference(usual({.batch = 1, .tokens = 16384, .channels = 16}), 2e-5);
}

// Long sequences run in blocks of tokens, on one thread after each other, on many side by side.
TEST_P(WkvOnIsa, HoldsInBlocksOfTokens) {
  const int kept = thread_count();
  for (const int threads : {1, 16}) {
    set_thread_count(threads);
    for (const std::int64_t tokens : {2047, 2048, 2049, 3500}) {
      for (const std::int64_t channels : {3, 20}) {
        expect_reference(usual({.batch = 1, .tokens = tokens, .channels = channels}), 1e-5);
      }
    }
    // Sums that a block hands on, with keys far apart and decays to the limits.
    for (const float decay : {0.F, 1.4F, 0.4F, 0.003F, -0.003F, -0.006F}) {
      Arrays arrays = usual({.batch = 1, .tokens = 2500, .channels = 16});
      std::fill(arrays.decay.begin(), arrays.decay.end(), decay);
      for (float& key : arrays.key) key *= 20;
      for (const WkvMode mode : modes) {
        // Where the decay is not near 0 the released sums of weights cancel.
        if (mode != WkvMode::exact && decay > 0.1F) continue;
        force_isa(*find_isa("ref"));
        const Results expected = run(arrays, mode);
        force_isa(*GetParam());
        EXPECT_LT(off(run(arrays, mode).y, expected.y), 3e-4)
            << decay << ", mode " << static_cast<int>(mode) << ", " << threads << " threads";
      }
    }
  }
  set_thread_count(kept);
}

// Decays and firsts within and beyond the vector kernels' limits, keys far apart.
TEST_P(WkvOnIsa, HoldsAtExtremes) {
  for (const float decay : {0.F, 1e-6F, 0.5F, 1.4F, 1.6F, 30.F, -0.01F, -0.3F, -5.F}) {
    for (const float first : {0.F, -25.F, 25.F, 40.F, -60.F}) {
      for (const float spread : {1.F, 30.F}) {
        Arrays arrays = usual({.batch = 1, .tokens = 50, .channels = 16});
        std::fill(arrays.decay.begin(), arrays.decay.end(), decay);
        std::fill(arrays.first.begin(), arrays.first.end(), first);
        for (float& key : arrays.key) key *= spread;
        force_isa(*find_isa("ref"));
        const Results expected = run(arrays, WkvMode::exact);
        force_isa(*GetParam());
        const Results actual = run(arrays, WkvMode::exact);
        const std::string what =
            std::to_string(decay) + " " + std::to_string(first) + " " + std::to_string(spread);
        // Keys of 90 are rounded by 4e-6 when a decay is taken off.
        const double tolerance = 2e-5 * static_cast<double>(spread);
        EXPECT_LT(off(actual.y, expected.y), tolerance) << what;
        EXPECT_LT(off(actual.value, expected.value), tolerance) << what;
      }
    }
  }
}

/// The results on so many threads.
Results run_on(int threads, const Arrays& arrays, WkvMode mode) {
  const int kept = thread_count();
  set_thread_count(threads);
  Results out = run(arrays, mode);
  set_thread_count(kept);
  return out;
}

void expect_same_gradients(const Results& one, const Results& other, const std::string& what) {
  EXPECT_EQ(one.decay, other.decay) << what;
  EXPECT_EQ(one.first, other.first) << what;
  EXPECT_EQ(one.key, other.key) << what;
  EXPECT_EQ(one.value, other.value) << what;
}

// In whole sequences and in blocks of tokens, which begin at 2048; the last block is short.
TEST_P(WkvOnIsa, IsTheSameOnAnyNumberOfThreads) {
  force_isa(*GetParam());
  for (const std::int64_t tokens : {100, 2048, 2500}) {
    // At least three strips on every instruction set.
    const Arrays arrays = usual({.batch = 3, .tokens = tokens, .channels = 40});
    for (const WkvMode mode : modes) {
      const std::string what =
          std::to_string(tokens) + " tokens, mode " + std::to_string(static_cast<int>(mode));
      const Results one = run_on(1, arrays, mode);
      for (const int threads : {2, 3}) {
        const Results more = run_on(threads, arrays, mode);
        EXPECT_EQ(one.y, more.y) << what << ", " << threads << " threads";
        expect_same_gradients(one, more, what);
      }
    }
  }
}

// One strip for three threads is split into blocks: the outputs keep their bits on that number of
// threads, the gradients on any.
TEST_P(WkvOnIsa, SplitSequencesKeepTheirBits) {
  force_isa(*GetParam());
  const Arrays arrays = usual({.batch = 1, .tokens = 2500, .channels = 3});
  for (const WkvMode mode : modes) {
    const std::string what = "mode " + std::to_string(static_cast<int>(mode));
    const Results split = run_on(3, arrays, mode);
    for (int again = 0; again < 3; ++again) {
      const Results other = run_on(3, arrays, mode);
      EXPECT_EQ(split.y, other.y) << what;
      expect_same_gradients(split, other, what);
    }
    expect_same_gradients(split, run_on(1, arrays, mode), what);
  }
}

std::vector<const Isa*> vector_isas() {
  std::vector<const Isa*> out = available_isas();
  out.erase(out.begin());
  return out;
}

INSTANTIATE_TEST_SUITE_P(Isas, WkvOnIsa, ::testing::ValuesIn(vector_isas()),
                         [](const auto& tested) { return std::string(tested.param->name); });

}  // namespace
}  // namespace medurwkv::kernels
