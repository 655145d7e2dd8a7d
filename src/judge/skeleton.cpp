#include "judge/skeleton.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace medurwkv::judge {
namespace {

/// By the eight neighbours, one bit each (right 1, then against the clock), whether the pixel is
/// deleted.
using Deleted = std::array<bool, 256>;

/// The conditions of the paper's algorithm A2; those of the second pass are those of the first,
/// turned by half a circle.
Deleted deleted_in(bool second) {
  Deleted out{};
  for (unsigned pattern = 0; pattern < 256; ++pattern) {
    // 1 to 8 as in the paper, and beyond: a circle.
    const auto x = [&](unsigned k) { return (pattern >> ((k - 1) % 8) & 1U) != 0; };
    int parts = 0;
    int pairs = 0;
    int pairs_between = 0;
    for (unsigned k = 1; k <= 4; ++k) {
      parts += !x(2 * k - 1) && (x(2 * k) || x(2 * k + 1)) ? 1 : 0;
      pairs += x(2 * k - 1) || x(2 * k) ? 1 : 0;
      pairs_between += x(2 * k) || x(2 * k + 1) ? 1 : 0;
    }
    const int filled = std::min(pairs, pairs_between);
    const unsigned turn = second ? 4 : 0;
    const bool on_this_side = !((x(2 + turn) || x(3 + turn) || !x(8 + turn)) && x(1 + turn));
    out.at(pattern) = parts == 1 && filled >= 2 && filled <= 3 && on_this_side;
  }
  return out;
}

/// The mask with a frame of outside pixels.
struct Framed {
  std::size_t stride;
  std::vector<std::uint8_t> inside;

  explicit Framed(const Mask& mask)
      : stride(mask.width + 2), inside(stride * (mask.height + 2), 0) {
    for (std::size_t y = 0; y < mask.height; ++y) {
      std::copy_n(mask.inside.data() + y * mask.width, mask.width,
                  inside.data() + (y + 1) * stride + 1);
    }
  }
  [[nodiscard]] unsigned pattern(std::size_t i) const {
    const std::uint8_t* const at = inside.data() + i;
    const std::uint8_t* const above = at - stride;
    const std::uint8_t* const below = at + stride;
    return at[1] + 2U * above[1] + 4U * above[0] + 8U * above[-1] + 16U * at[-1] + 32U * below[-1] +
           64U * below[0] + 128U * below[1];
  }
};

std::int64_t count_both(const Mask& a, const Mask& b) {
  std::int64_t out = 0;
  for (std::size_t i = 0; i < a.inside.size(); ++i) out += a.inside[i] & b.inside[i];
  return out;
}

}  // namespace

Mask skeleton(const Mask& mask) {
  static const std::array<Deleted, 2> passes{deleted_in(false), deleted_in(true)};
  Framed framed(mask);
  std::vector<std::size_t> left;
  for (std::size_t i = 0; i < framed.inside.size(); ++i) {
    if (framed.inside[i] != 0) left.push_back(i);
  }
  std::vector<std::size_t> gone;
  for (bool changes = true; changes;) {
    changes = false;
    for (const Deleted& deleted : passes) {
      // All pixels of a pass are judged before any is deleted.
      gone.clear();
      for (const std::size_t i : left) {
        if (deleted.at(framed.pattern(i))) gone.push_back(i);
      }
      for (const std::size_t i : gone) framed.inside[i] = 0;
      if (gone.empty()) continue;
      changes = true;
      std::erase_if(left, [&](std::size_t i) { return framed.inside[i] == 0; });
    }
  }
  Mask out{mask.width, mask.height, std::vector<std::uint8_t>(mask.inside.size(), 0)};
  for (const std::size_t i : left) {
    out.inside[(i / framed.stride - 1) * mask.width + i % framed.stride - 1] = 1;
  }
  return out;
}

double centreline_dice(const Mask& truth, const Mask& prediction) {
  const Mask of_truth = skeleton(truth);
  const Mask of_prediction = skeleton(prediction);
  const auto share = [](const Mask& line, const Mask& mask) {
    return static_cast<double>(count_both(line, mask)) /
           static_cast<double>(count_both(line, line));
  };
  const double precision = share(of_prediction, truth);
  const double recall = share(of_truth, prediction);
  return precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0;
}

}  // namespace medurwkv::judge
