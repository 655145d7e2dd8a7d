// `features`: arrays through a network, made with the training library. Relies on
// library/requests.h and library/results.h.
#pragma once

#include "core/listener.h"
#include "library/requests.h"
#include "library/results.h"

namespace medurwkv::app {

/// Refuses what can be refused without LibTorch. Throws Error, and Stopped.
library::FeaturesResult compute_features(const library::FeaturesRequest& request,
                                         Listener& listener);

}  // namespace medurwkv::app
