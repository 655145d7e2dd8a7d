#include "yardstick.h"

#include "core/threads.h"

namespace medurwkv::bench {

std::vector<measure::Contender> Yardstick::contenders() {
  std::vector<measure::Contender> out = loops_.contenders();
  out.push_back({.name = "matrix product", .run = [this] { rate_.best->run(); }});
  if (thread_count() == 1) return out;
  out.push_back({.name = "FMA loop, 1 thread", .run = [] {
                   const int threads = thread_count();
                   set_thread_count(1);
                   measure::run_fma_loop();
                   set_thread_count(threads);
                 }});
  return out;
}

std::vector<measure::Limits> Yardstick::limits(const std::vector<measure::Times>& times) const {
  std::vector<measure::Limits> out = loops_.limits(times);
  for (std::size_t round = 0; round < out.size(); ++round) {
    out[round].flops_per_second = rate_.best->flops() / times[2].seconds[round];
  }
  return out;
}

nlohmann::json Yardstick::describe(const std::vector<measure::Times>& times) const {
  nlohmann::json out = loops_.speeds(times);
  out["matrix_gflops"] = measure::rate(times[2], 1e-9 * rate_.best->flops());
  out["fma_scaling"] = out["void"] = nullptr;
  const int threads = thread_count();
  if (threads == 1) return out;
  // All threads do as many times as much in a run as one does.
  measure::Times one = times[3];
  for (double& seconds : one.seconds) seconds *= threads;
  const measure::Estimate scaling = measure::ratio(one, times[0]);
  out["fma_scaling"] = scaling;
  out["void"] = scaling.median < 0.85 * threads;
  return out;
}

nlohmann::json case_figures(const BenchCase& one, const measure::Times& times,
                            const std::vector<measure::Limits>& limits) {
  nlohmann::json out = measure::figures(one.work, times, limits);
  for (const char* amount : {"gflop", "gbyte"}) {
    out[std::string(amount) + "_s"] = measure::rate(times, out.at(amount).get<double>()).median;
  }
  out.update({{"group", one.group}, {"name", one.name}, {"pass", one.pass}, {"count", one.count}});
  return out;
}

}  // namespace medurwkv::bench
