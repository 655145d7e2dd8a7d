// Commands on files of weights, as a user types them: train --pretrained and --init, convert,
// inspect. The original Python code, run with Debian's python3-torch, must load our files.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "net/presets.h"
#include "support/paths.h"
#include "support/process.h"
#include "support/trained_world.h"
#include "support/weight_files.h"
#include "weights/model_file.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Outcome;
using test::run_program;
using test::WeightFile;

class WeightsCommands : public test::TrainedWorld {
 protected:
  /// A file as others publish it.
  static std::string adapter(const std::string& preset = "nano",
                             const std::string& prefix = "backbone.") {
    std::string file = path("adapter_" + preset + ".safetensors").string();
    WeightFile().add(net::encoder_preset(preset), prefix).write(file);
    return file;
  }
  static weights::TensorFile model_of(const std::string& run) {
    return weights::read_checked(path(run) / "best.model");
  }
  static json inspected(const std::string& file) {
    const Outcome outcome = run_program({"inspect", file, "--json", "--names"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return json::parse(outcome.out);
  }
};

// With a rate of 0 the weights stay what they were at the start.
TEST_F(WeightsCommands, TrainStartsFromAPublishedEncoder) {
  const Outcome outcome =
      run_program(world->training("pretrained", {"--epochs", "1", "--pretrained", adapter(),
                                                 "--names", "--set", "optimizer.rate=0"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* words :
       {"Vision-RWKV adapter (nano)",
        "used 316, new 120 (0 of the encoder), unused 0, mismatched 0", "bi-WKV released32",
        "used        encoder.up.bias from backbone.up.bias", "new         head.classify.bias"}) {
    EXPECT_TRUE(contains(outcome.err, words)) << words << "\n" << outcome.err;
  }
  const weights::TensorFile model = model_of("pretrained");
  std::size_t compared = 0;
  for (const net::ParameterSpec& spec : plan::parameters_of(net::encoder_preset("nano"))) {
    if (spec.buffer) continue;
    ASSERT_EQ(model.values("encoder." + spec.name), test::fill_values(spec.name, spec.shape))
        << spec.name;
    ++compared;
  }
  EXPECT_GT(compared, 200U);
  const auto info = weights::model_info("model", model.metadata());
  EXPECT_EQ(info.network.wkv, net::WkvMode::released32);
  const json& record = info.provenance.at("initial_weights");
  EXPECT_EQ(record.at("content_sha256"), inspected(adapter()).at("about").at("content_sha256"));
  EXPECT_EQ(record.at("used"), 316);
  EXPECT_EQ(record.at("option"), "--pretrained");
  const weights::TensorFile checkpoint = weights::read_checked(path("pretrained/last.ckpt"));
  const json started = json::parse(checkpoint.metadata().at("checkpoint")).at("started_with");
  EXPECT_EQ(started.at("initial_tensors").size(), 316U);
  // A resumed run reports these counts too, with or without the file.
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{"--resume"}, {"--resume", "--pretrained", adapter()}}) {
    std::vector<std::string> words =
        world->training("pretrained", {"--epochs", "1", "--set", "optimizer.rate=0"});
    if (more.size() == 1) words.insert(words.end(), {"--wkv", "released32"});
    words.insert(words.end(), more.begin(), more.end());
    const Outcome again = run_program(words);
    EXPECT_EQ(again.code, 0) << again.err;
  }
  EXPECT_EQ(json::parse(read_file(path("pretrained/run.json"))).at("initial_weights"), record);
}

TEST_F(WeightsCommands, TrainRefusesWhatIsNoEncoderForIt) {
  const std::string text = path("text.pth").string();
  write_file(text, "no weights at all, but long enough");
  const std::string other = path("other.safetensors").string();
  WeightFile().add("conv.weight", {1}, {1}).write(other);
  const std::vector<std::pair<std::vector<std::string>, std::string>> refused{
      {{"--pretrained", text}, "text.pth"},
      {{"--pretrained", other}, "holds no encoder"},
      {{"--pretrained", adapter("nanopost")}, "encoder.key_norm=true, or choose --preset nanopost"},
      {{"--pretrained", adapter("tiny")}, "--preset tiny"},
      {{"--pretrained", adapter(), "--set", "network.preset=unet_small"}, "unet_small"},
      {{"--pretrained", adapter(), "--init", model()}, "--init"},
      {{"--pretrained", "nowhere.pth"}, "nowhere.pth"},
      {{"--init", adapter()}, "--pretrained"},
      {{"--init", model(), "--set", "network.preset=tiny"}, "width 24, the run's has 192"},
      {{"--pretrained", adapter(), "--wkv", "released"}, "released32"}};
  for (const auto& [words, message] : refused) {
    const Outcome outcome = run_program(world->training("refused", words));
    EXPECT_TRUE(outcome.code == 1 || outcome.code == 2) << message;
    EXPECT_TRUE(contains(outcome.err, message)) << message << "\n" << outcome.err;
    EXPECT_FALSE(fs::exists(path("refused/config.toml"))) << message;
  }
}

TEST_F(WeightsCommands, TrainTakesItsModeFromTheUserFirst) {
  const Outcome outcome = run_program(
      world->training("mode", {"--epochs", "1", "--pretrained", adapter(), "--wkv", "released16"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(weights::model_info("m", model_of("mode").metadata()).network.wkv,
            net::WkvMode::released16);
}

// Three classes in the file, two in the data; the network is the file's, without --preset.
TEST_F(WeightsCommands, TrainGoesOnFromAModelOfOurs) {
  const std::string bare = path("three.safetensors").string();
  net::NetworkConfig three = net::preset("nanopost", 3);
  WeightFile().add(three).write(bare);
  const std::string first = path("three.model").string();
  ASSERT_EQ(run_program({"convert", bare, first, "--classes", "none,left,right"}).code, 0);
  std::vector<std::string> words =
      world->training("further", {"--epochs", "1", "--init", first, "--set", "optimizer.rate=0"});
  const auto preset = std::find(words.begin(), words.end(), "--preset");
  words.erase(preset, preset + 2);
  const Outcome outcome = run_program(words);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "mismatched 2")) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "head.classify.weight is 3x3, the network has 2x3"))
      << outcome.err;
  const weights::TensorFile model = model_of("further");
  const auto info = weights::model_info("m", model.metadata());
  EXPECT_EQ(info.network.preset, "nanopost");
  EXPECT_EQ(info.network.classes, 2);
  for (const std::string name : {"decoder.0.skip.weight", "encoder.layers.3.att.key.weight"}) {
    EXPECT_EQ(model.values(name), test::fill_values(name, model.info(name).shape)) << name;
  }
}

// Commands that need a model say how to make one from bare weights; that command works as written.
TEST_F(WeightsCommands, BareWeightsAreRefusedWithTheCommandThatHelps) {
  const std::string bare = path("bare.safetensors").string();
  WeightFile().add(net::preset("nanopost", 3)).write(bare);
  const std::vector<std::vector<std::string>> needing{
      {"predict", bare, data(), "--out", path("of_bare").string()},
      {"evaluate", bare, "--data", data(), "--split", split(), "--out", path("of_bare").string()}};
  const std::string convert = "medurwkv convert " + bare + " " + path("bare.model").string();
  for (const std::vector<std::string>& words : needing) {
    const Outcome outcome = run_program(words);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, convert)) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, "its 3 classes")) << outcome.err;
  }
  ASSERT_EQ(run_program({"convert", bare, path("bare.model").string()}).code, 0);
  EXPECT_EQ(run_program({"predict", path("bare.model").string(), data(), "--out",
                         path("of_model").string()})
                .code,
            0);
  const Outcome encoder =
      run_program({"predict", adapter(), data(), "--out", path("of_adapter").string()});
  EXPECT_EQ(encoder.code, 2);
  EXPECT_TRUE(contains(encoder.err, "train --pretrained " + adapter())) << encoder.err;
  const Outcome folder =
      run_program({"predict", path("run").string(), data(), "--out", path("of_run").string()});
  EXPECT_EQ(folder.code, 0) << folder.err;
  EXPECT_TRUE(contains(folder.err, model())) << folder.err;
}

// A run that was killed before its first checkpoint must not go on from random weights.
TEST_F(WeightsCommands, ARunThatStartsOverAsksForItsFile) {
  const std::vector<std::string> words =
      world->training("over", {"--epochs", "1", "--pretrained", adapter()});
  ASSERT_EQ(run_program(words).code, 0);
  fs::remove(path("over/last.ckpt"));
  const Outcome without =
      run_program(world->training("over", {"--epochs", "1", "--wkv", "released32", "--resume"}));
  EXPECT_EQ(without.code, 2);
  const json about = inspected(adapter()).at("about");
  EXPECT_TRUE(contains(without.err,
                       "--pretrained FILE (SHA-256 of its content, as `medurwkv "
                       "inspect` shows it: " +
                           about.at("content_sha256").get<std::string>()))
      << without.err;
  std::vector<std::string> with = words;
  with.emplace_back("--resume");
  const std::string other = path("other.safetensors").string();
  ASSERT_EQ(run_program({"convert", model(), other, "--encoder", "--force"}).code, 0);
  std::vector<std::string> with_other = with;
  std::replace(with_other.begin(), with_other.end(), adapter(), other);
  with_other.insert(with_other.end(), {"--wkv", "released32"});
  const Outcome refused = run_program(with_other);
  EXPECT_EQ(refused.code, 2);
  EXPECT_TRUE(contains(refused.err, "did not start from this file")) << refused.err;
  // As an earlier version recorded it.
  json record = json::parse(read_file(path("over/run.json")));
  json& origin = record.at("initial_weights");
  origin.erase("content_sha256");
  origin["sha256"] = sha256_file(adapter());
  write_file(path("over/run.json"), record.dump());
  EXPECT_EQ(run_program(with_other).code, 2);
  EXPECT_EQ(run_program(with).code, 0);
}

TEST_F(WeightsCommands, ADamagedModelIsRefused) {
  std::string bytes = read_file(model());
  bytes[bytes.size() - 1000] = static_cast<char>(bytes[bytes.size() - 1000] ^ 1);
  const std::string damaged = path("damaged.model").string();
  write_file(damaged, bytes);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"predict", damaged, data(), "--out", path("none").string()},
        {"inspect", damaged},
        {"convert", damaged, path("none.pth").string()},
        world->training("none", {"--init", damaged})}) {
    const Outcome outcome = run_program(words);
    EXPECT_EQ(outcome.code, 1) << words.front();
    EXPECT_TRUE(contains(outcome.err, damaged + ": is damaged")) << outcome.err;
  }
}

TEST_F(WeightsCommands, ConvertThereAndBackGivesTheSameBytes) {
  const auto convert = [](const std::string& from, const std::string& to) {
    const Outcome outcome = run_program({"convert", from, to});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  };
  const std::string pth = path("model.pth").string();
  const std::string tensors = path("model.safetensors").string();
  const std::string back = path("back.model").string();
  convert(model(), pth);
  convert(pth, tensors);
  convert(tensors, back);
  EXPECT_EQ(sha256_file(back), sha256_file(model()));
  EXPECT_EQ(inspected(pth).at("about").at("kind"), "model");
  // A checkpoint loses what only a training needs.
  const std::string plain = path("plain.model").string();
  convert(path("run/last.ckpt").string(), plain);
  EXPECT_EQ(weights::read_checked(plain).tensors().size(),
            weights::read_checked(model()).tensors().size());
  // Bare tensors keep their names, and the mode that was stated.
  const std::string stated = path("stated.pth").string();
  ASSERT_EQ(run_program({"convert", adapter(), stated, "--wkv", "exact"}).code, 0);
  const json answer = inspected(stated);
  EXPECT_EQ(answer.at("network").at("wkv"), "exact");
  EXPECT_EQ(answer.at("tensors")[0].at("name"), "backbone.spm.stem.0.weight");
  EXPECT_EQ(answer.at("about").at("tensors"), 316);
}

TEST_F(WeightsCommands, ConvertRefusesWhatCannotBe) {
  const std::string out = path("out.model").string();
  const std::vector<std::pair<std::vector<std::string>, std::string>> refused{
      {{"convert", adapter(), out}, "holds no whole Med-URWKV (Vision-RWKV adapter)"},
      {{"convert", adapter(), path("out.onnx").string()}, ".safetensors"},
      {{"convert", path("nowhere.pth").string(), out}, "nowhere.pth"},
      {{"convert", model(), model()}, "--force"},
      {{"convert", model(), out, "--encoder"}, "--encoder"},
      {{"convert", model(), out, "--wkv", "exakt"}, "exact"},
      {{"convert", adapter(), path("set.pth").string(), "--set", "run.epochs=1"},
       "encoder.post_norm"},
      {{"convert", model(), out, "--set", "encoder.post_norm=true"}, "leave out --set"},
      {{"convert", model(), out, "--classes", "none,left"}, "is a model file already"},
      {{"convert", model(), path("sized.pth").string(), "--size", "64"}, "is a model file already"},
      {{"convert", adapter(), path("named.pth").string(), "--classes", "none,left"},
       "holds bare tensors"}};
  for (const auto& [words, message] : refused) {
    const Outcome outcome = run_program(words);
    EXPECT_TRUE(outcome.code == 1 || outcome.code == 2) << message;
    EXPECT_TRUE(contains(outcome.err, message)) << message << "\n" << outcome.err;
    EXPECT_FALSE(fs::exists(out));
  }
}

TEST_F(WeightsCommands, InspectTellsKindsAndWhatIsWrong) {
  const json adapter_answer = inspected(adapter("tiny"));
  EXPECT_EQ(adapter_answer.at("about").at("kind"), "adapter");
  EXPECT_EQ(adapter_answer.at("about").at("prefix"), "backbone.");
  EXPECT_EQ(adapter_answer.at("network").at("preset"), "tiny");
  EXPECT_EQ(adapter_answer.at("parameters"), 8404592);
  EXPECT_EQ(adapter_answer.at("tensors").size(), adapter_answer.at("about").at("tensors"));
  EXPECT_TRUE(adapter_answer.at("about").at("not_finite").empty());

  const std::string classifier = path("classifier.safetensors").string();
  WeightFile().add(net::classifier_preset("tiny")).write(classifier);
  EXPECT_EQ(inspected(classifier).at("about").at("kind"), "classifier");
  EXPECT_EQ(inspected(classifier).at("parameters"), 6155176);

  EXPECT_EQ(inspected(model()).at("about").at("kind"), "model");
  const json checkpoint = inspected(path("run/last.ckpt").string());
  EXPECT_EQ(checkpoint.at("about").at("kind"), "checkpoint");
  EXPECT_EQ(checkpoint.at("about").at("finished_steps"), 6);
  EXPECT_EQ(checkpoint.at("about").at("provenance").at("seed"), 0);

  const std::string broken = path("broken.safetensors").string();
  WeightFile()
      .add("a\nb", {4}, {1, std::nan(""), HUGE_VAL, -HUGE_VAL})
      .write(broken, {{"made by", "no\x1b[31mbody"}});
  const json answer = inspected(broken);
  EXPECT_EQ(answer.at("about").at("kind"), "tensors");
  EXPECT_FALSE(answer.contains("network"));
  EXPECT_EQ(answer.at("about").at("not_finite")[0],
            (json{{"name", "a\nb"}, {"nan", 1}, {"infinite", 2}}));
  const Outcome people = run_program({"inspect", broken, "--names"});
  EXPECT_EQ(people.code, 0);
  for (const char* words : {"network unknown", R"(a\nb: 1 NaN, 2 infinite)", R"(a\nb 4 F32 16)",
                            R"(no\u001b[31mbody)"}) {
    EXPECT_TRUE(contains(people.out, words)) << words << "\n" << people.out;
  }
}

// --- what Python makes of our files ------------------------------------------------------------

/// The output of a Python program, marked when it fails.
std::string python(const std::string& program) {
  const std::string command = "/usr/bin/python3 -c '" + program + "' 2>&1";
  std::string out;
  std::array<char, 256> line{};
  FILE* pipe = ::popen(command.c_str(), "r");
  while (std::fgets(line.data(), line.size(), pipe) != nullptr) out += line.data();
  return ::pclose(pipe) == 0 ? out : "failed: " + out;
}

// Strictly, under its own names, and every value as it was. The encoder of a model of ours is an
// adapter for that code.
TEST_F(WeightsCommands, TheOriginalCodeLoadsWhatConvertWrites) {
  const fs::path reference = test::shared_folder() / "reference";
  if (!fs::exists(reference / "ref.py")) {
    GTEST_SKIP() << reference << " is not there (set MEDURWKV_SHARED)";
  }
  const std::string whole = path("whole.safetensors").string();
  WeightFile().add(net::preset("nano", 3)).write(whole);
  const std::string classifier = path("nano_classifier.safetensors").string();
  WeightFile().add(net::classifier_preset("nano", 10)).write(classifier);
  // A whole segmentation network of the published code, of which the encoder is wanted.
  const std::string heads = path("upernet.safetensors").string();
  WeightFile segmentation;
  segmentation.add(net::encoder_preset("nano"), "module.");
  for (const char* head : {"decode_head.conv_seg", "auxiliary_head.conv_seg", "head.fc"}) {
    segmentation.add("module." + std::string(head) + ".weight", {2, 1}, {1, 2});
  }
  segmentation.write(heads);
  struct Case {
    std::vector<std::string> words;  ///< of convert, behind the file to write
    std::string original;
    bool filled = true;  ///< by the rule that the reference fills by, too
  };
  const std::vector<Case> cases{
      {{whole}, "net.MedURWKV(\"nano\", classes=3)"},
      {{adapter("nanopost", "module.")}, "ref.build_adapter(\"nanopost\")"},
      {{classifier}, "ref.build_classifier(\"nano\")"},
      {{heads, "--encoder"}, "ref.build_adapter(\"nano\")"},
      {{model(), "--encoder"}, "ref.build_adapter(\"nano\")", false}};
  std::string program = "import sys; sys.path.insert(0, \"" + reference.string() +
                        "\"); sys.dont_write_bytecode = True\nimport ref, net, torch\n";
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::string pth = path("python" + std::to_string(i) + ".pth").string();
    std::vector<std::string> words{"convert", cases[i].words.front(), pth};
    words.insert(words.end(), cases[i].words.begin() + 1, cases[i].words.end());
    ASSERT_EQ(run_program(words).code, 0);
    program += "m = " + cases[i].original + "\nm.load_state_dict(torch.load(\"" + pth +
               "\")[\"state_dict\"], strict=True)\n";
    if (!cases[i].filled) continue;
    program += "r = ref.fill_model(" + cases[i].original +
               ")\nfor k, v in r.state_dict().items(): assert torch.equal(v, "
               "m.state_dict()[k]), k\n";
  }
  const std::string answer = python(program + "print(\"all equal\")");
  if (contains(answer, "ModuleNotFoundError")) {
    GTEST_SKIP() << "Debian's python3-torch is not installed";
  }
  EXPECT_EQ(answer, "all equal\n");
}

}  // namespace
}  // namespace medurwkv
