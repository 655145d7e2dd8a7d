// predict, evaluate and features in a root that holds the program, the libraries that it loads and
// a model, and nothing else: no LibTorch, no configuration, no /proc. How much that takes.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/npy.h"
#include "support/demo.h"
#include "support/paths.h"
#include "support/process.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::Outcome;
using test::Words;
using test::operator+;

/// The files that the dynamic loader loads with the program, itself among them.
std::set<std::string> libraries() {
  const Outcome traced = test::run_program(
      {"--version"}, {.environment = {{"LD_TRACE_LOADED_OBJECTS", "1"}}, .folder = {}});
  std::set<std::string> out;
  std::istringstream words(traced.out);
  for (std::string word; words >> word;) {
    if (word.starts_with("/")) out.insert(word);
  }
  return out;
}

class BareRoot : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const std::string& file : libraries()) bring(file);
    bring(test::program_file());
    test::copy_pairs(root() / "data", 4);
    fs::copy_file(model(), root() / "some.model");
    const Outcome version = inside({"--version"});
    if (version.code != 0) {
      GTEST_SKIP() << "no root of its own for a process: " << version.err;
    }
  }

  [[nodiscard]] fs::path root() const { return folder_.path() / "root"; }
  [[nodiscard]] fs::path outside(const std::string& name) const { return folder_.path() / name; }
  static fs::path model() { return test::source_folder() / "tests/cli/data/version1.model"; }

  /// Runs the program with the folder as root.
  Outcome inside(const Words& words) {
    return test::run_program(
        words, {.folder = {},
                .within = {"/usr/bin/unshare", "--map-root-user", "--root", root().string()}});
  }

  /// Bytes that were brought.
  std::int64_t program = 0, onednn = 0, others = 0;

 private:
  /// A copy at the same path.
  void bring(const std::string& file) {
    const fs::path to = root().string() + file;
    fs::create_directories(to.parent_path());
    fs::copy_file(file, to);
    const auto bytes = static_cast<std::int64_t>(fs::file_size(to));
    std::int64_t& sum = file == test::program_file() ? program
                        : contains(file, "libdnnl")  ? onednn
                                                     : others;
    sum += bytes;
  }

  test::TemporaryFolder folder_;
};

std::string megabytes(std::int64_t bytes) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(1) << 1e-6 * static_cast<double>(bytes) << " MB";
  return out.str();
}

TEST_F(BareRoot, PredictsEvaluatesAndGivesMaps) {
  const Outcome predicted = inside({"predict", "/some.model", "/data/images", "--out", "/masks"});
  ASSERT_EQ(predicted.code, 0) << predicted.err;
  const Outcome here =
      test::run_program({"predict", model().string(), (root() / "data/images").string(), "--out",
                         outside("masks").string()});
  ASSERT_EQ(here.code, 0) << here.err;
  int masks = 0;
  for (const auto& entry : fs::directory_iterator(outside("masks"))) {
    if (entry.path().extension() != ".png") continue;
    ++masks;
    EXPECT_EQ(read_file(root() / "masks" / entry.path().filename()), read_file(entry.path()));
  }
  EXPECT_EQ(masks, 4);
  const Outcome evaluated =
      inside({"evaluate", "/some.model", "--data", "/data", "--out", "/scores"});
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  EXPECT_TRUE(contains(read_file(root() / "scores/summary.json"), "mean_dice"));
  const std::vector<float> image(std::size_t{3} * 64 * 64, 0.5F);
  write_npy(root() / "input.npy", NpyType::f32, {1, 3, 64, 64},
            as_text(std::span<const float>(image)));
  const Outcome maps = inside({"features", "/some.model", "/input.npy", "--out", "/maps"});
  ASSERT_EQ(maps.code, 0) << maps.err;
  EXPECT_TRUE(fs::exists(root() / "maps/f4.npy"));
}

TEST_F(BareRoot, HoldsNoLibTorchAndTakesLessThan60Megabytes) {
  for (const std::string& file : libraries()) {
    EXPECT_FALSE(contains(file, "torch") || contains(file, "libc10")) << file;
  }
  std::cout << "the program " << megabytes(program) << ", oneDNN " << megabytes(onednn)
            << ", other libraries " << megabytes(others) << ", together "
            << megabytes(program + onednn + others) << "\n";
  EXPECT_LT(program + onednn + others, 60'000'000);
}

}  // namespace
}  // namespace medurwkv
