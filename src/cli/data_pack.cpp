// `medurwkv data pack`: a set as one portable file.
#include <filesystem>
#include <iostream>
#include <memory>

#include "cli/data.h"
#include "core/files.h"
#include "core/text.h"
#include "data/pack.h"

namespace medurwkv::cli {
namespace {

struct PackCommand {
  CommonOptions common;
  SetOptions set;
  bool force = false;
};

int run(const PackCommand& command) {
  apply_threads(command.common);
  const std::filesystem::path& out = command.common.out;
  check_output(out, command.force);
  const data::Dataset dataset =
      data::open_dataset(command.set.folder, dataset_options(command.set));
  if (out.has_parent_path()) make_folder(out.parent_path());
  data::write_pack(dataset, out, stop_signal, command.common.quiet);
  std::cout << out.string() << ": " << counted(std::ssize(dataset.cases), "case") << ", "
            << human_bytes(static_cast<double>(std::filesystem::file_size(out))) << "\n";
  return exit_done;
}

}  // namespace

void add_data_pack(CLI::App& data) {
  const auto options = std::make_shared<PackCommand>();
  CLI::App* command = add_command(
      data, "pack", "Write a set as one file, which every command takes in place of the folder.",
      "medurwkv data pack FOLDER --out lesions.pack");
  add_set_options(*command, options->set);
  add_out(*command, options->common, "file to write", "data.pack");
  command->add_flag("--force", options->force, "replace an existing file");
  add_threads(*command, options->common);
  add_quiet(*command, options->common);
  on_run(*command, [options] { return run(*options); });
}

}  // namespace medurwkv::cli
