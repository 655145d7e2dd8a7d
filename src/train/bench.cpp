#include "train/bench.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/stop.h"
#include "core/text.h"
#include "core/threads.h"
#include "kernels/limits.h"
#include "net/presets.h"
#include "train/trainer_tail.h"

namespace medurwkv::train {
namespace {

using nlohmann::json;

void set_threads(int threads) {
  set_thread_count(threads);
  at::set_num_threads(threads);
}

double sum_of(const std::vector<plan::Work>& works, double plan::Work::*member) {
  double sum = 0;
  for (const plan::Work& work : works) sum += work.*member;
  return sum;
}

/// rate / seconds of every round.
Estimate rate(const Times& times, double amount) {
  std::vector<double> rates;
  for (const double seconds : times.seconds) rates.push_back(amount / seconds);
  return estimate(rates);
}

json group(const std::string& name, const std::vector<BenchCase>& cases, const MachineLoops& loops,
           const MeasureOptions& options) {
  std::vector<Contender> contenders = loops.contenders();
  const std::size_t machine = contenders.size();
  for (const BenchCase& one : cases) contenders.push_back({.name = one.name, .run = one.run});
  const std::vector<Times> times = measure_in_turn(contenders, options);
  const std::vector<plan::Limits> limits = loops.limits(times);
  json figures = json::array();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    figures.push_back(case_figures(cases[i], times[machine + i], limits));
  }
  return {{"name", name}, {"machine", loops.describe(times)}, {"cases", figures}};
}

}  // namespace

struct MachineLoops::Loops {
  kernels::Triad triad;
  double fma_flops = 0;
  double matrix_flops = 0;
  std::function<void()> matrix_product;
};

MachineLoops::MachineLoops(double matrix_flops, std::function<void()> matrix_product)
    : loops_(std::make_unique<Loops>()) {
  loops_->fma_flops = kernels::run_fma_loop();
  loops_->matrix_flops = matrix_flops;
  loops_->matrix_product = std::move(matrix_product);
}

MachineLoops::~MachineLoops() = default;

std::vector<Contender> MachineLoops::contenders() const {
  std::vector<Contender> out{
      {.name = "FMA loop", .run = [] { kernels::run_fma_loop(); }},
      {.name = "triad", .run = [this] { loops_->triad.run(); }},
      {.name = "matrix product", .run = [this] { loops_->matrix_product(); }}};
  if (thread_count() > 1) {
    out.push_back({.name = "FMA loop, 1 thread", .run = [] {
                     const int threads = thread_count();
                     set_thread_count(1);
                     kernels::run_fma_loop();
                     set_thread_count(threads);
                   }});
  }
  return out;
}

std::vector<plan::Limits> MachineLoops::limits(const std::vector<Times>& times) const {
  std::vector<plan::Limits> out;
  for (std::size_t round = 0; round < times[0].seconds.size(); ++round) {
    out.push_back({.flops_per_second = loops_->matrix_flops / times[2].seconds[round],
                   .bytes_per_second = loops_->triad.bytes() / times[1].seconds[round]});
  }
  return out;
}

json MachineLoops::describe(const std::vector<Times>& times) const {
  json out{{"fma_gflops", to_json(rate(times[0], 1e-9 * loops_->fma_flops))},
           {"triad_gb_s", to_json(rate(times[1], 1e-9 * loops_->triad.bytes()))},
           {"matrix_gflops", to_json(rate(times[2], 1e-9 * loops_->matrix_flops))},
           {"fma_scaling", nullptr},
           {"void", nullptr}};
  const int threads = thread_count();
  if (threads > 1) {
    Estimate scaling = ratio(times[3], times[0]);
    scaling.median *= threads;
    scaling.low *= threads;
    scaling.high *= threads;
    out["fma_scaling"] = to_json(scaling);
    out["void"] = scaling.median < 0.85 * threads;
  }
  return out;
}

json to_json(const Estimate& estimate) {
  return {{"median", estimate.median},
          {"low", estimate.low},
          {"high", estimate.high},
          {"confidence", estimate.confidence}};
}

json case_figures(const BenchCase& one, const Times& times,
                  const std::vector<plan::Limits>& limits) {
  const double flops = sum_of(one.work, &plan::Work::flops);
  const double bytes = sum_of(one.work, &plan::Work::bytes);
  std::vector<double> bounds;
  std::vector<double> shares;
  for (std::size_t round = 0; round < limits.size(); ++round) {
    bounds.push_back(plan::roofline_seconds(one.work, limits[round]));
    shares.push_back(bounds.back() / times.seconds[round]);
  }
  return {{"group", one.group},
          {"name", one.name},
          {"pass", one.pass},
          {"count", one.count},
          {"seconds", to_json(estimate(times.seconds))},
          {"gflop", 1e-9 * flops},
          {"gbyte", 1e-9 * bytes},
          {"gflop_s", rate(times, 1e-9 * flops).median},
          {"gbyte_s", rate(times, 1e-9 * bytes).median},
          {"bound_seconds", estimate(bounds).median},
          {"share", to_json(estimate(shares))}};
}

json run_bench(const BenchRequest& request, const BenchListener& listener) {
  set_threads(request.threads);
  const MachineLoops loops(request.matrix_flops, listener.matrix_product);
  const MeasureOptions options{
      .rounds = request.rounds, .seconds = request.quick ? 0.002 : 0.02, .before_round = [&] {
        const int signal = listener.stop_signal();
        if (signal != 0) throw Stopped{signal};
      }};
  json groups = json::array();
  const auto measure = [&](const std::string& name, const std::vector<BenchCase>& cases) {
    listener.line(concat(request.threads, request.threads == 1 ? " thread: " : " threads: ", name,
                         ", ", cases.size(), " cases"));
    groups.push_back(group(name, cases, loops, options));
  };
  const net::NetworkConfig whole = net::preset(request.preset);
  if (whole.architecture == net::Architecture::med_urwkv) {
    std::vector<std::int64_t> tokens{196, 1024, 16384};
    if (request.quick) tokens.pop_back();
    measure("bi-WKV", wkv_cases(tokens, whole.encoder.width));
  }
  const auto format = at::MemoryFormat::ChannelsLast;
  for (const std::int64_t size : request.sizes) {
    if (!request.quick) {
      measure(concat("operations of ", request.preset, " at ", size),
              operation_cases<torch_backend::TorchOps>(plan::record(whole, 1, size, size), format));
    }
    // The step at the first size alone: four large images want more memory than some machines have.
    const std::int64_t batch = size == request.sizes.front() ? 4 : 0;
    measure(concat("networks at ", size),
            network_cases<torch_backend::TorchOps, TrainerTail>(
                {.preset = request.preset, .size = size, .step_batch = batch}, format));
  }
  return {{"threads", request.threads}, {"rounds", request.rounds}, {"groups", groups}};
}

}  // namespace medurwkv::train
