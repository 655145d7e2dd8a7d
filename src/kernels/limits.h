// A machine's limits as plain loops find them, beside which measured speeds are given: a
// multiply-add loop on registers and a triad over memory, on the chosen instruction set (the
// weakest vectors for ref) and thread_count() threads. Relies on core.
#pragma once

#include <cstdint>
#include <vector>

namespace medurwkv::kernels {

/// Runs multiply-adds for a few milliseconds on every thread; returns how many floating-point
/// operations that were, a number that does not change from call to call.
double run_fma_loop();

/// a = b + s c over three arrays that together are four times the last-level cache, or a quarter of
/// the memory when that is less.
class Triad {
 public:
  Triad();
  void run();
  /// Bytes read and written by a run, as they are usually counted: three arrays.
  [[nodiscard]] double bytes() const { return 3.0 * 4 * static_cast<double>(a_.size()); }

 private:
  std::vector<float> a_, b_, c_;
};

/// Bytes of the largest cache; 32 MiB where the system does not say.
std::int64_t last_level_cache();

}  // namespace medurwkv::kernels
