// Scores predictions for the cases of a set, beside the best constant guess. Relies on
// data/layout/dataset.h and the other files of judge.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/listener.h"
#include "data/layout/dataset.h"
#include "judge/calibration.h"
#include "judge/constant_guess.h"
#include "judge/metrics.h"
#include "judge/profiles.h"
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
  std::optional<ConstantGuess> guess;      ///< absent when no training mask has foreground
  std::vector<ProfileTable> profiles;      ///< as asked for
  std::optional<Calibration> calibration;  ///< absent without probabilities
  /// Of the same labels with the probabilities before the temperature; absent without one.
  std::optional<Calibration> uncalibrated{};
};

/// Sizes of pixels by case id.
using SpacingByCase = std::map<std::string, Spacing>;

/// From a CSV file with the columns id, spacing_x and spacing_y (others are ignored). Throws Error
/// naming the file for what is no such table, and for two lines of one id.
SpacingByCase read_spacing(const std::filesystem::path& file);

struct EvaluationOptions {
  Lengths lengths;
  SpacingByCase spacing{};   ///< where not empty: of every case, in place of that in `lengths`
  std::uint64_t seed = 0;    ///< of the bootstrap intervals
  bool over_groups = false;  ///< means over groups of cases (patients) in place of cases
  std::vector<std::string> profiles{"default"};
  std::int64_t batch = 8;  ///< of the profile `batch`
};

/// What one predictor says of a case, at the case's own size.
struct PredictedCase {
  data::LabelMap labels;
  std::vector<float> probabilities{};  ///< classes x height x width, or empty
  std::vector<float> uncalibrated{};   ///< those before the temperature, or empty
};

/// One answer per predictor, always in the same order. `truth` may be used for its size alone.
using PredictCase =
    std::function<std::vector<PredictedCase>(const data::Case& item, const data::LabelMap& truth)>;

/// Predicts and scores every case of `cases` in order: one evaluation per predictor. Fits the
/// constant guess on the masks of `train`. A case that cannot be read or scored ends it with an
/// Error, because figures over the remaining ones would not be those of the part. Throws Error for
/// no cases, and Stopped when the listener asks to stop.
std::vector<Evaluation> evaluate(const data::Dataset& dataset, std::span<const data::Case> train,
                                 std::span<const data::Case> cases, const PredictCase& predict,
                                 const EvaluationOptions& options, Listener& listener);

}  // namespace medurwkv::judge
