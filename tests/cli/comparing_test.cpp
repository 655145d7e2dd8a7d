// Sets with healthy images and masks of several tools, judged and compared as a user types it.
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

class Comparing : public ::testing::Test {
 protected:
  // A mask of 16 x 16 pixels whose first `pixels` in rows from the top are foreground, moved on
  // by `shift` pixels.
  void add_mask(const std::string& file, int pixels, int shift = 0) const {
    write(file, test::make_image(16, 16, 1, [&](auto x, auto y, auto) {
            const std::int64_t at = 16 * y + x;
            return at >= shift && at < shift + pixels ? 255 : 0;
          }));
  }
  void add_image(const std::string& file, std::uint64_t seed) const {
    write(file, test::make_blobs(seed, 16, 16, 3));
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  [[nodiscard]] json evaluated(const std::string& predictions, const std::string& out) const {
    const Outcome outcome = run_program({"evaluate", "--predictions", path(predictions), "--data",
                                         path("set"), "--out", path(out), "--quiet", "--json"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.code == 0 ? json::parse(outcome.out) : json();
  }

 private:
  void write(const std::string& file, const data::Image& image) const {
    make_folder(fs::path(path(file)).parent_path());
    write_file(path(file), data::encode_png(image));
  }

  test::TemporaryFolder folder_;
};

// 20 healthy images, 20 with an object of 40 pixels, of which both tools find 39 and one beside
// it: Dice 78 / 80. One tool also draws into the healthy images. So its mean is
// 20 * 0.975 / 40 = 0.4875, that of the other 0.975 over the 20 that have an object. Paired, the
// other is right on the healthy ones: 20 better, none worse. Ranks of 20 equal differences of one
// sign: z = sqrt(20), p = erfc(sqrt(10)). The third tool's volumes are too large by 1/2
// and too small by 1/2 in turn: 0 in the mean with signs, 1/2 in magnitude, and worse in each.
TEST_F(Comparing, HealthyImagesCount) {
  for (int i = 0; i < 40; ++i) {
    const bool healthy = i < 20;
    const std::string name = concat(healthy ? "healthy" : "ill", i, ".png");
    add_image("set/images/" + name, static_cast<std::uint64_t>(i));
    add_mask("set/masks/" + name, healthy ? 0 : 40);
    add_mask("draws/" + name, healthy ? 5 : 40, healthy ? 0 : 1);
    add_mask("careful/" + name, healthy ? 0 : 40, healthy ? 0 : 1);
    add_mask("unsteady/" + name, healthy ? 0 : i % 2 == 0 ? 60 : 20);
  }
  const json draws = evaluated("draws", "of-draws");
  EXPECT_NEAR(draws.at("mean_dice").get<double>(), 0.4875, 1e-12);
  const json careful = evaluated("careful", "of-careful");
  EXPECT_NEAR(careful.at("mean_dice").get<double>(), 0.975, 1e-12);
  EXPECT_EQ(careful.at("class_mean").at("dice").at("used"), 20);
  const json unsteady = evaluated("unsteady", "of-unsteady");
  EXPECT_EQ(unsteady.at("class_mean").at("volume_difference").at("mean"), 0.0);

  const Outcome outcome =
      run_program({"compare", path("of-draws"), path("of-careful"), path("of-unsteady"),
                   "--metrics", "dice,volume_difference", "--out", path("comparison"), "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json pairs = json::parse(outcome.out).at("pairs");
  const json& dice = pairs.at(0).at("metrics").at(0);
  EXPECT_EQ(dice.at("better"), 20);
  EXPECT_EQ(dice.at("worse"), 0);
  EXPECT_EQ(dice.at("equal"), 20);
  EXPECT_NEAR(dice.at("first").at("mean").get<double>(), 0.4875, 1e-12);
  EXPECT_NEAR(dice.at("second").at("mean").get<double>(), 0.9875, 1e-12);
  EXPECT_NEAR(dice.at("difference").at("mean").get<double>(), 0.5, 1e-12);
  EXPECT_NEAR(dice.at("wilcoxon").at("p").get<double>(), std::erfc(std::sqrt(10.0)), 1e-12);
  EXPECT_EQ(pairs.at(0).at("counted_as_perfect").at("second"), 20);
  EXPECT_EQ(pairs.at(0).at("changes").size(), 20U);

  const json& volume = pairs.at(2).at("metrics").at(1);
  EXPECT_EQ(volume.at("metric"), "volume_difference");
  EXPECT_EQ(volume.at("worse"), 20);
  EXPECT_EQ(volume.at("first").at("mean"), 0.0);
  EXPECT_NEAR(volume.at("second").at("mean").get<double>(), 0.5, 1e-12);
  EXPECT_NEAR(volume.at("wilcoxon").at("p").get<double>(), std::erfc(std::sqrt(10.0)), 1e-12);
  EXPECT_TRUE(contains(read_file(path("comparison/comparison.html")),
                       "Counted as perfect: A 0, "
                       "B 20"));
}

// Masks below the folders of their images, as `predict` leaves them: with overlays, with doubts.
TEST_F(Comparing, MasksOfPatientsAreFoundByFolder) {
  for (int i = 0; i < 6; ++i) {
    const std::string patient = concat("P", i / 2, "/");
    const std::string name = concat("00", i % 2);
    add_image(concat("set/", patient, "images/", name, ".png"), static_cast<std::uint64_t>(i));
    add_mask(concat("set/", patient, "masks/", name, ".png"), 20 + 5 * i);
    const std::string written = concat("masks/", patient, "images/", name);
    add_mask(written + ".png", 20 + 5 * i);
    add_image(written + "_overlay.png", 99);
    add_mask(written + "_unsure.png", 99);
    add_mask(written + "_probabilities_1.png", 98);
  }
  write_file(path("masks/manifest.json"), "{}");
  EXPECT_EQ(evaluated("masks", "evaluation").at("mean_dice"), 1.0);
  // Without one of them its case is named, although others have its file's name.
  fs::remove(path("masks/P1/images/001.png"));
  const Outcome missing = run_program({"evaluate", "--predictions", path("masks"), "--data",
                                       path("set"), "--out", path("none"), "--quiet"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_TRUE(contains(missing.err, "1 of 6 cases have no predicted mask: P1/001;")) << missing.err;
}

}  // namespace
}  // namespace medurwkv
