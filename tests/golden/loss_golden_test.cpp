// Losses and start values against the golden files.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "net/parameters.h"
#include "support/golden.h"
#include "support/tensors.h"
#include "train/segmentation/loss.h"

namespace medurwkv {
namespace {

using train::LossOptions;

class LossGolden : public ::testing::TestWithParam<at::ScalarType> {};

TEST_P(LossGolden, ValuesAndGradients) {
  MEDURWKV_GOLDEN_OR_SKIP(file, "losses");
  const at::ScalarType type = GetParam();
  const double tolerance = test::golden_facts("losses")
                               .at("tolerance")
                               .at(type == at::kFloat ? "float32" : "float64")
                               .get<double>();
  const at::Tensor labels = test::golden_tensor(file, "labels", at::kLong);
  const auto check = [&](const std::string& name, const auto& loss, const LossOptions& options) {
    const at::Tensor logits = test::golden_tensor(file, "logits", type).requires_grad_(true);
    const at::Tensor value = loss(logits, labels, options);
    value.backward();
    EXPECT_TRUE(test::is_close(test::elements(value), file.values(name), tolerance)) << name;
    EXPECT_TRUE(
        test::is_close(test::elements(logits.grad()), file.values("grad." + name), tolerance))
        << name;
  };
  check("ce", train::cross_entropy, {});
  check("ce_weighted", train::cross_entropy, {.class_weights = file.values("class_weights")});
  check("dice_batch", train::dice_loss, {});
}

INSTANTIATE_TEST_SUITE_P(Types, LossGolden, ::testing::Values(at::kFloat, at::kDouble));

TEST(InitGolden, FancyValuesAndRays) {
  MEDURWKV_GOLDEN_OR_SKIP(file, "init_values");
  std::size_t checked = 0;
  for (const weights::TensorInfo& info : file.tensors()) {
    const std::vector<std::string> parts = split(info.name, '.');
    net::ParameterSpec spec{.name = info.name, .shape = info.shape};
    if (parts[0] == "offsets") {  // offsets.L3.M6.P4
      spec.init = net::Init::sampling_rays;
      spec.levels = std::stoll(parts[1].substr(1));
      spec.heads = std::stoll(parts[2].substr(1));
      spec.points = std::stoll(parts[3].substr(1));
    } else {  // C32.depth12.layers.6.att.spatial_decay
      spec.blocks = std::stoll(parts[1].substr(5));
      spec.block = std::stoll(parts[3]);
      const bool attention = parts[4] == "att";
      const std::string& leaf = parts[5];
      spec.init = leaf == "spatial_decay"                ? net::Init::decay
                  : leaf == "spatial_first"              ? net::Init::first
                  : leaf == "spatial_mix_v"              ? net::Init::mix_value
                  : attention && leaf == "spatial_mix_r" ? net::Init::mix_receptance
                                                         : net::Init::mix_key;
    }
    const std::vector<float> values = net::initial_values(spec, 0);
    EXPECT_TRUE(test::is_close({values.begin(), values.end()}, file.values(info.name), 1e-6))
        << info.name;
    ++checked;
  }
  EXPECT_GT(checked, 40U);
}

}  // namespace
}  // namespace medurwkv
