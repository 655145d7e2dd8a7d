// What the three ways of pretraining minimise: by hand, by plain loops, and against laws.
#include <gtest/gtest.h>

#include "torch/aten.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <torch/script.h>

#include "core/error.h"
#include "core/files.h"
#include "core/npy.h"
#include "net/presets.h"
#include "plan/plan.h"
#include "support/paths.h"
#include "support/refusal.h"
#include "support/tensors.h"
#include "train/pretraining/classify.h"
#include "train/pretraining/distill.h"
#include "train/pretraining/mixing.h"
#include "train/pretraining/simmim.h"
#include "train/pretraining/stored_targets.h"
#include "train/pretraining/teacher.h"

namespace medurwkv {
namespace {

using test::elements;
using torch_backend::ParameterStore;

const train::Gather alone = [](const at::Tensor& sums) { return sums; };

at::Tensor waves(const std::vector<std::int64_t>& sides, double speed) {
  std::int64_t count = 1;
  for (const std::int64_t side : sides) count *= side;
  return at::sin(at::arange(count, at::kDouble) * speed).reshape(sides);
}

/// An objective's own tensors, each by the fill rule.
ParameterStore own_store(const train::Objective& objective) {
  ParameterStore store(objective.own_parameters(), 0, at::kDouble, at::kCPU);
  test::fill(store);
  return store;
}

// --- mixing ------------------------------------------------------------------------------------

TEST(BetaNumbers, HaveTheMeanAndVarianceOfTheirDistribution) {
  for (const double shape : {0.2, 0.8, 1.0, 4.0}) {
    constexpr int count = 20000;
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < count; ++i) {
      const double x = train::beta_number(Random({7, static_cast<std::uint64_t>(i)}), shape);
      ASSERT_TRUE(x >= 0 && x <= 1) << x;
      sum += x;
      squares += (x - 0.5) * (x - 0.5);
    }
    EXPECT_NEAR(sum / count, 0.5, 0.015) << shape;
    EXPECT_NEAR(squares / count, 1 / (4 * (2 * shape + 1)), 0.006) << shape;
  }
}

TEST(Mixing, SmoothedLabelsSumToOne) {
  EXPECT_EQ(elements(train::smoothed({1, 0}, 4, 0)), (std::vector<double>{0, 1, 0, 0, 1, 0, 0, 0}));
  const at::Tensor soft = train::smoothed({2}, 4, 0.1);
  EXPECT_NEAR(soft[0][2].item<double>(), 0.925, 1e-6);
  EXPECT_NEAR(soft[0][0].item<double>(), 0.025, 1e-6);
}

/// Pictures of one value each, and their labels as probabilities.
struct Pairs {
  at::Tensor images = at::arange(4, at::kFloat).reshape({4, 1, 1, 1}).expand({4, 2, 8, 8}).clone();
  at::Tensor probabilities = at::eye(4, at::kFloat);
};

TEST(Mixing, MixupTakesAShareOfTheOtherOfThePair) {
  Pairs pairs;
  train::mix(pairs.images, pairs.probabilities, {.mixup = 0.8}, Random({3}));
  const double share = pairs.probabilities[0][0].item<double>();
  ASSERT_TRUE(share > 0 && share < 1);
  EXPECT_NEAR(pairs.probabilities[0][1].item<double>(), 1 - share, 1e-6);
  EXPECT_NEAR(pairs.probabilities[3][3].item<double>(), share, 1e-6);
  EXPECT_NEAR(pairs.images[0].mean().item<double>(), 1 - share, 1e-6) << "0 and 1";
  EXPECT_NEAR(pairs.images[2].mean().item<double>(), 2 * share + 3 * (1 - share), 1e-6);
}

TEST(Mixing, CutmixTakesARectangleAndItsShare) {
  int cut = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Pairs pairs;
    train::mix(pairs.images, pairs.probabilities, {.cutmix = 1}, Random({seed}));
    const at::Tensor first = pairs.images[0];
    EXPECT_TRUE((first == 0).logical_or(first == 1).all().item<bool>()) << "whole pixels";
    const double share = pairs.probabilities[0][0].item<double>();
    EXPECT_NEAR(first.mean().item<double>(), 1 - share, 1e-6) << "the share of the pixels";
    const at::Tensor rows = first[0].amax(1);
    const at::Tensor columns = first[0].amax(0);
    EXPECT_EQ(first[0].sum().item<double>(), (rows.sum() * columns.sum()).item<double>())
        << "one rectangle";
    EXPECT_TRUE(at::equal(pairs.images[1], 1 - first)) << "the other of the pair lends the same";
    cut += share < 1 ? 1 : 0;
  }
  EXPECT_GT(cut, 30);
}

TEST(Mixing, AnOddBatchAndNoKindLeaveAllAsItIs) {
  Pairs pairs;
  at::Tensor three = pairs.images.narrow(0, 0, 3).clone();
  at::Tensor labels = pairs.probabilities.narrow(0, 0, 3).clone();
  train::mix(three, labels, {.mixup = 1, .cutmix = 1}, Random({1}));
  EXPECT_TRUE(at::equal(three, pairs.images.narrow(0, 0, 3)));
  train::mix(pairs.images, pairs.probabilities, {}, Random({1}));
  EXPECT_TRUE(at::equal(pairs.probabilities, at::eye(4, at::kFloat)));
}

// --- classify ----------------------------------------------------------------------------------

TEST(ClassifyObjective, IsTheCrossEntropyOfProbabilities) {
  const train::ClassifyObjective objective(net::classifier_preset("nano", 3), 3);
  EXPECT_TRUE(objective.own_parameters().empty());
  const at::Tensor logits = waves({2, 3}, 1.3);
  const at::Tensor truth =
      at::tensor(std::vector<double>{0.5, 0.25, 0.25, 0, 0.1, 0.9}).reshape({2, 3});
  net::NetworkOutput<at::Tensor> out;
  out.logits = logits;
  const ParameterStore none({}, 0, at::kDouble, at::kCPU);
  const train::Batch batch{.images = at::zeros({2, 3, 32, 32}), .targets = {truth}, .ids = {}};
  const std::vector<double> z = elements(logits);
  const std::vector<double> p = elements(truth);
  double expected = 0;
  for (std::size_t n = 0; n < 2; ++n) {
    double sum = 0;
    for (std::size_t c = 0; c < 3; ++c) sum += std::exp(z[3 * n + c]);
    for (std::size_t c = 0; c < 3; ++c) {
      expected -= p[3 * n + c] * (z[3 * n + c] - std::log(sum)) / 2;
    }
  }
  EXPECT_NEAR(objective.loss(none, out, batch, alone).total.item<double>(), expected, 1e-12);
}

TEST(ClassifyObjective, OnAnAdapterStandsOnTheMeanOfItsCoarsestMap) {
  const net::NetworkConfig network = net::encoder_preset("nano");
  const train::ClassifyObjective objective(network, 5);
  const ParameterStore store = own_store(objective);
  net::NetworkOutput<at::Tensor> out;
  for (const std::int64_t side : {16, 8, 4, 2}) {
    out.features.push_back(waves({2, network.encoder.width, side, side}, 0.7));
  }
  const at::Tensor expected =
      at::matmul(out.features[3].flatten(2).mean(2), store.at("classify.head.weight").t()) +
      store.at("classify.head.bias");
  EXPECT_TRUE(at::allclose(objective.logits(store, out), expected));
}

// --- simmim ------------------------------------------------------------------------------------

TEST(SimmimObjective, MasksTheWantedShareOfThePatches) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const std::vector<float> mask = train::drawn_mask(36, 0.6, Random({seed}));
    double sum = 0;
    for (const float one : mask) sum += one;
    EXPECT_EQ(sum, 22);
  }
  EXPECT_NE(train::drawn_mask(36, 0.6, Random({0})), train::drawn_mask(36, 0.6, Random({1})));
}

TEST(SimmimObjective, ALearnedPatchStandsInForWhatIsMasked) {
  const train::SimmimObjective objective(net::encoder_preset("nano"));
  const ParameterStore store = own_store(objective);
  const at::Tensor images = waves({2, 3, 32, 64}, 0.31);
  at::Tensor mask = at::zeros({2, 1, 32, 64}, at::kDouble);
  mask.narrow(3, 32, 32).fill_(1);
  const at::Tensor seen = objective.masked(store, images, mask);
  EXPECT_TRUE(at::equal(seen.narrow(3, 0, 32), images.narrow(3, 0, 32)));
  const at::Tensor patch = store.at("simmim.patch");
  EXPECT_TRUE(at::equal(seen.narrow(3, 48, 16).narrow(2, 16, 16), patch.expand({2, 3, 16, 16})));
}

// Per pixel: place (y / s, x / s) of the map of stride s, output (channel s + y % s) s + x % s.
TEST(SimmimObjective, LossIsTheMeanErrorOfMaskedPixelsByPlainLoops) {
  const net::NetworkConfig network = net::encoder_preset("nano");
  const train::SimmimObjective objective(network);
  const ParameterStore store = own_store(objective);
  const at::Tensor images = waves({1, 3, 32, 32}, 0.21);
  at::Tensor mask = at::zeros({1, 1, 32, 32}, at::kDouble);
  mask.narrow(2, 0, 16).fill_(1);
  net::NetworkOutput<at::Tensor> out;
  for (const std::int64_t side : {8, 4, 2, 1}) {
    out.features.push_back(
        waves({1, network.encoder.width, side, side}, 0.7 + 0.1 * static_cast<double>(side)));
  }
  double sum = 0;
  double count = 0;
  for (std::int64_t c = 0; c < 3; ++c) {
    for (std::int64_t y = 0; y < 32; ++y) {
      for (std::int64_t x = 0; x < 32; ++x) {
        if (mask[0][0][y][x].item<double>() == 0) continue;
        double made = 0;
        for (std::int64_t map = 0; map < 4; ++map) {
          const std::int64_t s = 4 << map;
          const std::int64_t row = (c * s + y % s) * s + x % s;
          const std::string head = "simmim.head." + std::to_string(map);
          const at::Tensor weight = store.at(head + ".weight")[row].flatten();
          const at::Tensor place =
              out.features[static_cast<std::size_t>(map)][0].select(1, y / s).select(1, x / s);
          made +=
              (weight * place).sum().item<double>() + store.at(head + ".bias")[row].item<double>();
        }
        sum += std::abs(images[0][c][y][x].item<double>() - made);
        ++count;
      }
    }
  }
  const train::Batch batch{.images = images, .targets = {mask}, .ids = {}};
  EXPECT_NEAR(objective.loss(store, out, batch, alone).total.item<double>(), sum / count, 1e-12);
}

// --- distill -----------------------------------------------------------------------------------

TEST(DistillObjective, LearnsEachOutputByTheMapOfItsGrid) {
  const train::DistillObjective objective(net::encoder_preset("nano"), 64, 96,
                                          {{40, 16, 24}, {112, 8, 12}, {320, 4, 6}, {7}, {3, 3, 3}},
                                          {});
  EXPECT_EQ(objective.map_of(0), 0U);
  EXPECT_EQ(objective.map_of(1), 1U);
  EXPECT_EQ(objective.map_of(2), 2U);
  EXPECT_EQ(objective.map_of(3), 3U) << "a vector";
  EXPECT_EQ(objective.map_of(4), 3U) << "9 places are nearer to 6 than to 24";
}

TEST(DistillObjective, LossIsThatOfNormalisedTargetsByPlainLoops) {
  const net::NetworkConfig network = net::encoder_preset("nano");
  const std::int64_t width = network.encoder.width;
  for (const bool cosine : {false, true}) {
    const train::DistillObjective objective(network, 32, 32, {{5, 2, 2}, {3}},
                                            {.cosine = cosine, .weights = {1, 3}});
    const ParameterStore store = own_store(objective);
    net::NetworkOutput<at::Tensor> out;
    for (const std::int64_t side : {8, 4, 2, 1}) {
      out.features.push_back(waves({2, width, side, side}, 0.9));
    }
    const train::Batch batch{.images = at::zeros({2, 3, 32, 32}, at::kDouble),
                             .targets = {waves({2, 5, 2, 2}, 1.7) * 4 + 2, waves({2, 3}, 2.3)},
                             .ids = {}};
    std::vector<double> parts;
    for (std::size_t k = 0; k < 2; ++k) {
      // As places x channels: what the network makes of its map, and the target.
      const at::Tensor map = out.features[k == 0 ? 2 : 3];
      const at::Tensor from = map.permute({0, 2, 3, 1}).reshape({-1, width});
      const std::string name = "distill." + std::to_string(k);
      const at::Tensor made =
          at::matmul(from, store.at(name + ".weight").t()) + store.at(name + ".bias");
      const at::Tensor given = batch.targets[k];
      const at::Tensor rows = k == 0 ? given.permute({0, 2, 3, 1}).reshape({-1, 5}) : given;
      double sum = 0;
      double count = 0;
      std::vector<std::vector<double>> normal;
      for (std::int64_t c = 0; c < rows.size(1); ++c) {
        const std::vector<double> column = elements(rows.select(1, c));
        double mean = 0;
        for (const double x : column) mean += x / static_cast<double>(column.size());
        double variance = 0;
        for (const double x : column) {
          variance += (x - mean) * (x - mean) / static_cast<double>(column.size());
        }
        normal.emplace_back();
        for (const double x : column) {
          normal.back().push_back((x - mean) / std::sqrt(variance + 1e-5));
        }
      }
      for (std::int64_t i = 0; i < rows.size(0); ++i) {
        double dot = 0;
        double a = 0;
        double b = 0;
        for (std::int64_t c = 0; c < rows.size(1); ++c) {
          const double x = made[i][c].item<double>();
          const double t = normal[static_cast<std::size_t>(c)][static_cast<std::size_t>(i)];
          const double d = std::abs(x - t);
          if (!cosine) sum += d < 1 ? d * d / 2 : d - 0.5;
          dot += x * t;
          a += x * x;
          b += t * t;
        }
        if (cosine) sum += 1 - dot / std::sqrt(a * b);
        count += cosine ? 1 : static_cast<double>(rows.size(1));
      }
      parts.push_back(sum / count);
    }
    const train::Loss loss = objective.loss(store, out, batch, alone);
    EXPECT_NEAR(loss.parts.at(0).item<double>(), parts[0], 1e-9) << cosine;
    EXPECT_NEAR(loss.parts.at(1).item<double>(), parts[1], 1e-9) << cosine;
    EXPECT_NEAR(loss.total.item<double>(), (parts[0] + 3 * parts[1]) / 4, 1e-9) << cosine;
  }
}

TEST(DistillObjective, WeightsAreAsManyAsOutputs) {
  const auto found = test::refusal_of([] {
    train::DistillObjective(net::encoder_preset("nano"), 32, 32, {{5, 2, 2}}, {.weights = {1, 1}});
  });
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->names("distill.weights")) << found->message;
}

// --- stored targets ----------------------------------------------------------------------------

class StoredTargetsTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "targets.npy"; }
  void write(const Shape& shape, const std::string& list) const {
    std::string bytes = npy_header(NpyType::f32, shape);
    for (std::int64_t i = 0; i < element_count(shape); ++i) {
      const auto value = static_cast<float>(i);
      bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
    }
    write_file(file(), bytes);
    write_file(folder_.path() / "targets.csv", list);
  }
  test::TemporaryFolder folder_;
};

TEST_F(StoredTargetsTest, RowsAreFoundByIdAndCutAsTheViewIs) {
  write({2, 2, 2, 3}, "id,sha256\nb,22\na,11\n");
  const train::StoredTargets targets(file());
  EXPECT_EQ(targets.output(), (Shape{3, 2, 2}));
  // Row 1 is a's: 12 .. 23, places of three channels; here channels of four places.
  EXPECT_EQ(targets.of("a", {}),
            (std::vector<float>{12, 15, 18, 21, 13, 16, 19, 22, 14, 17, 20, 23}));
  const data::Affine mirrored{.xx = -1, .x0 = 1};
  EXPECT_EQ(targets.of("a", mirrored),
            (std::vector<float>{15, 12, 21, 18, 16, 13, 22, 19, 17, 14, 23, 20}));
  EXPECT_NO_THROW(targets.check("b", "22"));
}

TEST_F(StoredTargetsTest, VectorsAreAsTheyAre) {
  write({2, 3}, "sha256,id\n22,b\n11,a\n");
  const train::StoredTargets targets(file());
  EXPECT_EQ(targets.output(), (Shape{3}));
  EXPECT_EQ(targets.of("a", {.xx = -1}), (std::vector<float>{3, 4, 5}));
}

TEST_F(StoredTargetsTest, WhatDoesNotFitIsRefusedByName) {
  const auto refused = [&](const std::string& words) {
    const auto found = test::refusal_of([&] { train::StoredTargets{file()}; });
    ASSERT_TRUE(found) << words;
    EXPECT_TRUE(found->names("targets.") && found->names(words)) << found->message;
  };
  write({2, 3}, "id,sha256\na,11\n");
  refused("names 1 pictures");
  write({2, 3}, "id,sha256\na,11\na,22\n");
  refused("line 3: a is there twice");
  write({2, 3}, "id,hash\na,11\nb,22\n");
  refused("sha256");
  write({2, 3, 4}, "id,sha256\na,11\nb,22\n");
  refused("2x3x4");
  write({2, 3}, "id,sha256\na,11\nb,22\n");
  write_file(file(), read_file(file()).substr(0, 140));
  refused("140 bytes");
  write({2, 3}, "id,sha256\na,11\nb,22\n");
  const train::StoredTargets targets(file());
  for (const auto& [id, words] : {std::pair("c", "has no row for c"),
                                  std::pair("a", "not the one that its targets were made from")}) {
    const auto found = test::refusal_of([&] { targets.check(id, "33"); });
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->names(words)) << found->message;
  }
}

// --- a teacher ---------------------------------------------------------------------------------

class TeacherTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "teacher.ts"; }
  void write(const std::string& forward,
             const std::string& description = R"({"mean": [0.5], "deviation": [2]})") const {
    torch::jit::Module module("teacher");
    module.define(forward);
    module.save(file().string());
    write_file(folder_.path() / "teacher.json", description);
  }
  test::TemporaryFolder folder_;
};

TEST_F(TeacherTest, GivesItsMapsAndVectors) {
  write(R"(
def forward(self, x):
    return (x[:, :, ::8, ::8] * 2, [x.mean([2, 3])])
)");
  const train::Teacher teacher(file(), 2, 32, 16, at::kCPU);
  EXPECT_EQ(teacher.contract().channels, 1);
  EXPECT_EQ(teacher.contract().width, 32);
  EXPECT_EQ(teacher.contract().mean, std::vector<double>{0.5});
  EXPECT_EQ(teacher.outputs(), (std::vector<Shape>{{1, 2, 4}, {1}}));
  const at::Tensor pictures = waves({3, 1, 16, 32}, 0.3).to(at::kFloat);
  const std::vector<at::Tensor> out = teacher.run(pictures);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_TRUE(at::allclose(out[1], pictures.mean({2, 3})));
  EXPECT_FALSE(out[0].requires_grad());
}

TEST_F(TeacherTest, WhatIsNoneIsRefusedByName) {
  const auto refused = [&](const std::string& words) {
    const auto found = test::refusal_of([&] { train::Teacher(file(), 1, 32, 32, at::kCPU); });
    ASSERT_TRUE(found) << words;
    EXPECT_TRUE(found->names("teacher.") && found->names(words)) << found->message;
  };
  const std::string good = "\ndef forward(self, x):\n    return x\n";
  write_file(file(), "no archive");
  write_file(folder_.path() / "teacher.json", R"({"mean": [0.5], "deviation": [2]})");
  refused("TorchScript");
  write(good, "[]");
  refused("mean");
  write(good, R"({"mean": [0.5, 1], "deviation": [2]})");
  refused("not as many");
  write(good, R"({"mean": [0.5], "deviation": [0]})");
  refused("above 0");
  write("\ndef forward(self, x):\n    return x[0, 0]\n");
  refused("32x32");
  write("\ndef forward(self, x):\n    return x.mm(x)\n");
  refused("fails on pictures");
  write("\ndef forward(self, x):\n    return 3\n");
  refused("no tensors");
}

}  // namespace
}  // namespace medurwkv
