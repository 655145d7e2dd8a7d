// A machine's limits as plain loops find them, beside which measured speeds are given: a
// multiply-add loop on registers and a triad over memory. Both run on the chosen instruction set
// (the weakest vectors for ref) and on thread_count() threads. Relies on kernels and in_turn.h.
#pragma once

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "measure/in_turn.h"

namespace medurwkv::measure {

struct Limits {
  double flops_per_second = 0;
  double bytes_per_second = 0;
};

/// The limits over all rounds.
struct LoopSpeeds {
  Estimate fma_gflops;
  Estimate triad_gb_s;

  template <class Self, class Visit>
  static void fields(Self& self, const Visit& visit) {
    visit("fma_gflops", self.fma_gflops);
    visit("triad_gb_s", self.triad_gb_s);
  }
};

/// {"fma_gflops", "triad_gb_s"}.
void to_json(nlohmann::json& out, const LoopSpeeds& speeds);

/// Runs multiply-adds for a few milliseconds on every thread; returns how many floating-point
/// operations that were, a number that does not change from call to call.
double run_fma_loop();

/// The loops as contenders of measure_in_turn, to be timed in the same rounds as what is measured.
/// The triad is a = b + 3 c over arrays that together are four times the last-level cache, or a
/// quarter of the memory when that is less; it moves three arrays, as it is usually counted.
class MachineLoops {
 public:
  MachineLoops();
  /// FMA loop and triad. They refer to this object.
  [[nodiscard]] std::vector<Contender> contenders();
  /// The limits in every round. `times` begins with those of contenders().
  [[nodiscard]] std::vector<Limits> limits(const std::vector<Times>& times) const;
  [[nodiscard]] LoopSpeeds speeds(const std::vector<Times>& times) const;

 private:
  double flops_, bytes_;  ///< of one run of the loops
  std::vector<float> a_, b_, c_;
};

}  // namespace medurwkv::measure
