// `predict` and `evaluate` with models whose window follows from an image's values: masks are those
// of the same model with the window in numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/model_description.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "data/image/image.h"
#include "data/volumes/volume.h"
#include "support/changed_model.h"
#include "support/paths.h"
#include "support/process.h"
#include "support/volume_files.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::operator+;
using test::NiftiBytes;
using test::Outcome;
using test::run_program;

constexpr std::int64_t columns = 40, rows = 32, slices = 3;
constexpr OwnWindow of_volume{.low = 0, .high = 100};
constexpr OwnWindow of_image{.low = 0, .high = 100, .of_volume = false};

/// A dark ellipse on a bright ground, in Hounsfield-like units; each slice darker than the one
/// before, so that its own window is another than the volume's.
std::vector<std::int16_t> voxels() {
  std::vector<std::int16_t> out;
  for (std::int64_t z = 0; z < slices; ++z) {
    for (std::int64_t y = 0; y < rows; ++y) {
      for (std::int64_t x = 0; x < columns; ++x) {
        const double dx = (static_cast<double>(x) - 16 - 4 * static_cast<double>(z)) / 9;
        const double dy = (static_cast<double>(y) - 15) / 7;
        const std::int64_t shade = dx * dx + dy * dy < 1 ? 60 : 190 + (x * y) % 20;
        out.push_back(static_cast<std::int16_t>(shade * 4 / (1 + z) - 300));
      }
    }
  }
  return out;
}

class OwnWindowsOnTheCommandLine : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto all = voxels();
    const auto [least, most] = std::minmax_element(all.begin(), all.end());
    whole_ = {static_cast<double>(*least), static_cast<double>(*most)};
    write_model("volume.model", [](InputContract& input) { input.own_window = of_volume; });
    write_model("image.model", [](InputContract& input) { input.own_window = of_image; });
    write_model("numbers.model", [this](InputContract& input) { input.window = whole_; });
  }

  template <class Change>
  void write_model(const std::string& name, const Change& change) const {
    test::write_changed_model(path(name), change);
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  void write(const std::string& name, const std::string& bytes) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary).write(bytes.data(), std::ssize(bytes));
  }
  /// The mask files of a prediction, by name.
  std::string masks(const test::Words& how, const std::string& in, const std::string& name) {
    const Outcome outcome =
        run_program(test::Words{"predict"} + how + test::Words{path(in), "--out", path(name)});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    std::string out;
    std::vector<fs::path> files;
    for (const auto& one : fs::directory_iterator(path(name))) files.push_back(one.path());
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) {
      const std::string mask = file.filename().string();
      if (mask != "manifest.json") out += concat(mask, " ", sha256_file(file), "\n");
    }
    return out;
  }
  [[nodiscard]] std::string model(const std::string& name) const { return path(name + ".model"); }

  Window whole_;

 private:
  test::TemporaryFolder folder_;
};

TEST_F(OwnWindowsOnTheCommandLine, VolumesArePredictedWithTheirOwn) {
  write("in/a.nii", NiftiBytes().sides({columns, rows, slices}).type(4, 16).with(voxels()));
  const std::string numbers = masks({model("numbers")}, "in", "numbers");
  EXPECT_EQ(masks({model("volume")}, "in", "volume"), numbers);
  EXPECT_NE(masks({model("image")}, "in", "image"), numbers) << "nothing was told apart";
  // Models with different windows see the image each with its own.
  const std::string both = masks({model("volume"), "--ensemble", model("image")}, "in", "both");
  EXPECT_EQ(masks({model("numbers"), "--ensemble", model("image")}, "in", "both2"), both);
  EXPECT_EQ(masks({model("volume"), "--tta"}, "in", "tta"),
            masks({model("numbers"), "--tta"}, "in", "tta2"));
}

TEST_F(OwnWindowsOnTheCommandLine, SetsAreJudgedWithTheirOwn) {
  std::vector<std::uint8_t> labels;
  const auto all = voxels();
  for (std::size_t i = 0; i < all.size(); ++i) {
    labels.push_back(all[i] == 60 * 4 / (1 + static_cast<int>(i) / (columns * rows)) - 300 ? 1 : 0);
  }
  write("set/images/p1.nii", NiftiBytes().sides({columns, rows, slices}).type(4, 16).with(all));
  write("set/labels/p1.nii", NiftiBytes().sides({columns, rows, slices}).type(2, 8).with(labels));
  const auto judged = [&](const std::string& name, const std::string& data) {
    const Outcome outcome = run_program(
        {"evaluate", model(name), "--data", path(data), "--out", path(name + " of " + data)});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return read_file(path(name + " of " + data + "/cases.csv"));
  };
  const std::string numbers = judged("numbers", "set");
  EXPECT_EQ(judged("volume", "set"), numbers);
  EXPECT_NE(judged("image", "set"), numbers);
  ASSERT_EQ(run_program({"data", "pack", path("set"), "--out", path("set.pack")}).code, 0);
  EXPECT_EQ(judged("volume", "set.pack"), numbers);
}

// By tiles, row by row and as a whole: one window, that of the whole image.
TEST_F(OwnWindowsOnTheCommandLine, TilesHaveTheWindowOfTheWholeImage) {
  data::Image image{90, 150, 1, data::SampleType::u16, {}};
  for (std::int64_t i = 0; i < 90 * 150; ++i) {
    const auto value = static_cast<std::uint16_t>(3000 + 37 * (i % 90) + 20 * (i / 90));
    image.bytes.push_back(static_cast<unsigned char>(value & 255U));
    image.bytes.push_back(static_cast<unsigned char>(value >> 8U));
  }
  write("in/a.png", data::encode_png(image));
  const auto tiled = [&](const std::string& name, const auto& change) {
    write_model(name, [&](InputContract& input) {
      input.fit = Fit::tile;
      input.width = input.height = 64;
      change(input);
    });
  };
  tiled("own.model", [](InputContract& input) { input.own_window = of_volume; });
  tiled("fixed.model", [](InputContract& input) {
    input.window = Window{3000, 3000 + 37 * 89 + 20 * 149};
  });
  tiled("plain.model", [](InputContract&) {});
  const std::string by_rows = masks({model("fixed")}, "in", "fixed");
  EXPECT_EQ(masks({model("own")}, "in", "own"), by_rows);
  EXPECT_NE(masks({model("plain")}, "in", "plain"), by_rows) << "nothing was told apart";
  const std::string whole = masks({model("fixed"), "--overlay"}, "in", "whole");
  EXPECT_EQ(masks({model("own"), "--overlay"}, "in", "own whole"), whole);
}

TEST_F(OwnWindowsOnTheCommandLine, InspectAndExportSaySo) {
  const Outcome text = run_program({"inspect", model("volume")});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_TRUE(contains(text.out, "window by the percentiles 0 to 100 of the volume")) << text.out;
  const Outcome numbers = run_program({"inspect", model("numbers"), "--json"});
  EXPECT_EQ(json::parse(numbers.out).at("about").at("input").at("window"),
            (json{whole_.low, whole_.high}));
  const Outcome refused =
      run_program({"export", model("volume"), "--onnx", path("a.onnx"), "--pixels"});
  EXPECT_EQ(refused.code, 2) << refused.err;
  EXPECT_TRUE(contains(refused.err, "follows from each image's values")) << refused.err;
  EXPECT_EQ(run_program({"export", model("volume"), "--onnx", path("a.onnx")}).code, 0);
}

TEST_F(OwnWindowsOnTheCommandLine, PreviewsShowIt) {
  std::vector<std::uint8_t> labels(columns * rows * slices, 0);
  for (std::size_t i = 0; i < labels.size(); i += 7) labels[i] = 1;
  write("set/images/p1.nii",
        NiftiBytes().sides({columns, rows, slices}).type(4, 16).with(voxels()));
  write("set/labels/p1.nii", NiftiBytes().sides({columns, rows, slices}).type(2, 8).with(labels));
  const auto preview = [&](const std::string& setting, const std::string& name) {
    write("config.toml", concat("[input]\n", setting, "\n"));
    const Outcome outcome = run_program({"data", "preview", path("set"), "--config",
                                         path("config.toml"), "--out", path(name + ".png")});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return read_file(path(name + ".png"));
  };
  const std::string numbers =
      preview(concat("window = \"", whole_.low, ",", whole_.high, "\""), "numbers");
  EXPECT_EQ(preview("window = \"percentile:0,100\"", "volume"), numbers);
  EXPECT_NE(preview("window = \"percentile:0,100\"\nwindow_over = \"image\"", "image"), numbers);
}

}  // namespace
}  // namespace medurwkv
