// Sets that are no folders of pictures, from the command line to a score: slices and volumes packed
// as arrays; masks in colours whose table the split file carries.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "data/codecs/read.h"
#include "data/image/image.h"
#include "support/array_files.h"
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

constexpr std::int64_t side = 32;

/// A bright disk (class 1) with a darker one in it (class 2), as Synapse packs slices.
std::string pack(std::int64_t slices, int seed) {
  const bool volume = slices > 1;
  const Shape shape = volume ? Shape{slices, side, side} : Shape{side, side};
  test::NamedArray<float> image{"image", shape, {}};
  test::NamedArray<float> label{"label", shape, {}};
  for (std::int64_t i = 0; i < slices * side * side; ++i) {
    const std::int64_t x = i % side - 12 - seed % 5;
    const std::int64_t y = i / side % side - 14;
    const int one = x * x + y * y < 20 ? 2 : x * x + y * y < 80 ? 1 : 0;
    image.values.push_back(one == 0 ? 0.1F : one == 1 ? 0.9F : 0.5F);
    label.values.push_back(static_cast<float>(one));
  }
  return test::npz_bytes(image, label);
}

class ArraySet : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  test::TemporaryFolder folder_;
};

TEST_F(ArraySet, TrainsOnSlicesAndJudgesVolumes) {
  for (int i = 0; i < 6; ++i) {
    const std::string name = "case000" + std::to_string(i / 2) + "_slice00" + std::to_string(i % 2);
    test::write_in_folder(folder_.path() / "data/train_npz" / (name + ".npz"), pack(1, i));
  }
  test::write_in_folder(folder_.path() / "data/test_vol/case0009.npz", pack(2, 3));
  const Outcome split = run_program({"data", "split", path("data"), "--out", path("split.json"),
                                     "--ratios", "0.5", "0.25", "0.25", "--json"});
  ASSERT_EQ(split.code, 0) << split.err;
  const json parts = json::parse(read_file(path("split.json")));
  EXPECT_EQ(parts.at("mask_encoding"), "index");
  const Outcome trained = run_program(
      {"train", "--data", path("data"), "--split", path("split.json"), "--preset", "nano", "--size",
       "32", "--batch", "2", "--epochs", "1", "--threads", "1", "--out", path("run"), "--quiet"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Outcome judged = run_program({"evaluate", path("run/best.model"), "--data", path("data"),
                                      "--split", path("split.json"), "--part", "all", "--threads",
                                      "1", "--out", path("evaluation"), "--json"});
  ASSERT_EQ(judged.code, 0) << judged.err;
  EXPECT_EQ(json::parse(judged.out).at("cases"), 8) << "six slices and a volume of two";
  const Outcome predicted =
      run_program({"predict", path("run/best.model"), path("data/train_npz"), "--threads", "1",
                   "--overlay", "--out", path("masks"), "--quiet"});
  ASSERT_EQ(predicted.code, 0) << predicted.err;
  EXPECT_EQ(data::read_image_size(path("masks/case0000_slice000.png")),
            (data::ImageSize{side, side}));
}

TEST_F(ArraySet, TheSplitCarriesTheTableOfColours) {
  for (const char* name : {"a.png", "b.png", "c.png", "d.png"}) {
    test::write_gray(folder_.path() / "data/images" / name, 8, 8,
                     [&](auto x, auto y) { return static_cast<int>(8 * x + y) + name[0]; });
    fs::create_directories(folder_.path() / "data/masks");
    write_file(folder_.path() / "data/masks" / name,
               data::encode_png(test::make_image(8, 8, 3, [](auto x, auto, auto c) {
                 return (x < 3 && c == 0) || (x > 5 && c == 1) ? 255 : 0;
               })));
  }
  const Outcome refused = run_program({"data", "split", path("data"), "--out", path("split.json")});
  EXPECT_EQ(refused.code, 1);
  EXPECT_TRUE(contains(refused.err, "--classes") && contains(refused.err, "255,0,0"))
      << refused.err;
  write_file(path("classes.txt"), std::string_view("benign:0,255,0\nmalignant:255,0,0\n"));
  const Outcome made = run_program({"data", "split", path("data"), "--out", path("split.json"),
                                    "--classes", path("classes.txt")});
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_TRUE(contains(made.out, "colors")) << made.out;
  const json split = json::parse(read_file(path("split.json")));
  EXPECT_EQ(split.at("mask_encoding"), "colors");
  EXPECT_EQ(split.at("classes"), (json{"background", "benign", "malignant"}));
  EXPECT_EQ(split.at("class_colors"), (json{json{0, 0, 0}, json{0, 255, 0}, json{255, 0, 0}}));
  const Outcome wrong = run_program({"data", "split", path("data"), "--mask-encoding", "colours"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_TRUE(contains(wrong.err, "instances")) << wrong.err;
}

}  // namespace
}  // namespace medurwkv
