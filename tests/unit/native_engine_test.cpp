// The native engine of a model file: the same bits whatever ran between, and what it refuses.
#include "native/engine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/threads.h"
#include "kernels/isa.h"
#include "net/presets.h"
#include "plan/plan.h"
#include "support/fill_rule.h"
#include "support/paths.h"
#include "support/refusal.h"
#include "support/weight_files.h"
#include "weights/model_file.h"

namespace medurwkv {
namespace {

/// A model of two classes by the fill rule, as a file.
class WrittenModel {
 public:
  explicit WrittenModel(const net::NetworkConfig& network) : network_(network) {
    weights_.add(network);
    write(weights::model_format_version);
  }

  void write(int version) {
    weights::ModelInfo info;
    info.network = network_;
    info.input.width = info.input.height = 64;
    info.heads = {segmentation_head({{"background", {}}, {"lesion", {}}})};
    weights::Metadata metadata = weights::to_metadata(info);
    metadata["format_version"] = std::to_string(version);
    weights_.write(path(), metadata);
  }
  /// Gives one number of a tensor another value.
  void damage(const std::string& tensor, double with) {
    for (const net::ParameterSpec& spec : plan::parameters_of(network_)) {
      if (spec.name != tensor) continue;
      std::vector<double> values = test::fill_values(tensor, spec.shape);
      values[values.size() / 2] = with;
      weights_.remove(tensor).add(tensor, spec.shape, values);
    }
    write(weights::model_format_version);
  }
  [[nodiscard]] std::filesystem::path path() const { return folder_.path() / "some.model"; }

 private:
  test::TemporaryFolder folder_;
  net::NetworkConfig network_;
  test::WeightFile weights_;
};

std::vector<float> logits_of(Engine& engine, const BatchShape& shape) {
  std::vector<float> input(
      static_cast<std::size_t>(shape.pixels() * engine.description().input.channels));
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(i % 89) / 44 - 1;
  std::vector<float> out(static_cast<std::size_t>(shape.pixels() * engine.description().outputs()),
                         NAN);
  engine.run(shape, input, out);
  return out;
}

// For the same threads and instruction set.
TEST(NativeEngine, GivesTheSameBitsWhateverRanBetween) {
  const int threads = thread_count();
  const kernels::Isa& before = kernels::chosen_isa();
  for (const net::WkvMode mode : {net::WkvMode::exact, net::WkvMode::released32}) {
    net::NetworkConfig network = net::preset("nano", 2);
    network.wkv = mode;
    const WrittenModel file(network);
    for (const int count : {1, 2}) {
      set_thread_count(count);
      for (const kernels::Isa* isa : kernels::available_isas()) {
        kernels::force_isa(*isa);
        const auto engine = native::open_model(file.path());
        const BatchShape shape{.images = 2, .height = 64, .width = 80};
        const std::vector<float> first = logits_of(*engine, shape);
        logits_of(*engine, {.images = 1, .height = 200, .width = 33});
        EXPECT_EQ(logits_of(*engine, shape), first) << isa->name << ", " << count << " threads";
        EXPECT_EQ(logits_of(*native::open_model(file.path()), shape), first)
            << "another engine, " << isa->name << ", " << count << " threads";
      }
    }
  }
  kernels::force_isa(before);
  set_thread_count(threads);
}

std::string refusal(const std::filesystem::path& path) {
  return test::refusal_of([&] { return native::open_model(path); })
      .value_or(test::Refusal{})
      .message;
}

// A ReLU takes a NaN for 0, so that it would not show in the logits.
TEST(NativeEngine, RefusesWeightsThatAreNotFinite) {
  for (const std::string tensor :
       {"encoder.spm.stem.0.weight", "encoder.layers.0.att.spatial_decay", "head.classify.bias"}) {
    for (const double value :
         {std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
      WrittenModel file(net::preset("nano", 2));
      file.damage(tensor, value);
      const std::string message = refusal(file.path());
      EXPECT_NE(message.find(file.path().string()), std::string::npos) << message;
      EXPECT_NE(message.find(tensor), std::string::npos) << message;
      EXPECT_NE(message.find("NaN or infinite"), std::string::npos) << message;
    }
  }
}

TEST(NativeEngine, RefusesAModelOfANewerVersion) {
  WrittenModel file(net::preset("nano", 2));
  file.write(weights::model_format_version + 1);
  const std::string message = refusal(file.path());
  EXPECT_NE(message.find(file.path().string()), std::string::npos) << message;
  EXPECT_NE(message.find(std::to_string(weights::model_format_version + 1)), std::string::npos);
}

TEST(NativeEngine, RefusesASizeThatMemoryIsNotLeftForAndGoesOn) {
  const WrittenModel file(net::preset("nano", 2));
  const auto engine = native::open_model(file.path());
  const BatchShape shape{.images = 1, .height = 64, .width = 64};
  const std::vector<float> before = logits_of(*engine, shape);
  const std::vector<float> none;
  std::vector<float> unused;
  const BatchShape huge{.images = 1, .height = 1 << 20, .width = 1 << 20};
  const auto refused = test::refusal_of([&] {
    engine->run(huge, none, unused);
    return 0;
  });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("1048576 x 1048576") && refused->names("takes about"))
      << refused->message;
  EXPECT_EQ(logits_of(*engine, shape), before);
}

}  // namespace
}  // namespace medurwkv
