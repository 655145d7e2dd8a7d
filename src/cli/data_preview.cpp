// `medurwkv data preview`: a contact sheet of what the network will see.
#include <cstdint>
#include <iostream>
#include <memory>
#include <vector>

#include "app/data_preview.h"
#include "cli/data.h"
#include "core/text.h"

namespace medurwkv::cli {
namespace {

struct PreviewCommand {
  CommonOptions common;
  app::PreviewRequest request;
  std::vector<std::int64_t> size;
};

int run(PreviewCommand& command) {
  apply_threads(command.common);
  TerminalListener listener(command.common);
  app::PreviewRequest& request = command.request;
  request.out = command.common.out;
  if (!command.size.empty()) request.size = {command.size.front(), command.size.back()};
  const app::PreviewResult done = app::preview_data(request, listener);
  std::cout << request.out.string() << ": " << done.drawn << " of " << counted(done.cases, "case")
            << ", " << counted(request.epochs, "epoch") << " each\n";
  return exit_done;
}

}  // namespace

void add_data_preview(CLI::App& data) {
  const auto options = std::make_shared<PreviewCommand>();
  CLI::App* command =
      add_command(data, "preview", "Draw what the network will see, augmentation included.",
                  "medurwkv data preview FOLDER --size 256 --out preview.png");
  add_set_options(*command, options->request.set);
  command
      ->add_option("--split", options->request.split,
                   "split file; without it cases are drawn from the whole set")
      ->check(CLI::ExistingFile);
  command->add_option("--part", options->request.part, "part of the split: train, val, test or all")
      ->check(CLI::IsMember({"train", "val", "test", "all"}))
      ->capture_default_str();
  command
      ->add_option("--fold", options->request.fold,
                   "fold used for validation, 1 to K, of a split with folds")
      ->check(whole(1, 1000));
  command
      ->add_option("--config", options->request.config,
                   "a run's configuration (TOML); other options win over it")
      ->check(CLI::ExistingFile);
  command->add_option("--size", options->size, "the network's input: SIDE or WIDTH,HEIGHT [256]")
      ->delimiter(',')
      ->expected(1, 2)
      ->check(whole(1, app::longest_input_side));
  command->add_option("--fit", options->request.fit, "stretch, pad or native [stretch]");
  command
      ->add_option("--channels", options->request.channels,
                   "channels of the input [the images'; 3 for gray]")
      ->check(whole(1, app::most_input_channels));
  command->add_option("--augment", options->request.augment,
                      "none, light, medium or strong [medium]");
  command->add_option("--cases", options->request.cases, "rows")
      ->check(whole(1, 200))
      ->capture_default_str();
  command->add_option("--epochs", options->request.epochs, "augmented samples of each case")
      ->check(whole(0, 50))
      ->capture_default_str();
  add_seed(*command, options->common);
  add_out(*command, options->common, "PNG file to write", "preview.png");
  command->add_flag("--force", options->request.force, "replace an existing file");
  add_threads(*command, options->common);
  add_memory(*command);
  add_keep_identity(*command);
  add_quiet(*command, options->common);
  on_run(*command, [options, command] {
    const bool seed_given = command->count("--seed") > 0;
    if (seed_given || options->request.config.empty()) options->request.seed = options->common.seed;
    return run(*options);
  });
}

}  // namespace medurwkv::cli
