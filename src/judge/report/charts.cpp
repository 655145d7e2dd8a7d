#include "judge/report/charts.h"

#include <algorithm>
#include <cmath>

#include "core/markup.h"
#include "core/text.h"

namespace medurwkv::judge {

namespace {

// Drawn for a phone's width, so that letters stay readable there.
constexpr double width = 360;
constexpr double left = 42;
constexpr double right = 350;

constexpr char grid[] = "stroke=\"#e3e7eb\"";
constexpr char axis[] = "stroke=\"#4b545d\"";

}  // namespace

std::string reliability_svg(const Reliability& reliability, const std::string& id,
                            const std::string& what) {
  constexpr double top = 16;
  constexpr double bottom = 196;
  constexpr double shares_top = 206;
  constexpr double shares_bottom = 236;
  const auto across = [](double share) { return left + share * (right - left); };
  const auto up = [](double share) { return bottom - share * (bottom - top); };
  const auto pixels = static_cast<double>(reliability.pixels());
  const auto error = reliability.expected_error();
  std::string description =
      concat(what, ". Expected calibration error ", error ? fixed(*error, 4) : "unknown", ".");
  struct Bars {
    double x, accuracy, wide, share, tall;
  };
  std::vector<Bars> bars;
  double largest = 0;
  for (const CalibrationBin& bin : reliability.bins) {
    largest = std::max(largest, static_cast<double>(bin.pixels));
  }
  for (std::size_t b = 0; b < calibration_bins; ++b) {
    const CalibrationBin& bin = reliability.bins.at(b);
    if (bin.pixels == 0) continue;
    const auto count = static_cast<double>(bin.pixels);
    const double accuracy = static_cast<double>(bin.right) / count;
    const double x = across(static_cast<double>(b) / calibration_bins) + 1;
    const double wide = (right - left) / calibration_bins - 2;
    const double tall = count / largest * (shares_bottom - shares_top);
    bars.push_back({x, up(accuracy), wide, shares_bottom - tall, tall});
    description +=
        concat(" Confidence ", fixed(bin.confidence / count, 2), ": accuracy ", fixed(accuracy, 2),
               ", ", fixed(100 * count / pixels, 1), " % of pixels.");
  }
  Svg out(width, 270, {id, "Reliability diagram", description});
  for (int fifth = 0; fifth <= 5; ++fifth) {
    const double share = fifth / 5.0;
    out.line(left, up(share), right, up(share), fifth == 0 ? axis : grid);
    out.text(left - 5, up(share) + 4, "end", fixed(share, 1));
    out.text(across(share), shares_bottom + 14, "middle", fixed(share, 1));
  }
  for (const Bars& one : bars) {
    out.bar(one.x, one.accuracy, one.wide, bottom - one.accuracy, "#5b8fc7");
    out.bar(one.x, one.share, one.wide, one.tall, "#9aa5b1");
  }
  out.line(left, bottom, right, top,
           "stroke=\"#a04000\" stroke-width=\"1.5\" stroke-dasharray=\"4 3\"");
  out.line(left, shares_bottom, right, shares_bottom, axis);
  out.text(2, 10, "start", "accuracy");
  out.text((left + right) / 2, shares_bottom + 30, "middle", "confidence");
  return out.str();
}

std::string differences_svg(std::vector<double> differences, const std::string& id,
                            const std::string& what) {
  constexpr double top = 16;
  constexpr double bottom = 196;
  std::sort(differences.begin(), differences.end());
  double reach = 0.05;
  for (const double difference : differences) reach = std::max(reach, std::abs(difference));
  const double middle = (top + bottom) / 2;
  const auto up = [&](double value) { return middle - value / reach * (middle - top); };
  const auto count = [&](auto test) {
    return std::count_if(differences.begin(), differences.end(), test);
  };
  const std::string description = concat(
      what, ". ", count([](double d) { return d > 0; }), " cases are better, ",
      count([](double d) { return d < 0; }), " worse, ", count([](double d) { return d == 0; }),
      " equal; from ", differences.empty() ? "-" : fixed(differences.front(), 3), " to ",
      differences.empty() ? "-" : fixed(differences.back(), 3), ".");
  Svg out(width, 220, {id, "Differences per case, sorted", description});
  for (const double value : {-reach, -reach / 2, 0.0, reach / 2, reach}) {
    out.line(left, up(value), right, up(value), value == 0 ? axis : grid);
    out.text(left - 5, up(value) + 4, "end", concat(value > 0 ? "+" : "", fixed(value, 2)));
  }
  const double wide =
      (right - left) / static_cast<double>(std::max<std::size_t>(1, differences.size()));
  for (std::size_t i = 0; i < differences.size(); ++i) {
    const double y = up(differences[i]);
    out.bar(left + static_cast<double>(i) * wide, std::min(y, middle), std::max(0.3, wide * 0.85),
            std::abs(y - middle), differences[i] < 0 ? "#c96a2b" : "#5b8fc7");
  }
  out.text((left + right) / 2, bottom + 18, "middle", "cases, from worst to best change");
  return out.str();
}

}  // namespace medurwkv::judge
