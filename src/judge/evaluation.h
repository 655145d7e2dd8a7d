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
#include "judge/breakdown.h"
#include "judge/calibration.h"
#include "judge/constant_guess.h"
#include "judge/metrics.h"
#include "judge/objects.h"
#include "judge/profiles.h"
#include "judge/summary.h"
#include "judge/volumes.h"

namespace medurwkv::judge {

/// The ellipse of judge/constant_guess.h on the same cases as the model.
struct ConstantGuess {
  Ellipse ellipse{};
  std::int64_t fitted_on = 0;                 ///< training masks with foreground
  std::vector<std::optional<double>> dice{};  ///< per case, of all foreground classes merged
  Statistic summary{};                        ///< of `dice`

  /// An ellipse for each class by itself, where there are several: what a mean over classes is
  /// compared with.
  struct OfClass {
    std::optional<Ellipse> ellipse;           ///< absent: no training mask has the class
    std::vector<std::optional<double>> dice;  ///< per case
  };
  std::vector<OfClass> classes{};                   ///< labels 1, 2, ...; empty for one class
  std::vector<std::optional<double>> class_mean{};  ///< per case, of the Dice of its classes
  Statistic class_mean_summary{};

  /// Of what the model's mean Dice over classes is to be compared with.
  [[nodiscard]] const Statistic& like() const {
    return classes.empty() ? summary : class_mean_summary;
  }
};

struct Evaluation {
  std::vector<Metric> metrics = default_metrics();  ///< those of `default`, then those asked for
  std::vector<std::string> strata{};                ///< what tells kinds of cases apart
  std::vector<CaseScores> cases;
  Summary summary;
  std::optional<ConstantGuess> guess;      ///< absent when no training mask has foreground
  std::vector<ProfileTable> profiles;      ///< as asked for
  std::optional<Calibration> calibration;  ///< absent without probabilities
  /// Of the same labels with the probabilities before the temperature; absent without one.
  std::optional<Calibration> uncalibrated{};
  Confusion confusion{};
  std::vector<ObjectCounts> objects{};  ///< by class (label - 1) over all cases; empty: not asked
  /// Whether objects are those that the masks tell apart; else connected parts of a class.
  bool true_objects_told = false;
  bool predicted_objects_told = false;
  std::vector<IncompleteVolume> incomplete{};  ///< where a profile judges volumes
};

/// Sizes of pixels by case id.
using SpacingByCase = std::map<std::string, Spacing>;

/// From a CSV file with the columns id, spacing_x, spacing_y and, where it has one, spacing_z
/// (others are ignored). Throws Error
/// naming the file for what is no such table, and for two lines of one id.
SpacingByCase read_spacing(const std::filesystem::path& file);

/// Kinds of cases by their ids.
struct Strata {
  std::vector<std::string> names;  ///< of the columns
  std::map<std::string, std::vector<std::string>> by_case;
};

/// From a CSV file with the column id; each other column tells kinds of cases apart. Throws Error
/// naming the file for what is no such table, and for two lines of one id.
Strata read_strata(const std::filesystem::path& file);

struct EvaluationOptions {
  Lengths lengths;
  SpacingByCase spacing{};   ///< where not empty: of every case, in place of that in `lengths`
  std::uint64_t seed = 0;    ///< of the bootstrap intervals
  bool over_groups = false;  ///< means over groups of cases (patients) in place of cases
  std::vector<std::string> profiles{"default"};
  std::vector<std::string> more_metrics{};  ///< keys of judge/more_metrics.h
  Strata strata{};                          ///< beside the kinds that the set's folders tell
  std::int64_t batch = 8;                   ///< of the profile `batch`
};

/// What one predictor says of a case, at the case's own size.
struct PredictedCase {
  data::LabelMap labels;
  std::vector<float> probabilities{};        ///< classes x height x width, or empty
  std::vector<float> uncalibrated{};         ///< those before the temperature, or empty
  std::optional<data::ObjectMap> objects{};  ///< where the mask tells them apart
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
