// The folder of one training run: who may write in it, what lies in it, and the checkpoint that a
// stopped run goes on from. Relies on weights, torch and train/optimizer.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "torch/parameter_store.h"
#include "train/optimizer.h"
#include "weights/model_file.h"

namespace medurwkv::train {

/// Holds the folder against a second writer for as long as it lives (flock, so that a killed run
/// leaves nothing behind that blocks). Throws Error naming the folder when another process has it.
class RunLock {
 public:
  explicit RunLock(const std::filesystem::path& folder);
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  RunLock(RunLock&&) = delete;
  RunLock& operator=(RunLock&&) = delete;
  ~RunLock();

 private:
  int descriptor_ = -1;
};

/// One finished epoch.
struct EpochRow {
  std::int64_t epoch = 0;  ///< from 1
  double rate = 0;         ///< learning rate of its last step
  double loss = 0;         ///< means over its steps
  double cross_entropy = 0;
  double dice_loss = 0;
  double validation_dice = 0;  ///< mean over validation cases; NaN without any
};

/// Where a run stands, beside its tensors. Everything random is a function of (seed, step), so this
/// is all the state there is.
struct RunState {
  std::int64_t step = 0;                                     ///< finished steps
  double sum_loss = 0, sum_cross_entropy = 0, sum_dice = 0;  ///< over the present epoch's steps
  double best_dice = -1;
  std::int64_t best_epoch = 0;
  std::vector<EpochRow> rows;
};

/// last.ckpt: the model, the optimiser's moments under "optimizer.moment1." / "optimizer.moment2.",
/// and the state and what the run was started with in the metadata.
void write_checkpoint(const std::filesystem::path& file, const weights::ModelInfo& info,
                      const torch_backend::ParameterStore& store, AdamW& optimizer,
                      const RunState& state, const nlohmann::json& started_with);

struct Resumed {
  RunState state;
  nlohmann::json started_with;
};

/// Fills store and optimiser. Throws Error naming the file.
Resumed read_checkpoint(const std::filesystem::path& path, torch_backend::ParameterStore& store,
                        AdamW& optimizer);

/// best.model.
void write_model(const std::filesystem::path& file, const weights::ModelInfo& info,
                 const torch_backend::ParameterStore& store);

/// log.csv: one line per finished epoch.
std::string log_csv(const std::vector<EpochRow>& rows);

/// curves.svg: loss and validation Dice by epoch.
std::string curves_svg(const std::vector<EpochRow>& rows);

}  // namespace medurwkv::train
