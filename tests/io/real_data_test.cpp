// `data check` on five real data sets: as many pairs as their READMEs state, none broken. Skips
// without them.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "data/faults.h"
#include "support/paths.h"

namespace medurwkv::data {
namespace {

struct Set {
  std::string name;
  std::int64_t pairs;
  std::string encoding;
  std::size_t classes;
};

void PrintTo(const Set& set, std::ostream* out) {
  *out << set.name;
}

class RealData : public ::testing::TestWithParam<Set> {};

TEST_P(RealData, IsFoundWhole) {
  const auto& [name, pairs, encoding, classes] = GetParam();
  const std::filesystem::path root = test::shared_folder() / "data" / name;
  if (!std::filesystem::exists(root)) {
    GTEST_SKIP() << root << " is not there (MEDURWKV_SHARED names the folder above it)";
  }
  const StopSignal stop{0};
  const CheckReport report = check_dataset(root, {}, stop, true);
  EXPECT_EQ(report.pairs, pairs);
  EXPECT_EQ(report.encoding, encoding);
  EXPECT_EQ(report.classes.size(), classes);
  for (const Fault& fault : report.faults) {
    EXPECT_NE(fault.severity, Severity::error)
        << fault.kind << " " << fault.where << " " << fault.what;
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, RealData,
                         ::testing::Values(Set{"isic_subset", 300, "binary", 2},
                                           Set{"kvasir_seg", 240, "binary", 2},
                                           Set{"acdc_slices", 193, "index", 4},
                                           Set{"dsb2018_nuclei", 120, "binary", 2},
                                           Set{"busi_subset", 90, "binary", 2}));

}  // namespace
}  // namespace medurwkv::data
