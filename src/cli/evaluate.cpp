// `medurwkv evaluate`: scores a model, or masks of any tool, on one part of a split. Relies on
// judge, predict and on the engine that cli/training_library.h opens.
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/evaluate_pictures.h"
#include "cli/training_library.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/dataset.h"
#include "data/encoding.h"
#include "judge/evaluation.h"
#include "judge/predicted_masks.h"
#include "judge/report.h"
#include "predict/predictor.h"

namespace medurwkv::cli {

namespace {

namespace fs = std::filesystem;

struct EvaluateOptions {
  CommonOptions common;
  fs::path model;
  fs::path predictions;
  fs::path data;
  fs::path split;
  std::string part;
  std::string missing = "error";
  std::string prediction_encoding;
  std::vector<double> spacing{1, 1};
  std::optional<double> tolerance;
  std::vector<std::string> profiles{"default"};
  std::int64_t batch = 8;
  bool force = false;
};

std::string shell_quoted(const std::string& text) {
  constexpr char plain[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,:=+@%";
  if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// The command that makes this evaluation again; what cannot change a figure is left out.
std::string command_line(const EvaluateOptions& options) {
  std::string out = "medurwkv evaluate ";
  if (options.predictions.empty()) {
    out += shell_quoted(options.model.string());
  } else {
    out += concat("--predictions ", shell_quoted(options.predictions.string()));
    if (options.missing != "error") out += concat(" --missing ", options.missing);
    if (!options.prediction_encoding.empty()) {
      out += concat(" --prediction-encoding ", options.prediction_encoding);
    }
  }
  out += concat(" --data ", shell_quoted(options.data.string()));
  if (!options.split.empty()) out += concat(" --split ", shell_quoted(options.split.string()));
  out += concat(" --part ", options.part, " --out ", shell_quoted(options.common.out.string()),
                " --seed ", options.common.seed);
  if (options.predictions.empty()) {
    out += concat(" --device ", options.common.device);
    if (options.common.threads > 0) out += concat(" --threads ", options.common.threads);
  }
  if (options.spacing[0] != 1 || options.spacing[1] != 1) {
    out += concat(" --spacing ", options.spacing[0], ",", options.spacing[1]);
  }
  if (options.tolerance) out += concat(" --tolerance ", *options.tolerance);
  if (options.profiles != std::vector<std::string>{"default"}) {
    out += concat(" --profiles ", join(options.profiles, ","), " --batch ", options.batch);
  }
  return out;
}

void check_options(EvaluateOptions& options) {
  if (options.model.empty() == options.predictions.empty()) {
    throw_usage("evaluate judges a model or the masks of --predictions; give one of them");
  }
  if (options.part.empty()) options.part = options.split.empty() ? "all" : "test";
  if (options.split.empty() && options.part != "all") {
    throw_usage(concat("the part ", options.part,
                       " is said by a split file; give it with --split, or --part all"));
  }
  const fs::path& out = options.common.out;
  std::error_code error;
  if (!fs::exists(out, error)) return;
  if (!fs::is_directory(out, error)) throw_usage(concat(out.string(), " is not a folder"));
  if (!fs::is_empty(out, error) && !options.force) {
    throw_usage(concat(out.string(),
                       " is not empty; choose another --out, or --force to overwrite ",
                       join(judge::report_files(), ", "), " in it"));
  }
}

void check_classes(const ModelDescription& model, const data::Dataset& dataset) {
  if (model.classes.size() == dataset.classes.size()) return;
  throw_failure(concat(model.file, " knows ", model.classes.size(), " classes, the masks of ",
                       dataset.root.string(), " have ", dataset.classes.size(),
                       " (background included); evaluate with a model trained for these classes"));
}

// The set and what of it is judged.
struct Judged {
  data::Dataset dataset;
  std::vector<data::Case> cases;
  std::vector<data::Case> train;  // for the constant guess; empty without a split
  judge::Provenance provenance;
};

Judged open_judged(const EvaluateOptions& options) {
  Judged out;
  judge::Provenance& from = out.provenance;
  if (options.split.empty()) {
    out.dataset = data::open_dataset(options.data);
    out.cases = out.dataset.cases;
    from.data_sha256 = data::content_hash(out.dataset);
  } else {
    out.dataset = data::open_dataset(options.data, data::split_options(options.split));
    const data::Split split = data::read_split(options.split, out.dataset);
    out.cases = data::part_of(out.dataset, split, options.part);
    out.train = data::part_of(out.dataset, split, "train");
    from.data_sha256 = split.data_sha256;
    from.split_file = options.split.string();
    from.split_sha256 = sha256_file(options.split);
  }
  from.data_root = options.data.string();
  from.part = options.part;
  from.command = command_line(options);
  from.lengths = {{options.spacing[0], options.spacing[1]}, options.tolerance};
  judge::check_lengths(from.lengths);
  return out;
}

// Who answers for the cases.
struct Predictor {
  judge::PredictCase predict;
  std::unique_ptr<Engine> engine;                  // of a model
  std::unique_ptr<judge::PredictedMasks> masks;  // of --predictions
};

Predictor model_predictor(const EvaluateOptions& options, Judged& judged) {
  Predictor out;
  out.engine = open_engine(options.model, options.common.device, options.common.threads);
  check_classes(out.engine->description(), judged.dataset);
  judged.provenance.models = {out.engine->description()};
  judged.provenance.subject = options.model.filename().string();
  const fs::path folder = options.common.out / "masks";
  out.predict = [&engine = *out.engine, folder](const data::Case& item, const data::LabelMap&) {
    predict::Prediction one = predict::predict_image(engine, data::read_image(item));
    const fs::path file = folder / (item.id + ".png");
    make_folder(file.parent_path());
    write_file(file, data::encode_png(one.labels, engine.description().classes));
    std::vector<judge::PredictedCase> answers;
    answers.push_back({std::move(one.labels), std::move(one.probabilities)});
    return answers;
  };
  return out;
}

Predictor mask_predictor(const EvaluateOptions& options, Judged& judged) {
  judge::PredictedMasksOptions how;
  if (options.missing == "empty") how.missing = judge::Missing::empty;
  if (!options.prediction_encoding.empty()) {
    how.encoding = data::mask_encoding_from(options.prediction_encoding);
  }
  Predictor out;
  out.masks = std::make_unique<judge::PredictedMasks>(options.predictions, judged.dataset,
                                                      judged.cases, how);
  judged.provenance.subject = concat("masks in ", options.predictions.string());
  judged.provenance.masks = judge::JudgedMasks{
      options.predictions.string(), data::to_string(out.masks->encoding()),
      out.masks->content_hash(), out.masks->missing()};
  out.predict = [&masks = *out.masks, &cases = judged.cases](const data::Case& item,
                                                             const data::LabelMap& truth) {
    const auto at = std::find_if(cases.begin(), cases.end(),
                                 [&](const data::Case& one) { return one.id == item.id; });
    const auto index = static_cast<std::size_t>(at - cases.begin());
    std::vector<judge::PredictedCase> answers;
    answers.push_back({masks.read(index, {truth.width, truth.height})});
    return answers;
  };
  return out;
}

void warn(const EvaluateOptions& options, const judge::Provenance& from) {
  if (options.model.empty()) return;
  if (options.part == "test" || options.part == "all") {
    std::cerr << "note: this touches the test part; choose between models on the val part\n";
  }
  if (judge::same_split(from) == false) {
    std::cerr
        << "warning: the model was trained on another split file; cases of this part may have "
           "been in its training\n";
  }
}

int run_evaluate(EvaluateOptions& options) {
  apply_threads(options.common);
  options.profiles = judge::profile_names(options.profiles);
  check_options(options);
  Judged judged = open_judged(options);
  const Predictor predictor = options.model.empty() ? mask_predictor(options, judged)
                                                    : model_predictor(options, judged);
  make_folder(options.common.out);
  warn(options, judged.provenance);
  const judge::EvaluationOptions how{judged.provenance.lengths, options.common.seed,
                                     options.common.quiet, options.profiles, options.batch};
  judge::Report report;
  report.provenance = judged.provenance;
  report.classes = judged.dataset.classes;
  report.evaluation = std::move(judge::evaluate(judged.dataset, judged.train, judged.cases,
                                                predictor.predict, how, stop_signal)
                                    .front());
  add_pictures(report, judged.dataset, judged.cases,
               [&](const data::Case& item, const data::LabelMap& truth) {
                 return std::move(predictor.predict(item, truth).front().labels);
               });
  if (!options.model.empty()) report.training = training_curves(options.model.parent_path());
  judge::write_report(report, options.common.out);
  if (options.common.json) {
    std::cout << judge::json_text(judge::summary_json(report));
  } else {
    std::cout << judge::report_text(report);
  }
  if (!options.common.quiet) {
    std::cerr << "written to " << options.common.out.string() << ": "
              << join(judge::report_files(), ", ") << '\n';
  }
  return exit_done;
}

}  // namespace

void add_evaluate(CLI::App& root) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App* command = add_command(
      root, "evaluate",
      "Score a model, or any tool's masks, against the truth: table, CSV, JSON and an HTML report",
      "medurwkv evaluate runs/first/best.model --data images/ --split split.json --out evaluation");
  command->add_option("model", options->model, "model file");
  command->add_option("--predictions", options->predictions,
                      "folder of masks to judge instead of a model, named as the cases");
  command->add_option("--data", options->data, "folder of images and masks")->required();
  command->add_option("--split", options->split, "split file of `medurwkv data split`");
  command->add_option("--part", options->part, "test, val, train or all (test; all without --split)")
      ->check(CLI::IsMember({"test", "val", "train", "all"}));
  command->add_option("--spacing", options->spacing, "width,height of a pixel, e.g. in mm")
      ->delimiter(',')
      ->expected(2)
      ->check(CLI::Range(1e-6, 1e6))
      ->default_str("1,1");
  command->add_option("--tolerance", options->tolerance,
                      "of NSD, in the units of --spacing (2 pixels)");
  command->add_option("--profiles", options->profiles,
                      "others' rules to judge by as well, or all (docs/metrics.md)")
      ->delimiter(',')
      ->default_str("default");
  command->add_option("--batch", options->batch, "images of a batch, for the profile batch")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->add_option("--missing", options->missing,
                      "a case without a mask in --predictions: error, or empty (counts as empty)")
      ->check(CLI::IsMember({"error", "empty"}))
      ->capture_default_str();
  command->add_option("--prediction-encoding", options->prediction_encoding,
                      "what the values in --predictions mean; as --mask-encoding of data split");
  add_out(*command, options->common, "folder to write into", "evaluation");
  command->add_flag("--force", options->force, "write into a folder that is not empty");
  add_device(*command, options->common);
  add_threads(*command, options->common);
  add_seed(*command, options->common);
  add_quiet(*command, options->common);
  add_json(*command, options->common);
  on_run(*command, [options] { return run_evaluate(*options); });
}

}  // namespace medurwkv::cli
