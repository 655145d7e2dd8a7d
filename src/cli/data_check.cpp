// `medurwkv data check`: what is wrong with a set, each fault with its remedy.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "app/data_check.h"
#include "cli/data.h"
#include "core/text.h"
#include "data/check/faults.h"

namespace medurwkv::cli {
namespace {

struct CheckCommand {
  CommonOptions common;
  app::CheckRequest request;
};

/// More faults of one kind than this are counted, not listed.
constexpr std::size_t listed = 10;

void print_counts(const data::CheckReport& report) {
  std::cout << counted(report.pairs, "pair") << " (" << counted(report.images, "image") << ", "
            << counted(report.masks, "mask") << "), layout: " << one_line(report.layout) << "\n";
  if (report.unlabelled > 0) {
    std::cout << counted(report.unlabelled, "image") << " of a part without masks\n";
  }
  if (report.groups < report.pairs && report.groups > 0) {
    std::cout << counted(report.groups, "group") << " (patients or the like)\n";
  }
  if (!report.parts.empty()) {
    std::vector<std::string> words;
    for (const auto& [part, cases] : report.parts)
      words.push_back(concat(one_line(part), " ", cases));
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

/// Prints faults by kind; kinds in the order of their first faults.
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
      if (!remedy.empty() && remedy != fault.remedy)
        std::cout << "  -> " << one_line(remedy) << "\n";
      remedy = fault.remedy;
      std::cout << "  " << one_line(concat(fault.where, ": ", fault.what)) << "\n";
    }
    if (sizes[first.kind] > shown) {
      std::cout << "  and " << sizes[first.kind] - shown << " more (all with --json)\n";
    }
    std::cout << "  -> " << one_line(remedy) << "\n";
  }
}

void print(const data::CheckReport& report) {
  print_counts(report);
  print_faults(report.faults);
  std::cout << "\n"
            << counted(report.errors(), "error") << ", "
            << counted(std::ssize(report.faults) - report.errors(), "warning") << "\n";
}

void print(const app::Repaired& repaired, const std::filesystem::path& folder) {
  const std::int64_t errors = repaired.report.errors();
  std::cout << "\n"
            << folder.string() << ": " << counted(repaired.written, "pair") << ", "
            << counted(static_cast<std::int64_t>(repaired.repairs), "repair")
            << " (repairs.json lists them); the copy has " << counted(errors, "error") << "\n";
  if (errors > 0) print_faults(repaired.report.faults);
}

int run(const CheckCommand& command) {
  apply_threads(command.common);
  TerminalListener listener(command.common);
  const app::CheckResult result = app::check_data(command.request, listener);
  const std::filesystem::path& folder = command.request.fix;
  if (command.common.json) {
    print_json(app::answer_of(command.request, result));
  } else {
    print(result.report);
    if (result.repaired) print(*result.repaired, folder);
  }
  return result.is_sound() ? exit_done : exit_failed;
}

}  // namespace

void add_data_check(CLI::App& data) {
  const auto options = std::make_shared<CheckCommand>();
  CLI::App* command = add_command(data, "check", "Find what is wrong with a set.",
                                  "medurwkv data check FOLDER --split split.json");
  add_set_options(*command, options->request.set);
  command
      ->add_option("--split", options->request.split,
                   "look for leaks between the parts of this split")
      ->check(CLI::ExistingFile);
  command
      ->add_option("--against", options->request.against,
                   "another set, which must share no image and no mask with it")
      ->check(CLI::ExistingPath);
  command->add_option("--fix", options->request.fix,
                      "write a repaired copy into this folder; the set itself is not touched");
  add_threads(*command, options->common);
  add_memory(*command);
  add_keep_identity(*command);
  add_json(*command, options->common);
  add_quiet(*command, options->common);
  on_run(*command, [options] { return run(*options); });
}

}  // namespace medurwkv::cli
