// Several models' answers made one. Relies on predict/predictor.h.
#pragma once

#include <span>

#include "predict/predictor.h"

namespace medurwkv::predict {

/// The mean of the probabilities, pixel by pixel, and its likeliest class. All of one size and
/// number of classes; throws internal Error when not.
Prediction averaged(std::span<const Prediction> predictions, std::size_t class_count);

}  // namespace medurwkv::predict
