// Draws curves.svg: training loss and validation Dice by epoch, each with its own axis.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/text.h"
#include "train/run_record.h"

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

std::string text_at(double x, double y, const std::string& anchor, const std::string& text) {
  return concat("<text x=\"", fixed(x, 1), "\" y=\"", fixed(y, 1), "\" text-anchor=\"", anchor,
                "\">", text, "</text>\n");
}

/// Frame, five grid lines with their values, and the curve through the finite values.
std::string draw(const Panel& panel, const std::vector<double>& values) {
  const double range = panel.most > panel.least ? panel.most - panel.least : 1;
  const auto y_of = [&](double value) {
    return top + panel_height * (1 - (value - panel.least) / range);
  };
  const auto x_of = [&](std::size_t i) {
    const double last = std::max<double>(1, static_cast<double>(values.size()) - 1);
    return panel.left + panel_width * static_cast<double>(i) / last;
  };
  std::string out = text_at(panel.left, top - 14, "start", panel.title);
  for (int i = 0; i <= 4; ++i) {
    const double value = panel.least + range * i / 4;
    out +=
        concat("<line x1=\"", panel.left, "\" x2=\"", panel.left + panel_width, "\" y1=\"",
               fixed(y_of(value), 1), "\" y2=\"", fixed(y_of(value), 1), "\" stroke=\"#ddd\"/>\n",
               text_at(panel.left - 6, y_of(value) + 4, "end", fixed(value, 2)));
  }
  out += text_at(panel.left, top + panel_height + 18, "middle", "1");
  out += text_at(panel.left + panel_width, top + panel_height + 18, "middle",
                 concat("epoch ", values.size()));
  std::string points;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) {
      points += concat(fixed(x_of(i), 1), ",", fixed(y_of(values[i]), 1), " ");
    }
  }
  return out + concat("<polyline fill=\"none\" stroke-width=\"2\" stroke=\"", panel.color,
                      "\" points=\"", points, "\"/>\n");
}

}  // namespace

std::string curves_svg(const std::vector<EpochRow>& rows) {
  std::vector<double> loss;
  std::vector<double> dice;
  double largest_loss = 0;
  for (const EpochRow& row : rows) {
    loss.push_back(row.loss);
    dice.push_back(row.validation_dice);
    if (std::isfinite(row.loss)) largest_loss = std::max(largest_loss, row.loss);
  }
  return concat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 880 300\" "
      "font-family=\"sans-serif\" "
      "font-size=\"12\" role=\"img\" aria-label=\"training loss and validation Dice by epoch\">\n"
      "<rect width=\"880\" height=\"300\" fill=\"white\"/>\n",
      draw({.title = "training loss", .color = "#b5471f", .left = 50, .most = largest_loss}, loss),
      draw({.title = "validation Dice (mean over cases)", .color = "#1f6fb5", .left = 490}, dice),
      "</svg>\n");
}

}  // namespace medurwkv::train
