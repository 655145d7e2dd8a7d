// Images predicted by tiles: against the whole run where they must be equal, against a weighted
// mean computed from its definition elsewhere; what is read and held; what a run over files writes.
#include "predict/tile_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/model_description.h"
#include "core/random.h"
#include "core/stop.h"
#include "data/codecs/read.h"
#include "predict/outputs.h"
#include "predict/runner.h"
#include "predict/tiles.h"
#include "support/images.h"
#include "support/listener.h"
#include "support/paths.h"

namespace medurwkv::predict {
namespace {

namespace fs = std::filesystem;

/// Logits that depend on a pixel, on the mean of all that the network sees, and on where in that a
/// pixel lies: as bi-WKV does, it tells a tile from the whole, and a picture from its mirror image.
class GlobalEngine : public Engine {
 public:
  explicit GlobalEngine(Fit fit, std::int64_t width, std::int64_t height, std::size_t classes = 3,
                        float lean = 1)
      : lean_(lean) {
    description_.input = {fit, width, height, 1, {0.4}, {0.25}};
    for (std::size_t c = 0; c < classes; ++c) {
      description_.classes.push_back({"class " + std::to_string(c), {}});
    }
    description_.file = "global.model";
    description_.content_sha256 = std::string(64, '1');
  }
  [[nodiscard]] const ModelDescription& description() const override { return description_; }
  [[nodiscard]] std::int64_t memory(const BatchShape& /*shape*/) const override { return 0; }
  void run(const BatchShape& shape, std::span<const float> input,
           std::span<float> logits) override {
    shapes.push_back(shape);
    if (stop != nullptr && shapes.size() == 2) *stop = 15;
    const auto pixels = static_cast<std::size_t>(shape.pixels());
    double mean = 0;
    for (const float value : input) mean += value / static_cast<double>(pixels);
    for (std::size_t c = 0; c < description_.classes.size(); ++c) {
      for (std::size_t i = 0; i < pixels; ++i) {
        const auto place = static_cast<float>(i) / static_cast<float>(pixels);
        logits[c * pixels + i] = static_cast<float>(c) * (input[i] - static_cast<float>(mean)) +
                                 lean_ * place * (c == 1 ? 1.0F : -0.5F);
      }
    }
  }

  void set_temperature(double temperature) { description_.temperature = temperature; }

  std::vector<BatchShape> shapes;
  std::atomic<int>* stop = nullptr;  ///< set in the second run, as a signal would

 private:
  float lean_;
  ModelDescription description_;
};

data::Image picture(std::int64_t width, std::int64_t height, std::uint64_t seed = 5) {
  return test::make_blobs(seed, width, height, 1);
}

/// The rows that predict_rows gives, as planes; each row once, from the top, at most so many.
std::vector<float> planes_of(const Ensemble& ensemble, data::ImageSize tile,
                             const data::Image& image) {
  const auto classes = std::ssize(ensemble.engines.front()->description().classes);
  const std::int64_t pixels = image.width * image.height;
  std::vector<float> out(static_cast<std::size_t>(classes * pixels), -1);
  std::int64_t next = 0;
  predict_rows(ensemble, tile, *data::rows_of(image), [&](const PredictedRows& rows) {
    EXPECT_EQ(rows.first, next);
    EXPECT_LE(rows.size.height, rows_at_once);
    next += rows.size.height;
    const std::int64_t count = rows.size.width * rows.size.height;
    EXPECT_EQ(std::ssize(rows.probabilities), classes * count);
    for (std::ptrdiff_t c = 0; c < classes; ++c) {
      std::copy_n(rows.probabilities.begin() + c * count, count,
                  out.begin() + c * pixels + rows.first * image.width);
    }
  });
  EXPECT_EQ(next, image.height);
  return out;
}

TEST(TileRun, ATileThatCoversTheImageIsTheWholeRun) {
  GlobalEngine engine(Fit::native, 16, 16);
  for (const bool flips : {false, true}) {
    for (const data::ImageSize size : {data::ImageSize{50, 37}, {1, 1}, {64, 64}, {3, 64}}) {
      const data::Image image = picture(size.width, size.height);
      const Prediction whole = predict_image(Ensemble({&engine}, flips), image);
      for (const std::int64_t side : {64, 100}) {
        const Prediction tiled = predict_image(Ensemble({&engine}, flips, side), image);
        EXPECT_EQ(tiled.probabilities, whole.probabilities) << size.width << " " << side;
        EXPECT_EQ(tiled.labels, whole.labels);
      }
    }
  }
}

/// The weighted mean of the whole runs of all tiles, each cut out by itself.
std::vector<double> by_definition(const Ensemble& ensemble, data::ImageSize tile,
                                  const data::Image& image) {
  const auto classes = std::ssize(ensemble.engines.front()->description().classes);
  const TileAxis across = tile_axis(image.width, tile.width);
  const TileAxis down = tile_axis(image.height, tile.height);
  std::vector<double> out(static_cast<std::size_t>(classes * image.width * image.height), 0);
  for (std::size_t r = 0; r < down.starts.size(); ++r) {
    for (std::size_t q = 0; q < across.starts.size(); ++q) {
      const data::Image part =
          test::make_image(across.tile, down.tile, 1, [&](auto x, auto y, auto) {
            return int{image.bytes[static_cast<std::size_t>((down.starts[r] + y) * image.width +
                                                            across.starts[q] + x)]};
          });
      const std::vector<float> one =
          predict_image(Ensemble(ensemble.engines, ensemble.flips, 4096), part).probabilities;
      std::size_t i = 0;
      for (std::ptrdiff_t c = 0; c < classes; ++c) {
        for (std::int64_t y = 0; y < down.tile; ++y) {
          for (std::int64_t x = 0; x < across.tile; ++x, ++i) {
            const double weight =
                static_cast<double>(down.weights[r][static_cast<std::size_t>(y)]) *
                across.weights[q][static_cast<std::size_t>(x)];
            out[static_cast<std::size_t>((c * image.height + down.starts[r] + y) * image.width +
                                         across.starts[q] + x)] += weight * one[i];
          }
        }
      }
    }
  }
  return out;
}

// Sizes drawn at random, larger and smaller than the tile, with more rows than are given at once.
TEST(TileRun, OverlapsAreTheWeightedMeanOfTheTiles) {
  const Random random(7, "sizes");
  for (std::uint64_t i = 0; i < 12; ++i) {
    const auto draw = [&](std::uint64_t k, std::uint64_t most) {
      return static_cast<std::int64_t>(1 + random.below(5 * i + k, most));
    };
    GlobalEngine a(Fit::tile, draw(0, 60), draw(1, 110), 2 + i % 3);
    GlobalEngine b(Fit::tile, a.description().input.width, a.description().input.height, 2 + i % 3,
                   -2);
    const data::Image image = picture(draw(2, 150), draw(3, 300), i);
    const Ensemble ensemble(i % 2 == 0 ? std::vector<Engine*>{&a} : std::vector<Engine*>{&a, &b},
                            i % 4 == 3);
    const data::ImageSize tile = tile_of(ensemble).value();
    const std::vector<double> expected = by_definition(ensemble, tile, image);
    const std::vector<float> got = planes_of(ensemble, tile, image);
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t k = 0; k < got.size(); ++k) ASSERT_NEAR(got[k], expected[k], 2e-6) << i;
    EXPECT_EQ(predict_image(ensemble, image).probabilities, got);
  }
}

TEST(TileRun, EveryTileHasOneShape) {
  GlobalEngine engine(Fit::tile, 20, 12);
  predict_image(engine, picture(53, 41));
  // 16 and 10 pixels a step: starts 0 11 22 33 and 0 7 14 21 29.
  EXPECT_EQ(engine.shapes, std::vector<BatchShape>(4 * 5, BatchShape{1, 12, 20}));
}

// A model of resized images among those that see tiles: each sees its own, the mean is over models.
TEST(TileRun, ModelsOfAllKindsAreAveraged) {
  GlobalEngine tiles(Fit::tile, 16, 16);
  GlobalEngine others(Fit::tile, 24, 8);
  GlobalEngine resized(Fit::stretch, 16, 16);
  const data::Image image = picture(40, 30);
  const Prediction got = predict_image(Ensemble({&tiles, &others, &resized}, true), image);
  const auto of = [&](Engine& engine) {
    return predict_image(Ensemble({&engine}, true), image).probabilities;
  };
  const auto a = of(tiles);
  const auto b = of(others);
  const auto c = of(resized);
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_NEAR(got.probabilities[i], (a[i] + b[i] + c[i]) / 3, 1e-6);
  }
}

TEST(TileRun, WhichModelsSeeTiles) {
  const auto of = [](Fit fit, std::int64_t side) {
    return tile_of({.fit = fit, .width = 96}, side);
  };
  for (const Fit fit : {Fit::stretch, Fit::pad}) {
    EXPECT_EQ(of(fit, 0), std::nullopt);
    EXPECT_EQ(of(fit, 64), std::nullopt) << "resized as ever";
  }
  EXPECT_EQ(of(Fit::native, 0), std::nullopt);
  EXPECT_EQ(of(Fit::native, 64), (data::ImageSize{64, 64}));
  EXPECT_EQ(of(Fit::tile, 0), (data::ImageSize{96, 256}));
  EXPECT_EQ(of(Fit::tile, 64), (data::ImageSize{64, 64}));
  GlobalEngine tiles(Fit::tile, 16, 16);
  GlobalEngine padded(Fit::pad, 16, 16);
  EXPECT_NO_THROW(check_tiles(Ensemble({&tiles, &padded}, false)));
  EXPECT_NO_THROW(check_tiles(Ensemble({&tiles}, false, 64)));
  EXPECT_THROW(check_tiles(Ensemble({&tiles, &padded}, false, 64)), Error);
}

/// An image that is made up as it is read, of any height; keeps the rows that were read.
class MadeRows : public data::ImageRows {
 public:
  MadeRows(std::int64_t width, std::int64_t height)
      : ImageRows({width, height, 3, data::SampleType::u8}) {}
  [[nodiscard]] std::int64_t memory(std::int64_t /*rows*/) const override { return 0; }
  std::int64_t rows_read = 0;

 private:
  data::Image read(std::int64_t first, std::int64_t count) override {
    rows_read = first + count;
    data::Image out{form().width, count, 3, data::SampleType::u8, {}};
    out.bytes.assign(static_cast<std::size_t>(count * form().row_bytes()),
                     static_cast<unsigned char>(first));
    return out;
  }
};

/// Cheap, and of three channels.
class FlatEngine : public GlobalEngine {
 public:
  explicit FlatEngine(std::int64_t side) : GlobalEngine(Fit::tile, side, side, 2) {
    contract_ = GlobalEngine::description();
    contract_.input.channels = 3;
    contract_.input.mean = {0, 0, 0};
    contract_.input.deviation = {1, 1, 1};
  }
  [[nodiscard]] const ModelDescription& description() const override { return contract_; }
  void run(const BatchShape&, std::span<const float>, std::span<float> logits) override {
    std::fill(logits.begin(), logits.end(), 0.0F);
  }

 private:
  ModelDescription contract_;
};

// No row is read before the tiles above it are given: a tile's height ahead at the most.
TEST(TileRun, ReadsNoFurtherThanATile) {
  FlatEngine engine(48);
  MadeRows image(100, 1000);
  std::int64_t given = 0;
  predict_rows(engine, {48, 48}, image, [&](const PredictedRows& rows) {
    EXPECT_LE(image.rows_read - rows.first, 48);
    given += rows.size.height;
  });
  EXPECT_EQ(given, 1000);
}

TEST(TileRun, StopsBetweenTwoTiles) {
  GlobalEngine engine(Fit::tile, 16, 16);
  test::KeepingListener listener;
  engine.stop = &listener.stop;
  const data::Image image = picture(100, 100);
  EXPECT_THROW(predict_rows(
                   engine, {16, 16}, *data::rows_of(image),
                   [](const PredictedRows&) { FAIL() << "no row is done"; }, listener),
               Stopped);
  EXPECT_EQ(engine.shapes.size(), 2U);
}

class TileFiles : public testing::Test {
 protected:
  RunResult run(const fs::path& out, const OutputOptions& outputs, Engine& engine,
                std::int64_t side = 0, bool go_on = false) {
    RunOptions options{.out = out, .outputs = outputs, .go_on = go_on};
    const Plan plan = plan_outputs({folder.path() / "in"}, out, outputs, 3);
    return run_jobs(Ensemble({&engine}, false, side), plan.jobs, options, listener);
  }
  [[nodiscard]] static nlohmann::json manifest(const fs::path& out) {
    return nlohmann::json::parse(read_file(out / manifest_name));
  }
  void add(const std::string& name, const std::string& bytes) {
    const fs::path file = folder.path() / "in" / name;
    fs::create_directories(file.parent_path());
    write_file(file, bytes);
  }

  test::TemporaryFolder folder;
  test::KeepingListener listener;
};

// Row by row, and as a whole because an overlay is asked for, too: the same bytes and entries.
TEST_F(TileFiles, RowsAndWholeImagesGiveTheSameFiles) {
  add("a.png", data::encode_png(picture(90, 150)));
  add("b.png", data::encode_png(picture(20, 10)));
  GlobalEngine engine(Fit::tile, 32, 24);
  engine.set_temperature(1.6);
  for (const bool threshold : {false, true}) {
    OutputOptions outputs{.probabilities = Probabilities::png, .unsure = true};
    if (threshold) outputs.post.threshold = 0.4;
    OutputOptions whole = outputs;
    whole.overlay = true;
    const fs::path rows_out = folder.path() / (threshold ? "rows2" : "rows");
    const fs::path whole_out = folder.path() / (threshold ? "whole2" : "whole");
    EXPECT_EQ(run(rows_out, outputs, engine).done, 2);
    EXPECT_EQ(run(whole_out, whole, engine).done, 2);
    for (const char* name : {"a", "b"}) {
      for (const char* end :
           {".png", "_probabilities_1.png", "_probabilities_2.png", "_unsure.png"}) {
        EXPECT_EQ(read_file(rows_out / (std::string(name) + end)),
                  read_file(whole_out / (std::string(name) + end)))
            << name << end;
      }
    }
    nlohmann::json of_rows = manifest(rows_out).at("images");
    nlohmann::json of_whole = manifest(whole_out).at("images");
    for (nlohmann::json& image : of_whole) {
      auto& files = image.at("outputs");
      files.erase(std::find_if(files.begin(), files.end(), [](const nlohmann::json& one) {
        return one.at("what") == "overlay";
      }));
    }
    EXPECT_EQ(of_rows, of_whole);
  }
}

TEST_F(TileFiles, ABrokenImageLeavesNothingAndTheRestGoesOn) {
  const std::string png = data::encode_png(picture(64, 400));
  add("a.png", png.substr(0, png.size() - 200));
  add("b.png", png);
  GlobalEngine engine(Fit::tile, 32, 32);
  const fs::path out = folder.path() / "out";
  const RunResult result = run(out, {}, engine);
  EXPECT_EQ(result.done, 1);
  EXPECT_EQ(result.failed, 1);
  EXPECT_EQ(listener.failures.size(), 1U);
  EXPECT_NE(listener.failures.front().find("a.png"), std::string::npos);
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(out)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"b.png", "manifest.json"}));
}

// The masks are those without a temperature, byte for byte; a threshold, unsureness and
// probabilities are others.
TEST_F(TileFiles, ATemperatureChangesProbabilitiesAndNoLikeliestClass) {
  add("a.png", data::encode_png(picture(90, 150)));
  GlobalEngine plain(Fit::tile, 32, 24);
  GlobalEngine warm(Fit::tile, 32, 24);
  warm.set_temperature(1.6);
  for (const bool whole : {false, true}) {
    OutputOptions outputs{.overlay = whole, .probabilities = Probabilities::png, .unsure = true};
    OutputOptions cut = outputs;
    cut.post.threshold = 0.5;
    const fs::path out = folder.path() / (whole ? "whole" : "rows");
    for (const bool is_warm : {false, true}) {
      GlobalEngine& engine = is_warm ? warm : plain;
      run(out / (is_warm ? "warm" : "plain"), outputs, engine);
      run(out / (is_warm ? "warm cut" : "plain cut"), cut, engine);
    }
    const auto same = [&](const char* end, const std::string& kind) {
      return read_file(out / ("plain" + kind) / end) == read_file(out / ("warm" + kind) / end);
    };
    EXPECT_TRUE(same("a.png", ""));
    EXPECT_FALSE(same("a.png", " cut"));
    EXPECT_FALSE(same("a_probabilities_1.png", ""));
    EXPECT_FALSE(same("a_unsure.png", ""));
    EXPECT_EQ(manifest(out / "warm").at("temperature"), 1.6);
    EXPECT_EQ(manifest(out / "plain").at("temperature"), 1);
    EXPECT_LT(manifest(out / "plain").at("images").at(0).at("unsure"),
              manifest(out / "warm").at("images").at(0).at("unsure"));
  }
}

// --continue keeps what was done with the same tiles; other tiles are other options.
TEST_F(TileFiles, ContinuesWithTheSameTiles) {
  add("a.png", data::encode_png(picture(50, 60)));
  GlobalEngine engine(Fit::native, 32, 32);
  const fs::path out = folder.path() / "out";
  run(out, {}, engine, 40);
  EXPECT_EQ(manifest(out).at("options").at("tile"), 40);
  EXPECT_EQ(run(out, {}, engine, 40, true).kept, 1);
  EXPECT_THROW(run(out, {}, engine, 48, true), Error);
  EXPECT_THROW(run(out, {}, engine, 0, true), Error);
  run(folder.path() / "plain", {}, engine);
  EXPECT_FALSE(manifest(folder.path() / "plain").at("options").contains("tile"));
}

// What cannot be written ends the run, as for whole images.
TEST_F(TileFiles, AFolderInTheWayEndsTheRun) {
  add("sub/a.png", data::encode_png(picture(50, 60)));
  add("z.png", data::encode_png(picture(50, 60)));
  GlobalEngine engine(Fit::tile, 32, 32);
  const fs::path out = folder.path() / "out";
  fs::create_directories(out);
  write_file(out / "sub", "a file where a folder should be");
  EXPECT_THROW(run(out, {}, engine), Error);
}

}  // namespace
}  // namespace medurwkv::predict
