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
#include "cli/evaluate_members.h"
#include "cli/evaluate_pictures.h"
#include "cli/training_library.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/dataset.h"
#include "data/encoding.h"
#include "data/split.h"
#include "judge/evaluation.h"
#include "judge/predicted_masks.h"
#include "judge/report.h"
#include "predict/average.h"
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
  std::optional<int> fold;
  std::string missing = "error";
  std::string prediction_encoding;
  std::vector<double> spacing{1, 1};
  fs::path spacing_file;
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
  if (options.fold) out += concat(" --fold ", *options.fold);
  out += concat(" --part ", options.part, " --out ", shell_quoted(options.common.out.string()),
                " --seed ", options.common.seed);
  if (options.predictions.empty()) {
    out += concat(" --device ", options.common.device);
    if (options.common.threads > 0) out += concat(" --threads ", options.common.threads);
  }
  if (options.spacing[0] != 1 || options.spacing[1] != 1) {
    out += concat(" --spacing ", options.spacing[0], ",", options.spacing[1]);
  }
  if (!options.spacing_file.empty()) {
    out += concat(" --spacing-file ", shell_quoted(options.spacing_file.string()));
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
  judge::SpacingByCase spacing;  // empty without --spacing-file
};

// The cases of the part, with a fold of the split where it has folds.
void take_part(const EvaluateOptions& options, std::optional<int> fold, Judged& judged) {
  const data::Split split = data::read_split(options.split, judged.dataset, fold);
  judged.cases = data::part_of(judged.dataset, split, options.part);
  judged.train = data::part_of(judged.dataset, split, "train");
  if (judged.cases.empty()) {
    throw_failure(concat(options.split.string(), ": the part ", options.part, " is empty",
                         split.val.empty() ? "" : "; --part val judges on the cases kept aside"));
  }
  judged.provenance.data_sha256 = split.data_sha256;
}

Judged open_judged(const EvaluateOptions& options, std::optional<int> fold) {
  Judged out;
  judge::Provenance& from = out.provenance;
  if (options.split.empty()) {
    out.dataset = data::open_dataset(options.data);
    out.cases = out.dataset.cases;
    from.data_sha256 = data::content_hash(out.dataset);
  } else {
    out.dataset = data::open_dataset(options.data, data::split_options(options.split));
    take_part(options, fold, out);
    from.split_file = options.split.string();
    from.split_sha256 = sha256_file(options.split);
  }
  from.data_root = options.data.string();
  from.part = options.part;
  from.command = command_line(options);
  from.lengths = {{options.spacing[0], options.spacing[1]}, options.tolerance};
  judge::check_lengths(from.lengths);
  if (!options.spacing_file.empty()) {
    out.spacing = judge::read_spacing(options.spacing_file);
    from.spacing_file = options.spacing_file.string();
    from.spacing_sha256 = sha256_file(options.spacing_file);
  }
  return out;
}

// Who answers for the cases: each model, and their ensemble where there are several.
struct Models {
  std::vector<Member> members;
  std::vector<std::unique_ptr<Engine>> engines;
};

void write_mask(const fs::path& folder, const data::Case& item, const data::LabelMap& labels,
                const std::vector<ClassInfo>& classes) {
  const fs::path file = folder / "masks" / (item.id + ".png");
  make_folder(file.parent_path());
  write_file(file, data::encode_png(labels, classes));
}

// Models that are judged on the same cases, and where their reports go.
struct Group {
  std::vector<std::size_t> members;  // in Models
  std::vector<std::string> names;    // of the reports, the ensemble's last
  int fold = 0;
};

judge::PredictCase model_predictor(const Models& models, const Group& group, const fs::path& out) {
  return [&models, &group, out](const data::Case& item, const data::LabelMap& /*truth*/) {
    const data::Image image = data::read_image(item);
    std::vector<predict::Prediction> predictions;
    for (const std::size_t m : group.members) {
      predictions.push_back(predict::predict_image(*models.engines[m], image));
    }
    const auto& classes = models.engines.front()->description().classes;
    if (predictions.size() > 1) {
      predictions.push_back(predict::averaged(predictions, classes.size()));
    }
    std::vector<judge::PredictedCase> answers;
    for (std::size_t i = 0; i < predictions.size(); ++i) {
      write_mask(out / group.names[i], item, predictions[i].labels, classes);
      answers.push_back(
          {std::move(predictions[i].labels), std::move(predictions[i].probabilities)});
    }
    return answers;
  };
}

judge::PredictedMasks open_masks(const EvaluateOptions& options, Judged& judged) {
  judge::PredictedMasksOptions how;
  if (options.missing == "empty") how.missing = judge::Missing::empty;
  if (!options.prediction_encoding.empty()) {
    how.encoding = data::mask_encoding_from(options.prediction_encoding);
  }
  judge::PredictedMasks out(options.predictions, judged.dataset, judged.cases, how);
  judged.provenance.subject = concat("masks in ", options.predictions.string());
  judged.provenance.masks =
      judge::JudgedMasks{options.predictions.string(), data::to_string(out.encoding()),
                         out.content_hash(), out.missing()};
  return out;
}

judge::PredictCase mask_predictor(const judge::PredictedMasks& masks,
                                  const std::vector<data::Case>& cases) {
  return [&masks, &cases](const data::Case& item, const data::LabelMap& truth) {
    const auto at = std::find_if(cases.begin(), cases.end(),
                                 [&](const data::Case& one) { return one.id == item.id; });
    std::vector<judge::PredictedCase> answers;
    answers.push_back(
        {masks.read(static_cast<std::size_t>(at - cases.begin()), {truth.width, truth.height})});
    return answers;
  };
}

void warn(const EvaluateOptions& options, const judge::Provenance& from) {
  if (options.part == "test" || options.part == "all") {
    std::cerr << "note: this touches the test part; choose between models on the val part\n";
  }
  if (judge::same_split(from) == false) {
    std::cerr
        << "warning: the model was trained on another split file; cases of this part may have "
           "been in its training\n";
  }
}

judge::EvaluationOptions evaluation_options(const EvaluateOptions& options, const Judged& judged) {
  return {judged.provenance.lengths, judged.spacing,   options.common.seed,
          options.common.quiet,      options.profiles, options.batch};
}

void tell_written(const EvaluateOptions& options, const std::vector<std::string>& names) {
  if (options.common.quiet) return;
  std::cerr << "written to " << options.common.out.string() << ": " << join(names, ", ") << '\n';
}

void print_report(const EvaluateOptions& options, const judge::Report& report) {
  std::cout << (options.common.json ? judge::json_text(judge::summary_json(report))
                                    : judge::report_text(report));
  tell_written(options, judge::report_files());
}

int evaluate_masks(const EvaluateOptions& options) {
  Judged judged = open_judged(options, options.fold);
  const judge::PredictedMasks masks = open_masks(options, judged);
  const judge::PredictCase predict = mask_predictor(masks, judged.cases);
  make_folder(options.common.out);
  judge::Report report;
  report.provenance = judged.provenance;
  report.classes = judged.dataset.classes;
  report.evaluation = std::move(judge::evaluate(judged.dataset, judged.train, judged.cases, predict,
                                                evaluation_options(options, judged), stop_signal)
                                    .front());
  add_pictures(report, judged.dataset, judged.cases,
               [&](const data::Case& item, const data::LabelMap& truth) {
                 return std::move(predict(item, truth).front().labels);
               });
  judge::write_report(report, options.common.out);
  print_report(options, report);
  return exit_done;
}

// The reports of a group, its ensemble's last; each written into its folder.
std::vector<judge::Report> evaluate_group(const EvaluateOptions& options, const Judged& judged,
                                          const Models& models, const Group& group) {
  auto evaluations = judge::evaluate(judged.dataset, judged.train, judged.cases,
                                     model_predictor(models, group, options.common.out),
                                     evaluation_options(options, judged), stop_signal);
  std::vector<judge::Report> out;
  for (std::size_t i = 0; i < evaluations.size(); ++i) {
    judge::Report report;
    report.provenance = judged.provenance;
    report.classes = judged.dataset.classes;
    const bool single = i < group.members.size();
    for (std::size_t k = 0; k < group.members.size(); ++k) {
      if (single && k != i) continue;
      report.provenance.models.push_back(models.engines[group.members[k]]->description());
    }
    const fs::path folder = options.common.out / group.names[i];
    if (single) {
      const Member& member = models.members[group.members[i]];
      report.provenance.subject =
          member.name.empty() ? member.model.filename().string() : member.name;
      report.training = training_curves(member.model.parent_path());
    } else {
      report.provenance.subject = concat("the ensemble of ", group.members.size(), " models");
    }
    report.evaluation = std::move(evaluations[i]);
    const auto written_mask = [&](const data::Case& item, const data::LabelMap& truth) {
      judge::PredictedMasksOptions palette;
      palette.encoding = data::MaskEncoding::palette;
      return judge::PredictedMasks(folder / "masks", judged.dataset, {item}, palette)
          .read(0, {truth.width, truth.height});
    };
    add_pictures(report, judged.dataset, judged.cases, written_mask);
    judge::write_report(report, folder);
    out.push_back(std::move(report));
  }
  return out;
}

// Models of folds are judged on their own fold when the part is val, each group on its own cases;
// else all on the same.
std::vector<Group> groups_of(const Models& models, bool by_fold) {
  std::vector<Group> out;
  for (std::size_t m = 0; m < models.members.size(); ++m) {
    const Member& member = models.members[m];
    const int fold = by_fold ? member.fold : 0;
    if (out.empty() || out.back().fold != fold) out.push_back({{}, {}, fold});
    out.back().members.push_back(m);
    out.back().names.push_back(member.name);
  }
  for (Group& group : out) {
    if (group.members.size() < 2) continue;
    group.names.push_back(group.fold == 0 ? "ensemble" : concat("fold", group.fold, "/ensemble"));
  }
  return out;
}

// All cases of the folds' val parts, each judged by a model that has not seen it.
judge::Report pooled(const std::vector<judge::Report>& folds, const EvaluateOptions& options) {
  judge::Report out = folds.front();
  out.provenance.subject = concat("all ", folds.size(), " folds");
  out.provenance.models.clear();
  out.examples.clear();
  out.failures.clear();
  out.training.reset();
  out.evaluation = {};
  for (const judge::Report& fold : folds) {
    const auto& models = fold.provenance.models;
    out.provenance.models.insert(out.provenance.models.end(), models.begin(), models.end());
    const auto& cases = fold.evaluation.cases;
    out.evaluation.cases.insert(out.evaluation.cases.end(), cases.begin(), cases.end());
  }
  out.evaluation.summary = judge::summarise(out.evaluation.cases, options.common.seed);
  judge::write_report(out, options.common.out / "pooled");
  return out;
}

int evaluate_models(const EvaluateOptions& options) {
  Models models;
  models.members = members_of(options.model);
  // A split with folds wants to know which; where that does not matter, the first model's will do.
  const bool has_folds = !options.split.empty() && !data::read_plan(options.split).folds.empty();
  std::optional<int> fold = options.fold;
  if (!fold && has_folds && models.members.front().fold > 0) fold = models.members.front().fold;
  Judged judged = open_judged(options, fold);
  for (const Member& member : models.members) {
    models.engines.push_back(
        open_engine(member.model, options.common.device, options.common.threads));
    check_classes(models.engines.back()->description(), judged.dataset);
  }
  const std::vector<Group> groups = groups_of(models, has_folds && options.part == "val");
  make_folder(options.common.out);
  judged.provenance.models = {models.engines.front()->description()};
  warn(options, judged.provenance);
  judged.provenance.models.clear();
  std::vector<MemberResult> trained;
  std::vector<MemberResult> together;
  std::vector<judge::Report> folds;
  for (const Group& group : groups) {
    if (group.fold > 0) take_part(options, group.fold, judged);
    auto reports = evaluate_group(options, judged, models, group);
    if (models.members.size() == 1) {
      print_report(options, reports.front());
      return exit_done;
    }
    for (std::size_t i = 0; i < reports.size(); ++i) {
      auto& list = i < group.members.size() ? trained : together;
      list.push_back({group.names[i], reports[i].evaluation.summary});
    }
    if (group.fold > 0) folds.push_back(std::move(reports.back()));
  }
  if (folds.size() > 1) together.push_back({"pooled", pooled(folds, options).evaluation.summary});
  const std::string json =
      judge::json_text(series_json(trained, together, judged.provenance.command));
  write_file(options.common.out / "series.json", json);
  std::cout << (options.common.json ? json : series_text(trained, together));
  tell_written(options, {"series.json", "and a folder for each line"});
  return exit_done;
}

int run_evaluate(EvaluateOptions& options) {
  apply_threads(options.common);
  options.profiles = judge::profile_names(options.profiles);
  check_options(options);
  return options.model.empty() ? evaluate_masks(options) : evaluate_models(options);
}

}  // namespace

void add_evaluate(CLI::App& root) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App* command = add_command(
      root, "evaluate",
      "Score a model, or any tool's masks, against the truth: table, CSV, JSON and an HTML report",
      "medurwkv evaluate runs/first/best.model --data images/ --split split.json --out evaluation");
  command->add_option("model", options->model,
                      "model file, or a run's folder (with folds or seeds: all of them)");
  command->add_option("--predictions", options->predictions,
                      "folder of masks to judge instead of a model, named as the cases");
  command->add_option("--data", options->data, "folder of images and masks")->required();
  command->add_option("--split", options->split, "split file of `medurwkv data split`");
  command
      ->add_option("--part", options->part, "test, val, train or all (test; all without --split)")
      ->check(CLI::IsMember({"test", "val", "train", "all"}));
  command->add_option("--fold", options->fold, "of a split with folds: the one that is val")
      ->check(above_zero());
  command->add_option("--spacing", options->spacing, "width,height of a pixel, e.g. in mm")
      ->delimiter(',')
      ->expected(2)
      ->check(CLI::Range(1e-6, 1e6))
      ->default_str("1,1");
  command->add_option("--spacing-file", options->spacing_file,
                      "CSV with the columns id, spacing_x, spacing_y: pixels of each case");
  command->add_option("--tolerance", options->tolerance,
                      "of NSD, in the units of --spacing (2 pixels)");
  command
      ->add_option("--profiles", options->profiles,
                   "others' rules to judge by as well, or all (docs/metrics.md)")
      ->delimiter(',')
      ->default_str("default");
  command->add_option("--batch", options->batch, "images of a batch, for the profile batch")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command
      ->add_option("--missing", options->missing,
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
