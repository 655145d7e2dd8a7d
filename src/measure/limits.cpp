#include "measure/limits.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include <nlohmann/json.hpp>

#include "core/threads.h"
#include "kernels/isa.h"
#include "kernels/vector/table.h"

namespace medurwkv::measure {
namespace {

const kernels::VectorKernels& table() {
  const kernels::VectorKernels* chosen = kernels::vector_kernels();
  // ref has no loops of its own; the weakest vectors are behind it.
  return chosen != nullptr ? *chosen : *kernels::isas()[1].kernels;
}

/// Bytes; 32 MiB where the system does not say.
std::int64_t last_level_cache() {
  std::int64_t largest = 0;
#if defined(_SC_LEVEL3_CACHE_SIZE)
  for (const int name : {_SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE, _SC_LEVEL4_CACHE_SIZE}) {
    largest = std::max<std::int64_t>(largest, ::sysconf(name));
  }
#endif
  return largest > 0 ? largest : std::int64_t{32} << 20;
}

}  // namespace

double run_fma_loop() {
  constexpr std::int64_t steps = 1'000'000;
  const kernels::VectorKernels& kernels = table();
  const int threads = thread_count();
  parallel_for(threads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) kernels.fma_loop(steps, 1);
  });
  return static_cast<double>(threads * steps * kernels.fma_flops_per_step);
}

MachineLoops::MachineLoops() : flops_(run_fma_loop()) {
  const std::int64_t memory = std::int64_t{::sysconf(_SC_PHYS_PAGES)} * ::sysconf(_SC_PAGESIZE);
  const auto length = static_cast<std::size_t>(
      std::max<std::int64_t>(std::min(4 * last_level_cache(), memory / 4) / 12, 1 << 20));
  a_.resize(length);
  b_.resize(length, 1);
  c_.resize(length, 2);
  bytes_ = 3.0 * sizeof(float) * static_cast<double>(length);
}

std::vector<Contender> MachineLoops::contenders() {
  const auto triad = [this] {
    parallel_for(
        static_cast<std::int64_t>(a_.size()), [this](std::int64_t begin, std::int64_t end) {
          table().triad(a_.data() + begin, b_.data() + begin, c_.data() + begin, 3, end - begin);
        });
  };
  return {{.name = "FMA loop", .run = [] { run_fma_loop(); }}, {.name = "triad", .run = triad}};
}

std::vector<Limits> MachineLoops::limits(const std::vector<Times>& times) const {
  std::vector<Limits> out;
  for (std::size_t round = 0; round < times[0].seconds.size(); ++round) {
    out.push_back({.flops_per_second = flops_ / times[0].seconds[round],
                   .bytes_per_second = bytes_ / times[1].seconds[round]});
  }
  return out;
}

LoopSpeeds MachineLoops::speeds(const std::vector<Times>& times) const {
  return {.fma_gflops = rate(times[0], 1e-9 * flops_), .triad_gb_s = rate(times[1], 1e-9 * bytes_)};
}

void to_json(nlohmann::json& out, const LoopSpeeds& speeds) {
  out = {{"fma_gflops", speeds.fma_gflops}, {"triad_gb_s", speeds.triad_gb_s}};
}

}  // namespace medurwkv::measure
