#include "data/image/levels.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <numeric>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::data {
namespace {

constexpr std::int64_t most_values = std::int64_t{1} << 22;

/// Usual widths and levels, which differ a little from source to source: lung 1500 at -600, bone
/// 1800 at 400, soft tissue 400 at 40, brain 80 at 40, mediastinum 350 at 50, liver 150 at 30.
constexpr std::array<NamedWindow, 6> names{{{"lung", {-1350, 150}},
                                            {"bone", {-500, 1300}},
                                            {"soft", {-160, 240}},
                                            {"brain", {0, 80}},
                                            {"mediastinum", {-125, 225}},
                                            {"liver", {-45, 105}}}};

constexpr std::string_view percentile = "percentile";
constexpr std::string_view zscore = "zscore";

/// "-160,240"; none for another text.
std::optional<Window> pair_in(std::string_view text) {
  std::array<double, 2> numbers{};
  const std::vector<std::string> words = split(text, ',');
  if (words.size() != numbers.size()) return std::nullopt;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::string word = trim(words[i]);
    const auto [end, error] =
        std::from_chars(word.data(), word.data() + word.size(), numbers.at(i));
    if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
    if (!std::isfinite(numbers.at(i))) return std::nullopt;
  }
  return Window{numbers[0], numbers[1]};
}

OwnWindow percentiles_in(const std::string& text) {
  OwnWindow out;
  if (text == percentile) return out;
  const auto pair = pair_in(std::string_view(text).substr(percentile.size() + 1));
  if (!pair || !(pair->low >= 0 && pair->low < pair->high && pair->high <= 100)) {
    throw_usage(concat("setting input.window = ", shown(text),
                       ": expected two percentiles from 0 to 100 that rise, such as "
                       "percentile:0.5,99.5"));
  }
  out.low = pair->low;
  out.high = pair->high;
  return out;
}

/// numpy's percentile of the method "linear".
double percentile_of(std::vector<float>& values, double percent) {
  const double place = percent / 100 * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::ptrdiff_t>(std::floor(place));
  const auto at = values.begin() + below;
  std::nth_element(values.begin(), at, values.end());
  const double low = *at;
  if (at + 1 == values.end()) return low;
  const double high = *std::min_element(at + 1, values.end());
  return low + (place - static_cast<double>(below)) * (high - low);
}

Window window_of(std::vector<float> values, const OwnWindow& own) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const Window all{*least, *most};
  // A constant image shows nothing; it becomes 0.
  if (!(all.low < all.high)) return {all.low, all.low + 1};
  if (own.by == OwnWindow::By::percentile) {
    const Window out{percentile_of(values, own.low), percentile_of(values, own.high)};
    return out.low < out.high ? out : all;
  }
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const float value : values) {
    squares += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean);
  }
  const double deviation = std::sqrt(squares / count);
  return {mean + own.low * deviation, mean + own.high * deviation};
}

template <class Sample>
float sample_at(const unsigned char* bytes) {
  Sample out;
  std::memcpy(&out, bytes, sizeof(Sample));
  return static_cast<float>(out);
}

float sample_at(const unsigned char* bytes, SampleType type) {
  switch (type) {
    case SampleType::u8: return sample_at<std::uint8_t>(bytes);
    case SampleType::u16: return sample_at<std::uint16_t>(bytes);
    case SampleType::f32: return sample_at<float>(bytes);
  }
  throw_internal("unknown sample type");
}

}  // namespace

std::span<const NamedWindow> named_windows() {
  return names;
}

WindowChoice window_choice(const std::string& text, const std::string& over) {
  if (over != "volume" && over != "image") {
    throw_usage(concat("setting input.window_over = ", shown(over), " is not known",
                       suggestion(over, {"volume", "image"})));
  }
  if (text.empty()) return {};
  for (const NamedWindow& one : names) {
    if (text == one.name) return {.window = one.window};
  }
  OwnWindow own{.of_volume = over == "volume"};
  if (text == zscore) {
    own.by = OwnWindow::By::deviation;
    own.low = -3;
    own.high = 3;
    return {.own = own};
  }
  if (text == percentile || text.starts_with(concat(percentile, ":"))) {
    const OwnWindow read = percentiles_in(text);
    own.low = read.low;
    own.high = read.high;
    return {.own = own};
  }
  if (const auto pair = pair_in(text)) {
    if (!(pair->low < pair->high)) {
      throw_usage(concat("setting input.window = ", shown(text), " does not rise"));
    }
    return {.window = *pair};
  }
  std::vector<std::string> known;
  for (const NamedWindow& one : names) known.emplace_back(one.name);
  known.insert(known.end(),
               {std::string(percentile), std::string(zscore), "two numbers such as -160,240"});
  throw_usage(
      concat("setting input.window = ", shown(text), " is not known", suggestion(text, known)));
}

Levels::Levels(ImageSize slice, std::int64_t slices, bool colors)
    : area_(slice.width * slice.height), pixels_(area_ * slices), colors_(colors) {}

std::int64_t Levels::memory(ImageSize slice, std::int64_t slices, std::int64_t channels) {
  const std::int64_t values = slice.width * slice.height * slices * channels;
  return 2 * std::min(values, most_values) * std::int64_t{sizeof(float)};
}

void Levels::add(const Image& rows) {
  const std::int64_t count = rows.width * rows.height;
  if (values_.empty()) {
    channels_ = rows.channels;
    colors_ = colors_ && rows.channels == 3 && rows.type != SampleType::f32;
    values_.resize(colors_ ? 1 : static_cast<std::size_t>(channels_));
    // Without a common factor no row, column or slice is left out.
    step_ = std::max<std::int64_t>(1, (pixels_ * channels_ + most_values - 1) / most_values);
    while (std::gcd(step_, area_) != 1) ++step_;
  }
  if (rows.channels != channels_ || seen_ + count > pixels_) {
    throw_internal("pixels that are not those of the image whose levels are gathered");
  }
  const auto sample = static_cast<std::int64_t>(rows.bytes.size()) / (count * channels_);
  const std::int64_t first = (step_ - seen_ % step_) % step_;
  for (std::int64_t i = first; i < count; i += step_) {
    for (std::int64_t c = 0; c < channels_; ++c) {
      const float value = sample_at(rows.bytes.data() + (i * channels_ + c) * sample, rows.type);
      if (!std::isfinite(value)) {
        throw_failure("the image holds values that are not finite (NaN or infinity)");
      }
      values_[colors_ ? 0 : static_cast<std::size_t>(c)].push_back(value);
    }
  }
  seen_ += count;
}

Windows Levels::windows(const OwnWindow& own) const {
  if (seen_ != pixels_ || values_.empty()) throw_internal("a window of some of an image's pixels");
  Windows out;
  for (const std::vector<float>& values : values_) out.push_back(window_of(values, own));
  if (colors_) out.resize(3, out.front());
  return out;
}

namespace {

Windows found(const Image& image, const OwnWindow& own, bool colors) {
  for (const FoundWindows& one : image.windows) {
    if (one.of == own) return one.channels;
  }
  if (image.extent == Extent::rows || (image.extent == Extent::slice && own.of_volume)) {
    throw_internal("a part of an image or a volume that was read without the window of the whole");
  }
  Levels levels({image.width, image.height}, 1, colors);
  levels.add(image);
  return levels.windows(own);
}

}  // namespace

Windows windows_for(const Image& image, const InputContract& contract) {
  if (contract.own_window) return found(image, *contract.own_window, contract.files == 1);
  return contract.window ? Windows{*contract.window} : Windows{};
}

std::vector<FoundWindows> find_windows(const Image& image, const std::vector<OwnWindow>& wanted,
                                       bool colors) {
  std::vector<FoundWindows> out;
  for (const OwnWindow& own : wanted) out.push_back({own, found(image, own, colors)});
  return out;
}

}  // namespace medurwkv::data
