// The commands on data and what stands on them: packs in place of folders, folds and a set's own
// parts from split to scores, what machines read, what is left when something goes wrong.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/text.h"
#include "support/process.h"
#include "support/trained_world.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Outcome;
using test::run_program;
using test::Words;

class DataCommands : public test::TrainedWorld {
 protected:
  static std::string name(const std::string& file) { return path(file).string(); }

  /// A copy of the set without one mask.
  static fs::path faulty(const std::string& copy) {
    fs::copy(world->data(), path(copy), fs::copy_options::recursive);
    fs::remove(fs::directory_iterator(path(copy) / "masks")->path());
    return path(copy);
  }
  /// The set many times over, so that commands take a while.
  static fs::path many(const std::string& copy) {
    for (const char* part : {"images", "masks"}) {
      fs::create_directories(path(copy) / part);
      for (const auto& entry : fs::directory_iterator(world->data() / part)) {
        for (int i = 0; i < 60; ++i) {
          fs::create_hard_link(
              entry.path(), path(copy) / part / concat("c", i, entry.path().filename().string()));
        }
      }
    }
    return path(copy);
  }
};

// The same pixels, the same split, so the same bits of the model and the same scores.
TEST_F(DataCommands, APackTrainsAndIsJudgedAsItsFolder) {
  const std::string pack = name("set.pack");
  ASSERT_EQ(run_program({"data", "pack", data(), "--out", pack}).code, 0);
  Words training = world->training("packed", {"--epochs", "2"});
  *(std::find(training.begin(), training.end(), "--data") + 1) = pack;
  const Outcome outcome = run_program(training);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(sha256_file(path("packed/best.model")), sha256_file(model()));
  for (const std::string& from : {data(), pack}) {
    const Outcome judged = run_program(
        {"evaluate", model(), "--data", from, "--split", split(), "--out", from + ".scores"});
    ASSERT_EQ(judged.code, 0) << judged.err;
  }
  EXPECT_EQ(read_file(pack + ".scores/cases.csv"), read_file(data() + ".scores/cases.csv"));
  for (const Words& words :
       {Words{"data", "check", pack, "--split", split()},
        Words{"data", "split", pack, "--seed", "3", "--out", name("of_pack.json")},
        Words{"data", "preview", pack, "--split", split(), "--out", name("of_pack.png")},
        Words{"data", "pack", pack, "--out", name("again.pack")}}) {
    const Outcome taken = run_program(words);
    EXPECT_EQ(taken.code, 0) << words[1] << ": " << taken.err;
  }
  ASSERT_EQ(
      run_program({"data", "split", data(), "--seed", "3", "--out", name("of_set.json")}).code, 0);
  EXPECT_EQ(json::parse(read_file(path("of_pack.json"))).at("train"),
            json::parse(read_file(path("of_set.json"))).at("train"));
  // One byte of a piece changed: named, nothing written.
  std::string bytes = read_file(pack);
  bytes[bytes.size() / 3] = static_cast<char>(bytes[bytes.size() / 3] ^ 1);
  write_file(path("rotten.pack"), bytes);
  const Outcome rotten = run_program({"data", "check", name("rotten.pack")});
  EXPECT_EQ(rotten.code, 1);
  EXPECT_TRUE(contains(rotten.out, "checksum")) << rotten.out;
  *(std::find(training.begin(), training.end(), "--data") + 1) = name("rotten.pack");
  *(std::find(training.begin(), training.end(), "--out") + 1) = name("from_rotten");
  const Outcome refused = run_program(training);
  EXPECT_EQ(refused.code, 1);
  EXPECT_TRUE(contains(refused.err, "rotten.pack")) << refused.err;
}

TEST_F(DataCommands, FoldsAreTrainedAndJudged) {
  const std::string folds = name("folds.json");
  const Outcome made = run_program(
      {"data", "split", data(), "--folds", "3", "--test", "0.25", "--seed", "2", "--out", folds});
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_TRUE(contains(made.out, "3 folds (3, 3, 3), 3 test")) << made.out;
  Words training = world->training("fold2", {"--epochs", "1"});
  *(std::find(training.begin(), training.end(), "--split") + 1) = folds;
  const Outcome unsaid = run_program(training);
  EXPECT_EQ(unsaid.code, 2);
  EXPECT_TRUE(contains(unsaid.err, "--fold 1 to --fold 3")) << unsaid.err;
  training.insert(training.end(), {"--fold", "2"});
  const Outcome trained_on = run_program(training);
  ASSERT_EQ(trained_on.code, 0) << trained_on.err;
  const auto judged = [&](const std::string& part) {
    const Outcome outcome =
        run_program({"evaluate", name("fold2/best.model"), "--data", data(), "--split", folds,
                     "--fold", "2", "--part", part, "--out", name("judged_" + part)});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    std::set<std::string> out;
    const std::vector<std::string> lines =
        medurwkv::split(read_file(path("judged_" + part) / "cases.csv"), '\n');
    for (std::size_t i = 1; i < lines.size(); ++i) {
      if (!lines[i].empty()) out.insert(lines[i].substr(0, lines[i].find(',')));
    }
    return out;
  };
  const json written = json::parse(read_file(folds));
  EXPECT_EQ(judged("val"), written.at("folds").at(1).get<std::set<std::string>>());
  EXPECT_EQ(judged("test"), written.at("test").get<std::set<std::string>>());
}

// Lists that came with the set are its split; a copy of a test image in train is a leak.
TEST_F(DataCommands, TheSetsOwnListsAreTheSplit) {
  const fs::path listed = path("listed");
  fs::copy(world->data(), listed, fs::copy_options::recursive);
  std::vector<std::string> ids;
  for (const auto& entry : fs::directory_iterator(listed / "images")) {
    ids.push_back(entry.path().stem().string());
  }
  std::sort(ids.begin(), ids.end());
  const std::set<std::string> test(ids.end() - 4, ids.end());
  std::string train_list;
  std::string test_list;
  for (const std::string& id : ids) (test.contains(id) ? test_list : train_list) += id + "\n";
  write_file(listed / "train.txt", train_list);
  write_file(listed / "test.txt", test_list);
  const Outcome made =
      run_program({"data", "split", listed.string(), "--out", name("listed.json")});
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_TRUE(contains(made.out, "by the set's own parts")) << made.out;
  EXPECT_EQ(json::parse(read_file(path("listed.json"))).at("test").get<std::set<std::string>>(),
            test);
  Words training = world->training("by_list", {"--epochs", "1"});
  *(std::find(training.begin(), training.end(), "--split") + 1) = name("listed.json");
  *(std::find(training.begin(), training.end(), "--data") + 1) = listed.string();
  EXPECT_EQ(run_program(training).code, 0);
  EXPECT_EQ(run_program({"data", "check", listed.string()}).code, 0);
  for (const char* part : {"images", "masks"}) {
    for (const auto& entry : fs::directory_iterator(listed / part)) {
      const std::string file = entry.path().filename().string();
      if (!file.starts_with(ids.back())) continue;
      fs::copy_file(entry.path(), listed / part / ("copy" + file.substr(ids.back().size())));
    }
  }
  write_file(listed / "train.txt", train_list + "copy\n");
  const Outcome leak = run_program({"data", "check", listed.string()});
  EXPECT_EQ(leak.code, 1);
  EXPECT_TRUE(contains(leak.out, "leak-duplicate")) << leak.out;
}

// Whatever is found: one JSON on the standard output and nothing else there.
TEST_F(DataCommands, MachinesReadStdoutAlone) {
  const std::string folder = faulty("for_machines").string();
  for (const Words& words :
       {Words{"data", "check", folder, "--json"},
        Words{"data", "check", folder, "--json", "--fix", name("fixed_for_machines")},
        Words{"data", "check", data(), "--json", "--against", data()},
        Words{"data", "split", data(), "--json", "--out", name("for_machines.json")}}) {
    const Outcome outcome = run_program(words);
    EXPECT_TRUE(json::accept(outcome.out)) << outcome.out;
    EXPECT_FALSE(contains(outcome.err, "{")) << outcome.err;
  }
  const Outcome quiet = run_program({"data", "check", folder, "--json", "--quiet"});
  EXPECT_EQ(quiet.code, 1);
  EXPECT_EQ(quiet.err, "");
}

// Wrong usage is reported before anything is read: large sets take minutes.
TEST_F(DataCommands, MistakesAreNamedBeforeTheWork) {
  write_file(path("wide.toml"), "[input]\nwidth = \"wide\"\n");
  const std::vector<std::pair<Words, std::string>> mistakes{
      {{"split", "--ratios", "0.5,0.6,-0.1"}, "expects a number from 0"},
      {{"split", "--ratios", "0.5,0.5"}, "--ratios"},
      {{"split", "--folds", "3", "--ratios", "0.5,0.3,0.2"}, "--test"},
      {{"split", "--test", "0.2"}, "--folds"},
      {{"split", "--group-by", "("}, "not a regular expression"},
      {{"split", "--group-by", "^lung"}, "12 of 12 names"},
      {{"check", "--mask-encoding", "grey"}, "binary, index, palette"},
      {{"check", "--against", name("nowhere")}, name("nowhere")},
      {{"check", "--splitt", split()}, "did you mean --split?"},
      {{"preview", "--augment", "mediun", "--out", name("mistake")}, "did you mean medium?"},
      {{"preview", "--fit", "padd", "--out", name("mistake")}, "pad"},
      {{"pack", "--out", path("").string()}, "folder"}};
  for (const auto& [more, hint] : mistakes) {
    Words words{"data", more.front(), data()};
    words.insert(words.end(), more.begin() + 1, more.end());
    if (more.front() == "split") words.insert(words.end(), {"--out", name("mistake")});
    const Outcome outcome = run_program(words);
    EXPECT_EQ(outcome.code, 2) << hint << ": " << outcome.err;
    EXPECT_TRUE(contains(outcome.err, hint)) << outcome.err;
    EXPECT_FALSE(contains(outcome.err, "reading")) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_FALSE(fs::exists(path("mistake")));
  }
  const Outcome wide = run_program(
      {"data", "preview", data(), "--config", name("wide.toml"), "--out", name("mistake")});
  EXPECT_EQ(wide.code, 1);
  EXPECT_TRUE(contains(wide.err, "input.width has the wrong type")) << wide.err;
  write_file(path("wide.toml"), "[input]\nwidth = 1000000000\n");
  const Outcome wider = run_program(
      {"data", "preview", data(), "--config", name("wide.toml"), "--out", name("mistake")});
  EXPECT_EQ(wider.code, 1);
  EXPECT_TRUE(contains(wider.err, "not 1 to 16384")) << wider.err;
}

TEST_F(DataCommands, NothingIsOverwrittenOrHalfWritten) {
  write_file(path("kept"), "kept");
  fs::create_directories(path("full"));
  write_file(path("full/kept"), "kept");
  const std::vector<Words> writers{{"data", "split", data(), "--out", name("kept")},
                                   {"data", "pack", data(), "--out", name("kept")},
                                   {"data", "preview", data(), "--out", name("kept")},
                                   {"data", "check", data(), "--fix", name("kept")},
                                   {"data", "check", data(), "--fix", name("full")},
                                   {"data", "check", data(), "--fix", data() + "/fixed"}};
  for (const Words& words : writers) {
    const Outcome outcome = run_program(words);
    EXPECT_EQ(outcome.code, 2) << words[1] << ": " << outcome.err;
    EXPECT_TRUE(contains(outcome.err, words.back())) << outcome.err;
  }
  EXPECT_EQ(read_file(path("kept")) + read_file(path("full/kept")), "keptkept");
  EXPECT_FALSE(fs::exists(world->data() / "fixed"));
  // A full disk, by a limit that the outputs exceed.
  test::Start small;
  small.largest_file = 3000;
  for (const Words& words : {Words{"data", "pack", data(), "--out", name("large.pack")},
                             Words{"data", "preview", data(), "--out", name("large.png")},
                             Words{"data", "check", data(), "--fix", name("large")}}) {
    const Outcome outcome = run_program(words, small);
    EXPECT_EQ(outcome.code, 1) << words[1] << ": " << outcome.err;
    EXPECT_TRUE(contains(outcome.err, words.back())) << outcome.err;
    EXPECT_FALSE(fs::exists(words.back())) << words.back();
  }
}

// Stopped while it writes.
TEST_F(DataCommands, CtrlCLeavesNothing) {
  const std::string folder = many("many").string();
  for (const Words& words : {Words{"data", "check", folder, "--fix", name("stopped/fixed")},
                             Words{"data", "pack", folder, "--out", name("stopped/set.pack")}}) {
    Outcome outcome;
    outcome.code = 0;
    // On a busy machine the program may have ended before the signal came.
    for (int attempt = 0; attempt < 10 && outcome.code == 0; ++attempt) {
      fs::remove_all(path("stopped"));
      fs::create_directories(path("stopped"));
      test::Process process(words);
      ASSERT_TRUE(process.until([&] { return !fs::is_empty(path("stopped")); })) << process.err();
      process.send(SIGINT);
      outcome = process.wait();
    }
    EXPECT_EQ(outcome.code, 130) << words[1] << ": " << outcome.err << outcome.out;
    EXPECT_TRUE(contains(outcome.err, "stopped by Ctrl-C")) << outcome.err;
    EXPECT_TRUE(fs::is_empty(path("stopped"))) << words[1];
  }
}

// Sets that are not read say what they are and what to do, whichever command gets them.
TEST_F(DataCommands, OtherFormatsAreNamed) {
  struct Other {
    std::string file, bytes, kind, named;
  };
  const std::vector<Other> all{
      {"annotations/instances_train2017.json",
       R"({"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": []})", "broken-layout",
       "is COCO JSON of 1 image (1.jpg)"},
      {"Annotations/TCGA-18-5592-01Z-00-DX1.xml",
       "<?xml version=\"1.0\"?><Annotations MicronsPerPixel=\"0.25\">"
       "<Annotation><Regions/></Annotation></Annotations>",
       "mask-without-image", "1 masks without a partner"},
      {"images/slide.svs", "II", "unread-format", "slide scanner"}};
  for (const auto& [file, bytes, kind, named] : all) {
    const fs::path folder = path("of_" + kind);
    fs::create_directories((folder / file).parent_path());
    write_file(folder / file, bytes);
    const Outcome checked = run_program({"data", "check", folder.string()});
    EXPECT_EQ(checked.code, 1);
    EXPECT_TRUE(contains(checked.out, kind) && contains(checked.out, named)) << checked.out;
    const Outcome refused =
        run_program({"data", "split", folder.string(), "--out", name("of_none.json")});
    EXPECT_EQ(refused.code, 1);
    EXPECT_TRUE(contains(refused.err, named)) << refused.err;
  }
}

}  // namespace
}  // namespace medurwkv
