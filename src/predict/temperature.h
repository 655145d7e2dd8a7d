// Calibration by one number: probabilities p become p^(1/T), normalised, so that they are right as
// often as they say; and the T that fits best (Guo et al., On Calibration of Modern Neural
// Networks, ICML 2017). Of a softmax that is the softmax of its logits over T. T > 1 makes
// probabilities less sure, T < 1 surer; which class is likeliest stays. Relies on core/random.h,
// core/model_description.h and data/image/image.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "data/image/image.h"

namespace medurwkv::predict {

/// `probabilities`, classes x pixels, in place; sum 1 per pixel afterwards. A 0 stays 0. With
/// temperature 1 nothing is touched.
void apply_temperature(std::vector<float>& probabilities, std::size_t class_count,
                       double temperature);

/// Pixels with their truth.
struct TruePixels {
  std::vector<float> probabilities;  ///< classes x pixels
  std::vector<std::uint8_t> truth;   ///< per pixel
};

/// A sample of all pixels that are added, each as likely as any other. Which ones it holds depends
/// on their number and order alone.
class PixelSample {
 public:
  /// Holds all of up to `most` pixels; of more, `most` or down to about half as many.
  PixelSample(std::size_t class_count, std::size_t most);

  /// `probabilities`: classes x pixels. Pixels that the truth ignores, or whose truth is no class,
  /// are passed over.
  void add(std::span<const std::uint8_t> truth, std::span<const float> probabilities);

  /// Pixels that were added.
  [[nodiscard]] std::int64_t seen() const { return seen_; }
  /// What it holds; the sample is empty afterwards.
  [[nodiscard]] TruePixels take();

 private:
  void thin_out();

  std::size_t class_count_;
  std::size_t most_;
  Random random_{0, "calibration"};
  std::int64_t seen_ = 0;
  int level_ = 0;  ///< one pixel of 2^level_ is held
  // Per pixel: the level up to which it stays, its truth and its probabilities.
  std::vector<std::uint8_t> stays_;
  std::vector<std::uint8_t> truth_;
  std::vector<float> probabilities_;  ///< pixels x classes
};

/// What fitting a temperature gave.
struct TemperatureFit {
  double temperature = 1;
  bool at_bound = false;         ///< the best T lies beyond least_temperature or most_temperature
  double likelihood_before = 0;  ///< mean negative log-likelihood per pixel in nats, with T = 1
  double likelihood_after = 0;   ///< with `temperature`
};

/// The T between least_temperature and most_temperature that minimises the mean of -log p of the
/// truth; in 1/T that is convex. A probability of 0 counts as the smallest normal float, so that a
/// pixel costs at most 87.4 / T. Throws an internal Error without pixels.
TemperatureFit fit_temperature(const TruePixels& pixels, std::size_t class_count);

}  // namespace medurwkv::predict
