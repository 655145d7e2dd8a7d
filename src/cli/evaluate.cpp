// `medurwkv evaluate`: scores a model, or masks of any tool, on a set or one part of a split.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "app/evaluate.h"
#include "cli/command.h"
#include "cli/data.h"
#include "cli/decisions.h"
#include "core/text.h"
#include "judge/report/result_table.h"

namespace medurwkv::cli {

namespace {

struct EvaluateOptions {
  CommonOptions common;
  app::EvaluateRequest request;
  std::vector<double> spacing;
  std::string table;
};

std::string text_of(const app::EvaluateResult& result, bool json, const std::string& table) {
  if (!table.empty()) {
    const judge::TableFormat format = judge::table_format_from(table);
    return result.report ? judge::result_table(*result.report, format)
                         : judge::result_table(result.trained, result.together, format);
  }
  if (result.report) {
    return json ? judge::json_text(judge::summary_json(*result.report))
                : judge::report_text(*result.report);
  }
  return json
             ? judge::json_text(judge::series_json(result.trained, result.together, result.command))
             : judge::series_text(result.trained, result.together);
}

int run_evaluate(EvaluateOptions& options) {
  apply_threads(options.common);
  app::EvaluateRequest& request = options.request;
  request.out = options.common.out;
  request.seed = options.common.seed;
  if (!options.spacing.empty()) {
    request.spacing = {options.spacing[0], options.spacing[1],
                       options.spacing.size() > 2 ? options.spacing[2] : 1};
  }
  request.how.device = options.common.device;
  request.how.threads = options.common.threads;
  TerminalListener listener(options.common);
  const app::EvaluateResult result = app::evaluate(request, listener);
  std::cout << text_of(result, options.common.json, options.table);
  if (!options.common.quiet) {
    tell(concat("written to ", request.out.string(), ": ", join(result.written, ", ")));
  }
  return exit_done;
}

}  // namespace

void add_evaluate(CLI::App& root) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App* command = add_command(
      root, "evaluate",
      "Score a model, or any tool's masks, against the truth: table, CSV, JSON and an HTML report.",
      "medurwkv evaluate runs/first/best.model --data images/ --split split.json --out evaluation");
  command->add_option("model", options->request.how.model,
                      "model file, or a run's folder (with folds or seeds: all of them)");
  command->add_option("--predictions", options->request.predictions,
                      "folder of masks to judge instead of a model, named as the cases");
  command->add_option("--data", options->request.set.folder, "folder of images and masks")
      ->required();
  add_mask_options(*command, options->request.set);
  add_plane_option(*command, options->request.set);
  command->add_option("--split", options->request.split, "split file of `medurwkv data split`");
  command
      ->add_option("--part", options->request.part,
                   "test, val, train or all (test; all without --split)")
      ->check(CLI::IsMember({"test", "val", "train", "all"}));
  command
      ->add_option("--fold", options->request.fold,
                   "fold used for validation, 1 to K, of a split with folds")
      ->check(whole(1, 1000));
  command
      ->add_option(
          "--spacing", options->spacing,
          "width,height of a pixel, e.g. in mm; for volumes width,height,distance of slices; "
          "without it what the headers of volumes say, else 1,1")
      ->delimiter(',')
      ->expected(2, 3)
      ->check(number(1e-6, 1e6));
  command->add_option(
      "--spacing-file", options->request.spacing_file,
      "CSV with the columns id, spacing_x, spacing_y (and spacing_z): pixels of each case");
  command
      ->add_option(
          "--tolerance", options->request.tolerances,
          "tolerance of NSD, in the units of --spacing (2 pixels); several: an NSD for each")
      ->delimiter(',')
      ->check(number(0, 1e9));
  command
      ->add_option(
          "--metrics", options->request.metrics,
          "further metrics: mcc, cldice, auc, brier, objects, one of objects alone, or all "
          "(docs/metrics.md)")
      ->delimiter(',');
  command->add_option("--volumes", options->request.volumes,
                      "regular expression that finds a slice's volume and number in its name, as "
                      "'(.+)_slice_([0-9]+)'");
  command->add_option("--strata", options->request.strata,
                      "CSV with the column id and others: figures by each kind of case");
  command
      ->add_option("--profiles", options->request.profiles,
                   "published rules to judge by as well, or all (docs/metrics.md)")
      ->delimiter(',')
      ->default_str("default");
  command->add_flag(
      "--per-group", options->request.per_group,
      "means over groups of cases (patients), each by its own mean, in place of cases");
  command->add_option("--batch", options->request.batch, "images of a batch, for the profile batch")
      ->check(whole(1, 1000000))
      ->capture_default_str();
  command
      ->add_option("--missing", options->request.missing,
                   "a case without a mask in --predictions: error, or empty (counts as empty)")
      ->check(CLI::IsMember({"error", "empty"}))
      ->capture_default_str();
  command->add_option("--prediction-encoding", options->request.prediction_encoding,
                      "what the values in --predictions mean; as --mask-encoding of data split");
  add_decisions(*command, options->request.how);
  add_out(*command, options->common, "folder to write into", "evaluation");
  command->add_flag("--force", options->request.force, "write into a folder that is not empty");
  add_device(*command, options->common);
  add_engine(*command, options->request.how.engine);
  add_precision(*command, options->request.how.precision);
  add_threads(*command, options->common);
  add_memory(*command);
  add_keep_identity(*command);
  add_seed(*command, options->common);
  add_quiet(*command, options->common);
  add_json(*command, options->common);
  command
      ->add_option("--table", options->table,
                   "print a table for a paper instead: latex, markdown or csv")
      ->check(CLI::IsMember({"latex", "markdown", "csv"}))
      ->excludes("--json");
  on_run(*command, [options] { return run_evaluate(*options); });
}

}  // namespace medurwkv::cli
