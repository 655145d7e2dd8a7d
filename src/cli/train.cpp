// `medurwkv train`: a training run or a series of them.
#include <memory>

#include "cli/training.h"

namespace medurwkv::cli {

void add_train(CLI::App& root) {
  const auto options = std::make_shared<TrainingOptions>();
  CLI::App* command = add_command(
      root, "train", "Train a network on a folder of images and masks.",
      "medurwkv train --data DIR --split split.json --preset tiny --epochs 50 --out runs/first");
  command->add_option("--data", options->request.data, "folder of images and masks")->required();
  command->add_option("--split", options->request.split, "split.json of `medurwkv data split`");
  command->add_option("--fold", options->request.folds,
                      "fold used for validation, 1 to K, or all (a run for each, in OUT/foldK)");
  auto* pretrained =
      command
          ->add_option("--pretrained", options->request.pretrained,
                       "start the encoder from a Vision-RWKV classifier or adapter, or one of ours")
          ->check(CLI::ExistingFile);
  command
      ->add_option("--init", options->request.init,
                   "start from a model of ours, on other data or classes; its network is kept")
      ->check(CLI::ExistingFile)
      ->excludes(pretrained);
  command->add_flag(
      "--names", options->request.names,
      "list each tensor of --pretrained or --init: used, resized, new, unused or mismatched");
  command
      ->add_option("--seeds", options->request.seeds,
                   "how many runs, from --seed on (one each, in OUT/seedN)")
      ->check(whole(1, 1000));
  add_training_options(*command, *options);
  on_run(*command,
         [options, command] { return run_training(*options, command->count("--seed") > 0); });
}

}  // namespace medurwkv::cli
