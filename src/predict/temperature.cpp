#include "predict/temperature.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "core/error.h"
#include "core/model_description.h"
#include "core/threads.h"

namespace medurwkv::predict {

void apply_temperature(std::vector<float>& probabilities, std::size_t class_count,
                       double temperature) {
  if (temperature == 1) return;
  const auto power = static_cast<float>(1 / temperature);
  const std::size_t pixels = probabilities.size() / class_count;
  parallel_for(static_cast<std::int64_t>(pixels), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      float largest = 0;
      for (std::size_t c = 0; c < class_count; ++c) {
        largest = std::max(largest, probabilities[c * pixels + i]);
      }
      // Relative to the largest, so that no power of all of them is 0 in float.
      float sum = 0;
      for (std::size_t c = 0; c < class_count; ++c) {
        float& value = probabilities[c * pixels + i];
        value = value == largest ? 1 : std::pow(value / largest, power);
        sum += value;
      }
      for (std::size_t c = 0; c < class_count; ++c) probabilities[c * pixels + i] /= sum;
    }
  });
}

PixelSample::PixelSample(std::size_t class_count, std::size_t most)
    : class_count_(class_count), most_(most) {
  // At once: a vector that grows holds twice what it needs.
  probabilities_.reserve(most * class_count);
}

void PixelSample::add(std::span<const std::uint8_t> truth, std::span<const float> probabilities) {
  const std::size_t pixels = truth.size();
  if (probabilities.size() != class_count_ * pixels) {
    throw_internal("a sample of maps of different sizes");
  }
  for (std::size_t i = 0; i < pixels; ++i) {
    if (truth[i] >= class_count_) continue;  // also those that are ignored
    const int stays = std::countr_zero(random_.bits(static_cast<std::uint64_t>(seen_++)));
    if (stays < level_) continue;
    if (truth_.size() == most_) thin_out();
    if (stays < level_) continue;
    stays_.push_back(static_cast<std::uint8_t>(stays));
    truth_.push_back(truth[i]);
    for (std::size_t c = 0; c < class_count_; ++c) {
      probabilities_.push_back(probabilities[c * pixels + i]);
    }
  }
}

void PixelSample::thin_out() {
  ++level_;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < truth_.size(); ++i) {
    if (stays_[i] < level_) continue;
    stays_[kept] = stays_[i];
    truth_[kept] = truth_[i];
    std::copy_n(probabilities_.begin() + static_cast<std::ptrdiff_t>(i * class_count_),
                class_count_,
                probabilities_.begin() + static_cast<std::ptrdiff_t>(kept * class_count_));
    ++kept;
  }
  stays_.resize(kept);
  truth_.resize(kept);
  probabilities_.resize(kept * class_count_);
}

TruePixels PixelSample::take() {
  const std::size_t pixels = truth_.size();
  TruePixels out{.probabilities = std::vector<float>(pixels * class_count_),
                 .truth = std::exchange(truth_, {})};
  for (std::size_t i = 0; i < pixels; ++i) {
    for (std::size_t c = 0; c < class_count_; ++c) {
      out.probabilities[c * pixels + i] = probabilities_[i * class_count_ + c];
    }
  }
  stays_ = {};
  probabilities_ = {};
  seen_ = 0;
  level_ = 0;
  return out;
}

namespace {

/// The mean negative log-likelihood as a function of the power 1/T, with its derivatives.
struct Likelihood {
  double value = 0, slope = 0, curvature = 0;
};

/// Per pixel with d_c = log p_c - log p_truth: value log sum_c exp(power d_c), slope the mean of d
/// with weights exp(power d_c), curvature the variance of d with them. `logs`: pixels x classes of
/// log p less the largest of the pixel.
Likelihood likelihood_at(double power, const std::vector<float>& logs,
                         const std::vector<std::uint8_t>& truth, std::size_t class_count) {
  Likelihood out;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const float* const own = logs.data() + i * class_count;
    double sum = 0;
    double first = 0;
    double second = 0;
    for (std::size_t c = 0; c < class_count; ++c) {
      const double log = own[c];
      const double weight = own[c] == 0 ? 1 : std::exp(power * log);
      sum += weight;
      first += weight * log;
      second += weight * log * log;
    }
    const double mean = first / sum;
    const double of_truth = own[truth[i]];
    out.value += std::log(sum) - power * of_truth;
    out.slope += mean - of_truth;
    out.curvature += second / sum - mean * mean;
  }
  const auto pixels = static_cast<double>(truth.size());
  return {out.value / pixels, out.slope / pixels, out.curvature / pixels};
}

/// Where the slope is 0: Newton's steps on a convex function, cut to the interval that holds the
/// root, which shrinks with each of them.
double best_power(const std::function<Likelihood(double)>& at, double low, double high) {
  double power = 1;
  for (int step = 0; step < 100 && high - low > 1e-9 * high; ++step) {
    const Likelihood here = at(power);
    if (here.slope == 0) return power;
    (here.slope < 0 ? low : high) = power;
    double next = here.curvature > 0 ? power - here.slope / here.curvature : low;
    // Halved by its logarithm: powers from 1/20 to 20 lie alike on both sides of 1.
    if (next <= low || next >= high) next = std::sqrt(low * high);
    if (std::abs(next - power) <= 1e-9 * power) return next;
    power = next;
  }
  return power;
}

}  // namespace

TemperatureFit fit_temperature(const TruePixels& pixels, std::size_t class_count) {
  const std::size_t count = pixels.truth.size();
  if (count == 0) throw_internal("a temperature of no pixels");
  std::vector<float> logs(count * class_count);
  for (std::size_t i = 0; i < count; ++i) {
    float* const own = logs.data() + i * class_count;
    float largest = -std::numeric_limits<float>::infinity();
    for (std::size_t c = 0; c < class_count; ++c) {
      own[c] = std::log(
          std::max(pixels.probabilities[c * count + i], std::numeric_limits<float>::min()));
      largest = std::max(largest, own[c]);
    }
    for (std::size_t c = 0; c < class_count; ++c) own[c] -= largest;
  }
  const auto at = [&](double power) {
    return likelihood_at(power, logs, pixels.truth, class_count);
  };
  TemperatureFit out{.likelihood_before = at(1).value};
  // Neither for pixels to which every T gives the same probabilities: they keep T = 1.
  if (at(1 / most_temperature).slope > 0) {
    out.temperature = most_temperature;
    out.at_bound = true;
  } else if (at(1 / least_temperature).slope < 0) {
    out.temperature = least_temperature;
    out.at_bound = true;
  } else {
    out.temperature = 1 / best_power(at, 1 / most_temperature, 1 / least_temperature);
  }
  out.likelihood_after = at(1 / out.temperature).value;
  return out;
}

}  // namespace medurwkv::predict
