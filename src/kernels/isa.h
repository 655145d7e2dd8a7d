// Which implementation of our kernels runs: one table by device and instruction set, and one choice
// by what the processor has and by MEDURWKV_ISA. Relies on core.
#pragma once

#include <string_view>
#include <vector>

namespace medurwkv::kernels {

struct VectorKernels;

enum class Device { cpu, cuda };

/// A row of the table. A new instruction set is a file in kernels/vector and a row of the table in
/// isa.cpp.
struct Isa {
  const char* name;
  Device device;
  bool (*is_here)();             ///< whether this machine has it
  const VectorKernels* kernels;  ///< null: the plain loops of kernels/ref
  const char* onednn;            ///< what ONEDNN_MAX_CPU_ISA calls it
  const char* libtorch;          ///< what ATEN_CPU_CAPABILITY calls it
};

/// All rows, weakest first, whether the machine has them or not. `ref` is the plain loops. `sse`
/// (on aarch64 `neon`, elsewhere `baseline`) is what every processor of its kind has. `vnni`, `amx`
/// and `sve` are about oneDNN: our float kernels run as on the row before.
const std::vector<Isa>& isas();

/// The row of this name; null where there is none.
const Isa* find_isa(std::string_view name, const std::vector<Isa>& table = isas());

/// The CPU's with kernels of their own that this machine can run, weakest first.
std::vector<const Isa*> available_isas();

/// The row that MEDURWKV_ISA=`wanted` stands for. Throws a usage Error where the table has none or
/// this machine lacks it.
const Isa& wanted_isa(std::string_view wanted, const std::vector<Isa>& table);

/// What MEDURWKV_ISA names or, where it is not set or empty, the strongest available one.
const Isa& chosen_isa();

/// For tests: run on `isa` from now on. Not while kernels run.
void force_isa(const Isa& isa);

/// The kernels of the chosen set; null for ref.
const VectorKernels* vector_kernels();

/// Whether the table has a row for the device. What runs elsewhere is composed of LibTorch's
/// operations (torch/torch_ops.h).
bool has_kernels(Device device);

}  // namespace medurwkv::kernels
