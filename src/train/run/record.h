// What a run has reached, and the files that show it: log.csv and curves.svg. No tensors here, so
// that it compiles and is tested without LibTorch. Relies on nlohmann/json.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace medurwkv::train {

/// The parts of the loss, in the order in which they are listed everywhere.
inline constexpr std::array<const char*, 5> loss_names{"cross_entropy", "dice_loss", "focal_loss",
                                                       "tversky_loss", "boundary_loss"};
using LossParts = std::array<double, loss_names.size()>;

/// One finished epoch.
struct EpochRow {
  std::int64_t epoch = 0;  ///< from 1
  double rate = 0;         ///< learning rate of its last step
  double loss = 0;         ///< means over its batches
  LossParts parts{};
  double validation_dice = 0;  ///< mean over validation cases; NaN without any
};

/// Where a run stands, beside its tensors. Everything random is a function of (seed, batch), so
/// this is all the state there is.
struct RunState {
  std::int64_t step = 0;  ///< finished steps of the optimiser
  double sum_loss = 0;    ///< over the present epoch's batches
  LossParts sums{};
  double best_dice = -1;
  std::int64_t best_epoch = 0;
  std::string best_model;  ///< checksum of best.model; empty: there is none
  std::vector<EpochRow> rows;
};

/// Without best.model: the next finished epoch is the best, and patience counts from here.
void forget_best(RunState& state);

nlohmann::json to_json(const RunState& state);
/// Throws json::exception for what is none. Reads what earlier versions wrote.
RunState state_from(const nlohmann::json& from);

/// Ends the present epoch: the means over its `batches` and the validation Dice become a row, the
/// sums start anew. Whether it is the best so far; without validation cases the last one is.
bool finish_epoch(RunState& state, std::int64_t batches, double rate, double validation_dice);

/// log.csv: one line per finished epoch; parts of the loss whose weight is 0 stay empty.
std::string log_csv(const std::vector<EpochRow>& rows, const LossParts& weights);

/// curves.svg: loss and validation Dice by epoch.
std::string curves_svg(const std::vector<EpochRow>& rows);

}  // namespace medurwkv::train
