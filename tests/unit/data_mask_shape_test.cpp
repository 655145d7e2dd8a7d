// Masks drawn by hand as text, their regions counted by eye.
#include "data/image/mask_shape.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/images.h"

namespace medurwkv::data {
namespace {

/// '.' background, '#' class 1, '2' class 2, '-' ignored.
LabelMap drawn(const std::vector<std::string>& rows) {
  return test::make_labels(static_cast<std::int64_t>(rows.front().size()),
                           static_cast<std::int64_t>(rows.size()), [&](auto x, auto y) {
                             const char c =
                                 rows[static_cast<std::size_t>(y)][static_cast<std::size_t>(x)];
                             return c == '#' ? 1 : c == '2' ? 2 : c == '-' ? 255 : 0;
                           });
}

TEST(MaskShape, CountsRegionsAndWhatTheyEnclose) {
  const MaskShape shape = shape_of(drawn({
      "........",  //
      ".###....",  //
      ".#.#..#.",  // one pixel enclosed; a diagonal pair is one region
      ".###...#",  //
      "........",  //
      "#......2",  // classes count as one foreground
      "-.....22",
  }));
  EXPECT_EQ(shape.pixels, 55);
  EXPECT_EQ(shape.foreground, 8 + 2 + 1 + 3);
  EXPECT_EQ(shape.enclosed, 1);
  EXPECT_EQ(shape.regions, 4);
  EXPECT_EQ(shape.largest_region, 8);
  EXPECT_EQ(shape.specks, 0) << "small ones, but near others";
  EXPECT_EQ(shape.border, 2 * 8 + 2 * 5 - 1);
  EXPECT_EQ(shape.border_foreground, 5);
}

TEST(MaskShape, AClosedDiagonalLineEncloses) {
  const MaskShape closed = shape_of(drawn({
      ".......",  //
      "...#...",  //
      "..#.#..",  //
      ".#...#.",  //
      "..#.#..",  //
      "...#...",  //
      ".......",
  }));
  EXPECT_EQ(closed.regions, 1);
  EXPECT_EQ(closed.enclosed, 5);
  const MaskShape open = shape_of(drawn({
      "...#...",  //
      "..#.#..",  //
      ".#...#.",  //
      "..#....",  //
      "...#...",
  }));
  EXPECT_EQ(open.enclosed, 0);
}

TEST(MaskShape, RegionsJoinFromBelow) {
  const MaskShape comb = shape_of(drawn({
      "#.#.#",  //
      "#.#.#",  //
      "#####",
  }));
  EXPECT_EQ(comb.regions, 1);
  EXPECT_EQ(comb.enclosed, 0);
  EXPECT_EQ(comb.largest_region, 11);
  const MaskShape background = shape_of(drawn({
      "#####",  //
      "#.#.#",  //
      "#...#",  //
      "#####",
  }));
  EXPECT_EQ(background.enclosed, 5);
}

TEST(MaskShape, TellsWhatIsWrong) {
  const auto disc = [](bool inside, bool outside, bool line = false) {
    return shape_of(test::make_labels(40, 40, [=](auto x, auto y) {
      const auto away = (x - 20) * (x - 20) + (y - 20) * (y - 20);
      if (line) return away < 144 && away >= 100 ? 1 : 0;
      return (away < 144 ? inside : outside) ? 1 : 0;
    }));
  };
  const MaskShape good = disc(true, false);
  EXPECT_FALSE(is_full(good) || is_inverted(good) || is_outline(good) || has_specks(good));
  EXPECT_TRUE(is_full(disc(true, true)));
  EXPECT_FALSE(is_inverted(disc(true, true)));
  EXPECT_TRUE(is_inverted(disc(false, true)));
  EXPECT_FALSE(is_outline(disc(false, true)));
  EXPECT_FALSE(is_outline(disc(false, false, true))) << "a ring as thick as a heart's wall";
  const MaskShape thin = shape_of(test::make_labels(40, 40, [](auto x, auto y) {
    return x >= 5 && x <= 34 && y >= 5 && y <= 34 && (x == 5 || x == 34 || y == 5 || y == 34);
  }));
  EXPECT_TRUE(is_outline(thin));
  LabelMap dotted = test::make_labels(40, 40, [](auto x, auto y) {
    return (x - 20) * (x - 20) + (y - 20) * (y - 20) < 144 ? 1 : 0;
  });
  dotted.labels[0] = 1;
  EXPECT_TRUE(has_specks(shape_of(dotted)));
  dotted.labels[1] = dotted.labels[41] = 1;
  EXPECT_TRUE(has_specks(shape_of(dotted))) << "three pixels";
  dotted.labels[2] = 1;
  EXPECT_FALSE(has_specks(shape_of(dotted))) << "four pixels";
  LabelMap ragged = test::make_labels(40, 40, [](auto x, auto y) {
    return (x - 20) * (x - 20) + (y - 20) * (y - 20) < 144 || (x == 20 && y == 4) ? 1 : 0;
  });
  EXPECT_FALSE(has_specks(shape_of(ragged))) << "five pixels from the disc";
  const MaskShape nothing = disc(false, false);
  EXPECT_FALSE(is_full(nothing) || is_inverted(nothing) || is_outline(nothing) ||
               has_specks(nothing));
}

}  // namespace
}  // namespace medurwkv::data
