// Every definition of a surface distance against SciPy's distance transform and erosion, on 200
// pairs of made-up masks and on masks of the real sets (expected values:
// scripts/make-golden-distances).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/random.h"
#include "core/text.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"
#include "judge/metrics.h"
#include "judge/profiles.h"
#include "judge/surface.h"
#include "support/paths.h"

namespace medurwkv::judge {
namespace {

namespace fs = std::filesystem;

using Row = std::map<std::string, std::string>;

std::vector<Row> read_rows(const char* name) {
  const std::string text = read_file(test::source_folder() / "tests/unit/data" / name);
  std::vector<std::string> names;
  std::vector<Row> out;
  for (const std::string& line : split(trim(text), '\n')) {
    const std::vector<std::string> cells = split(line, ',');
    if (names.empty()) {
      names = cells;
      continue;
    }
    Row row;
    for (std::size_t i = 0; i < names.size(); ++i) row[names[i]] = cells.at(i);
    out.push_back(row);
  }
  return out;
}

// As scripts/make-golden-distances makes them.
data::LabelMap made_up(std::uint64_t pair, std::uint64_t which, std::int64_t width,
                       std::int64_t height) {
  const Random random({pair, which, 77});
  const auto below = [&](std::uint64_t index, std::int64_t bound) {
    return static_cast<std::int64_t>(random.below(index, static_cast<std::uint64_t>(bound)));
  };
  data::LabelMap out{width, height, {}};
  out.labels.assign(static_cast<std::size_t>(width * height), 0);
  for (std::int64_t e = 0; e <= below(0, 3); ++e) {
    const auto at = static_cast<std::uint64_t>(10 + 8 * e);
    const std::int64_t cx = below(at, width);
    const std::int64_t cy = below(at + 1, height);
    const std::int64_t a = 1 + below(at + 2, std::max<std::int64_t>(1, width / 3));
    const std::int64_t b = 1 + below(at + 3, std::max<std::int64_t>(1, height / 3));
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        const std::int64_t across = (x - cx) * b;
        const std::int64_t down = (y - cy) * a;
        if (across * across + down * down <= a * b * a * b) {
          out.labels[static_cast<std::size_t>(y * width + x)] = 1;
        }
      }
    }
  }
  for (std::int64_t k = 0; k < below(1, 12); ++k) {
    const auto at = static_cast<std::uint64_t>(100 + 3 * k);
    const std::int64_t y = below(at, height);
    const std::int64_t x = below(at + 1, width);
    out.labels[static_cast<std::size_t>(y * width + x)] = below(at + 2, 2) == 1 ? 1 : 0;
  }
  return out;
}

std::optional<double> only_value(const char* profile, const char* metric,
                                 const data::LabelMap& truth, const data::LabelMap& prediction,
                                 const Lengths& lengths) {
  const std::vector<data::Case> cases(1);
  ProfileJudge judge(profile, cases, 2);
  judge.add(cases.front(), truth, prediction, lengths);
  return judge.finish().mean(metric);
}

void expect_row(const Row& row, const data::LabelMap& truth, const data::LabelMap& prediction) {
  const Lengths lengths{{std::stod(row.at("spacing_x")), std::stod(row.at("spacing_y"))}, {}};
  const ClassScores own = score_case("c", truth, prediction, 2, lengths).classes.front();
  const auto expect = [&](const char* column, std::optional<double> value) {
    ASSERT_TRUE(value) << column;
    EXPECT_NEAR(*value, std::stod(row.at(column)), 1e-9) << column;
  };
  const auto profile = [&](const char* name, const char* metric) {
    return only_value(name, metric, truth, prediction, lengths);
  };
  expect("hd95", own.hd95);
  expect("assd", own.assd);
  expect("nsd", own.nsd);
  expect("boundary_iou", own.boundary_iou);
  expect("hd95", profile("monai", "hd95"));
  expect("asd_from_prediction", profile("monai", "asd"));
  expect("nsd", profile("monai", "nsd"));
  expect("hd95_pooled", profile("medpy", "hd95"));
  expect("assd", profile("medpy", "assd"));
  expect("hd95_contour", profile("deepmind", "hd95"));
  expect("nsd_contour", profile("deepmind", "nsd"));
  expect("asd_contour_from_truth", profile("deepmind", "asd_from_truth"));
  if (lengths.spacing == Spacing{}) {
    expect("hd95_pooled", profile("transunet", "hd95"));
  }
}

TEST(Distances, AgreeWithSciPyOnMadeUpMasks) {
  const std::vector<Row> rows = read_rows("distances.csv");
  ASSERT_EQ(rows.size(), 200U);
  for (const Row& row : rows) {
    SCOPED_TRACE("pair " + row.at("pair"));
    const std::uint64_t pair = std::stoull(row.at("pair"));
    const std::int64_t width = std::stoll(row.at("width"));
    const std::int64_t height = std::stoll(row.at("height"));
    expect_row(row, made_up(pair, 0, width, height), made_up(pair, 1, width, height));
  }
}

// A mask of a published set and itself, moved 5 columns to the right and 3 rows up.
TEST(Distances, AgreeWithSciPyOnRealMasks) {
  const fs::path data = test::shared_folder() / "data";
  if (!fs::is_directory(data)) GTEST_SKIP() << "no real data in " << data;
  const std::vector<Row> rows = read_rows("distances_real.csv");
  ASSERT_GT(rows.size(), 100U);
  for (const Row& row : rows) {
    SCOPED_TRACE(row.at("file") + " " + row.at("label"));
    const data::MaskPixels mask = data::read_mask({.file = data / row.at("file")});
    const int label = std::stoi(row.at("label"));
    data::LabelMap truth{mask.width, mask.height, {}};
    const auto& values = mask.indices.empty() || label == 255 ? mask.values : mask.indices;
    for (const int value : values) truth.labels.push_back(value == label ? 1 : 0);
    data::LabelMap moved = truth;
    for (std::int64_t y = 0; y < mask.height; ++y) {
      for (std::int64_t x = 0; x < mask.width; ++x) {
        const bool known = x >= 5 && y + 3 < mask.height;
        moved.labels[static_cast<std::size_t>(y * mask.width + x)] =
            known ? truth.labels[static_cast<std::size_t>((y + 3) * mask.width + x - 5)] : 0;
      }
    }
    expect_row(row, truth, moved);
  }
}

}  // namespace
}  // namespace medurwkv::judge
