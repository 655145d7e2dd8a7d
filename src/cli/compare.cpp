// `medurwkv compare`: two or more evaluations of the same cases, paired.
#include <iostream>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "app/compare.h"
#include "cli/command.h"
#include "core/text.h"
#include "judge/report/comparison.h"
#include "judge/report/report.h"

namespace medurwkv::cli {

namespace {

struct CompareOptions {
  CommonOptions common;
  app::CompareRequest request;
  std::string zeros = "wilcox";
};

int run_compare(CompareOptions& options) {
  app::CompareRequest& request = options.request;
  request.out = options.common.out;
  request.how.seed = options.common.seed;
  request.how.zeros = options.zeros == "pratt" ? judge::Zeros::pratt : judge::Zeros::wilcox;
  TerminalListener listener(options.common);
  const app::CompareResult result = app::compare(request, listener);
  std::cout << (options.common.json ? judge::json_text(judge::comparison_json(result.comparison))
                                    : judge::comparison_text(result.comparison));
  if (!options.common.quiet) {
    tell(concat("written to ", request.out.string(), ": ", join(result.written, ", ")));
  }
  return exit_done;
}

}  // namespace

void add_compare(CLI::App& root) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App* command = add_command(
      root, "compare", "Compare evaluations of the same cases: differences, intervals, tests.",
      "medurwkv compare evaluation-a evaluation-b --out comparison");
  command
      ->add_option(
          "evaluations", options->request.evaluations,
          "folders that `evaluate --out` wrote; one of a series counts as the mean of its models")
      ->required();
  command
      ->add_option("--metrics", options->request.how.metrics,
                   "which metrics of the evaluations to compare")
      ->delimiter(',')
      ->default_str("dice,hd95,nsd");
  command
      ->add_option("--zeros", options->zeros,
                   "what equal cases do in Wilcoxon's test: wilcox (left out) or pratt (ranked)")
      ->check(CLI::IsMember({"wilcox", "pratt"}))
      ->capture_default_str();
  add_out(*command, options->common, "folder to write into", "comparison");
  command->add_flag("--force", options->request.force, "overwrite an earlier comparison");
  add_seed(*command, options->common);
  add_memory(*command);
  add_quiet(*command, options->common);
  add_json(*command, options->common);
  on_run(*command, [options] { return run_compare(*options); });
}

}  // namespace medurwkv::cli
