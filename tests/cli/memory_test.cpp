// Memory through the program: --memory for every command that decodes; a file that asks for more
// fails by name and the rest goes on; a model or a size that cannot fit is refused before the work.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/npy.h"
#include "data/codecs/read.h"
#include "data/image/image.h"
#include "support/images.h"
#include "support/png_by_hand.h"
#include "support/process.h"
#include "support/trained_world.h"
#include "weights/model_file.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::Outcome;
using test::run_program;
using test::Words;

/// Black, so that a small file is a large picture.
void write_large(const fs::path& file, std::uint32_t side) {
  fs::create_directories(file.parent_path());
  const std::string rows(static_cast<std::size_t>(side) * (1 + (side + 7) / 8), '\0');
  write_file(file, test::make_png({.width = side, .height = side, .depth = 1, .scanlines = rows}));
}

class Memory : public test::TrainedWorld {
 protected:
  /// Refused in one line that names `what` and speaks of memory, and not of training.
  static void expect_refused(const Words& words, const std::string& what) {
    const Outcome outcome = run_program(words);
    EXPECT_EQ(outcome.code, 1) << words[0] << ": " << outcome.err;
    EXPECT_TRUE(contains(outcome.err, what) && contains(outcome.err, "takes about"))
        << words[0] << ": " << outcome.err;
    EXPECT_FALSE(contains(outcome.err, "train")) << words[0] << ": " << outcome.err;
    EXPECT_EQ(outcome.signal, 0);
    EXPECT_LT(outcome.seconds, 60);
  }
};

TEST_F(Memory, EveryCommandThatDecodesHasTheOption) {
  for (const Words& words : {Words{"data", "check"},
                             {"data", "split"},
                             {"data", "pack"},
                             {"data", "preview"},
                             {"train"},
                             {"evaluate"},
                             {"compare"},
                             {"predict"},
                             {"features"},
                             {"inspect"},
                             {"convert"},
                             {"export"}}) {
    Words help = words;
    help.emplace_back("--help");
    EXPECT_TRUE(contains(run_program(help).out, "--memory")) << words.back();
    help.back() = "--memory=0";
    EXPECT_EQ(run_program(help).code, 2) << words.back();
    // Less than the program itself takes.
    help.back() = "--memory=0.0001";
    const Outcome little = run_program(help);
    EXPECT_EQ(little.code, 2) << words.back();
    EXPECT_TRUE(contains(little.err, "--memory: the program itself holds")) << little.err;
  }
}

TEST_F(Memory, ALargePictureFailsByNameAndTheRestGoesOn) {
  write_large(path("some/large.png"), 16384);
  write_file(path("some/small.png"),
             data::encode_png(test::make_image(
                 64, 64, 3, [](auto x, auto, auto) { return static_cast<int>(x); })));
  EXPECT_LT(fs::file_size(path("some/large.png")), 100'000U);
  const std::string out = path("some_out").string();
  // A LibTorch with CUDA holds most of 1.2 GB by itself.
  const Outcome outcome = run_program(
      {"predict", model(), path("some").string(), "--out", out, "--memory", "2", "--threads", "2"});
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "large.png: ") && contains(outcome.err, "takes about") &&
              contains(outcome.err, "--memory allows 2"))
      << outcome.err;
  EXPECT_TRUE(fs::exists(out + "/small.png")) << outcome.err;
}

TEST_F(Memory, TheCheckOfASetNamesALargePicture) {
  test::copy_pairs(path("set"), 3);
  write_large(path("set/images/large.png"), 20000);
  write_large(path("set/masks/large.png"), 20000);
  const Outcome outcome = run_program({"data", "check", path("set").string(), "--memory", "0.3"});
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "large.png") && contains(outcome.out, "takes about"))
      << outcome.out;
  EXPECT_TRUE(contains(outcome.out, "2 errors, 0 warnings")) << "its image and its mask";
  EXPECT_TRUE(contains(outcome.out, "allow more memory")) << outcome.out;
}

TEST_F(Memory, AModelThatCannotFitIsRefusedBeforeTheWork) {
  const std::string images = data() + "/images";
  const Words little{"--memory", "0.02"};
  for (Words words : {Words{"predict", model(), images, "--out", path("p").string()},
                      Words{"evaluate", model(), "--data", data(), "--split", split(), "--out",
                            path("e").string()}}) {
    words.insert(words.end(), little.begin(), little.end());
    expect_refused(words, model());
  }
  // The same weights at a larger size.
  const std::string large = path("large.model").string();
  const weights::TensorFile file = weights::read_checked(model());
  weights::ModelInfo info = weights::model_info(model(), file.metadata());
  info.input.width = info.input.height = 16384;
  std::vector<weights::TensorView> tensors;
  for (const weights::TensorInfo& one : file.tensors()) {
    tensors.push_back({one.name, one.type, one.shape, file.data(one)});
  }
  weights::write_model_file(large, tensors, weights::to_metadata(info));
  expect_refused({"predict", large, images, "--out", path("p2").string(), "--memory", "4"}, large);
}

TEST_F(Memory, ASizeThatCannotFitIsRefusedBeforeTheWork) {
  const fs::path input = path("input.npy");
  write_file(input, npy_header(NpyType::f32, {1, 3, 1024, 1024}));
  fs::resize_file(input, fs::file_size(input) + std::uintmax_t{4} * 3 * 1024 * 1024);
  expect_refused(
      {"features", model(), input.string(), "--out", path("f").string(), "--memory", "0.05"},
      "takes about");
  const Outcome bench = run_program({"bench", "--quick", "--size", "4096", "--preset", "nano"},
                                    {.largest_data = 400'000'000});
  EXPECT_EQ(bench.code, 1) << bench.err;
  EXPECT_TRUE(contains(bench.err, "--size 4096: takes about")) << bench.err;
}

}  // namespace
}  // namespace medurwkv
