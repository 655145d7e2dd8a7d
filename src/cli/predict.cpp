// `medurwkv predict`: images to masks, overlays, probabilities, outlines. Relies on predict and on
// the engine that cli/training_library.h opens.
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/training_library.h"
#include "core/error.h"
#include "core/text.h"
#include "core/threads.h"
#include "predict/inputs.h"
#include "predict/outputs.h"
#include "predict/runner.h"

namespace medurwkv::cli {

namespace {

struct PredictOptions {
  CommonOptions common;
  std::filesystem::path model;
  std::vector<std::filesystem::path> others;
  std::vector<std::string> inputs;
  std::string probabilities;
  double threshold = 0;
  predict::RunOptions run;
  int jobs = 0;
  bool flips = false;
};

/// Reading and writing take less than computing; more would only hold more images in memory.
constexpr int most_jobs_unasked = 4;

predict::RunOptions run_options(const PredictOptions& options) {
  predict::RunOptions out = options.run;
  out.out = options.common.out;
  out.quiet = options.common.quiet;
  out.jobs = options.jobs > 0 ? options.jobs : std::min(thread_count(), most_jobs_unasked);
  if (options.threshold > 0) out.outputs.post.threshold = options.threshold;
  if (options.probabilities == "npy") out.outputs.probabilities = predict::Probabilities::npy;
  if (options.probabilities == "png") out.outputs.probabilities = predict::Probabilities::png;
  return out;
}

void report(const PredictOptions& options, const predict::RunResult& result, std::size_t jobs) {
  if (options.common.json) {
    const nlohmann::json answer{
        {"images", jobs},
        {"done", result.done},
        {"kept", result.kept},
        {"failed", result.failed},
        {"manifest", (options.common.out / predict::manifest_name).string()}};
    std::cout << answer.dump(2) << "\n";
  }
  if (!options.common.quiet) {
    std::cerr << result.done << (result.done == 1 ? " image" : " images") << " predicted into "
              << options.common.out.string();
    if (result.kept > 0) std::cerr << ", " << result.kept << " kept";
    std::cerr << '\n';
  }
  if (result.failed > 0) {
    std::cerr << result.failed << " of " << jobs
              << " images failed; they are listed above and in the manifest\n";
  }
}

int run_predict(const PredictOptions& options) {
  apply_threads(options.common);
  const predict::RunOptions run = run_options(options);
  const auto inputs = predict::expand_inputs(options.inputs, std::cin);
  // What is wrong with the inputs is told before a model is loaded.
  if (predict::plan_outputs(inputs, run.out, run.outputs).jobs.empty()) {
    throw_failure("no image found in the inputs");
  }
  std::vector<std::filesystem::path> models{options.model};
  models.insert(models.end(), options.others.begin(), options.others.end());
  std::vector<std::unique_ptr<Engine>> engines;
  std::vector<Engine*> several;
  for (const auto& model : models) {
    engines.push_back(open_engine(model, options.common.device, options.common.threads));
    several.push_back(engines.back().get());
  }
  const predict::Ensemble ensemble(several, options.flips);
  const auto [jobs, masks_left_out] = predict::plan_outputs(
      inputs, run.out, run.outputs, several.front()->description().classes.size());
  if (masks_left_out > 0) {
    std::cerr << "note: " << masks_left_out << (masks_left_out == 1 ? " mask" : " masks")
              << " beside their images are not predicted; name a file to predict it all the same\n";
  }
  const auto on_failure = [](const std::filesystem::path& input, const std::string& error) {
    // The readers' messages name the file already.
    const bool named = error.find(input.string()) != std::string::npos;
    std::cerr << "error: " << (named ? error : concat(input.string(), ": ", error)) << '\n';
  };
  const auto result = predict::run_jobs(ensemble, jobs, run, on_failure, stop_signal);
  report(options, result, jobs.size());
  return result.failed == 0 ? exit_done : exit_failed;
}

void add_outputs(CLI::App& command, PredictOptions& options) {
  predict::OutputOptions& outputs = options.run.outputs;
  command.add_flag("--overlay", outputs.overlay, "also STEM_overlay.png, for people");
  command
      .add_option("--probabilities", options.probabilities,
                  "also STEM_probabilities.npy (float32, classes x height x width) or, png, a "
                  "16-bit STEM_probabilities_CLASS.png per class but the background")
      ->check(CLI::IsMember({"npy", "png"}));
  command.add_flag("--unsure", outputs.unsure,
                   "also STEM_unsure.png: white where two classes are as likely");
  command.add_flag("--contours", outputs.contours, "also STEM_contours.json: objects as polygons");
}

void add_decisions(CLI::App& command, PredictOptions& options) {
  predict::PostOptions& post = options.run.outputs.post;
  command
      .add_option("--threshold", options.threshold,
                  "foreground where a foreground class has this probability (default: the "
                  "likeliest class)")
      ->check(CLI::Range(1e-6, 1.0));
  command.add_flag("--fill-holes", post.fill_holes, "fill background that one object encloses");
  command.add_flag("--largest", post.largest, "keep the largest object of each class");
  command.add_option("--min-area", post.min_area, "drop objects of fewer pixels")
      ->check(above_zero());
  command.add_flag("--tta", options.flips,
                   "average over the image and its three mirror images (four times the time)");
  command
      .add_option("--ensemble", options.others,
                  "average with this model, too (repeatable; same classes)")
      ->allow_extra_args(false);
}

}  // namespace

void add_predict(CLI::App& root) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App* command =
      add_command(root, "predict", "Segment images: masks, overlays, probabilities, outlines",
                  "medurwkv predict runs/first/best.model images/ --out predictions --overlay");
  command->add_option("model", options->model, "model file")->required();
  command
      ->add_option("inputs", options->inputs,
                   "images, folders with images, patterns like 'images/*.png', or - for a list on "
                   "the standard input")
      ->required();
  add_out(*command, options->common, "folder to write into", "predictions");
  add_outputs(*command, *options);
  add_decisions(*command, *options);
  command->add_flag("--force", options->run.force, "overwrite outputs of an earlier run");
  command->add_flag("--continue", options->run.go_on,
                    "keep what an earlier run with the same models and options has done");
  command
      ->add_option("--jobs", options->jobs,
                   "images read and written beside the one that is computed (default: as many as "
                   "threads, at most 4)")
      ->check(above_zero());
  add_device(*command, options->common);
  add_threads(*command, options->common);
  add_quiet(*command, options->common);
  add_json(*command, options->common);
  on_run(*command, [options] { return run_predict(*options); });
}

}  // namespace medurwkv::cli
