// Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019) of a batch and its labels. Relies on ATen
// and core/random.h.
#pragma once

#include "torch/aten.h"

#include <cstdint>
#include <vector>

#include "core/random.h"

namespace medurwkv::train {

struct MixSettings {
  double mixup = 0;   ///< shape of the Beta distribution of the share; 0: never
  double cutmix = 0;  ///< the same
};

/// A number of the Beta distribution (shape, shape), shape > 0 (Marsaglia and Tsang 2000, as a
/// quotient of two Gamma numbers): a pure function of `random`.
double beta_number(const Random& random, double shape);

/// Probabilities of `classes`: smoothing / classes everywhere, 1 - smoothing on top at the label.
at::Tensor smoothed(const std::vector<std::int64_t>& labels, std::int64_t classes,
                    double smoothing);

/// Mixes picture 2 k with picture 2 k + 1 of the batch (batch x channels x height x width, changed
/// in place), and their probabilities alike: with both kinds each with chance 1/2, one share for
/// the batch. mixup: share a + (1 - share) b. cutmix: a rectangle of b, of 1 - share of the area
/// about a uniform centre and cut at the border, replaces that of a; the share is then that of the
/// pixels. A batch of an odd number is left as it is.
void mix(at::Tensor& images, at::Tensor& probabilities, const MixSettings& settings,
         const Random& random);

}  // namespace medurwkv::train
