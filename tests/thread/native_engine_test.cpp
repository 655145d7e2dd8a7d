// The native engine and threads of the caller's: one engine on several threads one after another,
// two engines at once. Under the thread sanitizer oneDNN has one thread (its libgomp is not
// instrumented) and the kernels have std::thread's.
#include "native/engine.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/threads.h"
#include "native/program.h"
#include "support/native_run.h"
#include "support/network_case.h"
#include "support/paths.h"

namespace medurwkv {
namespace {

/// Of a trained model, for one image of a size.
class Model {
 public:
  Model()
      : engine_(native::open_model(
            (test::source_folder() / "tests/cli/data/version1.model").string())) {}

  std::vector<float> logits(std::int64_t height, std::int64_t width, float shift = 0) {
    const ModelDescription& model = engine_->description();
    const BatchShape shape{.images = 1, .height = height, .width = width};
    std::vector<float> input(static_cast<std::size_t>(shape.pixels() * model.input.channels));
    for (std::size_t i = 0; i < input.size(); ++i) {
      input[i] = shift + static_cast<float>(i % 89) / 44 - 1;
    }
    std::vector<float> out(static_cast<std::size_t>(shape.pixels() * model.outputs()));
    engine_->run(shape, input, out);
    return out;
  }

 private:
  std::unique_ptr<Engine> engine_;
};

class NativeEngine : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_thread_count(GetParam()); }
  void TearDown() override { set_thread_count(threads_); }

 private:
  int threads_ = thread_count();
};

TEST_P(NativeEngine, RunsOnSeveralThreadsOneAfterAnother) {
  Model model;
  const std::vector<float> here = model.logits(64, 96);
  for (int i = 0; i < 3; ++i) {
    std::vector<float> there;
    std::thread([&] {
      if (i == 1) model.logits(32, 32);  // another program, made on that thread
      there = model.logits(64, 96);
    }).join();
    EXPECT_EQ(there, here) << "thread " << i;
  }
  EXPECT_EQ(model.logits(64, 96), here);
}

TEST_P(NativeEngine, TwoAtOnceGiveWhatEachGivesAlone) {
  Model one;
  Model other;
  const std::vector<float> of_one = one.logits(64, 64);
  const std::vector<float> of_other = other.logits(96, 64, 0.5F);
  std::vector<float> one_beside;
  std::vector<float> other_beside;
  for (int i = 0; i < 3; ++i) {
    std::thread beside([&] { other_beside = other.logits(96, 64, 0.5F); });
    one_beside = one.logits(64, 64);
    beside.join();
    EXPECT_EQ(one_beside, of_one);
    EXPECT_EQ(other_beside, of_other);
  }
}

// Programs are made at once, too: oneDNN keeps what it has made for all.
TEST_P(NativeEngine, TwoAreMadeAtOnce) {
  std::vector<float> logits[2];
  {
    const auto work = [&](std::size_t i) { logits[i] = Model().logits(64, 64); };
    std::jthread beside(work, 1);
    work(0);
  }
  EXPECT_EQ(logits[0], logits[1]);
}

INSTANTIATE_TEST_SUITE_P(Threads, NativeEngine, ::testing::Values(1, 2));

}  // namespace
}  // namespace medurwkv
