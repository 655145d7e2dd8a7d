// Laws of a split that hold for any set: every case once, bundles whole, shares within a bundle,
// the same wherever the folder lies; and split files that are no split files.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/listener.h"
#include "core/threads.h"
#include "data/layout/dataset.h"
#include "data/split/split.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// Sets of files with the given contents; what would be decoded of them is given instead.
class SplitLaws : public ::testing::Test {
 protected:
  void add(const std::string& id, const std::string& group, const std::string& contents) {
    Case item{
        .id = id, .group = group, .images = {{folder_.path() / (id + ".image")}}, .masks = {}};
    item.masks.push_back({folder_.path() / (id + ".mask")});
    std::ofstream(item.images.front().file) << contents;
    std::ofstream(item.masks.front().file) << "mask of " << id;
    dataset_.cases.push_back(std::move(item));
    dataset_.root = folder_.path();
    dataset_.classes = {{"background", {}}, {"foreground", {}}};
  }
  [[nodiscard]] static std::vector<CaseTraits> traits(const Dataset& dataset) {
    std::vector<CaseTraits> out;
    for (const Case& item : dataset.cases) {
      out.push_back({read_file(item.images.front().file), {}, {}});
    }
    return out;
  }
  [[nodiscard]] static SplitPlan plan(const Dataset& dataset, const SplitRatios& ratios,
                                      std::uint64_t seed) {
    return make_split(dataset, traits(dataset), {.ratios = ratios, .seed = seed}, silence());
  }
  [[nodiscard]] static Split split_of(const Dataset& dataset, const SplitRatios& ratios,
                                      std::uint64_t seed) {
    return plan(dataset, ratios, seed).parts;
  }
  /// A part (0, 1, 2) per id; every id must be there exactly once.
  std::map<std::string, int> parts(const Split& split) const {
    std::map<std::string, int> out;
    int part = 0;
    for (const auto* ids : {&split.train, &split.val, &split.test}) {
      EXPECT_TRUE(std::is_sorted(ids->begin(), ids->end()));
      for (const std::string& id : *ids) EXPECT_TRUE(out.emplace(id, part).second) << id;
      ++part;
    }
    EXPECT_EQ(out.size(), dataset_.cases.size());
    return out;
  }

  test::TemporaryFolder folder_;
  Dataset dataset_;
};

// a and b are one image, b and c one patient, c and d one image: the four are one bundle though a
// and d share nothing.
TEST_F(SplitLaws, GroupsAndDuplicatesChain) {
  add("a", "a", "first picture");
  add("b", "p", "first picture");
  add("c", "p", "second picture");
  add("d", "d", "second picture");
  for (int i = 0; i < 12; ++i) {
    const std::string name = "x" + std::to_string(i);
    add(name, name, "picture of " + name);
  }
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const auto part = parts(split_of(dataset_, {.train = 0.4, .val = 0.3, .test = 0.3}, seed));
    EXPECT_EQ(part.at("a"), part.at("b"));
    EXPECT_EQ(part.at("b"), part.at("c"));
    EXPECT_EQ(part.at("c"), part.at("d"));
  }
}

// A bundle goes where the share is short, so no part passes its share by a whole bundle, and a part
// lacks no more than the other two have too much.
TEST_F(SplitLaws, SharesAreMetWithinABundle) {
  std::mt19937 bits(8);
  std::size_t largest = 0;
  for (int group = 0; group < 25; ++group) {
    const std::size_t size = 1 + bits() % 6;
    largest = std::max(largest, size);
    for (std::size_t i = 0; i < size; ++i) {
      const std::string id = "g" + std::to_string(group) + "_" + std::to_string(i);
      add(id, "g" + std::to_string(group), id);
    }
  }
  for (const std::array<double, 3>& shares :
       {std::array{0.7, 0.1, 0.2}, std::array{1.0, 1.0, 1.0}, std::array{90.0, 5.0, 5.0}}) {
    const double sum = shares[0] + shares[1] + shares[2];
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      const Split split = split_of(dataset_, {shares[0], shares[1], shares[2]}, seed);
      parts(split);
      const std::array sizes{split.train.size(), split.val.size(), split.test.size()};
      for (std::size_t p = 0; p < 3; ++p) {
        const double target = shares[p] / sum * static_cast<double>(dataset_.cases.size());
        EXPECT_LT(static_cast<double>(sizes[p]), target + static_cast<double>(largest));
        EXPECT_GT(static_cast<double>(sizes[p]), target - 2 * static_cast<double>(largest));
        EXPECT_GE(sizes[p], 1U) << "a part that was asked for";
      }
    }
  }
}

TEST_F(SplitLaws, APartOfShareZeroIsEmpty) {
  for (int i = 0; i < 9; ++i) add(std::to_string(i), std::to_string(i), std::to_string(i));
  const Split two = split_of(dataset_, {.train = 2, .val = 0, .test = 1}, 3);
  EXPECT_EQ(two.train.size(), 6U);
  EXPECT_TRUE(two.val.empty());
  EXPECT_EQ(two.test.size(), 3U);
  EXPECT_EQ(split_of(dataset_, {.train = 0, .val = 0, .test = 0.5}, 3).test.size(), 9U);
}

TEST_F(SplitLaws, SharesThatAreNoneAreUsageErrors) {
  add("a", "a", "a");
  for (const SplitRatios& ratios :
       {SplitRatios{0, 0, 0}, SplitRatios{0.5, -0.1, 0.6}, SplitRatios{std::nan(""), 0.5, 0.5},
        SplitRatios{0.5, std::nan(""), 0.5}, SplitRatios{0.5, 0.5, std::nan("")},
        SplitRatios{HUGE_VAL, 0.5, 0.5}}) {
    const auto refused = test::refusal_of([&] { return split_of(dataset_, ratios, 0); });
    ASSERT_TRUE(refused) << ratios.train << " " << ratios.val << " " << ratios.test;
    EXPECT_EQ(refused->kind, ErrorKind::usage);
  }
}

// The result is a function of names, contents, shares and seed: not of the folder, of the number of
// threads, or of the run.
TEST_F(SplitLaws, AreTheSameElsewhereAndOnAnyThreads) {
  add("patient1_a", "patient1", "1a");
  for (int i = 0; i < 20; ++i) add("c" + std::to_string(i), "c" + std::to_string(i), "same");
  for (int i = 0; i < 20; ++i) {
    const std::string name = "d" + std::to_string(i);
    add(name, name, name);
  }
  const SplitRatios ratios{.train = 0.6, .val = 0.2, .test = 0.2};
  const Split here = split_of(dataset_, ratios, 77);
  const test::TemporaryFolder other;
  Dataset moved = dataset_;
  for (Case& item : moved.cases) {
    for (fs::path* path : {&item.images.front().file, &item.masks.front().file}) {
      fs::copy_file(*path, other.path() / path->filename());
      *path = other.path() / path->filename();
    }
  }
  moved.root = other.path();
  const int threads = thread_count();
  set_thread_count(3);
  const Split there = split_of(moved, ratios, 77);
  set_thread_count(threads);
  EXPECT_EQ(here.train, there.train);
  EXPECT_EQ(here.val, there.val);
  EXPECT_EQ(here.test, there.test);
  EXPECT_EQ(here.data_sha256, there.data_sha256);
  EXPECT_EQ(split_to_json(dataset_, plan(dataset_, ratios, 77)),
            split_to_json(moved, plan(moved, ratios, 77)));
}

TEST_F(SplitLaws, PartsAreTakenByName) {
  for (int i = 0; i < 10; ++i) add(std::to_string(i), std::to_string(i), std::to_string(i));
  const Split split = split_of(dataset_, {.train = 0.5, .val = 0.2, .test = 0.3}, 0);
  const auto ids = [&](const std::string& part) {
    std::vector<std::string> out;
    for (const Case& item : part_of(dataset_, split, part)) out.push_back(item.id);
    return out;
  };
  EXPECT_EQ(ids("train"), split.train);
  EXPECT_EQ(ids("val"), split.val);
  EXPECT_EQ(ids("test"), split.test);
  EXPECT_EQ(ids("all").size(), 10U);
  const auto refused = test::refusal_of([&] { return part_of(dataset_, split, "valid"); });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::usage);
}

// One byte of one file, a name, a case more or less: each is other data.
TEST_F(SplitLaws, TheHashSeesEveryChange) {
  for (int i = 0; i < 4; ++i) add(std::to_string(i), std::to_string(i), std::to_string(i));
  std::set<std::string> hashes{content_hash(dataset_)};
  const auto expect_new = [&](const Dataset& changed, const char* what) {
    EXPECT_TRUE(hashes.insert(content_hash(changed)).second) << what;
  };
  Dataset fewer = dataset_;
  fewer.cases.pop_back();
  expect_new(fewer, "a case less");
  Dataset renamed = dataset_;
  renamed.cases.back().id = "9";
  expect_new(renamed, "another name");
  Dataset exchanged = dataset_;
  std::swap(exchanged.cases[0].masks, exchanged.cases[1].masks);
  expect_new(exchanged, "masks exchanged");
  write_file(dataset_.cases[2].masks.front().file, std::string_view("mask of 3"));
  expect_new(dataset_, "a mask changed");
  write_file(dataset_.cases[1].images.front().file, std::string_view("2"));
  expect_new(dataset_, "an image changed");
}

// Whatever the file holds, the error is ours and names it.
TEST_F(SplitLaws, FilesThatAreNoSplitsAreRefusedByName) {
  for (int i = 0; i < 5; ++i) add(std::to_string(i), std::to_string(i), std::to_string(i));
  const SplitRatios ratios;
  const nlohmann::json good = split_to_json(dataset_, plan(dataset_, ratios, 1));
  const fs::path file = folder_.path() / "some_split.json";
  const auto expect_refused = [&](const std::string& text, bool options_too) {
    write_file(file, text);
    const auto read = test::refusal_of([&] { return read_split(file, dataset_); });
    const auto options = test::refusal_of([&] { return split_options(file); });
    ASSERT_TRUE(!options_too || options) << text;
    ASSERT_TRUE(options_too || read) << text;
    for (const auto& refused : {read, options}) {
      if (!refused) continue;
      EXPECT_EQ(refused->kind, ErrorKind::failure) << refused->message;
      EXPECT_TRUE(refused->names("some_split.json")) << refused->message;
    }
  };
  write_file(file, good.dump());
  ASSERT_FALSE(test::refusal_of([&] { return read_split(file, dataset_); }));
  ASSERT_FALSE(test::refusal_of([&] { return split_options(file); }));
  for (const char* text :
       {"", "{", "[]", "null", "5", "\"medurwkv-split\"", "{}", R"({"format":5})",
        R"({"format":null})", R"({"format":["x"]})", R"({"format":"medurwkv-split"})",
        R"({"format":"medurwkv-split","format_version":"1"})",
        R"({"format":"medurwkv-split","format_version":null})",
        R"({"format":"medurwkv-split","format_version":[1]})", "\xff\xfe",
        "{\"format\":\"\xff\"}"}) {
    expect_refused(text, true);
  }
  for (const char* key : {"train", "val", "test", "data_sha256"}) {
    for (const nlohmann::json& value :
         {nlohmann::json(), nlohmann::json(7), nlohmann::json::array({1, 2}),
          nlohmann::json::object({{"a", "b"}})}) {
      nlohmann::json broken = good;
      broken[key] = value;
      expect_refused(broken.dump(), false);
    }
    nlohmann::json without = good;
    without.erase(key);
    expect_refused(without.dump(), false);
  }
  for (const char* key : {"mask_encoding", "classes"}) {
    for (const nlohmann::json& value : {nlohmann::json(), nlohmann::json(7),
                                        nlohmann::json("rainbow"), nlohmann::json::array({1})}) {
      nlohmann::json broken = good;
      broken[key] = value;
      expect_refused(broken.dump(), true);
    }
  }
  expect_refused(std::string(200'000, '['), true);
}

// Folds hold every case but the test's once; each takes its turn as val.
TEST_F(SplitLaws, FoldsTakeTurns) {
  for (int i = 0; i < 23; ++i) {
    const std::string name = "p" + std::to_string(i / 2) + "_" + std::to_string(i);
    add(name, "p" + std::to_string(i / 2), name);
  }
  SplitRequest request{.ratios = {.test = 0.2}, .folds = 4};
  const SplitPlan made = make_split(dataset_, traits(dataset_), request, silence());
  EXPECT_NEAR(static_cast<double>(made.parts.test.size()), 0.2 * 23, 2);
  std::set<std::string> in_val;
  for (int k = 1; k <= 4; ++k) {
    const Split split = parts_of(made, k);
    parts(split);
    EXPECT_EQ(split.test, made.parts.test);
    EXPECT_EQ(split.val, made.folds[static_cast<std::size_t>(k - 1)]);
    for (const std::string& id : split.val) {
      EXPECT_TRUE(in_val.insert(id).second) << id << " is val twice";
      for (const std::string& other : split.train) {
        EXPECT_NE(id.substr(0, id.find('_')), other.substr(0, other.find('_'))) << "a patient";
      }
    }
  }
  EXPECT_EQ(in_val.size() + made.parts.test.size(), 23U);
  const fs::path file = folder_.path() / "folds.json";
  write_file(file, split_to_json(dataset_, made).dump());
  EXPECT_EQ(read_split(file, dataset_, 3).train, parts_of(made, 3).train);
  for (const std::optional<int> fold : {std::optional<int>{}, {0}, {5}, {-1}}) {
    const auto refused = test::refusal_of([&] { return read_split(file, dataset_, fold); });
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->kind, ErrorKind::usage);
    EXPECT_TRUE(refused->names("--fold 1 to --fold 4")) << refused->message;
  }
  // What has no folds takes none.
  write_file(file, split_to_json(dataset_, plan(dataset_, {}, 0)).dump());
  EXPECT_TRUE(test::refusal_of([&] { return read_split(file, dataset_, 1); }));
  request.folds = 13;
  EXPECT_TRUE(test::refusal_of([&] {
    return make_split(dataset_, traits(dataset_), request, silence());
  })) << "more folds than patients";
}

TEST_F(SplitLaws, PartsOfTheSetItselfAreKept) {
  for (int i = 0; i < 20; ++i) add(std::to_string(100 + i), std::to_string(100 + i), "");
  for (int i = 0; i < 20; ++i) {
    dataset_.cases[static_cast<std::size_t>(i)].part = i < 15 ? "train" : i < 19 ? "test" : "";
  }
  std::vector<CaseTraits> unlike(20);
  const SplitPlan made = make_split(dataset_, unlike, {.official = true}, silence());
  EXPECT_EQ(made.parts.test, (std::vector<std::string>{"115", "116", "117", "118"}));
  EXPECT_EQ(made.parts.train.size(), 13U) << "an eighth of it is val, as 0.1 of 0.8";
  EXPECT_EQ(made.parts.val.size(), 2U);
  for (const auto* part : {&made.parts.train, &made.parts.val}) {
    for (const std::string& id : *part) EXPECT_LT(id, "115");
  }
  const SplitPlan folds = make_split(dataset_, unlike, {.folds = 3, .official = true}, silence());
  EXPECT_EQ(folds.parts.test, made.parts.test);
  for (const auto& fold : folds.folds) EXPECT_EQ(fold.size(), 5U);
  for (Case& item : dataset_.cases) item.part.clear();
  EXPECT_TRUE(test::refusal_of(
      [&] { return make_split(dataset_, unlike, {.official = true}, silence()); }));
}

TEST_F(SplitLaws, GroupsByAPattern) {
  std::vector<Case> cases(3);
  cases[0].id = "slide-7_tile-1";
  cases[1].id = "slide-7_tile-2";
  cases[2].id = "slide-12_tile-1";
  group_by(cases, "slide-[0-9]+");
  EXPECT_EQ(cases[0].group, "slide-7");
  EXPECT_EQ(cases[1].group, "slide-7");
  EXPECT_EQ(cases[2].group, "slide-12");
  group_by(cases, "e-([0-9]+)_tile-([0-9])");
  EXPECT_EQ(cases[2].group, "12 1");
  for (const char* pattern : {"slide-7", "(", "*"}) {
    const auto refused = test::refusal_of([&] {
      group_by(cases, pattern);
      return 0;
    });
    ASSERT_TRUE(refused) << pattern;
    EXPECT_EQ(refused->kind, ErrorKind::usage);
    EXPECT_TRUE(refused->names("--group-by")) << refused->message;
  }
  const auto refused = test::refusal_of([&] {
    group_by(cases, "slide-7");
    return 0;
  });
  EXPECT_TRUE(refused->names("slide-12_tile-1")) << refused->message;
}

// A changed file is named, so that one knows what to restore.
TEST_F(SplitLaws, WhatChangedIsNamed) {
  for (int i = 0; i < 6; ++i) add(std::to_string(i), std::to_string(i), std::to_string(i));
  const fs::path file = folder_.path() / "split.json";
  write_file(file, split_to_json(dataset_, plan(dataset_, {}, 0)).dump());
  write_file(dataset_.cases[4].masks.front().file, std::string_view("another mask"));
  const auto changed = test::refusal_of([&] { return read_split(file, dataset_); });
  ASSERT_TRUE(changed);
  EXPECT_TRUE(changed->names("4 has changed")) << changed->message;
  Dataset more = dataset_;
  more.cases.push_back(more.cases.front());
  more.cases.back().id = "7";
  EXPECT_TRUE(test::refusal_of([&] { return read_split(file, more); })->names("7 is new"));
}

// A file of version 1 as 0.1 wrote it, without the keys that came later.
TEST_F(SplitLaws, OldFilesAreReadOn) {
  for (int i = 0; i < 5; ++i) add(std::to_string(i), std::to_string(i), std::to_string(i));
  const fs::path file = folder_.path() / "split.json";
  const nlohmann::json old{{"format", "medurwkv-split"},
                           {"format_version", 1},
                           {"medurwkv", "0.1.0"},
                           {"seed", 0},
                           {"ratios", {0.7, 0.1, 0.2}},
                           {"mask_encoding", "binary"},
                           {"classes", {"background", "foreground"}},
                           {"data_sha256", content_hash(dataset_)},
                           {"train", {"0", "1", "4"}},
                           {"val", {"2"}},
                           {"test", {"3"}}};
  write_file(file, old.dump());
  EXPECT_EQ(read_split(file, dataset_).train, (std::vector<std::string>{"0", "1", "4"}));
  EXPECT_EQ(split_options(file).classes.size(), 2U);
}

}  // namespace
}  // namespace medurwkv::data
