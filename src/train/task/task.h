// What a training is about: its samples, what it minimises, how good it is and which figure chooses
// the model that is kept. The loop (train/trainer.h) knows nothing else of it. Relies on
// train/task/objective.h and train/run/record.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/listener.h"
#include "data/image/image.h"
#include "torch/parameter_store.h"
#include "train/run/record.h"
#include "train/task/objective.h"
#include "weights/model_file.h"

namespace medurwkv::train {

/// Which cases are learned from and which are judged: a resumed run must find them as they were.
struct Source {
  std::string split;  ///< what the run keeps as its split.json
  std::string split_sha256;
  std::filesystem::path file = {};  ///< that the split was read from; empty: the task made it
  std::string data_sha256;          ///< over all cases
};

/// For the prediction of memory (train/task/memory.h).
struct TaskSize {
  int loss_parts = 0;           ///< beside the cheapest loss of the task
  std::int64_t cases = 0;       ///< that are read, of training and validation
  std::int64_t mean_case = 0;   ///< bytes of a decoded one
  std::int64_t own = 0;         ///< bytes of a step's targets and what is made for them alone
  bool copies_weights = false;  ///< to validate by the native engine, on the CPU
};

/// How this process is fed.
struct Feed {
  std::int64_t batches = 0;       ///< of the whole run
  std::int64_t cache_budget = 0;  ///< bytes of decoded cases
  int rank = 0;                   ///< of `world` processes that share every batch
  int world = 1;
};

/// A mean over cases, as its sum and their number: what several processes judged adds up.
struct Figure {
  double sum = 0;
  double count = 0;
};

struct Judgement {
  std::vector<Figure> figures;  ///< in the order of Columns::figures, of this process's cases
  data::Image pictures;         ///< 8-bit RGB; empty without any
};

class Task {
 public:
  Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  Task(Task&&) = delete;
  Task& operator=(Task&&) = delete;
  virtual ~Task() = default;

  /// What the model file says.
  [[nodiscard]] virtual const weights::ModelInfo& info() const = 0;
  [[nodiscard]] virtual const Objective& objective() const = 0;
  /// What is written down after each epoch.
  [[nodiscard]] virtual const Columns& columns() const = 0;
  [[nodiscard]] virtual const Source& source() const = 0;
  [[nodiscard]] virtual TaskSize size() const = 0;
  /// Samples of an epoch.
  [[nodiscard]] virtual std::int64_t samples() const = 0;
  /// "40 training and 12 validation images".
  [[nodiscard]] virtual std::string counts() const = 0;
  /// What was noticed when the data was read.
  [[nodiscard]] virtual const std::vector<std::string>& notes() const = 0;

  /// Once, before the first take().
  virtual void open(const Feed& feed) = 0;
  /// Batch number `index` of the run, this process's part. The first call may take any, each
  /// further one the next. Throws Error that names the file or the case.
  virtual Batch take(std::int64_t index) = 0;
  /// Seconds that take() has waited in all.
  [[nodiscard]] virtual double waited_seconds() const = 0;
  /// How good these weights of the network are on the validation cases, with the objective's own
  /// tensors in `trained`; this process judges its share.
  virtual Judgement judge(const torch_backend::ParameterStore& weights,
                          const torch_backend::ParameterStore& trained) = 0;
  /// The temperature of a model file's probabilities on all validation cases; its `model` is left
  /// empty. None where no pixel says anything of it, and for a task without probabilities of
  /// pixels. Throws Stopped when the listener asks to stop.
  virtual std::optional<FittedTemperature> fit(const std::filesystem::path& /*model*/,
                                               Listener& /*listener*/) {
    return std::nullopt;
  }
};

}  // namespace medurwkv::train
