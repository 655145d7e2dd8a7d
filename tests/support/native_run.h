// A program of the native engine with what its caller gives it.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "core/shape.h"
#include "native/program.h"
#include "support/fill_rule.h"

namespace medurwkv::test {

/// A parameter by the fill rule.
inline std::vector<float> filled_parameter(const net::ParameterSpec& spec) {
  const std::vector<double> values = fill_values(spec.name, spec.shape);
  return {values.begin(), values.end()};
}

/// All outputs, NaN where nothing was written.
inline std::vector<std::vector<float>> run_native(native::Program& program, const plan::Plan& plan,
                                                  const std::vector<float>& input) {
  std::vector<std::vector<float>> out;
  std::vector<float*> places;
  for (const plan::ValueId id : plan.outputs) {
    out.emplace_back(static_cast<std::size_t>(element_count(plan.shape(id))), NAN);
  }
  for (std::vector<float>& one : out) places.push_back(one.data());
  program.run(input.data(), places, native::workspace_for(program).get());
  return out;
}

}  // namespace medurwkv::test
