#include "onnx/graph.h"

#include <array>
#include <type_traits>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::onnx {
namespace {

/// Numbers of fields, from onnx.proto.
namespace graph_field {
enum { node = 1, name = 2, initializer = 5, input = 11, output = 12 };
}
namespace node_field {
enum { input = 1, output = 2, name = 3, op_type = 4, attribute = 5 };
}
namespace attribute_field {
enum { name = 1, real = 2, number = 3, text = 4, numbers = 8, type = 20 };
}
namespace tensor_field {
enum { side = 1, type = 2, name = 8, raw = 9 };
}

Message as_message(const Attribute& attribute) {
  enum : std::int64_t { real_type = 1, number_type = 2, text_type = 3, numbers_type = 7 };
  namespace field = attribute_field;
  Message out;
  out.text(field::name, attribute.name);
  std::visit(
      [&](const auto& value) {
        using Value = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, std::int64_t>) {
          out.number(field::number, value).number(field::type, number_type);
        } else if constexpr (std::is_same_v<Value, float>) {
          out.real(field::real, value).number(field::type, real_type);
        } else if constexpr (std::is_same_v<Value, std::string>) {
          out.text(field::text, value).number(field::type, text_type);
        } else {
          for (const std::int64_t one : value) out.number(field::numbers, one);
          out.number(field::type, numbers_type);
        }
      },
      attribute.value);
  return out;
}

Message tensor_head(const std::string& name, Type type, const Shape& shape) {
  Message out;
  for (const std::int64_t side : shape) out.number(tensor_field::side, side);
  out.number(tensor_field::type, static_cast<std::int64_t>(type));
  out.text(tensor_field::name, name);
  return out;
}

template <class Numbers>
std::string_view bytes_of(const Numbers& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0])};
}

/// A ValueInfoProto.
Message value_info(const Name& name, Type type, const std::vector<Side>& sides) {
  Message shape;
  for (const Side& side : sides) {
    Message one;
    if (const auto* length = std::get_if<std::int64_t>(&side)) {
      one.number(1, *length);
    } else {
      one.text(2, std::get<std::string>(side));
    }
    shape.message(1, one);
  }
  const Message tensor = Message().number(1, static_cast<std::int64_t>(type)).message(2, shape);
  return Message().text(1, name).message(2, Message().message(1, tensor));
}

}  // namespace

Name Graph::node(const char* op, const std::vector<Name>& inputs,
                 const std::vector<Attribute>& attributes) {
  std::string key = concat(op, "(", join(inputs, ","), ")");
  for (const Attribute& one : attributes) key += as_message(one).bytes();
  const auto known = made_.find(key);
  if (known != made_.end()) return known->second;
  const std::string kind = concat(stage_, "/", op);
  Name name = concat(kind, "_", named_[kind]++);
  node_named(name, op, inputs, attributes);
  made_.emplace(std::move(key), name);
  return name;
}

void Graph::node_named(const Name& output, const char* op, const std::vector<Name>& inputs,
                       const std::vector<Attribute>& attributes) {
  Message message;
  for (const Name& input : inputs) message.text(node_field::input, input);
  message.text(node_field::output, output).text(node_field::name, output);
  message.text(node_field::op_type, op);
  for (const Attribute& one : attributes) {
    message.message(node_field::attribute, as_message(one));
  }
  nodes_ += Message().message(graph_field::node, message).bytes();
  ++node_count_;
}

Name Graph::whole_numbers(const std::vector<std::int64_t>& values) {
  return constant(Type::int64, {std::ssize(values)}, bytes_of(values));
}

Name Graph::whole_number(std::int64_t value) {
  return constant(Type::int64, {}, bytes_of(std::array{value}));
}

Name Graph::number(float value) {
  return constant(Type::float32, {}, bytes_of(std::array{value}));
}

Name Graph::numbers(const std::vector<float>& values, const Shape& shape) {
  return constant(Type::float32, shape, bytes_of(values));
}

Name Graph::constant(Type type, const Shape& shape, std::string_view bytes) {
  std::string key = tensor_head("", type, shape).text(tensor_field::raw, bytes).bytes();
  const auto known = constants_.find(key);
  if (known != constants_.end()) return known->second;
  Name name = concat("constant_", constants_.size());
  Message message = tensor_head(name, type, shape);
  message.text(tensor_field::raw, bytes);
  small_ += Message().message(graph_field::initializer, message).bytes();
  constants_.emplace(std::move(key), name);
  return name;
}

Name Graph::parameter(const std::string& name, const Shape& shape, std::span<const float> values,
                      bool transposed) {
  Name own = transposed ? concat(name, ".T") : name;
  parameters_.try_emplace(own, Initializer{own, shape, values, transposed});
  return own;
}

void Graph::input(const Name& name, Type type, const std::vector<Side>& sides) {
  inputs_ += Message().message(graph_field::input, value_info(name, type, sides)).bytes();
}

void Graph::output(const Name& name, Type type, const std::vector<Side>& sides) {
  outputs_ += Message().message(graph_field::output, value_info(name, type, sides)).bytes();
}

Message Graph::head_of(const Initializer& one) {
  Shape shape = one.shape;
  if (one.transposed) std::swap(shape.at(0), shape.at(1));
  Message tensor = tensor_head(one.name, Type::float32, shape);
  tensor.head(tensor_field::raw, one.values.size_bytes());
  Message out;
  out.head(graph_field::initializer, tensor.bytes().size() + one.values.size_bytes());
  return out.append(tensor);
}

std::string Graph::rest() const {
  return concat(nodes_, Message().text(graph_field::name, "medurwkv").bytes(), small_, inputs_,
                outputs_);
}

std::uint64_t Graph::size() const {
  std::uint64_t out = rest().size();
  for (const auto& [name, one] : parameters_) {
    out += head_of(one).bytes().size() + one.values.size_bytes();
  }
  return out;
}

void Graph::write(const std::function<void(std::string_view)>& append) const {
  append(rest());
  std::vector<float> turned;
  for (const auto& [name, one] : parameters_) {
    append(head_of(one).bytes());
    if (!one.transposed) {
      append(bytes_of(one.values));
      continue;
    }
    const auto rows = static_cast<std::size_t>(one.shape.at(0));
    const auto columns = static_cast<std::size_t>(one.shape.at(1));
    turned.resize(one.values.size());
    for (std::size_t c = 0; c < columns; ++c) {
      for (std::size_t r = 0; r < rows; ++r) turned[c * rows + r] = one.values[r * columns + c];
    }
    append(bytes_of(turned));
  }
}

}  // namespace medurwkv::onnx
