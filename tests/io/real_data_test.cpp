// `data check` on five real data sets: as many pairs as their READMEs state, and the findings that
// docs/check-data.md lists, each of which was looked at. Skips without them.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <utility>

#include "core/listener.h"
#include "data/check/faults.h"
#include "support/paths.h"

namespace medurwkv::data {
namespace {

struct Set {
  std::string name;
  std::int64_t pairs;
  std::string encoding;
  std::size_t classes;
  /// Kind and file of each finding.
  std::set<std::pair<std::string, std::string>> findings = {};
};

void PrintTo(const Set& set, std::ostream* out) {
  *out << set.name;
}

class RealData : public ::testing::TestWithParam<Set> {};

TEST_P(RealData, IsFoundWhole) {
  const auto& [name, pairs, encoding, classes, findings] = GetParam();
  const std::filesystem::path root = test::shared_folder() / "data" / name;
  if (!std::filesystem::exists(root)) {
    GTEST_SKIP() << root << " is not there (MEDURWKV_SHARED names the folder above it)";
  }
  const CheckReport report = check_dataset(root, {}, silence());
  EXPECT_EQ(report.pairs, pairs);
  EXPECT_EQ(report.encoding, encoding);
  EXPECT_EQ(report.classes.size(), classes);
  EXPECT_EQ(report.errors(), 0);
  std::set<std::pair<std::string, std::string>> found;
  for (const Fault& fault : report.faults) {
    found.emplace(fault.kind, std::filesystem::path(fault.where).stem().string());
  }
  EXPECT_EQ(found, findings);
  EXPECT_EQ(found.size(), report.faults.size()) << "each once";
}

/// One person under two numbers, and outer slices where nothing was drawn.
std::set<std::pair<std::string, std::string>> findings_in_acdc() {
  std::set<std::pair<std::string, std::string>> out{{"empty-mask", "patient006_frame16_slice_00"},
                                                    {"empty-mask", "patient026_frame12_slice_00"},
                                                    {"empty-mask", "patient054_frame12_slice_07"},
                                                    {"empty-mask", "patient067_frame10_slice_09"}};
  for (int slice = 0; slice < 8; ++slice) {
    out.emplace("near-duplicate", "patient076_frame12_slice_0" + std::to_string(slice));
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(
    Sets, RealData,
    ::testing::Values(
        Set{"isic_subset", 300, "binary", 2},
        Set{"kvasir_seg", 240, "binary", 2, {{"near-duplicate", "cju77k828z46w0871r0avuoo9"}}},
        Set{"acdc_slices", 193, "index", 4, findings_in_acdc()},
        Set{"dsb2018_nuclei", 120, "binary", 2},
        Set{"busi_subset",
            90,
            "binary",
            2,
            {{"near-duplicate", "malignant (5)"},
             {"near-duplicate", "malignant (8)"},
             {"near-duplicate", "malignant (9)"},
             {"near-duplicate", "normal (44)"},
             {"near-duplicate", "normal (47)"},
             {"near-duplicate", "normal (48)"},
             {"near-duplicate", "normal (50)"}}}));

}  // namespace
}  // namespace medurwkv::data
