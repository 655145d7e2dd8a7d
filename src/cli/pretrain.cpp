// `medurwkv pretrain`: an encoder from images without masks, in one of three ways.
#include <memory>
#include <string>

#include "cli/training.h"

namespace medurwkv::cli {
namespace {

/// A way to pretrain: its options are those of a training beside the pictures.
CLI::App& add_way(CLI::App& pretrain, const std::string& task, const std::string& purpose,
                  const std::string& example, const std::shared_ptr<TrainingOptions>& options) {
  CLI::App* command = add_command(pretrain, task, purpose, example);
  options->request.task = task;
  command
      ->add_option("data", options->request.pictures,
                   task == "classify" ? "folder of class folders, of train and val, or of zips"
                                      : "folders or zips of images")
      ->required()
      ->expected(1, task == "classify" ? 1 : 1000);
  add_training_options(*command, *options);
  on_run(*command,
         [options, command] { return run_training(*options, command->count("--seed") > 0); });
  return *command;
}

}  // namespace

void add_pretrain(CLI::App& root) {
  CLI::App* pretrain = add_command(
      root, "pretrain", "Make an encoder from images without masks, for `train --pretrained`.",
      "medurwkv pretrain simmim IMAGES --preset tiny --epochs 100 --out runs/encoder");
  pretrain->require_subcommand(1);
  add_way(*pretrain, "classify", "Learn to tell classes of images apart.",
          "medurwkv pretrain classify IMAGENET --config configs/pretrain-imagenet-tiny.toml --out "
          "runs/classifier",
          std::make_shared<TrainingOptions>());
  add_way(*pretrain, "simmim", "Learn to rebuild masked parts of images, without labels.",
          "medurwkv pretrain simmim IMAGES --preset tiny --epochs 100 --out runs/encoder",
          std::make_shared<TrainingOptions>());
  const auto options = std::make_shared<TrainingOptions>();
  CLI::App& distill = add_way(
      *pretrain, "distill", "Learn what a teacher says of images, without labels.",
      "medurwkv pretrain distill IMAGES --teacher teacher.ts --epochs 20 --out runs/encoder",
      options);
  CLI::Option* teacher =
      distill
          .add_option(
              "--teacher", options->request.teacher,
              "TorchScript module from images to maps or vectors, with its normalisation in "
              "a .json beside it; it is a program: use your own only")
          ->check(CLI::ExistingFile);
  distill
      .add_option("--targets", options->request.targets,
                  ".npy file of a teacher's maps or vectors, with the images' ids and hashes in a "
                  ".csv beside it (repeatable)")
      ->check(CLI::ExistingFile)
      ->allow_extra_args(false)
      ->excludes(teacher);
  distill
      .add_option_function<int>(
          "--teacher-scale",
          [options](int scale) {
            options->settings.insert(options->settings.begin(),
                                     "distill.teacher_scale=" + std::to_string(scale));
          },
          "side of the teacher's images, in units of the network's input")
      ->check(whole(1, 16));
}

}  // namespace medurwkv::cli
