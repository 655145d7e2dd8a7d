// One reading of a set for all commands, as a user meets it: what `data check` calls an error the
// others refuse with its remedy or count as left out, and the remedy opens the set for all of them.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "data/image/image.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/process.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Outcome;
using test::run_program;

constexpr std::int64_t side = 64;

class Reading : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  /// Eight pairs whose masks hold what `value` gives for (case, x, y).
  void make(const std::function<int(int, std::int64_t, std::int64_t)>& value) const {
    for (int i = 0; i < 8; ++i) {
      const auto seed = static_cast<std::uint64_t>(i);
      put(concat("set/images/c", i, ".png"), test::make_blobs(seed, side, side, 3));
      put(concat("set/masks/c", i, ".png"),
          test::make_image(side, side, 1, [&](auto x, auto y, auto) { return value(i, x, y); }));
    }
  }
  void put(const std::string& name, const data::Image& image) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    write_file(path(name), data::encode_png(image));
  }
  /// Every command that opens a set, with these options.
  [[nodiscard]] std::vector<Outcome> all(const std::vector<std::string>& options = {},
                                         const std::string& predictions = "set/masks") const {
    std::vector<Outcome> out;
    for (std::vector<std::string> words :
         {std::vector<std::string>{"data", "check", path("set")},
          {"data", "split", path("set"), "--force", "--out", path("split.json")},
          {"data", "pack", path("set"), "--force", "--out", path("set.pack")},
          {"data", "preview", path("set"), "--force", "--out", path("sheet.png")},
          {"evaluate", "--predictions", path(predictions), "--data", path("set"), "--force",
           "--out", path("evaluation")}}) {
      words.insert(words.end(), options.begin(), options.end());
      out.push_back(run_program(words));
    }
    return out;
  }
  test::TemporaryFolder folder_;
};

bool in_disc(std::int64_t x, std::int64_t y, std::int64_t cx, std::int64_t cy) {
  return (x - cx) * (x - cx) + (y - cy) * (y - cy) < 80;
}

TEST_F(Reading, AGrayLevelIsAskedForByAllAndNamedForAll) {
  make([](int i, auto x, auto y) {
    return in_disc(x, y, 20 + i, 20) ? 127 : in_disc(x, y, 45, 40) ? 255 : 0;
  });
  for (const Outcome& refused : all()) {
    EXPECT_EQ(refused.code, 1);
    EXPECT_TRUE(contains(refused.out + refused.err, "0, 127, 255")) << refused.err;
    EXPECT_TRUE(contains(refused.out + refused.err, "--classes")) << refused.err;
  }
  write_file(path("classes.txt"), "background:0,0,0\na:127,127,127\nb:255,255,255\n");
  const std::vector<std::string> options{"--classes", path("classes.txt")};
  for (const Outcome& opened : all(options)) {
    // Masks as their own predictions: their levels need a table too, which is the set's.
    EXPECT_EQ(opened.code, 0) << opened.err;
  }
  const json summary = json::parse(read_file(path("evaluation/summary.json")));
  EXPECT_EQ(summary.at("mean_dice"), 1.0);
  EXPECT_EQ(summary.at("classes").size(), 2U);
}

TEST_F(Reading, IgnoredPixelsAreAskedForByAllAndSaidToAll) {
  make([](int i, auto x, auto y) { return y < 8 ? 255 : in_disc(x, y, 30, 30 + i) ? 1 : 0; });
  for (const Outcome& refused : all()) {
    EXPECT_EQ(refused.code, 1);
    EXPECT_TRUE(contains(refused.out + refused.err, "--mask-encoding index")) << refused.err;
  }
  for (int i = 0; i < 8; ++i) {
    put(concat("p/c", i, ".png"), test::make_image(side, side, 1, [&](auto x, auto y, auto) {
          return in_disc(x, y, 30, 30 + i) ? 1 : 0;
        }));
  }
  for (const Outcome& opened : all({"--mask-encoding", "index"}, "p")) {
    EXPECT_EQ(opened.code, 0) << opened.err;
  }
}

TEST_F(Reading, WhatHasNoPartnerIsLeftOutAndCounted) {
  make([](int i, auto x, auto y) { return in_disc(x, y, 30, 30 + i) ? 255 : 0; });
  for (const char* name : {"c1", "c4", "c6"}) fs::remove(path(concat("set/masks/", name, ".png")));
  const std::vector<Outcome> outcomes = all();
  EXPECT_EQ(outcomes.front().code, 1) << "data check says that they are errors";
  for (std::size_t i = 1; i < outcomes.size(); ++i) {
    EXPECT_EQ(outcomes[i].code, 0) << outcomes[i].err;
    EXPECT_TRUE(contains(outcomes[i].err, "3 images without a mask are left out"))
        << outcomes[i].err;
  }
}

// What only the pixels show is refused as well: an image that is its own mask.
TEST_F(Reading, AnErrorOfOneImageStopsAll) {
  make([](int i, auto x, auto y) { return in_disc(x, y, 30, 30 + i) ? 255 : 0; });
  fs::copy_file(path("set/masks/c3.png"), path("set/images/c3.png"),
                fs::copy_options::overwrite_existing);
  for (const Outcome& refused : all()) {
    EXPECT_EQ(refused.code, 1);
    EXPECT_TRUE(contains(refused.out + refused.err, "its image holds the same as the mask"))
        << refused.err;
  }
}

TEST_F(Reading, ASplitSaysWhatMasksMean) {
  make([](int i, auto x, auto y) { return in_disc(x, y, 30, 30 + i) ? 255 : 0; });
  ASSERT_EQ(run_program({"data", "split", path("set"), "--out", path("split.json")}).code, 0);
  const Outcome refused =
      run_program({"evaluate", "--predictions", path("set/masks"), "--data", path("set"), "--split",
                   path("split.json"), "--mask-encoding", "index", "--out", path("e")});
  EXPECT_EQ(refused.code, 2);
  EXPECT_TRUE(contains(refused.err, "--mask-encoding")) << refused.err;
}

}  // namespace
}  // namespace medurwkv
