#include "app/compare.h"

#include <algorithm>
#include <map>
#include <utility>

#include <nlohmann/json.hpp>

#include "app/places.h"
#include "core/error.h"
#include "core/files.h"
#include "core/folder_lock.h"
#include "core/output.h"
#include "core/text.h"
#include "data/check/open.h"
#include "data/codecs/read.h"
#include "data/layout/dataset.h"
#include "data/layout/encoding.h"
#include "data/split/split.h"
#include "judge/predicted_masks.h"
#include "judge/report/comparison.h"
#include "judge/report/report.h"
#include "predict/overlay.h"

namespace medurwkv::app {

namespace {

namespace fs = std::filesystem;

const std::vector<std::string> written{"comparison.html", "comparison.json"};

void check_out(const CompareRequest& request) {
  const fs::path& out = request.out;
  for (const std::string& name : written) {
    if (request.force || !is_there(out / name)) continue;
    throw_usage(concat((out / name).string(),
                       " already exists; choose another --out, or --force to overwrite"));
  }
}

std::string letter(std::size_t index) {
  return index < 26 ? std::string(1, static_cast<char>('A' + index)) : concat("E", index + 1);
}

std::string command_line(const CompareRequest& request) {
  std::string out = "medurwkv compare";
  for (const fs::path& one : request.evaluations) out += concat(" ", shell_quoted(one.string()));
  return concat(out, " --metrics ", shell_quoted(join(request.how.metrics, ",")), " --zeros ",
                request.how.zeros == judge::Zeros::pratt ? "pratt" : "wilcox", " --seed ",
                request.how.seed, " --out ", shell_quoted(request.out.string()));
}

data::Dataset opened_data(const judge::LoadedEvaluation& from) {
  std::error_code error;
  if (!fs::exists(from.data_root, error)) {
    throw_failure(concat("no ", from.data_root, ", from where ", from.folder.string(),
                         " was made; compare shows images when it runs in the same folder as "
                         "evaluate did"));
  }
  const bool has_split = !from.split_file.empty() && fs::is_regular_file(from.split_file, error);
  data::DatasetOptions options;
  if (has_split) {
    options = data::split_options(from.split_file);
  } else if (!from.truth_encoding.empty()) {
    options = {.encoding = data::mask_encoding_from(from.truth_encoding),
               .classes = from.truth_classes};
  }
  options.plane = from.plane;
  data::Dataset out = data::open_dataset(from.data_root, options);
  if (data::content_hash(out) != from.data_sha256) {
    throw_failure(concat(from.data_root, " has changed since"));
  }
  return out;
}

judge::PredictedMasks masks_of(const judge::LoadedEvaluation& from, const data::Dataset& dataset,
                               const std::vector<data::Case>& cases) {
  judge::PredictedMasksOptions how;
  if (from.masks.empty()) {
    throw_failure(concat(from.folder.string(), " has the masks of its folds in several folders"));
  }
  how.missing = judge::Missing::empty;
  how.encoding = from.mask_encoding.empty() ? data::MaskEncoding::palette
                                            : data::mask_encoding_from(from.mask_encoding);
  return {from.masks, dataset, cases, how};
}

// Pictures of the cases that changed most, with the masks of each evaluation of the pair.
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
      const auto found = by_id.find(pair.changes[i].id);
      // A table does not keep blanks around an id, nor line ends in it.
      if (found == by_id.end()) {
        throw_failure(concat("the case ", shown(pair.changes[i].id), " is not found in ",
                             comparison.evaluations.front().data_root));
      }
      cases.push_back(found->second);
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
        const judge::LoadedEvaluation& side = comparison.evaluations[both[k]];
        const std::string name = side.runs.size() > 1
                                     ? concat(side.name, " (its run ", side.runs.front(), ")")
                                     : side.name;
        const double dice = k == 0 ? pair.changes[i].first : pair.changes[i].second;
        own.png.push_back(
            data::encode_png(predict::comparison(image, truth, labels, longest_side)));
        own.captions.push_back(concat(name, ", Dice ", fixed(dice, 3),
                                      side.runs.size() > 1 ? " in the mean of its runs" : "",
                                      ". Blue: truth. Orange: prediction. Dashed: both."));
        own.alts.push_back(concat("Case ", own.id, " with the outlines of the truth and of ", name,
                                  "'s prediction; Dice ", fixed(dice, 3)));
      }
      out.push_back(std::move(own));
    }
  }
  return out;
}

}  // namespace

CompareResult compare(const CompareRequest& request, Listener& listener) {
  check_out(request);
  std::vector<judge::LoadedEvaluation> evaluations;
  for (const fs::path& folder : request.evaluations) {
    evaluations.push_back(judge::load_evaluation(folder, letter(evaluations.size())));
    refuse_within(request.out, {folder, evaluations.back().data_root});
  }
  CompareResult out{.comparison = judge::compare(std::move(evaluations), request.how),
                    .written = written};
  out.comparison.command = command_line(request);
  std::vector<judge::ChangePictures> shown_cases;
  try {
    shown_cases = pictures(out.comparison);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::internal) throw;
    listener.line(concat("note: the page has no pictures: ", error.what()));
  }
  make_folder(request.out);
  const FolderLock lock(request.out);
  check_out(request);
  prepare_folder(request.out, written);
  write_file(request.out / written[0], judge::comparison_html(out.comparison, shown_cases));
  write_file(request.out / written[1], judge::json_text(judge::comparison_json(out.comparison)));
  return out;
}

}  // namespace medurwkv::app
