// The native engine allocates nothing when it runs again, and running out of memory is an error.
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "allocation/heap.h"
#include "core/error.h"
#include "core/text.h"
#include "core/threads.h"
#include "native/engine.h"
#include "native/onednn.h"
#include "native/program.h"
#include "support/native_run.h"
#include "support/network_case.h"
#include "support/paths.h"

namespace medurwkv {
namespace {

using native::Program;
using test::network_case;
using test::NetworkCase;

std::vector<float> filled_input(const plan::Plan& plan) {
  return test::filled_parameter({.name = "input", .shape = plan.shape(plan.input)});
}

/// For int8: every product of the network, with the same range.
native::Ranges ranges_of(const plan::Plan& recorded) {
  native::Ranges out;
  for (const net::ParameterSpec& spec : recorded.parameters) {
    if (spec.name.ends_with("weight")) out[spec.name] = 4;
  }
  return out;
}

/// A program with all that a caller gives it.
class Ready {
 public:
  explicit Ready(const NetworkCase& one,
                 const native::ReadParameter& parameters = test::filled_parameter,
                 native::Precision precision = native::Precision::float32)
      : plan_(plan::record(one.network, one.batch, one.height, one.width)),
        program_(plan_, parameters, precision, ranges_of(plan_)),
        input_(filled_input(plan_)),
        workspace_(native::workspace_for(program_)) {
    for (const plan::ValueId id : plan_.outputs) {
      outputs_.emplace_back(static_cast<std::size_t>(element_count(plan_.shape(id))));
    }
    for (std::vector<float>& output : outputs_) places_.push_back(output.data());
  }

  void run() { program_.run(input_.data(), places_, workspace_.get()); }
  [[nodiscard]] const std::vector<std::vector<float>>& outputs() const { return outputs_; }

 private:
  plan::Plan plan_;
  Program program_;
  std::vector<float> input_;
  native::Memory workspace_;
  std::vector<std::vector<float>> outputs_;
  std::vector<float*> places_;
};

class ThreadCount : public ::testing::Test {
 protected:
  void TearDown() override {
    test::allow_allocations();
    set_thread_count(before_);
  }

 private:
  int before_ = thread_count();
};

/// oneDNN copies the list of a primitive's arguments into a map of its own each time: nodes and
/// tables of some hundred bytes. Its scratch memory is ours. Nothing else may allocate.
void expect_none_but_arguments(const test::Watched& watched, const std::string& what) {
  std::int64_t arguments = 0;
  std::int64_t bytes = 0;
  for (const test::Allocation& one : watched.kept) {
    const std::string module = test::module_of(one.caller);
    ASSERT_TRUE(module.starts_with("libdnnl"))
        << what << ": " << one.bytes << " bytes by " << module;
    ASSERT_LE(one.bytes, 512U) << what;
    ++arguments;
    bytes += static_cast<std::int64_t>(one.bytes);
  }
  EXPECT_EQ(arguments, watched.count) << what;
  std::cout << what << ": " << arguments << " lists of arguments in oneDNN, " << bytes
            << " bytes\n";
}

class SecondRun : public ThreadCount, public ::testing::WithParamInterface<NetworkCase> {};

TEST_P(SecondRun, AllocatesNothing) {
  // Narrow numbers, too, where the processor has them.
  for (const native::Precision precision :
       {native::Precision::float32, native::Precision::bfloat16, native::Precision::int8}) {
    if (precision == native::Precision::bfloat16 && !native::onednn_has_bfloat16()) continue;
    if (precision == native::Precision::int8 && !native::onednn_has_int8()) continue;
    for (const int threads : {1, 2}) {
      set_thread_count(threads);
      Ready ready(GetParam(), test::filled_parameter, precision);
      ready.run();
      test::start_watching();
      ready.run();
      const test::Watched watched = test::stop_watching();
      expect_none_but_arguments(watched,
                                concat(threads, " threads, ", native::to_string(precision)));
    }
  }
}

// Decays beyond the vector kernels' limits: the reference runs inside the threads.
TEST_F(ThreadCount, TheReferenceOfBiWkvAllocatesNothing) {
  set_thread_count(2);
  const auto steep = [](const net::ParameterSpec& spec) {
    std::vector<float> out = test::filled_parameter(spec);
    if (!spec.name.ends_with("spatial_decay")) return out;
    for (float& value : out) value *= 1000;
    return out;
  };
  Ready ready(network_case("nano", 256, 64), steep);
  ready.run();
  test::start_watching();
  ready.run();
  expect_none_but_arguments(test::stop_watching(), "steep decays");
  for (const float logit : ready.outputs().front()) ASSERT_TRUE(std::isfinite(logit));
}

std::string version1_model() {
  return (test::source_folder() / "tests/cli/data/version1.model").string();
}

TEST_F(ThreadCount, TheEngineAllocatesNothingForASizeThatItHasMet) {
  set_thread_count(2);
  const auto engine = native::open_model(version1_model());
  const ModelDescription& model = engine->description();
  const BatchShape shape{.images = 1, .height = model.input.height, .width = model.input.width};
  const std::vector<float> input(static_cast<std::size_t>(shape.pixels() * model.input.channels),
                                 0.5F);
  std::vector<float> logits(static_cast<std::size_t>(shape.pixels() * model.outputs()));
  engine->run(shape, input, logits);
  test::start_watching();
  engine->run(shape, input, logits);
  expect_none_but_arguments(test::stop_watching(), "the engine");
}

enum class End { done, out_of_memory, other };

/// How `work` ends when allocation `number` and all later ones fail.
End end_of(const std::function<void()>& work, std::int64_t number) {
  End out = End::done;
  test::fail_allocations_from(number);
  try {
    work();
  } catch (const std::bad_alloc&) {
    out = End::out_of_memory;
  } catch (const std::exception&) {
    out = End::other;
  }
  test::allow_allocations();
  return out;
}

/// Fails allocation after allocation, ever fewer of them tried, until `work` ends well.
void expect_errors(const std::function<void()>& work) {
  std::int64_t tried = 0;
  for (std::int64_t number = 0;; number += 1 + number / 16) {
    const End end = end_of(work, number);
    if (test::failed_allocations() == 0) {
      EXPECT_EQ(end, End::done);
      break;
    }
    ASSERT_EQ(end, End::out_of_memory) << "allocation " << number;
    ++tried;
  }
  EXPECT_GT(tried, 50);
  std::cout << tried << " failures tried\n";
}

TEST_F(ThreadCount, NoMemoryForAProgramIsAnError) {
  set_thread_count(2);
  expect_errors([] { Ready(network_case("nano", 32, 32)).run(); });
}

TEST_F(ThreadCount, AnEngineThatRanOutOfMemoryGoesOn) {
  set_thread_count(2);
  const auto engine = native::open_model(version1_model());
  const auto run = [&](std::int64_t side) {
    const ModelDescription& model = engine->description();
    const BatchShape shape{.images = 1, .height = side, .width = side};
    const std::vector<float> input(static_cast<std::size_t>(shape.pixels() * model.input.channels),
                                   0.5F);
    std::vector<float> logits(static_cast<std::size_t>(shape.pixels() * model.outputs()));
    engine->run(shape, input, logits);
    return logits;
  };
  const std::vector<float> expected = run(64);
  // Another size is a new program, for which the weights are read anew.
  std::int64_t side = 32;
  expect_errors([&] {
    run(side);
    side = 96 - side;
  });
  EXPECT_EQ(run(64), expected);
}

INSTANTIATE_TEST_SUITE_P(
    Networks, SecondRun,
    ::testing::Values(network_case("nano", 47, 70, 1),
                      network_case("nano", 256, 256, 3, net::WkvMode::released32),
                      network_case("nanopost", 64, 64, 5, net::WkvMode::released16, 2),
                      network_case("unet_small", 37, 50),
                      NetworkCase{.network = net::classifier_preset("nano", 5), .height = 50}));

}  // namespace
}  // namespace medurwkv
