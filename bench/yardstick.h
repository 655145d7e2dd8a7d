// What the laboratory measures beside its cases: the machine's loops, and oneDNN's best matrix
// product, whose rate is the arithmetic limit here. Relies on measure/limits.h and matrix_rate.h.
#pragma once

#include <vector>

#include <nlohmann/json.hpp>

#include "cases.h"
#include "matrix_rate.h"
#include "measure/limits.h"

namespace medurwkv::bench {

class Yardstick {
 public:
  /// The best product of `plan`.
  explicit Yardstick(const plan::Plan& plan) : rate_(best_matrix_rate({plan})) {}

  /// FMA loop, triad, matrix product, and on several threads the FMA loop on one.
  [[nodiscard]] std::vector<measure::Contender> contenders();
  /// The limits of every round, from the times of contenders(), which come first in `times`.
  [[nodiscard]] std::vector<measure::Limits> limits(const std::vector<measure::Times>& times) const;
  /// {"fma_gflops", "triad_gb_s", "matrix_gflops", "fma_scaling", "void"}: estimates, the last two
  /// null on one thread. Void: the loop scales under 0.85 times the threads.
  [[nodiscard]] nlohmann::json describe(const std::vector<measure::Times>& times) const;

 private:
  measure::MachineLoops loops_;
  MatrixRate rate_;
};

/// {"group", "name", "pass", "count"}, those of measure::figures, "gflop_s" and "gbyte_s".
nlohmann::json case_figures(const BenchCase& one, const measure::Times& times,
                            const std::vector<measure::Limits>& limits);

}  // namespace medurwkv::bench
