// `medurwkv compare`: two or more evaluations of the same cases, paired. Relies on judge/compare.h
// and, for its pictures, on the images and masks that the evaluations were made of.
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/command.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/dataset.h"
#include "data/encoding.h"
#include "data/split.h"
#include "judge/compare.h"
#include "judge/predicted_masks.h"
#include "judge/report.h"
#include "predict/overlay.h"

namespace medurwkv::cli {

namespace {

namespace fs = std::filesystem;

struct CompareOptions {
  CommonOptions common;
  std::vector<fs::path> evaluations;
  judge::CompareOptions how;
  std::string zeros = "wilcox";
  bool force = false;
};

const std::vector<std::string> written{"comparison.html", "comparison.json"};

void check_out(const CompareOptions& options) {
  const fs::path& out = options.common.out;
  for (const std::string& name : written) {
    std::error_code error;
    if (options.force || !fs::exists(out / name, error)) continue;
    throw_usage(concat((out / name).string(),
                       " is there already; choose another --out, or --force to overwrite"));
  }
}

std::string letter(std::size_t index) {
  return index < 26 ? std::string(1, static_cast<char>('A' + index)) : concat("E", index + 1);
}

std::string command_line(const CompareOptions& options) {
  std::string out = "medurwkv compare";
  for (const fs::path& one : options.evaluations) out += concat(" ", one.string());
  return concat(out, " --metrics ", join(options.how.metrics, ","), " --zeros ", options.zeros,
                " --seed ", options.common.seed, " --out ", options.common.out.string());
}

data::Dataset opened_data(const judge::LoadedEvaluation& from) {
  std::error_code error;
  if (!fs::exists(from.data_root, error)) {
    throw_failure(concat("no ", from.data_root, ", from where ", from.folder.string(),
                         " was made; compare shows images when it runs in the same folder as "
                         "evaluate did"));
  }
  const bool has_split = !from.split_file.empty() && fs::is_regular_file(from.split_file, error);
  data::Dataset out = has_split
                          ? data::open_dataset(from.data_root, data::split_options(from.split_file))
                          : data::open_dataset(from.data_root);
  if (data::content_hash(out) != from.data_sha256) {
    throw_failure(concat(from.data_root, " has changed since"));
  }
  return out;
}

judge::PredictedMasks masks_of(const judge::LoadedEvaluation& from, const data::Dataset& dataset,
                               const std::vector<data::Case>& cases) {
  judge::PredictedMasksOptions how;
  how.missing = judge::Missing::empty;
  how.encoding = from.mask_encoding.empty() ? data::MaskEncoding::palette
                                            : data::mask_encoding_from(from.mask_encoding);
  return {from.masks, dataset, cases, how};
}

// The cases that changed most, as each evaluation of the pair sees them.
std::vector<judge::ChangePictures> pictures(const judge::Comparison& comparison) {
  constexpr std::size_t most = 3;
  constexpr std::int64_t longest_side = 320;
  const data::Dataset dataset = opened_data(comparison.evaluations.front());
  std::map<std::string, data::Case> by_id;
  for (const data::Case& item : dataset.cases) by_id[item.id] = item;
  std::vector<judge::ChangePictures> out;
  for (std::size_t p = 0; p < comparison.pairs.size() && out.size() < 4 * most; ++p) {
    const judge::Pair& pair = comparison.pairs[p];
    std::vector<data::Case> cases;
    for (std::size_t i = 0; i < std::min(most, pair.changes.size()); ++i) {
      cases.push_back(by_id.at(pair.changes[i].id));
    }
    if (cases.empty()) continue;
    const std::vector<std::size_t> both{pair.first, pair.second};
    std::vector<judge::PredictedMasks> masks;
    for (const std::size_t e : both) {
      masks.push_back(masks_of(comparison.evaluations[e], dataset, cases));
    }
    for (std::size_t i = 0; i < cases.size(); ++i) {
      judge::ChangePictures own;
      own.pair = p;
      own.id = cases[i].id;
      const data::Image image = data::read_image(cases[i]);
      const data::LabelMap truth = data::read_labels(dataset, cases[i]);
      for (std::size_t k = 0; k < both.size(); ++k) {
        const auto labels = masks[k].read(i, {truth.width, truth.height});
        const std::string& name = comparison.evaluations[both[k]].name;
        const double dice = k == 0 ? pair.changes[i].first : pair.changes[i].second;
        own.png.push_back(
            data::encode_png(predict::comparison(image, truth, labels, longest_side)));
        own.captions.push_back(concat(name, ", Dice ", fixed(dice, 3),
                                      ". Blue: truth. Orange: prediction. Dashed: both."));
        own.alts.push_back(concat("Case ", own.id, " with the outlines of the truth and of ", name,
                                  "'s prediction; Dice ", fixed(dice, 3)));
      }
      out.push_back(std::move(own));
    }
  }
  return out;
}

int run_compare(CompareOptions& options) {
  check_out(options);
  options.how.seed = options.common.seed;
  options.how.zeros = options.zeros == "pratt" ? judge::Zeros::pratt : judge::Zeros::wilcox;
  std::vector<judge::LoadedEvaluation> evaluations;
  for (const fs::path& folder : options.evaluations) {
    evaluations.push_back(judge::load_evaluation(folder, letter(evaluations.size())));
  }
  judge::Comparison comparison = judge::compare(std::move(evaluations), options.how);
  comparison.command = command_line(options);
  std::vector<judge::ChangePictures> shown_cases;
  try {
    shown_cases = pictures(comparison);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::internal) throw;
    std::cerr << "note: the page has no pictures: " << error.what() << '\n';
  }
  make_folder(options.common.out);
  const std::string json = judge::json_text(judge::comparison_json(comparison));
  write_file(options.common.out / written[0], judge::comparison_html(comparison, shown_cases));
  write_file(options.common.out / written[1], json);
  std::cout << (options.common.json ? json : judge::comparison_text(comparison));
  if (!options.common.quiet) {
    std::cerr << "written to " << options.common.out.string() << ": " << join(written, ", ")
              << '\n';
  }
  return exit_done;
}

}  // namespace

void add_compare(CLI::App& root) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App* command = add_command(
      root, "compare", "Compare evaluations of the same cases: differences, intervals, tests",
      "medurwkv compare evaluation-a evaluation-b --out comparison");
  command->add_option("evaluations", options->evaluations, "folders that `evaluate --out` wrote")
      ->required();
  command->add_option("--metrics", options->how.metrics, "which metrics to compare")
      ->delimiter(',')
      ->default_str("dice,hd95,nsd");
  command
      ->add_option("--zeros", options->zeros,
                   "what equal cases do in Wilcoxon's test: wilcox (left out) or pratt (ranked)")
      ->check(CLI::IsMember({"wilcox", "pratt"}))
      ->capture_default_str();
  add_out(*command, options->common, "folder to write into", "comparison");
  command->add_flag("--force", options->force, "overwrite an earlier comparison");
  add_seed(*command, options->common);
  add_quiet(*command, options->common);
  add_json(*command, options->common);
  on_run(*command, [options] { return run_compare(*options); });
}

}  // namespace medurwkv::cli
