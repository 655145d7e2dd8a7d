// `medurwkv predict`: images to masks, overlays, probabilities, outlines.
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "app/predict.h"
#include "cli/command.h"
#include "cli/decisions.h"
#include "core/text.h"
#include "predict/inputs.h"

namespace medurwkv::cli {

namespace {

struct PredictOptions {
  CommonOptions common;
  app::PredictRequest request;
  std::vector<std::string> inputs;
  std::string probabilities;
  std::string volume_format;
  std::string shard;
  bool merge = false;
};

void report(const PredictOptions& options, const app::PredictResult& predicted) {
  const auto& [images, result, manifest] = predicted;
  if (options.common.json) {
    const nlohmann::json answer{{"images", images},
                                {"done", result.done},
                                {"kept", result.kept},
                                {"failed", result.failed},
                                {"manifest", manifest.string()}};
    print_json(answer);
  } else if (result.done + result.kept > 0) {
    std::cout << result.done << (result.done == 1 ? " image" : " images") << " predicted into "
              << one_line(options.common.out.string());
    if (result.kept > 0) std::cout << ", " << result.kept << " kept";
    std::cout << "\n";
  }
  if (result.failed > 0) {
    tell(concat(result.failed, " of ", images,
                " images failed; they are listed above and in the manifest"));
  }
}

int run_merge(const PredictOptions& options) {
  TerminalListener listener(options.common);
  const predict::Merged merged =
      app::merge_predictions(options.common.out, options.request.force, listener);
  if (options.common.json) {
    print_json({{"images", merged.images},
                {"failed", merged.failed},
                {"shards", merged.shards},
                {"manifest", merged.manifest.string()}});
  } else {
    std::cout << merged.shards << (merged.shards == 1 ? " shard" : " shards") << ", "
              << merged.images << (merged.images == 1 ? " image" : " images") << " merged into "
              << one_line(merged.manifest.string()) << "\n";
  }
  if (merged.failed == 0) return exit_done;
  tell(concat(merged.failed, " of ", merged.images,
              " images failed; they are listed in the manifest"));
  return exit_failed;
}

int run_predict(PredictOptions& options) {
  if (options.merge) return run_merge(options);
  apply_threads(options.common);
  app::PredictRequest& request = options.request;
  request.inputs = predict::expand_inputs(options.inputs, std::cin);
  request.out = options.common.out;
  if (!options.shard.empty()) request.shard = predict::shard_from(options.shard);
  request.how.device = options.common.device;
  request.how.threads = options.common.threads;
  if (options.probabilities == "npy") request.outputs.probabilities = predict::Probabilities::npy;
  if (options.probabilities == "png") request.outputs.probabilities = predict::Probabilities::png;
  if (options.probabilities == "volume") {
    request.outputs.probabilities = predict::Probabilities::volume;
  }
  if (!options.volume_format.empty()) {
    const auto& names = data::volume_format_names;
    const auto* const own = std::find(names.begin(), names.end(), options.volume_format);
    request.outputs.volume_format = static_cast<data::VolumeFormat>(own - names.begin());
  }
  TerminalListener listener(options.common);
  const app::PredictResult result = app::predict_images(request, listener);
  report(options, result);
  return result.run.failed == 0 ? exit_done : exit_failed;
}

void add_outputs(CLI::App& command, PredictOptions& options) {
  predict::OutputOptions& outputs = options.request.outputs;
  command.add_flag("--overlay", outputs.overlay, "also STEM_overlay.png, for people");
  command
      .add_option("--probabilities", options.probabilities,
                  "also STEM_probabilities.npy (float32, classes x height x width) or, png, a "
                  "16-bit STEM_probabilities_CLASS.png per class but the background; of volumes, "
                  "volume: a volume of each, or a fractional segmentation in DICOM")
      ->check(CLI::IsMember({"npy", "png", "volume"}));
  command
      .add_option(
          "--volume-format", options.volume_format,
          "format of what is written of volumes; without it that of each volume, of DICOM a "
          "segmentation in DICOM")
      ->check(CLI::IsMember({"nifti", "nrrd", "metaimage", "dicom"}));
  command.add_flag("--unsure", outputs.unsure,
                   "also STEM_unsure.png: white where two classes are as likely");
  CLI::Option* contours =
      command.add_flag("--contours", outputs.contours,
                       "also STEM_contours.json: objects as polygons; of DICOM volumes "
                       "STEM_contours.dcm, a structure set");
  command
      .add_flag("--geojson", outputs.geojson,
                "with --contours: STEM_contours.geojson instead, as QuPath reads it")
      ->needs(contours);
}

/// `needless`: what a merge does without.
void add_shards(CLI::App& command, PredictOptions& options,
                const std::vector<CLI::Option*>& needless) {
  CLI::Option* shard = command.add_option(
      "--shard", options.shard,
      "I/N: predict the Ith of N parts of the images, which other runs do the rest of");
  CLI::Option* merge = command.add_flag_callback(
      "--merge",
      [&options, needless] {
        options.merge = true;
        for (CLI::Option* option : needless) option->required(false);
      },
      "join the manifests of all shards in OUT to one; needs no model and no images");
  merge->excludes(shard);
  for (CLI::Option* option : needless) merge->excludes(option);
}

}  // namespace

void add_predict(CLI::App& root) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App* command =
      add_command(root, "predict", "Segment images: masks, overlays, probabilities, outlines.",
                  "medurwkv predict runs/first/best.model images/ --out predictions --overlay");
  CLI::Option* model =
      command
          ->add_option("model", options->request.how.model,
                       "model file, or a run's folder (with folds or seeds: all of them, averaged)")
          ->required();
  CLI::Option* inputs =
      command
          ->add_option(
              "inputs", options->inputs,
              "images, folders with images, patterns like 'images/*.png', or - for a list on "
              "the standard input")
          ->required();
  add_out(*command, options->common, "folder to write into", "predictions");
  add_outputs(*command, *options);
  add_decisions(*command, options->request.how);
  command->add_flag("--force", options->request.force, "overwrite outputs of an earlier run");
  command->add_flag("--continue", options->request.go_on,
                    "keep what an earlier run with the same models and options has done");
  add_shards(*command, *options, {model, inputs});
  command
      ->add_option("--jobs", options->request.jobs,
                   "images worked on at once, each with memory of its own (default: as many "
                   "as threads, at most 4)")
      ->check(whole(1, 4096));
  add_device(*command, options->common);
  add_engine(*command, options->request.how.engine);
  add_precision(*command, options->request.how.precision);
  add_threads(*command, options->common);
  add_memory(*command);
  add_keep_identity(*command);
  add_quiet(*command, options->common);
  add_json(*command, options->common);
  on_run(*command, [options] { return run_predict(*options); });
}

}  // namespace medurwkv::cli
