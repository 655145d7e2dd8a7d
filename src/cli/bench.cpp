// `medurwkv bench`: what a network takes on this machine in time and memory, beside its limits.
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "app/bench.h"
#include "cli/command.h"
#include "core/error.h"
#include "core/text.h"
#include "core/threads.h"
#include "library/json.h"
#include "net/presets.h"

namespace medurwkv::cli {
namespace {

struct BenchCommand {
  CommonOptions common;
  app::BenchOptions options;
};

/// Three digits that count.
std::string digits(double value) {
  return fixed(value, value < 10 ? 2 : value < 100 ? 1 : 0);
}

std::string time_text(double seconds) {
  return seconds < 1 ? digits(1e3 * seconds) + " ms" : digits(seconds) + " s";
}

std::string percent(double share) {
  return fixed(100 * share, 0) + " %";
}

/// "median [low, high]".
template <class Text>
std::string interval(const measure::Estimate& estimate, const Text& text) {
  return concat(text(estimate.median), " [", text(estimate.low), ", ", text(estimate.high), "]");
}

void print_row(const std::string& what, const library::BenchFigures& one) {
  const auto memory = [](std::int64_t bytes) { return human_bytes(static_cast<double>(bytes)); };
  std::cout << "  " << std::left << std::setw(22) << what << std::setw(30)
            << interval(one.seconds, time_text) << std::setw(16)
            << digits(one.images / one.seconds.median) + " images/s" << std::setw(22)
            << interval(one.share, percent) << memory(one.peak_memory_bytes) << " (expected "
            << memory(one.expected_memory_bytes) << ")\n"
            << "    the machine's limits: " << interval(one.limits.fma_gflops, digits)
            << " GFLOP/s, " << interval(one.limits.triad_gb_s, digits) << " GB/s\n";
}

void print_profile(const std::vector<app::OperationFigures>& profile) {
  std::cout << "\n  " << std::left << std::setw(22) << "operation" << std::right << std::setw(6)
            << "count" << std::setw(11) << "time" << std::setw(8) << "share" << std::setw(11)
            << "GFLOP/s" << std::setw(8) << "GB/s" << std::setw(10) << "of limit"
            << "\n";
  for (const app::OperationFigures& one : profile) {
    std::cout << "  " << std::left << std::setw(22) << one.name << std::right << std::setw(6)
              << one.count << std::setw(11) << time_text(one.seconds) << std::setw(8)
              << percent(one.share) << std::setw(11) << digits(one.gflop / one.seconds)
              << std::setw(8) << digits(one.gbyte / one.seconds) << std::setw(10)
              << percent(one.bound_share) << "\n";
  }
}

void print(const app::BenchReport& found) {
  const app::Machine& machine = found.machine;
  std::cout << "medurwkv " << machine.medurwkv << " on " << machine.cpu << ", " << found.threads
            << " of " << machine.cores << " cores: " << join(machine.features, " ")
            << "\nour kernels " << machine.kernels << ", oneDNN " << machine.onednn << " "
            << machine.onednn_isa
            << (found.libtorch.empty() ? "" : concat(", LibTorch ", found.libtorch)) << "\n";
  for (const app::BenchSize& size : found.sizes) {
    std::cout << "\n"
              << found.network << " (" << found.task << ") at " << size.width << " x "
              << size.height << "\n";
    print_row(found.precision == "float32" ? "prediction" : "prediction, " + found.precision,
              size.prediction);
    if (size.training_step) {
      print_row(concat("training step of ", found.batch), *size.training_step);
    }
    if (!size.profile.empty()) print_profile(size.profile);
  }
  std::cout << "\nMedian time and its interval, images a second, the share of the limit (the least "
               "time that the\nmachine's limits allow / the time), memory of the process "
               "(docs/performance.md).\n";
}

int run_bench(BenchCommand& command) {
  const CommonOptions& common = command.common;
  command.options.request.threads = common.threads > 0 ? common.threads : available_cores();
  TerminalListener listener(common);
  const app::BenchReport found = app::measure_network(command.options, listener);
  if (common.json) {
    print_json(library::to_value(found));
  } else {
    print(found);
  }
  return exit_done;
}

}  // namespace

void add_bench(CLI::App& root) {
  const auto options = std::make_shared<BenchCommand>();
  CLI::App* command =
      add_command(root, "bench", "Measure time and memory of a network on this machine's cores.",
                  "medurwkv bench --preset tiny --size 256 --batch 4");
  CLI::Option* model = command->add_option("model", options->options.request.model,
                                           "model file (default: a preset)");
  command
      ->add_option("--preset", options->options.request.preset,
                   concat("one of ", join(net::preset_names(), ", ")))
      ->excludes(model)
      ->capture_default_str();
  command->add_option("--task", options->options.request.task, "of the preset")
      ->check(CLI::IsMember({"segmentation", "classify"}))
      ->excludes(model)
      ->capture_default_str();
  command
      ->add_option("--size", options->options.request.sizes,
                   "heights and widths of the images (default: the model's, or 256)")
      ->check(whole(64, 4096));
  command->add_option("--batch", options->options.request.batch, "images of a training step")
      ->check(whole(1, 65536))
      ->capture_default_str();
  CLI::Option* rounds = command
                            ->add_option("--rounds", options->options.request.rounds,
                                         "rounds in which all are timed in turn")
                            ->check(whole(1, 10000))
                            ->capture_default_str();
  command
      ->add_flag_callback(
          "--quick", [options] { options->options.request.rounds = 5; }, "as --rounds 5")
      ->excludes(rounds);
  command->add_flag_callback(
      "--prediction", [options] { options->options.training = false; },
      "only a prediction, no training step");
  add_precision(*command, options->options.precision);
  command->add_flag("--profile", options->options.profile,
                    "also the time of each kind of operation in a prediction");
  add_threads(*command, options->common);
  add_quiet(*command, options->common);
  add_json(*command, options->common);
  on_run(*command, [options] { return run_bench(*options); });
}

}  // namespace medurwkv::cli
