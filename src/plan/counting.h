// What a plan costs: parameters, multiply-adds and activation memory, in all and by stage. Relies
// on plan/plan.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace medurwkv::plan {

struct StageCost {
  std::string stage;
  std::int64_t parameters = 0;     ///< trained ones, counted where they are first used
  std::int64_t multiply_adds = 0;  ///< of linear maps and convolutions
  std::int64_t peak_bytes = 0;     ///< float32 activations alive at once while the stage runs
};

struct Cost {
  std::int64_t parameters = 0;
  std::int64_t buffers = 0;  ///< elements of running statistics (floating ones and counters)
  std::int64_t multiply_adds = 0;
  std::int64_t wkv_token_channels = 0;  ///< elements that bi-WKV runs over, not multiply-adds
  std::int64_t peak_bytes = 0;
  std::vector<StageCost> stages;
};

/// Multiply-adds count linear maps and convolutions, as the field does: norms, activations, bi-WKV
/// and the samples of deformable attention are left out. Peak memory is that of one inference that
/// frees each activation after its last use and treats maps and tokens as the same memory.
Cost count(const Plan& plan);

/// Trained parameters of a list of specs (buffers left out).
std::int64_t parameter_count(const std::vector<net::ParameterSpec>& parameters);

}  // namespace medurwkv::plan
