// Ten steps of each way of pretraining in float64, against losses that PyTorch made from the
// definitions on top of the reference encoder (scripts/make-golden-pretraining), and a classifier
// that was made here in the reference's hands.
#include <gtest/gtest.h>

#include "torch/aten.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/presets.h"
#include "plan/plan.h"
#include "support/golden.h"
#include "support/tensors.h"
#include "train/optimizer.h"
#include "train/pretraining/classify.h"
#include "train/pretraining/distill.h"
#include "train/pretraining/simmim.h"
#include "weights/model_file.h"
#include "weights/weights_source.h"

namespace medurwkv {
namespace {

const Shape image_shape{2, 3, 64, 96};

at::Tensor wave(const std::vector<std::int64_t>& sides, double speed) {
  std::int64_t count = 1;
  for (const std::int64_t side : sides) count *= side;
  return at::sin(at::arange(count, at::kDouble) * speed).reshape(sides);
}

void expect_golden(const std::string& name, const net::NetworkConfig& network,
                   const train::Objective& objective, std::vector<at::Tensor> targets) {
  const weights::TensorFile file =
      weights::TensorFile::read(test::golden_path("pretraining_steps"));
  std::vector<net::ParameterSpec> specs = plan::parameters_of(network);
  const std::vector<net::ParameterSpec> own = objective.own_parameters();
  specs.insert(specs.end(), own.begin(), own.end());
  torch_backend::ParameterStore store(specs, 0, at::kDouble, at::kCPU);
  test::fill(store);
  for (const net::ParameterSpec& spec : own) {
    if (spec.name != "simmim.patch") continue;
    store.set(spec.name, std::vector<double>(static_cast<std::size_t>(element_count(spec.shape))));
  }
  train::AdamW optimizer({});
  for (const net::ParameterSpec& spec : store.specs()) {
    if (!spec.buffer) optimizer.add(spec.name, store.at(spec.name), 0.01);
  }
  const train::Batch batch{
      .images = test::tensor_of(test::fill_values("input", image_shape), image_shape, at::kDouble),
      .targets = std::move(targets),
      .ids = {}};
  const train::Gather alone = [](const at::Tensor& sums) { return sums; };
  const std::vector<double> expected = file.values(name);
  ASSERT_EQ(expected.size(), 10U);
  for (std::size_t step = 0; step < 10; ++step) {
    const auto out = objective.forward(network, store, {.training = true}, batch);
    const at::Tensor loss = objective.loss(store, out, batch, alone).total;
    // Rounding in gradients near zero grows about tenfold a step (network_golden_test.cpp).
    const double tolerance = step < 4 ? 1e-8 : 2e-3;
    EXPECT_NEAR(loss.item<double>(), expected[step], tolerance * expected[step])
        << name << ", step " << step;
    loss.backward();
    optimizer.step(1e-3);
    optimizer.zero_gradients();
  }
}

TEST(PretrainingGolden, Classify) {
  const net::NetworkConfig network = net::classifier_preset("nano", 5);
  expect_golden("classify", network, train::ClassifyObjective(network, 5),
                {at::softmax(wave({2, 5}, 1.3), 1)});
}

TEST(PretrainingGolden, Simmim) {
  const net::NetworkConfig network = net::encoder_preset("nano");
  at::Tensor mask = at::zeros({2, 1, 2, 3}, at::kDouble);
  for (const auto& [n, y, x] :
       std::vector<std::array<std::int64_t, 3>>{{0, 0, 0}, {0, 1, 2}, {1, 0, 1}, {1, 1, 1}}) {
    mask[n][0][y][x] = 1;
  }
  expect_golden("simmim", network, train::SimmimObjective(network),
                {mask.repeat_interleave(32, 2).repeat_interleave(32, 3)});
}

TEST(PretrainingGolden, Distill) {
  const net::NetworkConfig network = net::encoder_preset("nano");
  for (const bool cosine : {false, true}) {
    expect_golden(cosine ? "distill.cosine" : "distill.smooth_l1", network,
                  train::DistillObjective(network, 64, 96, {{6, 16, 24}, {4, 5, 7}, {3}},
                                          {.cosine = cosine, .weights = {1, 2, 3}}),
                  {wave({2, 6, 16, 24}, 1.7) * 3 + 1, wave({2, 4, 5, 7}, 0.9), wave({2, 3}, 2.3)});
  }
}

// What `pretrain classify` has written, loaded by its tensors' names alone: the reference makes the
// same logits of it (scripts/make-golden-classifier).
TEST(PretrainingGolden, AClassifierMadeHereIsTheReferences) {
  const std::string model =
      (test::source_folder() / "tests/golden/data/pretrained_classifier.model").string();
  const auto file = weights::WeightsSource::open(model);
  const weights::ModelInfo info = weights::model_info(model, file.metadata());
  ASSERT_EQ(info.heads.size(), 1U);
  EXPECT_EQ(names_of(info.heads.front().classes), (std::vector<std::string>{"even", "odd"}));
  torch_backend::ParameterStore store(plan::parameters_of(info.network), std::nullopt, at::kDouble,
                                      at::kCPU);
  torch_backend::read_into(file, store.destinations(file));
  const at::NoGradGuard no_grad;
  const auto out = torch_backend::run_network(
      info.network, store, {},
      test::tensor_of(test::fill_values("input", image_shape), image_shape, at::kDouble));
  const std::vector<double> expected =
      weights::TensorFile::read(test::golden_path("pretrained_classifier")).values("logits");
  EXPECT_GT(test::largest(expected), 1e-3);
  EXPECT_TRUE(test::is_close(test::elements(out.logits), expected, 1e-9));
}

}  // namespace
}  // namespace medurwkv
