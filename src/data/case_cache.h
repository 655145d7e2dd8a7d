// Decoded cases under a memory budget. Relies on data/image.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "data/image.h"

namespace medurwkv::data {

struct LoadedCase {
  std::string id;
  Image image;
  LabelMap labels;

  /// What it takes in memory.
  [[nodiscard]] std::int64_t bytes() const {
    return static_cast<std::int64_t>(image.bytes.size() + labels.labels.size());
  }
};

/// Decodes one case by its number; called from several threads at once. Throws Error naming the
/// file.
using CaseReader = std::function<LoadedCase(std::size_t index)>;

/// Keeps what it was asked for first until the budget is full, and reads the rest anew each time:
/// every epoch wants every case once, in another order, so dropping one for another gains nothing.
class CaseCache {
 public:
  CaseCache(std::size_t cases, CaseReader read, std::int64_t budget);

  /// Safe to call from several threads. Throws what the reader throws.
  std::shared_ptr<const LoadedCase> get(std::size_t index);

  /// Bytes that the kept cases take; at most the budget.
  [[nodiscard]] std::int64_t bytes() const;

 private:
  CaseReader read_;
  std::int64_t budget_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const LoadedCase>> kept_;
  std::int64_t bytes_ = 0;
};

}  // namespace medurwkv::data
