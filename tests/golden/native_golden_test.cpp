// The native engine against every golden file of inference: modules, bi-WKV, deformable attention,
// whole networks with every stage; on every instruction set of our kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "kernels/isa.h"
#include "native/program.h"
#include "net/med_urwkv.h"
#include "net/presets.h"
#include "plan/record_ops.h"
#include "support/fill_rule.h"
#include "support/golden.h"
#include "support/golden_module.h"
#include "support/native_run.h"

namespace medurwkv {
namespace {

using plan::Plan;
using plan::RecordOps;
using plan::ValueId;
using test::GoldenModule;
using test::Named;
using weights::TensorFile;

/// Tokens (batch x tokens x channels) as a map, or a map as it is.
Shape map_of(const Shape& shape) {
  if (shape.size() == 3) return {shape[0], shape[2], shape[1], 1};
  return shape;
}

/// batch x a x b to batch x b x a.
std::vector<double> turned(const std::vector<double>& from, std::int64_t a, std::int64_t b) {
  std::vector<double> out(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t batch = at / (a * b);
    out[static_cast<std::size_t>((batch * b + at % b) * a + at / b % a)] = from[i];
  }
  return out;
}

std::vector<float> floats(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

/// A plan in the making, whose input may be tokens and whose outputs have names.
class Recording {
 public:
  Recording() : ops_(plan_) { ops_.begin_stage("all"); }

  RecordOps& ops() { return ops_; }

  /// The network's input, given by run().
  ValueId input(const Shape& shape) {
    plan_.input = plan_.add_value(map_of(shape));
    input_ = shape;
    return shape.size() == 3 ? ops_.to_tokens(plan_.input) : plan_.input;
  }
  void output(const std::string& name, ValueId id) {
    const Shape shape = plan_.shape(id);
    if (shape.size() == 3) id = ops_.to_map(id, {shape[1], 1});
    plan_.outputs.push_back(id);
    outputs_.emplace_back(name, shape);
  }

  [[nodiscard]] const Plan& plan() const { return plan_; }

  /// By the native engine; outputs as they were recorded.
  [[nodiscard]] Named<std::vector<double>> run(const std::vector<double>& input,
                                               const native::ReadParameter& read) const {
    native::Program program(plan_, read);
    const std::vector<float> given =
        floats(input_.size() == 3 ? turned(input, input_[1], input_[2]) : input);
    const std::vector<std::vector<float>> results = test::run_native(program, plan_, given);
    Named<std::vector<double>> out;
    for (std::size_t i = 0; i < results.size(); ++i) {
      const auto& [name, shape] = outputs_[i];
      const std::vector<double> numbers(results[i].begin(), results[i].end());
      out[name] = shape.size() == 3 ? turned(numbers, shape[2], shape[1]) : numbers;
    }
    return out;
  }

 private:
  Plan plan_;
  RecordOps ops_;
  Shape input_;
  std::vector<std::pair<std::string, Shape>> outputs_;
};

class OnIsa {
 public:
  explicit OnIsa(const kernels::Isa& isa) { kernels::force_isa(isa); }
  OnIsa(const OnIsa&) = delete;
  OnIsa& operator=(const OnIsa&) = delete;
  OnIsa(OnIsa&&) = delete;
  OnIsa& operator=(OnIsa&&) = delete;
  ~OnIsa() { kernels::force_isa(before_); }

 private:
  const kernels::Isa& before_ = kernels::chosen_isa();
};

/// Runs a test's body with every instruction set.
void on_every_isa(const std::function<void()>& body) {
  for (const kernels::Isa* isa : kernels::available_isas()) {
    SCOPED_TRACE(isa->name);
    const OnIsa on(*isa);
    body();
  }
}

double tolerance_of(const std::string& file, const std::string& what) {
  const auto& facts = test::golden_facts(file).at("tolerance").at("float32");
  return facts.is_number() ? facts.get<double>() : facts.at(what).get<double>();
}

// --- modules ---------------------------------------------------------------------------------

const std::vector<std::string> module_files{"qshift_1x1x1x5",
                                            "qshift_1x3x5x7",
                                            "qshift_1x6x4x3",
                                            "qshift_2x1x9x8",
                                            "qshift_2x4x6x10",
                                            "qshift_2x5x7x8",
                                            "qshift_2x9x1x8",
                                            "spatialmix",
                                            "spatialmix_keynorm",
                                            "channelmix",
                                            "channelmix_keynorm",
                                            "convffn",
                                            "spm_eval",
                                            "block_l0",
                                            "block_mid",
                                            "block_scale",
                                            "block_post",
                                            "block_post_noscale",
                                            "msdeform_L1_r05",
                                            "msdeform_L1_r10",
                                            "msdeform_L3_r05",
                                            "msdeform_L3_r10",
                                            "injector",
                                            "extractor",
                                            "interaction",
                                            "interaction_post",
                                            "posembed_12x12_4x4",
                                            "posembed_14x14_14x20",
                                            "posembed_14x14_16x16",
                                            "posembed_3x5_1x2",
                                            "posembed_4x4_4x6",
                                            "bilinear_x05",
                                            "bilinear_x2",
                                            "bilinear_x4"};

/// The engine shifts and mixes in one pass; of zeros as mix only the shift is left.
Named<ValueId> record_module(RecordOps& ops, const GoldenModule& facts,
                             const Named<ValueId>& inputs) {
  if (facts.kind != "qshift") return test::run_module(ops, facts, inputs);
  const ValueId x = inputs.at("x");
  const ValueId zeros = ops.param({.name = "zeros", .shape = {1, 1, ops.shape(x)[2]}});
  return {{"y", ops.shift_mix(x, {zeros}, facts.grid).front()}};
}

/// A network has one input: `changing` is it, the module's other inputs are constants.
void check_module(const std::string& name, const TensorFile& file, const std::string& changing,
                  net::WkvMode mode) {
  SCOPED_TRACE("input " + changing);
  Recording recording;
  const GoldenModule facts(name, mode);
  Named<ValueId> inputs;
  for (const std::string& input : test::names_behind(file, "x.")) {
    const Shape shape = file.info("x." + input).shape;
    inputs[input] = input == changing
                        ? recording.input(shape)
                        : recording.ops().param({.name = "x." + input, .shape = shape});
  }
  for (const auto& [output, id] : record_module(recording.ops(), facts, inputs)) {
    recording.output(output, id);
  }
  const auto read = [&](const net::ParameterSpec& spec) {
    if (spec.name == "zeros") return std::vector<float>(static_cast<std::size_t>(spec.shape[2]));
    return floats(file.values(spec.name.starts_with("x.") ? spec.name : "p." + spec.name));
  };
  const std::string prefix = mode == net::WkvMode::exact ? "y." : "y_vr32.";
  for (const auto& [output, actual] : recording.run(file.values("x." + changing), read)) {
    EXPECT_TRUE(test::is_close(actual, file.values(prefix + output), tolerance_of(name, "y")))
        << output;
  }
}

class NativeModuleGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(NativeModuleGolden, Outputs) {
  const std::string& name = GetParam();
  MEDURWKV_GOLDEN_OR_SKIP(file, name);
  on_every_isa([&] {
    for (const std::string& input : test::names_behind(file, "x.")) {
      check_module(name, file, input, net::WkvMode::exact);
      if (test::names_behind(file, "y_vr32.").empty()) continue;
      check_module(name, file, input, net::WkvMode::released32);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Files, NativeModuleGolden, ::testing::ValuesIn(module_files),
                         [](const auto& tested) { return tested.param; });

// --- bi-WKV and the core of deformable attention ------------------------------------------------

const std::vector<std::string> wkv_files{
    "wkv_1x1x4",   "wkv_1x2x8",    "wkv_2x7x32",   "wkv_1x31x32",  "wkv_1x33x32",
    "wkv_2x64x32", "wkv_1x196x48", "wkv_1x1000x8", "wkv_1x4096x4", "wkv_x_k80",
    "wkv_x_w",     "wkv_x_u",      "wkv_x_eqk",    "wkv_x_mix"};

class NativeWkvGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(NativeWkvGolden, OutputsOfEveryMode) {
  MEDURWKV_GOLDEN_OR_SKIP(file, GetParam());
  const auto& tolerance = test::golden_facts(GetParam()).at("tolerance").at("float32");
  const Shape shape = file.info("k").shape;
  const std::vector<std::pair<net::WkvMode, std::string>> modes{
      {net::WkvMode::exact, "y"},
      {net::WkvMode::released32, "y_vr32"},
      {net::WkvMode::released16, "y_vr16"}};
  on_every_isa([&] {
    for (const auto& [mode, output] : modes) {
      if (tolerance.at(output).is_null()) continue;
      for (const std::string changing : {"k", "v"}) {
        Recording recording;
        const auto sequence = [&](const std::string& name) {
          return name == changing ? recording.input(shape)
                                  : recording.ops().param({.name = name, .shape = shape});
        };
        const auto per_channel = [&](const std::string& name) {
          return recording.ops().param({.name = name, .shape = {shape[2]}});
        };
        const ValueId k = sequence("k");
        const ValueId v = sequence("v");
        recording.output("y",
                         recording.ops().bi_wkv(per_channel("w"), per_channel("u"), k, v, mode));
        // The engine divides decay and first by the number of tokens; the files have them divided.
        const auto read = [&](const net::ParameterSpec& spec) {
          std::vector<double> values = file.values(spec.name);
          if (spec.shape.size() == 1) {
            for (double& value : values) value *= static_cast<double>(shape[1]);
          }
          return floats(values);
        };
        const std::vector<double> y = recording.run(file.values(changing), read).at("y");
        EXPECT_TRUE(test::is_close(y, file.values(output), tolerance.at(output)))
            << output << ", input " << changing;
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Files, NativeWkvGolden, ::testing::ValuesIn(wkv_files),
                         [](const auto& tested) { return tested.param; });

const std::vector<std::string> deform_files{"msdeform_core_L1_D1", "msdeform_core_L1_D4",
                                            "msdeform_core_L3_D8"};

class NativeDeformGolden : public ::testing::TestWithParam<std::string> {};

// The files have places as shares of the level and weights after the softmax. Ours are offsets in
// pixels from the centres of a grid, a row of as many as there are queries; the softmax leaves of
// log(weights) all but their sum.
TEST_P(NativeDeformGolden, Outputs) {
  MEDURWKV_GOLDEN_OR_SKIP(file, GetParam());
  const Shape places = file.info("x.loc").shape;  // batch, queries, heads, levels, points, 2
  const Shape value_shape = file.info("x.value").shape;
  const net::DeformableAttention where{
      .queries = {{1, places[1]}},
      .levels = test::golden_grids(test::golden_facts(GetParam()).at("parameters").at("shapes")),
      .heads = places[2],
      .points = places[4]};
  std::vector<double> offsets = file.values("x.loc");
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t level = at / (2 * places[4]) % places[3];
    const std::int64_t query = at / (2 * places[4] * places[3] * places[2]) % places[1];
    const net::Grid grid = where.levels[static_cast<std::size_t>(level)];
    const bool is_x = at % 2 == 0;
    const double centre =
        is_x ? (static_cast<double>(query) + 0.5) / static_cast<double>(places[1]) : 0.5;
    offsets[i] = (offsets[i] - centre) * static_cast<double>(is_x ? grid.width : grid.height);
  }
  const std::int64_t samples = places[3] * places[4];
  std::vector<double> weights = file.values("x.attn");
  std::vector<double> sums(weights.size() / static_cast<std::size_t>(samples));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    sums[i / static_cast<std::size_t>(samples)] += weights[i];
    weights[i] = std::log(weights[i]);
  }
  const std::int64_t wide = value_shape[2] * value_shape[3];
  const Named<std::pair<Shape, std::vector<double>>> given{
      {"value", {{value_shape[0], value_shape[1], wide}, file.values("x.value")}},
      {"offsets", {{places[0], places[1], 2 * places[2] * samples}, offsets}},
      {"weights", {{places[0], places[1], places[2] * samples}, weights}}};
  on_every_isa([&] {
    for (const auto& [changing, input] : given) {
      Recording recording;
      Named<ValueId> ids;
      for (const auto& [name, array] : given) {
        ids[name] = name == changing ? recording.input(array.first)
                                     : recording.ops().param({.name = name, .shape = array.first});
      }
      recording.output("y", recording.ops().deform_attn(ids.at("value"), ids.at("offsets"),
                                                        ids.at("weights"), where));
      std::vector<double> y = recording
                                  .run(input.second,
                                       [&](const net::ParameterSpec& spec) {
                                         return floats(given.at(spec.name).second);
                                       })
                                  .at("y");
      for (std::size_t i = 0; i < y.size(); ++i) {
        y[i] *= sums[i / static_cast<std::size_t>(value_shape[3])];
      }
      EXPECT_TRUE(test::is_close(y, file.values("y.y"), tolerance_of(GetParam(), "y"))) << changing;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Files, NativeDeformGolden, ::testing::ValuesIn(deform_files),
                         [](const auto& tested) { return tested.param; });

// --- whole networks ----------------------------------------------------------------------------

/// Every stage and the outputs of a network.
Named<std::vector<double>> run_network(const net::NetworkConfig& config, const Shape& image,
                                       const std::vector<double>& input,
                                       const native::ReadParameter& read) {
  Recording recording;
  const ValueId in = recording.input(image);
  const auto out = net::network(recording.ops(), config, in);
  for (std::size_t i = 0; i < out.features.size(); ++i) {
    recording.output("f" + std::to_string(i + 1), out.features[i]);
  }
  if (out.bottleneck) recording.output("bottleneck", *out.bottleneck);
  for (std::size_t i = 0; i < out.decoder.size(); ++i) {
    recording.output("decoder." + std::to_string(i), out.decoder[i]);
  }
  if (config.architecture != net::Architecture::encoder) recording.output("logits", out.logits);
  return recording.run(input, read);
}

net::NetworkConfig med_urwkv(const std::string& preset, const std::string& mode) {
  net::NetworkConfig config = net::preset(preset, 3);
  config.wkv = mode == "exact"  ? net::WkvMode::exact
               : mode == "vr32" ? net::WkvMode::released32
                                : net::WkvMode::released16;
  return config;
}

/// Files of whole networks with the modes that they hold.
const std::vector<std::pair<std::string, std::vector<std::string>>> network_files{
    {"medurwkv_nano", {"exact", "vr32"}},
    {"medurwkv_nano_released16", {"vr16"}},
    {"medurwkv_nanopost", {"exact", "vr32"}}};

class NativeNetworkGolden
    : public ::testing::TestWithParam<std::pair<std::string, std::vector<std::string>>> {};

TEST_P(NativeNetworkGolden, EveryStage) {
  const auto& [name, modes] = GetParam();
  MEDURWKV_GOLDEN_OR_SKIP(file, name);
  const Shape image{2, 3, 64, 96};
  const std::string preset = split(name, '_')[1];
  on_every_isa([&] {
    for (const std::string& mode : modes) {
      const auto outputs = run_network(med_urwkv(preset, mode), image,
                                       test::fill_values("input", image), test::filled_parameter);
      EXPECT_EQ(outputs.size(), 9U);
      for (const auto& [stage, actual] : outputs) {
        EXPECT_TRUE(test::is_close(actual, file.values(stage + ".eval." + mode),
                                   tolerance_of(name, "eval")))
            << stage << ", " << mode;
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Files, NativeNetworkGolden, ::testing::ValuesIn(network_files),
                         [](const auto& tested) { return tested.param.first; });

std::vector<double> every_37th(const std::vector<double>& all) {
  std::vector<double> out;
  for (std::size_t i = 0; i < all.size(); i += 37) out.push_back(all[i]);
  return out;
}

struct Sampled {
  std::string file;
  std::int64_t classes;
  Shape image;
};

const std::vector<Sampled> sampled_files{{"medurwkv_tiny_96x160", 3, {1, 3, 96, 160}},
                                         {"medurwkv_tiny_256x256", 2, {1, 3, 256, 256}},
                                         {"medurwkv_small_128x128", 2, {1, 3, 128, 128}}};

class NativeSampledGolden : public ::testing::TestWithParam<Sampled> {};

TEST_P(NativeSampledGolden, EveryStage) {
  const auto& [name, classes, image] = GetParam();
  MEDURWKV_GOLDEN_OR_SKIP(file, name);
  for (const std::string mode : {"exact", "vr32"}) {
    net::NetworkConfig config = med_urwkv(split(name, '_')[1], mode);
    config.classes = classes;
    const auto outputs =
        run_network(config, image, test::fill_values("input", image), test::filled_parameter);
    for (const auto& [stage, actual] : outputs) {
      const std::vector<double> stats = file.values("stats." + stage + "." + mode);
      const double scale = std::max(std::abs(stats[2]), std::abs(stats[3]));
      EXPECT_TRUE(test::is_close(every_37th(actual), file.values("sample." + stage + "." + mode),
                                 tolerance_of(name, ""), scale))
          << stage << ", " << mode;
    }
    // Pixels whose two best classes nearly tie may fall to either.
    const std::vector<double>& logits = outputs.at("logits");
    const std::vector<double> mask = file.values("mask." + mode);
    std::size_t different = 0;
    for (std::size_t i = 0; i < mask.size(); ++i) {
      std::size_t best = 0;
      for (std::size_t c = 1; c < static_cast<std::size_t>(classes); ++c) {
        if (logits[c * mask.size() + i] > logits[best * mask.size() + i]) best = c;
      }
      different += static_cast<double>(best) != mask[i] ? 1 : 0;
    }
    EXPECT_LE(different, mask.size() / 5000) << mode;
  }
}

INSTANTIATE_TEST_SUITE_P(Files, NativeSampledGolden, ::testing::ValuesIn(sampled_files),
                         [](const auto& tested) { return tested.param.file; });

net::NetworkConfig published(const std::string& file, bool released) {
  const std::vector<std::string> parts = split(file, '_');
  net::NetworkConfig out = parts[0] == "adapter"
                               ? net::encoder_preset(parts[1])
                               : net::classifier_preset(parts[1], parts[1] == "nano" ? 10 : 1000);
  if (released) out.wkv = net::WkvMode::released32;
  return out;
}

const std::vector<std::string> stored_files{"adapter_nano", "adapter_nanopost", "classifier_nano"};

class NativeStoredGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(NativeStoredGolden, Outputs) {
  const std::string& name = GetParam();
  MEDURWKV_GOLDEN_OR_SKIP(file, name);
  const std::string exact = name.starts_with("adapter") ? "y_eval" : "y";
  on_every_isa([&] {
    for (const bool released : {false, true}) {
      const auto outputs = run_network(
          published(name, released), file.info("x.input").shape, file.values("x.input"),
          [&](const net::ParameterSpec& spec) { return floats(file.values("p." + spec.name)); });
      for (const auto& [output, actual] : outputs) {
        const std::string expected = released ? "y_vr32." : exact + ".";
        EXPECT_TRUE(
            test::is_close(actual, file.values(expected + output), tolerance_of(name, exact)))
            << expected << output;
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Files, NativeStoredGolden, ::testing::ValuesIn(stored_files),
                         [](const auto& tested) { return tested.param; });

const std::vector<std::string> filled_files{
    "adapter_tiny_256x256",    "adapter_tiny_224x320",     "adapter_small_224x224",
    "adapter_base_64x96",      "adapter_large_64x64",      "classifier_tiny_224x224",
    "classifier_tiny_320x256", "classifier_small_224x224", "classifier_base_224x224"};

class NativeFilledGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(NativeFilledGolden, OutputsInBothModes) {
  const std::string& name = GetParam();
  MEDURWKV_GOLDEN_OR_SKIP(file, name);
  const auto& facts = test::golden_facts(name);
  const Shape image = facts.at("input_shape").get<Shape>();
  for (const bool released : {false, true}) {
    const std::string mode = released ? "_vr32" : "";
    const auto outputs = run_network(published(name, released), image,
                                     test::fill_values("input", image), test::filled_parameter);
    for (const auto& [output, actual] : outputs) {
      if (output == "logits") {
        EXPECT_TRUE(test::is_close(actual, file.values("logits" + mode), tolerance_of(name, "")));
        continue;
      }
      const double scale = facts.at("stats").at(output + mode).at("max").get<double>();
      EXPECT_TRUE(test::is_close(every_37th(actual), file.values("sample" + mode + "." + output),
                                 tolerance_of(name, ""), scale))
          << output << mode;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Files, NativeFilledGolden, ::testing::ValuesIn(filled_files),
                         [](const auto& tested) { return tested.param; });

// --- all of them ---------------------------------------------------------------------------------

// What the engine does not do: train (spm_train, the steps, losses, pretraining), begin (init).
TEST(NativeGolden, RunsEveryFileOfInference) {
  std::set<std::string> run(module_files.begin(), module_files.end());
  run.insert(wkv_files.begin(), wkv_files.end());
  run.insert(deform_files.begin(), deform_files.end());
  for (const auto& [name, modes] : network_files) run.insert(name);
  for (const Sampled& one : sampled_files) run.insert(one.file);
  run.insert(stored_files.begin(), stored_files.end());
  run.insert(filled_files.begin(), filled_files.end());
  const std::set<std::string> not_inference{"init_values", "losses", "medurwkv_nano_steps",
                                            "spm_train"};
  std::ifstream in(test::source_folder() / "tests/golden/data/tolerances.json");
  const nlohmann::json all = nlohmann::json::parse(in);
  for (const auto& [name, facts] : all.items()) {
    EXPECT_NE(run.contains(name), not_inference.contains(name)) << name;
  }
}

}  // namespace
}  // namespace medurwkv
