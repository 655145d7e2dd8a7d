// A hostile file cannot speak to the terminal. Escape sequences, bells, line ends and right-to-left
// overrides are planted in the names and texts of everything that the program reads, and looked for
// in what each command prints.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "net/presets.h"
#include "support/pickle_by_hand.h"
#include "support/trained_world.h"
#include "support/weight_files.h"
#include "weights/model_file.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
namespace pickle = test::pickle;
using nlohmann::json;
using test::contains;
using test::Outcome;
using test::Words;

/// Clears the screen, sets the title, rings; the same by C1; writes backwards; forges a line.
const std::string planted =
    "p\x1b[2J\x1b]0;t\x07\x7f\xc2\x9b"
    "31m\xe2\x80\xaeq\r\nFORGED";

/// TOML wants DEL escaped, too.
std::string in_toml(const std::string& text) {
  std::string out = json(text).dump();
  for (std::size_t at = 0; (at = out.find('\x7f')) != std::string::npos;) {
    out.replace(at, 1, "\\u007f");
  }
  return out;
}

class ControlCharacters : public test::TrainedWorld {
 protected:
  static std::string file(const std::string& name) { return path(name).string(); }

  /// Runs it and looks at both outputs. The exit code is 0, or `code`.
  static Outcome run(const Words& words, int code = 0) {
    Outcome outcome = test::run_program(words);
    std::string about = words[0];
    for (const std::string& word : words) about += word.starts_with("--") ? " " + word : "";
    EXPECT_EQ(outcome.code, code) << about << ": " << outcome.err;
    EXPECT_FALSE(contains(outcome.err, "this is a bug")) << about << ": " << outcome.err;
    for (const std::string* text : {&outcome.out, &outcome.err}) {
      for (const char* part : {"\x1b", "\x07", "\x7f", "\r", "\xc2\x9b", "\xe2\x80\xae"}) {
        EXPECT_FALSE(contains(*text, part))
            << about << " prints " << json(part).dump() << ": " << *text;
      }
      EXPECT_FALSE(contains(*text, "\nFORGED")) << about << ": " << *text;
    }
    return outcome;
  }

  /// Refused, with the planted text shown.
  static void refuse(const Words& words, int code) {
    const Outcome outcome = run(words, code);
    EXPECT_TRUE(contains(outcome.err, "\\u001b") || contains(outcome.err, "FORGED") ||
                contains(outcome.err, "<U+001B>"))
        << words[0] << " does not show it: " << outcome.err;
  }

  static Words training(const Words& more) { return world->training("refused", more); }
};

// Names of files are ids of cases, shown by everything that reads a set.
TEST_F(ControlCharacters, OfFileNames) {
  for (const std::string part : {"images", "masks"}) {
    fs::create_directories(path("odd") / part);
    int i = 0;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(path("data") / part)) {
      files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const fs::path& one : files) {
      const std::string name = planted + std::to_string(i++) + one.extension().string();
      fs::copy_file(one, path("odd") / part / name);
    }
  }
  const std::string set = file("odd");
  const std::string split = file("odd.json");
  EXPECT_TRUE(contains(run({"data", "check", set}).out, "12 pairs"));
  run({"data", "check", set, "--json"});
  run({"data", "split", set, "--ratios", "0.5,0.25,0.25", "--out", split, "--json"});
  run({"data", "pack", set, "--out", file("odd.pack")});
  run({"data", "check", file("odd.pack")});
  run({"data", "preview", set, "--size", "32", "--out", file("odd.png")});
  run({"train", "--data", set, "--split", split, "--preset", "nano", "--size", "32", "--epochs",
       "1", "--out", file("odd run")});
  run({"evaluate", model(), "--data", set, "--split", split, "--out", file("odd a")});
  run({"evaluate", model(), "--data", set, "--out", file("odd b")});
  run({"evaluate", file("odd run"), "--data", set, "--split", split, "--out", file("odd c"),
       "--json"});
  run({"compare", file("odd a"), file("odd c"), "--out", file("odd compared")});
  run({"compare", file("odd a"), file("odd c"), "--out", file("odd compared"), "--force",
       "--json"});
  run({"predict", model(), set + "/images", "--out", file("odd masks")});
  run({"predict", model(), set + "/images", "--out", file("odd masks")}, 1);
  run({"data", "check", set, "--fix", file("odd fixed")});
  // What is wrong with such files.
  const auto first = fs::directory_iterator(path("odd/masks"))->path();
  write_file(first, "no image");
  run({"data", "check", set}, 1);
  run({"data", "check", set, "--json"}, 1);
  run({"data", "split", set, "--out", file("none.json")}, 1);
  run({"train", "--data", set, "--split", split, "--preset", "nano", "--size", "32", "--epochs",
       "1", "--out", file("odd other")},
      1);
  run({"predict", model(), first.string(), "--out", file("odd failed")}, 1);
}

TEST_F(ControlCharacters, OfClassesAndTables) {
  write_file(path("classes.txt"), "background:0,0,0\np\x1b[2J\x07:1,1,1\n");
  const std::string escaped = in_toml(planted);
  write_file(path("classes.toml"), "[[class]]\nname = \"bg\"\nindex = 0\n[[class]]\nname = " +
                                       escaped + "\nindex = 1\ncolor = [1, 1, 1]\n");
  write_file(path("key.toml"), "[[class]]\nname = \"bg\"\nindex = 0\n" + escaped + " = 1\n");
  for (const char* classes : {"classes.txt", "classes.toml", "key.toml"}) {
    refuse({"data", "check", data(), "--classes", file(classes)}, 1);
  }
  refuse({"data", "check", data(), "--class-names", "background," + planted}, 2);
  refuse({"data", "check", data(), "--mask-encoding", planted}, 2);
  write_file(path("spacing.csv"), "id\x1b[2J\x07,spacing_x,spacing_y\na,1,1\n");
  refuse({"evaluate", model(), "--data", data(), "--split", split(), "--spacing-file",
          file("spacing.csv"), "--out", file("spaced")},
         1);
  write_file(path("spacing2.csv"), "id,spacing_x,spacing_y\na,\x1b[2J\x07,1\n");
  refuse({"evaluate", model(), "--data", data(), "--split", split(), "--spacing-file",
          file("spacing2.csv"), "--out", file("spaced")},
         1);
  fs::copy(path("data"), path("tabled"), fs::copy_options::recursive);
  write_file(path("tabled/train.csv"), "image\x1b[2J\x07,name\x07\nnone\x1b[2J,b\n");
  run({"data", "check", file("tabled")}, test::run_program({"data", "check", file("tabled")}).code);
}

TEST_F(ControlCharacters, OfSplits) {
  const json good = json::parse(read_file(split()));
  const auto with = [&](const json& change) {
    json out = good;
    out.update(change);
    write_file(path("bad.json"), out.dump());
    return file("bad.json");
  };
  const std::vector<json> changes{{{"test", {planted}}},
                                  {{"classes", {"background", planted}}},
                                  {{"mask_encoding", planted}},
                                  {{"format_version", planted}}};
  for (const json& change : changes) {
    refuse({"evaluate", model(), "--data", data(), "--split", with(change), "--out", file("e")}, 1);
    refuse({"train", "--data", data(), "--split", file("bad.json"), "--out", file("t")}, 1);
  }
  write_file(path("bad.json"), "{\x1b[2J\x07");
  run({"evaluate", model(), "--data", data(), "--split", file("bad.json"), "--out", file("e")}, 1);
}

TEST_F(ControlCharacters, OfSettings) {
  const std::string escaped = in_toml(planted);
  const std::vector<std::string> texts{
      "[run]\n" + escaped + " = 1\n",        "[network]\npreset = " + escaped + "\n",
      "[input]\nfit = " + escaped + "\n",    "[input]\naugment = " + escaped + "\n",
      "[loss]\nregions = " + escaped + "\n", "[run]\nprecision = " + escaped + "\n"};
  for (const std::string& text : texts) {
    write_file(path("bad.toml"), text);
    const Words words{"train",    "--data",         data(),  "--split",      split(),
                      "--config", file("bad.toml"), "--out", file("refused")};
    refuse(words, 2);
  }
  write_file(path("bad.toml"), "[run\x1b[2J\x07\n");
  run(training({"--config", file("bad.toml")}), 2);
  refuse(training({"--set", planted}), 2);
  refuse(training({"--set", "run.precision=" + planted}), 2);
  refuse(training({"--epochs", planted}), 2);
  refuse({planted}, 2);
  refuse({"inspect", "--" + planted}, 2);
  refuse({"inspect", "--preset", planted}, 2);
  refuse({"inspect", file(planted)}, 1);
}

TEST_F(ControlCharacters, OfWeights) {
  const std::string odd = file("odd.safetensors");
  test::WeightFile()
      .add(net::encoder_preset("nano"))
      .add(planted, {2}, {1, 2})
      .write(odd, {{planted, planted}, {"note", planted}});
  EXPECT_TRUE(contains(run({"inspect", odd, "--names"}).out, "\\u001b"));
  run({"inspect", odd, "--json", "--names"});
  run({"convert", odd, file("odd.out.safetensors")});
  run(world->training("odd start", {"--epochs", "1", "--pretrained", odd, "--names"}));
  test::WeightFile().add(planted, {2}, {1, 2}).write(file("alone.safetensors"));
  run({"inspect", file("alone.safetensors")});
  run(training({"--pretrained", file("alone.safetensors")}), 1);
  const pickle::TensorText plain;
  const std::string dictionary =
      pickle::start + pickle::dict({{pickle::text(planted), pickle::tensor(plain, false)}}) + ".";
  write_file(file("odd.pth"),
             test::make_zip(pickle::zip_entries(dictionary, pickle::four_floats())).bytes);
  EXPECT_TRUE(contains(run({"inspect", file("odd.pth"), "--names"}).out, "\\u001b"));
  const std::string runs =
      pickle::start + pickle::global("os\x1b[2J\x07", "system") + pickle::tuple("") + "R.";
  write_file(file("runs.pth"),
             test::make_zip(pickle::zip_entries(runs, pickle::four_floats())).bytes);
  refuse({"inspect", file("runs.pth")}, 1);
}

TEST_F(ControlCharacters, OfModels) {
  weights::ModelInfo info;
  info.network = net::preset("nano", 2, 3);
  info.network.preset = planted;
  info.heads = {segmentation_head({{"background", {}}, {"lesion", {}}})};
  info.provenance = {{planted, planted}, {"configuration", planted}, {"split_sha256", planted}};
  test::WeightFile().add(info.network).write(path("odd.model"), weights::to_metadata(info));
  const std::string odd = file("odd.model");
  EXPECT_TRUE(contains(run({"inspect", odd}).out, "\\u001b"));
  run({"inspect", odd, "--json"});
  run({"convert", odd, file("odd.copy.model")});
  run({"predict", odd, data() + "/images", "--out", file("odd predicted")});
  run({"evaluate", odd, "--data", data(), "--split", split(), "--out", file("odd judged")});
  info.heads[0].classes[1].name = planted;
  test::WeightFile().add(info.network).write(path("named.model"), weights::to_metadata(info));
  refuse({"predict", file("named.model"), data() + "/images", "--out", file("p")}, 1);
  refuse({"inspect", file("named.model")}, 1);
}

TEST_F(ControlCharacters, OfWhatRunsAndEvaluationsLeave) {
  for (const char* out : {"judged", "judged too"}) {
    run({"evaluate", model(), "--data", data(), "--split", split(), "--out", file(out)});
  }
  json summary = json::parse(read_file(path("judged/summary.json")));
  summary["subject"] = planted;
  summary["unit"] = planted;
  write_file(path("judged/summary.json"), summary.dump());
  run({"compare", file("judged"), file("judged too"), "--out", file("c")});
  summary["part"] = planted;
  write_file(path("judged/summary.json"), summary.dump());
  refuse({"compare", file("judged"), file("judged too"), "--out", file("c"), "--force"}, 1);
  write_file(path("judged/cases.csv"), "case\x1b[2J\x07,a\nb,c\n");
  refuse({"compare", file("judged"), file("judged too"), "--out", file("c"), "--force"}, 1);

  run({"predict", model(), data() + "/images", "--out", file("predicted")});
  json manifest = json::parse(read_file(path("predicted/manifest.json")));
  manifest["options"]["overlay"] = planted;
  write_file(path("predicted/manifest.json"), manifest.dump());
  refuse({"predict", model(), data() + "/images", "--out", file("predicted"), "--continue"}, 2);

  ASSERT_EQ(run(world->training("left", {"--epochs", "1"})).code, 0);
  write_file(path("left/run.json"), "\x1b[2J\x07");
  run(world->training("left", {"--epochs", "1", "--resume"}), 1);
  write_file(path("left/config.toml"), "[run]\nprecision = " + in_toml(planted) + "\n");
  run({"train", "--data", data(), "--resume", "--out", file("left")}, 1);
}

}  // namespace
}  // namespace medurwkv
