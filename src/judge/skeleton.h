// Centrelines of masks, for structures whose length matters more than their width (vessels, roots).
// Relies on judge/distance.h.
#pragma once

#include "judge/distance.h"

namespace medurwkv::judge {

/// The mask thinned to lines one pixel wide that keep its connections (Guo and Hall, Communications
/// of the ACM 32, 1989; scikit-image's `thin`). Something stays of every part. Beyond the image all
/// is outside.
Mask skeleton(const Mask& mask);

/// clDice (Shit et al., CVPR 2021): the harmonic mean of the share of the prediction's centreline
/// that lies in the truth and the share of the truth's that lies in the prediction. Neither mask
/// may be empty.
double centreline_dice(const Mask& truth, const Mask& prediction);

}  // namespace medurwkv::judge
