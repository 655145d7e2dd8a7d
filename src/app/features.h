// `features`: arrays through a network, made with the training library. Relies on
// library/requests.h.
#pragma once

#include <nlohmann/json.hpp>

#include "core/listener.h"
#include "library/requests.h"

namespace medurwkv::app {

/// Refuses what can be refused without LibTorch. Returns what was written: {"content", "network",
/// "dtype", "files": [{"name", "shape", "sha256"}]}. Throws Error, and Stopped.
nlohmann::json compute_features(const library::FeaturesRequest& request, Listener& listener);

}  // namespace medurwkv::app
