#include "data/feed/window_check.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>

#include "core/case_loop.h"
#include "core/error.h"
#include "core/listener.h"
#include "core/text.h"

namespace medurwkv::data {
namespace {

/// Values of images, beside a window.
struct Counts {
  std::int64_t values = 0, below = 0, above = 0;  ///< below and above the window
  float least = std::numeric_limits<float>::max();
  float most = std::numeric_limits<float>::lowest();

  void add(const Counts& other) {
    values += other.values;
    below += other.below;
    above += other.above;
    least = std::min(least, other.least);
    most = std::max(most, other.most);
  }
  [[nodiscard]] bool shows_nothing(const Window& window) const {
    return static_cast<double>(most) <= window.low || static_cast<double>(least) >= window.high;
  }
};

Counts counts_of(const Image& image, const Window& window) {
  // Image::value gives 0..1 for whole numbers; a window is in the units of the file.
  const float full = image.type == SampleType::u8    ? 255.0F
                     : image.type == SampleType::u16 ? 65535.0F
                                                     : 1.0F;
  Counts out;
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      for (std::int64_t c = 0; c < image.channels; ++c) {
        const float value = full * image.value(x, y, c);
        ++out.values;
        if (static_cast<double>(value) < window.low) ++out.below;
        if (static_cast<double>(value) > window.high) ++out.above;
        out.least = std::min(out.least, value);
        out.most = std::max(out.most, value);
      }
    }
  }
  return out;
}

}  // namespace

std::string check_window(const std::vector<Case>& cases, const InputContract& contract) {
  if (!contract.window || cases.empty()) return {};
  const Window& window = *contract.window;
  constexpr std::size_t looked_at = 32;
  const std::size_t some = std::min(looked_at, cases.size());
  std::mutex mutex;
  Counts all;
  const auto look = [&](const Case& item) {
    const Counts own = counts_of(read_image(item), window);
    const std::scoped_lock lock(mutex);
    all.add(own);
  };
  for_each_case(some, "", silence(), [&](std::size_t i) { look(cases[i * cases.size() / some]); });
  // The other images may have what these lack.
  for (std::size_t i = 0; i < cases.size() && all.shows_nothing(window); ++i) look(cases[i]);
  const auto text = [&] { return concat("the window ", window.low, " to ", window.high); };
  const char* remedy =
      "; --set input.window=percentile finds the window of each image or volume, `data preview "
      "--config` shows what a network sees";
  if (all.shows_nothing(window)) {
    throw_usage(concat(text(), " shows nothing: the values of all training images lie from ",
                       all.least, " to ", all.most, remedy));
  }
  const auto share = [&](std::int64_t count) {
    return static_cast<double>(count) / static_cast<double>(all.values);
  };
  constexpr double nearly_all = 0.99;
  for (const auto& [count, side] : {std::pair(all.below, "below"), std::pair(all.above, "above")}) {
    if (share(count) < nearly_all) continue;
    return concat(fixed(100 * share(count), 1), " % of the values lie ", side, " ", text(),
                  " and are cut off (in ", some, some == 1 ? " image, " : " images, ", all.least,
                  " to ", all.most, ")", remedy);
  }
  return {};
}

}  // namespace medurwkv::data
