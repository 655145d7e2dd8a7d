// `medurwkv data split`: divides a set into parts.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "app/data_split.h"
#include "cli/data.h"
#include "core/text.h"
#include "data/layout/encoding.h"

namespace medurwkv::cli {
namespace {

struct SplitCommand {
  CommonOptions common;
  app::SplitDataRequest request;
  std::vector<double> ratios{0.7, 0.1, 0.2};
};

void print(const app::SplitDataRequest& request, const app::SplitDataResult& result) {
  const auto& [dataset, plan, json] = result;
  std::cout << request.out.string() << ": ";
  if (plan.folds.empty()) {
    std::cout << plan.parts.train.size() << " train, " << plan.parts.val.size() << " val, ";
  } else {
    std::vector<std::string> sizes;
    for (const auto& fold : plan.folds) sizes.push_back(std::to_string(fold.size()));
    std::cout << plan.folds.size() << " folds (" << join(sizes, ", ") << "), ";
  }
  std::cout << plan.parts.test.size() << " test";
  if (plan.request.official) std::cout << ", by the set's own parts (--ratios makes others)";
  std::cout << "; masks " << to_string(dataset.encoding) << ", classes";
  for (const ClassInfo& one : dataset.classes) std::cout << " " << one.name;
  std::cout << "\n";
}

int run(SplitCommand& command) {
  apply_threads(command.common);
  TerminalListener listener(command.common);
  command.request.out = command.common.out;
  command.request.seed = command.common.seed;
  const app::SplitDataResult result = app::split_data(command.request, listener);
  if (command.common.json) {
    print_json(result.json);
  } else {
    print(command.request, result);
  }
  return exit_done;
}

}  // namespace

void add_data_split(CLI::App& data) {
  const auto options = std::make_shared<SplitCommand>();
  CLI::App* command =
      add_command(data, "split", "Divide a set into train, val and test, or into folds, by seed.",
                  "medurwkv data split FOLDER --seed 1 --out split.json");
  add_set_options(*command, options->request.set);
  CLI::Option* ratios =
      command->add_option("--ratios", options->ratios, "shares of train, val and test")
          ->delimiter(',')
          ->expected(3)
          ->check(number(0, 1e6))
          ->capture_default_str();
  command->add_option("--folds", options->request.folds, "number of folds; each is val once")
      ->check(whole(2, 1000));
  command
      ->add_option("--test", options->request.test,
                   "with --folds: share of a test part that is in no fold")
      ->check(number(0, 0.99));
  command->add_option("--group-by", options->request.group_by,
                      "regular expression; what it finds in a name is the patient (or the like) "
                      "whose images stay together: '^([^_]+)_'");
  add_seed(*command, options->common);
  add_out(*command, options->common, "file to write", "split.json");
  command->add_flag("--force", options->request.force, "replace an existing file");
  add_threads(*command, options->common);
  add_memory(*command);
  add_keep_identity(*command);
  add_json(*command, options->common);
  add_quiet(*command, options->common);
  on_run(*command, [options, ratios] {
    if (const std::vector<double>& given = options->ratios; ratios->count() > 0) {
      options->request.ratios = {given[0], given[1], given[2]};
    }
    return run(*options);
  });
}

}  // namespace medurwkv::cli
