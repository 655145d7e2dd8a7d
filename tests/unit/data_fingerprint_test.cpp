// Near duplicates: laws of the fingerprint, what it recognises and what it does not confuse.
#include "data/image/fingerprint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "support/images.h"
#include "support/listener.h"

namespace medurwkv::data {
namespace {

Image blobs(std::uint64_t seed, std::int64_t width = 96, std::int64_t height = 80,
            std::int64_t channels = 3) {
  return test::make_blobs(seed, width, height, channels);
}

/// The same picture with (x, y) taken from elsewhere.
template <class Where>
Image moved(const Image& image, std::int64_t width, std::int64_t height, const Where& where) {
  return test::make_image(width, height, image.channels, [&](auto x, auto y, auto c) {
    const auto [from_x, from_y] = where(x, y);
    return image
        .bytes[static_cast<std::size_t>((from_y * image.width + from_x) * image.channels + c)];
  });
}

bool alike(const Image& a, const Image& b) {
  const std::vector<Fingerprint> both{fingerprint_of(a), fingerprint_of(b)};
  return !find_alike(both, silence()).empty();
}

// Block means by hand: an image of 64 x 96 in blocks of 2 x 3.
TEST(Fingerprint, TonesAreBlockMeansOfMeanZeroAndNormOne) {
  const Image image = blobs(3, 64, 96, 1);
  const Fingerprint print = fingerprint_of(image);
  double sum = 0;
  double squares = 0;
  for (const float tone : print.tones) {
    sum += tone;
    squares += tone * tone;
  }
  EXPECT_NEAR(sum, 0, 1e-4);
  EXPECT_NEAR(squares, 1, 1e-4);
  const auto mean = [&](std::int64_t bx, std::int64_t by) {
    double total = 0;
    for (std::int64_t y = 3 * by; y < 3 * by + 3; ++y) {
      for (std::int64_t x = 2 * bx; x < 2 * bx + 2; ++x) {
        total += image.bytes[static_cast<std::size_t>(y * 64 + x)];
      }
    }
    return total / 6;
  };
  // Differences of tones are those of means, in one unit.
  const auto tone = [&](std::size_t bx, std::size_t by) { return print.tones[by * 32 + bx]; };
  const double unit = (mean(20, 5) - mean(0, 0)) / (tone(20, 5) - tone(0, 0));
  ASSERT_GT(std::abs(mean(20, 5) - mean(0, 0)), 1);
  EXPECT_NEAR(mean(7, 30) - mean(31, 31), unit * (tone(7, 30) - tone(31, 31)), 0.01);
}

// Hashes are never further apart than the tones are, so the hash alone may rule a pair out.
TEST(Fingerprint, HashesAreNoFurtherApartThanTones) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Fingerprint a = fingerprint_of(blobs(seed));
    const Fingerprint b = fingerprint_of(blobs(seed % 2 == 0 ? seed + 1 : seed, 90 + 2, 80));
    double apart = 0;
    for (std::size_t i = 0; i < a.hash.size(); ++i) {
      apart += static_cast<double>((a.hash[i] - b.hash[i]) * (a.hash[i] - b.hash[i]));
    }
    EXPECT_LE(apart, 2 - 2 * likeness_of(a, b).tones + 1e-4) << seed;
  }
}

TEST(Fingerprint, KnowsAnImageInEveryPosition) {
  const Image image = blobs(1, 96, 96);
  const Fingerprint print = fingerprint_of(image);
  const std::int64_t last = 95;
  const std::vector<Image> positions{
      moved(image, 96, 96, [&](auto x, auto y) { return std::pair(last - x, y); }),
      moved(image, 96, 96, [&](auto x, auto y) { return std::pair(x, last - y); }),
      moved(image, 96, 96, [&](auto x, auto y) { return std::pair(y, x); }),
      moved(image, 96, 96, [&](auto x, auto y) { return std::pair(last - y, last - x); }),
      moved(image, 96, 96, [&](auto x, auto y) { return std::pair(y, last - x); }),
      moved(image, 96, 96, [&](auto x, auto y) { return std::pair(last - y, x); }),
      moved(image, 96, 96, [&](auto x, auto y) { return std::pair(last - x, last - y); })};
  for (const Image& other : positions) {
    const Likeness likeness = likeness_of(print, fingerprint_of(other));
    EXPECT_NEAR(likeness.tones, 1, 1e-4);
    EXPECT_NEAR(likeness.edges, 1, 1e-4);
    EXPECT_FALSE(likeness.upright);
  }
  EXPECT_TRUE(likeness_of(print, print).upright);
}

TEST(Fingerprint, KnowsAChangedCopy) {
  const Image image = blobs(2, 200, 160);
  const auto recoloured = [&](const auto& change) {
    Image out = image;
    for (unsigned char& byte : out.bytes) {
      byte = static_cast<unsigned char>(std::clamp(change(static_cast<double>(byte)), 0.0, 255.0));
    }
    return out;
  };
  EXPECT_TRUE(alike(image, image));
  EXPECT_TRUE(alike(image, recoloured([](double v) { return 0.7 * v + 30; }))) << "contrast";
  EXPECT_TRUE(alike(image, recoloured([](double v) { return 255 * std::pow(v / 255, 0.8); })));
  EXPECT_TRUE(
      alike(image, moved(image, 100, 80, [](auto x, auto y) { return std::pair(2 * x, 2 * y); })))
      << "half the size";
  EXPECT_TRUE(
      alike(image, moved(image, 256, 256,
                         [](auto x, auto y) { return std::pair(x * 200 / 256, y * 160 / 256); })))
      << "squeezed";
  EXPECT_TRUE(
      alike(image, moved(image, 198, 158, [](auto x, auto y) { return std::pair(x + 1, y + 1); })))
      << "a border of one pixel cut off";
  const Image gray = test::make_image(200, 160, 1, [&](auto x, auto y, auto) {
    return image.bytes[static_cast<std::size_t>(3 * (y * 200 + x) + 1)];
  });
  EXPECT_TRUE(alike(image, gray)) << "colour lost";
}

TEST(Fingerprint, DoesNotConfuseOthers) {
  std::vector<Fingerprint> prints;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    prints.push_back(fingerprint_of(blobs(seed, 40, 40, 1)));
  }
  EXPECT_TRUE(find_alike(prints, silence()).empty());
}

TEST(Fingerprint, OneToneIsLikeNothing) {
  const auto flat = [](int tone) {
    return fingerprint_of(test::make_image(9, 7, 1, [&](auto, auto, auto) { return tone; }));
  };
  const std::vector<Fingerprint> prints{flat(0), flat(0), flat(130)};
  for (const Fingerprint& print : prints) EXPECT_TRUE(print.blank);
  EXPECT_TRUE(find_alike(prints, silence()).empty());
}

TEST(Fingerprint, TakesAnySizeAndType) {
  for (const auto& [width, height] : {std::pair(1, 1), {1, 300}, {3, 2}, {31, 33}, {257, 5}}) {
    const Fingerprint print = fingerprint_of(blobs(4, width, height));
    for (const float tone : print.tones) EXPECT_TRUE(std::isfinite(tone)) << width;
  }
  Image wide = blobs(5, 64, 64, 1);
  Image same{.width = 64, .height = 64, .channels = 1, .type = SampleType::u16, .bytes = {}};
  for (const unsigned char byte : wide.bytes) same.bytes.insert(same.bytes.end(), 2, byte);
  EXPECT_TRUE(alike(wide, same)) << "v * 257 of 65535 is v of 255";
}

// Every pair is found on any number of lists and in the order promised.
TEST(Fingerprint, FindsAllPairs) {
  const Fingerprint a = fingerprint_of(blobs(10));
  const Fingerprint b = fingerprint_of(blobs(11));
  const auto pairs = [](const std::vector<Alike>& found) {
    std::vector<std::pair<std::size_t, std::size_t>> out;
    for (const Alike& one : found) out.emplace_back(one.a, one.b);
    return out;
  };
  using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;
  const std::vector<Fingerprint> list{a, b, a, b, a};
  EXPECT_EQ(pairs(find_alike(list, silence())), (Pairs{{0, 2}, {1, 3}, {0, 4}, {2, 4}}));
  const std::vector<Fingerprint> other{b, a};
  EXPECT_EQ(pairs(find_alike(list, other, silence())),
            (Pairs{{1, 0}, {3, 0}, {0, 1}, {2, 1}, {4, 1}}));
  test::KeepingListener stopping(2);
  EXPECT_THROW(find_alike(list, stopping), Stopped);
}

}  // namespace
}  // namespace medurwkv::data
