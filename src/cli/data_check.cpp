// `medurwkv data check`: what is wrong with a set, each fault with its remedy.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "cli/data.h"
#include "core/text.h"
#include "data/faults.h"
#include "data/repair.h"
#include "data/split.h"

namespace medurwkv::cli {
namespace {

struct CheckCommand {
  CommonOptions common;
  SetOptions set;
  std::string split, against;
  std::filesystem::path fix;
};

/// More faults of one kind than this are counted, not listed.
constexpr std::size_t listed = 10;

void print_counts(const data::CheckReport& report) {
  std::cout << counted(report.pairs, "pair") << " (" << counted(report.images, "image") << ", "
            << counted(report.masks, "mask") << "), layout: " << report.layout << "\n";
  if (report.unlabelled > 0) {
    std::cout << counted(report.unlabelled, "image") << " of a part without masks\n";
  }
  if (report.groups < report.pairs && report.groups > 0) {
    std::cout << counted(report.groups, "group") << " (patients or the like)\n";
  }
  if (!report.parts.empty()) {
    std::vector<std::string> words;
    for (const auto& [part, cases] : report.parts) words.push_back(concat(part, " ", cases));
    std::cout << "parts: " << join(words, ", ") << "\n";
  }
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
              << " % of pixels, in " << counted(report.class_cases[i], "mask") << "\n";
  }
  if (report.empty_masks > 0) std::cout << counted(report.empty_masks, "empty mask") << "\n";
}

/// By kind, in the order of the first of each.
void print_faults(const std::vector<data::Fault>& faults) {
  std::map<std::string, std::size_t> sizes;
  for (const data::Fault& fault : faults) ++sizes[fault.kind];
  std::map<std::string, bool> done;
  for (const data::Fault& first : faults) {
    if (std::exchange(done[first.kind], true)) continue;
    std::size_t shown = 0;
    std::string remedy;
    std::cout << "\n"
              << (first.severity == data::Severity::error ? "error   " : "warning ") << first.kind
              << "\n";
    for (const data::Fault& fault : faults) {
      if (fault.kind != first.kind || shown == listed) continue;
      ++shown;
      if (!remedy.empty() && remedy != fault.remedy) std::cout << "  -> " << remedy << "\n";
      remedy = fault.remedy;
      std::cout << "  " << fault.where << ": " << fault.what << "\n";
    }
    if (sizes[first.kind] > shown) {
      std::cout << "  and " << sizes[first.kind] - shown << " more (all with --json)\n";
    }
    std::cout << "  -> " << remedy << "\n";
  }
}

void print(const data::CheckReport& report) {
  print_counts(report);
  print_faults(report.faults);
  std::cout << "\n"
            << counted(report.errors(), "error") << ", "
            << counted(std::ssize(report.faults) - report.errors(), "warning") << "\n";
}

/// Writes the repaired copy and checks it. True when it has no errors.
bool fix(const CheckCommand& command, const data::Examination& set, nlohmann::json& out) {
  const bool quiet = command.common.quiet;
  const data::RepairReport repaired = data::write_repaired(set, command.fix, stop_signal, quiet);
  const data::CheckReport after = data::check_dataset(command.fix, {}, stop_signal, quiet);
  out = {{"folder", command.fix.string()},
         {"pairs", repaired.written},
         {"repairs", repaired.repairs.size()},
         {"errors", after.errors()}};
  if (!command.common.json) {
    std::cout << "\n"
              << command.fix.string() << ": " << counted(repaired.written, "pair") << ", "
              << counted(std::ssize(repaired.repairs), "repair")
              << " (repairs.json lists them); the copy has " << counted(after.errors(), "error")
              << "\n";
    if (after.errors() > 0) print_faults(after.faults);
  }
  return after.errors() == 0;
}

int run(const CheckCommand& command) {
  apply_threads(command.common);
  data::CheckOptions options{dataset_options(command.set), command.split, command.against};
  if (!command.split.empty() && !options.dataset.encoding && options.dataset.classes.empty()) {
    options.dataset = data::split_options(command.split);
  }
  if (!command.fix.empty()) {
    data::check_repair_folder(command.set.folder, command.fix);
    check_output(command.fix / "repairs.json", false);
  }
  const bool quiet = command.common.quiet;
  const data::Examination set =
      data::examine(command.set.folder, options.dataset, stop_signal, quiet);
  const data::CheckReport report = data::report_on(set, options, stop_signal, quiet);
  bool sound = report.errors() == 0;
  nlohmann::json fixed;
  if (!command.common.json) print(report);
  if (!command.fix.empty()) sound = fix(command, set, fixed);
  if (command.common.json) {
    nlohmann::json out = data::to_json(report);
    if (!fixed.is_null()) out["fixed"] = fixed;
    std::cout << out.dump(2) << "\n";
  }
  return sound ? exit_done : exit_failed;
}

}  // namespace

void add_data_check(CLI::App& data) {
  const auto options = std::make_shared<CheckCommand>();
  CLI::App* command = add_command(data, "check", "Find what is wrong with a set.",
                                  "medurwkv data check FOLDER --split split.json");
  add_set_options(*command, options->set);
  command->add_option("--split", options->split, "look for leaks between the parts of this split")
      ->check(CLI::ExistingFile);
  command
      ->add_option("--against", options->against, "another set, which must share nothing with it")
      ->check(CLI::ExistingPath);
  command->add_option("--fix", options->fix,
                      "write a repaired copy into this folder; the set itself is not touched");
  add_threads(*command, options->common);
  add_json(*command, options->common);
  add_quiet(*command, options->common);
  on_run(*command, [options] { return run(*options); });
}

}  // namespace medurwkv::cli
