// `inspect`: the published figures as a reader of JSON or of the table gets them.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/process.h"

namespace medurwkv {
namespace {

using test::Outcome;
using test::run_program;

nlohmann::json inspected(const std::string& preset, const std::string& classes) {
  const Outcome outcome =
      run_program({"inspect", "--preset", preset, "--classes", classes, "--size", "256", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  return nlohmann::json::parse(outcome.out);
}

TEST(Inspect, GivesThePublishedParameters) {
  const std::vector<std::tuple<std::string, std::string, std::int64_t>> figures{
      {"nano", "2", 134214},    {"tiny", "2", 14330530},     {"tiny", "3", 14330555},
      {"small", "2", 52903666}, {"base", "2", 200982946},    {"large", "2", 519708098},
      {"unet", "2", 31037698},  {"unet_small", "2", 1942594}};
  for (const auto& [preset, classes, parameters] : figures) {
    const nlohmann::json answer = inspected(preset, classes);
    EXPECT_EQ(answer.at("parameters"), parameters) << preset;
    std::int64_t sum = 0;
    for (const auto& stage : answer.at("stages")) sum += stage.at("parameters").get<std::int64_t>();
    EXPECT_EQ(sum, parameters) << preset;
  }
}

TEST(Inspect, GivesMultiplyAddsByStage) {
  const nlohmann::json answer = inspected("tiny", "2");
  EXPECT_NEAR(answer.at("multiply_adds").get<double>(), 5.92e9, 0.005e9);
  double encoder = 0;
  for (const auto& stage : answer.at("stages")) {
    if (stage.at("stage").get<std::string>().starts_with("encoder.")) {
      encoder += stage.at("multiply_adds").get<double>();
    }
    EXPECT_GT(stage.at("peak_activation_bytes").get<std::int64_t>(), 0);
  }
  EXPECT_NEAR(encoder, 4.07e9, 0.005e9);
}

TEST(Inspect, GivesATableForPeople) {
  const Outcome outcome = run_program({"inspect", "--preset", "tiny"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* word :
       {"14,330,530", "5.921 G", "bottleneck", "decoder.2", "head", "peak memory"}) {
    EXPECT_NE(outcome.out.find(word), std::string::npos) << word << "\n" << outcome.out;
  }
}

}  // namespace
}  // namespace medurwkv
