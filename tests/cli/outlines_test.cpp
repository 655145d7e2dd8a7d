// A folder of images with one COCO file, from `data check` to a score, as a folder of PNG masks is.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "support/outlined_set.h"
#include "support/process.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Outcome;
using test::run_program;

constexpr std::int64_t side = 48;
constexpr int count = 12;

/// Pictures of a bright square each, and its outline in a COCO file; a second class in every third.
class OutlinesOnTheCommandLine : public ::testing::Test {
 protected:
  OutlinesOnTheCommandLine() {
    json images = json::array();
    json annotations = json::array();
    for (int i = 0; i < count; ++i) {
      const std::string name = concat("p", i < 10 ? "0" : "", i, ".png");
      const std::int64_t left = 4 + (i * 5) % 20;
      const std::int64_t top = 6 + (i * 7) % 18;
      set_.write(
          "set/images/" + name,
          data::encode_png(test::make_image(side, side, 3, [&](auto x, auto y, auto c) {
            const bool in = x >= left && x < left + 16 && y >= top && y < top + 14;
            // Bright specks elsewhere: a picture that shows its mask is refused.
            const bool speck = (x * 7 + y * 11 + i) % 97 < 3;
            return static_cast<int>((in || speck ? 180 : 40) + (x * (3 + i) + y * 5 + c) % 40);
          })));
      images.push_back({{"id", i}, {"file_name", name}, {"width", side}, {"height", side}});
      const auto add = [&](int category, std::int64_t x, std::int64_t y, std::int64_t width,
                           std::int64_t height) {
        annotations.push_back(
            {{"id", annotations.size()},
             {"image_id", i},
             {"category_id", category},
             {"iscrowd", 0},
             {"segmentation", {{x, y, x + width, y, x + width, y + height, x, y + height}}}});
      };
      add(7, left, top, 16, 14);
      if (i % 3 == 0) add(3, left + 4, top + 4, 5, 6);
    }
    const json all{
        {"images", images},
        {"annotations", annotations},
        {"categories", {{{"id", 7}, {"name", "lesion"}}, {{"id", 3}, {"name", "core"}}}}};
    set_.write("set/annotations.json", all.dump());
  }
  [[nodiscard]] std::string path(const std::string& name) const { return set_.path(name).string(); }
  [[nodiscard]] Outcome split() const {
    return run_program({"data", "split", path("set"), "--out", path("split.json"), "--ratios",
                        "0.5", "0.25", "0.25"});
  }

  test::OutlinedSet set_;
};

TEST_F(OutlinesOnTheCommandLine, AreCheckedAndPackedAsMasksAre) {
  const Outcome checked = run_program({"data", "check", path("set"), "--json"});
  ASSERT_EQ(checked.code, 0) << checked.out << checked.err;
  const json report = json::parse(checked.out);
  EXPECT_EQ(report.at("pairs"), count);
  EXPECT_EQ(report.at("mask_encoding"), "index");
  EXPECT_EQ(report.at("classes").at(1).at("name"), "core");
  EXPECT_EQ(report.at("classes").at(1).at("pixels"), 4 * 5 * 6);
  EXPECT_EQ(report.at("classes").at(2).at("pixels"), count * 16 * 14 - 4 * 5 * 6);

  ASSERT_EQ(run_program({"data", "pack", path("set"), "--out", path("set.pack")}).code, 0);
  const Outcome packed = run_program({"data", "check", path("set.pack"), "--json"});
  ASSERT_EQ(packed.code, 0) << packed.err;
  EXPECT_EQ(json::parse(packed.out).at("classes"), report.at("classes"));

  // The same as masks in files.
  const Outcome fixed = run_program({"data", "check", path("set"), "--fix", path("masks")});
  ASSERT_EQ(fixed.code, 0) << fixed.err;
  const data::MaskPixels mask = data::read_mask({path("masks/masks/p00.png")});
  EXPECT_EQ(mask.values.at(6 * side + 4), 2);
  EXPECT_EQ(mask.values.at(10 * side + 8), 1);
  EXPECT_EQ(mask.values.at(0), 0);
  const Outcome masks = run_program({"data", "check", path("masks"), "--json"});
  const json as_masks = json::parse(masks.out).at("classes");
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(as_masks.at(i).at("pixels"), report.at("classes").at(i).at("pixels"));
  }
  EXPECT_EQ(run_program({"data", "preview", path("set"), "--out", path("sheet.png")}).code, 0);
}

TEST_F(OutlinesOnTheCommandLine, AChangedOutlineIsAnotherSet) {
  ASSERT_EQ(split().code, 0);
  json all = json::parse(read_file(path("set/annotations.json")));
  all.at("annotations").at(0).at("segmentation").at(0).at(0) = 0;
  set_.write("set/annotations.json", all.dump());
  const Outcome checked =
      run_program({"data", "check", path("set"), "--split", path("split.json")});
  EXPECT_TRUE(contains(checked.out, "split-changed")) << checked.out;
  const Outcome other = run_program(
      {"data", "pack", path("set"), "--mask-encoding", "binary", "--out", path("b.pack")});
  EXPECT_EQ(other.code, 2);
  EXPECT_TRUE(contains(other.err, "leave out --mask-encoding binary")) << other.err;
}

TEST_F(OutlinesOnTheCommandLine, AModelIsJudgedOnThem) {
  const Outcome judged =
      run_program({"evaluate", (test::source_folder() / "tests/cli/data/version1.model").string(),
                   "--data", path("set"), "--out", path("evaluation"), "--json"});
  // The model has two classes, the set three: said, not guessed.
  EXPECT_EQ(judged.code, 1);
  EXPECT_TRUE(contains(judged.err, "classes")) << judged.err;
}

// Needs the training library.
TEST_F(OutlinesOnTheCommandLine, TrainAndEvaluate) {
  ASSERT_EQ(split().code, 0);
  const Outcome trained = run_program(
      {"train", "--data", path("set"), "--split", path("split.json"), "--preset", "nano", "--size",
       "32", "--batch", "2", "--epochs", "2", "--threads", "1", "--out", path("run"), "--quiet"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Outcome judged = run_program({"evaluate", path("run/best.model"), "--data", path("set"),
                                      "--split", path("split.json"), "--part", "test", "--threads",
                                      "1", "--out", path("evaluation"), "--json"});
  ASSERT_EQ(judged.code, 0) << judged.err;
  EXPECT_EQ(json::parse(judged.out).at("cases"), 3);
  EXPECT_TRUE(contains(read_file(path("evaluation/cases.csv")), "core"));
}

}  // namespace
}  // namespace medurwkv
