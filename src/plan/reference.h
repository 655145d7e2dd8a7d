// A plan run in plain loops, in float64: what every engine is held against. Relies on plan/plan.h.
#pragma once

#include <vector>

#include "plan/plan.h"

namespace medurwkv::plan {

/// Every value of the plan, by its id. `parameters` in the plan's order, row-major; counters are
/// not read. Throws an internal Error for an operation that reads what is not there yet, and where
/// shapes disagree.
std::vector<Array> run_reference(const Plan& plan,
                                 const std::vector<std::vector<double>>& parameters,
                                 std::vector<double> input);

}  // namespace medurwkv::plan
