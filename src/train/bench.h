// `medurwkv bench` in the training library: times kernels, operations and networks beside the
// machine's limits, in turn, and says what share of them was reached. Relies on
// train/bench_cases.h, kernels/limits.h and core/measure.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/measure.h"
#include "train/bench_cases.h"

namespace medurwkv::train {

struct BenchRequest {
  std::string preset = "tiny";
  std::vector<std::int64_t> sizes{256, 512};  ///< multiples of 32
  int threads = 1;
  int rounds = 15;
  bool quick = false;  ///< fewer kernels, shorter rounds
  /// Floating-point operations of one call of matrix_product.
  double matrix_flops = 0;
};

struct BenchListener {
  std::function<void(const std::string& line)> line;
  /// The machine's best oneDNN product, once.
  std::function<void()> matrix_product;
  std::function<int()> stop_signal;
};

/// What a set of cases is timed beside. One object, so that all cases of a process meet the same
/// arrays.
class MachineLoops {
 public:
  MachineLoops(double matrix_flops, std::function<void()> matrix_product);
  ~MachineLoops();
  MachineLoops(const MachineLoops&) = delete;
  MachineLoops& operator=(const MachineLoops&) = delete;
  MachineLoops(MachineLoops&&) = delete;
  MachineLoops& operator=(MachineLoops&&) = delete;

  /// FMA loop, triad, matrix product, and on several threads the FMA loop on one.
  [[nodiscard]] std::vector<Contender> contenders() const;
  /// The limits of every round, from the times of contenders(), which come first in `times`.
  [[nodiscard]] std::vector<plan::Limits> limits(const std::vector<Times>& times) const;
  /// {"fma_gflops", "triad_gb_s", "matrix_gflops", "fma_scaling", "void"}: estimates, the last two
  /// null on one thread. Void: the loop scales under 0.85 times the threads.
  [[nodiscard]] nlohmann::json describe(const std::vector<Times>& times) const;

 private:
  struct Loops;
  std::unique_ptr<Loops> loops_;
};

/// {"median", "low", "high", "confidence"}.
nlohmann::json to_json(const Estimate& estimate);

/// Its figures: {"group", "name", "pass", "count", "seconds", "gflop", "gbyte", "gflop_s",
/// "gbyte_s", "bound_seconds", "share"}: the share of the bound is taken round by round.
nlohmann::json case_figures(const BenchCase& one, const Times& times,
                            const std::vector<plan::Limits>& limits);

/// {"threads", "rounds", "groups": [{"name", "machine", "cases"}]}. Throws Error or Stopped.
nlohmann::json run_bench(const BenchRequest& request, const BenchListener& listener);

}  // namespace medurwkv::train
