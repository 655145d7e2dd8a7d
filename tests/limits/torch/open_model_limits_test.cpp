// Time and memory of loading a model file, against its size and against reading and hashing it
// once. `base`, 804 MB, runs where MEDURWKV_LIMITS is set (make test-long); `small`, 212 MB,
// always.
#include <gtest/gtest.h>

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "core/memory.h"
#include "core/threads.h"
#include "engine/torch_engine.h"
#include "measure/in_turn.h"
#include "net/presets.h"
#include "plan/plan.h"
#include "support/paths.h"
#include "weights/model_file.h"

namespace medurwkv::engine {

using measure::Estimate;
using measure::measure_in_turn;
using measure::Times;
namespace {

/// A model file of the preset: all of its tensors are views of the same numbers, so that writing it
/// leaves no memory behind that loading it could use.
std::filesystem::path written(const std::filesystem::path& folder, const std::string& preset) {
  const weights::ModelInfo info{
      .network = net::preset(preset, 2, 3),
      .input = {.width = 32, .height = 32},
      .heads = {segmentation_head({{"background", {0, 0, 0}}, {"lesion", {255, 0, 0}}})}};
  std::vector<weights::TensorInfo> infos = weights::tensor_infos(plan::parameters_of(info.network));
  std::int64_t most = 0;
  for (const weights::TensorInfo& one : infos) most = std::max(most, element_count(one.shape));
  std::vector<float> numbers(static_cast<std::size_t>(most));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = 0.01F * static_cast<float>(i % 97) - 0.5F;
  }
  const std::vector<std::int64_t> counter{0};
  std::vector<weights::TensorView> tensors;
  for (const weights::TensorInfo& one : infos) {
    const auto count = static_cast<std::size_t>(element_count(one.shape));
    const std::string_view data = one.type == weights::DType::i64
                                      ? as_text(std::span<const std::int64_t>(counter))
                                      : as_text(std::span<const float>(numbers).first(count));
    tensors.push_back({one.name, one.type, one.shape, data});
  }
  std::filesystem::path file = folder / (preset + ".model");
  weights::write_model_file(file, tensors, weights::to_metadata(info));
  return file;
}

/// From now on peak_memory() is the most that the process holds, without what is freed already;
/// false where it cannot be told.
bool forget_peak() {
  ::malloc_trim(0);
  std::ofstream file("/proc/self/clear_refs");
  file << 5 << std::flush;
  return file.good();
}

/// At most 1.15 times the file's size in memory, and at most 1.3 times the time that reading and
/// hashing it once takes. The file is in the kernel's cache: it has just been written.
void expect_within_limits(const std::string& preset) {
  const test::TemporaryFolder folder;
  const std::filesystem::path file = written(folder.path(), preset);
  const auto size = static_cast<double>(std::filesystem::file_size(file));
  if (!forget_peak()) GTEST_SKIP() << "/proc/self/clear_refs cannot be written";
  const std::int64_t before = resident_memory();
  {
    const auto engine = open_model(file, at::kCPU);
    EXPECT_EQ(engine->description().network, preset);
    const auto taken = static_cast<double>(peak_memory() - before);
    std::cout << preset << ": " << taken / size << " times its " << size * 1e-6 << " MB\n";
    EXPECT_LT(taken, 1.15 * size);
    // Otherwise it is not the loading that was measured.
    EXPECT_GT(taken, 0.9 * size);
  }
  if (thread_count() < 2) GTEST_SKIP() << "one thread: fresh memory costs half the time of hashing";
  const std::vector<Times> times =
      measure_in_turn({{"reading and hashing", [&] { sha256_file(file); }},
                       {"loading", [&] { open_model(file, at::kCPU); }}},
                      {.rounds = 9});
  const Estimate relative = measure::ratio(times[1], times[0]);
  std::cout << preset << ": loading takes " << relative.median << " (" << relative.low << " to "
            << relative.high << ") times the " << measure::estimate(times[0].seconds).median
            << " s of reading and hashing\n";
  EXPECT_LT(relative.median, 1.3);
}

TEST(OpenModelLimits, SmallIsLoadedOnceInPlace) {
  expect_within_limits("small");
}

TEST(OpenModelLimits, BaseIsLoadedOnceInPlace) {
  if (std::getenv("MEDURWKV_LIMITS") == nullptr) GTEST_SKIP() << "MEDURWKV_LIMITS is not set";
  expect_within_limits("base");
}

}  // namespace
}  // namespace medurwkv::engine
