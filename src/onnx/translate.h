// Operations of a plan as nodes of ONNX, opset 17. Relies on plan/plan.h and onnx/sides.h.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "onnx/sides.h"
#include "plan/plan.h"

namespace medurwkv::onnx {

inline constexpr std::int64_t opset = 17;

/// The numbers of a parameter, by its name.
using ParameterValues = std::function<std::span<const float>(const std::string& name)>;

/// Adds the plan's operations; `image` is its input, whose sides are multiples of the network's
/// step. Gives the plan's outputs. Throws an internal Error for an operation that has no
/// translation.
std::vector<Name> translate(const plan::Plan& plan, const ParameterValues& parameters,
                            const Name& image, const Sides& sides, Graph& graph);

/// Whether `translate` knows it.
bool translates(const plan::OpType& type);

}  // namespace medurwkv::onnx
