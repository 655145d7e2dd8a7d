// Parameters and multiply-adds of every preset: the published figures; names and shapes of the
// small ones' tensors, as an independent implementation has written them; the laws of counting.
#include "plan/plan.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "net/presets.h"
#include "plan/counting.h"
#include "support/paths.h"
#include "weights/tensor_file.h"

namespace medurwkv {
namespace {

struct Figure {
  std::string preset;
  std::int64_t classes;
  std::int64_t parameters;
};

void PrintTo(const Figure& one, std::ostream* out) {
  *out << one.preset << " with " << one.classes << " classes";
}

void expect_count(const net::NetworkConfig& config, std::int64_t expected) {
  const auto specs = plan::parameters_of(config);
  EXPECT_EQ(plan::parameter_count(specs), expected);
  EXPECT_EQ(plan::count(plan::record(config, 1, 64, 96)).parameters, expected) << "at another size";
}

class WholeNetworks : public ::testing::TestWithParam<Figure> {};
TEST_P(WholeNetworks, HaveTheirParameters) {
  expect_count(net::preset(GetParam().preset, GetParam().classes), GetParam().parameters);
}
// Med-URWKV: the design's figures. unet: Ronneberger's network with BatchNorm, hand-counted below.
INSTANTIATE_TEST_SUITE_P(
    Presets, WholeNetworks,
    ::testing::Values(Figure{"nano", 2, 134214}, Figure{"tiny", 2, 14330530},
                      Figure{"tiny", 3, 14330555}, Figure{"small", 2, 52903666},
                      Figure{"base", 2, 200982946}, Figure{"large", 2, 519708098},
                      Figure{"unet", 2, 31037698}, Figure{"unet_small", 2, 1942594}));

class Encoders : public ::testing::TestWithParam<Figure> {};
TEST_P(Encoders, HaveTheirParameters) {
  expect_count(net::encoder_preset(GetParam().preset), GetParam().parameters);
}
INSTANTIATE_TEST_SUITE_P(Presets, Encoders,
                         ::testing::Values(Figure{"nano", 0, 103060}, Figure{"tiny", 0, 8404592},
                                           Figure{"small", 0, 29264528},
                                           Figure{"base", 0, 106555616},
                                           Figure{"large", 0, 351894720}));

class Classifiers : public ::testing::TestWithParam<Figure> {};
TEST_P(Classifiers, HaveTheirParameters) {
  expect_count(net::classifier_preset(GetParam().preset, GetParam().classes),
               GetParam().parameters);
}
INSTANTIATE_TEST_SUITE_P(Presets, Classifiers,
                         ::testing::Values(Figure{"nano", 10, 42442}, Figure{"tiny", 1000, 6155176},
                                           Figure{"small", 1000, 23820136},
                                           Figure{"base", 1000, 93645544},
                                           Figure{"large", 1000, 334881768}));

using Shapes = std::map<std::string, Shape>;

/// The tensors of a golden file (tests/golden/data) under `prefix`, which goes from their names.
Shapes golden_shapes(const std::string& file, const std::string& prefix) {
  Shapes out;
  const auto golden = weights::TensorFile::read(test::source_folder() / "tests/golden/data" / file);
  for (const weights::TensorInfo& tensor : golden.tensors()) {
    if (tensor.name.starts_with(prefix)) out[tensor.name.substr(prefix.size())] = tensor.shape;
  }
  return out;
}

Shapes shapes_of(const std::vector<net::ParameterSpec>& specs, bool buffers) {
  Shapes out;
  for (const net::ParameterSpec& spec : specs) {
    if (buffers || !spec.buffer) out[spec.name] = spec.shape;
  }
  return out;
}

// The files have a gradient for every trained tensor, or the tensors themselves.
TEST(Parameters, AreThoseOfAnIndependentImplementation) {
  for (const std::string preset : {"nano", "nanopost"}) {
    const auto specs = plan::parameters_of(net::preset(preset, 3));
    EXPECT_EQ(shapes_of(specs, false),
              golden_shapes("medurwkv_" + preset + ".safetensors", "grad.exact."))
        << preset;
  }
  EXPECT_EQ(shapes_of(plan::parameters_of(net::encoder_preset("nano")), true),
            golden_shapes("adapter_nano.safetensors", "p."));
  EXPECT_EQ(shapes_of(plan::parameters_of(net::classifier_preset("nano", 10)), true),
            golden_shapes("classifier_nano.safetensors", "p."));
}

// Two 3x3 convolutions without bias and their BatchNorms per level and side, a 2x2 transposed
// convolution with bias per step up, a 1x1 convolution with bias: summed here by that description
// alone.
TEST(UnetParameters, AreTheSumOverItsLayers) {
  for (const std::int64_t width : {16, 64}) {
    const auto pair = [](std::int64_t in, std::int64_t out) {
      return 9 * in * out + 9 * out * out + 4 * out;
    };
    std::int64_t sum = pair(3, width);
    for (std::int64_t level = 1; level <= 4; ++level) {
      const std::int64_t fine = width << (level - 1);
      const std::int64_t coarse = width << level;
      sum += pair(fine, coarse);        // down
      sum += 4 * coarse * fine + fine;  // up
      sum += pair(2 * fine, fine);      // after joining
    }
    sum += 2 * width + 2;
    const auto specs = plan::parameters_of(net::preset(width == 64 ? "unet" : "unet_small"));
    EXPECT_EQ(plan::parameter_count(specs), sum);
  }
}

TEST(MultiplyAdds, OfTinyAreThePublishedOnes) {
  const plan::Cost whole = plan::count(plan::record(net::preset("tiny"), 1, 256, 256));
  EXPECT_NEAR(static_cast<double>(whole.multiply_adds), 5.92e9, 0.005e9);
  const plan::Cost encoder = plan::count(plan::record(net::encoder_preset("tiny"), 1, 256, 256));
  EXPECT_NEAR(static_cast<double>(encoder.multiply_adds), 4.07e9, 0.005e9);
}

TEST(Counting, StagesAddUp) {
  for (const std::string& preset : net::preset_names()) {
    const plan::Cost cost = plan::count(plan::record(net::preset(preset), 1, 128, 160));
    std::int64_t parameters = 0;
    std::int64_t multiply_adds = 0;
    std::int64_t peak = 0;
    for (const plan::StageCost& stage : cost.stages) {
      parameters += stage.parameters;
      multiply_adds += stage.multiply_adds;
      peak = std::max(peak, stage.peak_bytes);
    }
    EXPECT_EQ(parameters, cost.parameters) << preset;
    EXPECT_EQ(multiply_adds, cost.multiply_adds) << preset;
    EXPECT_EQ(peak, cost.peak_bytes) << preset;
  }
}

TEST(Counting, GrowsWithTheInputAlone) {
  const net::NetworkConfig config = net::preset("nano");
  const plan::Cost one = plan::count(plan::record(config, 1, 128, 128));
  const plan::Cost two = plan::count(plan::record(config, 2, 128, 128));
  const plan::Cost wide = plan::count(plan::record(config, 1, 128, 256));
  EXPECT_EQ(two.multiply_adds, 2 * one.multiply_adds);
  EXPECT_EQ(wide.multiply_adds, 2 * one.multiply_adds);
  EXPECT_EQ(two.parameters, one.parameters);
  EXPECT_EQ(two.peak_bytes, 2 * one.peak_bytes);
}

// An activation is alive from where it is made to its last use, so the peak is at least the largest
// sum of an operation's inputs and output, and at most the sum of everything.
TEST(Counting, PeakLiesBetweenItsBounds) {
  for (const std::string preset : {"nano", "tiny", "unet_small"}) {
    const plan::Plan plan = plan::record(net::preset(preset), 1, 96, 96);
    const auto bytes = [&](plan::ValueId id) {
      const plan::Value& value = plan.values[static_cast<std::size_t>(id)];
      return value.parameter ? 0 : 4 * element_count(value.shape);
    };
    std::int64_t all = bytes(plan.input);
    std::int64_t largest = 0;
    for (const plan::Operation& operation : plan.operations) {
      for (const plan::ValueId id : operation.outputs) {
        all += bytes(id);
        largest = std::max(largest, bytes(id));
      }
    }
    const std::int64_t peak = plan::count(plan).peak_bytes;
    EXPECT_GE(peak, largest) << preset;
    EXPECT_LE(peak, all) << preset;
    EXPECT_LT(peak, all / 4) << preset << ": activations are freed";
  }
}

TEST(Presets, NamesNearAMissAreSuggested) {
  try {
    net::preset("tinny");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("tiny"), std::string::npos) << error.what();
  }
}

TEST(Parameters, NamesAreUniqueAndAPureFunctionOfTheConfiguration) {
  for (const std::string& preset : net::preset_names()) {
    const auto specs = plan::parameters_of(net::preset(preset));
    std::set<std::string> names;
    for (const auto& spec : specs) names.insert(spec.name);
    EXPECT_EQ(names.size(), specs.size()) << preset;
  }
}

}  // namespace
}  // namespace medurwkv
