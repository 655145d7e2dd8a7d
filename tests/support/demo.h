// A small data set cut from the bundled one, a split of it, and a short training, for tests that
// run the program.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "support/paths.h"
#include "support/process.h"
#include "support/trained_once.h"

namespace medurwkv::test {

/// The first `count` pairs of data/demo, copied into `to`/images and `to`/masks.
inline void copy_pairs(const std::filesystem::path& to, std::size_t count) {
  namespace fs = std::filesystem;
  for (const std::string part : {"images", "masks"}) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(source_folder() / "data/demo" / part)) {
      files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    fs::create_directories(to / part);
    for (std::size_t i = 0; i < count; ++i) {
      fs::copy_file(files.at(i), to / part / files[i].filename());
    }
  }
}

/// A folder with data (12 pairs), split.json and room for runs.
class SmallWorld {
 public:
  SmallWorld() {
    copy_pairs(data(), 12);
    const Outcome outcome = run_program({"data", "split", data().string(), "--out",
                                         split().string(), "--ratios", "0.5", "0.25", "0.25"});
    if (outcome.code != 0) throw std::runtime_error(outcome.err);
  }
  [[nodiscard]] const std::filesystem::path& root() const { return folder_.path(); }
  [[nodiscard]] std::filesystem::path data() const { return root() / "data"; }
  [[nodiscard]] std::filesystem::path split() const { return root() / "split.json"; }

  /// Arguments of a training into `out`: six images, three steps an epoch, a fraction of a second
  /// each.
  [[nodiscard]] std::vector<std::string> training(const std::string& out,
                                                  const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"train",
                                   "--data",
                                   data().string(),
                                   "--split",
                                   split().string(),
                                   "--preset",
                                   "nano",
                                   "--size",
                                   "64",
                                   "--batch",
                                   "2",
                                   "--threads",
                                   "1",
                                   "--out",
                                   (root() / out).string()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  /// That training's folder and outcome, computed by the first test that asks (trained_once).
  [[nodiscard]] Outcome trained(const std::string& out, const Words& more) const {
    return trained_once(root(), out, training(out, more));
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace medurwkv::test
