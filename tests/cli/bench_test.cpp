// `bench` as a user types it: its figures hang together, and it refuses what it cannot measure.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "support/process.h"

namespace medurwkv {
namespace {

using nlohmann::json;
using test::contains;
using test::Outcome;
using test::run_program;

double number(const json& from, const char* key) {
  return from.at(key).get<double>();
}

/// One round, so that medians are the round's own figures.
json measured() {
  const Outcome outcome = run_program(
      {"bench", "--preset", "nano", "--size", "64", "--rounds", "1", "--threads", "1", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "networks at 64")) << outcome.err;
  return json::parse(outcome.out);
}

void expect_consistent(const json& one, const json& limits) {
  const std::string name = one.at("name").get<std::string>();
  const double seconds = number(one.at("seconds"), "median");
  EXPECT_GT(seconds, 0) << name;
  EXPECT_NEAR(number(one.at("share"), "median"), number(one, "bound_seconds") / seconds,
              1e-6 * number(one.at("share"), "median"))
      << name;
  EXPECT_NEAR(number(one, "gflop_s") * seconds, number(one, "gflop"), 1e-6 * number(one, "gflop"))
      << name;
  // A sum of maxima: no less than either part alone, no more than both.
  const double arithmetic = number(one, "gflop") / number(limits.at("matrix_gflops"), "median");
  const double memory = number(one, "gbyte") / number(limits.at("triad_gb_s"), "median");
  EXPECT_GE(number(one, "bound_seconds") * (1 + 1e-6), std::max(arithmetic, memory)) << name;
  EXPECT_LE(number(one, "bound_seconds"), (arithmetic + memory) * (1 + 1e-6)) << name;
}

TEST(Bench, FiguresHangTogether) {
  const json answer = measured();
  ASSERT_EQ(answer.at("runs").size(), 1U);
  const json& run = answer.at("runs")[0];
  EXPECT_EQ(run.at("threads"), 1);
  EXPECT_EQ(run.at("rounds"), 1);
  std::map<std::string, int> passes;
  double network = 0;
  for (const json& group : run.at("groups")) {
    for (const char* loop : {"fma_gflops", "triad_gb_s", "matrix_gflops"}) {
      EXPECT_GT(number(group.at("machine").at(loop), "median"), 0) << loop;
    }
    EXPECT_TRUE(group.at("machine").at("void").is_null()) << "said of several threads alone";
    for (const json& one : group.at("cases")) {
      expect_consistent(one, group.at("machine"));
      const auto pass = one.at("pass").get<std::string>();
      ++passes[one.at("group").get<std::string>() + ", " + pass];
      const bool whole = one.at("name").get<std::string>().starts_with("nano, batch 1");
      if (whole && pass == "forward") network = number(one, "gflop");
    }
  }
  EXPECT_EQ(passes["bi-WKV, forward"], 9) << "three modes, three lengths";
  EXPECT_EQ(passes["bi-WKV, backward"], 9);
  EXPECT_EQ(passes["network, forward"], 2);
  EXPECT_EQ(passes["network, forward + backward"], 2);
  EXPECT_EQ(passes["network, training step"], 1);
  EXPECT_GT(passes["operation, forward"], 10);
  // At least the multiply-adds that `inspect` counts, two operations each; the rest is small.
  const Outcome inspected =
      run_program({"inspect", "--preset", "nano", "--size", "64", "--classes", "2", "--json"});
  const double counted = 2e-9 * number(json::parse(inspected.out), "multiply_adds");
  EXPECT_GE(network, counted);
  EXPECT_LT(network, 1.5 * counted);
}

TEST(Bench, GivesATableForPeople) {
  const Outcome outcome = run_program(
      {"bench", "--preset", "nano", "--size", "64", "--rounds", "2", "--quick", "--quiet"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  for (const char* word : {"FMA loop", "triad", "matrix product", "bi-WKV released16 T = 196",
                           "encoder, batch 1, 64", "training step", "GB/s", " %"}) {
    EXPECT_TRUE(contains(outcome.out, word)) << word << "\n" << outcome.out;
  }
  EXPECT_FALSE(contains(outcome.out, "T = 16384")) << "--quick leaves it out";
}

TEST(Bench, RefusesWhatItCannotMeasure) {
  for (const char* size : {"100", "32", "0", "many"}) {
    const Outcome outcome = run_program({"bench", "--size", size});
    EXPECT_EQ(outcome.code, 2) << size;
    EXPECT_TRUE(
        contains(outcome.err, std::string("wants a multiple of 32 from 64 to 4096, got ") + size))
        << outcome.err;
  }
  EXPECT_EQ(run_program({"bench", "--threads", "0"}).code, 2);
  const Outcome preset = run_program({"bench", "--preset", "tinny"});
  EXPECT_EQ(preset.code, 2);
  EXPECT_TRUE(contains(preset.err, "did you mean tiny?")) << preset.err;
}

}  // namespace
}  // namespace medurwkv
