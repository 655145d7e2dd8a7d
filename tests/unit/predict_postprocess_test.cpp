// Corrections of label maps against scipy.ndimage, by hand and by their laws; outlines filled again
// give the map they were made of.
#include "predict/postprocess.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "core/files.h"
#include "predict/contours.h"
#include "support/paths.h"

namespace medurwkv::predict {
namespace {

data::LabelMap map_of(const std::string& digits, std::int64_t width) {
  data::LabelMap out{width, std::ssize(digits) / width, {}};
  for (const char digit : digits) out.labels.push_back(static_cast<std::uint8_t>(digit - '0'));
  return out;
}
std::string digits_of(const data::LabelMap& map) {
  std::string out;
  for (const std::uint8_t label : map.labels) out += static_cast<char>('0' + label);
  return out;
}
std::string corrected(const std::string& digits, std::int64_t width, const PostOptions& options) {
  data::LabelMap map = map_of(digits, width);
  correct(map, options);
  return digits_of(map);
}

/// A mask and what scipy.ndimage makes of it (scripts/make-golden-postprocess).
struct Golden {
  std::int64_t width = 0;
  std::string mask, filled, largest, without_small, all_three;
};

std::vector<Golden> goldens() {
  std::istringstream lines(read_file(test::source_folder() / "tests/unit/data/postprocess.txt"));
  std::vector<std::string> maps(1);
  std::int64_t width = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) {
      maps.emplace_back();
    } else {
      width = std::ssize(line);
      maps.back() += line;
    }
  }
  std::vector<Golden> out;
  for (std::size_t i = 0; i + 5 <= maps.size(); i += 5) {
    out.push_back({width, maps[i], maps[i + 1], maps[i + 2], maps[i + 3], maps[i + 4]});
  }
  return out;
}

TEST(Postprocess, IsWhatScipyMakes) {
  ASSERT_EQ(goldens().size(), 8U);
  for (const Golden& golden : goldens()) {
    const auto made = [&](const PostOptions& options) {
      return corrected(golden.mask, golden.width, options);
    };
    EXPECT_EQ(made({.threshold = {}}), golden.mask) << "nothing unless asked for";
    EXPECT_EQ(made({.threshold = {}, .fill_holes = true}), golden.filled);
    EXPECT_EQ(made({.threshold = {}, .largest = true}), golden.largest);
    EXPECT_EQ(made({.threshold = {}, .min_area = 5}), golden.without_small);
    EXPECT_EQ(made({.threshold = {}, .fill_holes = true, .largest = true, .min_area = 5}),
              golden.all_three);
  }
}

// A hole between two classes, one at the edge and one that is open at a corner only: the corner
// closes it, as objects are 4-connected and so is what flows.
TEST(Postprocess, HolesByHand) {
  EXPECT_EQ(corrected("111"
                      "102"
                      "111",
                      3, {.threshold = {}, .fill_holes = true}),
            "111"
            "102"
            "111");
  EXPECT_EQ(corrected("11110"
                      "10010"
                      "11101"
                      "00010",
                      5, {.threshold = {}, .fill_holes = true}),
            "11110"
            "11110"
            "11111"
            "00010");
  EXPECT_EQ(corrected("101"
                      "111",
                      3, {.threshold = {}, .fill_holes = true}),
            "101"
            "111");
}

TEST(Postprocess, OfEqualsTheFirstInReadingOrderStays) {
  EXPECT_EQ(corrected("0110022011", 10, {.threshold = {}, .largest = true}), "0110022000");
}

// Two classes of foreground at 0.3: the likelier of them, even where the background is likeliest.
TEST(Postprocess, AThresholdChoosesAmongTheForeground) {
  const std::vector<float> probabilities{0.6F, 0.65F, 0.1F, 0.4F,   // background
                                         0.3F, 0.20F, 0.5F, 0.3F,   // class 1
                                         0.1F, 0.15F, 0.4F, 0.3F};  // class 2
  EXPECT_EQ(digits_of(labels_at(probabilities, 3, {4, 1}, 0.3F)), "1011");
  EXPECT_EQ(digits_of(labels_at(probabilities, 3, {2, 2}, 0.5)), "0010");
}

TEST(Contours, OfAPixelAndOfARing) {
  const auto of = [](const std::string& digits, std::int64_t width) {
    return contours_of(map_of(digits, width));
  };
  const std::vector<Polygon> pixel = of("000020", 3);
  ASSERT_EQ(pixel.size(), 1U);
  EXPECT_EQ(pixel[0].label, 2);
  EXPECT_EQ(pixel[0].area, 1);
  EXPECT_EQ(pixel[0].outer, (Ring{{2, 1}, {2, 2}, {1, 2}, {1, 1}}));
  const std::vector<Polygon> ring = of("111101111", 3);
  ASSERT_EQ(ring.size(), 1U);
  EXPECT_EQ(ring[0].area, 8);
  EXPECT_EQ(ring[0].outer, (Ring{{3, 0}, {3, 3}, {0, 3}, {0, 0}}));
  EXPECT_EQ(ring[0].holes, (std::vector<Ring>{{{2, 2}, {2, 1}, {1, 1}, {1, 2}}}));
  // Two pixels that share a corner are two objects.
  EXPECT_EQ(of("1001", 2).size(), 2U);
  EXPECT_TRUE(of("0000", 2).empty());
}

/// Twice the signed area by the shoelace formula; positive when clockwise as seen.
std::int64_t doubled_area(const Ring& ring) {
  std::int64_t out = 0;
  for (std::size_t i = 0; i < ring.size(); ++i) {
    const Corner& a = ring[i];
    const Corner& b = ring[(i + 1) % ring.size()];
    out += a[0] * b[1] - b[0] * a[1];
  }
  return out;
}

/// Even-odd: a pixel's centre is inside when a ray to the left crosses an odd number of edges.
void fill(const std::vector<Ring>& rings, std::uint8_t label, data::LabelMap& map) {
  for (std::int64_t y = 0; y < map.height; ++y) {
    for (std::int64_t x = 0; x < map.width; ++x) {
      int crossed = 0;
      for (const Ring& ring : rings) {
        for (std::size_t i = 0; i < ring.size(); ++i) {
          const Corner& a = ring[i];
          const Corner& b = ring[(i + 1) % ring.size()];
          const bool spans = std::min(a[1], b[1]) <= y && y < std::max(a[1], b[1]);
          if (spans && a[0] <= x) ++crossed;
        }
      }
      if (crossed % 2 == 1) map.labels[static_cast<std::size_t>(y * map.width + x)] = label;
    }
  }
}

void expect_round_trip(const data::LabelMap& map) {
  data::LabelMap filled{map.width, map.height, std::vector<std::uint8_t>(map.labels.size(), 0)};
  std::int64_t area = 0;
  for (const Polygon& one : contours_of(map)) {
    std::vector<Ring> rings{one.outer};
    rings.insert(rings.end(), one.holes.begin(), one.holes.end());
    fill(rings, one.label, filled);
    area += one.area;
    std::int64_t enclosed = doubled_area(one.outer);
    EXPECT_GT(enclosed, 0) << "the outside is clockwise";
    for (const Ring& hole : one.holes) {
      EXPECT_LT(doubled_area(hole), 0) << "a hole is counter-clockwise";
      enclosed += doubled_area(hole);
    }
    EXPECT_EQ(enclosed, 2 * one.area);
    for (const Ring& ring : rings) {
      for (std::size_t i = 0; i < ring.size(); ++i) {
        const Corner& a = ring[i];
        const Corner& b = ring[(i + 1) % ring.size()];
        const Corner& c = ring[(i + 2) % ring.size()];
        ASSERT_TRUE((a[0] == b[0]) != (a[1] == b[1]) && (a[0] == b[0]) != (b[0] == c[0]))
            << "edges turn at every corner";
      }
    }
  }
  EXPECT_EQ(filled, map);
  EXPECT_EQ(area, std::count_if(map.labels.begin(), map.labels.end(),
                                [](std::uint8_t label) { return label != 0; }));
}

TEST(Contours, FillBackToTheMap) {
  for (const Golden& golden : goldens()) {
    expect_round_trip(map_of(golden.mask, golden.width));
    expect_round_trip(map_of(golden.all_three, golden.width));
  }
  // Noise: every way that pixels can touch.
  std::mt19937 random(5);
  for (int round = 0; round < 60; ++round) {
    const auto width = static_cast<std::int64_t>(1 + random() % 13);
    const auto height = static_cast<std::int64_t>(1 + random() % 13);
    const auto classes = static_cast<unsigned>(2 + random() % 3);
    data::LabelMap map{width, height, {}};
    for (std::int64_t i = 0; i < width * height; ++i) {
      map.labels.push_back(static_cast<std::uint8_t>(random() % classes));
    }
    expect_round_trip(map);
  }
}

TEST(Contours, AsJson) {
  const auto json = nlohmann::json::parse(
      contours_json(map_of("0110", 4), {{"background", {}}, {"les\"ion", {255, 0, 0}}}));
  EXPECT_EQ(json, nlohmann::json::parse(R"({"format": "medurwkv-contours", "format_version": 1,
      "width": 4, "height": 1, "polygons": [{"class": 1, "name": "les\"ion", "area": 2,
      "outer": [[3, 0], [3, 1], [1, 1], [1, 0]], "holes": []}]})"));
}

}  // namespace
}  // namespace medurwkv::predict
