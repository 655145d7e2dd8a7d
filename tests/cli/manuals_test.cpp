// Manual pages and completions are made from the commands' own definitions: every command and
// option is in them, and bash completes.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/text.h"
#include "support/paths.h"
#include "support/process.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::Outcome;
using test::run_program;

class Manuals : public ::testing::Test {
 protected:
  void SetUp() override {
    const Outcome made = run_program({"manuals", folder_.path().string()});
    ASSERT_EQ(made.code, 0) << made.err;
  }
  [[nodiscard]] std::string text(const std::string& name) const {
    return read_file(folder_.path() / name);
  }
  /// What bash offers after these words, the last of which is being typed.
  [[nodiscard]] std::string completed(const std::string& words, int last) const {
    const fs::path out = folder_.path() / "completed";
    const std::string script =
        concat("source '", (folder_.path() / "bash-completion/completions/medurwkv").string(),
               "'; COMP_WORDS=(", words, "); COMP_CWORD=", last,
               "; _medurwkv; echo \"${COMPREPLY[@]}\" > '", out.string(), "'");
    const fs::path file = folder_.path() / "script";
    write_file(file, script);
    EXPECT_EQ(std::system(concat("bash ", file.string()).c_str()), 0);
    return trim(read_file(out));
  }

  test::TemporaryFolder folder_;
};

/// Long options of a command, from its own help.
std::vector<std::string> options_in_help(const std::vector<std::string>& command) {
  std::vector<std::string> words = command;
  words.emplace_back("--help");
  const Outcome help = run_program(words);
  std::vector<std::string> out;
  for (const std::string& line : split(help.out, '\n')) {
    const std::string trimmed = trim(line);
    if (!trimmed.starts_with("--") && !trimmed.starts_with("-h,")) continue;
    const std::size_t at = trimmed.find("--");
    out.push_back(trimmed.substr(at, trimmed.find_first_of(" ,=", at) - at));
  }
  return out;
}

TEST_F(Manuals, HoldEveryCommandAndOption) {
  const std::vector<std::vector<std::string>> commands{{"doctor"},
                                                       {"data", "check"},
                                                       {"data", "split"},
                                                       {"data", "pack"},
                                                       {"data", "preview"},
                                                       {"train"},
                                                       {"pretrain", "simmim"},
                                                       {"evaluate"},
                                                       {"compare"},
                                                       {"predict"},
                                                       {"inspect"},
                                                       {"convert"},
                                                       {"export"},
                                                       {"features"},
                                                       {"pretrain", "classify"},
                                                       {"quantize"},
                                                       {"bench"}};
  const std::string bash = text("bash-completion/completions/medurwkv");
  const std::string zsh = text("zsh/site-functions/_medurwkv");
  const std::string fish = text("fish/vendor_completions.d/medurwkv.fish");
  for (const auto& command : commands) {
    const std::string name = join(command, "-");
    SCOPED_TRACE(name);
    const std::string man = text(concat("man/man1/medurwkv-", name, ".1"));
    const std::vector<std::string> options = options_in_help(command);
    EXPECT_GT(options.size(), 2U);
    for (const std::string& option : options) {
      std::string in_roff;
      for (const char c : option) in_roff += c == '-' ? std::string("\\-") : std::string(1, c);
      EXPECT_TRUE(contains(man, concat(".B ", in_roff))) << option;
      EXPECT_TRUE(contains(bash, option)) << option;
      EXPECT_TRUE(contains(zsh, concat("'", option, "["))) << option;
      EXPECT_TRUE(contains(fish, concat("-l ", option.substr(2), " "))) << option;
    }
  }
  EXPECT_TRUE(contains(text("man/man1/medurwkv.1"), "evaluate"));
  EXPECT_TRUE(contains(text("man/man1/medurwkv-evaluate.1"), "Score a model"));
}

TEST_F(Manuals, BashCompletes) {
  EXPECT_EQ(completed("medurwkv eval", 1), "evaluate");
  EXPECT_EQ(completed("medurwkv data spl", 2), "split");
  EXPECT_EQ(completed("medurwkv evaluate --part t", 3), "test train");
  EXPECT_EQ(completed("medurwkv data check FOLDER --spl", 4), "--split");
  EXPECT_EQ(completed("medurwkv predict some.model imag", 3), "") << "files, by bash's own default";
}

}  // namespace
}  // namespace medurwkv
