#include "native/program.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "core/threads.h"
#include "native/fuse.h"
#include "native/lower.h"
#include "native/steps.h"
#include "plan/memory.h"
#include "plan/ops.h"

namespace medurwkv::native {
namespace {

using plan::Operation;
using plan::ValueId;

/// Bytes of code and tables that oneDNN makes for a network's products. A prediction with nano held
/// 25.6 MB, of which the program is 10 and weights and workspace less than 3.
constexpr std::int64_t library_bytes = 15'000'000;

plan::Plan made_ready(const plan::Plan& recorded, Precision precision, const Ranges& ranges) {
  return in_precision(fuse(lower(recorded)), precision, ranges);
}

/// Bytes from a value's first number to that of a view of it.
std::int64_t offset_of(const plan::Plan& plan, const Operation& op) {
  if (!op.is(plan::op::slice) && !op.is(plan::op::row)) return 0;
  const Shape& from = plan.shape(op.inputs.front());
  const std::int64_t inner = op.is(plan::op::row) ? from[1] : from[2];
  return plan::bytes_of(plan.value(op.output()).held.type) *
         std::get<plan::Range>(op.detail).start * inner;
}

/// An operation on what is known beforehand.
void fold(const plan::Plan& plan, const Operation& op, Arena& arena,
          std::map<ValueId, Constant>& known, const std::vector<std::int64_t>& readers) {
  const auto result = [&](ValueId id, std::span<float> numbers) {
    known[id] = {numbers, readers[static_cast<std::size_t>(id)] == 1};
  };
  const Constant& first = known.at(op.inputs.front());
  if (op.is(scaled_rows) && first.sole) {
    // Half of all weights, so without copies in float64: one product rounds alike.
    const std::span<float> scale = known.at(op.inputs[1]).numbers;
    const std::size_t row = first.numbers.size() / scale.size();
    for (std::size_t i = 0; i < scale.size(); ++i) {
      for (float& one : first.numbers.subspan(i * row, row)) one *= scale[i];
    }
    result(op.output(), first.numbers);
    return;
  }
  std::vector<plan::Array> in;
  std::vector<const plan::Array*> pointers;
  for (const ValueId id : op.inputs) {
    const std::span<float> values = known.at(id).numbers;
    in.push_back({.shape = plan.shape(id), .values = {values.begin(), values.end()}});
  }
  for (const plan::Array& one : in) pointers.push_back(&one);
  std::vector<plan::Array> out;
  for (const ValueId id : op.outputs) {
    const auto count = static_cast<std::size_t>(element_count(plan.shape(id)));
    out.push_back({.shape = plan.shape(id), .values = std::vector<double>(count)});
  }
  op.type->run(pointers, op.detail, out);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::span<float> numbers = arena.floats(std::ssize(out[i].values));
    std::copy(out[i].values.begin(), out[i].values.end(), numbers.begin());
    result(op.outputs[i], numbers);
  }
}

}  // namespace

Program::Program(const plan::Plan& recorded, Tensors tensors, Precision precision,
                 const Ranges& ranges)
    : plan_(made_ready(recorded, precision, ranges)), tensors_(std::move(tensors)) {
  tell_openmp();  // oneDNN's products are made for a number of threads
  std::vector<Place> places(plan_.values.size());
  const auto place = [&](ValueId id) -> Place& { return places[static_cast<std::size_t>(id)]; };
  // Parameters, and what follows from them alone; those that a step keeps at hand go on living.
  std::map<ValueId, Constant> known;
  const auto kept = [&](ValueId id) -> Place {
    Place& where = place(id);
    if (where.kind != Place::Kind::nowhere) return where;
    where = {.kind = Place::Kind::constant, .at = std::ssize(constants_)};
    constants_.push_back(known.at(id).numbers.data());
    return where;
  };
  std::vector<std::int64_t> readers(plan_.values.size());
  for (const Operation& op : plan_.operations) {
    for (const ValueId id : op.inputs) ++readers[static_cast<std::size_t>(id)];
  }
  for (ValueId id = 0; id < std::ssize(plan_.values); ++id) {
    const auto parameter = plan_.value(id).parameter;
    if (!parameter || plan_.parameters[*parameter].integer) continue;
    known[id] = {tensors_.at(plan_.parameters[*parameter].name),
                 readers[static_cast<std::size_t>(id)] == 1};
  }
  const plan::Layout layout = plan::lay_out(plan_);
  const plan::Lifetimes lifetimes = plan::lifetimes_of(plan_);
  place(plan_.input) = {.kind = Place::Kind::input};
  for (std::size_t i = 0; i < plan_.outputs.size(); ++i) {
    place(plan_.outputs[i]) = {.kind = Place::Kind::output, .at = static_cast<std::int64_t>(i)};
  }
  const auto held = [&](const std::vector<ValueId>& ids) {
    std::vector<plan::Held> out;
    for (const ValueId id : ids) out.push_back(plan_.value(id).held);
    return out;
  };
  std::int64_t scratch = 0;
  for (std::size_t index = 0; index < plan_.operations.size(); ++index) {
    const Operation& op = plan_.operations[index];
    const bool is_known = std::all_of(op.inputs.begin(), op.inputs.end(),
                                      [&](ValueId id) { return known.contains(id); });
    if (is_known) {
      fold(plan_, op, arena_, known, readers);
      continue;
    }
    if (op.type->view) {
      place(op.output()) = place(op.inputs.front());
      place(op.output()).offset += offset_of(plan_, op);
      continue;
    }
    for (const ValueId id : op.outputs) {
      if (place(id).kind != Place::Kind::nowhere) continue;
      place(id) = {.kind = Place::Kind::workspace,
                   .at = layout.start[static_cast<std::size_t>(id)]};
    }
    const MakeStep make = step_maker(*op.type);
    if (make == nullptr) throw_internal(concat("the engine has no operation ", op.type->name));
    StepQuestion question{.operation = op,
                          .inputs = plan_.shapes(op.inputs),
                          .outputs = plan_.shapes(op.outputs),
                          .inputs_held = held(op.inputs),
                          .outputs_held = held(op.outputs),
                          .constants = {},
                          .arena = arena_};
    for (const ValueId id : op.inputs) {
      const auto found = known.find(id);
      question.constants.push_back(found == known.end() ? Constant{} : found->second);
    }
    Ready ready{.step = make(question), .in = {}, .out = {}, .operation = index};
    for (std::size_t i = 0; i < op.inputs.size(); ++i) {
      const ValueId id = op.inputs[i];
      const bool is_packed = question.constants[i].is_known() && ready.step->packs(i);
      ready.in.push_back(is_packed ? Place{} : known.contains(id) ? kept(id) : place(id));
    }
    for (const ValueId id : op.outputs) ready.out.push_back(place(id));
    scratch = std::max(scratch, ready.step->scratch_bytes());
    steps_.push_back(std::move(ready));
  }
  scratch_at_ = round_up(layout.bytes, 64);
  workspace_ = scratch_at_ + round_up(scratch, 64);
  std::size_t most = 0;
  for (const Ready& one : steps_) most = std::max({most, one.in.size(), one.out.size()});
  in_.reserve(most);
  out_.reserve(most);
}

void Program::run(const float* input, std::span<float* const> outputs, std::byte* workspace) {
  run(input, outputs, workspace, {});
}

void Program::run(const float* input, std::span<float* const> outputs, std::byte* workspace,
                  const Watch& watch) {
  tell_openmp();
  const auto bytes_of = [&](const Place& place) -> const std::byte* {
    const std::byte* const base = [&]() -> const std::byte* {
      const auto at = static_cast<std::size_t>(place.at);
      switch (place.kind) {
        case Place::Kind::constant: return reinterpret_cast<const std::byte*>(constants_[at]);
        case Place::Kind::workspace: return workspace + place.at;
        case Place::Kind::input: return reinterpret_cast<const std::byte*>(input);
        case Place::Kind::output: return reinterpret_cast<const std::byte*>(outputs[at]);
        case Place::Kind::nowhere: break;  // a step has it already
      }
      return nullptr;
    }();
    return base == nullptr ? nullptr : base + place.offset;
  };
  for (const Ready& one : steps_) {
    in_.clear();
    out_.clear();
    for (const Place& place : one.in) {
      in_.push_back(reinterpret_cast<const float*>(bytes_of(place)));
    }
    for (const Place& place : one.out) {
      // Of the workspace and the caller's outputs, which are not constant.
      out_.push_back(const_cast<float*>(reinterpret_cast<const float*>(bytes_of(place))));
    }
    one.step->run({.in = in_, .out = out_, .scratch = workspace + scratch_at_});
    if (watch) watch(plan_.operations[one.operation], in_, out_);
  }
}

Memory workspace_for(const Program& program) {
  return memory_of(program.workspace_bytes());
}

std::int64_t program_memory(const plan::Plan& recorded, Precision precision, const Ranges& ranges) {
  return library_bytes + plan::lay_out(made_ready(recorded, precision, ranges)).bytes;
}

}  // namespace medurwkv::native
