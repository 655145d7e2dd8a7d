// `medurwkv evaluate`: scores a model on one part of a split. Relies on judge, predict and on the
// engine that cli/training_library.h opens.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/training_library.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/dataset.h"
#include "data/split.h"
#include "judge/evaluation.h"
#include "judge/report.h"
#include "predict/overlay.h"
#include "predict/predictor.h"

namespace medurwkv::cli {

namespace {

namespace fs = std::filesystem;

struct EvaluateOptions {
  CommonOptions common;
  fs::path model;
  fs::path data;
  fs::path split;
  std::string part = "test";
  std::optional<int> fold;
  std::vector<double> spacing{1, 1};
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
  std::string out =
      concat("medurwkv evaluate ", shell_quoted(options.model.string()), " --data ",
             shell_quoted(options.data.string()), " --split ", shell_quoted(options.split.string()),
             " --part ", options.part, " --out ", shell_quoted(options.common.out.string()),
             " --device ", options.common.device, " --seed ", options.common.seed);
  if (options.fold) out += concat(" --fold ", *options.fold);
  if (options.common.threads > 0) out += concat(" --threads ", options.common.threads);
  if (options.spacing[0] != 1 || options.spacing[1] != 1) {
    out += concat(" --spacing ", options.spacing[0], ",", options.spacing[1]);
  }
  return out;
}

void check_out(const EvaluateOptions& options) {
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

std::string score_text(const std::optional<double>& dice) {
  return dice ? fixed(*dice, 3) : "-";
}

std::vector<judge::Example> examples(Engine& engine, const data::Dataset& dataset,
                                     const std::vector<data::Case>& cases,
                                     const std::vector<judge::CaseScores>& scores) {
  constexpr std::int64_t longest_side = 480;
  std::vector<judge::Example> out;
  for (const auto& [rank, index] : judge::telling_cases(scores)) {
    const data::Case& item = cases[index];
    const data::Image image = data::read_image(item);
    const data::LabelMap truth = data::read_labels(dataset, item);
    const data::LabelMap labels = predict::predict_image(engine, image).labels;
    const std::string dice = score_text(scores[index].dice());
    judge::Example example;
    example.caption = concat("The ", rank, " case: ", item.id, ", Dice ", dice,
                             ". Blue: outline of the truth. Orange: outline of the prediction. "
                             "Dashed: both.");
    example.alt = concat("Image of the case ", item.id,
                         " with the outlines of the truth and of the prediction; Dice ", dice);
    example.png = data::encode_png(predict::comparison(image, truth, labels, longest_side));
    out.push_back(std::move(example));
  }
  return out;
}

int run_evaluate(const EvaluateOptions& options) {
  apply_threads(options.common);
  check_out(options);
  const data::Dataset dataset =
      data::open_dataset(options.data, data::split_options(options.split));
  const data::Split split = data::read_split(options.split, dataset, options.fold);
  const auto cases = data::part_of(dataset, split, options.part);
  const auto train = data::part_of(dataset, split, "train");
  const auto engine = open_engine(options.model, options.common.device, options.common.threads);

  judge::Report report;
  report.classes = dataset.classes;
  report.provenance = {engine->description(),      options.data.string(),
                       split.data_sha256,          options.split.string(),
                       sha256_file(options.split), options.part,
                       command_line(options),      {options.spacing[0], options.spacing[1]}};
  check_classes(report.provenance.model, dataset);
  make_folder(options.common.out);
  if (options.part == "test" || options.part == "all") {
    std::cerr << "note: this touches the test part; choose between models on the val part\n";
  }
  if (judge::same_split(report.provenance) == false) {
    std::cerr
        << "warning: the model was trained on another split file; cases of this part may have "
           "been in its training\n";
  }
  const judge::EvaluationOptions how{report.provenance.spacing, options.common.seed,
                                     options.common.quiet};
  const auto predict_labels = [&](const data::Image& image) {
    return predict::predict_image(*engine, image).labels;
  };
  report.evaluation = judge::evaluate(dataset, train, cases, predict_labels, how, stop_signal);
  report.examples = examples(*engine, dataset, cases, report.evaluation.cases);
  judge::write_report(report, options.common.out);
  if (options.common.json) {
    std::cout << judge::summary_json(report).dump(2, ' ', false,
                                                  nlohmann::json::error_handler_t::replace)
              << '\n';
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
      root, "evaluate", "Score a model against the truth: table, CSV, JSON and an HTML report",
      "medurwkv evaluate runs/first/best.model --data images/ --split split.json --out evaluation");
  command->add_option("model", options->model, "model file")->required();
  command->add_option("--data", options->data, "folder of images and masks")->required();
  command->add_option("--split", options->split, "split file of `medurwkv data split`")->required();
  command->add_option("--part", options->part, "test, val, train or all")
      ->check(CLI::IsMember({"test", "val", "train", "all"}))
      ->capture_default_str();
  command->add_option("--fold", options->fold, "of a split with folds: the one that is val")
      ->check(above_zero());
  command->add_option("--spacing", options->spacing, "width,height of a pixel, e.g. in mm")
      ->delimiter(',')
      ->expected(2)
      ->check(CLI::Range(1e-6, 1e6))
      ->default_str("1,1");
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
