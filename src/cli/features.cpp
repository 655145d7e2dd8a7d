// `medurwkv features`: arrays through a network.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "app/features.h"
#include "cli/command.h"
#include "core/memory.h"
#include "core/shape.h"
#include "core/text.h"
#include "core/threads.h"
#include "library/json.h"
#include "library/requests.h"
#include "library/results.h"

namespace medurwkv::cli {
namespace {

struct FeaturesOptions {
  CommonOptions common;
  library::FeaturesRequest request;
  std::string engine;
};

int run_features(FeaturesOptions& options) {
  library::FeaturesRequest& request = options.request;
  request.out = options.common.out;
  request.device = options.common.device;
  request.threads = options.common.threads > 0 ? options.common.threads : available_cores();
  request.memory = memory_limit();
  TerminalListener listener(options.common);
  const library::FeaturesResult answer = app::compute_features(request, options.engine, listener);
  if (options.common.json) {
    print_json(library::to_value(answer));
    return exit_done;
  }
  std::cout << request.model.string() << ": " << answer.architecture << " (" << shown(answer.preset)
            << "), bi-WKV " << answer.wkv << ", " << answer.dtype << "\n";
  for (const library::ArrayFile& file : answer.files) {
    std::cout << file.name << " " << shape_text(file.shape) << "\n";
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
      ->add_option("model", options->request.model,
                   "model file, or .pth or safetensors of a Med-URWKV, adapter or classifier")
      ->required();
  command
      ->add_option("input", options->request.input,
                   ".npy, float32, N x channels x height x width, normalised")
      ->required();
  add_out(*command, options->common, "folder to write into", "features");
  command->add_option("--preset", options->request.preset,
                      "network of bare tensors, instead of what their sizes say");
  command->add_option("--wkv", options->request.wkv,
                      "bi-WKV mode: exact, released32 or released16 (default: the file's, "
                      "released32 where it names none)");
  command->add_option("--dtype", options->request.dtype, "arithmetic and outputs")
      ->check(CLI::IsMember({"float32", "float64"}))
      ->capture_default_str();
  command
      ->add_option("--set", options->request.settings,
                   "a setting of the encoder, such as encoder.post_norm=true (repeatable)")
      ->allow_extra_args(false);
  command->add_flag("--force", options->request.force, "overwrite outputs of an earlier run");
  add_device(*command, options->common);
  add_threads(*command, options->common);
  add_engine(*command, options->engine);
  add_memory(*command);
  add_keep_identity(*command);
  add_quiet(*command, options->common);
  add_json(*command, options->common);
  on_run(*command, [options] { return run_features(*options); });
}

}  // namespace medurwkv::cli
