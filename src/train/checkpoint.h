// What is saved of a run: last.ckpt, from which it goes on, and best.model. Relies on weights and
// train/learner.h.
#pragma once

#include <filesystem>

#include <nlohmann/json.hpp>

#include "train/learner.h"
#include "train/run_record.h"
#include "weights/model_file.h"

namespace medurwkv::train {

/// last.ckpt: the model, the optimiser's moments under "optimizer.moment1." / "optimizer.moment2."
/// (of tensors that have been trained), the moving average under "average.", and the state and what
/// the run was started with in the metadata.
void write_checkpoint(const std::filesystem::path& file, const weights::ModelInfo& info,
                      Learner& learner, const RunState& state, const nlohmann::json& started_with);

struct Resumed {
  RunState state;
  nlohmann::json started_with;
};

/// A checkpoint's state, and its tensors into the learner. Throws Error naming the file.
Resumed read_checkpoint(const std::filesystem::path& path, Learner& learner);

/// best.model: what learner.judged() holds, without the heads that only training has.
void write_model(const std::filesystem::path& file, const weights::ModelInfo& info,
                 const Learner& learner);

}  // namespace medurwkv::train
