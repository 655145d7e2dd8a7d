// The --group-by that is suggested: with it, group_by gives exactly the patients of names that look
// like slices; nothing is suggested for ordinary names.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "data/layout/layout.h"
#include "data/layout/names.h"
#include "data/split/split.h"
#include "support/paths.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using Groups = std::set<std::set<std::string>>;

std::optional<std::string> suggestion_for(const std::vector<Case>& cases) {
  std::vector<std::string> names;
  for (const Case& item : cases) names.push_back(name_in_folder(item));
  return suggested_group_pattern(names);
}

Groups groups_by(std::vector<Case> cases, const std::string& pattern) {
  group_by(cases, pattern);
  std::map<std::string, std::set<std::string>> groups;
  for (const Case& item : cases) groups[item.group].insert(item.id);
  Groups out;
  for (const auto& [unused, ids] : groups) out.insert(ids);
  return out;
}

Case named(const std::string& id, const std::string& folder = "") {
  Case out{.id = id, .group = id, .images = {}, .masks = {}};
  out.folder = folder;
  return out;
}

struct Patients {
  std::vector<Case> cases;
  Groups groups;

  void add(const std::vector<Case>& patient) {
    std::set<std::string> ids;
    for (const Case& item : patient) ids.insert(item.id);
    cases.insert(cases.end(), patient.begin(), patient.end());
    groups.insert(ids);
  }
};

/// Four patients with 3, 5, 7 and 9 slices, named `before` patient `between` slice `after`.
Patients slices(const std::string& before, const std::string& between, const std::string& after) {
  Patients out;
  for (int p = 0; p < 4; ++p) {
    std::vector<Case> patient;
    for (int s = 0; s < 2 * p + 3; ++s) {
      patient.push_back(
          named(before + std::to_string(4900 + 17 * p) + between + std::to_string(s) + after));
    }
    out.add(patient);
  }
  return out;
}

TEST(GroupHint, GivesThePatients) {
  const std::vector<Patients> sets{slices("TCGA_CS_", "_19960909_", ""),
                                   slices("", "_", ""),
                                   slices("vol", "_slice_", ""),
                                   slices("p", "-s", ""),
                                   slices("scan ", "_z", ""),
                                   slices("P", ".", ""),
                                   slices("P", " (", ")"),
                                   slices("a_", "_img", "")};
  for (const Patients& set : sets) {
    const auto pattern = suggestion_for(set.cases);
    ASSERT_TRUE(pattern) << set.cases.front().id;
    EXPECT_EQ(groups_by(set.cases, *pattern), set.groups) << *pattern;
  }
  EXPECT_EQ(suggestion_for(slices("P", "_", "").cases), "^(.+)_[0-9]+$");
}

TEST(GroupHint, AFolderPerPatient) {
  Patients set;
  for (int p = 0; p < 4; ++p) {
    std::vector<Case> patient;
    for (int s = 0; s < 2 * p + 2; ++s) {
      // A slice that one patient alone has is called without its folder.
      const std::string folder = "P" + std::to_string(p) + "/";
      const bool alone = p == 3 && s > 5;
      patient.push_back(named((alone ? "" : folder) + std::to_string(s), folder));
    }
    set.add(patient);
  }
  const auto pattern = suggestion_for(set.cases);
  EXPECT_EQ(pattern, "^([^/]+)/");
  EXPECT_EQ(groups_by(set.cases, *pattern), set.groups);
}

// A patient's visits are in folders of their own, below those of the parts.
TEST(GroupHint, TheOutermostFolderOfPatients) {
  Patients set;
  for (int p = 0; p < 6; ++p) {
    const std::string place =
        std::string(p < 4 ? "train" : "test") + "/sub-0" + std::to_string(p) + "/";
    std::vector<Case> patient;
    for (const char* visit : {"ses-1/", "ses-2/"}) {
      for (const char* slice : {"1", "2"})
        patient.push_back(named(place + visit + slice, place + visit));
    }
    set.add(patient);
  }
  const auto pattern = suggestion_for(set.cases);
  ASSERT_TRUE(pattern);
  EXPECT_EQ(groups_by(set.cases, *pattern), set.groups) << *pattern;
}

// Tiles of slides, by row and column in pixels.
TEST(GroupHint, TilesOfSlides) {
  Patients set;
  for (int p = 1; p < 5; ++p) {
    std::vector<Case> slide;
    for (int t = 0; t < 12; ++t) {
      slide.push_back(named("slide" + std::to_string(p) + "_" + std::to_string(t / 4 * 256) + "_" +
                            std::to_string(t % 4 * 256)));
    }
    set.add(slide);
  }
  const auto pattern = suggestion_for(set.cases);
  ASSERT_TRUE(pattern);
  EXPECT_EQ(groups_by(set.cases, *pattern), set.groups) << *pattern;
}

TEST(GroupHint, IsSilentForOrdinaryNames) {
  const auto many = [](const auto& name) {
    std::vector<std::string> out;
    for (int i = 0; i < 60; ++i) out.push_back(name(i));
    return out;
  };
  const auto text = [](int i) { return std::to_string(i); };
  const std::vector<std::vector<std::string>> sets{
      many([&](int i) { return "img_" + text(i); }),
      many([&](int i) { return text(i); }),
      many([&](int i) { return "ISIC_" + text(1000000 + 37 * i); }),
      many([&](int i) {
        return std::string(i % 3 == 0   ? "benign"
                           : i % 3 == 1 ? "malignant"
                                        : "normal") +
               " (" + text(i) + ")";
      }),
      many([&](int i) { return "2007_" + text(100000 + 391 * i); }),
      many([&](int i) { return text(2007 + i % 5) + "_" + text(100000 + i * 397 % 9973); }),
      many([&](int i) {
        return "IMG_" + text(20190101 + i % 7) + "_" + text(100000 + i * 7919 % 130000);
      }),
      many([&](int i) {
        return "test/" +
               std::string(i % 3 == 0   ? "CVC-300"
                           : i % 3 == 1 ? "Kvasir"
                                        : "ETIS") +
               "/" + text(i);
      }),
      many([&](int i) { return "fold" + text(i % 5) + "/" + text(i); }),
      many([&](int i) { return "IDRiD_" + text(i) + "_OD"; }),
      many([&](int i) { return text(i % 30) + (i < 30 ? "_dr" : "_g"); }),
      many([&](int i) { return "patient" + text(i % 6) + "_slice_" + text(i); }),
      {},
      {"a"}};
  for (const auto& names : sets) {
    const auto pattern = suggested_group_pattern(names);
    EXPECT_FALSE(pattern) << *pattern << " for " << names.front();
  }
}

TEST(GroupHint, IsSilentForRealSets) {
  const fs::path sets = test::shared_folder() / "data";
  if (!fs::exists(sets)) GTEST_SKIP() << sets << " is not there";
  for (const char* set :
       {"acdc_slices", "busi_subset", "dsb2018_nuclei", "isic_subset", "kvasir_seg"}) {
    const auto cases = find_layout(sets / set).cases;
    ASSERT_GT(cases.size(), 50U) << set;
    EXPECT_FALSE(suggestion_for(cases)) << set;
  }
}

}  // namespace
}  // namespace medurwkv::data
