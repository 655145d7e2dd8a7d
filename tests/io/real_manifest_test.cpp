// Real sets against the manifests that came with them, made by another program: every case's size
// and share of foreground, and patients as groups. Skips without the sets.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/listener.h"
#include "core/text.h"
#include "data/check/examine.h"
#include "data/check/open.h"
#include "data/layout/dataset.h"
#include "data/split/split.h"
#include "support/paths.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

using Row = std::map<std::string, std::string>;

/// manifest.csv by id; no field of these holds a comma within quotes.
std::map<std::string, Row> read_manifest(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  const std::vector<std::string> names = split(trim(line), ',');
  std::map<std::string, Row> out;
  while (std::getline(in, line)) {
    const std::vector<std::string> fields = split(trim(line), ',');
    EXPECT_EQ(fields.size(), names.size()) << line;
    Row row;
    for (std::size_t i = 0; i < std::min(names.size(), fields.size()); ++i) {
      row[names[i]] = fields[i];
    }
    out[row["id"]] = row;
  }
  return out;
}

std::string without(const fs::path& root) {
  return concat(root, " is not there (MEDURWKV_SHARED names the folder above it)");
}

class RealManifest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    root_ = test::shared_folder() / "data" / GetParam();
    if (!fs::exists(root_ / "manifest.csv")) {
      GTEST_SKIP() << without(root_);
    }
  }
  fs::path root_;
};

// A mask given to another case, a union forgotten, a wrong cut or a class lost would each change a
// share. The manifests give shares with 5 decimals.
TEST_P(RealManifest, EveryCaseHasItsSizeAndShareOfForeground) {
  const std::map<std::string, Row> manifest = read_manifest(root_ / "manifest.csv");
  const Dataset dataset = open_dataset(root_);
  ASSERT_EQ(dataset.cases.size(), manifest.size());
  for (const Case& item : dataset.cases) {
    ASSERT_TRUE(manifest.contains(item.id)) << item.id;
    const Row& row = manifest.at(item.id);
    const LabelMap labels = read_labels(dataset, item);
    EXPECT_EQ(labels.width, std::stoll(row.at("width"))) << item.id;
    EXPECT_EQ(labels.height, std::stoll(row.at("height"))) << item.id;
    if (row.contains("masks")) {
      EXPECT_EQ(std::to_string(item.masks.size()), row.at("masks")) << item.id;
    }
    std::map<int, double> shares;
    for (const std::uint8_t label : labels.labels) {
      shares[label] += 1 / static_cast<double>(labels.labels.size());
    }
    EXPECT_NEAR(1 - shares[0], std::stod(row.at("fg_share")), 6e-6) << item.id;
    for (const auto& [name, value] : row) {
      if (!name.starts_with("share_")) continue;
      EXPECT_NEAR(shares[std::stoi(name.substr(6))], std::stod(value), 6e-6) << item.id;
    }
  }
}

// ACDC's manifest knows the patients: the groups are these, and no split parts one.
TEST(RealPatients, StayTogether) {
  const fs::path root = test::shared_folder() / "data/acdc_slices";
  if (!fs::exists(root / "manifest.csv")) GTEST_SKIP() << without(root);
  const std::map<std::string, Row> manifest = read_manifest(root / "manifest.csv");
  const Dataset dataset = open_dataset(root);
  std::set<std::string> groups;
  for (const Case& item : dataset.cases) {
    EXPECT_EQ(item.group, manifest.at(item.id).at("patient"));
    groups.insert(item.group);
  }
  EXPECT_EQ(groups.size(), 20U) << "the README's number";
  const Split split =
      make_split(dataset, traits_of(examine(root, {}, silence())), {.seed = 4}, silence()).parts;
  std::map<std::string, std::set<int>> parts;
  int part = 0;
  for (const auto* ids : {&split.train, &split.val, &split.test}) {
    for (const std::string& id : *ids) parts[manifest.at(id).at("patient")].insert(part);
    ++part;
  }
  for (const auto& [patient, in] : parts) EXPECT_EQ(in.size(), 1U) << patient;
}

INSTANTIATE_TEST_SUITE_P(Sets, RealManifest,
                         ::testing::Values("isic_subset", "kvasir_seg", "acdc_slices",
                                           "dsb2018_nuclei", "busi_subset"),
                         [](const auto& with) { return with.param; });

}  // namespace
}  // namespace medurwkv::data
