// `medurwkv train`: hands a request to the training library.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/ranks.h"
#include "cli/training_library.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "core/threads.h"

namespace medurwkv::cli {
namespace {

struct TrainOptions {
  CommonOptions common;
  std::string data, split, config, preset, pretrained, init, wkv, fold, precision;
  std::vector<std::string> settings;
  int epochs = 0;
  int batch = 0;
  int size = 0;
  int seeds = 1;
  bool resume = false;
  bool names = false;
  double max_minutes = 0;
  double save_every = 1;
  double cache = -1;
  double memory = 0;
  int processes = 1;
  std::string rendezvous;
  int rank = 0;
  int world = 1;
};

/// The short options are settings by another name; --set comes last and wins.
std::vector<std::string> all_settings(const TrainOptions& options, bool seed_given) {
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

void print_series(const nlohmann::json& series) {
  for (const nlohmann::json& run : series.at("runs")) {
    const nlohmann::json& dice = run.at("best_validation_dice");
    std::cout << run.at("folder").get<std::string>() << ": epoch " << run.at("best_epoch") << " of "
              << run.at("epochs") << ", validation Dice "
              << (dice.is_null() ? std::string("-") : fixed(dice.get<double>(), 4)) << "\n";
  }
  const nlohmann::json& all = series.at("validation_dice");
  if (all.at("mean").is_null()) return;
  std::cout << "mean of " << all.at("runs") << ": " << fixed(all.at("mean").get<double>(), 4);
  if (!all.at("deviation").is_null()) {
    std::cout << ", standard deviation " << fixed(all.at("deviation").get<double>(), 4);
  }
  std::cout << "\n";
}

void refuse_wrong_ranks(const TrainOptions& options) {
  if (options.processes == 1 && options.rendezvous.empty()) {
    if (options.world > 1) throw_usage("--world wants --rendezvous HOST:PORT");
    return;
  }
  if (!options.fold.empty() || options.seeds > 1) {
    throw_usage(
        "processes that train together make one run: start --fold and --seeds one by one "
        "(--fold 1, then --fold 2; --seed 1 ...)");
  }
  if (!options.rendezvous.empty() && (options.rank < 0 || options.rank >= options.world)) {
    throw_usage(concat("--rank ", options.rank, ": expected 0 to ", options.world - 1,
                       ", below --world ", options.world));
  }
}

/// The command again in several processes of this machine, which share its cores and memory.
int train_in_processes(const TrainOptions& options) {
  const int threads = options.common.threads > 0 ? options.common.threads : available_cores();
  const double memory =
      options.memory > 0 ? options.memory : 1e-9 * static_cast<double>(available_memory());
  std::vector<std::string> words =
      arguments_without(own_arguments(), {"--nproc", "--threads", "--memory"});
  words.push_back(concat("--threads=", std::max(1, threads / options.processes)));
  words.push_back(concat("--memory=", memory / options.processes));
  return run_ranks(options.processes, words);
}

int run_train(const TrainOptions& options, bool seed_given) {
  refuse_wrong_ranks(options);
  if (options.processes > 1) return train_in_processes(options);
  if (!options.rendezvous.empty()) {
    // c10d's own log lines; what they say is in our errors.
    ::setenv("GLOG_minloglevel", "3", 0);
    ::setenv("TORCH_CPP_LOG_LEVEL", "FATAL", 0);
  }
  if (options.rank == 0 && options.resume &&
      !std::filesystem::exists(options.common.out / "config.toml")) {
    throw_failure(
        concat(options.common.out.string(),
               ": nothing to resume (no training run in it); name its folder with --out"));
  }
  // A resumed run takes its configuration from its own folder unless told otherwise.
  std::string config = options.config;
  if (options.resume && config.empty()) config = (options.common.out / "config.toml").string();
  std::string split = options.split;
  if (options.resume && split.empty()) split = (options.common.out / "split.json").string();
  if (split.empty()) throw CLI::RequiredError("--split");
  const nlohmann::json summary = run_training(
      {{"data", options.data},
       {"split", split},
       {"out", options.common.out.string()},
       {"config", config},
       {"settings", all_settings(options, seed_given)},
       {"device", options.common.device},
       {"threads", options.common.threads > 0 ? options.common.threads : available_cores()},
       {"pretrained", options.pretrained},
       {"init", options.init},
       {"names", options.names},
       {"folds", options.fold},
       {"seeds", options.seeds},
       {"resume", options.resume},
       {"max_minutes", options.max_minutes},
       {"save_every", 60 * options.save_every},
       {"cache", options.cache < 0 ? -1 : 1e9 * options.cache},
       {"memory", 1e9 * options.memory},
       {"rendezvous", options.rendezvous},
       {"rank", options.rank},
       {"world", options.world}},
      options.common.quiet);
  if (options.rank > 0) return exit_done;
  if (options.common.json) {
    std::cout << summary.dump(2) << "\n";
    return exit_done;
  }
  if (summary.contains("runs")) {
    print_series(summary);
    return exit_done;
  }
  std::cout << "model: " << summary.at("model").get<std::string>() << " (epoch "
            << summary.at("best_epoch") << " of " << summary.at("epochs");
  if (!summary.at("best_validation_dice").is_null()) {
    std::cout << ", validation Dice " << fixed(summary.at("best_validation_dice").get<double>(), 4);
  }
  std::cout << ")\ncurves: " << (options.common.out / "curves.svg").string()
            << "\ntime: " << human_seconds(summary.at("seconds").get<double>()) << "\n";
  return exit_done;
}

}  // namespace

void add_train(CLI::App& root) {
  const auto options = std::make_shared<TrainOptions>();
  CLI::App* command = add_command(
      root, "train", "Train a network on a folder of images and masks.",
      "medurwkv train --data DIR --split split.json --preset tiny --epochs 50 --out runs/first");
  command->add_option("--data", options->data, "folder of images and masks")->required();
  command->add_option("--split", options->split, "split.json of `medurwkv data split`");
  command->add_option("--fold", options->fold,
                      "of a split with folds the one that is val: its number, or all (one run "
                      "each, in OUT/foldK)");
  command->add_option("--config", options->config, "TOML configuration")->check(CLI::ExistingFile);
  command->add_option("--preset", options->preset,
                      "network: nano, tiny, small, base, large, unet or unet_small");
  auto* pretrained =
      command
          ->add_option("--pretrained", options->pretrained,
                       "start the encoder from a Vision-RWKV classifier or adapter, or one of ours")
          ->check(CLI::ExistingFile);
  command
      ->add_option("--init", options->init,
                   "start from a model of ours, on other data or classes; its network is kept")
      ->check(CLI::ExistingFile)
      ->excludes(pretrained);
  command->add_flag("--names", options->names,
                    "with --pretrained or --init: list every tensor by what became of it");
  command->add_option("--wkv", options->wkv, "bi-WKV mode: exact, released32 or released16");
  command->add_option("--epochs", options->epochs, "passes over the training part")
      ->check(above_zero());
  command->add_option("--batch", options->batch, "images per step")->check(above_zero());
  command->add_option("--size", options->size, "height and width of the network's input")
      ->check(above_zero());
  command->add_option("--set", options->settings, "any setting, as key=value (repeatable)")
      ->allow_extra_args(false);
  command
      ->add_option("--seeds", options->seeds,
                   "how many runs, from --seed on (one each, in OUT/seedN)")
      ->check(above_zero());
  command
      ->add_option("--precision", options->precision,
                   "float32, or bfloat16 for linear maps and convolutions")
      ->check(CLI::IsMember({"float32", "bfloat16"}));
  command->add_flag("--resume", options->resume, "go on from OUT/last.ckpt, or the runs below OUT");
  command
      ->add_option("--max-minutes", options->max_minutes,
                   "stop after this time, resumed time included")
      ->check(above_zero());
  command->add_option("--save-every", options->save_every, "minutes between checkpoints")
      ->check(above_zero())
      ->capture_default_str();
  command
      ->add_option("--cache", options->cache,
                   "GB of decoded images to keep; default: half of what training leaves free")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--memory", options->memory,
                   "GB that the run may take; default: what the machine has available")
      ->check(above_zero());
  auto* processes =
      command
          ->add_option("--nproc", options->processes,
                       "processes of this machine that train together, each with its share of "
                       "every batch, of --threads and of --memory")
          ->check(above_zero());
  command
      ->add_option("--rendezvous", options->rendezvous,
                   "HOST:PORT where processes of several machines meet; rank 0 listens there")
      ->excludes(processes);
  command->add_option("--rank", options->rank, "of this process, with --rendezvous; 0 writes");
  command->add_option("--world", options->world, "number of processes, with --rendezvous")
      ->check(above_zero());
  add_out(*command, options->common, "folder of the run", "run");
  add_device(*command, options->common);
  add_threads(*command, options->common);
  add_seed(*command, options->common);
  add_quiet(*command, options->common);
  add_json(*command, options->common);
  on_run(*command,
         [options, command] { return run_train(*options, command->count("--seed") > 0); });
}

}  // namespace medurwkv::cli
