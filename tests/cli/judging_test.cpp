// Judging as a user types it: a model, its masks again, a series of models, comparisons.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "support/html.h"
#include "support/process.h"
#include "support/trained_world.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Outcome;
using test::run_program;

class Judging : public test::TrainedWorld {
 protected:
  static Outcome evaluate(const std::vector<std::string>& what, const std::string& out,
                          const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"evaluate"};
    words.insert(words.end(), what.begin(), what.end());
    for (const std::string& word : {std::string("--data"), data(), std::string("--split"), split(),
                                    std::string("--out"), path(out).string()}) {
      words.push_back(word);
    }
    words.insert(words.end(), more.begin(), more.end());
    return run_program(words);
  }
  static std::string text(const std::string& file) { return read_file(path(file)); }
};

// The masks that evaluate leaves are those of the model: judged as any tool's they get the same
// figures. Two copies of the model are a series without spread, whose ensemble is the model. So
// comparisons find no difference.
TEST_F(Judging, MasksSeriesAndComparisonsAgreeWithTheModel) {
  const Outcome single = evaluate({path("run").string()}, "evaluation", {"--profiles", "all"});
  ASSERT_EQ(single.code, 0) << single.err;
  const json summary = json::parse(text("evaluation/summary.json"));
  EXPECT_EQ(summary.at("split").at("same_as_training"), true);
  EXPECT_EQ(summary.at("profiles").size(), 9U);
  EXPECT_GT(summary.at("calibration").at("all").at("pixels").get<int>(), 0);
  const std::string page = text("evaluation/report.html");
  test::expect_good_page(page);
  EXPECT_TRUE(contains(page, "Curves of the training over 2 epochs"));

  const Outcome masks =
      evaluate({"--predictions", path("evaluation/masks").string()}, "masks", {"--quiet"});
  ASSERT_EQ(masks.code, 0) << masks.err;
  EXPECT_EQ(text("masks/cases.csv"), text("evaluation/cases.csv"));
  EXPECT_TRUE(json::parse(text("masks/summary.json")).at("model").is_null());

  for (const char* seed : {"seed0", "seed1"}) {
    fs::create_directories(path("series") / seed);
    fs::copy_file(model(), path("series") / seed / "best.model");
  }
  const Outcome series = evaluate({path("series").string()}, "series-evaluation", {"--json"});
  ASSERT_EQ(series.code, 0) << series.err;
  const json told = json::parse(series.out);
  EXPECT_EQ(told, json::parse(text("series-evaluation/series.json")));
  EXPECT_EQ(told.at("models").size(), 2U);
  EXPECT_EQ(told.at("over_models").at("dice").at("deviation"), 0.0);
  EXPECT_EQ(text("series-evaluation/seed1/cases.csv"), text("evaluation/cases.csv"));
  EXPECT_EQ(text("series-evaluation/ensemble/cases.csv"), text("evaluation/cases.csv"));
  EXPECT_EQ(json::parse(text("series-evaluation/ensemble/summary.json")).at("ensemble").size(), 2U);

  const Outcome compared = run_program({"compare", path("evaluation").string(),
                                        path("masks").string(), path("series-evaluation").string(),
                                        "--out", path("comparison").string(), "--json"});
  ASSERT_EQ(compared.code, 0) << compared.err;
  const json comparison = json::parse(compared.out);
  EXPECT_EQ(comparison.at("pairs").size(), 3U);
  const json& of_series = comparison.at("evaluations").at(2);
  EXPECT_EQ(of_series.at("runs"), (json{"seed0", "seed1"}));
  EXPECT_EQ(of_series.at("between_runs").at("dice").at("deviation"), 0.0);
  EXPECT_EQ(comparison.at("pairs").at(2).at("metrics").at(0).at("wilcoxon").at("p"), 1.0);
  EXPECT_TRUE(comparison.at("pairs").at(0).at("changes").empty());
  test::expect_good_page(text("comparison/comparison.html"));

  // Images that have moved leave the page without pictures, and are named.
  json moved = json::parse(text("masks/summary.json"));
  moved.at("data").at("root") = "moved-away";
  write_file(path("masks/summary.json"), moved.dump());
  const Outcome without =
      run_program({"compare", path("masks").string(), path("evaluation").string(), "--out",
                   path("without-pictures").string()});
  ASSERT_EQ(without.code, 0) << without.err;
  EXPECT_TRUE(contains(without.err, "no moved-away")) << without.err;
  test::expect_good_page(text("without-pictures/comparison.html"));
}

// Every model of a cross-validation is judged on the fold that it has not seen, all of them
// together on every case once; a split without a test part says so.
TEST_F(Judging, FoldsAreJudgedOnTheirOwnCases) {
  const std::string folds = path("folds.json").string();
  ASSERT_EQ(run_program({"data", "split", data(), "--folds", "2", "--out", folds}).code, 0);
  const Outcome training =
      run_program({"train",    "--data",  data(),     "--split",   folds,
                   "--fold",   "all",     "--preset", "nano",      "--size",
                   "64",       "--batch", "2",        "--threads", "1",
                   "--epochs", "1",       "--quiet",  "--out",     path("crossed").string()});
  ASSERT_EQ(training.code, 0) << training.err;

  const auto judge = [&](const std::string& out, const std::vector<std::string>& more) {
    std::vector<std::string> words{
        "evaluate", path("crossed").string(), "--data", data(), "--split", folds, "--quiet",
        "--out",    path(out).string()};
    words.insert(words.end(), more.begin(), more.end());
    return run_program(words);
  };
  const Outcome test_part = judge("none", {});
  EXPECT_EQ(test_part.code, 1);
  EXPECT_TRUE(contains(test_part.err, "--part val")) << test_part.err;
  EXPECT_FALSE(fs::exists(path("none")));

  const Outcome own = judge("crossed-evaluation", {"--part", "val", "--json"});
  ASSERT_EQ(own.code, 0) << own.err;
  const json told = json::parse(own.out);
  ASSERT_EQ(told.at("models").size(), 2U);
  const auto all = json::parse(read_file(folds)).at("folds");
  std::size_t cases = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(told.at("models").at(i).at("cases"), all.at(i).size());
    cases += all.at(i).size();
  }
  const json pooled = json::parse(text("crossed-evaluation/pooled/summary.json"));
  EXPECT_EQ(pooled.at("cases"), cases);
}

// Mistakes end with a remedy and leave nothing behind.
TEST_F(Judging, MistakesAreNamed) {
  ASSERT_EQ(evaluate({model()}, "test-part", {"--quiet"}).code, 0);
  ASSERT_EQ(evaluate({model()}, "val-part", {"--part", "val", "--quiet"}).code, 0);
  const Outcome parts = run_program({"compare", path("test-part").string(),
                                     path("val-part").string(), "--out", path("none").string()});
  EXPECT_EQ(parts.code, 1);
  EXPECT_TRUE(contains(parts.err, "the part of")) << parts.err;
  EXPECT_FALSE(fs::exists(path("none")));

  fs::copy(path("test-part/masks"), path("changed"));
  const fs::path mask = fs::directory_iterator(path("changed"))->path();
  fs::remove(mask);
  const Outcome missing = evaluate({"--predictions", path("changed").string()}, "none");
  EXPECT_EQ(missing.code, 1);
  EXPECT_TRUE(contains(missing.err, mask.stem().string())) << missing.err;
  EXPECT_FALSE(fs::exists(path("none")));
  const Outcome counted = evaluate({"--predictions", path("changed").string()}, "counted",
                                   {"--missing", "empty", "--quiet"});
  ASSERT_EQ(counted.code, 0) << counted.err;
  EXPECT_EQ(json::parse(text("counted/summary.json")).at("predictions").at("missing"), 1);

  EXPECT_EQ(evaluate({}, "none").code, 2) << "neither a model nor masks";
  EXPECT_EQ(evaluate({model()}, "none", {"--profiles", "medpi"}).code, 2);
  EXPECT_EQ(evaluate({world->root().string()}, "none").code, 1) << "a folder without models";
  EXPECT_EQ(run_program({"evaluate", model(), "--data", data(), "--part", "test", "--out",
                         path("none").string()})
                .code,
            2)
      << "a part without a split";
}

}  // namespace
}  // namespace medurwkv
