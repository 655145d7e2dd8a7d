// Which numbers of a fused plan are held in 16 bits. Relies on plan/plan.h.
#pragma once

#include "plan/plan.h"

namespace medurwkv::native {

enum class Precision {
  float32,
  bfloat16,  ///< products of bfloat16 numbers, added up in float32
};

/// "float32", "bfloat16".
const char* to_string(Precision precision);
/// Also of "auto": the fastest that this processor has and that every model takes. Throws a usage
/// Error that suggests the nearest name, and where this processor lacks what the precision needs.
Precision precision_from(const std::string& name);

/// float32 numbers to bfloat16.
extern const plan::OpType narrow;

/// The plan with what products read in bfloat16: made so by the operation before it where that can
/// write it and nothing else reads it, else by an operation `narrow`. All sums, norms and residuals
/// stay in float32.
plan::Plan in_precision(const plan::Plan& fused, Precision precision);

}  // namespace medurwkv::native
