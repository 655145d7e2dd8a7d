// Which network a file of weights fits, and which of its tensors go where: full-size files of the
// published kinds, by the fill rule under the published names; what is refused, and why.
#include "weights/coverage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/presets.h"
#include "plan/plan.h"
#include "support/golden.h"
#include "support/paths.h"
#include "support/refusal.h"
#include "support/weight_files.h"
#include "weights/model_file.h"

namespace medurwkv::weights {
namespace {

using test::WeightFile;

/// As train/initial_weights.cpp reads them, of a file in memory.
std::vector<double> values_for(const TensorFile& file, const UsedTensor& used,
                               const net::ParameterSpec& spec) {
  const std::vector<double> values = file.values(used.source);
  refuse_not_finite(file, used.source,
                    std::count_if(values.begin(), values.end(),
                                  [](double value) { return !std::isfinite(value); }));
  return changed_values(values, file.info(used.source).shape, used.change, spec.shape);
}

class Weights : public ::testing::Test {
 protected:
  TensorFile written(WeightFile& file, const Metadata& metadata = {}) {
    const auto path = folder_.path() / "some.pth";
    file.write(path, metadata);
    return TensorFile::read(path);
  }
  Contents contents(WeightFile& file, const Metadata& metadata = {}) {
    return contents_of(written(file, metadata));
  }
  static Coverage encoder(const TensorFile& file, const net::NetworkConfig& config) {
    return cover_encoder(file, contents_of(file), config, plan::parameters_of(config));
  }
  /// What the encoder of `file` is refused with for `config`.
  std::optional<test::Refusal> refusal(WeightFile& file, const net::NetworkConfig& config) {
    const TensorFile read = written(file);
    return test::refusal_of([&] { return encoder(read, config); });
  }

 private:
  test::TemporaryFolder folder_;
};

/// Adds what segmentation code writes beside a backbone.
WeightFile& add_heads(WeightFile& file) {
  return file.add("decode_head.conv_seg.weight", {5, 4, 1, 1}, std::vector<double>(20, 1))
      .add("auxiliary_head.conv_seg.bias", {5}, std::vector<double>(5, 1));
}

std::map<std::string, net::ParameterSpec> by_name(const net::NetworkConfig& config) {
  std::map<std::string, net::ParameterSpec> out;
  for (net::ParameterSpec& spec : plan::parameters_of(config)) out[spec.name] = spec;
  return out;
}

// --- which network it is -----------------------------------------------------------------------

TEST_F(Weights, OfEveryPresetAreKnownByNamesAndShapes) {
  for (const std::string preset : {"nano", "nanopost", "tiny"}) {
    for (const bool whole : {false, true}) {
      const net::NetworkConfig wanted =
          whole ? net::preset(preset, 3) : net::encoder_preset(preset);
      const Contents found = contents(WeightFile().add(wanted));
      EXPECT_EQ(found.kind, whole ? Content::med_urwkv : Content::adapter) << preset;
      ASSERT_TRUE(found.network) << preset << ": " << found.problem;
      net::NetworkConfig released = wanted;
      released.wkv = net::WkvMode::released32;
      if (!whole) released.classes = found.network->classes;
      EXPECT_TRUE(*found.network == released) << to_json(*found.network).dump();
      EXPECT_TRUE(found.known_sizes);
    }
  }
  for (const std::string preset : {"tiny", "small"}) {
    const net::NetworkConfig wanted = net::classifier_preset(preset);
    const Contents found = contents(WeightFile().add(wanted));
    EXPECT_EQ(found.kind, Content::classifier);
    ASSERT_TRUE(found.network) << found.problem;
    EXPECT_EQ(found.network->preset, preset);
    EXPECT_EQ(found.network->classes, 1000);
    EXPECT_EQ(found.network->encoder.post_norm, preset == "small");
    EXPECT_EQ(found.network->encoder.layer_scale, wanted.encoder.layer_scale);
  }
}

TEST_F(Weights, AreKnownBehindEveryPrefix) {
  const net::NetworkConfig nano = net::encoder_preset("nano");
  for (const std::string prefix :
       {"backbone.", "module.", "module.backbone.", "state_dict.backbone.", "model.", "encoder."}) {
    WeightFile file;
    const Contents found = contents(add_heads(file.add(nano, prefix)));
    EXPECT_EQ(found.kind, Content::adapter) << prefix;
    EXPECT_EQ(found.trunk, prefix);
    ASSERT_TRUE(found.network) << prefix << found.problem;
    EXPECT_EQ(found.network->preset, "nano");
  }
  const Contents classifier =
      contents(WeightFile().add(net::classifier_preset("nano", 10), "module."));
  EXPECT_EQ(classifier.kind, Content::classifier);
  EXPECT_EQ(classifier.trunk, "module.backbone.");
  EXPECT_EQ(classifier.whole, "module.");
  EXPECT_EQ(classifier.network->classes, 10);
}

// A moving average lies beside the weights; two sets of which neither is the usual one are refused.
TEST_F(Weights, AreChosenAmongSeveralSets) {
  const net::NetworkConfig nano = net::encoder_preset("nano");
  WeightFile averaged;
  EXPECT_EQ(contents(averaged.add(nano, "model_ema.").add(nano, "model.")).trunk, "model.");
  WeightFile two;
  const Contents unclear = contents(two.add(nano, "left.").add(nano, "right."));
  EXPECT_EQ(unclear.kind, Content::unknown);
  EXPECT_NE(unclear.problem.find("'left.', 'right.'"), std::string::npos) << unclear.problem;
}

TEST_F(Weights, ThatContradictThemselvesAreNoNetwork) {
  const net::NetworkConfig nano = net::encoder_preset("nano");
  const std::vector<std::pair<std::string, Shape>> broken{
      {"pos_embed", {1, 15, 24}},
      {"interactions.3.injector.gamma", {}},
      {"interactions.0.injector.attn.attention_weights.weight", {37, 24}},
      {"spm.stem.0.weight", {0, 3, 3, 3}},
      {"patch_embed.projection.weight", {24}}};
  for (const auto& [name, shape] : broken) {
    WeightFile file;
    file.add(nano).remove(name);
    if (!shape.empty()) {
      file.add(name, shape, std::vector<double>(static_cast<std::size_t>(element_count(shape)), 1));
    }
    const Contents found = contents(file);
    EXPECT_FALSE(found.network) << name;
    EXPECT_NE(found.problem, "") << name;
  }
  WeightFile none;
  EXPECT_EQ(contents(none.add("a.weight", {2}, {1, 2})).kind, Content::unknown);
}

TEST_F(Weights, AreWhatTheirMetadataSay) {
  net::NetworkConfig stated = net::encoder_preset("nano");
  stated.wkv = net::WkvMode::released16;
  stated.encoder.post_norm = true;
  const Contents found = contents(WeightFile().add(stated), to_metadata(stated));
  EXPECT_TRUE(found.stated);
  EXPECT_TRUE(found.network == stated);
  const Contents other =
      contents(WeightFile().add(stated), to_metadata(net::encoder_preset("tiny")));
  EXPECT_FALSE(other.network);
  Metadata newer = to_metadata(stated);
  newer["format_version"] = "7";
  const auto refused = test::refusal_of([&] { return contents(WeightFile().add(stated), newer); });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("format 7") && refused->names("reads format 1")) << refused->message;
}

// --- full-size files of both published kinds ---------------------------------------------------

TEST_F(Weights, OfATinyAdapterFillTheWholeEncoder) {
  const net::NetworkConfig adapter = net::encoder_preset("tiny");
  WeightFile source;
  const TensorFile file = written(add_heads(source.add(adapter, "backbone.")));
  const net::NetworkConfig config = net::preset("tiny", 2);
  const Coverage found = encoder(file, config);
  const auto specs = by_name(config);
  const std::size_t of_encoder = source.size() - 2;
  EXPECT_EQ(found.used.size(), of_encoder);
  EXPECT_EQ(found.fresh.size(), specs.size() - of_encoder);
  EXPECT_EQ(found.unused, (std::vector<std::string>{"decode_head.conv_seg.weight",
                                                    "auxiliary_head.conv_seg.bias"}));
  EXPECT_TRUE(found.mismatched.empty());
  for (const UsedTensor& used : found.used) {
    const net::ParameterSpec& spec = specs.at(used.name);
    const std::string own = used.name.substr(std::string("encoder.").size());
    EXPECT_EQ(used.source, "backbone." + own);
    const auto expected =
        spec.integer ? std::vector<double>{0} : test::fill_values(own, spec.shape);
    ASSERT_EQ(values_for(file, used, spec), expected) << used.name;
  }
  EXPECT_EQ(summary(found), "used " + std::to_string(of_encoder) + ", new " +
                                std::to_string(specs.size() - of_encoder) +
                                " (0 of the encoder), unused 2, "
                                "mismatched 0");
}

TEST_F(Weights, OfATinyClassifierFillTheTrunk) {
  const net::NetworkConfig classifier = net::classifier_preset("tiny");
  WeightFile source;
  const TensorFile file = written(source.add(classifier));
  const net::NetworkConfig config = net::preset("tiny", 2);
  const Coverage found = encoder(file, config);
  const auto specs = by_name(config);
  // All but the last norm and the head's two tensors; the layer scale keeps its start value.
  EXPECT_EQ(found.used.size(), source.size() - 4);
  EXPECT_EQ(found.unused, (std::vector<std::string>{"backbone.ln1.weight", "backbone.ln1.bias",
                                                    "head.fc.weight", "head.fc.bias"}));
  EXPECT_EQ(found.fresh.size(), specs.size() - found.used.size());
  EXPECT_NE(std::find(found.fresh.begin(), found.fresh.end(), "encoder.layers.11.gamma2"),
            found.fresh.end());
  for (const UsedTensor& used : found.used) {
    const net::ParameterSpec& spec = specs.at(used.name);
    const std::string own = "backbone." + used.name.substr(std::string("encoder.").size());
    ASSERT_EQ(values_for(file, used, spec), test::fill_values(own, spec.shape)) << own;
  }
}

// --- what is changed on the way ----------------------------------------------------------------

TEST(Positions, AreResizedAsTheReferenceResizes) {
  const std::vector<std::pair<net::Grid, net::Grid>> cases{{{12, 12}, {4, 4}},
                                                           {{14, 14}, {14, 20}},
                                                           {{14, 14}, {16, 16}},
                                                           {{3, 5}, {1, 2}},
                                                           {{4, 4}, {4, 6}}};
  for (const auto& [from, to] : cases) {
    const std::string name =
        concat("posembed_", from.height, "x", from.width, "_", to.height, "x", to.width);
    MEDURWKV_GOLDEN_OR_SKIP(golden, name);
    const std::int64_t width = golden.info("x.pos").shape[2];
    EXPECT_TRUE(test::is_close(resize_positions(golden.values("x.pos"), from, to, width),
                               golden.values("y.y"), 1e-10))
        << name;
  }
}

TEST_F(Weights, TakeAnotherGridAndOtherChannels) {
  net::NetworkConfig adapter = net::encoder_preset("nano");
  adapter.encoder.position_grid = 7;
  const TensorFile file = written(WeightFile().add(adapter));
  for (const std::int64_t channels : {1, 4}) {
    const net::NetworkConfig config = net::preset("nano", 2, channels);
    const Coverage found = encoder(file, config);
    EXPECT_TRUE(found.mismatched.empty());
    const auto specs = by_name(config);
    int changed = 0;
    for (const UsedTensor& used : found.used) {
      if (used.change == Change::none) continue;
      ++changed;
      const net::ParameterSpec& spec = specs.at(used.name);
      const std::vector<double> values = values_for(file, used, spec);
      const std::vector<double> before = file.values(used.source);
      if (used.change == Change::resized) {
        EXPECT_EQ(used.name, "encoder.pos_embed");
        EXPECT_EQ(values, resize_positions(before, {7, 7}, {4, 4}, 24));
        continue;
      }
      // Of every output channel and pixel: the sum over RGB, shared among the channels.
      const auto area = static_cast<std::size_t>(spec.shape[2] * spec.shape[3]);
      const auto count = static_cast<std::size_t>(channels);
      ASSERT_EQ(values.size(), before.size() / 3 * count);
      for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t out = i / (area * count);
        const std::size_t at = out * 3 * area + i % area;
        EXPECT_NEAR(values[i],
                    (before[at] + before[at + area] + before[at + 2 * area]) /
                        static_cast<double>(channels),
                    1e-15);
      }
    }
    EXPECT_EQ(changed, 3);
  }
}

// --- refusals ----------------------------------------------------------------------------------

TEST_F(Weights, ThatFillLessThanEveryBlockAreRefused) {
  const net::NetworkConfig nano = net::preset("nano", 2);
  WeightFile lacking;
  lacking.add(net::encoder_preset("nano")).remove("layers.2.ffn.key.weight");
  const auto one = refusal(lacking, nano);
  ASSERT_TRUE(one);
  EXPECT_TRUE(one->names("some.pth") && one->names("layers.2.ffn.key.weight")) << one->message;

  WeightFile wide;
  const auto two = refusal(wide.add(net::classifier_preset("tiny")), nano);
  ASSERT_TRUE(two);
  EXPECT_TRUE(two->names("192, the network has 24") && two->names("--preset tiny")) << two->message;

  WeightFile deep;
  net::NetworkConfig more = net::classifier_preset("nano");
  more.encoder.groups = {5};
  const auto three = refusal(deep.add(more), nano);
  ASSERT_TRUE(three);
  EXPECT_TRUE(three->names("layers.4.")) << three->message;

  WeightFile foreign;
  const auto four = refusal(foreign.add("conv.weight", {1}, {1}), nano);
  ASSERT_TRUE(four);
  EXPECT_TRUE(four->names("no encoder")) << four->message;
  WeightFile fine;
  const auto five = refusal(fine.add(net::encoder_preset("nano")), net::preset("unet_small"));
  ASSERT_TRUE(five);
  EXPECT_EQ(five->kind, ErrorKind::usage);
}

TEST_F(Weights, WithOtherLayerScaleOrKeyNormsAreRefused) {
  net::NetworkConfig scaled = net::encoder_preset("nano");
  scaled.encoder.layer_scale = 1.0;
  WeightFile gamma;
  const auto one = refusal(gamma.add(scaled), net::preset("nano", 2));
  ASSERT_TRUE(one);
  EXPECT_TRUE(one->names("layers.0.gamma1") && one->names("encoder.layer_scale")) << one->message;

  net::NetworkConfig normed = net::encoder_preset("nano");
  normed.encoder.key_norm = true;
  WeightFile keyed;
  const auto two = refusal(keyed.add(normed), net::preset("nano", 2));
  ASSERT_TRUE(two);
  EXPECT_TRUE(two->names("key_norm") && two->names("encoder.key_norm=true")) << two->message;

  net::NetworkConfig wants = net::preset("nano", 2);
  wants.encoder.key_norm = true;
  WeightFile plain;
  const auto three = refusal(plain.add(net::encoder_preset("nano")), wants);
  ASSERT_TRUE(three);
  EXPECT_TRUE(three->names("has no key norms")) << three->message;

  // A layer scale that only the network has is fine.
  net::NetworkConfig scale = net::preset("nano", 2);
  scale.encoder.layer_scale = 1.0;
  EXPECT_FALSE(refusal(plain, scale));
}

TEST_F(Weights, ThatAreNotNumbersAreRefused) {
  WeightFile source;
  source.add(net::encoder_preset("nano")).remove("layers.1.ln1.bias");
  std::vector<double> bias(24, 0);
  bias[5] = std::nan("");
  bias[6] = HUGE_VAL;
  const TensorFile file = written(source.add("layers.1.ln1.bias", {24}, bias));
  const net::NetworkConfig config = net::preset("nano", 2);
  const auto refused = test::refusal_of([&] {
    const auto specs = by_name(config);
    for (const UsedTensor& used : encoder(file, config).used) {
      static_cast<void>(values_for(file, used, specs.at(used.name)));
    }
    return 0;
  });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("layers.1.ln1.bias holds 2 values")) << refused->message;
}

// --- models of ours ----------------------------------------------------------------------------

TEST_F(Weights, OfOurModelsGoOnWithOtherClassesAndChannels) {
  for (const std::string preset : {"nano", "unet_small"}) {
    const net::NetworkConfig from = net::preset(preset, 2);
    const TensorFile file = written(WeightFile().add(from));
    const net::NetworkConfig config = net::preset(preset, 4, 1);
    const Coverage found = cover_network(file, from, config, plan::parameters_of(config));
    EXPECT_TRUE(found.fresh.empty());
    EXPECT_TRUE(found.unused.empty());
    ASSERT_EQ(found.mismatched.size(), 2U);
    EXPECT_EQ(found.mismatched[0].name, "head.classify.weight");
    EXPECT_EQ(std::count_if(found.used.begin(), found.used.end(),
                            [](const auto& one) { return one.change == Change::summed; }),
              preset == "nano" ? 2 : 1);
  }
}

TEST_F(Weights, OfOurModelsForAnotherNetworkAreRefused) {
  const net::NetworkConfig from = net::preset("nano", 2);
  const TensorFile file = written(WeightFile().add(from));
  net::NetworkConfig post = from;
  post.encoder.post_norm = true;
  net::NetworkConfig deeper = from;
  deeper.decoder_depths = {3, 1, 1};
  const std::vector<std::pair<net::NetworkConfig, std::string>> others{
      {net::preset("tiny", 2), "width 24, the run's has 192"},
      {net::preset("unet", 2), "architecture med_urwkv"},
      {post, "post_norm 0, the run's has 1"},
      {deeper, "depth of bottleneck or decoder"}};
  for (const auto& other : others) {
    const std::string& words = other.second;
    const auto refused = test::refusal_of(
        [&] { return cover_network(file, from, other.first, plan::parameters_of(other.first)); });
    ASSERT_TRUE(refused) << words;
    EXPECT_TRUE(refused->names("some.pth") && refused->names(words)) << refused->message;
  }
}

}  // namespace
}  // namespace medurwkv::weights
