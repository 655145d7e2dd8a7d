// scripts/break finds what it looks for: a program that does wrong is named, with the trial that
// shows it.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "core/files.h"
#include "support/process.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;

/// The program, but for four commands once the sound files are made (trials have a folder `out`):
/// inspect crashes, convert prints what colours a terminal, compare writes beside its folder, and
/// features takes 3 GB.
constexpr char broken[] = R"sh(#!/bin/sh
if [ -e out ]; then
  case "$1" in
    inspect) kill -SEGV $$ ;;
    convert) printf '\033[31m'; exit 0 ;;
    compare) echo more >>outside/file.txt; exit 0 ;;
    features) exec python3 -c 'held = bytearray(900 << 20); print(len(held))' ;;
  esac
fi
exec "PROGRAM" "$@"
)sh";

test::Outcome run_break(const std::string& only, const fs::path& program) {
  test::Start start;
  start.folder = test::source_folder();
  // The program's name, which comes last, is left alone.
  start.within = {"/bin/sh",
                  "-c",
                  "exec scripts/break 0.15 --seed 7 --gigabytes 0.5 --only \"$1\" --program \"$2\"",
                  "sh",
                  only,
                  program};
  return test::run_program({}, start);
}

TEST(Break, NamesACrashPrintedControlCharactersStrayWritesAndMemory) {
  const test::TemporaryFolder folder;
  const fs::path program = folder.path() / "broken";
  std::string text = broken;
  text.replace(text.find("PROGRAM"), 7, test::program_file());
  write_file(program, text);
  fs::permissions(program, fs::perms::owner_all);
  const test::Outcome outcome = run_break("inspect|convert|compare|features run", program);
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  for (const std::string part : {"ended by signal 11", "a control character was printed",
                                 "changed outside --out: outside/file.txt", "more than 0.5 GB",
                                 "repeat one with: scripts/break 1 --seed 7"}) {
    EXPECT_TRUE(test::contains(outcome.out, part)) << part << "\n" << outcome.out << outcome.err;
  }
}

TEST(Break, TakesWhatTheProgramDoesRight) {
  const test::Outcome outcome = run_break("^split.json data check", test::program_file());
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_TRUE(test::contains(outcome.out, "0 failed")) << outcome.out;
  EXPECT_TRUE(test::contains(outcome.out, "1 of 1 pairs")) << outcome.out;
}

}  // namespace
}  // namespace medurwkv
