// `medurwkv convert`: .pth, safetensors and model files into each other.
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "app/convert.h"
#include "cli/command.h"
#include "core/files.h"
#include "core/text.h"
#include "weights/model_file.h"

namespace medurwkv::cli {
namespace {

struct ConvertOptions {
  CommonOptions common;
  app::ConvertRequest request;
  std::vector<std::int64_t> size;
};

int run_convert(ConvertOptions& options) {
  app::ConvertRequest& request = options.request;
  if (!options.size.empty()) {
    request.width = options.size.front();
    request.height = options.size.back();
  }
  const weights::Converted done = app::convert(request);
  const std::string to = request.to.string();
  if (options.common.json) {
    print_json(app::answer_of(request, done));
    return exit_done;
  }
  std::cout << request.from.string() << ": " << done.content;
  if (done.network) {
    std::cout << " (" << shown(done.network->preset) << "), bi-WKV "
              << net::to_string(done.network->wkv);
  }
  std::cout << "\n" << to << ": " << done.tensors << " tensors written";
  if (done.left_out > 0) std::cout << ", " << done.left_out << " left out";
  std::cout << "\n";
  if (done.temperature_left_out) {
    std::cout << "temperature left out: it was fitted with another bi-WKV mode\n";
  }
  return exit_done;
}

}  // namespace

void add_convert(CLI::App& root) {
  const auto options = std::make_shared<ConvertOptions>();
  CLI::App* command =
      add_command(root, "convert", "Turn .pth, safetensors and model files into each other.",
                  "medurwkv convert run/best.model encoder.pth --encoder");
  command
      ->add_option("from", options->request.from, "file to read: .pth, safetensors or model file")
      ->required();
  command->add_option("to", options->request.to, "file to write: *.pth, *.safetensors or *.model")
      ->required();
  command->add_flag("--encoder", options->request.encoder,
                    "write the encoder alone, under the names of Vision-RWKV's code");
  command->add_option("--wkv", options->request.wkv,
                      "bi-WKV mode to write: exact, released32 or released16 (default: the file's, "
                      "released32 where it names none)");
  command
      ->add_option("--set", options->request.settings,
                   "encoder.post_norm=true or false, where the file does not tell")
      ->allow_extra_args(false);
  command
      ->add_option("--classes", options->request.classes,
                   "names of the classes for a model file made of a .pth, background first")
      ->delimiter(',');
  command
      ->add_option("--size", options->size,
                   "input size of a model file made of a .pth: side, or width height")
      ->expected(1, 2)
      ->check(whole(1, 16384));
  command->add_flag("--force", options->request.force, "overwrite the file to write");
  add_json(*command, options->common);
  add_memory(*command);
  on_run(*command, [options] { return run_convert(*options); });
}

}  // namespace medurwkv::cli
