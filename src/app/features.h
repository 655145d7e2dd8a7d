// `features`: arrays through a network, by the native engine or by LibTorch. Relies on
// library/requests.h and library/results.h.
#pragma once

#include <string>

#include "core/listener.h"
#include "library/requests.h"
#include "library/results.h"

namespace medurwkv::app {

/// `engine`: native (float32 on the CPU), torch, or empty: native where it can. Throws Error, and
/// Stopped.
library::FeaturesResult compute_features(const library::FeaturesRequest& request,
                                         const std::string& engine, Listener& listener);

}  // namespace medurwkv::app
