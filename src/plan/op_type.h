// What is known of an operation, in one place: recording, counting, memory, rooflines and the
// reference executor read it, and the engines look it up (docs/architecture.md, "How to add an
// operation"). Relies on net/ops.h.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "core/shape.h"
#include "net/ops.h"

namespace medurwkv::plan {

struct Epsilon {
  double value = 0;
};
struct Stride {
  std::int64_t value = 1;
};
struct Pool {
  std::int64_t kernel = 1, stride = 1, padding = 0;
};
struct Range {
  std::int64_t start = 0, count = 0;
};
struct Resize {
  net::Grid to;
  net::Interpolation how = net::Interpolation::bilinear;
};
struct Expand {
  net::Grid from;
  std::int64_t factor = 1;
  double epsilon = 0;  ///< of the normalisation behind it, where there is one
};

/// What an operation needs to know beside its inputs.
using Detail = std::variant<std::monostate, net::Convolution, Epsilon, Stride, Pool, Range, Resize,
                            Expand, net::Grid, net::WkvMode, net::DeformableAttention>;

/// An array of the reference executor, row-major in the layouts of net/ops.h.
struct Array {
  Shape shape;
  std::vector<double> values;
};

/// The values that an operation's backward pass reads.
enum class Keeps {
  nothing,
  first,             ///< the first input
  last,              ///< the last input
  activations,       ///< all inputs that are no parameters
  output,            ///< the first output
  first_and_output,  ///< the first input and the first output
};

/// The inputs whose gradient is the output's own, in the same memory.
enum class Passes { none, first, all };

struct Gradient {
  Keeps keeps = Keeps::nothing;
  Passes passes = Passes::none;
  std::int64_t notes = 0;  ///< bytes that it keeps beside values, for each number of the output
};

using Shapes = std::vector<Shape>;

struct OpType {
  const char* name;
  /// Shapes of the outputs. Throws an internal Error for inputs that do not fit.
  Shapes (*shapes)(const Shapes& inputs, const Detail& detail);
  /// The operation in plain loops, in float64. `outputs` have their shapes and zeros.
  void (*run)(const std::vector<const Array*>& inputs, const Detail& detail,
              std::vector<Array>& outputs);
  /// The output lies in the first input's memory: the same numbers, or some of them.
  bool view = false;
  Gradient gradient = {};
  /// Of a matrix product of the first two inputs, whose gradient is one such product for each of
  /// them. Null for others.
  std::int64_t (*multiply_adds)(const Shapes& inputs, const Shapes& outputs) = nullptr;
  /// Floating-point operations of others that count against a processor's limit; null: everything
  /// waits for memory.
  double (*flops)(const Shapes& outputs, const Detail& detail) = nullptr;
};

}  // namespace medurwkv::plan
