// Which numbers of a fused plan are held in 16 or 8 bits. Relies on plan/plan.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "plan/plan.h"

namespace medurwkv::native {

enum class Precision {
  float32,
  bfloat16,  ///< products of bfloat16 numbers, added up in float32
  int8,      ///< products of whole numbers, where their range is known; the rest in float32
  automatic,
};

/// The largest |x| that a product reads and that is not cut off, by the name of its weight.
using Ranges = std::map<std::string, double>;

/// "float32", "bfloat16", "int8", "auto".
const char* to_string(Precision precision);
/// Throws a usage Error that suggests the nearest name, and where this processor lacks what the
/// precision needs.
Precision precision_from(const std::string& name);
/// What `automatic` is here: bfloat16, or int8 for a model with ranges, where the processor has
/// instructions made for it; else float32.
Precision resolved(Precision precision, bool has_ranges);

/// Where a product's x is among its inputs; -1 for what is no product, or none that gains from
/// narrow numbers.
std::int64_t source_of(const plan::Plan& fused, const plan::Operation& op);
/// The parameter that a product's weight is, or was before it was scaled.
std::string weight_of(const plan::Plan& fused, const plan::Operation& product);

/// float32 numbers to bfloat16 or int8.
extern const plan::OpType narrow;

/// The plan with what products read in narrow numbers: made so by the operation before it where
/// that can write it and nothing else reads it, else by an operation `narrow`. All sums, norms and
/// residuals stay in float32. `ranges` are for int8.
plan::Plan in_precision(const plan::Plan& fused, Precision precision, const Ranges& ranges = {});

}  // namespace medurwkv::native
