// `doctor`: what this machine and this build can do, and whether it computes rightly. Relies on
// app/machine.h and library/results.h.
#pragma once

#include <cstdint>
#include <optional>

#include "app/machine.h"
#include "library/results.h"

namespace medurwkv::app {

struct DoctorReport {
  Machine machine;                ///< and this build
  int threads = 0;                ///< that commands would compute with
  std::int64_t memory_bytes = 0;  ///< of the machine
  double onednn_gflops = 0;       ///< in products of 512 x 512 matrices
  bool self_test_passed = false;  ///< bi-WKV gives the values worked out by hand
  /// None where this build has no training library.
  std::optional<library::LibraryDescription> training_library;
};

DoctorReport examine_machine();

}  // namespace medurwkv::app
