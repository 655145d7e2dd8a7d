// `medurwkv data split`: divides a set into parts.
#include <filesystem>
#include <iostream>
#include <memory>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/data.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/encoding.h"
#include "data/split.h"

namespace medurwkv::cli {
namespace {

struct SplitCommand {
  CommonOptions common;
  SetOptions set;
  std::vector<double> ratios{0.7, 0.1, 0.2};
  bool ratios_given = false;
  int folds = 0;
  double test = 0;
  std::string group_by;
  bool force = false;
};

data::SplitRequest request_of(const SplitCommand& command, const data::Dataset& dataset) {
  data::SplitRequest out{.ratios = {command.ratios[0], command.ratios[1], command.ratios[2]},
                         .folds = command.folds,
                         .seed = command.common.seed,
                         .group_by = command.group_by};
  out.official = data::has_official_parts(dataset) && !command.ratios_given && command.test == 0;
  if (command.folds > 0) out.ratios.test = command.test;
  return out;
}

void print(const SplitCommand& command, const data::Dataset& dataset, const data::SplitPlan& plan) {
  std::cout << command.common.out.string() << ": ";
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

int run(const SplitCommand& command) {
  apply_threads(command.common);
  const std::filesystem::path& out = command.common.out;
  check_output(out, command.force);
  if (command.folds > 0 && command.ratios_given) {
    throw_usage("--folds makes parts of one size; leave --ratios out (--test SHARE keeps a test)");
  }
  if (command.folds == 0 && command.test > 0) {
    throw_usage("--test is for --folds; without folds --ratios TRAIN,VAL,TEST has it");
  }
  const data::Dataset dataset =
      data::open_dataset(command.set.folder, dataset_options(command.set));
  const data::SplitRequest request = request_of(command, dataset);
  data::check_request(dataset, request);
  const std::vector<data::CaseTraits> traits =
      data::read_traits(dataset, stop_signal, command.common.quiet);
  const data::SplitPlan plan = data::make_split(dataset, traits, request, stop_signal);
  const nlohmann::json json = data::split_to_json(dataset, plan);
  if (out.has_parent_path()) make_folder(out.parent_path());
  write_file(out, json.dump(1) + "\n");
  if (command.common.json) {
    std::cout << json.dump(2) << "\n";
  } else {
    print(command, dataset, plan);
  }
  return exit_done;
}

}  // namespace

void add_data_split(CLI::App& data) {
  const auto options = std::make_shared<SplitCommand>();
  CLI::App* command =
      add_command(data, "split", "Divide a set into train, val and test, or into folds, by seed.",
                  "medurwkv data split FOLDER --seed 1 --out split.json");
  add_set_options(*command, options->set);
  CLI::Option* ratios =
      command->add_option("--ratios", options->ratios, "shares of train, val and test")
          ->delimiter(',')
          ->expected(3)
          ->capture_default_str();
  command->add_option("--folds", options->folds, "this many parts that take turns as val")
      ->check(CLI::Range(2, 1000));
  command->add_option("--test", options->test, "with --folds: share of a test part beside them")
      ->check(CLI::Range(0.0, 0.99));
  command->add_option("--group-by", options->group_by,
                      "regular expression; what it finds in a name is the patient (or the like) "
                      "whose images stay together: '^([^_]+)_'");
  add_seed(*command, options->common);
  add_out(*command, options->common, "file to write", "split.json");
  command->add_flag("--force", options->force, "replace an existing file");
  add_threads(*command, options->common);
  add_json(*command, options->common);
  add_quiet(*command, options->common);
  on_run(*command, [options, ratios] {
    options->ratios_given = ratios->count() > 0;
    return run(*options);
  });
}

}  // namespace medurwkv::cli
