// What a golden test computes in and on: float64, or float32 on each instruction set that our
// kernels can be made to run on here; both again on a device beside the CPU.
#pragma once

#include "torch/aten.h"

#include <ostream>
#include <string>
#include <vector>

#include "kernels/isa.h"
#include "support/other_device.h"

namespace medurwkv::test {

struct Arithmetic {
  at::ScalarType type = at::kFloat;
  const kernels::Isa* isa = nullptr;  ///< null: the chosen one
  at::Device device = at::kCPU;

  [[nodiscard]] bool single() const { return type == at::kFloat; }
  [[nodiscard]] at::TensorOptions options() const { return at::TensorOptions(type).device(device); }
  /// "float64", "float32_avx2", "float32_other_device" ...
  [[nodiscard]] std::string name() const {
    const std::string precision = single() ? "float32" : "float64";
    if (device != at::kCPU) return precision + "_other_device";
    return isa != nullptr ? precision + "_" + isa->name : precision;
  }
  /// As the tolerances name it.
  [[nodiscard]] std::string precision() const { return single() ? "float32" : "float64"; }
};

inline void PrintTo(const Arithmetic& arithmetic, std::ostream* out) {
  *out << arithmetic.name();
}

/// float64 (which our kernels compute on no instruction set of their own), then float32 on all.
inline std::vector<Arithmetic> every_arithmetic_of_the_cpu() {
  std::vector<Arithmetic> out{{.type = at::kDouble, .isa = nullptr}};
  for (const kernels::Isa* isa : kernels::available_isas()) {
    out.push_back({.type = at::kFloat, .isa = isa});
  }
  return out;
}

inline std::vector<Arithmetic> with_other_device(std::vector<Arithmetic> out) {
  if (!has_other_device()) return out;
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    out.push_back({.type = type, .isa = nullptr, .device = other_device()});
  }
  return out;
}

inline std::vector<Arithmetic> every_arithmetic() {
  return with_other_device(every_arithmetic_of_the_cpu());
}

/// Each once: for what runs no kernel of ours.
inline std::vector<Arithmetic> both_precisions() {
  return with_other_device(
      {{.type = at::kDouble, .isa = nullptr}, {.type = at::kFloat, .isa = nullptr}});
}

/// Runs on the instruction set of `arithmetic` while it lives.
class Forced {
 public:
  explicit Forced(const Arithmetic& arithmetic) {
    if (arithmetic.isa != nullptr) kernels::force_isa(*arithmetic.isa);
  }
  Forced(const Forced&) = delete;
  Forced& operator=(const Forced&) = delete;
  Forced(Forced&&) = delete;
  Forced& operator=(Forced&&) = delete;
  ~Forced() { kernels::force_isa(before_); }

 private:
  const kernels::Isa& before_ = kernels::chosen_isa();
};

}  // namespace medurwkv::test
