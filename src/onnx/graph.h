// An ONNX graph that grows node by node (https://onnx.ai/onnx/repo-docs/IR.html). Relies on
// onnx/message.h and core/shape.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/shape.h"
#include "onnx/message.h"

namespace medurwkv::onnx {

/// Number of a type of ONNX's TensorProto.
enum class Type : std::int64_t { float32 = 1, uint8 = 2, int64 = 7 };

struct Attribute {
  const char* name;
  std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>> value;
};

/// A value of the graph: the name of a node's output, an initializer or an input.
using Name = std::string;

/// One side of an input or output: its length, or the name of one that may vary.
using Side = std::variant<std::int64_t, std::string>;

class Graph {
 public:
  /// The following nodes have this name in front of theirs.
  void begin_stage(const std::string& stage) { stage_ = stage; }

  /// A node of one output. Equal nodes are made once.
  Name node(const char* op, const std::vector<Name>& inputs,
            const std::vector<Attribute>& attributes = {});
  /// The same, with an output of that name.
  void node_named(const Name& output, const char* op, const std::vector<Name>& inputs,
                  const std::vector<Attribute>& attributes = {});

  Name whole_numbers(const std::vector<std::int64_t>& values);  ///< an array of them
  Name whole_number(std::int64_t value);                        ///< without sides
  Name number(float value);                                     ///< the same
  Name numbers(const std::vector<float>& values, const Shape& shape);

  /// A parameter of the network. `values` live until the graph is written. A transposed one is a
  /// matrix, stored as shape[1] x shape[0].
  Name parameter(const std::string& name, const Shape& shape, std::span<const float> values,
                 bool transposed = false);

  void input(const Name& name, Type type, const std::vector<Side>& sides);
  void output(const Name& name, Type type, const std::vector<Side>& sides);

  /// Without the initializers' numbers: two graphs with the same are the same computation.
  [[nodiscard]] const std::string& nodes() const { return nodes_; }

  [[nodiscard]] std::size_t node_count() const { return node_count_; }

  /// Bytes of what write() gives.
  [[nodiscard]] std::uint64_t size() const;
  /// A GraphProto in pieces.
  void write(const std::function<void(std::string_view)>& append) const;

 private:
  struct Initializer {
    std::string name;
    Shape shape;
    std::span<const float> values;
    bool transposed = false;
  };
  Name constant(Type type, const Shape& shape, std::string_view bytes);
  /// All before the numbers.
  [[nodiscard]] static Message head_of(const Initializer& one);
  [[nodiscard]] std::string rest() const;

  std::string stage_;
  std::string nodes_;  ///< fields of a GraphProto
  std::size_t node_count_ = 0;
  std::map<std::string, Name> made_;          ///< by what a node is
  std::map<std::string, std::size_t> named_;  ///< how many nodes have a name before its number
  std::string small_;                         ///< initializers with their numbers: fields
  std::map<std::string, Name> constants_;     ///< by type, sides and numbers
  std::map<std::string, Initializer> parameters_;
  std::string inputs_, outputs_;
};

}  // namespace medurwkv::onnx
