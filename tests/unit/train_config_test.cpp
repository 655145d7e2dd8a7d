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
#include "train/run/input.h"

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

TEST(TrainConfig, AWindowIsSetOnce) {
  const auto input = [](const std::vector<std::string>& settings) {
    return train::input_of(load_config({}, settings));
  };
  EXPECT_EQ(input({"input.window=soft"}).window, (Window{-160, 240}));
  EXPECT_EQ(input({"input.window=-10,20"}).window, (Window{-10, 20}));
  EXPECT_EQ(input({"input.window_low=-10", "input.window_high=20"}).window, (Window{-10, 20}));
  const InputContract own = input({"input.window=percentile:1,99", "input.window_over=image"});
  EXPECT_FALSE(own.window);
  EXPECT_EQ(own.own_window, (OwnWindow{OwnWindow::By::percentile, 1, 99, false}));
  EXPECT_FALSE(input({}).window || input({}).own_window);
  EXPECT_EQ(input({"input.plane=coronal"}).plane, Plane::coronal);
  expect_refusal({"input.window", "window_low"}, [] {
    return load_config({}, {"input.window=soft", "input.window_high=255"});
  });
  expect_refusal({"input.window", "lung"}, [] { return load_config({}, {"input.window=lnug"}); });
  expect_refusal({"input.window_over", "volume"},
                 [] { return load_config({}, {"input.window_over=volumes"}); });
  expect_refusal({"input.plane", "sagittal"},
                 [] { return load_config({}, {"input.plane=saggital"}); });
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
/// Cells after the first of the rows of a page's tables, by the setting in the first.
std::map<std::string, std::vector<std::string>> rows_of(const std::string& page) {
  std::map<std::string, std::vector<std::string>> rows;
  for (const std::string& line : split(read_file(test::source_folder() / page), '\n')) {
    const std::vector<std::string> cells = split(line, '|');
    if (cells.size() < 5 || !trim(cells[1]).starts_with('`')) continue;
    const std::string key = trim(cells[1]);
    std::vector<std::string>& row = rows[key.substr(1, key.size() - 2)];
    for (std::size_t i = 2; i < cells.size(); ++i) row.push_back(trim(cells[i]));
  }
  return rows;
}

void expect_row(const train::Setting& setting, const std::vector<std::string>& row) {
  EXPECT_EQ(row.at(0), setting.value) << setting.key;
  if (!setting.number) {
    EXPECT_EQ(row.at(1), "") << setting.key;
    return;
  }
  const std::size_t to = row.at(1).find(" to ");
  ASSERT_NE(to, std::string::npos) << setting.key;
  EXPECT_EQ(std::stod(row.at(1)), setting.least) << setting.key;
  EXPECT_EQ(std::stod(row.at(1).substr(to + 4)), setting.most) << setting.key;
}

/// Whether docs/augmentation.md has it, as the page of what is done to images.
bool is_in_augmentation(const std::string& key) {
  static const std::string page = read_file(test::source_folder() / "docs/augmentation.md");
  return page.find("`" + key.substr(key.find('.') + 1) + "`") != std::string::npos;
}

TEST(TrainConfig, EverySettingIsDocumented) {
  const auto rows = rows_of("docs/train.md");
  for (const train::Setting& setting : train::settings()) {
    if (setting.key.starts_with("augment.")) {
      EXPECT_TRUE(is_in_augmentation(setting.key)) << setting.key;
      continue;
    }
    ASSERT_TRUE(rows.contains(setting.key)) << setting.key;
    expect_row(setting, rows.at(setting.key));
  }
}

// docs/pretrain.md has what a pretraining has of its own, and the defaults that are not train's.
TEST(TrainConfig, EverySettingOfAPretrainingIsDocumented) {
  const auto rows = rows_of("docs/pretrain.md");
  std::map<std::string, std::string> of_train;
  for (const train::Setting& setting : train::settings()) of_train[setting.key] = setting.value;
  std::size_t column = 0;
  for (const train::TaskKind task :
       {train::TaskKind::classify, train::TaskKind::simmim, train::TaskKind::distill}) {
    for (const train::Setting& setting : train::settings(task)) {
      const bool shared = of_train.contains(setting.key);
      if (shared && of_train.at(setting.key) == setting.value && !rows.contains(setting.key)) {
        continue;
      }
      if (setting.key.starts_with("view.")) {
        EXPECT_TRUE(is_in_augmentation(setting.key)) << setting.key;
        if (!rows.contains(setting.key)) continue;
      }
      ASSERT_TRUE(rows.contains(setting.key)) << setting.key;
      if (shared || setting.key.starts_with("view.")) {
        EXPECT_EQ(rows.at(setting.key).at(column), setting.value) << setting.key;
      } else {
        expect_row(setting, rows.at(setting.key));
      }
    }
    ++column;
  }
}

// A setting of one command is not taken by another, and the message says whose it is.
TEST(TrainConfig, SettingsOfAnotherCommandAreNamed) {
  expect_refusal({"simmim.ratio", "pretrain"},
                 [] { return load_config({}, {"simmim.ratio=0.5"}); });
  const Config simmim = train::default_config(train::TaskKind::simmim);
  expect_refusal({"loss.dice", "train"}, [&] { return load_config({}, {"loss.dice=0"}, simmim); });
  expect_refusal({"classify.mixup", "pretrain"},
                 [&] { return load_config({}, {"classify.mixup=1"}, simmim); });
  const std::string text = train::to_toml(simmim);
  EXPECT_EQ(train::to_toml(train::parse_config(text, "a", train::TaskKind::simmim)), text);
  expect_refusal({"a: is the configuration of a simmim run"},
                 [&] { return train::parse_config(text, "a"); });
}

const std::vector<train::TaskKind> all_tasks{train::TaskKind::segmentation,
                                             train::TaskKind::classify, train::TaskKind::simmim,
                                             train::TaskKind::distill};

// Every ready configuration is read and gives a network; it says whether it was tested.
TEST(TrainConfig, ReadyOnesResolve) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(test::source_folder() / "configs")) {
    const std::string text = read_file(entry.path());
    const auto named = std::find_if(all_tasks.begin(), all_tasks.end(), [&](train::TaskKind task) {
      return text.find(concat("task = \"", train::to_string(task), "\"")) != std::string::npos;
    });
    const train::TaskKind task = named == all_tasks.end() ? train::TaskKind::segmentation : *named;
    Config config = load_config(entry.path(), {}, train::default_config(task));
    const net::NetworkConfig network = task == train::TaskKind::segmentation
                                           ? train::resolve_network(config, 2)
                                           : train::resolve_pretrained(config, 2);
    EXPECT_GT(network.classes, 0) << entry.path();
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
  EXPECT_EQ(names, (std::vector<std::string>{"busi", "demo", "generic", "glas", "isic2017",
                                             "isic2018", "kvasir", "nkut", "pretrain-distill",
                                             "pretrain-imagenet-base", "pretrain-imagenet-small",
                                             "pretrain-imagenet-tiny", "pretrain-simmim",
                                             "pretraining-experiment", "scratch", "tdd", "unet"}));
}

}  // namespace
}  // namespace medurwkv
