// The memory that a training run is going to take, before it takes it. Relies on
// torch/training_memory.h and data/feed/case_cache.h.
#pragma once

#include "torch/aten.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/model_description.h"
#include "data/feed/case_cache.h"
#include "net/config.h"
#include "torch/training_memory.h"

namespace medurwkv::train {

struct MemoryQuestion {
  net::NetworkConfig network;
  InputContract input;
  std::int64_t batch = 1;
  std::int64_t accumulate = 1;  ///< batches of a step
  int loss_parts = 0;           ///< beside cross-entropy and Dice
  std::int64_t own = 0;         ///< bytes of what the task has beside the network
  bool copies_weights = false;  ///< TaskSize::copies_weights
  bool average = false;         ///< of the weights is kept
  std::int64_t cases = 0;
  std::int64_t mean_case = 0;  ///< bytes of a decoded one
  int workers = 1;             ///< of the loader
  double cache = -1;           ///< bytes; below 0: half of what the rest leaves
  std::int64_t limit = 0;      ///< bytes of the whole process; 0: what is available
  at::Device device = at::kCPU;
};

/// Bytes.
struct ExpectedMemory {
  torch_backend::TrainingMemory network;
  std::int64_t average = 0;  ///< of the weights, and what the task has beside the network
  std::int64_t program = 0;  ///< held when asked: program, libraries, data set
  std::int64_t working = 0;  ///< of libraries and loader, once they work
  std::int64_t batches = 0;  ///< ready, in the making and in use
  std::int64_t cache_budget = 0;
  std::int64_t cached = 0;     ///< of it, what the cases take
  std::int64_t available = 0;  ///< to the process in all, what it holds included

  [[nodiscard]] std::int64_t total() const;
};

/// The sum's formula is in docs/architecture.md, "Memory". Throws Error when it is more than the
/// limit or what is available, with the settings to change and the largest batch that fits. On
/// CUDA the network is not counted: its memory is the device's.
ExpectedMemory expect_memory(const MemoryQuestion& question);

/// The same without decoded images, for another batch, and without looking whether it fits.
ExpectedMemory without_cache(const MemoryQuestion& question, std::int64_t batch);

/// One line for people.
std::string to_text(const ExpectedMemory& memory);

/// Mean bytes of a decoded case, from up to eight of `count`.
std::int64_t mean_case_size(const data::CaseReader& read, std::size_t count);

}  // namespace medurwkv::train
