// Where the commands write: never outside --out, never through links, never into what they read,
// one writer at a time. Also paths that are hard for programs.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/folder_lock.h"
#include "core/little_endian.h"
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

/// The words of a command in a line, for messages.
std::string line(const Words& words) {
  return join(words, " ") + ": ";
}

class Paths : public test::TrainedWorld {
 protected:
  static std::string name(const std::string& file) { return path(file).string(); }

  /// Everything below the folder, with the hash of its contents.
  static std::map<std::string, std::string> contents(const fs::path& folder) {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      out[entry.path().string()] = entry.is_regular_file() ? sha256_file(entry.path()) : "";
    }
    return out;
  }

  /// A pack of the set with other ids, its checksums right.
  static void write_pack(const std::string& file, const std::map<std::size_t, std::string>& ids) {
    const std::string whole = name("plain.pack");
    if (!fs::exists(whole)) {
      ASSERT_EQ(run_program({"data", "pack", data(), "--out", whole}).code, 0);
    }
    const std::string bytes = read_file(whole);
    const std::size_t end = bytes.size() - 80;
    const auto start = number_at<std::uint64_t>(bytes, end);
    json index = json::parse(bytes.substr(start, end - start));
    for (const auto& [at, id] : ids) index["cases"][at]["id"] = id;
    const std::string text = index.dump();
    const std::uint64_t size = text.size();
    write_file(file, concat(bytes.substr(0, start), text, bytes.substr(end, 8),
                            as_text(std::span<const std::uint64_t>(&size, 1)), sha256(text)));
  }
};

TEST_F(Paths, AHostilePackWritesNothingAnywhere) {
  fs::create_directories(path("pack world"));
  write_file(path("pack world/precious.png"), "precious");
  const std::string victim = name("pack world/precious");
  for (const std::string& id : {victim, std::string("../../pack world/precious")}) {
    const std::string pack = name("pack world/hostile.pack");
    write_pack(pack, {{2, id}});
    const Outcome checked = run_program({"data", "check", pack});
    EXPECT_EQ(checked.code, 1);
    EXPECT_TRUE(contains(checked.out, "name-leads-out")) << checked.out;
    EXPECT_TRUE(contains(checked.out, "pack the set's folder again")) << checked.out;
    for (const Words& words :
         {Words{"evaluate", model(), "--data", pack, "--part", "all", "--out", name("hostile out")},
          Words{"data", "split", pack, "--out", name("hostile.json")},
          Words{"data", "preview", pack, "--out", name("hostile.png")},
          Words{"data", "pack", pack, "--out", name("hostile again.pack")},
          Words{"data", "check", pack, "--fix", name("hostile fixed")}}) {
      const Outcome outcome = run_program(words);
      EXPECT_NE(outcome.code, 0) << line(words);
      EXPECT_TRUE(contains(outcome.err, "hostile.pack")) << line(words) << outcome.err;
      EXPECT_FALSE(fs::exists(words.back())) << line(words);
    }
    EXPECT_EQ(read_file(path("pack world/precious.png")), "precious");
  }
}

// What is too long for a name is shortened, and found again.
TEST_F(Paths, LongIdsAreJudged) {
  const std::string stem(240, 'i');
  const std::string pack = name("long.pack");
  write_pack(pack, {{0, stem + std::string(200, 'a')},
                    {1, stem + std::string(200, 'b')},
                    {2, "deep/er/" + std::string(300, 'c')}});
  EXPECT_EQ(run_program({"data", "check", pack}).code, run_program({"data", "check", data()}).code);
  const Outcome model_judged = run_program(
      {"evaluate", model(), "--data", pack, "--part", "all", "--out", name("long out"), "--json"});
  ASSERT_EQ(model_judged.code, 0) << model_judged.err;
  const Outcome masks_judged = run_program({"evaluate", "--predictions", name("long out/masks"),
                                            "--data", pack, "--out", name("long again"), "--json"});
  ASSERT_EQ(masks_judged.code, 0) << masks_judged.err;
  EXPECT_EQ(json::parse(model_judged.out).at("classes"),
            json::parse(masks_judged.out).at("classes"));
}

/// The commands that write a folder, into `out`; each makes what is named beside it below it.
TEST_F(Paths, LinksInTheOutputAreNotFollowed) {
  const std::string folds = name("links folds.json");
  ASSERT_EQ(run_program({"data", "split", data(), "--folds", "2", "--out", folds}).code, 0);
  fs::create_directories(path("nested/deep"));
  fs::copy(fs::directory_iterator(world->data() / "images")->path(), path("nested/deep"));
  struct Writer {
    Words words;
    std::vector<std::string> links;
  };
  const Words series{"train", "--data", data(), "--split", folds, "--preset",
                     "nano",  "--size", "32",   "--batch", "2",   "--epochs",
                     "1",     "--fold", "all",  "--seeds", "2",   "--quiet"};
  const std::vector<Writer> writers{
      {world->training("unused", {"--epochs", "1", "--quiet"}), {".lock"}},
      {series, {"fold1", "fold2", ".lock"}},
      {{"predict", model(), name("nested"), "--force"}, {"deep", ".lock"}},
      {{"evaluate", model(), "--data", data(), "--split", split(), "--force"}, {"masks", ".lock"}},
      {{"compare", name("links a"), name("links a")}, {".lock"}}};
  ASSERT_EQ(run_program({"evaluate", model(), "--data", data(), "--split", split(), "--out",
                         name("links a")})
                .code,
            0);
  int count = 0;
  for (const Writer& writer : writers) {
    for (const std::string& link : writer.links) {
      const fs::path folder = path(concat("links", count++));
      const fs::path elsewhere = folder / "elsewhere";
      fs::create_directories(folder / "out");
      fs::create_directories(elsewhere);
      // A link to a folder, or to a file that would be made.
      fs::create_symlink(link == ".lock" ? elsewhere / "made" : elsewhere, folder / "out" / link);
      Words words = writer.words;
      std::erase(words, "--out");
      std::erase(words, (world->root() / "unused").string());
      words.insert(words.end(), {"--out", (folder / "out").string()});
      const Outcome outcome = run_program(words);
      EXPECT_EQ(outcome.code, 1) << line(words) << outcome.err;
      EXPECT_TRUE(contains(outcome.err, (folder / "out" / link).string() + ": is a symbolic link"))
          << line(words) << outcome.err;
      EXPECT_TRUE(fs::is_empty(elsewhere)) << line(words);
    }
  }
  // Between two folders of a series, too.
  const fs::path folder = path("links seed");
  fs::create_directories(folder / "out/fold1");
  fs::create_directories(folder / "elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", folder / "out/fold1/seed0");
  Words words = series;
  words.insert(words.end(), {"--out", (folder / "out").string()});
  EXPECT_EQ(run_program(words).code, 1);
  EXPECT_TRUE(fs::is_empty(folder / "elsewhere"));
  // The folder that the user names may be one.
  fs::create_directories(path("links real"));
  fs::create_directory_symlink(path("links real"), path("links named"));
  EXPECT_EQ(run_program({"predict", model(), name("nested"), "--out", name("links named")}).code,
            0);
  EXPECT_TRUE(fs::is_directory(path("links real/deep")));
}

// By any name of the folder that is read.
TEST_F(Paths, NothingIsWrittenIntoWhatIsRead) {
  fs::create_directory_symlink(world->data(), path("alias"));
  const auto before = contents(data());
  const auto masks = name("read masks");
  ASSERT_EQ(run_program({"predict", model(), data() + "/images", "--out", masks}).code, 0);
  const auto masks_before = contents(masks);
  for (const std::string& out :
       {data() + "/new", name("alias/new"), name("run/../data/images/new"), data()}) {
    const std::vector<Words> writers{
        {"train", "--data", data(), "--split", split(), "--preset", "nano", "--size", "32", "--out",
         out},
        {"predict", model(), data(), "--out", out},
        {"evaluate", model(), "--data", data(), "--split", split(), "--out", out, "--force"},
        {"data", "pack", data(), "--out", out + "/set.pack"},
        {"data", "preview", data(), "--out", out + "/sheet.png"},
        {"data", "check", data(), "--fix", out},
        {"data", "check", name("another"), "--against", data(), "--fix", out}};
    for (const Words& words : writers) {
      const Outcome outcome = run_program(words);
      EXPECT_EQ(outcome.code, 2) << line(words) << outcome.err;
      EXPECT_TRUE(contains(outcome.err, "a folder of inputs")) << line(words) << outcome.err;
      EXPECT_TRUE(contains(outcome.err, "outside")) << line(words) << outcome.err;
    }
  }
  const Outcome judged = run_program(
      {"evaluate", "--predictions", masks, "--data", data(), "--out", masks + "/judged"});
  EXPECT_EQ(judged.code, 2) << judged.err;
  EXPECT_EQ(contents(masks), masks_before);
  // OUT/masks is where evaluate writes; a set may lie there.
  fs::create_directories(path("around"));
  fs::create_directory_symlink(world->data(), path("around/elsewhere"));
  fs::copy(world->data(), path("around/masks"), fs::copy_options::recursive);
  const Outcome around = run_program(
      {"evaluate", model(), "--data", name("around/masks"), "--out", name("around"), "--force"});
  EXPECT_EQ(around.code, 2) << around.err;
  EXPECT_EQ(contents(data()), before);
  // A split may lie beside the images.
  const Outcome divided = run_program({"data", "split", data(), "--out", data() + "/split.json"});
  EXPECT_EQ(divided.code, 0) << divided.err;
  fs::remove(world->data() / "split.json");
}

TEST_F(Paths, ASecondWriterIsRefused) {
  ASSERT_EQ(run_program({"evaluate", model(), "--data", data(), "--split", split(), "--out",
                         name("lock a")})
                .code,
            0);
  const std::string out = name("locked");
  fs::create_directories(out);
  {
    const FolderLock other(out);
    const std::vector<Words> writers{
        {"predict", model(), data() + "/images", "--force", "--out", out},
        {"predict", model(), data() + "/images", "--continue", "--out", out},
        {"evaluate", model(), "--data", data(), "--split", split(), "--force", "--out", out},
        {"evaluate", "--predictions", name("lock a/masks"), "--data", data(), "--split", split(),
         "--out", out},
        {"compare", name("lock a"), name("lock a"), "--force", "--out", out},
        {"data", "check", data(), "--fix", out}};
    for (const Words& words : writers) {
      const Outcome outcome = run_program(words);
      EXPECT_NE(outcome.code, 0) << line(words) << outcome.err;
      const bool fix = words.front() == "data";  // wants an empty folder, which it is not
      EXPECT_TRUE(fix || contains(outcome.err, "another run is writing to this folder"))
          << line(words) << outcome.err;
    }
    EXPECT_EQ(std::distance(fs::directory_iterator(out), {}), 1) << "but for the lock";
  }
  // What a killed run leaves is no obstacle.
  write_file(path("locked/.lock"), "");
  EXPECT_EQ(
      run_program({"evaluate", model(), "--data", data(), "--split", split(), "--out", out}).code,
      0);
  EXPECT_FALSE(fs::exists(path("locked/.lock")));
}

/// A word that is a path: what it is of, behind an @. Behind an = it is that, and never an odd one:
/// the same option of the same command has had its turn.
const std::vector<Words> commands_with_paths{
    {"data", "check", "@data"},
    {"data", "check", "=data", "--json", "--split", "@split"},
    {"data", "check", "=data", "--json", "--against", "@data"},
    {"data", "check", "=data", "--json", "--classes", "@classes"},
    {"data", "check", "=data", "--json", "--fix", "@out"},
    {"data", "split", "@data", "--json", "--out", "@out"},
    {"data", "pack", "@data", "--out", "@out"},
    {"data", "preview", "@data", "--split", "@split", "--config", "@config", "--out", "@out"},
    {"train", "--data", "@data", "--split", "@split", "--config", "@config", "--epochs", "1",
     "--threads", "1", "--out", "@out", "--json"},
    {"train", "--data", "=data", "--split", "=split", "--init", "@model", "--size", "32",
     "--threads", "1", "--epochs", "1", "--out", "=out"},
    {"train", "--data", "=data", "--split", "=split", "--pretrained", "@model", "--preset", "nano",
     "--size", "32", "--threads", "1", "--epochs", "1", "--out", "=out"},
    {"train", "--data", "@data", "--resume", "--out", "@out"},
    {"evaluate", "@model", "--data", "@data", "--split", "@split", "--out", "@out", "--json"},
    {"evaluate", "@run", "--data", "=data", "--split", "=split", "--out", "=out"},
    {"evaluate", "--predictions", "@masks", "--data", "@data", "--split", "@split",
     "--spacing-file", "@spacing", "--out", "@out"},
    {"predict", "@model", "@image", "--out", "@out", "--json"},
    {"predict", "=model", "@images", "--ensemble", "@model", "--out", "=out"},
    {"compare", "@evaluation", "@evaluation", "--out", "@out", "--json"},
    {"inspect", "@model"},
    {"inspect", "@model", "--json"},
    {"convert", "@model", "@out", "--json"},
    {"features", "@model", "@npy", "--out", "@out", "--json"}};

TEST_F(Paths, OddOnesWorkOrAreRefusedInWords) {
  const std::string judged = name("odd evaluation");
  ASSERT_EQ(
      run_program({"evaluate", model(), "--data", data(), "--split", split(), "--out", judged})
          .code,
      0);
  std::string spacing = "id,spacing_x,spacing_y\n";
  for (const json& id : json::parse(read_file(split())).at("test")) {
    spacing += id.get<std::string>() + ",1,1\n";
  }
  write_file(path("spacing.csv"), spacing);
  write_file(path("classes.txt"), "background:0,0,0\nlesion:255,255,255\n");
  write_file(path("image.npy"), "no array");
  const std::map<std::string, std::string> usual{
      {"data", data()},
      {"split", split()},
      {"classes", name("classes.txt")},
      {"config", name("run/config.toml")},
      {"model", model()},
      {"run", name("run")},
      {"masks", judged + "/masks"},
      {"spacing", name("spacing.csv")},
      {"image", fs::directory_iterator(world->data() / "images")->path().string()},
      {"images", data() + "/images"},
      {"evaluation", judged},
      {"npy", name("image.npy")}};
  const std::string long_name(300, 'n');
  std::string long_path = name("long");
  while (long_path.size() < 5000) long_path += "/" + std::string(100, 'p');
  const std::vector<std::pair<std::string, std::string>> odd{
      {"empty", ""}, {"long name", name(long_name)}, {"long path", long_path}, {"latin", ""}};
  const fs::path latin = path(
      "Gr\xf6\xdf"
      "e");
  fs::create_directories(latin);
  int count = 0;
  for (const Words& command : commands_with_paths) {
    for (std::size_t place = 0; place < command.size(); ++place) {
      if (!command[place].starts_with('@')) continue;
      for (const auto& [what, odd_path] : odd) {
        Words words = command;
        for (std::size_t i = 0; i < words.size(); ++i) {
          if (!words[i].starts_with('@') && !words[i].starts_with('=')) continue;
          const std::string kind = words[i].substr(1);
          const std::string file = concat(kind, count++, words[0] == "convert" ? ".pth" : "");
          if (i != place) {
            words[i] = kind == "out" ? name("odd " + file) : usual.at(kind);
          } else if (what != "latin") {
            words[i] = odd_path;
          } else if (kind == "out") {
            words[i] = (latin / file).string();
          } else {
            // A folder of its own, so that the name of the image, too, stays what it is.
            words[i] = (latin / concat(file, "\xff", fs::path(usual.at(kind)).extension().string()))
                           .string();
            fs::create_symlink(usual.at(kind), words[i]);
          }
        }
        const Outcome outcome = run_program(words);
        const std::string about =
            concat(what, ", word ", place, " of ", line(command), outcome.err);
        EXPECT_EQ(outcome.signal, 0) << about;
        EXPECT_FALSE(contains(outcome.err, "bug")) << about;
        if (what == "latin") {
          // Nothing is there to resume, the .npy is none, and a set has all in common with itself.
          const bool fails_anyway = contains(line(command), "--resume") ||
                                    contains(line(command), "--against") ||
                                    command[0] == "features";
          EXPECT_TRUE(outcome.code == 0 || fails_anyway || contains(outcome.err, "UTF-8")) << about;
        } else {
          EXPECT_TRUE(outcome.code == 1 || outcome.code == 2) << about;
          EXPECT_NE(outcome.err, "") << about;
          EXPECT_TRUE(what != "empty" || contains(outcome.err, "is empty")) << about;
        }
        if (outcome.code == 0 && contains(line(command), "--json")) {
          EXPECT_TRUE(json::accept(outcome.out)) << about;
        }
      }
    }
  }
}

// In a set the names of files are not the user's words.
TEST_F(Paths, NamesInASetNeedNotBeUtf8) {
  fs::copy(data(), path("latin set"), fs::copy_options::recursive);
  const fs::path image = fs::directory_iterator(path("latin set/images"))->path();
  fs::rename(image, image.parent_path() / ("\xe4" + image.extension().string()));
  for (const auto& entry : fs::directory_iterator(path("latin set/masks"))) {
    if (!entry.path().stem().string().starts_with(image.stem().string())) continue;
    fs::rename(entry.path(),
               entry.path().parent_path() / ("\xe4" + entry.path().extension().string()));
    break;
  }
  for (const Words& words : {Words{"data", "check", name("latin set"), "--json"},
                             Words{"data", "split", name("latin set"), "--out", name("latin.json")},
                             Words{"data", "pack", name("latin set"), "--out", name("latin.pack")},
                             Words{"evaluate", model(), "--data", name("latin set"), "--part",
                                   "all", "--out", name("latin out")}}) {
    const Outcome outcome = run_program(words);
    EXPECT_EQ(outcome.code, 1) << line(words) << outcome.err;
    EXPECT_TRUE(contains(outcome.err + outcome.out, "UTF-8")) << line(words) << outcome.err;
    EXPECT_FALSE(contains(outcome.err, "bug")) << line(words) << outcome.err;
    if (words.back() == "--json") {
      EXPECT_TRUE(json::accept(outcome.out));
    }
  }
  const Outcome fixed =
      run_program({"data", "check", name("latin set"), "--fix", name("latin fixed"), "--json"});
  EXPECT_TRUE(json::accept(fixed.out)) << fixed.err;
  const Outcome predicted = run_program({"predict", model(), name("latin set/images"), "--overlay",
                                         "--out", name("latin masks"), "--json"});
  EXPECT_EQ(predicted.code, 0) << predicted.err;
  EXPECT_TRUE(fs::exists(path("latin masks/\xe4.png")));
}

}  // namespace
}  // namespace medurwkv
