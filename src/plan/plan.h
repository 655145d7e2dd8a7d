// A network as a list of operations with shapes: what counting, memory, rooflines and execution
// work from. Relies on plan/op_type.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "net/parameters.h"
#include "plan/op_type.h"

namespace medurwkv::plan {

/// Index into Plan::values.
using ValueId = std::int64_t;

enum class NumberType { float32, bfloat16, int8, uint8 };

std::int64_t bytes_of(NumberType type);

/// How an engine holds a value's numbers.
struct Held {
  NumberType type = NumberType::float32;
  double step = 1;  ///< of int8 and uint8: what 1 stands for

  bool operator==(const Held&) const = default;
};

struct Value {
  Shape shape;
  /// Index into Plan::parameters when the value is one.
  std::optional<std::size_t> parameter;
  Held held = {};
};

struct Operation {
  const OpType* type = nullptr;
  std::size_t stage = 0;  ///< index into Plan::stages
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  Detail detail;
  std::int64_t multiply_adds = 0;

  [[nodiscard]] bool is(const OpType& other) const { return type == &other; }
  /// Of an operation with one output.
  [[nodiscard]] ValueId output() const { return outputs.front(); }
};

/// Operations in the order of execution.
struct Plan {
  std::vector<net::ParameterSpec> parameters;  ///< in the order of first use
  std::vector<std::string> stages;
  std::vector<Value> values;
  std::vector<Operation> operations;
  ValueId input = 0;
  std::vector<ValueId> outputs;  ///< logits, or f1..f4 of an encoder

  [[nodiscard]] const Value& value(ValueId id) const {
    return values[static_cast<std::size_t>(id)];
  }
  [[nodiscard]] const Shape& shape(ValueId id) const { return value(id).shape; }
  [[nodiscard]] bool is_parameter(ValueId id) const { return value(id).parameter.has_value(); }
  /// Shapes of several values.
  [[nodiscard]] Shapes shapes(const std::vector<ValueId>& ids) const;

  ValueId add_value(Shape shape);
  /// Appends an operation of the last stage; its outputs are new values. Throws an internal Error
  /// for inputs that do not fit.
  std::vector<ValueId> add(const OpType& type, std::vector<ValueId> inputs, Detail detail = {});
};

/// Records `config` for an input of batch x config.channels x height x width.
Plan record(const net::NetworkConfig& config, std::int64_t batch, std::int64_t height,
            std::int64_t width);

/// The same with the encoder's maps f1..f4 as outputs, where there are some, before the logits.
Plan record_with_maps(const net::NetworkConfig& config, std::int64_t batch, std::int64_t height,
                      std::int64_t width);

/// The parameters (and buffers) of `config`, in the order of first use. No shape of theirs depends
/// on the size of the input.
std::vector<net::ParameterSpec> parameters_of(const net::NetworkConfig& config);

}  // namespace medurwkv::plan
