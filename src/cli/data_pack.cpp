// `medurwkv data pack`: a set as one portable file.
#include <iostream>
#include <memory>

#include "app/data_pack.h"
#include "cli/data.h"
#include "core/text.h"

namespace medurwkv::cli {
namespace {

struct PackCommand {
  CommonOptions common;
  app::PackRequest request;
};

int run(PackCommand& command) {
  apply_threads(command.common);
  TerminalListener listener(command.common);
  command.request.out = command.common.out;
  const app::PackResult done = app::pack_data(command.request, listener);
  std::cout << command.request.out.string() << ": " << counted(done.cases, "case") << ", "
            << human_bytes(static_cast<double>(done.bytes)) << "\n";
  return exit_done;
}

}  // namespace

void add_data_pack(CLI::App& data) {
  const auto options = std::make_shared<PackCommand>();
  CLI::App* command = add_command(
      data, "pack", "Write a set as one file, which every command takes in place of the folder.",
      "medurwkv data pack FOLDER --out lesions.pack");
  add_set_options(*command, options->request.set);
  add_out(*command, options->common, "file to write", "data.pack");
  command->add_flag("--force", options->request.force, "replace an existing file");
  add_threads(*command, options->common);
  add_memory(*command);
  add_keep_identity(*command);
  add_quiet(*command, options->common);
  on_run(*command, [options] { return run(*options); });
}

}  // namespace medurwkv::cli
