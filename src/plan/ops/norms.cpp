// Normalisations.
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "plan/ops.h"

namespace medurwkv::plan::op {
namespace {

Shapes as_first(const Shapes& in, const Detail& /*detail*/) {
  return {in[0]};
}

/// Of rows of `channels`, in place.
void normalise_rows(std::vector<double>& values, const std::vector<double>& weight,
                    const std::vector<double>& bias, double epsilon) {
  const std::size_t channels = weight.size();
  for (std::size_t start = 0; start < values.size(); start += channels) {
    double* row = values.data() + start;
    double mean = 0;
    for (std::size_t c = 0; c < channels; ++c) mean += row[c] / static_cast<double>(channels);
    double variance = 0;
    for (std::size_t c = 0; c < channels; ++c) {
      variance += (row[c] - mean) * (row[c] - mean) / static_cast<double>(channels);
    }
    for (std::size_t c = 0; c < channels; ++c) {
      row[c] = (row[c] - mean) / std::sqrt(variance + epsilon) * weight[c] + bias[c];
    }
  }
}

void run_layer_norm(const std::vector<const Array*>& in, const Detail& detail,
                    std::vector<Array>& out) {
  out[0].values = in[0]->values;
  normalise_rows(out[0].values, in[1]->values, in[2]->values, std::get<Epsilon>(detail).value);
}

Shapes expand_norm_shapes(const Shapes& in, const Detail& detail) {
  return expand.shapes(in, detail);
}

void run_expand_norm(const std::vector<const Array*>& in, const Detail& detail,
                     std::vector<Array>& out) {
  expand.run(in, detail, out);
  normalise_rows(out[0].values, in[1]->values, in[2]->values, std::get<Expand>(detail).epsilon);
}

void run_batch_norm(const std::vector<const Array*>& in, const Detail& detail,
                    std::vector<Array>& out) {
  const double epsilon = std::get<Epsilon>(detail).value;
  const Shape& shape = in[0]->shape;
  const std::int64_t plane = shape[2] * shape[3];
  for (std::size_t i = 0; i < out[0].values.size(); ++i) {
    const auto c = static_cast<std::size_t>(static_cast<std::int64_t>(i) / plane % shape[1]);
    const double deviation = std::sqrt(in[4]->values[c] + epsilon);
    out[0].values[i] =
        (in[0]->values[i] - in[3]->values[c]) / deviation * in[1]->values[c] + in[2]->values[c];
  }
}

void run_norm_relu(const std::vector<const Array*>& in, const Detail& detail,
                   std::vector<Array>& out) {
  run_batch_norm(in, detail, out);
  for (double& value : out[0].values) value = std::max(0.0, value);
}

}  // namespace

const OpType layer_norm{.name = "layer_norm",
                        .shapes = as_first,
                        .run = run_layer_norm,
                        .gradient = {.keeps = Keeps::first}};
const OpType expand_norm{.name = "expand_norm",
                         .shapes = expand_norm_shapes,
                         .run = run_expand_norm,
                         .gradient = {.keeps = Keeps::first}};
const OpType batch_norm{.name = "batch_norm",
                        .shapes = as_first,
                        .run = run_batch_norm,
                        .gradient = {.keeps = Keeps::first}};
const OpType norm_relu{.name = "norm_relu",
                       .shapes = as_first,
                       .run = run_norm_relu,
                       .gradient = {.keeps = Keeps::first_and_output}};

}  // namespace medurwkv::plan::op
