#include "judge/evaluation.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/table.h"
#include "core/text.h"
#include "core/unicode.h"

namespace medurwkv::judge {

namespace {

std::optional<ConstantGuess> fit_guess(const data::Dataset& dataset,
                                       std::span<const data::Case> train, Listener& listener) {
  if (train.empty()) return std::nullopt;
  EllipseFit fit;
  std::int64_t done = 0;
  for (const data::Case& item : train) {
    throw_if_stopped(listener);
    fit.add(data::read_labels(dataset, item));
    listener.progress("fitting the constant guess", ++done, std::ssize(train), item.id);
  }
  if (fit.count() == 0) return std::nullopt;
  ConstantGuess guess;
  guess.ellipse = fit.fit();
  guess.fitted_on = fit.count();
  return guess;
}

Lengths lengths_of(const data::Case& item, const EvaluationOptions& options) {
  Lengths out = options.lengths;
  if (options.spacing.empty()) return out;
  const auto found = options.spacing.find(item.id);
  if (found == options.spacing.end()) {
    throw_failure(concat("the case ", item.id, " has no line in the file of --spacing-file"));
  }
  out.spacing = found->second;
  return out;
}

// Gathers the scores of one predictor.
class Scorer {
 public:
  Scorer(std::span<const data::Case> cases, std::size_t class_count,
         const EvaluationOptions& options)
      : class_count_(class_count), options_(&options) {
    for (const std::string& profile : options.profiles) {
      if (profile == profiles[0].name) continue;
      judges_.emplace_back(profile, cases, class_count, options.batch);
      pooled_ |= needs_pooled(profile);
    }
  }

  void add(const data::Case& item, const data::LabelMap& truth, const PredictedCase& predicted) {
    const Lengths lengths = lengths_of(item, *options_);
    JudgedCase judged(item.id, truth, predicted.labels, class_count_, lengths, pooled_);
    result_.cases.push_back(score_case(judged));
    if (item.group != item.id) result_.cases.back().group = item.group;
    for (ProfileJudge& judge : judges_) judge.add(item, judged);
    if (predicted.probabilities.empty()) return;
    if (!result_.calibration) result_.calibration.emplace();
    result_.calibration->add(truth, predicted.labels, predicted.probabilities);
    if (predicted.uncalibrated.empty()) return;
    if (!result_.uncalibrated) result_.uncalibrated.emplace();
    result_.uncalibrated->add(truth, predicted.labels, predicted.uncalibrated);
  }

  Evaluation finish(const std::optional<ConstantGuess>& guess) {
    result_.summary = summarise(result_.cases, options_->seed, options_->over_groups);
    result_.guess = guess;
    const auto& wanted = options_->profiles;
    if (std::find(wanted.begin(), wanted.end(), profiles[0].name) != wanted.end()) {
      result_.profiles.push_back(default_table(result_.cases));
    }
    for (ProfileJudge& judge : judges_) result_.profiles.push_back(judge.finish());
    return std::move(result_);
  }

 private:
  std::size_t class_count_;
  const EvaluationOptions* options_;
  std::vector<ProfileJudge> judges_;
  bool pooled_ = false;
  Evaluation result_;
};

}  // namespace

SpacingByCase read_spacing(const std::filesystem::path& file) {
  const Table table = read_table(file);
  const std::size_t id = table.column("id");
  const std::size_t x = table.column("spacing_x");
  const std::size_t y = table.column("spacing_y");
  SpacingByCase out;
  for (const Table::Row& row : table.rows()) {
    const Spacing spacing{table.number(row, x).value_or(0), table.number(row, y).value_or(0)};
    if (!(spacing.x > 0 && spacing.y > 0)) table.fail(row, "expected two positive lengths");
    if (!out.emplace(nfc(row.fields[id]), spacing).second) {
      table.fail(row, concat("is a second line for ", shown(row.fields[id])));
    }
  }
  return out;
}

std::vector<Evaluation> evaluate(const data::Dataset& dataset, std::span<const data::Case> train,
                                 std::span<const data::Case> cases, const PredictCase& predict,
                                 const EvaluationOptions& options, Listener& listener) {
  if (cases.empty()) throw_failure("no cases to evaluate");
  auto guess = fit_guess(dataset, train, listener);
  std::vector<Scorer> scorers;
  std::int64_t done = 0;
  for (const data::Case& item : cases) {
    throw_if_stopped(listener);
    const data::LabelMap truth = data::read_labels(dataset, item);
    const std::vector<PredictedCase> predicted = predict(item, truth);
    while (scorers.size() < predicted.size()) {
      scorers.emplace_back(cases, dataset.classes.size(), options);
    }
    for (std::size_t i = 0; i < predicted.size(); ++i) scorers[i].add(item, truth, predicted[i]);
    if (guess) {
      const data::ImageSize size{truth.width, truth.height};
      guess->dice.push_back(merged_dice(truth, rasterise(guess->ellipse, size)));
    }
    listener.progress("scoring", ++done, std::ssize(cases), item.id);
  }
  if (guess) guess->summary = statistic(guess->dice);
  std::vector<Evaluation> out;
  out.reserve(scorers.size());
  for (Scorer& scorer : scorers) out.push_back(scorer.finish(guess));
  return out;
}

}  // namespace medurwkv::judge
