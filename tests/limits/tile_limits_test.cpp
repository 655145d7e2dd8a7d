// Memory of predicting large images by tiles: the peak of the process against the formula of
// predict/tile_run.h, from a file to a file. Each test is a process of its own, without sanitizers.
// The images of 16384 x 16384 run where MEDURWKV_LIMITS is set (make test-long).
#include "predict/tile_run.h"

#include <gtest/gtest.h>

#include <tiffio.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "core/memory.h"
#include "core/output.h"
#include "data/codecs/image_rows.h"
#include "data/codecs/png_writer.h"
#include "data/codecs/read.h"
#include "predict/outputs.h"
#include "predict/runner.h"
#include "support/paths.h"

namespace medurwkv::predict {
namespace {

namespace fs = std::filesystem;

/// Bright pixels are class 1. Takes no memory of its own, so that what is measured is the run's.
class BrightEngine : public Engine {
 public:
  explicit BrightEngine(std::int64_t side) {
    description_.input = {Fit::tile, side, side, 3, {0, 0, 0}, {1, 1, 1}};
    description_.classes = {{"background", {}}, {"bright", {255, 0, 0}}};
    description_.file = "bright.model";
    description_.content_sha256 = std::string(64, '1');
  }
  [[nodiscard]] const ModelDescription& description() const override { return description_; }
  [[nodiscard]] std::int64_t memory(const BatchShape& /*shape*/) const override { return 0; }
  void run(const BatchShape& shape, std::span<const float> input,
           std::span<float> logits) override {
    const auto pixels = static_cast<std::size_t>(shape.pixels());
    std::fill_n(logits.begin(), pixels, 0.0F);
    for (std::size_t i = 0; i < pixels; ++i) logits[pixels + i] = 40 * (input[i] - 0.5F);
  }

 private:
  ModelDescription description_;
};

/// Squares of 100 pixels, bright and dark by turns, with a pattern that does not pack away.
unsigned char sample_at(std::int64_t x, std::int64_t y) {
  const int dark = (x / 100 + y / 100) % 2 == 0 ? 0 : 160;
  return static_cast<unsigned char>(dark + static_cast<int>((x * 37 + y * 101 + x * y / 7) % 64));
}

std::vector<unsigned char> row_at(std::int64_t y, std::int64_t width) {
  std::vector<unsigned char> out;
  for (std::int64_t x = 0; x < width; ++x) out.insert(out.end(), 3, sample_at(x, y));
  return out;
}

void write_png(const fs::path& file, data::ImageSize size) {
  PendingFile bytes(file);
  data::PngWriter png({.size = size, .channels = 3, .packing = data::Packing::fast},
                      [&](std::string_view piece) { bytes.append(piece); });
  for (std::int64_t y = 0; y < size.height; ++y) png.row(row_at(y, size.width));
  bytes.keep();
}

/// `tile` 0: strips of 16 rows.
void write_tiff(const fs::path& file, data::ImageSize size, std::uint32_t tile) {
  const std::unique_ptr<TIFF, void (*)(TIFF*)> tiff(TIFFOpen(file.c_str(), "w8"), &TIFFClose);
  ASSERT_NE(tiff, nullptr);
  TIFFSetField(tiff.get(), TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(size.width));
  TIFFSetField(tiff.get(), TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(size.height));
  TIFFSetField(tiff.get(), TIFFTAG_BITSPERSAMPLE, 8);
  TIFFSetField(tiff.get(), TIFFTAG_SAMPLESPERPIXEL, 3);
  TIFFSetField(tiff.get(), TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_RGB);
  TIFFSetField(tiff.get(), TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  TIFFSetField(tiff.get(), TIFFTAG_COMPRESSION, tile > 0 ? COMPRESSION_LZW : COMPRESSION_NONE);
  if (tile == 0) {
    TIFFSetField(tiff.get(), TIFFTAG_ROWSPERSTRIP, 16);
    for (std::int64_t y = 0; y < size.height; ++y) {
      std::vector<unsigned char> row = row_at(y, size.width);
      TIFFWriteScanline(tiff.get(), row.data(), static_cast<std::uint32_t>(y), 0);
    }
    return;
  }
  TIFFSetField(tiff.get(), TIFFTAG_TILEWIDTH, tile);
  TIFFSetField(tiff.get(), TIFFTAG_TILELENGTH, tile);
  std::vector<unsigned char> bytes(std::size_t{3} * tile * tile);
  for (std::uint32_t top = 0; top < size.height; top += tile) {
    for (std::uint32_t left = 0; left < size.width; left += tile) {
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = sample_at(left + static_cast<std::int64_t>(i / 3 % tile),
                             top + static_cast<std::int64_t>(i / 3 / tile));
      }
      TIFFWriteTile(tiff.get(), bytes.data(), left, top, 0, 0);
    }
  }
}

/// Predicts the file and holds the growth of the process's memory against the formula.
void expect_formula(const fs::path& folder, const fs::path& image, data::ImageSize size,
                    std::int64_t tile) {
  BrightEngine engine(tile);
  const RunOptions options{.out = folder / "out", .outputs = {.unsure = true}};
  const std::int64_t formula =
      tiles_memory(engine, {tile, tile}, *data::open_rows(data::ImageSource{image}));
  const std::int64_t before = peak_memory();
  const Plan plan = plan_outputs({image}, options.out, options.outputs);
  const RunResult result = run_jobs(engine, plan.jobs, options, silence());
  const std::int64_t took = peak_memory() - before;
  EXPECT_EQ(result.done, 1);
  std::cout << image.filename().string() << " of " << size.width << " x " << size.height
            << ", tiles of " << tile << ": formula " << formula / 1'000'000 << " MB, took "
            << took / 1'000'000 << " MB, process " << peak_memory() / 1'000'000 << " MB\n";
  // Libraries' code and tables, the writers' buffers.
  constexpr std::int64_t program = 6'000'000;
  EXPECT_LE(took, formula + program);
  EXPECT_GE(took, formula / 2) << "the formula says far too much";
  // The image, probabilities of two classes, a plane that is compared, and labels.
  EXPECT_LE(formula, size.width * size.height * (3 + 8 + 4 + 1) / 2) << "half of the whole";
  EXPECT_LE(peak_memory(), std::int64_t{2} << 30);

  // The mask is the image's squares.
  const auto mask = data::open_rows(data::ImageSource{folder / "out" / "image.png"});
  ASSERT_EQ(mask->form().size(), size);
  for (std::int64_t y = 0; y < size.height; y += rows_at_once) {
    const data::Image rows = mask->next(rows_at_once);
    for (std::int64_t x = 0; x < size.width; x += 7) {
      const bool bright = sample_at(x, y) >= 128;
      ASSERT_EQ(rows.bytes[static_cast<std::size_t>(3 * x)], bright ? 255 : 0) << x << " " << y;
    }
  }
}

bool is_long() {
  return std::getenv("MEDURWKV_LIMITS") != nullptr;
}

constexpr data::ImageSize wide{8192, 512};
constexpr data::ImageSize huge{16384, 16384};

TEST(TileLimits, APngByRows) {
  const test::TemporaryFolder folder;
  write_png(folder.path() / "image.png", wide);
  expect_formula(folder.path(), folder.path() / "image.png", wide, 128);
}

TEST(TileLimits, ATiffByTiles) {
  const test::TemporaryFolder folder;
  write_tiff(folder.path() / "image.tif", wide, 128);
  expect_formula(folder.path(), folder.path() / "image.tif", wide, 128);
}

TEST(TileLimits, ATiffByStrips) {
  const test::TemporaryFolder folder;
  write_tiff(folder.path() / "image.tif", wide, 0);
  expect_formula(folder.path(), folder.path() / "image.tif", wide, 128);
}

TEST(TileLimits, TheLargestPng) {
  if (!is_long()) GTEST_SKIP() << "MEDURWKV_LIMITS is not set";
  const test::TemporaryFolder folder;
  write_png(folder.path() / "image.png", huge);
  expect_formula(folder.path(), folder.path() / "image.png", huge, 512);
}

TEST(TileLimits, TheLargestTiff) {
  if (!is_long()) GTEST_SKIP() << "MEDURWKV_LIMITS is not set";
  const test::TemporaryFolder folder;
  write_tiff(folder.path() / "image.tif", huge, 512);
  expect_formula(folder.path(), folder.path() / "image.tif", huge, 512);
}

}  // namespace
}  // namespace medurwkv::predict
