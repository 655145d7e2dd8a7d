// Golden files: where they are, what they hold, how far a result may be off.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "support/paths.h"
#include "weights/tensor_file.h"

namespace medurwkv::test {

/// Path of a golden file, in the project or in the shared folder; empty when it is in neither.
inline std::filesystem::path golden_path(const std::string& name) {
  const std::string file = name + ".safetensors";
  for (const std::filesystem::path& folder :
       {source_folder() / "tests/golden/data", shared_folder() / "golden"}) {
    if (std::filesystem::exists(folder / file)) return folder / file;
  }
  return {};
}

/// Files that one test goes through: a process per file would take LibTorch longer to start than to
/// compute. Either all of them are in the project or none.
struct GoldenGroup {
  std::string name;
  std::vector<std::string> files;
};

inline void PrintTo(const GoldenGroup& group, std::ostream* out) {
  *out << group.name;
}

/// What tolerances.json says of a file.
inline const nlohmann::json& golden_facts(const std::string& name) {
  static const nlohmann::json all = [] {
    std::ifstream in(source_folder() / "tests/golden/data/tolerances.json");
    return nlohmann::json::parse(in);
  }();
  return all.at(name);
}

/// Largest |element|.
inline double largest(const std::vector<double>& values) {
  double out = 0;
  for (const double value : values) out = std::max(out, std::abs(value));
  return out;
}

/// max |actual - expected| <= tolerance * scale, with scale = max |expected| unless given.
inline ::testing::AssertionResult is_close(const std::vector<double>& actual,
                                           const std::vector<double>& expected, double tolerance,
                                           double scale = -1) {
  if (actual.size() != expected.size()) {
    return ::testing::AssertionFailure()
           << actual.size() << " elements, expected " << expected.size();
  }
  if (scale < 0) scale = largest(expected);
  double worst = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double off = std::abs(actual[i] - expected[i]);
    if (!(off <= worst)) worst = std::isnan(off) ? HUGE_VAL : off;
  }
  if (worst <= tolerance * scale) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "off by " << worst << " where " << tolerance * scale
                                       << " is allowed (scale " << scale << ")";
}

}  // namespace medurwkv::test

// NOLINTBEGIN(bugprone-macro-parentheses): `file` is the name of a variable
/// Reads a golden file into `file`, or skips the test visibly.
#define MEDURWKV_GOLDEN_OR_SKIP(file, name)                                          \
  const std::filesystem::path file##_path = medurwkv::test::golden_path(name);       \
  if (file##_path.empty()) {                                                         \
    GTEST_SKIP() << (name) << ".safetensors is neither in tests/golden/data nor in " \
                 << medurwkv::test::shared_folder() / "golden"                       \
                 << " (set MEDURWKV_SHARED)";                                        \
  }                                                                                  \
  const auto file = medurwkv::weights::TensorFile::read(file##_path)
// NOLINTEND(bugprone-macro-parentheses)
