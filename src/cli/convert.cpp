// `medurwkv convert`: .pth, safetensors and model files into each other. Relies on
// weights/convert.h.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "plan/plan.h"
#include "weights/convert.h"
#include "weights/model_file.h"

namespace medurwkv::cli {
namespace {

struct ConvertOptions {
  CommonOptions common;
  std::string from, to, wkv;
  std::vector<std::string> settings;
  std::vector<std::string> classes;
  std::vector<std::int64_t> size;
  bool encoder = false;
  bool force = false;
};

/// What names and shapes of a file do not tell, as the other commands take it.
void apply(const std::string& setting, net::NetworkConfig& network) {
  if (setting == "encoder.post_norm=true") {
    network.encoder.post_norm = true;
  } else if (setting == "encoder.post_norm=false") {
    network.encoder.post_norm = false;
  } else {
    throw_usage(concat("--set ", setting,
                       ": convert takes encoder.post_norm=true and encoder.post_norm=false"));
  }
}

int run_convert(const ConvertOptions& options) {
  weights::Conversion conversion{.from = options.from,
                                 .to = options.to,
                                 .wkv = {},
                                 .encoder = options.encoder,
                                 .classes = options.classes,
                                 .parameters_of = plan::parameters_of};
  if (!options.wkv.empty()) conversion.wkv = net::wkv_mode_from(options.wkv);
  if (!options.size.empty()) {
    conversion.width = options.size.front();
    conversion.height = options.size.back();
  }
  conversion.adjust = [&](net::NetworkConfig& network) {
    for (const std::string& setting : options.settings) apply(setting, network);
  };
  if (!options.force && std::filesystem::exists(conversion.to)) {
    throw_usage(concat(options.to, ": is there already; --force overwrites it"));
  }
  const weights::Converted done = weights::convert(conversion);
  if (options.common.json) {
    nlohmann::json answer{{"content", done.content},
                          {"tensors", done.tensors},
                          {"left_out", done.left_out},
                          {"file", options.to},
                          {"sha256", sha256_file(options.to)}};
    if (done.network) answer["network"] = weights::to_json(*done.network);
    std::cout << answer.dump(2) << "\n";
    return exit_done;
  }
  std::cout << options.from << ": " << done.content;
  if (done.network) {
    std::cout << " (" << done.network->preset << "), bi-WKV " << net::to_string(done.network->wkv);
  }
  std::cout << "\n" << options.to << ": " << done.tensors << " tensors written";
  if (done.left_out > 0) std::cout << ", " << done.left_out << " left out";
  std::cout << "\n";
  return exit_done;
}

}  // namespace

void add_convert(CLI::App& root) {
  const auto options = std::make_shared<ConvertOptions>();
  CLI::App* command =
      add_command(root, "convert", "Turn .pth, safetensors and model files into each other.",
                  "medurwkv convert run/best.model encoder.pth --encoder");
  command->add_option("from", options->from, "file to read: .pth, safetensors or model file")
      ->required();
  command->add_option("to", options->to, "file to write: *.pth, *.safetensors or *.model")
      ->required();
  command->add_flag("--encoder", options->encoder,
                    "write the encoder alone, under the names of Vision-RWKV's code");
  command->add_option("--wkv", options->wkv,
                      "bi-WKV mode to write: exact, released32 or released16 (default: the file's, "
                      "released32 where it names none)");
  command
      ->add_option("--set", options->settings,
                   "encoder.post_norm=true or false, where the file does not tell")
      ->allow_extra_args(false);
  command
      ->add_option("--classes", options->classes,
                   "names of the classes for a model file made of a .pth, background first")
      ->delimiter(',');
  command->add_option("--size", options->size, "input of such a model file: side, or width height")
      ->expected(1, 2)
      ->check(CLI::Range(1, 16384));
  command->add_flag("--force", options->force, "overwrite the file to write");
  add_json(*command, options->common);
  on_run(*command, [options] { return run_convert(*options); });
}

}  // namespace medurwkv::cli
