// Time and memory of loading weights, of every kind of file in every way, against the file's size
// and against reading and hashing it once. Presets `small` (encoder 117 MB, network 212 MB) always,
// `base` (426 and 804 MB) where MEDURWKV_LIMITS is set (make test-long).
#include <gtest/gtest.h>

#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/files.h"
#include "core/memory.h"
#include "core/threads.h"
#include "engine/torch_engine.h"
#include "measure/in_turn.h"
#include "native/engine.h"
#include "net/presets.h"
#include "plan/plan.h"
#include "support/paths.h"
#include "train/initial_weights.h"
#include "weights/model_file.h"
#include "weights/pth_file.h"

namespace medurwkv {
namespace {

using measure::Estimate;
using measure::measure_in_turn;
using measure::Times;
namespace fs = std::filesystem;

/// Writes a file of the network. All of its tensors are views of the same numbers, so that writing
/// it leaves no memory behind that loading it could use.
void write(const fs::path& file, const net::NetworkConfig& network,
           const weights::Metadata& metadata) {
  const std::vector<net::ParameterSpec> specs = plan::parameters_of(network);
  std::int64_t most = 0;
  for (const net::ParameterSpec& one : specs) most = std::max(most, element_count(one.shape));
  std::vector<float> numbers(static_cast<std::size_t>(most));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = 0.01F * static_cast<float>(i % 97) - 0.5F;
  }
  const std::vector<std::int64_t> counter{0};
  std::vector<weights::TensorView> tensors;
  for (const net::ParameterSpec& one : specs) {
    const auto count = static_cast<std::size_t>(element_count(one.shape));
    if (one.integer) {
      tensors.push_back({one.name, weights::DType::i64, one.shape,
                         as_text(std::span<const std::int64_t>(counter))});
    } else {
      tensors.push_back({one.name, weights::DType::f32, one.shape,
                         as_text(std::span<const float>(numbers).first(count))});
    }
  }
  if (file.extension() == ".pth") {
    weights::Metadata stated = metadata;
    // As write_model_file adds it.
    if (!metadata.empty()) stated["content_sha256"] = weights::content_sha256(metadata, tensors);
    weights::write_pth_file(file, tensors, stated);
  } else if (file.extension() == ".model") {
    weights::write_model_file(file, tensors, metadata);
  } else {
    weights::write_tensor_file(file, tensors, metadata);
  }
}

/// What was loaded, kept alive.
using Loaded = std::shared_ptr<void>;

Loaded by_libtorch(const fs::path& file, const net::NetworkConfig& /*network*/) {
  return engine::open_model(file, at::kCPU);
}

Loaded natively(const fs::path& file, const net::NetworkConfig& /*network*/) {
  return native::open_model(file);
}

Loaded first_weights(const char* option, const fs::path& file, const net::NetworkConfig& network) {
  const train::InitialWeights initial(option, file);
  auto store = std::make_shared<torch_backend::ParameterStore>(plan::parameters_of(network),
                                                               std::nullopt, at::kFloat, at::kCPU);
  EXPECT_EQ(initial.fill(network, *store).content.size(), 64U);
  return store;
}

Loaded init(const fs::path& file, const net::NetworkConfig& network) {
  return first_weights(train::InitialWeights::init, file, network);
}

Loaded pretrained(const fs::path& file, const net::NetworkConfig& network) {
  return first_weights(train::InitialWeights::pretrained, file, network);
}

struct Way {
  const char* name;
  const char* suffix;
  bool model;  ///< else the encoder of the preset, as published
  Loaded (*load)(const fs::path& file, const net::NetworkConfig& network);
};

constexpr Way ways[] = {
    {"ModelByLibTorch", ".model", true, by_libtorch},
    {"ModelNatively", ".model", true, natively},
    {"ModelInPthByLibTorch", ".pth", true, by_libtorch},
    {"ModelInPthNatively", ".pth", true, natively},
    {"Init", ".model", true, init},
    {"PretrainedSafetensors", ".safetensors", false, pretrained},
    {"PretrainedPth", ".pth", false, pretrained},
};

/// From now on peak_memory() is the most that the process holds, without what is freed already;
/// false where it cannot be told.
bool forget_peak() {
  ::malloc_trim(0);
  std::ofstream file("/proc/self/clear_refs");
  file << 5 << std::flush;
  return file.good();
}

/// Bytes that this process has read of files.
double bytes_read() {
  std::ifstream file("/proc/self/io");
  std::string key;
  double value = 0;
  while (file >> key >> value) {
    if (key == "rchar:") return value;
  }
  return 0;
}

class LoadingLimits : public ::testing::TestWithParam<std::tuple<const char*, Way>> {};

/// At most 1.15 times the file's size in memory, its bytes read once, and at most 1.3 times the
/// time that reading and hashing it once takes. The file is in the kernel's cache: it has just been
/// written.
TEST_P(LoadingLimits, IsReadOnceIntoPlace) {
  const auto& [preset, way] = GetParam();
  if (std::string(preset) == "base" && std::getenv("MEDURWKV_LIMITS") == nullptr) {
    GTEST_SKIP() << "MEDURWKV_LIMITS is not set";
  }
  const test::TemporaryFolder folder;
  const fs::path file = folder.path() / (std::string("weights") + way.suffix);
  const net::NetworkConfig network = net::preset(preset, 2, 3);
  if (way.model) {
    const weights::ModelInfo info{
        .network = network,
        .input = {.width = 32, .height = 32},
        .heads = {segmentation_head({{"background", {0, 0, 0}}, {"lesion", {255, 0, 0}}})}};
    write(file, network, weights::to_metadata(info));
  } else {
    write(file, net::encoder_preset(preset), {});
  }
  const auto size = static_cast<double>(fs::file_size(file));
  if (!forget_peak()) GTEST_SKIP() << "/proc/self/clear_refs cannot be written";
  const std::int64_t before = resident_memory();
  const double read_before = bytes_read();
  {
    const Loaded loaded = way.load(file, network);
    const auto taken = static_cast<double>(peak_memory() - before);
    std::cout << preset << ": " << taken / size << " times its " << size * 1e-6 << " MB\n";
    EXPECT_LT(taken, 1.15 * size);
    // Otherwise it is not the loading that was measured.
    EXPECT_GT(taken, 0.9 * size);
    const double read = bytes_read() - read_before;
    EXPECT_LT(read, 1.02 * size + 1e6);
    EXPECT_GT(read, 0.98 * size);
  }
  if (thread_count() < 2) GTEST_SKIP() << "one thread: fresh memory costs half the time of hashing";
  const std::vector<Times> times =
      measure_in_turn({{"reading and hashing", [&] { sha256_file(file); }},
                       {"loading", [&] { way.load(file, network); }}},
                      {.rounds = 7});
  const Estimate relative = measure::ratio(times[1], times[0]);
  std::cout << preset << ": loading takes " << relative.median << " (" << relative.low << " to "
            << relative.high << ") times the " << measure::estimate(times[0].seconds).median
            << " s of reading and hashing\n";
  EXPECT_LT(relative.median, 1.3);
}

std::string name_of(const ::testing::TestParamInfo<LoadingLimits::ParamType>& info) {
  return std::get<1>(info.param).name;
}

INSTANTIATE_TEST_SUITE_P(Small, LoadingLimits,
                         ::testing::Combine(::testing::Values("small"), ::testing::ValuesIn(ways)),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Base, LoadingLimits,
                         ::testing::Combine(::testing::Values("base"), ::testing::ValuesIn(ways)),
                         name_of);

}  // namespace
}  // namespace medurwkv
