// Hostile files through the program: every command that takes one ends with exit code 1 or 2 and
// one line that names the file, never by a signal, and leaves nothing behind. What the readers make
// of hundreds of such files is in tests/io/hostile_*; here is a sample of each family.
#include <gtest/gtest.h>

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/files.h"
#include "net/presets.h"
#include "support/demo.h"
#include "support/pickle_by_hand.h"
#include "support/process.h"
#include "support/weight_files.h"
#include "support/zip_by_hand.h"
#include "weights/model_file.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
namespace pickle = test::pickle;

struct Sample {
  std::string name;  ///< of the file
  std::string bytes;
};

std::string zip_of(const std::string& data_pkl) {
  return test::make_zip(pickle::zip_entries(data_pkl, pickle::four_floats())).bytes;
}

std::vector<Sample> pickles() {
  const std::string start = pickle::start;
  const pickle::TensorText plain;
  const std::string four = pickle::tensor(plain, false);
  const std::string zero(1, '\0');
  const std::string runs =
      pickle::call(pickle::global("os", "system"), pickle::tuple(pickle::text("touch was_here")));
  const std::string itself =
      start + "}q" + zero + "(" + pickle::text("a") + four + pickle::text("b") + "h" + zero + "u.";
  std::string zeros;
  zeros.resize(100'000'000);
  test::ZipBytes overlap = test::make_zip(pickle::zip_entries(
      start + pickle::dict({{pickle::text("a"), four}}) + ".", pickle::four_floats()));
  test::put(overlap.bytes, overlap.central[1] + 42, overlap.local[0], 4);
  return {{"runs.pth", zip_of(start + pickle::dict({{pickle::text("a"), runs}}) + ".")},
          {"runs_legacy.pth",
           pickle::legacy_parts(start + pickle::dict({{pickle::text("a"), runs}}) + ".",
                                pickle::four_floats())
               .bytes()},
          {"cycle.pth", zip_of(itself)},
          {"deep.pth", zip_of(start + std::string(3'000'000, ']') + ".")},
          {"marks.pth", zip_of(start + std::string(3'000'000, '('))},
          {"bomb.pth",
           test::make_zip({{.name = "archive/data.pkl", .content = zeros, .deflate = true}}).bytes},
          {"overlap.pth", overlap.bytes},
          {"outside.pth", test::make_zip({{.name = "../data.pkl", .content = "."}}).bytes},
          {"empty.pth", ""}};
}

/// What is cut off or lies, made from a good file of weights.
std::vector<Sample> lies(const std::string& name, const std::string& good) {
  std::string long_header = good;
  test::put(long_header, 0, ~std::uint64_t{0}, 8);
  std::string open = good;
  open[9] = '{';
  return {{"half_" + name, good.substr(0, good.size() / 2)},
          {"start_" + name, good.substr(0, 7)},
          {"more_" + name, good + "x"},
          {"long_" + name, long_header},
          {"open_" + name, open}};
}

class HostileFiles : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const {
    return (world_.root() / name).string();
  }
  void expect_refused(const std::string& file, const std::vector<std::string>& words) const {
    // Room for what the program and LibTorch take, and none to unpack a bomb into.
    const test::Start start{.folder = world_.root(), .largest_data = 1'500'000'000};
    const test::Outcome outcome = test::run_program(words, start);
    const std::string about = words.front() + " " + file + ": " + outcome.err;
    EXPECT_EQ(outcome.signal, 0) << about;
    EXPECT_TRUE(outcome.code == 1 || outcome.code == 2) << outcome.code << " " << about;
    EXPECT_TRUE(test::contains(outcome.err, file)) << about;
    EXPECT_FALSE(test::contains(outcome.err, "this is a bug")) << about;
    EXPECT_LT(outcome.seconds, 30) << about;  // the machine may be busy
    EXPECT_FALSE(fs::exists(path("out"))) << about;
    EXPECT_FALSE(fs::exists(path("out.pth"))) << about;
    EXPECT_FALSE(fs::exists(path("was_here"))) << about;
  }
  /// Through inspect and convert, which need no LibTorch; when `all`, through the others, too.
  void expect_refused_as_weights(const Sample& sample, bool all) const {
    const std::string file = path(sample.name);
    write_file(file, sample.bytes);
    expect_refused(file, {"inspect", file});
    expect_refused(file, {"convert", file, path("out.pth")});
    if (!all) return;
    expect_refused(file, world_.training("out", {"--pretrained", file}));
    expect_refused(file, world_.training("out", {"--init", file}));
    expect_refused(file, {"predict", file, world_.data().string(), "--out", path("out")});
    expect_refused(file, {"features", file, path("input.npy"), "--out", path("out")});
  }

  test::SmallWorld world_;
};

TEST_F(HostileFiles, OfWeights) {
  test::WeightFile().add(net::encoder_preset("nano")).write(path("good.safetensors"));
  const std::string good = read_file(path("good.safetensors"));
  weights::ModelInfo info;
  info.network = net::preset("nano", 2, 3);
  info.heads = {segmentation_head({{"background", {}}, {"lesion", {}}})};
  weights::Metadata metadata = weights::to_metadata(info);
  metadata["format_version"] = "3";
  test::WeightFile().add(info.network).write(path("newer.model"), metadata);
  std::vector<Sample> samples{{"newer.model", read_file(path("newer.model"))}};
  for (const auto& part : {pickles(), lies("encoder.safetensors", good)}) {
    samples.insert(samples.end(), part.begin(), part.end());
  }
  for (std::size_t i = 0; i < samples.size(); ++i) {
    expect_refused_as_weights(samples[i], i % 5 == 0);
  }
}

TEST_F(HostileFiles, OfArraysAndSettings) {
  test::WeightFile().add(net::encoder_preset("nano")).write(path("good.safetensors"));
  const std::string dictionary =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 65536, 65536), }\n";
  const std::string npy =
      "\x93NUMPY\1" + std::string(1, '\0') + test::little(dictionary.size(), 2) + dictionary;
  for (const Sample& sample : {Sample{"huge.npy", npy}, Sample{"cut.npy", npy.substr(0, 20)}}) {
    write_file(path(sample.name), sample.bytes);
    expect_refused(path(sample.name),
                   {"features", path("good.safetensors"), path(sample.name), "--out", path("out")});
  }
  std::string deep;
  for (int i = 0; i < 50'000; ++i) deep += "a.";
  for (const Sample& sample : {Sample{"deep.toml", deep + "a = 1\n"},
                               Sample{"typed.toml", "[run]\nepochs = \"many\"\n"}}) {
    write_file(path(sample.name), sample.bytes);
    expect_refused(path(sample.name), world_.training("out", {"--config", path(sample.name)}));
  }
}

}  // namespace
}  // namespace medurwkv
