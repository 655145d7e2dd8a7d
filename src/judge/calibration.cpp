#include "judge/calibration.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/model_description.h"

namespace medurwkv::judge {

namespace {

void count(Reliability& reliability, double confidence, bool right) {
  const double at = std::ceil(confidence * static_cast<double>(calibration_bins)) - 1;
  const auto last = static_cast<double>(calibration_bins - 1);
  CalibrationBin& bin = reliability.bins.at(static_cast<std::size_t>(std::clamp(at, 0.0, last)));
  ++bin.pixels;
  bin.confidence += confidence;
  bin.right += right ? 1 : 0;
}

}  // namespace

std::int64_t Reliability::pixels() const {
  std::int64_t sum = 0;
  for (const CalibrationBin& bin : bins) sum += bin.pixels;
  return sum;
}

std::optional<double> Reliability::expected_error() const {
  const std::int64_t total = pixels();
  if (total == 0) return std::nullopt;
  double sum = 0;
  for (const CalibrationBin& bin : bins) {
    sum += std::abs(static_cast<double>(bin.right) - bin.confidence);
  }
  return sum / static_cast<double>(total);
}

void Calibration::add(const data::LabelMap& truth, const data::LabelMap& labels,
                      std::span<const float> probabilities) {
  const std::size_t pixels = truth.labels.size();
  if (labels.labels.size() != pixels || pixels == 0 || probabilities.size() % pixels != 0) {
    throw_internal("calibration of maps of different sizes");
  }
  for (std::size_t i = 0; i < pixels; ++i) {
    const std::uint8_t expected = truth.labels[i];
    if (expected == ignore_label) continue;
    const std::uint8_t predicted = labels.labels[i];
    const double confidence = probabilities[predicted * pixels + i];
    count(all, confidence, predicted == expected);
    if (predicted != 0 || expected != 0) count(foreground, confidence, predicted == expected);
  }
}

}  // namespace medurwkv::judge
