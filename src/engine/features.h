// Arrays in, the maps of the encoder and logits out: for comparison with other implementations, and
// for those who go on from features. Relies on weights/coverage.h, core/npy.h and torch.
#pragma once

#include "core/listener.h"
#include "library/requests.h"
#include "library/results.h"

namespace medurwkv::engine {

/// Writes what the network has into `out`: f1.npy .. f4.npy (N x C x height x width at strides 4,
/// 8, 16, 32; of the padded image, whose sides are multiples of 32) and logits.npy (N x classes x
/// height x width, or N x classes of a classifier). One image is in memory at a time; what does not
/// fit is refused. Throws Error.
library::FeaturesResult features(const library::FeaturesRequest& request, Listener& listener);

}  // namespace medurwkv::engine
