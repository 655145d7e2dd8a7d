// `doctor`: what this machine and this build can do, and whether it computes rightly. Relies on
// nlohmann/json.
#pragma once

#include <nlohmann/json.hpp>

namespace medurwkv::app {

/// {"medurwkv", "cpu", "features", "cores", "threads", "memory_kb", "kernels", "onednn",
/// "onednn_isa", "onednn_gflops", "self_test": "passed" or "failed", "training_library": null, or
/// what the library says of itself}.
nlohmann::json examine_machine();

}  // namespace medurwkv::app
