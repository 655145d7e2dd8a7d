#include "app/pictures.h"

#include <algorithm>
#include <cstdlib>

#include "core/files.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "predict/overlay.h"

namespace medurwkv::app {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_failures = 9;

std::string picture(const data::Dataset& dataset, const data::Case& item,
                    const LabelsOfCase& labels_of, std::int64_t longest_side) {
  const data::LabelMap truth = data::read_labels(dataset, item);
  return data::encode_png(
      predict::comparison(data::read_image(item), truth, labels_of(item, truth), longest_side));
}

}  // namespace

void add_pictures(judge::Report& report, const data::Dataset& dataset,
                  const std::vector<data::Case>& cases, const LabelsOfCase& labels_of) {
  constexpr std::int64_t large = 480;
  constexpr std::int64_t small = 240;
  const auto& scores = report.evaluation.cases;
  for (const auto& [rank, index] : judge::telling_cases(scores)) {
    const data::Case& item = cases[index];
    const auto& dice = scores[index].dice();
    const std::string value = dice ? fixed(*dice, 3) : "-";
    report.examples.push_back(
        {concat("The ", rank, " case: ", item.id, ", Dice ", value,
                ". Blue: outline of the truth. Orange: outline of the prediction. Dashed: both."),
         concat("Image of the case ", item.id,
                " with the outlines of the truth and of the prediction; Dice ", value),
         picture(dataset, item, labels_of, large)});
  }
  for (const auto& [index, label, missed] : judge::failed_cases(report.evaluation)) {
    if (report.failures.size() == most_failures) break;
    const data::Case& item = cases[index];
    const std::string what =
        concat(missed ? "missed" : "hallucinated", " ", report.classes.at(label).name);
    report.failures.push_back({concat(item.id, ": ", what),
                               concat("Image of the case ", item.id, ": ", what),
                               picture(dataset, item, labels_of, small)});
  }
}

std::optional<judge::TrainingCurves> training_curves(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_regular_file(folder / "curves.svg", error) ||
      !fs::is_regular_file(folder / "log.csv", error)) {
    return std::nullopt;
  }
  constexpr std::uint64_t most = 1 << 20;
  if (fs::file_size(folder / "curves.svg", error) > most) return std::nullopt;
  judge::TrainingCurves out;
  out.svg = read_file(folder / "curves.svg", most);
  const std::vector<std::string> lines = split(trim(read_file(folder / "log.csv")), '\n');
  if (lines.size() < 2) return std::nullopt;
  const std::vector<std::string> names = split(trim(lines.front()), ',');
  const std::vector<std::string> last = split(trim(lines.back()), ',');
  std::string values;
  for (std::size_t i = 0; i < std::min(names.size(), last.size()); ++i) {
    values += concat(i == 0 ? "" : ", ", names[i], " ", last[i]);
  }
  out.alt = concat("Curves of the training over ", lines.size() - 1,
                   " epochs. In the last one: ", values);
  return out;
}

}  // namespace medurwkv::app
