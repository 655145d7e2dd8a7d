// Scores a predictor over the cases of a set, beside the best constant guess. Relies on
// data/dataset.h and the other files of judge.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/stop.h"
#include "data/dataset.h"
#include "judge/constant_guess.h"
#include "judge/metrics.h"
#include "judge/summary.h"

namespace medurwkv::judge {

/// The ellipse of judge/constant_guess.h on the same cases as the model.
struct ConstantGuess {
  Ellipse ellipse;
  std::int64_t fitted_on = 0;               ///< training masks with foreground
  std::vector<std::optional<double>> dice;  ///< per case, of all foreground classes merged
  Statistic summary;                        ///< of `dice`
};

struct Evaluation {
  std::vector<CaseScores> cases;
  Summary summary;
  std::optional<ConstantGuess> guess;  ///< absent when no training mask has foreground
};

struct EvaluationOptions {
  Spacing spacing;
  std::uint64_t seed = 0;  ///< of the bootstrap interval
  bool quiet = false;      ///< no progress on stderr
};

/// The predicted label map of an image, at the image's own size.
using PredictLabels = std::function<data::LabelMap(const data::Image&)>;

/// Predicts and scores every case of `cases` in order; fits the constant guess on the masks of
/// `train`. A case that cannot be read or scored ends it with an Error, because figures over the
/// remaining ones would not be those of the part. Throws Stopped when `stop` is set.
Evaluation evaluate(const data::Dataset& dataset, std::span<const data::Case> train,
                    std::span<const data::Case> cases, const PredictLabels& predict,
                    const EvaluationOptions& options, const StopSignal& stop);

}  // namespace medurwkv::judge
