#include "judge/probabilities.h"

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "core/model_description.h"

namespace medurwkv::judge {
namespace {

void check_sizes(const data::LabelMap& truth, std::span<const float> probabilities) {
  if (truth.labels.size() != probabilities.size()) throw_internal("probabilities of another size");
}

}  // namespace

std::optional<double> area_under_curve(const data::LabelMap& truth, std::uint8_t label,
                                       std::span<const float> probabilities) {
  check_sizes(truth, probabilities);
  std::vector<float> inside;
  std::vector<float> outside;
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    if (truth.labels[i] == ignore_label) continue;
    (truth.labels[i] == label ? inside : outside).push_back(probabilities[i]);
  }
  if (inside.empty() || outside.empty()) return std::nullopt;
  std::sort(inside.begin(), inside.end());
  std::sort(outside.begin(), outside.end());
  // Of each pixel inside: those outside below it, and half of those level with it.
  double won = 0;
  std::size_t below = 0;
  std::size_t up_to = 0;
  for (const float own : inside) {
    while (below < outside.size() && outside[below] < own) ++below;
    up_to = std::max(up_to, below);
    while (up_to < outside.size() && outside[up_to] <= own) ++up_to;
    won += static_cast<double>(below) + 0.5 * static_cast<double>(up_to - below);
  }
  return won / static_cast<double>(inside.size()) / static_cast<double>(outside.size());
}

std::optional<double> brier_score(const data::LabelMap& truth, std::uint8_t label,
                                  std::span<const float> probabilities) {
  check_sizes(truth, probabilities);
  double sum = 0;
  std::int64_t judged = 0;
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    if (truth.labels[i] == ignore_label) continue;
    const double off = double{probabilities[i]} - (truth.labels[i] == label ? 1 : 0);
    sum += off * off;
    ++judged;
  }
  if (judged == 0) return std::nullopt;
  return sum / static_cast<double>(judged);
}

}  // namespace medurwkv::judge
