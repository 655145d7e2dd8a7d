#include "kernels/limits.h"

#include <unistd.h>

#include <algorithm>

#include "core/threads.h"
#include "kernels/isa.h"
#include "kernels/vector/table.h"

namespace medurwkv::kernels {
namespace {

constexpr std::int64_t fma_steps = 1'000'000;

const VectorKernels& table() {
  const VectorKernels* chosen = vector_kernels();
  return chosen != nullptr ? *chosen : baseline_kernels;
}

/// Floats of each of the triad's arrays.
std::size_t triad_length() {
  const std::int64_t memory = std::int64_t{::sysconf(_SC_PHYS_PAGES)} * ::sysconf(_SC_PAGESIZE);
  const std::int64_t bytes = std::min(4 * last_level_cache(), memory / 4);
  return static_cast<std::size_t>(std::max<std::int64_t>(bytes / 12, 1 << 20));
}

}  // namespace

double run_fma_loop() {
  const VectorKernels& kernels = table();
  const int threads = thread_count();
  parallel_for(threads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) kernels.fma_loop(fma_steps, 1);
  });
  return static_cast<double>(threads) * static_cast<double>(fma_steps) *
         static_cast<double>(kernels.fma_flops_per_step);
}

std::int64_t last_level_cache() {
  std::int64_t largest = 0;
#if defined(_SC_LEVEL3_CACHE_SIZE)
  for (const int name : {_SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE, _SC_LEVEL4_CACHE_SIZE}) {
    largest = std::max<std::int64_t>(largest, ::sysconf(name));
  }
#endif
  return largest > 0 ? largest : std::int64_t{32} << 20;
}

Triad::Triad() : a_(triad_length()), b_(triad_length(), 1), c_(triad_length(), 2) {}

void Triad::run() {
  const VectorKernels& kernels = table();
  const auto count = static_cast<std::int64_t>(a_.size());
  parallel_for(count, [&](std::int64_t begin, std::int64_t end) {
    kernels.triad(a_.data() + begin, b_.data() + begin, c_.data() + begin, 3, end - begin);
  });
}

}  // namespace medurwkv::kernels
