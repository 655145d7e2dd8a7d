#include "cli/training.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "app/train.h"
#include "cli/launched.h"
#include "cli/ranks.h"
#include "core/memory.h"
#include "core/text.h"
#include "core/threads.h"
#include "library/json.h"
#include "library/results.h"

namespace medurwkv::cli {
namespace {

/// The short options are settings by another name; --set comes last and wins.
std::vector<std::string> all_settings(const TrainingOptions& options, bool seed_given) {
  std::vector<std::string> settings;
  if (!options.preset.empty()) settings.push_back("network.preset=" + options.preset);
  if (!options.wkv.empty()) settings.push_back("network.wkv=" + options.wkv);
  if (options.epochs > 0) settings.push_back(concat("run.epochs=", options.epochs));
  if (options.batch > 0) settings.push_back(concat("run.batch=", options.batch));
  if (options.size > 0) {
    settings.push_back(concat("input.width=", options.size));
    settings.push_back(concat("input.height=", options.size));
  }
  if (!options.precision.empty()) settings.push_back("run.precision=" + options.precision);
  if (seed_given) settings.push_back(concat("run.seed=", options.common.seed));
  settings.insert(settings.end(), options.settings.begin(), options.settings.end());
  return settings;
}

void print_series(const library::TrainResult& series) {
  for (const library::RunResult& run : series.runs) {
    std::cout << run.folder << ": epoch " << run.best_epoch << " of " << run.epochs << ", "
              << run.figure << " " << (run.best ? fixed(*run.best, 4) : "-") << "\n";
  }
  if (!series.mean) return;
  std::cout << "mean of " << series.averaged << ": " << fixed(*series.mean, 4);
  if (series.deviation) std::cout << ", standard deviation " << fixed(*series.deviation, 4);
  std::cout << "\n";
}

void print_run(const library::RunResult& run) {
  if (run.model.empty()) {
    std::cout << "model: none yet; go on with --resume\n";
  } else {
    std::cout << "model: " << run.model << " (epoch " << run.best_epoch << " of " << run.epochs;
    if (run.best) std::cout << ", " << run.figure << " " << fixed(*run.best, 4);
    if (run.temperature) std::cout << ", temperature " << fixed(*run.temperature, 3);
    std::cout << ")\ncurves: " << run.curves << "\n";
  }
  std::cout << "time: " << human_seconds(run.seconds) << "\n";
}

/// Runs the command again in several processes of this machine, which share its cores and memory.
int train_in_processes(const TrainingOptions& options) {
  const int threads = options.common.threads > 0 ? options.common.threads : available_cores();
  const double memory =
      1e-9 * static_cast<double>(memory_limit() > 0 ? memory_limit() : available_memory());
  std::vector<std::string> words =
      arguments_without(own_arguments(), {"--nproc", "--threads", "--memory"});
  const int processes = *options.processes;
  words.push_back(concat("--threads=", std::max(1, threads / processes)));
  words.push_back(concat("--memory=", memory / processes));
  return run_ranks(processes, words);
}

}  // namespace

void add_training_options(CLI::App& command, TrainingOptions& options) {
  command.add_option("--config", options.request.config, "TOML configuration")
      ->check(CLI::ExistingFile);
  const bool segments = options.request.task == "segmentation";
  command.add_option("--preset", options.preset,
                     segments ? "network: nano, tiny, small, base, large, unet or unet_small"
                              : "encoder: nano, tiny, small, base or large");
  command.add_option("--wkv", options.wkv, "bi-WKV mode: exact, released32 or released16");
  command.add_option("--epochs", options.epochs, "passes over the training part")
      ->check(whole(1, 1000000));
  command.add_option("--batch", options.batch, "images per step")->check(whole(1, 4096));
  command.add_option("--size", options.size, "height and width of the network's input")
      ->check(whole(1, 16384));
  command.add_option("--set", options.settings, "any setting, as key=value (repeatable)")
      ->allow_extra_args(false);
  command
      .add_option("--precision", options.precision,
                  "float32, or bfloat16 for linear maps and convolutions")
      ->check(CLI::IsMember({"float32", "bfloat16"}));
  auto* resume = command.add_flag("--resume", options.request.resume,
                                  segments ? "go on from OUT/last.ckpt, or with the runs below OUT"
                                           : "go on from OUT/last.ckpt");
  command
      .add_flag("--auto-resume", options.auto_resume,
                "as --resume where OUT holds a run, else begin one: for launchers and queues that "
                "start the same command again")
      ->excludes(resume);
  command
      .add_option("--max-minutes", options.request.max_minutes,
                  "stop after this time, resumed time included")
      ->check(above_zero());
  command.add_option("--save-every", options.save_minutes, "minutes between checkpoints")
      ->check(above_zero())
      ->capture_default_str();
  command
      .add_option("--cache", options.cache_gigabytes,
                  "GB of decoded images to keep; default: half of what training leaves free")
      ->check(number(0, 1e9));
  auto* processes =
      command
          .add_option("--nproc", options.processes,
                      "processes of this machine that train together, each with its share of "
                      "every batch, of --threads and of --memory")
          ->check(whole(1, 4096));
  command
      .add_option("--rendezvous", options.request.rendezvous,
                  "HOST:PORT where processes of several machines meet; rank 0 listens there")
      ->excludes(processes);
  command
      .add_option("--rank", options.rank,
                  "this process's rank with --rendezvous, 0 to world - 1; rank 0 writes the run")
      ->check(whole(0, 4095));
  command.add_option("--world", options.world, "number of processes, with --rendezvous")
      ->check(whole(1, 4096));
  add_out(command, options.common, "folder of the run", "run");
  add_device(command, options.common);
  add_threads(command, options.common);
  add_memory(command);
  add_keep_identity(command);
  add_seed(command, options.common);
  add_quiet(command, options.common);
  add_json(command, options.common);
}

int run_training(TrainingOptions& options, bool seed_given) {
  library::TrainRequest& request = options.request;
  if (options.processes.value_or(1) > 1) {
    app::refuse_series_of_ranks(request);
    return train_in_processes(options);
  }
  const std::string launched = take_rank(options);
  if (!request.rendezvous.empty()) {
    // Silences c10d's own log lines; our errors say the same.
    ::setenv("GLOG_minloglevel", "3", 0);
    ::setenv("TORCH_CPP_LOG_LEVEL", "FATAL", 0);
  }
  request.out = options.common.out;
  request.settings = all_settings(options, seed_given);
  request.device = options.common.device;
  request.threads = options.common.threads > 0 ? options.common.threads : available_cores();
  request.save_every = 60 * options.save_minutes;
  request.cache = options.cache_gigabytes < 0 ? -1 : 1e9 * options.cache_gigabytes;
  // Rank 0 alone has the folder, and tells the others where it goes on.
  if (options.auto_resume && request.rank == 0) request.resume = app::holds_training(request.out);
  TerminalListener listener(options.common);
  if (!launched.empty()) listener.line(launched);
  const library::TrainResult result = app::train_network(request, listener);
  if (request.rank > 0) return exit_done;
  if (options.common.json) {
    print_json(result.series ? library::to_value(result) : library::to_value(result.runs.front()));
  } else if (result.series) {
    print_series(result);
  } else {
    print_run(result.runs.front());
  }
  return exit_done;
}

}  // namespace medurwkv::cli
