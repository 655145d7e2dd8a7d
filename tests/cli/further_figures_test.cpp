// Volumes, objects, strata, further metrics and tables of masks of any tool, as a user types them.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "support/html.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/process.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Outcome;
using test::run_program;

class FurtherFigures : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  void write(const std::string& name, const data::Image& image) const {
    make_folder(fs::path(path(name)).parent_path());
    write_file(path(name), data::encode_png(image));
  }
  /// A case of the set, its true mask and the predicted one: columns from .. to - 1 are foreground.
  void add(const std::string& id, int from, int to, int predicted_from, int predicted_to) {
    write("set/images/" + id + ".png", test::make_blobs(++seed_, 12, 10, 3));
    write("set/masks/" + id + ".png", columns(from, to));
    write("masks/" + id + ".png", columns(predicted_from, predicted_to));
  }
  static data::Image columns(int from, int to) {
    return test::make_image(12, 10, 1,
                            [=](auto x, auto, auto) { return x >= from && x < to ? 255 : 0; });
  }
  [[nodiscard]] Outcome evaluate(const std::vector<std::string>& more) const {
    std::vector<std::string> words{"evaluate",  "--predictions", path("masks"),
                                   "--data",    path("set"),     "--out",
                                   path("out"), "--force",       "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return run_program(words);
  }
  [[nodiscard]] json summary() const { return json::parse(read_file(path("out/summary.json"))); }

  test::TemporaryFolder folder_;

 private:
  std::uint64_t seed_ = 0;
};

// Slices 1, 2 and 4 of one scan, 1 and 2 of another. In both the prediction is one column of 0.5 mm
// further; above and below there is none nearer.
TEST_F(FurtherFigures, VolumesAreFoundInNamesAndGapsAreSaid) {
  for (const char* const id : {"p1-z01", "p1-z02", "p1-z04", "p2-z1", "p2-z2"}) add(id, 2, 8, 3, 9);
  const Outcome got = evaluate(
      {"--volumes", "(p[0-9])-z([0-9]+)", "--profiles", "volumes", "--spacing", "0.5,0.5,3"});
  ASSERT_EQ(got.code, 0) << got.err;
  EXPECT_TRUE(contains(got.out,
                       "1 volume without slices between the first and the last, which are "
                       "judged as if those around them touched: p1 (3)."))
      << got.out;
  EXPECT_TRUE(contains(got.out, "2 volumes"));
  const json told = summary();
  EXPECT_EQ(told.at("volumes"), "(p[0-9])-z([0-9]+)");
  EXPECT_EQ(told.at("incomplete_volumes").at(0).at("missing"), json{3});
  const json& profile = told.at("profiles").at(0);
  EXPECT_EQ(profile.at("profile"), "volumes");
  EXPECT_EQ(profile.at("units"), 2);
  EXPECT_NEAR(profile.at("means").at("dice").get<double>(), 5.0 / 6, 1e-12);
  EXPECT_NEAR(profile.at("means").at("hd95").get<double>(), 0.5, 1e-12);
  const std::string page = read_file(path("out/report.html"));
  test::expect_good_page(page);
  EXPECT_TRUE(contains(page, "Whole volumes: 2 volumes"));
  EXPECT_TRUE(contains(page, "0.5 x 0.5 x 3"));

  const Outcome unmatched = evaluate({"--volumes", "(p1)-z([0-9]+)"});
  EXPECT_EQ(unmatched.code, 2);
  EXPECT_TRUE(contains(unmatched.err, "is not in 2 of 5 names, the first is p2-z1"))
      << unmatched.err;
  const Outcome one_group = evaluate({"--volumes", "p([0-9])"});
  EXPECT_EQ(one_group.code, 2);
  EXPECT_TRUE(contains(one_group.err, "needs two, the volume's name and the slice's number"));
}

// Two objects of three columns that touch: as objects of the masks they are two, and both found.
TEST_F(FurtherFigures, InstancesAreJudgedByObjects) {
  const auto objects = [](int shift) {
    return test::make_image(12, 10, 1, [=](auto x, auto, auto) {
      const auto column = static_cast<int>(x) - shift;
      return column >= 0 && column < 6 ? 1 + column / 3 : 0;
    });
  };
  write("set/images/a.png", test::make_blobs(1, 12, 10, 3));
  write("set/masks/a.png", objects(2));
  write("masks/a.png", objects(2));
  const std::vector<std::string> instances{"--mask-encoding", "instances", "--prediction-encoding",
                                           "instances"};
  ASSERT_EQ(evaluate(instances).code, 0);
  const json told = summary().at("objects");
  EXPECT_EQ(told.at("truth"), "masks");
  EXPECT_EQ(told.at("prediction"), "masks");
  EXPECT_EQ(told.at("pooled").at(0).at("in_truth"), 2);
  EXPECT_EQ(told.at("pooled").at(0).at("pq"), 1.0);
  EXPECT_TRUE(contains(read_file(path("out/cases.csv")), ",object_hausdorff,"));
  // As masks of a class they are one part, which holds half of each.
  const Outcome binary =
      evaluate({"--mask-encoding", "instances", "--prediction-encoding", "index"});
  EXPECT_EQ(binary.code, 1) << "the second object is no class";
  write("masks/a.png", columns(2, 8));
  ASSERT_EQ(evaluate({"--mask-encoding", "instances"}).code, 0);
  EXPECT_EQ(summary().at("objects").at("prediction"), "connected parts");
  EXPECT_EQ(summary().at("objects").at("pooled").at(0).at("predicted"), 1);
  EXPECT_EQ(summary().at("objects").at("pooled").at(0).at("f1"), 0.0);
}

TEST_F(FurtherFigures, KindsOfCasesHaveTheirOwnFigures) {
  add("a", 2, 6, 2, 6);
  add("b", 2, 6, 4, 8);
  write_file(path("kinds.csv"), "id,Scanner,site\na,old,north\nb,new,north\n");
  ASSERT_EQ(evaluate({"--strata", path("kinds.csv")}).code, 0);
  const json strata = summary().at("strata");
  ASSERT_EQ(strata.size(), 2U) << "both are of one site";
  EXPECT_EQ(strata.at(0).at("by"), "scanner");
  EXPECT_EQ(strata.at(0).at("name"), "new");
  EXPECT_EQ(strata.at(0).at("class_mean").at("dice").at("mean"), 0.5);
  EXPECT_TRUE(
      contains(read_file(path("out/cases.csv")), ",group,stratum scanner,stratum site\r\n"));
  write_file(path("kinds.csv"), "id,scanner\na,old\n");
  const Outcome lacks = evaluate({"--strata", path("kinds.csv")});
  EXPECT_EQ(lacks.code, 1);
  EXPECT_TRUE(contains(lacks.err, "the case b has no line in the file of --strata")) << lacks.err;
}

TEST_F(FurtherFigures, FurtherMetricsAndTablesArePrinted) {
  add("a", 2, 6, 3, 7);
  add("b", 2, 6, 2, 6);
  const Outcome latex =
      evaluate({"--metrics", "mcc,cldice", "--tolerance", "0.5,1", "--table", "latex"});
  ASSERT_EQ(latex.code, 0) << latex.err;
  EXPECT_TRUE(latex.out.starts_with("\\begin{tabular}")) << latex.out;
  EXPECT_TRUE(contains(latex.out, "foreground & NSD at 1 & 1.000 & 0.000 & [1.000, 1.000] & 2 "));
  EXPECT_TRUE(contains(latex.out, "foreground & clDice & "));
  const json told = summary();
  EXPECT_TRUE(
      contains(told.at("command").get<std::string>(), "--tolerance 0.5,1 --metrics mcc,cldice"));
  EXPECT_EQ(told.at("more_tolerances"), json{1.0});
  EXPECT_TRUE(contains(evaluate({"--tolerance", "1,2,1"}).err, "1 stands twice"));
  const Outcome unknown = evaluate({"--metrics", "mmc"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_TRUE(contains(unknown.err, "did you mean mcc")) << unknown.err;
  const Outcome without = evaluate({"--metrics", "auc"});
  EXPECT_EQ(without.code, 2);
  EXPECT_TRUE(contains(without.err, "needs probabilities")) << without.err;
  EXPECT_EQ(evaluate({"--table", "csv", "--json"}).code, 2);
}

TEST_F(FurtherFigures, CasesWithoutAMaskAreSaidInTheText) {
  add("a", 2, 6, 3, 7);
  add("b", 2, 6, 2, 6);
  const Outcome whole = evaluate({"--missing", "empty"});
  EXPECT_TRUE(contains(whole.out, "cases without a mask count as empty (0 lack one)")) << whole.out;
  fs::remove(path("masks/b.png"));
  const Outcome lacks = evaluate({"--missing", "empty"});
  EXPECT_TRUE(contains(lacks.out, "cases without a mask count as empty (1 lack one)")) << lacks.out;
}

// The command that a comparison records can be pasted, whatever its folders are called.
TEST_F(FurtherFigures, ComparisonsRecordACommandThatWorks) {
  add("a", 2, 6, 3, 7);
  add("b", 2, 6, 2, 6);
  ASSERT_EQ(evaluate({}).code, 0);
  fs::rename(path("out"), path("it's one; $x"));
  ASSERT_EQ(evaluate({}).code, 0);
  const std::vector<std::string> words{"compare", path("it's one; $x"), path("out"),
                                       "--out",   path("a comparison"), "--json"};
  const Outcome got = run_program(words);
  ASSERT_EQ(got.code, 0) << got.err;
  const std::string command = json::parse(got.out).at("command");
  EXPECT_TRUE(contains(command, "'" + path("a comparison") + "'")) << command;
  EXPECT_TRUE(contains(command, "it'\\''s one; $x'")) << command;
}

}  // namespace
}  // namespace medurwkv
