// What `export` writes, checked by libonnx and run by tests/support/run_onnx.py, against the plan's
// reference executor in float64: every architecture, odd sizes, several images, any channels and
// every bi-WKV mode. Skips without Debian's python3-onnx.
#include "onnx/export.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/npy.h"
#include "core/text.h"
#include "plan/ops.h"
#include "plan/reference.h"
#include "predict/regions.h"
#include "support/fill_rule.h"
#include "support/network_case.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv::onnx {
namespace {

namespace fs = std::filesystem;
using test::network_case;
using test::NetworkCase;

/// By the fill rule, but for what a test sets.
class Parameters {
 public:
  explicit Parameters(const net::NetworkConfig& network) {
    for (const net::ParameterSpec& spec : plan::parameters_of(network)) {
      values_[spec.name] = test::fill_values(spec.name, spec.shape);
    }
  }
  /// Decays and firsts so many times as large.
  void scale_decays(double by) {
    for (auto& [name, values] : values_) {
      if (!name.ends_with("spatial_decay") && !name.ends_with("spatial_first")) continue;
      for (double& value : values) value = static_cast<float>(value * by);
    }
  }
  [[nodiscard]] std::vector<std::vector<double>> of(const plan::Plan& plan) const {
    std::vector<std::vector<double>> out;
    for (const net::ParameterSpec& spec : plan.parameters) out.push_back(values_.at(spec.name));
    return out;
  }
  [[nodiscard]] ParameterValues as_floats() {
    return [this](const std::string& name) {
      std::vector<float>& out = floats_[name];
      if (out.empty()) out.assign(values_.at(name).begin(), values_.at(name).end());
      return std::span<const float>(out);
    };
  }

 private:
  std::map<std::string, std::vector<double>> values_;
  std::map<std::string, std::vector<float>> floats_;
};

Model model_of(const net::NetworkConfig& network) {
  Model out{.network = network, .input = {}, .heads = {}};
  out.input.channels = network.channels;
  return out;
}

class OnnxExport : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path file() const { return folder_.path() / "m.onnx"; }
  [[nodiscard]] fs::path input() const { return folder_.path() / "x.npy"; }
  template <class Number>
  void set_input(NpyType type, const Shape& shape, const std::vector<Number>& values) const {
    write_npy(input(), type, shape,
              {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Number)});
  }
  [[nodiscard]] std::vector<double> output(const std::string& name) const {
    return NpyArray::read(folder_.path() / (name + ".npy")).doubles();
  }

  /// Checks and runs the file; false without the Python packages. A failure of either fails the
  /// test.
  [[nodiscard]] bool run(const std::string& precision) const {
    const fs::path log = folder_.path() / "log";
    const std::string command =
        concat("/usr/bin/python3 '", test::source_folder().string(),
               "/tests/support/run_onnx.py' '", file().string(), "' ", precision, " '",
               input().string(), "' '", folder_.path().string(), "' >'", log.string(), "' 2>&1");
    // NOLINTNEXTLINE(cert-env33-c,concurrency-mt-unsafe): the words are the test's own
    const int status = std::system(command.c_str());
    constexpr int missing = 77;
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    EXPECT_TRUE(code == 0 || code == missing) << read_file(log);
    return code != missing;
  }

 private:
  test::TemporaryFolder folder_;
};

/// The largest |a - b| as a part of the largest |b|.
double difference(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = 0;
  double most = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    // A NaN is never below a bound.
    if (!(std::abs(a[i] - b[i]) <= worst)) {
      worst = std::abs(a[i] - b[i]);
    }
    most = std::max(most, std::abs(b[i]));
  }
  return worst / most;
}

/// Of each pixel the class with the largest number, the first of equals.
std::vector<double> likeliest(const std::vector<double>& logits, std::size_t classes) {
  const std::size_t pixels = logits.size() / classes;
  std::vector<double> out(pixels);
  for (std::size_t i = 0; i < pixels; ++i) {
    std::size_t best = 0;
    for (std::size_t c = 1; c < classes; ++c) {
      if (logits[c * pixels + i] > logits[best * pixels + i]) best = c;
    }
    out[i] = static_cast<double>(best);
  }
  return out;
}

class OnnxNetworks : public OnnxExport, public ::testing::WithParamInterface<NetworkCase> {};

TEST_P(OnnxNetworks, GiveTheReferencesNumbers) {
  const NetworkCase& one = GetParam();
  Parameters parameters(one.network);
  const plan::Plan plan = plan::record(one.network, one.batch, one.height, one.width);
  const std::vector<double> image = test::fill_values("input", plan.shape(plan.input));
  const std::vector<plan::Array> values = plan::run_reference(plan, parameters.of(plan), image);

  const Written written = write(file(), model_of(one.network), {}, parameters.as_floats());
  EXPECT_EQ(written.input, "image");
  set_input(NpyType::f64, plan.shape(plan.input), image);
  if (!run("float64")) GTEST_SKIP() << "no python3-onnx";
  ASSERT_EQ(written.outputs.size(), plan.outputs.size());
  for (std::size_t i = 0; i < plan.outputs.size(); ++i) {
    const auto& expected = values[static_cast<std::size_t>(plan.outputs[i])].values;
    // The e of released32 is left out: 1e-6 of a weight, more behind all layers.
    const double bound = one.network.wkv == net::WkvMode::released32 ? 1e-4 : 1e-9;
    EXPECT_LT(difference(output(written.outputs[i]), expected), bound) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, OnnxNetworks,
    ::testing::Values(network_case("nano", 64, 96), network_case("nano", 33, 70, 1),
                      network_case("nano", 64, 64, 5, net::WkvMode::released32, 2),
                      network_case("nano", 96, 160, 3, net::WkvMode::released16),
                      network_case("nanopost", 50, 64, 3, net::WkvMode::released32),
                      network_case("unet_small", 37, 50, 3, net::WkvMode::exact, 2),
                      NetworkCase{net::encoder_preset("nano"), 1, 64, 96},
                      NetworkCase{net::classifier_preset("nano"), 2, 48, 80}));

/// The largest decays that are exported, in float32: 64 x 96 has from 6 to 384 tokens.
TEST_F(OnnxExport, StrongDecaysKeepFloat32) {
  for (const net::WkvMode mode : {net::WkvMode::exact, net::WkvMode::released32}) {
    const NetworkCase one = network_case("nano", 64, 96, 3, mode);
    Parameters parameters(one.network);
    parameters.scale_decays(19.9);  // the fill rule's are below 3
    const plan::Plan plan = plan::record(one.network, 1, one.height, one.width);
    const std::vector<double> image = test::fill_values("input", plan.shape(plan.input));
    const std::vector<plan::Array> values = plan::run_reference(plan, parameters.of(plan), image);
    write(file(), model_of(one.network), {}, parameters.as_floats());
    set_input(NpyType::f64, plan.shape(plan.input), image);
    if (!run("float32")) GTEST_SKIP() << "no python3-onnx";
    const auto& expected = values[static_cast<std::size_t>(plan.outputs.front())].values;
    EXPECT_LT(difference(output("logits"), expected), 1e-3) << net::to_string(mode);
  }
}

TEST_F(OnnxExport, RefusesDecaysThatFloat32DoesNotHold) {
  const NetworkCase one = network_case("nano", 64, 64);
  Parameters parameters(one.network);
  parameters.scale_decays(25);
  const auto refusal = test::refusal_of(
      [&] { return write(file(), model_of(one.network), {}, parameters.as_floats()); });
  ASSERT_TRUE(refusal);
  EXPECT_TRUE(refusal->names("spatial_decay has the value")) << refusal->message;
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(OnnxExport, TakesStoredValuesAndGivesLabels) {
  const NetworkCase one = network_case("nano", 40, 64);
  Parameters parameters(one.network);
  Model model = model_of(one.network);
  const plan::Plan plan = plan::record(one.network, 1, one.height, one.width);
  const Shape& shape = plan.shape(plan.input);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(255 * test::fill_uniform("pixels", i));
  }
  const auto logits_of = [&](const Window& window) {
    std::vector<double> image;
    const std::size_t area = pixels.size() / 3;
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      const double part =
          std::clamp((pixels[i] - window.low) / (window.high - window.low), 0.0, 1.0);
      image.push_back((part - model.input.mean[i / area]) / model.input.deviation[i / area]);
    }
    return plan::run_reference(plan, parameters.of(plan),
                               image)[static_cast<std::size_t>(plan.outputs.front())]
        .values;
  };

  const Options options{.pixels = true, .labels = true};
  EXPECT_EQ(write(file(), model, options, parameters.as_floats()).input_type, "uint8");
  set_input(NpyType::u8, shape, pixels);
  if (!run("float64")) GTEST_SKIP() << "no python3-onnx";
  const std::vector<double> labels = likeliest(logits_of({0, 255}), 3);
  EXPECT_EQ(output("labels"), labels);
  EXPECT_EQ(std::set(labels.begin(), labels.end()).size(), 3U) << "not enough to tell";

  model.input.window = {50, 150};
  EXPECT_EQ(write(file(), model, options, parameters.as_floats()).input_type, "float32");
  set_input(NpyType::f64, shape, std::vector<double>(pixels.begin(), pixels.end()));
  ASSERT_TRUE(run("float64"));
  EXPECT_EQ(output("labels"), likeliest(logits_of({50, 150}), 3));

  // The three outputs as nested regions: four classes.
  model.input.window.reset();
  const std::vector<ClassInfo> classes{{"background"}, {"whole"}, {"core"}, {"rest"}};
  model.heads = {segmentation_head(classes, {{1, 2, 3}, {2, 3}, {3}})};
  write(file(), model, options, parameters.as_floats());
  set_input(NpyType::u8, shape, pixels);
  ASSERT_TRUE(run("float64"));
  const std::vector<double> logits = logits_of({0, 255});
  const std::vector<float> of_classes = predict::class_logits(
      std::vector<float>(logits.begin(), logits.end()), model.heads.front().regions);
  EXPECT_EQ(output("labels"), likeliest({of_classes.begin(), of_classes.end()}, 4));
}

// The file has no step that sorts an image's values or sees a volume.
TEST_F(OnnxExport, RefusesStoredValuesWhoseWindowFollowsFromThem) {
  const NetworkCase one = network_case("nano", 40, 64);
  Parameters parameters(one.network);
  Model model = model_of(one.network);
  model.input.own_window = OwnWindow{};
  const auto refused = test::refusal_of(
      [&] { return write(file(), model, {.pixels = true}, parameters.as_floats()); });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("leave --pixels out")) << refused->message;
  EXPECT_FALSE(fs::exists(file()));
  EXPECT_EQ(write(file(), model, {}, parameters.as_floats()).input, "image");
}

TEST(OnnxOperations, AreAllTranslatedButTheEnds) {
  for (const plan::OpType* type : plan::op::all()) {
    const bool end = type == &plan::op::pad_edge || type == &plan::op::crop;
    EXPECT_EQ(translates(*type), !end) << type->name;
  }
}

}  // namespace
}  // namespace medurwkv::onnx
