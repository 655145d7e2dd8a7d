// Processes that train one network together: sums over all of them, over LibTorch's c10d (Gloo on
// the CPU, NCCL on CUDA where LibTorch was built with it). Relies on ATen.
#pragma once

#include "torch/aten.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace medurwkv::torch_backend {

/// Who meets where. Rank 0 listens at host:port, the others connect to it.
struct Rendezvous {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  int rank = 0;   ///< of this process, from 0
  int world = 1;  ///< number of processes
  /// How long a meeting or a sum may take before the run is given up.
  std::chrono::seconds patience{45};
};

/// Reads "host:port" or "[IPv6 address]:port". Throws a usage Error.
Rendezvous rendezvous_from(const std::string& text);

/// Every member is collective: all ranks call the same members in the same order with tensors of
/// the same shapes and types. Results have the same bits on every rank and in every run of the
/// same world. Throws a failure Error that names the rank when another rank is gone or silent for
/// longer than the patience; the group is then of no further use.
class ProcessGroup {
 public:
  /// Empty when this build can put processes together on `device`; else why not.
  static std::string why_not(const at::Device& device);

  /// Waits for all ranks. Throws a usage Error for what why_not names.
  ProcessGroup(const Rendezvous& rendezvous, const at::Device& device);
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;
  ProcessGroup(ProcessGroup&&) = delete;
  ProcessGroup& operator=(ProcessGroup&&) = delete;
  ~ProcessGroup();

  [[nodiscard]] int rank() const;
  [[nodiscard]] int world() const;
  /// What summed tensors have to be on.
  [[nodiscard]] at::Device device() const;

  /// The sum over all ranks, in place of `x` (contiguous, no gradient).
  void sum(at::Tensor& x) const;

  /// The sum over all ranks with autograd: its backward sums the gradients over all ranks, so that
  /// every rank's gradients are those of the sum of all ranks' losses.
  [[nodiscard]] at::Tensor differentiable_sum(const at::Tensor& x) const;

  /// Rank 0's values, in place of `x` (contiguous).
  void broadcast(at::Tensor& x) const;

 private:
  struct Members;
  std::unique_ptr<Members> members_;
};

}  // namespace medurwkv::torch_backend
