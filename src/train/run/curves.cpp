// Draws curves.svg: training loss and the choosing figure by epoch, each with its own axis.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "core/markup.h"
#include "core/text.h"
#include "train/run/record.h"

namespace medurwkv::train {
namespace {

struct Panel {
  std::string title, color;
  double left = 0;
  double least = 0, most = 1;
};

constexpr double panel_width = 360;
constexpr double panel_height = 220;
constexpr double top = 40;

/// Five grid lines with their values, and the curve through the finite values.
void draw(const Panel& panel, const std::vector<double>& values, Svg& out) {
  const double range = panel.most > panel.least ? panel.most - panel.least : 1;
  const auto y_of = [&](double value) {
    return top + panel_height * (1 - (value - panel.least) / range);
  };
  const auto x_of = [&](std::size_t i) {
    const double last = std::max<double>(1, static_cast<double>(values.size()) - 1);
    return panel.left + panel_width * static_cast<double>(i) / last;
  };
  out.text(panel.left, top - 14, "start", panel.title);
  for (int i = 0; i <= 4; ++i) {
    const double value = panel.least + range * i / 4;
    out.line(panel.left, y_of(value), panel.left + panel_width, y_of(value), "stroke=\"#ddd\"");
    out.text(panel.left - 6, y_of(value) + 4, "end", fixed(value, 2));
  }
  out.text(panel.left, top + panel_height + 18, "middle", "1");
  out.text(panel.left + panel_width, top + panel_height + 18, "middle",
           concat("epoch ", values.size()));
  std::vector<std::pair<double, double>> points;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) points.emplace_back(x_of(i), y_of(values[i]));
  }
  out.path(points, panel.color);
}

}  // namespace

std::string curves_svg(const std::vector<EpochRow>& rows, const Columns& columns) {
  std::vector<double> loss;
  std::vector<double> figure;
  double largest_loss = 0;
  double largest_figure = 0;
  for (const EpochRow& row : rows) {
    loss.push_back(row.loss);
    figure.push_back(row.figures.front());
    if (std::isfinite(row.loss)) largest_loss = std::max(largest_loss, row.loss);
    if (std::isfinite(figure.back())) largest_figure = std::max(largest_figure, figure.back());
  }
  const FigureColumn& shown = columns.chooses();
  Svg out(880, 300,
          {"curves", "Curves of the training",
           concat("Training loss and ", shown.label, " by epoch."), true});
  out.bar(0, 0, 880, 300, "white");
  draw({.title = "training loss", .color = "#b5471f", .left = 50, .most = largest_loss}, loss, out);
  draw({.title = shown.curve.empty() ? shown.label : shown.curve,
        .color = "#1f6fb5",
        .left = 490,
        .most = shown.most > 0 ? shown.most : largest_figure},
       figure, out);
  return out.str();
}

}  // namespace medurwkv::train
