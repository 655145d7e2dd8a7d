// `medurwkv data check` and `medurwkv data split`.
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/dataset.h"
#include "data/encoding.h"
#include "data/faults.h"

namespace medurwkv::cli {
namespace {

struct DataOptions {
  CommonOptions common;
  std::string folder, encoding, class_names, class_file;
  std::vector<double> ratios{0.7, 0.1, 0.2};
  bool force = false;
};

data::DatasetOptions dataset_options(const DataOptions& options) {
  return data::dataset_options(
      options.encoding,
      options.class_names.empty() ? std::vector<std::string>{} : split(options.class_names, ','),
      options.class_file);
}

void print(const data::CheckReport& report) {
  std::cout << report.pairs << " pairs (" << report.images << " images, " << report.masks
            << " masks)\n";
  if (report.largest.width > 0) {
    std::cout << "sizes from " << report.smallest.width << " x " << report.smallest.height << " to "
              << report.largest.width << " x " << report.largest.height << "\n";
  }
  std::cout << "mask encoding " << report.encoding << "\n";
  double all = 0;
  for (const std::int64_t pixels : report.class_pixels) all += static_cast<double>(pixels);
  for (std::size_t i = 0; i < report.classes.size(); ++i) {
    const double share = 100 * static_cast<double>(report.class_pixels[i]) / std::max(1.0, all);
    std::cout << "  class " << i << " " << report.classes[i].name << ": " << fixed(share, 2)
              << " % of pixels\n";
  }
  std::cout << report.empty_masks << " empty masks\n";
  std::int64_t errors = 0;
  for (const data::Fault& fault : report.faults) {
    const bool error = fault.severity == data::Severity::error;
    errors += error ? 1 : 0;
    std::cout << (error ? "error   " : "warning ") << fault.kind << " " << fault.where << ": "
              << fault.what << "\n        -> " << fault.remedy << "\n";
  }
  std::cout << errors << " errors, " << static_cast<std::int64_t>(report.faults.size()) - errors
            << " warnings\n";
}

int run_check(const DataOptions& options) {
  apply_threads(options.common);
  const data::CheckReport report = data::check_dataset(options.folder, dataset_options(options),
                                                       stop_signal, options.common.quiet);
  if (options.common.json) {
    std::cout << data::to_json(report).dump(2) << "\n";
  } else {
    print(report);
  }
  const bool sound = std::none_of(
      report.faults.begin(), report.faults.end(),
      [](const data::Fault& fault) { return fault.severity == data::Severity::error; });
  return sound ? exit_done : exit_failed;
}

int run_split(const DataOptions& options) {
  apply_threads(options.common);
  const std::filesystem::path& out = options.common.out;
  if (std::filesystem::exists(out) && !options.force) {
    throw_usage(concat(out.string(), ": exists already; --force replaces it"));
  }
  const data::Dataset dataset = data::open_dataset(options.folder, dataset_options(options));
  const data::SplitRatios ratios{options.ratios[0], options.ratios[1], options.ratios[2]};
  const data::Split made = data::make_split(dataset, ratios, options.common.seed);
  const nlohmann::json json = data::split_to_json(dataset, made, ratios, options.common.seed);
  if (out.has_parent_path()) make_folder(out.parent_path());
  write_file(out, json.dump(1) + "\n");
  if (options.common.json) {
    std::cout << json.dump(2) << "\n";
  } else {
    std::cout << out.string() << ": " << made.train.size() << " train, " << made.val.size()
              << " val, " << made.test.size() << " test; masks " << to_string(dataset.encoding)
              << ", classes";
    for (const ClassInfo& one : dataset.classes) std::cout << " " << one.name;
    std::cout << "\n";
  }
  return exit_done;
}

void add_folder_options(CLI::App& command, DataOptions& options) {
  command.add_option("folder", options.folder, "folder of images and masks")->required();
  command.add_option("--mask-encoding", options.encoding,
                     "what mask values mean: binary (0 and 255), index (the value is the class), "
                     "palette, colors or instances; default: decided over all masks");
  command.add_option("--class-names", options.class_names,
                     "names by index, background first: background,lesion");
  command
      .add_option("--classes", options.class_file,
                  "file of classes: lines name:red,green,blue (labelmap.txt), or TOML")
      ->check(CLI::ExistingFile);
  add_threads(command, options.common);
  add_json(command, options.common);
}

}  // namespace

void add_data(CLI::App& root) {
  CLI::App* data = add_command(root, "data", "Check and split a folder of images and masks.",
                               "medurwkv data check FOLDER");
  data->require_subcommand(1);

  const auto check_options = std::make_shared<DataOptions>();
  CLI::App* check =
      add_command(*data, "check", "Find what is wrong with a set.", "medurwkv data check FOLDER");
  add_folder_options(*check, *check_options);
  add_quiet(*check, check_options->common);
  on_run(*check, [check_options] { return run_check(*check_options); });

  const auto split_options = std::make_shared<DataOptions>();
  CLI::App* split = add_command(*data, "split", "Divide a set into train, val and test by seed.",
                                "medurwkv data split FOLDER --seed 1 --out split.json");
  add_folder_options(*split, *split_options);
  split->add_option("--ratios", split_options->ratios, "shares of train, val and test")
      ->delimiter(',')
      ->expected(3)
      ->capture_default_str();
  add_seed(*split, split_options->common);
  add_out(*split, split_options->common, "file to write", "split.json");
  split->add_flag("--force", split_options->force, "replace an existing file");
  on_run(*split, [split_options] { return run_split(*split_options); });
}

}  // namespace medurwkv::cli
