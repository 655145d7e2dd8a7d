// Python pickles (protocols 2 to 5) read as data. Relies on core and weights/budget.h.
//
// A pickle is a program for a stack machine, and Python's own reader lets it call whatever it
// names. This one knows a closed set of opcodes and a closed list of globals, and calls nothing:
// applying a global gives an inert Node that says which global and which arguments. What these mean
// is the caller's business. Opcodes and their arguments: Python's Lib/pickletools.py.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/budget.h"

namespace medurwkv::weights {

enum class ValueKind : std::uint8_t {
  none,
  boolean,
  integer,
  big_integer,  ///< beyond 64 bits; its value is not kept
  real,
  text,
  bytes,
  global,
  node,
};

/// One value of a pickle. Texts and bytes lie in the pickle's stream, nodes in Pickle::nodes.
struct Value {
  ValueKind kind = ValueKind::none;
  std::uint32_t length = 0;  ///< of a text or bytes
  std::uint64_t bits = 0;    ///< the number, or where the text, node or global is
};

enum class NodeKind : std::uint8_t {
  list,
  tuple,
  dict,
  set,
  object,      ///< a global applied to arguments
  persistent,  ///< a reference to something outside of the pickle; `arguments` names it
};

struct Node {
  NodeKind kind = NodeKind::list;
  std::uint32_t global = 0;  ///< of an object: which of the known globals
  Value arguments = {};      ///< of an object, a tuple
  Value state = {};          ///< of an object, what was set with BUILD
  /// Elements; of a dict key, value, key, value ... in the order they were set. Objects can have
  /// them too: those that behave as dicts do.
  std::vector<Value> items = {};
};

/// A name that a pickle may mention.
struct KnownGlobal {
  std::string_view module;
  std::string_view name;
};

/// A pickle as data. It may refer to itself: walk it with a bound.
class Pickle {
 public:
  /// Reads the pickle at the start of `stream`, which must outlive this. `where` and `base` (the
  /// place of `stream` in its file) are for messages. Throws Error naming place and opcode, or the
  /// global that is not known.
  static Pickle parse(const std::string& where, std::string_view stream, std::uint64_t base,
                      std::span<const KnownGlobal> known, Budget& budget);

  [[nodiscard]] const Value& root() const { return root_; }
  /// Bytes of the stream up to and with its STOP.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] const std::deque<Node>& nodes() const { return nodes_; }

  /// The node of a value of kind node.
  [[nodiscard]] const Node& node(const Value& value) const { return nodes_[value.bits]; }
  /// The text or bytes of a value of that kind.
  [[nodiscard]] std::string_view text(const Value& value) const {
    return stream_.substr(value.bits, value.length);
  }
  [[nodiscard]] bool is_text(const Value& value, std::string_view expected) const {
    return value.kind == ValueKind::text && text(value) == expected;
  }
  /// Whether it is a node of that kind.
  [[nodiscard]] bool is(const Value& value, NodeKind kind) const {
    return value.kind == ValueKind::node && node(value).kind == kind;
  }

 private:
  friend class PickleMachine;
  std::string_view stream_;
  std::deque<Node> nodes_;
  Value root_;
  std::uint64_t size_ = 0;
};

}  // namespace medurwkv::weights
