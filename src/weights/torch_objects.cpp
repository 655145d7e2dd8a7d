#include "weights/torch_objects.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::weights {
namespace {

/// What a known global is good for.
enum class Role : std::uint8_t {
  tensor,      ///< builds a tensor: (storage, offset, shape, strides, ...)
  parameter,   ///< wraps a tensor: (tensor, requires_grad, ...)
  typed,       ///< builds a tensor of a subclass: (builder, type, arguments, state)
  storage,     ///< a storage's type
  size,        ///< torch.Size: (tuple)
  dictionary,  ///< a dict, with items
  name_space,  ///< a bag of attributes: its state is a dict
  attribute,   ///< getattr, on a HistoryBuffer alone
  history,     ///< mmengine's HistoryBuffer
  opaque,      ///< carries no tensors; not looked into
};

struct Meaning {
  KnownGlobal global;
  Role role;
  DType type = DType::f32;
};

constexpr std::array meanings{
    Meaning{{"torch._utils", "_rebuild_tensor_v2"}, Role::tensor},
    Meaning{{"torch._utils", "_rebuild_tensor"}, Role::tensor},
    Meaning{{"torch._utils", "_rebuild_parameter"}, Role::parameter},
    Meaning{{"torch._utils", "_rebuild_parameter_with_state"}, Role::parameter},
    Meaning{{"torch._tensor", "_rebuild_from_type_v2"}, Role::typed},
    Meaning{{"torch", "DoubleStorage"}, Role::storage, DType::f64},
    Meaning{{"torch", "FloatStorage"}, Role::storage, DType::f32},
    Meaning{{"torch", "HalfStorage"}, Role::storage, DType::f16},
    Meaning{{"torch", "BFloat16Storage"}, Role::storage, DType::bf16},
    Meaning{{"torch", "LongStorage"}, Role::storage, DType::i64},
    Meaning{{"torch", "IntStorage"}, Role::storage, DType::i32},
    Meaning{{"torch", "ShortStorage"}, Role::storage, DType::i16},
    Meaning{{"torch", "CharStorage"}, Role::storage, DType::i8},
    Meaning{{"torch", "ByteStorage"}, Role::storage, DType::u8},
    Meaning{{"torch", "BoolStorage"}, Role::storage, DType::boolean},
    Meaning{{"torch", "Size"}, Role::size},
    Meaning{{"collections", "OrderedDict"}, Role::dictionary},
    Meaning{{"collections", "defaultdict"}, Role::dictionary},
    Meaning{{"collections", "Counter"}, Role::dictionary},
    // Swin's and InternImage's training scripts keep their configuration as this kind of dict.
    Meaning{{"yacs.config", "CfgNode"}, Role::dictionary},
    Meaning{{"argparse", "Namespace"}, Role::name_space},
    // mmengine's message hub: scalars' history, with its methods as getattr(HistoryBuffer, name).
    Meaning{{"mmengine.logging.history_buffer", "HistoryBuffer"}, Role::history},
    Meaning{{"__builtin__", "getattr"}, Role::attribute},
    Meaning{{"builtins", "getattr"}, Role::attribute},
    Meaning{{"torch", "Tensor"}, Role::opaque},
    Meaning{{"torch.nn.parameter", "Parameter"}, Role::opaque},
    Meaning{{"torch", "device"}, Role::opaque},
    Meaning{{"torch", "float64"}, Role::opaque},
    Meaning{{"torch", "float32"}, Role::opaque},
    Meaning{{"torch", "float16"}, Role::opaque},
    Meaning{{"torch", "bfloat16"}, Role::opaque},
    Meaning{{"torch", "int64"}, Role::opaque},
    Meaning{{"torch", "int32"}, Role::opaque},
    Meaning{{"torch", "int16"}, Role::opaque},
    Meaning{{"torch", "int8"}, Role::opaque},
    Meaning{{"torch", "uint8"}, Role::opaque},
    Meaning{{"torch", "bool"}, Role::opaque},
    Meaning{{"numpy", "dtype"}, Role::opaque},
    Meaning{{"numpy", "ndarray"}, Role::opaque},
    Meaning{{"numpy.core.multiarray", "scalar"}, Role::opaque},
    Meaning{{"numpy.core.multiarray", "_reconstruct"}, Role::opaque},
    Meaning{{"numpy._core.multiarray", "scalar"}, Role::opaque},
    Meaning{{"numpy._core.multiarray", "_reconstruct"}, Role::opaque},
    Meaning{{"_codecs", "encode"}, Role::opaque},
    // Under these names Python 3 writes its own types into protocol 2; later ones say builtins.
    Meaning{{"__builtin__", "set"}, Role::opaque},
    Meaning{{"__builtin__", "frozenset"}, Role::opaque},
    Meaning{{"__builtin__", "list"}, Role::opaque},
    Meaning{{"__builtin__", "dict"}, Role::opaque},
    Meaning{{"__builtin__", "tuple"}, Role::opaque},
    Meaning{{"__builtin__", "int"}, Role::opaque},
    Meaning{{"__builtin__", "float"}, Role::opaque},
    Meaning{{"__builtin__", "bool"}, Role::opaque},
    Meaning{{"__builtin__", "str"}, Role::opaque},
    Meaning{{"__builtin__", "bytes"}, Role::opaque},
    Meaning{{"builtins", "set"}, Role::opaque},
    Meaning{{"builtins", "frozenset"}, Role::opaque},
    Meaning{{"builtins", "list"}, Role::opaque},
    Meaning{{"builtins", "dict"}, Role::opaque},
    Meaning{{"builtins", "tuple"}, Role::opaque},
    Meaning{{"builtins", "int"}, Role::opaque},
    Meaning{{"builtins", "float"}, Role::opaque},
    Meaning{{"builtins", "bool"}, Role::opaque},
    Meaning{{"builtins", "str"}, Role::opaque},
    Meaning{{"builtins", "bytes"}, Role::opaque},
};

constexpr auto known_globals = [] {
  std::array<KnownGlobal, meanings.size()> out;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = meanings[i].global;
  return out;
}();

constexpr int deepest = 64;
/// Containers may be shared, so that a small pickle can have paths without number. A path costs as
/// much as looking at 32 items; this bounds the time to about a second.
constexpr std::uint64_t most_work = 1 << 24;
constexpr std::uint64_t work_of_path = 32;
constexpr std::size_t highest_rank = 64;

class Reader {
 public:
  Reader(const std::string& where, const Pickle& pickle, Budget& budget)
      : where_(where), pickle_(pickle), budget_(budget) {}

  TorchObjects read() {
    for (const Node& node : pickle_.nodes()) check(node);
    walk(pickle_.root(), "", 0);
    if (out_.tensors.empty()) fail("it holds no tensors");
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw_failure(concat(where_, ": ", shown(what)));
  }

  [[nodiscard]] static Role role(const Node& object) { return meanings[object.global].role; }
  [[nodiscard]] bool names(const Value& value, Role expected) const {
    return value.kind == ValueKind::global && meanings[value.bits].role == expected;
  }
  /// The arguments of an object; fails when there are fewer than `least`.
  [[nodiscard]] const std::vector<Value>& arguments(const Node& object, std::size_t least) const {
    const std::vector<Value>& out = pickle_.node(object.arguments).items;
    if (out.size() < least) {
      const KnownGlobal& global = meanings[object.global].global;
      fail(concat(global.module, ".", global.name, " is given ", out.size(),
                  " arguments, expected ", least));
    }
    return out;
  }

  /// Rules for every node, wherever it hangs.
  void check(const Node& node) {
    if (node.kind == NodeKind::persistent) storage(node);
    if (node.kind == NodeKind::object && role(node) == Role::attribute &&
        !names(arguments(node, 2)[0], Role::history)) {
      fail("it names 'getattr' on something else than a HistoryBuffer; nothing was executed");
    }
  }

  void spend(std::uint64_t work) {
    work_ += work;
    if (work_ > most_work) fail("its containers lead to too many places, or to each other");
  }

  // --- containers ------------------------------------------------------------------------------

  void walk(const Value& value, const std::string& path, int depth) {
    if (value.kind != ValueKind::node) return;
    if (depth > deepest) {
      fail(concat("its containers are nested deeper than ", deepest, " or contain themselves, at ",
                  path));
    }
    const Node& node = pickle_.node(value);
    spend(work_of_path + node.items.size());
    switch (node.kind) {
      case NodeKind::list:
      case NodeKind::tuple:
        for (std::size_t i = 0; i < node.items.size(); ++i) {
          // Most lists hold numbers; a path is made for what can lead on.
          if (node.items[i].kind != ValueKind::node) continue;
          walk(node.items[i], joined(path, std::to_string(i)), depth + 1);
        }
        return;
      case NodeKind::dict: walk_pairs(node.items, path, depth); return;
      case NodeKind::object: walk_object(value, node, path, depth); return;
      case NodeKind::set:
      case NodeKind::persistent: return;
    }
  }

  void walk_object(const Value& value, const Node& object, const std::string& path, int depth) {
    switch (role(object)) {
      case Role::tensor:
      case Role::parameter:
      case Role::typed: tensor(value, path); return;
      case Role::dictionary:
        walk_pairs(object.items, path, depth);
        for (const Value& argument : arguments(object, 0)) walk_initial(argument, path, depth);
        return;
      case Role::name_space: walk(object.state, path, depth + 1); return;
      default: return;
    }
  }

  /// What a dict was made of: another dict, or a list of pairs.
  void walk_initial(const Value& from, const std::string& path, int depth) {
    if (pickle_.is(from, NodeKind::dict)) walk(from, path, depth + 1);
    if (!pickle_.is(from, NodeKind::list)) return;
    spend(work_of_path + pickle_.node(from).items.size());
    for (const Value& pair : pickle_.node(from).items) {
      if (pair.kind != ValueKind::node) continue;
      const std::vector<Value>& key_and_value = pickle_.node(pair).items;
      if (key_and_value.size() == 2) walk_pairs(key_and_value, path, depth);
    }
  }

  void walk_pairs(const std::vector<Value>& pairs, const std::string& path, int depth) {
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
      if (pairs[i + 1].kind != ValueKind::node) continue;
      walk(pairs[i + 1], joined(path, key_text(pairs[i])), depth + 1);
    }
  }

  [[nodiscard]] std::string key_text(const Value& key) const {
    switch (key.kind) {
      case ValueKind::text:
      case ValueKind::bytes: return std::string(pickle_.text(key));
      case ValueKind::integer: return std::to_string(static_cast<std::int64_t>(key.bits));
      case ValueKind::boolean: return key.bits != 0 ? "True" : "False";
      case ValueKind::none: return "None";
      default: return "?";
    }
  }

  [[nodiscard]] std::string joined(const std::string& path, const std::string& key) const {
    if (path.size() + key.size() > longest_path) {
      fail(concat("it has a path longer than ", longest_path, " bytes: ", path, ".", key));
    }
    return path.empty() ? key : path + "." + key;
  }

  // --- tensors ---------------------------------------------------------------------------------

  /// The node that a builder is applied in, behind wrappers.
  [[nodiscard]] const Node& unwrapped(const Value& value, const std::string& name) const {
    Value at = value;
    for (int depth = 0; depth <= deepest; ++depth) {
      if (!pickle_.is(at, NodeKind::object)) break;
      const Node& object = pickle_.node(at);
      if (role(object) == Role::tensor) return object;
      if (role(object) != Role::parameter) break;
      at = arguments(object, 1)[0];
    }
    fail(concat("tensor ", name, " is built from something that is not a tensor"));
  }

  void tensor(const Value& value, const std::string& name) {
    if (name.empty()) fail("it is a tensor without a name; save a dict of tensors");
    const Node& outer = pickle_.node(value);
    if (role(outer) != Role::typed) {
      add_tensor(arguments(unwrapped(value, name), 4), name);
      return;
    }
    // A subclass or a tensor with attributes of its own: the builder and its arguments, apart.
    const std::vector<Value>& parts = arguments(outer, 4);
    if (names(parts[0], Role::tensor) && pickle_.is(parts[2], NodeKind::tuple) &&
        pickle_.node(parts[2]).items.size() >= 4) {
      add_tensor(pickle_.node(parts[2]).items, name);
      return;
    }
    fail(concat("tensor ", name, " is built in a way that is not read"));
  }

  void add_tensor(const std::vector<Value>& parts, const std::string& name) {
    if (!pickle_.is(parts[0], NodeKind::persistent)) {
      fail(concat("tensor ", name, " has no storage"));
    }
    StridedTensor out{.name = name, .shape = {}, .strides = {}};
    const View view = storage(pickle_.node(parts[0]));
    out.storage = view.key;
    out.type = view.storage.type;
    out.offset = whole(parts[1], name);
    out.shape = sides(parts[2], name);
    out.strides = sides(parts[3], name);
    check_extent(out, view.elements);
    out.offset += view.offset;
    budget_.charge(3 * name.size() + 32 * out.shape.size() + 512, "its tensors");
    out_.tensors.push_back(std::move(out));
  }

  /// A whole number that is not negative.
  [[nodiscard]] std::int64_t whole(const Value& value, const std::string& name) const {
    if (value.kind == ValueKind::big_integer) {
      fail(concat("tensor ", name, " has a side, stride or offset beyond 63 bits"));
    }
    const auto out = static_cast<std::int64_t>(value.bits);
    if (value.kind != ValueKind::integer || out < 0) {
      fail(concat("tensor ", name, " has a side, stride or offset that is ",
                  value.kind == ValueKind::integer ? std::to_string(out) : "not a number",
                  ", expected 0 or more"));
    }
    return out;
  }

  [[nodiscard]] Shape sides(const Value& value, const std::string& name) const {
    Value tuple = value;
    if (pickle_.is(tuple, NodeKind::object) && role(pickle_.node(tuple)) == Role::size) {
      tuple = arguments(pickle_.node(tuple), 1)[0];
    }
    if (!pickle_.is(tuple, NodeKind::tuple) || pickle_.node(tuple).items.size() > highest_rank) {
      fail(concat("tensor ", name, " has a shape or strides that are not a tuple of at most ",
                  highest_rank));
    }
    Shape out;
    for (const Value& side : pickle_.node(tuple).items) out.push_back(whole(side, name));
    return out;
  }

  /// Every element must lie within the storage's `elements`, and be countable.
  void check_extent(const StridedTensor& tensor, std::int64_t elements) const {
    if (tensor.shape.size() != tensor.strides.size()) {
      fail(concat("tensor ", tensor.name, " of shape ", shape_text(tensor.shape), " has ",
                  tensor.strides.size(), " strides"));
    }
    std::int64_t last = tensor.offset;
    std::int64_t bytes = size_of(tensor.type);
    bool counts = true;
    bool empty = false;
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
      if (tensor.shape[i] == 0) {
        empty = true;
        continue;
      }
      std::int64_t reach = 0;
      counts = counts && !__builtin_mul_overflow(bytes, tensor.shape[i], &bytes) &&
               !__builtin_mul_overflow(tensor.shape[i] - 1, tensor.strides[i], &reach) &&
               !__builtin_add_overflow(last, reach, &last);
    }
    if (!counts) {
      fail(concat("tensor ", tensor.name, " of shape ", shape_text(tensor.shape), " and strides ",
                  shape_text(tensor.strides), " has more bytes than 63 bits count"));
    }
    if (!empty && last >= elements) {
      fail(concat("tensor ", tensor.name, " of shape ", shape_text(tensor.shape), ", strides ",
                  shape_text(tensor.strides), " and offset ", tensor.offset, " reaches element ",
                  last, " of a storage of ", elements));
    }
  }

  // --- storages --------------------------------------------------------------------------------

  /// A storage, or a part of it (as PyTorch before 0.4 could refer to).
  struct View {
    std::string_view key;
    Storage storage;
    std::int64_t offset = 0;
    std::int64_t elements = 0;
  };

  /// What a persistent reference ("storage", type, key, location, elements[, view]) names.
  View storage(const Node& reference) {
    const bool tuple = pickle_.is(reference.arguments, NodeKind::tuple);
    const std::vector<Value>* parts = tuple ? &pickle_.node(reference.arguments).items : nullptr;
    if (parts == nullptr || parts->size() < 5 || !pickle_.is_text((*parts)[0], "storage")) {
      fail("it refers to something outside of its pickle that is not a storage");
    }
    const Value& type = (*parts)[1];
    const Value& key = (*parts)[2];
    const Value& elements = (*parts)[4];
    if (!names(type, Role::storage) || key.kind != ValueKind::text ||
        elements.kind != ValueKind::integer || static_cast<std::int64_t>(elements.bits) < 0) {
      fail("it describes a storage without a known type, a key or a number of elements");
    }
    View out{.key = pickle_.text(key),
             .storage = {.type = meanings[type.bits].type,
                         .elements = static_cast<std::int64_t>(elements.bits)}};
    out.elements = out.storage.elements;
    const auto found = out_.storages.find(out.key);
    if (found == out_.storages.end()) {
      budget_.charge(128, "its storages");
      out_.storages.emplace(out.key, out.storage);
    } else if (found->second.type != out.storage.type ||
               found->second.elements != out.storage.elements) {
      fail(concat("storage ", out.key, " is described as ", found->second.elements, " of ",
                  to_string(found->second.type), " and as ", out.storage.elements, " of ",
                  to_string(out.storage.type)));
    }
    if (parts->size() > 5 && (*parts)[5].kind != ValueKind::none) narrow(out, (*parts)[5]);
    return out;
  }

  /// Cuts a view (key, offset, elements) out of a storage.
  void narrow(View& view, const Value& part) const {
    const std::string name = concat("in storage ", view.key);
    if (!pickle_.is(part, NodeKind::tuple) || pickle_.node(part).items.size() != 3) {
      fail(concat("a part ", name, " is described wrongly"));
    }
    view.offset = whole(pickle_.node(part).items[1], name);
    view.elements = whole(pickle_.node(part).items[2], name);
    if (view.offset > view.storage.elements ||
        view.elements > view.storage.elements - view.offset) {
      fail(concat("a part ", name, " reaches beyond it"));
    }
  }

  static constexpr std::size_t longest_path = 1024;
  const std::string& where_;
  const Pickle& pickle_;
  Budget& budget_;
  TorchObjects out_;
  std::uint64_t work_ = 0;
};

}  // namespace

std::span<const KnownGlobal> torch_globals() {
  return known_globals;
}

TorchObjects torch_objects(const std::string& where, const Pickle& pickle, Budget& budget) {
  return Reader(where, pickle, budget).read();
}

}  // namespace medurwkv::weights
