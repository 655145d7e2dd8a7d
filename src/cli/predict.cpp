// `medurwkv predict`: images to masks, overlays and probabilities. Relies on predict and on the
// engine that cli/training_library.h opens.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/training_library.h"
#include "core/error.h"
#include "core/text.h"
#include "predict/outputs.h"
#include "predict/runner.h"

namespace medurwkv::cli {

namespace {

struct PredictOptions {
  CommonOptions common;
  std::filesystem::path model;
  std::vector<std::filesystem::path> inputs;
  predict::OutputOptions outputs;
  bool force = false;
};

int run_predict(const PredictOptions& options) {
  apply_threads(options.common);
  const auto jobs = predict::plan_outputs(options.inputs, options.common.out, options.outputs);
  if (jobs.empty()) throw_failure("no image found in the inputs");
  const auto engine = open_engine(options.model, options.common.device, options.common.threads);
  const predict::RunOptions run{options.common.out, options.outputs, options.force,
                                options.common.quiet};
  const auto on_failure = [](const std::filesystem::path& input, const std::string& error) {
    // The readers' messages name the file already.
    const bool named = error.find(input.string()) != std::string::npos;
    std::cerr << "error: " << (named ? error : concat(input.string(), ": ", error)) << '\n';
  };
  const auto result = predict::run_jobs(*engine, jobs, run, on_failure, stop_signal);
  if (!options.common.quiet) {
    std::cerr << result.done << (result.done == 1 ? " image" : " images") << " predicted into "
              << options.common.out.string() << '\n';
  }
  if (result.failed == 0) return exit_done;
  std::cerr << result.failed << " of " << jobs.size()
            << " images failed; they are listed above and in the manifest\n";
  return exit_failed;
}

}  // namespace

void add_predict(CLI::App& root) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App* command =
      add_command(root, "predict", "Segment images: masks, overlays, probabilities",
                  "medurwkv predict runs/first/best.model images/ --out predictions --overlay");
  command->add_option("model", options->model, "model file")->required();
  command->add_option("inputs", options->inputs, "images, or folders with images")->required();
  add_out(*command, options->common, "folder to write into", "predictions");
  command->add_flag("--overlay", options->outputs.overlay, "also <stem>_overlay.png, for people");
  command->add_flag("--probabilities", options->outputs.probabilities,
                    "also <stem>_probabilities.npy, float32, classes x height x width");
  command->add_flag("--force", options->force, "overwrite outputs of an earlier run");
  add_device(*command, options->common);
  add_threads(*command, options->common);
  add_quiet(*command, options->common);
  on_run(*command, [options] { return run_predict(*options); });
}

}  // namespace medurwkv::cli
