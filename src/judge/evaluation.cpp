#include "judge/evaluation.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/model_description.h"
#include "core/table.h"
#include "core/text.h"
#include "core/unicode.h"
#include "data/layout/objects.h"
#include "judge/more_metrics.h"

namespace medurwkv::judge {

namespace {

std::optional<ConstantGuess> fit_guess(const data::Dataset& dataset,
                                       std::span<const data::Case> train, Listener& listener) {
  if (train.empty()) return std::nullopt;
  const std::size_t class_count = dataset.classes.size();
  EllipseFit fit;
  std::vector<EllipseFit> of_class(class_count > 2 ? class_count - 1 : 0);
  std::int64_t done = 0;
  for (const data::Case& item : train) {
    throw_if_stopped(listener);
    const data::LabelMap truth = data::read_labels(dataset, item);
    fit.add(truth);
    for (std::size_t c = 0; c < of_class.size(); ++c) {
      of_class[c].add(truth, static_cast<std::uint8_t>(c + 1));
    }
    listener.progress("fitting the constant guess", ++done, std::ssize(train), item.id);
  }
  if (fit.count() == 0) return std::nullopt;
  ConstantGuess guess;
  guess.ellipse = fit.fit();
  guess.fitted_on = fit.count();
  for (const EllipseFit& own : of_class) {
    guess.classes.push_back({own.count() > 0 ? std::optional(own.fit()) : std::nullopt, {}});
  }
  return guess;
}

/// Dice of one class, predicted where the ellipse lies.
std::optional<double> guessed_dice(const data::LabelMap& truth, std::uint8_t label,
                                   const std::optional<Ellipse>& ellipse) {
  const data::ImageSize size{truth.width, truth.height};
  const data::LabelMap guessed =
      ellipse ? rasterise(*ellipse, size)
              : data::LabelMap{size.width, size.height,
                               std::vector<std::uint8_t>(truth.labels.size(), 0)};
  data::LabelMap own = truth;
  for (std::uint8_t& one : own.labels) {
    if (one != ignore_label) one = one == label ? 1 : 0;
  }
  return merged_dice(own, guessed);
}

void judge_guess(ConstantGuess& guess, const data::LabelMap& truth) {
  guess.dice.push_back(merged_dice(truth, rasterise(guess.ellipse, {truth.width, truth.height})));
  std::vector<std::optional<double>> classes;
  for (std::size_t c = 0; c < guess.classes.size(); ++c) {
    ConstantGuess::OfClass& own = guess.classes[c];
    own.dice.push_back(guessed_dice(truth, static_cast<std::uint8_t>(c + 1), own.ellipse));
    classes.push_back(own.dice.back());
  }
  guess.class_mean.push_back(mean_of_defined(classes));
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

/// What the set says of a case beside its masks' pixels.
struct CaseFacts {
  std::optional<data::ObjectMap> objects{};
  std::vector<std::string> strata{};
};

// Gathers the scores of one predictor.
class Scorer {
 public:
  Scorer(std::span<const data::Case> cases, std::size_t class_count,
         const EvaluationOptions& options, const std::vector<std::string>& strata)
      : class_count_(class_count),
        options_(&options),
        more_(options.more_metrics, options.lengths.more_tolerances) {
    for (const std::string& profile : options.profiles) {
      if (profile == profiles[0].name) continue;
      judges_.emplace_back(profile, cases, class_count, options.batch);
      pooled_ |= needs_pooled(profile);
    }
    const auto& more = more_.metrics();
    result_.metrics.insert(result_.metrics.end(), more.begin(), more.end());
    result_.strata = strata;
    if (more_.of_objects()) result_.objects.resize(class_count - 1);
  }

  void add(const data::Case& item, const data::LabelMap& truth, const CaseFacts& facts,
           const PredictedCase& predicted) {
    const Lengths lengths = lengths_of(item, *options_);
    const CaseExtras extras{.probabilities = predicted.probabilities,
                            .objects = {facts.objects ? &*facts.objects : nullptr,
                                        predicted.objects ? &*predicted.objects : nullptr}};
    JudgedCase judged(item.id, truth, predicted.labels, class_count_, lengths, pooled_, extras);
    result_.cases.push_back(score_case(judged, &more_));
    if (item.group != item.id) result_.cases.back().group = item.group;
    result_.cases.back().strata = facts.strata;
    for (ProfileJudge& judge : judges_) judge.add(item, judged);
    add_confusion(truth, predicted.labels, class_count_, result_.confusion);
    for (std::size_t c = 0; c < result_.objects.size(); ++c) {
      result_.objects[c] += judged.objects(c + 1);
    }
    result_.true_objects_told |= facts.objects.has_value();
    result_.predicted_objects_told |= predicted.objects.has_value();
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
  MoreMetrics more_;
  std::vector<ProfileJudge> judges_;
  bool pooled_ = false;
  Evaluation result_;
};

/// The names of what tells kinds of cases apart; a case's kinds are in the same order.
std::vector<std::string> strata_names(std::span<const data::Case> cases,
                                      const EvaluationOptions& options) {
  std::vector<std::string> out;
  if (std::any_of(cases.begin(), cases.end(),
                  [](const data::Case& item) { return !item.stratum.empty(); })) {
    out.emplace_back("folder");
  }
  out.insert(out.end(), options.strata.names.begin(), options.strata.names.end());
  return out;
}

std::vector<std::string> strata_of_case(const data::Case& item, bool by_folder,
                                        const EvaluationOptions& options) {
  std::vector<std::string> out;
  if (by_folder) out.push_back(item.stratum);
  if (options.strata.names.empty()) return out;
  const auto found = options.strata.by_case.find(item.id);
  if (found == options.strata.by_case.end()) {
    throw_failure(concat("the case ", item.id, " has no line in the file of --strata"));
  }
  out.insert(out.end(), found->second.begin(), found->second.end());
  return out;
}

bool judges_volumes(const EvaluationOptions& options) {
  return std::any_of(options.profiles.begin(), options.profiles.end(),
                     [](const std::string& name) { return judge::judges_volumes(name); });
}

}  // namespace

SpacingByCase read_spacing(const std::filesystem::path& file) {
  const Table table = read_table(file);
  const std::size_t id = table.column("id");
  const std::size_t x = table.column("spacing_x");
  const std::size_t y = table.column("spacing_y");
  const std::optional<std::size_t> z = table.find({"spacing_z"});
  SpacingByCase out;
  for (const Table::Row& row : table.rows()) {
    const Spacing spacing{table.number(row, x).value_or(0), table.number(row, y).value_or(0),
                          z ? table.number(row, *z).value_or(0) : 1};
    if (!(spacing.x > 0 && spacing.y > 0 && spacing.z > 0)) {
      table.fail(row, "expected positive lengths");
    }
    if (!out.emplace(nfc(row.fields[id]), spacing).second) {
      table.fail(row, concat("is a second line for ", shown(row.fields[id])));
    }
  }
  return out;
}

Strata read_strata(const std::filesystem::path& file) {
  const Table table = read_table(file);
  const std::size_t id = table.column("id");
  Strata out;
  std::vector<std::size_t> columns;
  for (std::size_t c = 0; c < table.heads().size(); ++c) {
    if (c == id) continue;
    columns.push_back(c);
    out.names.push_back(table.heads()[c]);
  }
  if (columns.empty()) {
    throw_failure(concat(file.string(), ": has no column beside id that tells kinds of cases"));
  }
  for (const Table::Row& row : table.rows()) {
    std::vector<std::string> kinds;
    for (const std::size_t c : columns) kinds.push_back(row.fields[c]);
    if (!out.by_case.emplace(nfc(row.fields[id]), std::move(kinds)).second) {
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
  const MoreMetrics more(options.more_metrics, {});
  const std::vector<std::string> strata = strata_names(cases, options);
  const bool by_folder = strata.size() > options.strata.names.size();
  std::vector<Scorer> scorers;
  std::int64_t done = 0;
  for (const data::Case& item : cases) {
    throw_if_stopped(listener);
    const data::LabelMap truth = data::read_labels(dataset, item);
    CaseFacts facts{.strata = strata_of_case(item, by_folder, options)};
    if (more.of_objects() && data::tells_objects(dataset, item)) {
      facts.objects = data::read_objects(dataset, item);
    }
    const std::vector<PredictedCase> predicted = predict(item, truth);
    while (scorers.size() < predicted.size()) {
      scorers.emplace_back(cases, dataset.classes.size(), options, strata);
    }
    for (std::size_t i = 0; i < predicted.size(); ++i) {
      scorers[i].add(item, truth, facts, predicted[i]);
    }
    if (guess) judge_guess(*guess, truth);
    listener.progress("scoring", ++done, std::ssize(cases), item.id);
  }
  if (guess) {
    guess->summary = statistic(guess->dice);
    guess->class_mean_summary = statistic(guess->class_mean);
  }
  std::vector<Evaluation> out;
  out.reserve(scorers.size());
  for (Scorer& scorer : scorers) {
    out.push_back(scorer.finish(guess));
    if (judges_volumes(options)) {
      out.back().incomplete = incomplete_volumes(cases, dataset.cases);
    }
  }
  return out;
}

}  // namespace medurwkv::judge
