// What is saved of a run: last.ckpt, from which it goes on, and best.model. Relies on weights and
// train/learner.h.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/output.h"
#include "train/learner.h"
#include "train/run/record.h"
#include "weights/model_file.h"

namespace medurwkv::train {

/// last.ckpt: the model, the optimiser's moments under "optimizer.moment1." / "optimizer.moment2."
/// (of tensors that have been trained), the moving average under "average.", and the state and what
/// the run was started with in the metadata.
void write_checkpoint(const OutputPath& file, const weights::ModelInfo& info, Learner& learner,
                      const RunState& state, const nlohmann::json& started_with);

struct Resumed {
  RunState state;
  nlohmann::json started_with;
};

/// A checkpoint's state, and its tensors into the learner, after `check` of what the run was
/// started with. Throws Error naming the file, and what `check` throws.
Resumed read_checkpoint(const std::filesystem::path& path, Learner& learner,
                        const std::function<void(const nlohmann::json& started_with)>& check);

/// best.model before it is written: what learner.judged() holds, without the heads that only
/// training has.
struct PreparedModel {
  std::vector<at::Tensor> keep_alive;
  std::vector<weights::TensorView> tensors;
  weights::Metadata metadata;
  std::string checksum;  ///< that the file will have
};
PreparedModel prepare_model(const weights::ModelInfo& info, const Learner& learner);
void write_model(const OutputPath& file, PreparedModel model);

/// Why the file is none of the models of these checksums (empty: any that opens): "is gone",
/// "cannot be read: ..."; empty when it is.
std::string model_problem(const std::filesystem::path& file, const std::string& checksum,
                          const std::string& or_checksum = "");

/// A model file with a temperature, before it is written over it: `fitted.model` is set to the
/// checksum that it will have. Throws Error naming the file.
class CalibratedModel {
 public:
  CalibratedModel(const std::filesystem::path& file, FittedTemperature& fitted);
  void write(const OutputPath& file);

 private:
  weights::TensorFile file_;
  std::vector<weights::TensorView> tensors_;
  weights::Metadata metadata_;
};

}  // namespace medurwkv::train
