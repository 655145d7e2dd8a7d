#include "weights/pickle.h"

#include <algorithm>
#include <unordered_map>

#include "core/error.h"
#include "core/little_endian.h"
#include "core/text.h"

namespace medurwkv::weights {
namespace {

/// The opcodes that are carried out, by their bytes in Lib/pickletools.py.
enum class Op : unsigned char {
  mark = '(',
  stop = '.',
  pop = '0',
  pop_mark = '1',
  dup = '2',
  proto = 0x80,
  frame = 0x95,
  none = 'N',
  new_true = 0x88,
  new_false = 0x89,
  bin_int = 'J',
  bin_int1 = 'K',
  bin_int2 = 'M',
  long1 = 0x8a,
  long4 = 0x8b,
  bin_float = 'G',
  bin_string = 'T',
  short_bin_string = 'U',
  bin_unicode = 'X',
  short_bin_unicode = 0x8c,
  bin_unicode8 = 0x8d,
  bin_bytes = 'B',
  short_bin_bytes = 'C',
  bin_bytes8 = 0x8e,
  byte_array8 = 0x96,
  empty_list = ']',
  append = 'a',
  appends = 'e',
  list = 'l',
  empty_tuple = ')',
  tuple = 't',
  tuple1 = 0x85,
  tuple2 = 0x86,
  tuple3 = 0x87,
  empty_dict = '}',
  dict = 'd',
  set_item = 's',
  set_items = 'u',
  empty_set = 0x8f,
  add_items = 0x90,
  frozen_set = 0x91,
  bin_get = 'h',
  long_bin_get = 'j',
  bin_put = 'q',
  long_bin_put = 'r',
  memoize = 0x94,
  global = 'c',
  stack_global = 0x93,
  reduce = 'R',
  new_object = 0x81,
  build = 'b',
  bin_pers_id = 'Q',
};

/// More than any checkpoint has by far; bounds the time.
constexpr std::uint64_t most_steps = 1 << 23;
constexpr std::uint64_t longest_text = 0xffffffff;
constexpr std::uint64_t longest_name = 512;
constexpr int newest_protocol = 5;

std::string hex(unsigned char byte) {
  constexpr std::string_view digits = "0123456789abcdef";
  return {'0', 'x', digits[byte >> 4U], digits[byte & 15U]};
}

}  // namespace

class PickleMachine {
 public:
  PickleMachine(const std::string& where, std::string_view stream, std::uint64_t base,
                std::span<const KnownGlobal> known, Budget& budget)
      : where_(where), stream_(stream), base_(base), known_(known), budget_(budget) {}

  Pickle run() {
    if (stream_.size() < 2 || stream_[0] != static_cast<char>(Op::proto)) {
      fail("it does not begin with a protocol number; protocols before 2 are not read");
    }
    out_.stream_ = stream_;
    for (std::uint64_t steps = 0; steps < most_steps; ++steps) {
      op_at_ = at_;
      const auto op = static_cast<Op>(byte());
      if (op == Op::stop) return finish();
      step(op);
    }
    fail(concat("it has more than ", most_steps, " opcodes"));
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw_failure(concat(where_, ": byte ", base_ + op_at_, ": ", what));
  }

  Pickle finish() {
    if (stack_.size() != 1 || !marks_.empty()) {
      fail(concat("the pickle stops with ", stack_.size(), " values on its stack, expected 1"));
    }
    out_.root_ = stack_.back();
    out_.size_ = at_;
    return std::move(out_);
  }

  // --- the stream ------------------------------------------------------------------------------

  void need(std::uint64_t bytes) const {
    if (!lies_within(at_, bytes, stream_.size())) {
      fail(concat("the pickle ends within an opcode that takes ", bytes, " bytes; ",
                  stream_.size() - at_, " follow"));
    }
  }
  unsigned char byte() {
    need(1);
    return static_cast<unsigned char>(stream_[at_++]);
  }
  template <class Number>
  Number number() {
    need(sizeof(Number));
    const auto out = number_at<Number>(stream_, at_);
    at_ += sizeof(Number);
    return out;
  }
  Value slice(ValueKind kind, std::uint64_t length) {
    if (length > longest_text) fail(concat("a text of ", length, " bytes"));
    need(length);
    const Value out{.kind = kind, .length = static_cast<std::uint32_t>(length), .bits = at_};
    at_ += length;
    return out;
  }
  std::string_view line() {
    const std::size_t end = stream_.substr(at_, longest_name).find('\n');
    if (end == std::string_view::npos) fail("a global's name without an end");
    const std::string_view out = stream_.substr(at_, end);
    at_ += end + 1;
    return out;
  }
  /// A two's complement number of any length, little endian.
  Value long_integer(std::uint64_t length) {
    need(length);
    const std::string_view bytes = stream_.substr(at_, length);
    at_ += length;
    Value out{.kind = ValueKind::integer};
    if (length > sizeof(out.bits)) {
      out.kind = ValueKind::big_integer;
      return out;
    }
    const bool negative = length > 0 && (static_cast<unsigned char>(bytes.back()) & 0x80U) != 0;
    if (negative) out.bits = ~std::uint64_t{0};
    bytes.copy(reinterpret_cast<char*>(&out.bits), length);
    return out;
  }
  /// Eight bytes, big endian.
  Value real() {
    need(8);
    Value out{.kind = ValueKind::real};
    for (int i = 0; i < 8; ++i) out.bits = out.bits << 8U | byte();
    return out;
  }

  // --- the stack -------------------------------------------------------------------------------

  template <class Element>
  void grow(std::vector<Element>& list, Element element, const char* what) {
    if (list.size() == list.capacity()) {
      const std::size_t room = std::max<std::size_t>(2, 2 * list.size());
      budget_.charge(room * sizeof(Element) + 16, what);
      list.reserve(room);
    }
    list.push_back(element);
  }
  void push(const Value& value) { grow(stack_, value, "values of its pickle"); }
  void push_integer(std::int64_t value) {
    push({.kind = ValueKind::integer, .bits = static_cast<std::uint64_t>(value)});
  }
  /// Values above the last mark.
  [[nodiscard]] std::size_t available() const {
    return stack_.size() - (marks_.empty() ? 0 : marks_.back());
  }
  void need_values(std::size_t count) const {
    if (available() < count) {
      fail(concat("an opcode takes ", count, " values; the stack has ", available()));
    }
  }
  Value pop() {
    need_values(1);
    const Value out = stack_.back();
    stack_.pop_back();
    return out;
  }
  Value& top() {
    need_values(1);
    return stack_.back();
  }
  std::uint64_t add_node(NodeKind kind) {
    budget_.charge(sizeof(Node) + 16, "containers of its pickle");
    out_.nodes_.push_back({.kind = kind});
    return out_.nodes_.size() - 1;
  }
  Node& push_node(NodeKind kind) {
    push({.kind = ValueKind::node, .bits = add_node(kind)});
    return out_.nodes_.back();
  }
  /// Forgets the last mark and returns where the values above it begin.
  std::size_t take_mark() {
    if (marks_.empty()) fail("an opcode needs a mark that is not there");
    const std::size_t out = marks_.back();
    marks_.pop_back();
    return out;
  }
  /// Moves the stack's values from `start` on to the end of the items of node `index`.
  void move_items(std::uint64_t index, std::size_t start) {
    std::vector<Value>& items = out_.nodes_[index].items;
    for (std::size_t i = start; i < stack_.size(); ++i) {
      grow(items, stack_[i], "items of its pickle");
    }
    stack_.resize(start);
  }
  /// A new node of the stack's values from `start` on.
  void collect(NodeKind kind, std::size_t start) {
    if (kind == NodeKind::dict && (stack_.size() - start) % 2 != 0) fail("a key without a value");
    const std::uint64_t index = add_node(kind);
    move_items(index, start);
    push({.kind = ValueKind::node, .bits = index});
  }
  void collect_last(std::size_t count) {
    need_values(count);
    collect(NodeKind::tuple, stack_.size() - count);
  }
  /// Adds the stack's values from `start` on to the container below them.
  void extend(std::size_t start, std::initializer_list<NodeKind> allowed, bool pairs) {
    if (start == 0 || (!marks_.empty() && start <= marks_.back())) {
      fail("items without a container");
    }
    const Value container = stack_[start - 1];
    const bool fits =
        container.kind == ValueKind::node &&
        std::find(allowed.begin(), allowed.end(), out_.node(container).kind) != allowed.end();
    if (!fits) fail("items added to something that takes none of that kind");
    if (pairs && (stack_.size() - start) % 2 != 0) fail("a key without a value");
    move_items(container.bits, start);
  }

  // --- memo, globals, objects ------------------------------------------------------------------

  void get(std::uint32_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) fail(concat("memo entry ", index, " was never put"));
    push(found->second);
  }
  void put(std::uint32_t index) {
    budget_.charge(64, "the memo of its pickle");
    memo_[index] = top();
  }
  void push_global(std::string_view module, std::string_view name) {
    for (std::size_t i = 0; i < known_.size(); ++i) {
      if (known_[i].module == module && known_[i].name == name) {
        push({.kind = ValueKind::global, .bits = i});
        return;
      }
    }
    fail(concat("it names '", shown(module), ".", shown(name),
                "', which does not belong in a file of weights; nothing was executed. "
                "Save the state dict alone: torch.save(model.state_dict(), ...)"));
  }
  void stack_global() {
    const Value name = pop();
    const Value module = pop();
    if (module.kind != ValueKind::text || name.kind != ValueKind::text) {
      fail("a global whose name is not a string");
    }
    push_global(out_.text(module), out_.text(name));
  }
  void apply() {
    const Value arguments = pop();
    const Value global = pop();
    if (global.kind != ValueKind::global) fail("a call of something that is not a known global");
    if (!out_.is(arguments, NodeKind::tuple)) fail("arguments that are not a tuple");
    Node& node = push_node(NodeKind::object);
    node.global = static_cast<std::uint32_t>(global.bits);
    node.arguments = arguments;
  }
  void build() {
    const Value state = pop();
    if (!out_.is(top(), NodeKind::object)) fail("the state of something that has none");
    out_.nodes_[top().bits].state = state;
  }
  void persistent() {
    const Value name = pop();
    push_node(NodeKind::persistent).arguments = name;
  }

  // --- one opcode ------------------------------------------------------------------------------

  void step(Op op) {
    if (!step_plain(op) && !step_text(op) && !step_container(op) && !step_object(op)) {
      fail(concat("opcode ", hex(static_cast<unsigned char>(op)),
                  " is not one that weights are made with"));
    }
  }

  bool step_plain(Op op) {
    switch (op) {
      case Op::proto: {
        const int protocol = byte();
        if (protocol < 2 || protocol > newest_protocol) {
          fail(concat("protocol ", protocol, "; 2 to ", newest_protocol, " are read"));
        }
        return true;
      }
      case Op::frame: need(number<std::uint64_t>()); return true;
      case Op::mark:
        grow(marks_, static_cast<std::uint32_t>(stack_.size()), "marks of its pickle");
        return true;
      case Op::pop: pop(); return true;
      case Op::pop_mark: stack_.resize(take_mark()); return true;
      case Op::dup: push(Value(top())); return true;
      case Op::none: push({}); return true;
      case Op::new_true: push({.kind = ValueKind::boolean, .bits = 1}); return true;
      case Op::new_false: push({.kind = ValueKind::boolean}); return true;
      case Op::bin_int: push_integer(number<std::int32_t>()); return true;
      case Op::bin_int1: push_integer(byte()); return true;
      case Op::bin_int2: push_integer(number<std::uint16_t>()); return true;
      case Op::long1: push(long_integer(byte())); return true;
      case Op::long4: push(long_integer(number<std::uint32_t>())); return true;
      case Op::bin_float: push(real()); return true;
      case Op::bin_get: get(byte()); return true;
      case Op::long_bin_get: get(number<std::uint32_t>()); return true;
      case Op::bin_put: put(byte()); return true;
      case Op::long_bin_put: put(number<std::uint32_t>()); return true;
      case Op::memoize: put(static_cast<std::uint32_t>(memo_.size())); return true;
      default: return false;
    }
  }

  bool step_text(Op op) {
    switch (op) {
      case Op::bin_string:
      case Op::bin_unicode: push(slice(ValueKind::text, number<std::uint32_t>())); return true;
      case Op::short_bin_string:
      case Op::short_bin_unicode: push(slice(ValueKind::text, byte())); return true;
      case Op::bin_unicode8: push(slice(ValueKind::text, number<std::uint64_t>())); return true;
      case Op::bin_bytes: push(slice(ValueKind::bytes, number<std::uint32_t>())); return true;
      case Op::short_bin_bytes: push(slice(ValueKind::bytes, byte())); return true;
      case Op::bin_bytes8:
      case Op::byte_array8: push(slice(ValueKind::bytes, number<std::uint64_t>())); return true;
      default: return false;
    }
  }

  bool step_container(Op op) {
    using enum NodeKind;
    switch (op) {
      case Op::empty_list: push_node(list); return true;
      case Op::empty_tuple: push_node(tuple); return true;
      case Op::empty_dict: push_node(dict); return true;
      case Op::empty_set: push_node(set); return true;
      case Op::list: collect(list, take_mark()); return true;
      case Op::tuple: collect(tuple, take_mark()); return true;
      case Op::dict: collect(dict, take_mark()); return true;
      case Op::frozen_set: collect(set, take_mark()); return true;
      case Op::tuple1: collect_last(1); return true;
      case Op::tuple2: collect_last(2); return true;
      case Op::tuple3: collect_last(3); return true;
      case Op::append:
        need_values(2);
        extend(stack_.size() - 1, {list}, false);
        return true;
      case Op::appends: extend(take_mark(), {list}, false); return true;
      case Op::add_items: extend(take_mark(), {set}, false); return true;
      case Op::set_item:
        need_values(3);
        extend(stack_.size() - 2, {dict, object}, true);
        return true;
      case Op::set_items: extend(take_mark(), {dict, object}, true); return true;
      default: return false;
    }
  }

  bool step_object(Op op) {
    switch (op) {
      case Op::global: {
        const std::string_view module = line();
        const std::string_view name = line();
        push_global(module, name);
        return true;
      }
      case Op::stack_global: stack_global(); return true;
      case Op::reduce:
      case Op::new_object: apply(); return true;
      case Op::build: build(); return true;
      case Op::bin_pers_id: persistent(); return true;
      default: return false;
    }
  }

  const std::string& where_;
  std::string_view stream_;
  std::uint64_t base_;
  std::span<const KnownGlobal> known_;
  Budget& budget_;
  Pickle out_;
  std::uint64_t at_ = 0;
  std::uint64_t op_at_ = 0;
  std::vector<Value> stack_;
  std::vector<std::uint32_t> marks_;
  std::unordered_map<std::uint32_t, Value> memo_;
};

Pickle Pickle::parse(const std::string& where, std::string_view stream, std::uint64_t base,
                     std::span<const KnownGlobal> known, Budget& budget) {
  return PickleMachine(where, stream, base, known, budget).run();
}

}  // namespace medurwkv::weights
