// Operations element by element.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "core/error.h"
#include "core/text.h"
#include "plan/ops.h"

namespace medurwkv::plan::op {
namespace {

Shapes as_first(const Shapes& in, const Detail& /*detail*/) {
  return {in[0]};
}

/// The second has the first's last sides.
Shapes of_both(const Shapes& in, const Detail& /*detail*/) {
  const std::int64_t all = element_count(in[0]);
  const std::int64_t part = element_count(in[1]);
  if (part == 0 || all % part != 0) {
    throw_internal(
        medurwkv::concat("element by element on ", shape_text(in[0]), " and ", shape_text(in[1])));
  }
  return {in[0]};
}

double logistic(double x) {
  return 1 / (1 + std::exp(-x));
}

using Values = std::vector<const Array*>;

template <class Body>
void each(const Values& in, std::vector<Array>& out, const Body& body) {
  const std::vector<double>& x = in[0]->values;
  for (std::size_t i = 0; i < x.size(); ++i) out[0].values[i] = body(x[i]);
}

/// The second's values are repeated.
template <class Body>
void each_pair(const Values& in, std::vector<Array>& out, const Body& body) {
  const std::vector<double>& a = in[0]->values;
  const std::vector<double>& b = in[1]->values;
  for (std::size_t i = 0; i < a.size(); ++i) out[0].values[i] = body(a[i], b[i % b.size()]);
}

void run_relu(const Values& in, const Detail& /*detail*/, std::vector<Array>& out) {
  each(in, out, [](double x) { return std::max(0.0, x); });
}
void run_gelu(const Values& in, const Detail& /*detail*/, std::vector<Array>& out) {
  each(in, out, [](double x) { return x / 2 * (1 + std::erf(x / std::numbers::sqrt2)); });
}
void run_sigmoid(const Values& in, const Detail& /*detail*/, std::vector<Array>& out) {
  each(in, out, logistic);
}
void run_tanh(const Values& in, const Detail& /*detail*/, std::vector<Array>& out) {
  each(in, out, [](double x) { return std::tanh(x); });
}
void run_squared_relu(const Values& in, const Detail& /*detail*/, std::vector<Array>& out) {
  each(in, out, [](double x) { return x > 0 ? x * x : 0; });
}
void run_add(const Values& in, const Detail& /*detail*/, std::vector<Array>& out) {
  each_pair(in, out, [](double a, double b) { return a + b; });
}
void run_subtract(const Values& in, const Detail& /*detail*/, std::vector<Array>& out) {
  each_pair(in, out, [](double a, double b) { return a - b; });
}
void run_multiply(const Values& in, const Detail& /*detail*/, std::vector<Array>& out) {
  each_pair(in, out, [](double a, double b) { return a * b; });
}
void run_gate(const Values& in, const Detail& /*detail*/, std::vector<Array>& out) {
  each_pair(in, out, [](double r, double y) { return logistic(r) * y; });
}

void run_scale_add(const Values& in, const Detail& /*detail*/, std::vector<Array>& out) {
  const std::vector<double>& scale = in[1]->values;
  for (std::size_t i = 0; i < out[0].values.size(); ++i) {
    out[0].values[i] = in[0]->values[i] + scale[i % scale.size()] * in[2]->values[i];
  }
}

}  // namespace

const OpType relu{
    .name = "relu", .shapes = as_first, .run = run_relu, .gradient = {.keeps = Keeps::output}};
const OpType gelu{
    .name = "gelu", .shapes = as_first, .run = run_gelu, .gradient = {.keeps = Keeps::first}};
const OpType sigmoid{.name = "sigmoid",
                     .shapes = as_first,
                     .run = run_sigmoid,
                     .gradient = {.keeps = Keeps::output}};
const OpType tanh{
    .name = "tanh", .shapes = as_first, .run = run_tanh, .gradient = {.keeps = Keeps::output}};
const OpType squared_relu{.name = "squared_relu",
                          .shapes = as_first,
                          .run = run_squared_relu,
                          .gradient = {.keeps = Keeps::first}};
const OpType add{
    .name = "add", .shapes = of_both, .run = run_add, .gradient = {.passes = Passes::all}};
const OpType subtract{.name = "subtract",
                      .shapes = of_both,
                      .run = run_subtract,
                      .gradient = {.passes = Passes::first}};
const OpType multiply{.name = "multiply",
                      .shapes = of_both,
                      .run = run_multiply,
                      .gradient = {.keeps = Keeps::activations}};
const OpType scale_add{.name = "scale_add",
                       .shapes = as_first,
                       .run = run_scale_add,
                       .gradient = {.keeps = Keeps::last, .passes = Passes::first}};
const OpType gate{
    .name = "gate", .shapes = of_both, .run = run_gate, .gradient = {.keeps = Keeps::activations}};

}  // namespace medurwkv::plan::op
