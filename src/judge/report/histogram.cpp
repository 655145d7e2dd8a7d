#include "judge/report/histogram.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/markup.h"
#include "core/text.h"

namespace medurwkv::judge {

namespace {

constexpr std::size_t bars = 20;
using Counts = std::array<std::int64_t, bars>;

// Drawn for a phone's width, so that letters stay readable there.
constexpr double width = 360;
constexpr double height = 210;
constexpr double left = 36;
constexpr double right = 350;
constexpr double top = 26;
constexpr double bottom = 168;

double across(double fraction) {
  return left + fraction * (right - left);
}

// The smallest of 1, 2, 5, 10, 20, ... of which at most five reach `largest`.
std::int64_t tick_step(std::int64_t largest) {
  for (std::int64_t power = 1;; power *= 10) {
    for (const std::int64_t factor : {1, 2, 5}) {
      if (power * factor * 5 >= largest) return power * factor;
    }
  }
}

void draw_axes(std::int64_t largest, const std::string& name, Svg& out) {
  const std::int64_t step = tick_step(largest);
  for (std::int64_t tick = 0; tick <= largest; tick += step) {
    const double y =
        bottom - (bottom - top) * static_cast<double>(tick) / static_cast<double>(largest);
    out.line(left, y, right, y, tick == 0 ? "stroke=\"#414a53\"" : "stroke=\"#e3e7eb\"");
    out.text(left - 5, y + 4, "end", std::to_string(tick));
  }
  for (int fifth = 0; fifth <= 5; ++fifth) {
    const double x = across(fifth / 5.0);
    out.line(x, bottom, x, bottom + 4, "stroke=\"#414a53\"");
    out.text(x, bottom + 17, "middle", fixed(fifth / 5.0, 1));
  }
  out.text((left + right) / 2, bottom + 35, "middle", name);
  out.text(2, 12, "start", "cases");
}

std::string describe(const Histogram& histogram, const Counts& counts) {
  std::string out = concat(histogram.values.size(), " cases.");
  if (histogram.median) out += concat(" Median ", fixed(*histogram.median, 3), ".");
  if (histogram.reference) {
    out += concat(" ", histogram.reference_name, " ", fixed(*histogram.reference, 3), ".");
  }
  for (std::size_t i = 0; i < bars; ++i) {
    if (counts[i] == 0) continue;
    out += concat(" ", fixed(static_cast<double>(i) / bars, 2), " to ",
                  fixed(static_cast<double>(i + 1) / bars, 2), ": ", counts[i], ".");
  }
  return out;
}

// A line over the plot with its name above; the name stays within the picture.
void draw_marker(double value, const std::string& name, double text_y, const char* attributes,
                 Svg& out) {
  const double x = across(std::clamp(value, 0.0, 1.0));
  const char* anchor = value < 0.25 ? "start" : value > 0.75 ? "end" : "middle";
  out.line(x, top, x, bottom, attributes);
  out.text(x, text_y, anchor, concat(name, " ", fixed(value, 3)));
}

}  // namespace

std::string histogram_svg(const Histogram& histogram) {
  Counts counts{};
  for (const double value : histogram.values) {
    const auto bar = static_cast<std::size_t>(std::clamp(value, 0.0, 1.0) * bars);
    ++counts[std::min(bar, bars - 1)];
  }
  const std::int64_t largest =
      std::max<std::int64_t>(1, *std::max_element(counts.begin(), counts.end()));
  Svg out(width, height,
          {histogram.id, concat("Histogram of ", histogram.name, " per case"),
           describe(histogram, counts)});
  draw_axes(largest, histogram.name, out);
  for (std::size_t i = 0; i < bars; ++i) {
    if (counts[i] == 0) continue;
    const double tall =
        (bottom - top) * static_cast<double>(counts[i]) / static_cast<double>(largest);
    out.bar(across(static_cast<double>(i) / bars) + 1, bottom - tall, (right - left) / bars - 2,
            tall, "#5b8fc7");
  }
  if (histogram.reference) {
    draw_marker(*histogram.reference, histogram.reference_name, top - 3,
                "stroke=\"#a04000\" stroke-width=\"1.5\" stroke-dasharray=\"4 3\"", out);
  }
  if (histogram.median) {
    draw_marker(*histogram.median, "median", top - 14, "stroke=\"#1b1f24\" stroke-width=\"1.5\"",
                out);
  }
  return out.str();
}

}  // namespace medurwkv::judge
