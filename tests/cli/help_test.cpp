// What the program says about itself, and how it refuses what it does not know.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/version.h"
#include "support/process.h"

namespace medurwkv {
namespace {

using test::contains;
using test::Outcome;
using test::run_program;
using test::operator+;

TEST(Help, VersionComesAtOnceAndAlone) {
  std::vector<double> seconds;
  for (int i = 0; i < 9; ++i) {
    const Outcome outcome = run_program({"--version"});
    ASSERT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.out, std::string("medurwkv ") + medurwkv::version + "\n");
    EXPECT_EQ(outcome.err, "");
    seconds.push_back(outcome.processor_seconds);
  }
  std::sort(seconds.begin(), seconds.end());
  EXPECT_LT(seconds[seconds.size() / 2], 0.05) << "median of nine starts";
}

// The dynamic loader lists what it loads when told to trace.
TEST(Help, TheProgramItselfLoadsNoLibTorch) {
  const Outcome outcome =
      run_program({"--version"}, {.environment = {{"LD_TRACE_LOADED_OBJECTS", "1"}}, .folder = {}});
  ASSERT_TRUE(contains(outcome.out, "libdnnl")) << outcome.out << outcome.err;
  EXPECT_FALSE(contains(outcome.out, "torch")) << outcome.out;
  EXPECT_FALSE(contains(outcome.out, "libc10")) << outcome.out;
}

// A training library that cannot be opened is noticed by the commands that compute, and by no
// other.
TEST(Help, OnlyWhatComputesOpensTheTrainingLibrary) {
  const test::Start broken{.environment = {{"MEDURWKV_TRAINING_LIBRARY", "/dev/null"}}};
  const std::string demo = (test::source_folder() / "data/demo").string();
  const std::vector<std::vector<std::string>> without{
      {"--version"}, {"--help"}, {"inspect", "--preset", "nano"}, {"data", "check", demo}};
  for (const std::vector<std::string>& words : without) {
    const Outcome outcome = run_program(words, broken);
    EXPECT_EQ(outcome.code, 0) << words[0] << ": " << outcome.err;
  }
  const Outcome outcome = run_program({"predict", "any.model", demo, "--engine", "torch"}, broken);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(contains(outcome.err, "/dev/null: cannot be opened")) << outcome.err;
}

// A recent LibTorch contains a oneDNN of another version than the program links: none of its
// symbols may bind to the program's. Debian's LibTorch has none of its own and asks for libdnnl's
// functions.
TEST(Help, TwoOneDnnsDoNotMeet) {
  const Outcome outcome =
      run_program({"doctor"}, {.environment = {{"LD_DEBUG", "bindings"}}, .folder = {}});
  ASSERT_EQ(outcome.code, 0);
  std::istringstream lines(outcome.err);
  std::string line;
  std::string met;
  bool links_libdnnl = false;
  while (std::getline(lines, line)) {
    const std::size_t to = line.find(" to ");
    if (!contains(line, "binding file") || to == std::string::npos) continue;
    if (!contains(line.substr(0, to), "libtorch_cpu")) continue;
    if (!contains(line.substr(to), "libdnnl.so")) continue;
    links_libdnnl = links_libdnnl || contains(line, "`dnnl_primitive_create'");
    if (contains(line.substr(line.rfind(' ')), "dnnl")) met = line;
  }
  EXPECT_TRUE(met.empty() || links_libdnnl) << met;
}

TEST(Help, OneSettingCapsEveryInstructionSet) {
  const auto doctor = [](const std::string& isa) {
    return run_program({"doctor"}, {.environment = {{"MEDURWKV_ISA", isa}}, .folder = {}});
  };
  const Outcome weak = doctor("sse");
  ASSERT_EQ(weak.code, 0) << weak.err;
  EXPECT_TRUE(contains(weak.out, "our kernels      sse")) << weak.out;
  EXPECT_TRUE(contains(weak.out, "sse41")) << "oneDNN: " << weak.out;
  EXPECT_TRUE(contains(weak.out, "self-test        passed")) << weak.out;
  const Outcome unknown = doctor("mmx");
  EXPECT_EQ(unknown.code, 2) << unknown.out;
  EXPECT_TRUE(contains(unknown.err, "MEDURWKV_ISA=mmx: there is no such")) << unknown.err;
}

// What the system says of the processor decides what is refused.
TEST(Help, AnInstructionSetIsRefusedWhereTheProcessorLacksIt) {
  std::ifstream file("/proc/cpuinfo");
  const std::string cpuinfo(std::istreambuf_iterator<char>(file), {});
  const std::string flags = cpuinfo.substr(std::min(cpuinfo.find("flags"), cpuinfo.size()));
  if (!contains(flags, " sse2 ")) GTEST_SKIP() << "no x86-64 processor";
  const test::Words avx512{"avx512f", "avx512bw", "avx512dq", "avx512vl"};
  const std::vector<std::pair<std::string, test::Words>> sets{
      {"avx2", {"avx2", "fma"}},
      {"avx512", avx512},
      {"vnni", avx512 + test::Words{"avx512_vnni"}},
      {"amx", avx512 + test::Words{"avx512_vnni", "amx_tile", "amx_int8", "amx_bf16"}}};
  for (const auto& [name, needs] : sets) {
    const bool has = std::all_of(needs.begin(), needs.end(), [&](const std::string& flag) {
      return contains(flags.substr(0, flags.find('\n')) + " ", " " + flag + " ");
    });
    // Before any work: nobody looks for the model where the set is refused.
    const Outcome outcome = run_program({"predict", "no.model", "no", "--out", "x"},
                                        {.environment = {{"MEDURWKV_ISA", name}}, .folder = {}});
    EXPECT_EQ(outcome.code, has ? 1 : 2) << name << ": " << outcome.err;
    const std::string refusal = "MEDURWKV_ISA=" + name + ": this machine lacks it";
    EXPECT_EQ(contains(outcome.err, refusal), !has) << outcome.err;
  }
}

// LibTorch writes its warnings to std::cerr. With streams copied into the program, a library opened
// with RTLD_DEEPBIND would find others, never constructed, and crash.
TEST(Help, AnOpenedLibraryCanPrint) {
  const Outcome outcome = run_program(
      {"doctor"},
      {.environment = {{"MEDURWKV_TRAINING_LIBRARY", MEDURWKV_PRINTING_LIBRARY}}, .folder = {}});
  EXPECT_TRUE(contains(outcome.err, "printed to std::cerr")) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "printed to std::cout")) << outcome.out;
  EXPECT_EQ(outcome.code, 1) << "refused for being of another version";
}

TEST(Help, EveryCommandHasAnExampleOfItself) {
  const std::vector<std::vector<std::string>> commands{{"doctor"},
                                                       {"data", "check"},
                                                       {"data", "split"},
                                                       {"train"},
                                                       {"pretrain", "classify"},
                                                       {"pretrain", "simmim"},
                                                       {"pretrain", "distill"},
                                                       {"evaluate"},
                                                       {"compare"},
                                                       {"predict"},
                                                       {"inspect"},
                                                       {"bench"},
                                                       {"convert"},
                                                       {"export"},
                                                       {"features"},
                                                       {"quantize"}};
  // The list is complete: every name that --help lists is in it.
  std::istringstream help(run_program({"--help"}).out);
  bool listing = false;
  std::size_t listed = 0;
  for (std::string line; std::getline(help, line);) {
    std::string name;
    std::istringstream(line) >> name;
    listing = (listing && !name.empty()) || name == "Subcommands:";
    if (!listing || name == "Subcommands:" || !line.starts_with("  ") || line[2] == ' ') continue;
    ++listed;
    EXPECT_TRUE(std::any_of(commands.begin(), commands.end(), [&](const auto& words) {
      return words[0] == name;
    })) << name;
  }
  EXPECT_EQ(listed, 13U);
  for (std::vector<std::string> words : commands) {
    std::string name = "medurwkv";
    for (const std::string& word : words) name += " " + word;
    words.emplace_back("--help");
    const Outcome outcome = run_program(words);
    EXPECT_EQ(outcome.code, 0) << name;
    const std::size_t example = outcome.out.find("Example:");
    ASSERT_NE(example, std::string::npos) << name;
    EXPECT_TRUE(contains(outcome.out.substr(example), name)) << outcome.out;
  }
}

struct Mistake {
  std::vector<std::string> words;
  std::string hint;
};

TEST(Help, MistakesNameTheNearestKnownWord) {
  const std::vector<Mistake> mistakes{
      {{"trian"}, "did you mean train?"},
      {{"inspect", "--prest", "tiny"}, "did you mean --preset?"},
      {{"inspect", "--preset", "tinny"}, "did you mean tiny?"},
      {{"data", "chek", "x"}, "did you mean check?"},
      {{"train", "folder"}, "goes after --data"},
      {{"train", "folder"}, "Usage: medurwkv train --data DATA"},
      {{"train", "--epoch", "2"}, "did you mean --epochs?"},
      {{"evaluate", "--model", "x"}, "MODEL is given without an option's name"},
      {{"evaluate", "--model", "x"}, "Usage: medurwkv evaluate [MODEL] --data DATA"},
      {{"predict", "--modle", "x"}, "MODEL is given without an option's name"},
      {{"inspect", "a", "b"}, "unexpected argument b"},
      {{"inspect", "a", "b"}, "Usage: medurwkv inspect [FILE]"},
      {{"data"}, "Usage: medurwkv data COMMAND"},
      {{"train", "--epochs", "0"}, "expects a whole number from 1 to 1000000, got 0\n"},
      {{"train", "--max-minutes", "nan"}, "expects a number above 0, got nan\n"},
      {{"train", "--data", "x", "--split", "y", "--set", "run.epocs=2"},
       "did you mean run.epochs?"},
      {{"doctor", "--threads", "many"}, "--threads"},
      {{"evaluate"}, "medurwkv evaluate --help"},
      {{"data", "split"}, "medurwkv data split --help"},
      {{}, "--help"}};
  for (const Mistake& mistake : mistakes) {
    const Outcome outcome = run_program(mistake.words);
    EXPECT_EQ(outcome.code, 2) << mistake.hint << ": " << outcome.err;
    EXPECT_TRUE(contains(outcome.err, mistake.hint)) << outcome.err;
    EXPECT_EQ(outcome.out, "") << mistake.hint;
    EXPECT_FALSE(contains(outcome.err, "terminate")) << outcome.err;
  }
}

// /dev/full takes nothing: an answer that nobody got is not a success.
TEST(Help, AnAnswerThatCannotBePrintedIsAFailure) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--version"}, {"inspect", "--preset", "nano", "--json"}}) {
    test::Start start;
    start.out = "/dev/full";
    const Outcome outcome = run_program(words, start);
    EXPECT_EQ(outcome.code, 1);
    EXPECT_TRUE(contains(outcome.err, "stdout: cannot write")) << outcome.err;
  }
}

}  // namespace
}  // namespace medurwkv
