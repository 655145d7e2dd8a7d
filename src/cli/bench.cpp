// `medurwkv bench`: how fast this machine runs kernels and networks, beside its own limits.
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/machine.h"
#include "cli/training_library.h"
#include "core/text.h"
#include "core/threads.h"
#include "core/version.h"
#include "kernels/isa.h"
#include "native/matrix_rate.h"
#include "native/onednn.h"
#include "net/presets.h"

namespace medurwkv::cli {
namespace {

using nlohmann::json;

struct BenchOptions {
  CommonOptions common;
  std::string preset = "tiny";
  std::vector<std::int64_t> sizes{256, 512};
  std::vector<int> threads;
  int rounds = 15;
  bool quick = false;
};

/// One thread and all cores, unless told.
std::vector<int> thread_counts(const BenchOptions& options) {
  std::vector<int> out = options.threads;
  if (out.empty()) {
    out = {1};
    if (!options.quick && available_cores() > 1) out.push_back(available_cores());
  }
  return out;
}

json machine() {
  return {{"medurwkv", medurwkv::version},
          {"cpu", cpu_model()},
          {"features", cpu_features()},
          {"cores", available_cores()},
          {"kernels", kernels::to_string(kernels::chosen_isa())},
          {"onednn", native::onednn_version()},
          {"onednn_isa", native::onednn_isa()},
          {"libtorch", describe_training_library().at("libtorch")}};
}

json measured(const BenchOptions& options, int threads) {
  set_thread_count(threads);
  const net::NetworkConfig network = net::preset(options.preset);
  std::vector<plan::Plan> plans;
  for (const std::int64_t size : options.sizes) {
    plans.push_back(plan::record(network, 1, size, size));
  }
  const native::MatrixRate rate = native::best_matrix_rate(plans, options.quick ? 0.005 : 0.03);
  const json request{{"preset", options.preset}, {"sizes", options.sizes},
                     {"threads", threads},       {"rounds", options.rounds},
                     {"quick", options.quick},   {"matrix_flops", rate.best->flops()}};
  json out = run_bench(request, options.common.quiet, [&] { rate.best->run(); });
  out["matrix_product"] = rate.best->name();
  return out;
}

std::string cell(const std::string& text, int width) {
  std::ostringstream out;
  out << std::setw(width) << text;
  return out.str();
}

double number(const json& figures, const char* key) {
  return figures.at(key).get<double>();
}

/// "12.34 ms" with three digits that count.
std::string time_text(double seconds) {
  const auto digits = [](double value) { return value < 10 ? 2 : value < 100 ? 1 : 0; };
  if (seconds >= 1) return fixed(seconds, digits(seconds)) + " s ";
  if (seconds >= 1e-3) return fixed(1e3 * seconds, digits(1e3 * seconds)) + " ms";
  return fixed(1e6 * seconds, digits(1e6 * seconds)) + " us";
}

std::string percent(double share) {
  return fixed(100 * share, 0) + " %";
}

/// In the unit of what binds it: arithmetic or memory.
std::string rate_text(const json& one, const json& limits) {
  const bool arithmetic = number(one, "gflop") / number(limits.at("matrix_gflops"), "median") >
                          number(one, "gbyte") / number(limits.at("triad_gb_s"), "median");
  return arithmetic ? fixed(number(one, "gflop_s"), 1) + " GFLOP/s"
                    : fixed(number(one, "gbyte_s"), 1) + " GB/s   ";
}

void print_case(const json& one, const json& limits) {
  const json& share = one.at("share");
  const auto count = one.at("count").get<std::int64_t>();
  std::cout << "  " << std::left << std::setw(52) << one.at("name").get<std::string>()
            << std::setw(19) << one.at("pass").get<std::string>() << std::right
            << cell(count > 1 ? concat(count, " x") : "", 6)
            << cell(time_text(number(one.at("seconds"), "median")), 10)
            << cell(rate_text(one, limits), 15) << cell(percent(number(share, "median")), 7)
            << cell(concat("[", percent(number(share, "low")), ", ", percent(number(share, "high")),
                           "]"),
                    18)
            << "\n";
}

/// Operations by the time the network spends in them, the most costly only; the rest in the order
/// measured.
void print_group(const json& group) {
  const json& limits = group.at("machine");
  std::cout << "\n"
            << group.at("name").get<std::string>() << "  (FMA loop "
            << fixed(number(limits.at("fma_gflops"), "median"), 0) << " GFLOP/s, matrix product "
            << fixed(number(limits.at("matrix_gflops"), "median"), 0) << " GFLOP/s, triad "
            << fixed(number(limits.at("triad_gb_s"), "median"), 1) << " GB/s)\n";
  if (limits.at("void").is_boolean()) {
    const json& scaling = limits.at("fma_scaling");
    std::cout << "  the FMA loop runs " << fixed(number(scaling, "median"), 2)
              << " times as fast as on one thread"
              << (limits.at("void").get<bool>() ? ": the cores are busy, these figures are void"
                                                : "")
              << "\n";
  }
  std::vector<json> cases = group.at("cases");
  const auto cost = [](const json& one) {
    return one.at("group") == "operation"
               ? number(one, "count") * number(one.at("seconds"), "median")
               : 0.0;
  };
  std::stable_sort(cases.begin(), cases.end(),
                   [&](const json& a, const json& b) { return cost(a) > cost(b); });
  constexpr std::size_t most = 30;
  for (std::size_t i = 0; i < std::min(most, cases.size()); ++i) print_case(cases[i], limits);
  if (cases.size() > most) {
    std::cout << "  ... and " << cases.size() - most << " that take less (all with --json)\n";
  }
}

void print(const json& found) {
  const json& about = found.at("machine");
  const auto text = [&](const char* key) { return about.at(key).get<std::string>(); };
  std::cout << "medurwkv " << text("medurwkv") << ", " << text("cpu") << ", " << about.at("cores")
            << " cores: " << join(about.at("features").get<std::vector<std::string>>(), " ")
            << "\nour kernels " << text("kernels") << ", oneDNN " << text("onednn") << " "
            << text("onednn_isa") << ", LibTorch " << text("libtorch") << "\n";
  for (const json& run : found.at("runs")) {
    std::cout << "\n=== " << run.at("threads") << " thread" << (run.at("threads") == 1 ? "" : "s")
              << ", " << run.at("rounds")
              << " rounds, best product: " << run.at("matrix_product").get<std::string>() << "\n";
    for (const json& group : run.at("groups")) print_group(group);
  }
  std::cout << "\nMedian time; the rate in what binds the case, arithmetic or memory; the share of "
               "its roofline\nwith the interval of its median (docs/performance.md).\n";
}

int run_bench_command(const BenchOptions& options) {
  json found{{"machine", machine()}, {"preset", options.preset}, {"runs", json::array()}};
  for (const int threads : thread_counts(options)) {
    found["runs"].push_back(measured(options, threads));
  }
  if (options.common.json) {
    std::cout << found.dump(1) << "\n";
  } else {
    print(found);
  }
  return exit_done;
}

/// A multiple of 32 from 64 on, refused in words.
CLI::Validator image_size() {
  const auto refuse = [](std::string& text) -> std::string {
    std::int64_t size = 0;
    const bool read = CLI::detail::lexical_cast(text, size);
    const bool fits = read && size >= 64 && size <= 4096 && size % 32 == 0;
    return fits ? "" : concat("wants a multiple of 32 from 64 to 4096, got ", text);
  };
  return {refuse, "SIZE"};
}

}  // namespace

void add_bench(CLI::App& root) {
  const auto options = std::make_shared<BenchOptions>();
  CLI::App* command =
      add_command(root, "bench", "Measure kernels and networks on this machine, beside its limits.",
                  "medurwkv bench --quick");
  command
      ->add_option("--preset", options->preset, concat("one of ", join(net::preset_names(), ", ")))
      ->capture_default_str();
  command->add_option("--size", options->sizes, "heights and widths of the images")
      ->check(image_size())
      ->capture_default_str();
  command
      ->add_option("--threads", options->threads,
                   "numbers of threads to measure on (default: 1 and all cores)")
      ->check(CLI::Range(1, 4096));
  CLI::Option* rounds =
      command->add_option("--rounds", options->rounds, "rounds in which all are timed in turn")
          ->check(CLI::Range(1, 10000))
          ->capture_default_str();
  command->add_flag(
      "--quick", options->quick,
      "under a minute: one thread, 256 x 256, 5 short rounds, no operations one by one");
  add_quiet(*command, options->common);
  add_json(*command, options->common);
  const CLI::Option* sizes = command->get_option("--size");
  on_run(*command, [options, rounds, sizes] {
    if (options->quick && rounds->count() == 0) options->rounds = 5;
    if (options->quick && sizes->count() == 0) options->sizes = {256};
    return run_bench_command(*options);
  });
}

}  // namespace medurwkv::cli
