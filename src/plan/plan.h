// A network as a list of operations with shapes: what counting, the estimate of training memory and
// the roofline work from. Relies on net.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "net/ops.h"
#include "net/parameters.h"

namespace medurwkv::plan {

/// Index into Plan::values.
using ValueId = std::int64_t;

enum class OpKind {
  linear,
  conv2d,
  conv_transpose2d,
  batch_norm,
  layer_norm,
  relu,
  gelu,
  sigmoid,
  tanh,
  squared_relu,
  add,
  subtract,
  multiply,
  scale_add,
  gate,
  shift,
  shift_mix,
  bi_wkv,
  deform_attn,
  max_pool,
  concat,
  slice,
  row,
  resize,
  expand,
  to_tokens,
  to_map,
  mean_tokens,
  pad_edge,
  crop,
};

const char* to_string(OpKind kind);

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
};

/// What an operation needs to know beside its inputs.
using Detail = std::variant<std::monostate, net::Convolution, Epsilon, Stride, Pool, Range, Resize,
                            Expand, net::Grid, net::WkvMode, net::DeformableAttention>;

struct Value {
  Shape shape;
  /// Index into Plan::parameters when the value is one.
  std::optional<std::size_t> parameter;
};

struct Operation {
  OpKind kind = OpKind::add;
  std::size_t stage = 0;  ///< index into Plan::stages
  std::vector<ValueId> inputs;
  ValueId output = 0;
  Detail detail;
  std::int64_t multiply_adds = 0;
};

/// Operations in the order of execution.
struct Plan {
  std::vector<net::ParameterSpec> parameters;  ///< in the order of first use
  std::vector<std::string> stages;
  std::vector<Value> values;
  std::vector<Operation> operations;
  ValueId input = 0;
  std::vector<ValueId> outputs;  ///< logits, or f1..f4 of an encoder
};

/// Records `config` for an input of batch x config.channels x height x width.
Plan record(const net::NetworkConfig& config, std::int64_t batch, std::int64_t height,
            std::int64_t width);

/// The parameters (and buffers) of `config`, in the order of first use. No shape of theirs depends
/// on the size of the input.
std::vector<net::ParameterSpec> parameters_of(const net::NetworkConfig& config);

}  // namespace medurwkv::plan
