// The pictures of a validation: after every epoch those of a strip that was drawn for the first
// time.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/model_description.h"
#include "support/images.h"
#include "train/segmentation/strip.h"
#include "train/task/panels.h"

namespace medurwkv::train {
namespace {

/// The first `columns` columns are foreground.
data::LabelMap labels(std::int64_t columns) {
  data::LabelMap out{60, 40, {}};
  for (std::int64_t i = 0; i < out.width * out.height; ++i) {
    out.labels.push_back(static_cast<std::uint8_t>(i % out.width < columns ? 1 : 0));
  }
  return out;
}

TEST(Strip, ShowsTheLastPredictions) {
  const std::vector<ClassInfo> classes{{"background", {0, 0, 0}}, {"lesion", {255, 0, 0}}};
  const auto image = [](std::int64_t row) {
    return test::make_image(60, 40, 3,
                            [&](auto x, auto y, auto c) { return x + y + 50 * c * row; });
  };
  Strip strip;
  EXPECT_TRUE(strip.sheet().bytes.empty());
  std::vector<data::Image> epochs;
  for (const std::int64_t epoch : {0, 1, 2}) {
    Strip fresh;
    for (const std::int64_t row : {0, 1}) {
      const data::LabelMap prediction = labels(10 + 15 * epoch + 5 * row);
      for (Strip* one : {&strip, &fresh}) {
        one->draw(static_cast<std::size_t>(row), image(row), labels(20), prediction, classes);
      }
    }
    epochs.push_back(strip.sheet());
    EXPECT_EQ(epochs.back().bytes, fresh.sheet().bytes) << epoch;
    EXPECT_EQ(epochs.back().width, 3 * panel_side + 2 * panel_gap);
    EXPECT_EQ(epochs.back().height, 2 * panel_side + panel_gap);
  }
  EXPECT_NE(epochs[0].bytes, epochs[1].bytes);
  EXPECT_NE(epochs[1].bytes, epochs[2].bytes);
}

}  // namespace
}  // namespace medurwkv::train
