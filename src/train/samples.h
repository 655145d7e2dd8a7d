// Training samples by number: decoded cases in memory, augmented on threads ahead of the step that
// wants them. Relies on data.
#pragma once

#include "torch/aten.h"

#include <cstdint>
#include <future>
#include <string>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"

namespace medurwkv::train {

struct LoadedCase {
  std::string id;
  data::Image image;
  data::LabelMap labels;
};

/// Decodes all cases on threads. Throws the first Error by the order of cases.
std::vector<LoadedCase> load_cases(const data::Dataset& dataset,
                                   const std::vector<data::Case>& cases);

struct Batch {
  at::Tensor images;  ///< batch x channels x height x width
  at::Tensor labels;  ///< int64, batch x height x width
  std::vector<std::string> ids;
};

/// The batches of a run, a pure function of (seed, step): each epoch is a seeded permutation of the
/// cases, the last batch of an epoch may be smaller.
class BatchSource {
 public:
  BatchSource(const std::vector<LoadedCase>& cases, const InputContract& contract,
              const data::AugmentSettings& augment, std::int64_t batch_size, std::uint64_t seed);
  BatchSource(const BatchSource&) = delete;
  BatchSource& operator=(const BatchSource&) = delete;
  BatchSource(BatchSource&&) = delete;
  BatchSource& operator=(BatchSource&&) = delete;
  ~BatchSource();

  [[nodiscard]] std::int64_t steps_per_epoch() const;

  /// The batch of `step`; starts making the one of step + 1.
  Batch take(std::int64_t step);

 private:
  [[nodiscard]] Batch make(std::int64_t step) const;

  const std::vector<LoadedCase>& cases_;
  InputContract contract_;
  data::AugmentSettings augment_;
  std::int64_t batch_size_;
  std::uint64_t seed_;
  std::int64_t next_step_ = -1;
  std::future<Batch> next_;
};

}  // namespace medurwkv::train
