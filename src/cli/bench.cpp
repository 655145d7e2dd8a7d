// `medurwkv bench`: what a network takes on this machine in time and memory, beside its limits.
#include <cmath>
#include <iomanip>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "app/training_library.h"
#include "cli/command.h"
#include "core/error.h"
#include "core/text.h"
#include "core/threads.h"
#include "core/version.h"
#include "kernels/isa.h"
#include "measure/machine.h"
#include "native/onednn.h"
#include "net/presets.h"

namespace medurwkv::cli {
namespace {

using nlohmann::json;

struct BenchOptions {
  CommonOptions common;
  library::BenchRequest request;
};

json machine() {
  return {{"medurwkv", medurwkv::version},
          {"cpu", measure::cpu_model()},
          {"features", measure::cpu_features()},
          {"cores", available_cores()},
          {"kernels", kernels::to_string(kernels::chosen_isa())},
          {"onednn", native::onednn_version()},
          {"onednn_isa", native::onednn_isa()},
          {"libtorch", app::describe_training_library().at("libtorch")}};
}

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
std::string interval(const json& estimate, const Text& text) {
  const auto part = [&](const char* key) { return text(estimate.at(key).get<double>()); };
  return concat(part("median"), " [", part("low"), ", ", part("high"), "]");
}

void print_row(const std::string& what, const json& one) {
  const auto memory = [&](const char* key) { return human_bytes(one.at(key).get<double>()); };
  std::cout << "  " << std::left << std::setw(20) << what << std::setw(30)
            << interval(one.at("seconds"), time_text) << std::setw(16)
            << digits(one.at("images_per_second").at("median").get<double>()) + " images/s"
            << std::setw(22) << interval(one.at("share"), percent) << memory("peak_memory_bytes")
            << " (expected " << memory("expected_memory_bytes") << ")\n";
}

void print(const json& found) {
  const json& about = found.at("machine");
  const auto text = [&](const char* key) { return about.at(key).get<std::string>(); };
  std::cout << "medurwkv " << text("medurwkv") << " on " << text("cpu") << ", "
            << found.at("threads") << " of " << about.at("cores")
            << " cores: " << join(about.at("features").get<std::vector<std::string>>(), " ")
            << "\nour kernels " << text("kernels") << ", oneDNN " << text("onednn") << " "
            << text("onednn_isa") << ", LibTorch " << text("libtorch") << "\n";
  for (const json& size : found.at("sizes")) {
    const json& limits = size.at("limits");
    std::cout << "\n"
              << found.at("network").get<std::string>() << " at " << size.at("width") << " x "
              << size.at("height")
              << "; the machine's limits: " << interval(limits.at("fma_gflops"), digits)
              << " GFLOP/s, " << interval(limits.at("triad_gb_s"), digits) << " GB/s\n";
    print_row("prediction", size.at("prediction"));
    print_row(concat("training step of ", found.at("batch")), size.at("training_step"));
  }
  std::cout << "\nMedian time and its interval, images a second, the share of the limit (the least "
               "time that the\nmachine's limits allow / the time), memory of the process "
               "(docs/performance.md).\n";
}

int run_bench(BenchOptions& options) {
  options.request.threads = options.common.threads > 0 ? options.common.threads : available_cores();
  TerminalListener listener(options.common);
  json found{{"machine", machine()}};
  found.update(app::bench(options.request, listener));
  if (options.common.json) {
    print_json(found);
  } else {
    print(found);
  }
  return exit_done;
}

}  // namespace

void add_bench(CLI::App& root) {
  const auto options = std::make_shared<BenchOptions>();
  CLI::App* command =
      add_command(root, "bench", "Measure time and memory of a network on this machine's cores.",
                  "medurwkv bench --preset tiny --size 256 --batch 4");
  CLI::Option* model =
      command->add_option("model", options->request.model, "model file (default: a preset)");
  command
      ->add_option("--preset", options->request.preset,
                   concat("one of ", join(net::preset_names(), ", ")))
      ->excludes(model)
      ->capture_default_str();
  command->add_option("--task", options->request.task, "of the preset")
      ->check(CLI::IsMember({"segmentation", "classify"}))
      ->excludes(model)
      ->capture_default_str();
  command
      ->add_option("--size", options->request.sizes,
                   "heights and widths of the images (default: the model's, or 256)")
      ->check(whole(64, 4096));
  command->add_option("--batch", options->request.batch, "images of a training step")
      ->check(whole(1, 65536))
      ->capture_default_str();
  CLI::Option* rounds =
      command
          ->add_option("--rounds", options->request.rounds, "rounds in which all are timed in turn")
          ->check(whole(1, 10000))
          ->capture_default_str();
  command
      ->add_flag_callback(
          "--quick", [options] { options->request.rounds = 5; }, "as --rounds 5")
      ->excludes(rounds);
  add_threads(*command, options->common);
  add_quiet(*command, options->common);
  add_json(*command, options->common);
  on_run(*command, [options] { return run_bench(*options); });
}

}  // namespace medurwkv::cli
