#include "judge/evaluation.h"

#include "core/error.h"
#include "core/progress.h"

namespace medurwkv::judge {

namespace {

std::optional<ConstantGuess> fit_guess(const data::Dataset& dataset,
                                       std::span<const data::Case> train, bool quiet,
                                       const StopSignal& stop) {
  EllipseFit fit;
  Progress progress("fitting the constant guess", static_cast<std::int64_t>(train.size()), quiet);
  std::int64_t done = 0;
  for (const data::Case& item : train) {
    throw_if_stopped(stop);
    fit.add(data::read_labels(dataset, item));
    progress.update(++done, item.id);
  }
  if (fit.count() == 0) return std::nullopt;
  ConstantGuess guess;
  guess.ellipse = fit.fit();
  guess.fitted_on = fit.count();
  return guess;
}

}  // namespace

Evaluation evaluate(const data::Dataset& dataset, std::span<const data::Case> train,
                    std::span<const data::Case> cases, const PredictLabels& predict,
                    const EvaluationOptions& options, const StopSignal& stop) {
  if (cases.empty()) throw_failure("no cases to evaluate: the chosen part of the split is empty");
  Evaluation out;
  out.guess = fit_guess(dataset, train, options.quiet, stop);
  Progress progress("scoring", static_cast<std::int64_t>(cases.size()), options.quiet);
  for (const data::Case& item : cases) {
    throw_if_stopped(stop);
    const data::LabelMap truth = data::read_labels(dataset, item);
    const data::LabelMap labels = predict(data::read_image(item));
    out.cases.push_back(
        score_case(item.id, truth, labels, dataset.classes.size(), options.spacing));
    if (out.guess) {
      const data::ImageSize size{truth.width, truth.height};
      out.guess->dice.push_back(merged_dice(truth, rasterise(out.guess->ellipse, size)));
    }
    progress.update(static_cast<std::int64_t>(out.cases.size()), item.id);
  }
  out.summary = summarise(out.cases, options.seed);
  if (out.guess) out.guess->summary = statistic(out.guess->dice);
  return out;
}

}  // namespace medurwkv::judge
