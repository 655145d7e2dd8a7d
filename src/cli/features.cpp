// `medurwkv features`: hands a request to the training library.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/training_library.h"
#include "core/error.h"
#include "core/shape.h"
#include "core/text.h"
#include "core/threads.h"
#include "net/config.h"

namespace medurwkv::cli {
namespace {

struct FeaturesOptions {
  CommonOptions common;
  std::string model, input, preset, wkv;
  std::string dtype = "float32";
  std::vector<std::string> settings;
  bool force = false;
};

/// What can be told without LibTorch is told at once.
void check(const FeaturesOptions& options) {
  if (!options.wkv.empty()) static_cast<void>(net::wkv_mode_from(options.wkv));
  for (const std::string& setting : options.settings) {
    if (!setting.starts_with("encoder.")) {
      throw_usage(concat("--set ", setting, ": features takes settings of encoder alone, such as ",
                         "encoder.post_norm=true"));
    }
  }
}

int run_features(const FeaturesOptions& options) {
  check(options);
  const nlohmann::json answer = compute_features(
      {{"model", options.model},
       {"input", options.input},
       {"out", options.common.out.string()},
       {"preset", options.preset},
       {"wkv", options.wkv},
       {"dtype", options.dtype},
       {"settings", options.settings},
       {"device", options.common.device},
       {"threads", options.common.threads > 0 ? options.common.threads : available_cores()},
       {"force", options.force}},
      options.common.quiet);
  if (options.common.json) {
    std::cout << answer.dump(2) << "\n";
    return exit_done;
  }
  const nlohmann::json& network = answer.at("network");
  std::cout << options.model << ": " << network.at("architecture").get<std::string>() << " ("
            << network.at("preset").get<std::string>() << "), bi-WKV "
            << network.at("wkv").get<std::string>() << ", " << answer.at("dtype").get<std::string>()
            << "\n";
  for (const auto& file : answer.at("files")) {
    std::cout << file.at("name").get<std::string>() << " "
              << shape_text(file.at("shape").get<Shape>()) << "\n";
  }
  return exit_done;
}

}  // namespace

void add_features(CLI::App& root) {
  const auto options = std::make_shared<FeaturesOptions>();
  CLI::App* command =
      add_command(root, "features",
                  "Run arrays through a network: the encoder's maps and logits as .npy files.",
                  "medurwkv features encoder.pth images.npy --out features");
  command
      ->add_option("model", options->model,
                   "model file, or .pth or safetensors of a Med-URWKV, adapter or classifier")
      ->required();
  command
      ->add_option("input", options->input,
                   ".npy, float32, N x channels x height x width, normalised")
      ->required();
  add_out(*command, options->common, "folder to write into", "features");
  command->add_option("--preset", options->preset,
                      "network of bare tensors, instead of what their sizes say");
  command->add_option("--wkv", options->wkv,
                      "bi-WKV mode: exact, released32 or released16 (default: the file's, "
                      "released32 where it names none)");
  command->add_option("--dtype", options->dtype, "arithmetic and outputs")
      ->check(CLI::IsMember({"float32", "float64"}))
      ->capture_default_str();
  command
      ->add_option("--set", options->settings,
                   "a setting of the encoder, such as encoder.post_norm=true (repeatable)")
      ->allow_extra_args(false);
  command->add_flag("--force", options->force, "overwrite outputs of an earlier run");
  add_device(*command, options->common);
  add_threads(*command, options->common);
  add_quiet(*command, options->common);
  add_json(*command, options->common);
  on_run(*command, [options] { return run_features(*options); });
}

}  // namespace medurwkv::cli
