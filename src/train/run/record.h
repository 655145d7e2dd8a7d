// What a run has reached, and the files that show it: log.csv and curves.svg. No tensors here, so
// that it compiles and is tested without LibTorch. Relies on nlohmann/json.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace medurwkv::train {

/// A part of the loss. A part that is not used is a column that stays empty.
struct PartColumn {
  std::string name;  ///< "cross_entropy"
  bool used = true;
};

/// A figure of the validation cases.
struct FigureColumn {
  std::string name;        ///< "validation_dice"
  std::string label;       ///< "validation Dice"
  std::string curve = {};  ///< title of its curve; empty: the label
  double most = 0;         ///< end of its axis; 0: the largest value
  bool higher_is_better = true;
};

/// What is written down after each epoch, in the order in which it is listed everywhere. The first
/// figure chooses best.model; there is at least one.
struct Columns {
  std::vector<PartColumn> parts;
  std::vector<FigureColumn> figures;
  [[nodiscard]] const FigureColumn& chooses() const { return figures.front(); }
};

/// One finished epoch.
struct EpochRow {
  std::int64_t epoch = 0;  ///< from 1
  double rate = 0;         ///< learning rate of its last step
  double loss = 0;         ///< means over its batches
  std::vector<double> parts;
  std::vector<double> figures;  ///< NaN without validation cases
};

/// What was fitted on the validation part at a run's end (predict/temperature.h).
struct FittedTemperature {
  double temperature = 1;
  bool at_bound = false;         ///< the best one lies beyond the bounds
  std::int64_t pixels = 0;       ///< of the validation part, without those that it ignores
  std::int64_t used = 0;         ///< of them; a sample
  double likelihood_before = 0;  ///< mean negative log-likelihood of those, with temperature 1
  double likelihood_after = 0;
  double error_before = 0;  ///< expected calibration error of those
  double error_after = 0;
  std::string model = {};  ///< checksum of best.model with this temperature

  bool operator==(const FittedTemperature&) const = default;
};

/// As run.json and the model's provenance have it: all but the checksum.
nlohmann::json to_json(const FittedTemperature& fitted);

/// Where a run stands, beside its tensors. Everything random is a function of (seed, batch), so
/// this is all the state there is.
struct RunState {
  static constexpr double none = std::numeric_limits<double>::quiet_NaN();

  std::int64_t step = 0;     ///< finished steps of the optimiser
  double sum_loss = 0;       ///< over the present epoch's batches
  std::vector<double> sums;  ///< of the parts; empty before the epoch's first batch
  double best = none;        ///< the choosing figure of best_epoch; NaN: not judged
  std::int64_t best_epoch = 0;
  /// Checksum of best.model as it is before it gets a temperature; empty: there is none.
  std::string best_model;
  /// Of that model. It is in the checkpoint before it is in best.model.
  std::optional<FittedTemperature> fitted = {};
  std::vector<EpochRow> rows;
};

/// The loss of a batch and its parts, into the sums of the epoch.
void add_batch(RunState& state, double loss, const std::vector<double>& parts);

/// Without best.model: the next finished epoch is the best, and patience counts from here.
void forget_best(RunState& state);

nlohmann::json to_json(const RunState& state);
/// Throws json::exception for what is none. Reads what earlier versions wrote.
RunState state_from(const nlohmann::json& from);

/// Ends the present epoch: the means over its `batches` and the figures become a row, the sums
/// start anew. Whether it is the best so far; of equal ones the first; without validation cases the
/// last one is.
bool finish_epoch(RunState& state, const Columns& columns, std::int64_t batches, double rate,
                  std::vector<double> figures);

/// log.csv: one line per finished epoch.
std::string log_csv(const std::vector<EpochRow>& rows, const Columns& columns);

/// curves.svg: loss and the choosing figure by epoch.
std::string curves_svg(const std::vector<EpochRow>& rows, const Columns& columns);

}  // namespace medurwkv::train
