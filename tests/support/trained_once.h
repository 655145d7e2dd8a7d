// Trainings that many tests start from are run by the first test that asks; all others copy its
// folder. Each test is a process of its own, so what is kept lies below the build folder.
#pragma once

#include <fcntl.h>
#include <sys/file.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/descriptor.h"
#include "core/files.h"
#include "support/paths.h"
#include "support/process.h"

namespace medurwkv::test {

/// What decides the bits of a training apart from its words: program, libraries beside it and
/// instruction set. A program that was built anew has another one, so nothing stale is copied.
inline std::string build_key() {
  std::string parts;
  const std::filesystem::path folder = program_file().parent_path();
  for (const auto& file : {program_file(), folder / "libmedurwkv_training.so"}) {
    parts += sha256_file(file);
  }
  const char* isa = std::getenv("MEDURWKV_ISA");
  return sha256(parts + (isa == nullptr ? "" : isa)).substr(0, 16);
}

/// Runs the program with `words`, a training into the folder `root`/`out`; or copies the folder and
/// the outcome of the same words and split.json in another root. Failed ones are not kept.
inline Outcome trained_once(const std::filesystem::path& root, const std::string& out,
                            const Words& words) {
  namespace fs = std::filesystem;
  // Root and name differ between those who ask for the same training.
  const auto anywhere = [&](std::string text) {
    for (const auto& [path, name] :
         {std::pair{(root / out).string(), "OUT"}, std::pair{root.string(), "ROOT"}}) {
      for (std::size_t at = 0; (at = text.find(path, at)) != std::string::npos;) {
        text.replace(at, path.size(), name);
      }
    }
    return text;
  };
  std::string parts = anywhere(read_file(root / "split.json"));
  for (const std::string& word : words) parts += '\n' + anywhere(word);

  const fs::path all = program_file().parent_path() / "test-trainings";
  fs::create_directories(all);
  const Descriptor lock(::open((all / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (::flock(lock.get(), LOCK_EX) != 0) throw std::runtime_error("no lock in " + all.string());
  const fs::path build = all / build_key();
  const fs::path kept = build / sha256(parts).substr(0, 16);
  const fs::path record = kept / "outcome.json";
  if (fs::exists(record)) {
    fs::copy(kept / "run", root / out, fs::copy_options::recursive);
    const auto told = nlohmann::json::parse(read_file(record));
    return {.code = 0, .out = told.at("out"), .err = told.at("err"), .seconds = told.at("seconds")};
  }
  const Outcome outcome = run_program(words);
  if (outcome.code != 0) return outcome;
  for (const auto& entry : fs::directory_iterator(all)) {
    if (entry.path() != build && entry.is_directory()) fs::remove_all(entry.path());
  }
  fs::remove_all(kept);
  fs::create_directories(kept);
  fs::copy(root / out, kept / "run", fs::copy_options::recursive);
  // Written last: without it the folder is made anew.
  write_file(
      record,
      nlohmann::json{{"out", outcome.out}, {"err", outcome.err}, {"seconds", outcome.seconds}}
          .dump());
  return outcome;
}

}  // namespace medurwkv::test
