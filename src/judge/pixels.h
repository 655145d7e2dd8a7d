// A case's pixels by class: how many agree, where they lie, and masks of one class. Relies on
// data/image/image.h and judge/distance.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/image/image.h"
#include "judge/distance.h"

namespace medurwkv::judge {

/// Columns left .. right - 1 of rows top .. bottom - 1.
struct Box {
  std::int64_t left = 0;
  std::int64_t top = 0;
  std::int64_t right = 0;
  std::int64_t bottom = 0;
};

/// One class against the rest, over pixels that are not ignored.
struct Counts {
  std::int64_t true_positive = 0;
  std::int64_t false_positive = 0;
  std::int64_t false_negative = 0;
  std::int64_t true_negative = 0;

  [[nodiscard]] bool in_truth() const { return true_positive + false_negative > 0; }
  [[nodiscard]] bool in_prediction() const { return true_positive + false_positive > 0; }
  Counts& operator+=(const Counts& other);
  bool operator==(const Counts&) const = default;
};

struct ClassPixels {
  Counts counts;
  Box box;  ///< the smallest that holds all of the class in truth and prediction; empty without any
};

/// Every class of the case, the background first. Pixels that the truth ignores count nowhere; a
/// predicted value outside the classes belongs to no class. Throws Error when the sizes differ or
/// the truth holds a value outside the classes.
std::vector<ClassPixels> class_pixels(const std::string& id, const data::LabelMap& truth,
                                      const data::LabelMap& prediction, std::size_t class_count);

/// Truth and prediction of one class, cut to a box.
struct MaskPair {
  Mask truth;
  Mask prediction;
};
MaskPair class_masks(const data::LabelMap& truth, const data::LabelMap& prediction,
                     std::uint8_t label, const Box& box);

}  // namespace medurwkv::judge
