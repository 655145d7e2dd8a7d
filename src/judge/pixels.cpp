#include "judge/pixels.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/model_description.h"
#include "core/text.h"

namespace medurwkv::judge {

namespace {

void check_sizes(const std::string& id, const data::LabelMap& truth,
                 const data::LabelMap& prediction) {
  const auto pixels = static_cast<std::size_t>(truth.width * truth.height);
  if (truth.width == prediction.width && truth.height == prediction.height &&
      truth.labels.size() == pixels && prediction.labels.size() == pixels) {
    return;
  }
  throw_failure(concat("case ", id, ": the prediction is ", prediction.width, " x ",
                       prediction.height, " pixels, the truth ", truth.width, " x ", truth.height,
                       "; masks are judged at the size of the truth"));
}

class Tally {
 public:
  // `count` pixels of one row from `x` on that have the same two labels.
  void add(std::uint8_t truth, std::uint8_t prediction, std::int64_t x, std::int64_t y,
           std::int64_t count) {
    judged_ += count;
    truth_[truth] += count;
    predicted_[prediction] += count;
    if (truth == prediction) both_[truth] += count;
    grow(boxes_[truth], x, y, count);
    if (truth != prediction) grow(boxes_[prediction], x, y, count);
  }

  [[nodiscard]] ClassPixels of(std::size_t label) const {
    ClassPixels out;
    const std::int64_t both = both_.at(label);
    out.counts.true_positive = both;
    out.counts.false_positive = predicted_.at(label) - both;
    out.counts.false_negative = truth_.at(label) - both;
    out.counts.true_negative = judged_ - truth_.at(label) - predicted_.at(label) + both;
    out.box = boxes_.at(label);
    return out;
  }

 private:
  static void grow(Box& box, std::int64_t x, std::int64_t y, std::int64_t count) {
    if (box.right == 0) {
      box = {x, y, x + count, y + 1};
      return;
    }
    box.left = std::min(box.left, x);
    box.right = std::max(box.right, x + count);
    box.bottom = y + 1;  // rows come from top to bottom
  }

  std::int64_t judged_ = 0;
  std::array<std::int64_t, 256> truth_{}, predicted_{}, both_{};
  std::array<Box, 256> boxes_{};
};

}  // namespace

Counts& Counts::operator+=(const Counts& other) {
  true_positive += other.true_positive;
  false_positive += other.false_positive;
  false_negative += other.false_negative;
  true_negative += other.true_negative;
  return *this;
}

std::vector<ClassPixels> class_pixels(const std::string& id, const data::LabelMap& truth,
                                      const data::LabelMap& prediction, std::size_t class_count) {
  if (class_count < 2 || class_count > ignore_label) {
    throw_internal(concat("a case of ", class_count, " classes"));
  }
  check_sizes(id, truth, prediction);
  Tally tally;
  for (std::int64_t y = 0; y < truth.height; ++y) {
    const std::uint8_t* t = truth.labels.data() + y * truth.width;
    const std::uint8_t* p = prediction.labels.data() + y * truth.width;
    for (std::int64_t x = 0; x < truth.width;) {
      std::int64_t end = x + 1;
      while (end < truth.width && t[end] == t[x] && p[end] == p[x]) ++end;
      if (t[x] != ignore_label) {
        if (t[x] >= class_count) {
          throw_failure(concat("case ", id, ": the truth holds label ", int{t[x]}, ", expected 0..",
                               class_count - 1, " or ", int{ignore_label},
                               " (ignored); check the mask encoding with `medurwkv data check`"));
        }
        tally.add(t[x], p[x], x, y, end - x);
      }
      x = end;
    }
  }
  std::vector<ClassPixels> out;
  for (std::size_t label = 0; label < class_count; ++label) out.push_back(tally.of(label));
  return out;
}

MaskPair class_masks(const data::LabelMap& truth, const data::LabelMap& prediction,
                     std::uint8_t label, const Box& box) {
  const auto width = static_cast<std::size_t>(box.right - box.left);
  const auto height = static_cast<std::size_t>(box.bottom - box.top);
  MaskPair out{{width, height, std::vector<std::uint8_t>(width * height)},
               {width, height, std::vector<std::uint8_t>(width * height)}};
  for (std::size_t y = 0; y < height; ++y) {
    const std::int64_t first = (box.top + static_cast<std::int64_t>(y)) * truth.width + box.left;
    const std::uint8_t* t = truth.labels.data() + first;
    const std::uint8_t* p = prediction.labels.data() + first;
    std::uint8_t* in_truth = out.truth.inside.data() + y * width;
    std::uint8_t* in_prediction = out.prediction.inside.data() + y * width;
    for (std::size_t x = 0; x < width; ++x) {
      in_truth[x] = t[x] == label ? 1 : 0;
      in_prediction[x] =
          static_cast<std::uint8_t>((p[x] == label ? 1 : 0) & (t[x] != ignore_label ? 1 : 0));
    }
  }
  return out;
}

}  // namespace medurwkv::judge
