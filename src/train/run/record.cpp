#include "train/run/record.h"

#include <cmath>
#include <limits>

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
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

/// A row as it was before the loss had more than two parts.
EpochRow short_row(const json& one) {
  return {.epoch = one.at(0).get<std::int64_t>(),
          .rate = one.at(1).get<double>(),
          .loss = number_from(one.at(2)),
          .parts = {number_from(one.at(3)), number_from(one.at(4))},
          .validation_dice = number_from(one.at(5))};
}

}  // namespace

void forget_best(RunState& state) {
  state.best_dice = -1;
  state.best_epoch = std::ssize(state.rows);
  state.best_model.clear();
}

json to_json(const RunState& state) {
  json rows = json::array();
  for (const EpochRow& row : state.rows) {
    json parts = json::array();
    for (const double part : row.parts) parts.push_back(number_or_null(part));
    rows.push_back({row.epoch, row.rate, number_or_null(row.loss), parts,
                    number_or_null(row.validation_dice)});
  }
  return {{"step", state.step},
          {"sum_loss", state.sum_loss},
          {"sums", state.sums},
          {"best_dice", state.best_dice},
          {"best_epoch", state.best_epoch},
          {"best_model", state.best_model},
          {"rows", rows}};
}

RunState state_from(const json& from) {
  RunState state;
  from.at("step").get_to(state.step);
  from.at("sum_loss").get_to(state.sum_loss);
  const bool earlier = from.contains("sum_cross_entropy");
  if (earlier) {
    state.sums = {from.at("sum_cross_entropy").get<double>(), from.at("sum_dice").get<double>()};
  } else {
    from.at("sums").get_to(state.sums);
  }
  from.at("best_dice").get_to(state.best_dice);
  from.at("best_epoch").get_to(state.best_epoch);
  state.best_model = from.value("best_model", "");
  for (const json& one : from.at("rows")) {
    if (earlier) {
      state.rows.push_back(short_row(one));
      continue;
    }
    EpochRow row{.epoch = one.at(0).get<std::int64_t>(),
                 .rate = one.at(1).get<double>(),
                 .loss = number_from(one.at(2)),
                 .parts = {},
                 .validation_dice = number_from(one.at(4))};
    for (std::size_t i = 0; i < row.parts.size(); ++i) {
      row.parts[i] = number_from(one.at(3).at(i));
    }
    state.rows.push_back(row);
  }
  return state;
}

bool finish_epoch(RunState& state, std::int64_t batches, double rate, double validation_dice) {
  const auto count = static_cast<double>(batches);
  EpochRow row{.epoch = std::ssize(state.rows) + 1,
               .rate = rate,
               .loss = state.sum_loss / count,
               .parts = {},
               .validation_dice = validation_dice};
  for (std::size_t i = 0; i < row.parts.size(); ++i) row.parts[i] = state.sums[i] / count;
  state.sum_loss = 0;
  state.sums = {};
  state.rows.push_back(row);
  const bool judged = std::isfinite(validation_dice);
  if (judged && validation_dice <= state.best_dice) return false;
  state.best_epoch = row.epoch;
  if (judged) state.best_dice = validation_dice;
  return true;
}

std::string log_csv(const std::vector<EpochRow>& rows, const LossParts& weights) {
  std::string out = "epoch,rate,loss";
  for (const char* name : loss_names) out += concat(",", name);
  out += ",validation_dice\n";
  for (const EpochRow& row : rows) {
    out += concat(row.epoch, ",", fixed(row.rate, 9), ",", fixed(row.loss, 6));
    for (std::size_t i = 0; i < row.parts.size(); ++i) {
      out += concat(",", weights[i] > 0 ? fixed(row.parts[i], 6) : "");
    }
    out +=
        concat(",", std::isfinite(row.validation_dice) ? fixed(row.validation_dice, 6) : "", "\n");
  }
  return out;
}

}  // namespace medurwkv::train
