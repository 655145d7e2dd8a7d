// Configurations: what is refused and in what words, what is written and read back, regions.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/text.h"
#include "support/paths.h"
#include "support/refusal.h"
#include "train/run/config.h"

namespace medurwkv {
namespace {

using train::Config;
using train::load_config;

/// Refused as wrong usage, with every one of the words.
template <class Call>
void expect_refusal(const std::vector<std::string>& words, const Call& call) {
  const auto refusal = test::refusal_of(call);
  ASSERT_TRUE(refusal) << words.front();
  EXPECT_EQ(refusal->kind, ErrorKind::usage);
  for (const std::string& word : words) {
    EXPECT_TRUE(refusal->names(word)) << word << ": " << refusal->message;
  }
}

TEST(TrainConfig, UnknownKeysAreRefusedWithTheNearest) {
  expect_refusal({"optimizer.emma", "optimizer.ema"},
                 [] { return load_config({}, {"optimizer.emma=0.9"}); });
  expect_refusal({"lost.dice", "loss.dice"},
                 [] { return train::parse_config("[lost]\ndice = 1\n", "a.toml"); });
}

TEST(TrainConfig, ValuesOfAnotherTypeOrRangeAreRefused) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"run.batch=0", "out of range"},
      {"optimizer.ema=1", "out of range"},
      {"loss.class_weights=3", "list of numbers"},
      {"loss.class_weights=[1, -1]", "out of range"},
      {"loss.deep_supervision=1", "true or false"},
      {"run.precision=bfloat", "bfloat16"},
      {"encoder.frozen_epochs=2.5", "whole number"},
      {"run.patience", "key=value"}};
  for (const auto& one : wrong) {
    const std::string& setting = one.first;
    expect_refusal({one.second}, [&] { return load_config({}, {setting}); });
  }
  expect_refusal({"nothing would be learned"}, [] {
    return load_config({}, {"loss.dice=0", "loss.cross_entropy=0"});
  });
}

TEST(TrainConfig, EverySettingReadsBackAsWritten) {
  const Config set = load_config(
      {}, {"loss.class_weights=[0.25, 1]", "loss.regions=1+2, 2", "loss.deep_supervision=true",
           "optimizer.ema=0.99", "run.patience=7", "encoder.rate_decay=0.9"});
  const std::string written = train::to_toml(set);
  const Config back = train::parse_config(written, "written");
  EXPECT_EQ(train::to_toml(back), written);
  EXPECT_EQ(back.loss.class_weights, (std::vector<double>{0.25, 1}));
  EXPECT_EQ(back.loss.regions, "1+2, 2");
  EXPECT_TRUE(back.loss.deep_supervision);
  EXPECT_EQ(back.run.patience, 7);
  for (const train::Setting& setting : train::settings()) {
    if (setting.value.empty()) continue;  // unset until the network is known
    const std::string leaf = setting.key.substr(setting.key.find('.') + 1);
    EXPECT_NE(written.find("\n" + leaf + " = "), std::string::npos) << setting.key;
  }
}

// A checkpoint of an earlier version has fewer settings: it stands for the defaults of the others.
TEST(TrainConfig, AShorterConfigurationIsTheDefaults) {
  EXPECT_EQ(train::to_toml(train::parse_config("[run]\nepochs = 3\n", "old")),
            train::to_toml(load_config({}, {"run.epochs=3"})));
}

TEST(TrainConfig, RegionsAreUnionsWithTheClassTheyStandFor) {
  const auto regions = [](const std::string& text, std::int64_t classes) {
    return train::regions_of(load_config({}, {"loss.regions=" + text}), classes);
  };
  EXPECT_TRUE(regions("", 4).empty());
  EXPECT_EQ(regions("separate", 4), (Regions{{1}, {2}, {3}}));
  EXPECT_EQ(regions("1+2+3, 3+2, 3", 4), (Regions{{1, 2, 3}, {2, 3}, {3}}));
  for (const char* text : {"1+2", "2, 1", "1+2, 2, 3, 4", "1, 1+2, 3", "1, 2, 4", "0+1, 2, 3",
                           "1; 2; 3", "1+, 2, 3"}) {
    expect_refusal({"loss.regions"}, [&] { return regions(text, 4); });
  }
}

TEST(TrainConfig, NetworkAndLossMustFitTheSet) {
  const auto resolved = [](const std::vector<std::string>& settings) {
    Config config = load_config({}, settings);
    return train::resolve_network(config, 3);
  };
  EXPECT_EQ(resolved({}).classes, 3);
  EXPECT_EQ(resolved({"loss.regions=separate"}).classes, 2);
  expect_refusal({"loss.class_weights", "3 classes"},
                 [&] { return resolved({"loss.class_weights=[1, 2]"}); });
  expect_refusal({"deep_supervision", "unet"}, [&] {
    return resolved({"network.preset=unet", "loss.deep_supervision=true"});
  });
}

// docs/train.md has a row for every setting, with its default and range; those of augmentation have
// theirs in docs/augmentation.md.
TEST(TrainConfig, EverySettingIsDocumented) {
  std::map<std::string, std::vector<std::string>> rows;
  for (const std::string& line : split(read_file(test::source_folder() / "docs/train.md"), '\n')) {
    const std::vector<std::string> cells = split(line, '|');
    if (cells.size() < 5 || !trim(cells[1]).starts_with('`')) continue;
    const std::string key = trim(cells[1]);
    rows[key.substr(1, key.size() - 2)] = {trim(cells[2]), trim(cells[3])};
  }
  const std::string augmentation = read_file(test::source_folder() / "docs/augmentation.md");
  for (const train::Setting& setting : train::settings()) {
    if (setting.key.starts_with("augment.")) {
      const std::string name = setting.key.substr(setting.key.find('.') + 1);
      EXPECT_NE(augmentation.find("`" + name + "`"), std::string::npos) << setting.key;
      continue;
    }
    ASSERT_TRUE(rows.contains(setting.key)) << setting.key;
    const std::vector<std::string>& row = rows.at(setting.key);
    EXPECT_EQ(row.at(0), setting.value) << setting.key;
    if (!setting.number) {
      EXPECT_EQ(row.at(1), "") << setting.key;
      continue;
    }
    const std::size_t to = row.at(1).find(" to ");
    ASSERT_NE(to, std::string::npos) << setting.key;
    EXPECT_EQ(std::stod(row.at(1)), setting.least) << setting.key;
    EXPECT_EQ(std::stod(row.at(1).substr(to + 4)), setting.most) << setting.key;
  }
}

// Every ready configuration is read and gives a network; it says whether it was tested.
TEST(TrainConfig, ReadyOnesResolve) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(test::source_folder() / "configs")) {
    const std::string text = read_file(entry.path());
    Config config = load_config(entry.path(), {});
    EXPECT_GT(train::resolve_network(config, 2).classes, 0) << entry.path();
    names.push_back(entry.path().stem().string());
    if (names.back() == "demo") continue;  // `make demo` runs it
    EXPECT_NE(text.find("ested"), std::string::npos) << entry.path();
    // Each value has its source beside it.
    for (const std::string& line : split(text, '\n')) {
      if (line.find(" = ") == std::string::npos || line.starts_with("#")) continue;
      EXPECT_NE(line.find(" # "), std::string::npos) << entry.path() << ": " << line;
    }
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names,
            (std::vector<std::string>{"busi", "demo", "generic", "glas", "isic2017", "isic2018",
                                      "kvasir", "nkut", "scratch", "tdd", "unet"}));
}

}  // namespace
}  // namespace medurwkv
