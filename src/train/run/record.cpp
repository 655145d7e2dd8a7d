#include "train/run/record.h"

#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/text.h"

namespace medurwkv::train {
namespace {

using nlohmann::json;

/// JSON has no NaN; an epoch without validation is null there.
json number_or_null(double value) {
  return std::isfinite(value) ? json(value) : json();
}
double number_from(const json& value) {
  return value.is_null() ? RunState::none : value.get<double>();
}

json numbers_or_null(const std::vector<double>& values) {
  json out = json::array();
  for (const double value : values) out.push_back(number_or_null(value));
  return out;
}
std::vector<double> numbers_from(const json& values) {
  std::vector<double> out;
  for (const json& value : values) out.push_back(number_from(value));
  return out;
}

/// A row of model format 1: one figure, and before that the two parts of the loss without a list.
EpochRow earlier_row(const json& one) {
  const bool two_parts = !one.at(3).is_array();
  return {
      .epoch = one.at(0).get<std::int64_t>(),
      .rate = one.at(1).get<double>(),
      .loss = number_from(one.at(2)),
      .parts = two_parts ? numbers_from({one.at(3), one.at(4), 0, 0, 0}) : numbers_from(one.at(3)),
      .figures = {number_from(one.at(two_parts ? 5 : 4))}};
}

EpochRow row_from(const json& one) {
  return {.epoch = one.at(0).get<std::int64_t>(),
          .rate = one.at(1).get<double>(),
          .loss = number_from(one.at(2)),
          .parts = numbers_from(one.at(3)),
          .figures = numbers_from(one.at(4))};
}

FittedTemperature fitted_from(const json& from) {
  const json& likelihood = from.at("negative_log_likelihood");
  const json& error = from.at("calibration_error");
  return {.temperature = from.at("temperature").get<double>(),
          .at_bound = from.at("at_bound").get<bool>(),
          .pixels = from.at("pixels").get<std::int64_t>(),
          .used = from.at("used_pixels").get<std::int64_t>(),
          .likelihood_before = likelihood.at(0).get<double>(),
          .likelihood_after = likelihood.at(1).get<double>(),
          .error_before = error.at(0).get<double>(),
          .error_after = error.at(1).get<double>(),
          .model = from.at("model").get<std::string>()};
}

}  // namespace

void add_batch(RunState& state, double loss, const std::vector<double>& parts) {
  state.sum_loss += loss;
  state.sums.resize(parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) state.sums[i] += parts[i];
}

void forget_best(RunState& state) {
  state.best = RunState::none;
  state.best_epoch = std::ssize(state.rows);
  state.best_model.clear();
  state.fitted.reset();
}

json to_json(const FittedTemperature& fitted) {
  return {{"temperature", fitted.temperature},
          {"at_bound", fitted.at_bound},
          {"pixels", fitted.pixels},
          {"used_pixels", fitted.used},
          {"negative_log_likelihood", {fitted.likelihood_before, fitted.likelihood_after}},
          {"calibration_error", {fitted.error_before, fitted.error_after}}};
}

json to_json(const RunState& state) {
  json fitted;
  if (state.fitted) {
    fitted = to_json(*state.fitted);
    fitted["model"] = state.fitted->model;
  }
  json rows = json::array();
  for (const EpochRow& row : state.rows) {
    rows.push_back({row.epoch, row.rate, number_or_null(row.loss), numbers_or_null(row.parts),
                    numbers_or_null(row.figures)});
  }
  return {{"step", state.step},
          {"sum_loss", state.sum_loss},
          {"sums", state.sums},
          {"best", number_or_null(state.best)},
          {"best_epoch", state.best_epoch},
          {"best_model", state.best_model},
          {"fitted", fitted},
          {"rows", rows}};
}

RunState state_from(const json& from) {
  RunState state;
  from.at("step").get_to(state.step);
  from.at("sum_loss").get_to(state.sum_loss);
  if (from.contains("sum_cross_entropy")) {
    state.sums = {from.at("sum_cross_entropy").get<double>(), from.at("sum_dice").get<double>(), 0,
                  0, 0};
  } else {
    from.at("sums").get_to(state.sums);
  }
  const bool earlier = from.contains("best_dice");
  if (!earlier) {
    state.best = number_from(from.at("best"));
  } else if (const double dice = from.at("best_dice").get<double>(); dice >= 0) {
    state.best = dice;
  }
  from.at("best_epoch").get_to(state.best_epoch);
  state.best_model = from.value("best_model", "");
  if (from.contains("fitted") && !from.at("fitted").is_null()) {
    state.fitted = fitted_from(from.at("fitted"));
  }
  for (const json& one : from.at("rows")) {
    state.rows.push_back(earlier ? earlier_row(one) : row_from(one));
  }
  return state;
}

bool finish_epoch(RunState& state, const Columns& columns, std::int64_t batches, double rate,
                  std::vector<double> figures) {
  const auto count = static_cast<double>(batches);
  EpochRow row{.epoch = std::ssize(state.rows) + 1,
               .rate = rate,
               .loss = state.sum_loss / count,
               .parts = std::move(state.sums),
               .figures = std::move(figures)};
  for (double& part : row.parts) part /= count;
  state.sum_loss = 0;
  state.sums.clear();
  const double figure = row.figures.front();
  const std::int64_t epoch = row.epoch;
  state.rows.push_back(std::move(row));
  if (std::isfinite(figure)) {
    const bool better =
        columns.chooses().higher_is_better ? figure > state.best : figure < state.best;
    if (std::isfinite(state.best) && !better) return false;
    state.best = figure;
  }
  state.best_epoch = epoch;
  return true;
}

std::string log_csv(const std::vector<EpochRow>& rows, const Columns& columns) {
  std::string out = "epoch,rate,loss";
  for (const PartColumn& part : columns.parts) out += concat(",", part.name);
  for (const FigureColumn& figure : columns.figures) out += concat(",", figure.name);
  out += "\n";
  for (const EpochRow& row : rows) {
    out += concat(row.epoch, ",", fixed(row.rate, 9), ",", fixed(row.loss, 6));
    for (std::size_t i = 0; i < row.parts.size(); ++i) {
      out += concat(",", columns.parts.at(i).used ? fixed(row.parts[i], 6) : "");
    }
    for (const double figure : row.figures) {
      out += concat(",", std::isfinite(figure) ? fixed(figure, 6) : "");
    }
    out += "\n";
  }
  return out;
}

}  // namespace medurwkv::train
