// What a run records: the best epoch, log.csv, the state in a checkpoint, TensorBoard's file as an
// independent parser reads it.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "support/paths.h"
#include "train/run/event_file.h"
#include "train/run/record.h"

namespace medurwkv {
namespace {

using train::RunState;

constexpr double none = std::numeric_limits<double>::quiet_NaN();

/// A loss of three parts, one of them not used, and a figure.
const train::Columns columns{.parts = {{"cross_entropy"}, {"dice_loss"}, {"focal_loss", false}},
                             .figures = {{.name = "validation_dice", .label = "validation Dice"}}};

RunState three_epochs() {
  RunState state;
  for (const double dice : {0.25, 0.75, 0.5}) {
    train::add_batch(state, 4, {3, 1, 0});
    train::add_batch(state, 2, {1, 1, 0});
    train::finish_epoch(state, columns, 4, 1e-3, {dice});
  }
  return state;
}

TEST(RunRecord, TheBestEpochIsTheOneOfTheHighestValidationDice) {
  const RunState state = three_epochs();
  EXPECT_EQ(state.best_epoch, 2);
  EXPECT_EQ(state.best, 0.75);
  EXPECT_EQ(state.rows.at(2).epoch, 3);
  EXPECT_EQ(state.rows.at(2).loss, 1.5);
  EXPECT_EQ(state.rows.at(2).parts.at(0), 1);
  EXPECT_EQ(state.sum_loss, 0);
  RunState equal = state;
  EXPECT_FALSE(train::finish_epoch(equal, columns, 1, 0, {0.75}))
      << "the first of equal ones is kept";
  RunState without;
  EXPECT_TRUE(train::finish_epoch(without, columns, 1, 0, {none}));
  EXPECT_TRUE(train::finish_epoch(without, columns, 1, 0, {none}));
  EXPECT_EQ(without.best_epoch, 2) << "without validation the last one";
}

TEST(RunRecord, WhereLowerIsBetterTheBestEpochIsTheOneOfTheLowestFigure) {
  train::Columns lower = columns;
  lower.figures = {{.name = "validation_loss", .label = "loss", .higher_is_better = false},
                   {.name = "validation_other", .label = "other"}};
  RunState state;
  EXPECT_TRUE(train::finish_epoch(state, lower, 1, 0, {3, 1}));
  EXPECT_TRUE(train::finish_epoch(state, lower, 1, 0, {1, 0}));
  EXPECT_FALSE(train::finish_epoch(state, lower, 1, 0, {2, 5})) << "the first figure chooses";
  EXPECT_EQ(state.best, 1);
  EXPECT_EQ(state.best_epoch, 2);
  train::forget_best(state);
  EXPECT_TRUE(train::finish_epoch(state, lower, 1, 0, {7, 0}));
}

TEST(RunRecord, LogHasALinePerEpochAndLeavesUnusedPartsEmpty) {
  EXPECT_EQ(train::log_csv({three_epochs().rows.at(0)}, columns),
            "epoch,rate,loss,cross_entropy,dice_loss,focal_loss,validation_dice\n"
            "1,0.001000000,1.500000,1.000000,0.500000,,0.250000\n");
}

TEST(RunRecord, StateReadsBack) {
  RunState state = three_epochs();
  state.step = 12;
  state.sum_loss = 0.1;
  state.sums = {0.1, 0.2, 0.3, 0.4, 0.5};
  state.rows.back().figures = {none};
  const auto text = train::to_json(state).dump();
  const RunState back = train::state_from(nlohmann::json::parse(text));
  EXPECT_EQ(train::to_json(back).dump(), text);
  EXPECT_TRUE(std::isnan(back.rows.back().figures.front()));
}

TEST(RunRecord, AFittedTemperatureReadsBackAndGoesWithItsModel) {
  RunState state = three_epochs();
  EXPECT_FALSE(train::state_from(train::to_json(state)).fitted);
  state.best_model = "before";
  state.fitted = {.temperature = 1.25,
                  .at_bound = true,
                  .pixels = 900,
                  .used = 450,
                  .likelihood_before = 0.5,
                  .likelihood_after = 0.25,
                  .error_before = 0.125,
                  .error_after = 0.0625,
                  .model = "after"};
  EXPECT_EQ(train::state_from(train::to_json(state)).fitted, state.fitted);
  const nlohmann::json told = train::to_json(*state.fitted);
  EXPECT_EQ(told.at("negative_log_likelihood"), (std::vector<double>{0.5, 0.25}));
  EXPECT_FALSE(told.contains("model")) << "the provenance of a model cannot hold its own checksum";
  train::forget_best(state);
  EXPECT_FALSE(state.fitted);
}

// As written by the first versions, whose loss had two parts.
TEST(RunRecord, AStateOfTwoPartsIsRead) {
  const RunState state = train::state_from(nlohmann::json::parse(R"({
    "step": 5, "sum_loss": 1.5, "sum_cross_entropy": 1.0, "sum_dice": 0.5, "best_dice": 0.5,
    "best_epoch": 1, "rows": [[1, 0.001, 1.25, 0.75, 0.5, 0.5]]})"));
  EXPECT_EQ(state.sums, (std::vector<double>{1.0, 0.5, 0, 0, 0}));
  EXPECT_EQ(state.rows.at(0).parts, (std::vector<double>{0.75, 0.5, 0, 0, 0}));
  EXPECT_EQ(state.rows.at(0).figures, std::vector<double>{0.5});
  EXPECT_EQ(state.best, 0.5);
}

// As model format 1 had it: one figure, no list of them; -1 where nothing was judged.
TEST(RunRecord, AStateOfOneFigureIsRead) {
  const RunState state = train::state_from(nlohmann::json::parse(R"({
    "step": 5, "sum_loss": 1.5, "sums": [1, 2, 3, 4, 5], "best_dice": -1, "best_epoch": 1,
    "best_model": "ab", "rows": [[1, 0.001, 1.25, [5, 4, 3, 2, null], null]]})"));
  EXPECT_EQ(state.sums, (std::vector<double>{1, 2, 3, 4, 5}));
  EXPECT_EQ(state.rows.at(0).parts.at(1), 4);
  EXPECT_TRUE(std::isnan(state.rows.at(0).parts.at(4)));
  EXPECT_TRUE(std::isnan(state.rows.at(0).figures.at(0)));
  EXPECT_TRUE(std::isnan(state.best));
}

TEST(EventFile, ChecksumsAreCastagnolis) {
  // RFC 3720 (iSCSI), B.4.
  EXPECT_EQ(train::crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(train::crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(train::crc32c("123456789"), 0xe3069283U);
}

// --- an independent reader: bit by bit where the writer has a table
// ---------------------------------

std::uint32_t slow_crc(std::string_view bytes) {
  std::uint32_t crc = ~0U;
  for (const char byte : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      const bool one = (((static_cast<unsigned char>(byte) >> bit) ^ crc) & 1U) != 0;
      crc = (crc >> 1) ^ (one ? 0x82f63b78U : 0U);
    }
  }
  return ~crc;
}

template <class T>
T taken(std::string_view& bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), sizeof(value));
  bytes.remove_prefix(sizeof(value));
  return value;
}

std::uint64_t varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = taken<unsigned char>(bytes);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

/// Fields by number: texts as they are, numbers as doubles.
struct Message {
  std::map<unsigned, double> numbers;
  std::map<unsigned, std::vector<std::string>> texts;
};

Message parsed(std::string_view bytes) {
  Message out;
  while (!bytes.empty()) {
    const std::uint64_t key = varint(bytes);
    const auto field = static_cast<unsigned>(key >> 3);
    switch (key & 7) {
      case 0: out.numbers[field] = static_cast<double>(varint(bytes)); break;
      case 1: out.numbers[field] = taken<double>(bytes); break;
      case 5: out.numbers[field] = static_cast<double>(taken<float>(bytes)); break;
      default: {
        const std::uint64_t size = varint(bytes);
        out.texts[field].emplace_back(bytes.substr(0, size));
        bytes.remove_prefix(size);
      }
    }
  }
  return out;
}

std::vector<Message> records(std::string_view bytes) {
  const auto masked = [](std::string_view part) {
    const std::uint32_t crc = slow_crc(part);
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
  };
  std::vector<Message> out;
  while (!bytes.empty()) {
    const std::string_view length = bytes.substr(0, 8);
    const auto size = taken<std::uint64_t>(bytes);
    EXPECT_EQ(taken<std::uint32_t>(bytes), masked(length));
    out.push_back(parsed(bytes.substr(0, size)));
    const std::uint32_t expected = masked(bytes.substr(0, size));
    bytes.remove_prefix(size);
    EXPECT_EQ(taken<std::uint32_t>(bytes), expected);
  }
  return out;
}

TEST(EventFile, AnIndependentReaderFindsEveryScalar) {
  const test::TemporaryFolder folder;
  { const train::EventFile former(folder.path(), 1.5e9); }
  {
    train::EventFile file(folder.path(), 1.6e9);
    file.add(train::scalar_event(1600000000.5, 300, {{"loss/total", 0.75}, {"rate", 0.5}}));
    file.add(train::scalar_event(1600000001.5, 301, {{"loss/total", 0.25}}));
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    files.push_back(entry.path());
  }
  ASSERT_EQ(files.size(), 1U) << "that of the earlier start is gone";
  EXPECT_EQ(files[0].filename(), "events.out.tfevents.1600000000.medurwkv");
  const std::vector<Message> all = records(read_file(files[0]));
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].texts.at(3).at(0), "brain.Event:2");
  EXPECT_EQ(all[1].numbers.at(1), 1600000000.5);
  EXPECT_EQ(all[1].numbers.at(2), 300);
  const Message summary = parsed(all[1].texts.at(5).at(0));
  ASSERT_EQ(summary.texts.at(1).size(), 2U);
  const Message first = parsed(summary.texts.at(1).at(0));
  EXPECT_EQ(first.texts.at(1).at(0), "loss/total");
  EXPECT_EQ(first.numbers.at(2), 0.75);
  EXPECT_EQ(parsed(summary.texts.at(1).at(1)).texts.at(1).at(0), "rate");
  EXPECT_EQ(all[2].numbers.at(2), 301);
}

}  // namespace
}  // namespace medurwkv
