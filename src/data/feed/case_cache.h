// Decoded cases under a memory budget. Relies on data/image/image.h and, for hashes, core/files.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "data/image/image.h"

namespace medurwkv::data {

struct LoadedCase {
  std::string id;
  Image image;
  LabelMap labels{};                      ///< empty where the task has no masks
  std::string image_name{}, mask_name{};  ///< for messages

  /// What it takes in memory.
  [[nodiscard]] std::int64_t bytes() const {
    return static_cast<std::int64_t>(image.bytes.size() + labels.labels.size());
  }
};

/// Decodes one case by its number; called from several threads at once. Throws Error naming the
/// file.
using CaseReader = std::function<LoadedCase(std::size_t index)>;

/// Keeps the cases that were asked for first until the budget is full, and reads the others anew
/// each time. Every epoch wants every case once, in another order, so dropping one for another
/// gains nothing. A case that is read anew must not have changed: a run learns from one set.
class CaseCache {
 public:
  CaseCache(std::size_t cases, CaseReader read, std::int64_t budget);

  /// Safe to call from several threads. Throws what the reader throws, and Error naming the image
  /// or the mask that has changed.
  std::shared_ptr<const LoadedCase> get(std::size_t index);

  /// Bytes that the kept cases take; at most the budget.
  [[nodiscard]] std::int64_t bytes() const;

 private:
  /// Sizes, types and SHA-256 of pixels; empty: not read yet.
  struct Hashes {
    std::string image, mask;
  };
  static Hashes hashes_of(const LoadedCase& item);
  void check_same(std::size_t index, const LoadedCase& item);

  CaseReader read_;
  std::int64_t budget_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const LoadedCase>> kept_;
  std::vector<Hashes> seen_;  ///< of cases that are not kept
  std::int64_t bytes_ = 0;
};

}  // namespace medurwkv::data
