// What names of classes and regions of a model may be, and that every way in refuses the rest: an
// option, a class file in each of its forms, a split, a model's metadata.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/model_description.h"
#include "core/regions.h"
#include "data/layout/class_file.h"
#include "data/layout/dataset.h"
#include "data/split/split.h"
#include "net/presets.h"
#include "support/paths.h"
#include "support/refusal.h"
#include "train/run/config.h"
#include "weights/model_file.h"

namespace medurwkv {
namespace {

using Names = std::vector<std::string>;

template <class Call>
std::string refusal(const Call& call) {
  return test::refusal_of(call).value_or(test::Refusal()).message;
}

struct Wrong {
  Names names;
  std::string what;
};

const std::vector<Wrong>& wrong_names() {
  static const std::vector<Wrong> all{
      {{"background", "a", "a"}, "the name a stands for class 1 and class 2"},
      {{"background", "background"}, "stands for class 0 and class 1"},
      {{"background", ""}, "class 1 has an empty name"},
      {{"background", "  "}, "class 1 has an empty name"},
      {{"background", "two\nlines"}, "'two\\nlines' of class 1 is not one line"},
      {{"background", "tab\tbed"}, "is not one line"},
      {{"background", "bell\x07"}, "'bell\\u0007' of class 1 is not one line"},
      {{"background", "\xe2\x80\xaexet"}, "is not one line"},
      {{"background", "\xff"}, "'\\xff' of class 1 is not one line of text in UTF-8"}};
  return all;
}

TEST(ClassNames, WrongOnesAreToldOf) {
  EXPECT_EQ(wrong_class_names({"background", "Läsion (links), 1", "polyp"}), "");
  EXPECT_EQ(wrong_class_names({}), "");
  for (const Wrong& one : wrong_names()) {
    EXPECT_NE(wrong_class_names(one.names).find(one.what), std::string::npos)
        << wrong_class_names(one.names);
  }
}

bool is_text(const std::string& name) {
  return name != "\xff";
}

TEST(ClassNames, AreRefusedByTheOption) {
  for (const Wrong& one : wrong_names()) {
    const std::string said = refusal([&] { return data::dataset_options("", one.names, ""); });
    EXPECT_NE(said.find(one.what), std::string::npos) << said;
  }
}

TEST(ClassNames, AreRefusedInASplit) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "split.json";
  for (const Wrong& one : wrong_names()) {
    if (!is_text(one.names.back())) continue;  // no JSON
    const nlohmann::json split{{"format", "medurwkv-split"},
                               {"format_version", 1},
                               {"mask_encoding", "index"},
                               {"classes", one.names},
                               {"data_sha256", ""},
                               {"train", Names{}},
                               {"val", Names{}},
                               {"test", Names{}}};
    write_file(file, split.dump());
    const std::string said = refusal([&] { return data::split_options(file); });
    EXPECT_NE(said.find(one.what), std::string::npos) << said;
    EXPECT_NE(said.find("split.json"), std::string::npos) << said;
  }
}

TEST(ClassNames, AreRefusedInAModel) {
  for (const Wrong& one : wrong_names()) {
    if (!is_text(one.names.back())) continue;
    weights::ModelInfo info;
    info.network = net::preset("nano", static_cast<std::int64_t>(one.names.size()), 3);
    std::vector<ClassInfo> classes;
    for (const std::string& name : one.names) classes.push_back({name, {}});
    info.heads = {segmentation_head(classes)};
    const auto metadata = weights::to_metadata(info);
    const std::string said = refusal([&] { return weights::model_info("x.model", metadata); });
    EXPECT_NE(said.find("class"), std::string::npos) << one.what;
    EXPECT_NE(said.find("x.model"), std::string::npos) << said;
  }
}

TEST(ClassNames, AreRefusedInEveryFormOfAClassFile) {
  const std::vector<std::pair<std::string, std::string>> files{
      {"a.toml",
       "[[class]]\nname = \"bg\"\nindex = 0\n[[class]]\nname = \"\"\nindex = 1\n"
       "color = [1, 2, 3]\n"},
      {"b.toml",
       "[[class]]\nname = \"bg\"\nindex = 0\n[[class]]\nname = \"a\\nb\"\nindex = 1\n"
       "color = [1, 2, 3]\n"},
      {"labelmap.txt", "bg:0,0,0\na:1,1,1\na:2,2,2\n"},
      {"dict.csv", "name,r,g,b\nbg,0,0,0\na,1,1,1\na,2,2,2\n"},
      {"classes.txt", "0 bg\n1 a\n2 a\n"},
      {"names.txt", "bg\na\na\n"},
      {"bell.txt", "bg:0,0,0\na\x07:1,1,1\n"},
      {"bytes.txt", "bg:0,0,0\n\xff:1,1,1\n"}};
  for (const auto& [name, text] : files) {
    const std::string said = refusal([&] { return data::parse_classes(name, text); });
    EXPECT_NE(said.find(name), std::string::npos) << name << ": " << said;
  }
}

TEST(Regions, WrongOnesAreToldOf) {
  EXPECT_EQ(wrong_regions({{1, 2}, {2}}, 3), "");
  EXPECT_NE(wrong_regions({{1, 2, 2}, {2}}, 3).find("the class 2 twice in region 1"),
            std::string::npos);
  EXPECT_NE(wrong_regions({{1}}, 3).find("1 regions, the set has 2"), std::string::npos);
  EXPECT_NE(wrong_regions({{1}, {1, 2}}, 3).find("class 2 in region 2"), std::string::npos);
  EXPECT_NE(wrong_regions({{1, 3}, {2}}, 3).find("up to 2"), std::string::npos);
  EXPECT_NE(wrong_regions({{1}, {}}, 3), "");
}

TEST(Regions, AreRefusedInASettingAndInAModel) {
  train::Config config;
  config.loss.regions = "1+2+2, 2";
  const std::string said = refusal([&] { return train::regions_of(config, 3); });
  EXPECT_NE(said.find("loss.regions has the class 2 twice"), std::string::npos) << said;
  weights::ModelInfo info;
  info.network = net::preset("nano", 2, 3);
  const std::vector<ClassInfo> classes{{"background", {}}, {"a", {}}, {"b", {}}};
  for (const Regions& regions : {Regions{{1, 2, 2}, {2}}, Regions{{1}, {1, 2}}, Regions{{1}}}) {
    info.heads = {segmentation_head(classes, regions)};
    const auto metadata = weights::to_metadata(info);
    const std::string refused = refusal([&] { return weights::model_info("x.model", metadata); });
    EXPECT_NE(refused.find("heads.regions"), std::string::npos) << refused;
  }
  info.heads = {segmentation_head(classes, {{1, 2}, {2}})};
  EXPECT_EQ(refusal([&] { return weights::model_info("x.model", weights::to_metadata(info)); }),
            "");
}

// Every setting that is a number, as --set takes it.
TEST(Settings, NumbersAreNumbersInTheirRange) {
  int tried = 0;
  for (const train::Setting& setting : train::settings()) {
    if (!setting.number) continue;
    const bool list = setting.value.starts_with("[");
    for (const std::string value : {"nan", "-inf", "inf", "-1e300", "1e300"}) {
      const std::string text = setting.key + "=" + (list ? "[" + value + "]" : value);
      const std::string said = refusal([&] { return train::load_config({}, {text}); });
      EXPECT_NE(said.find(setting.key), std::string::npos) << text << ": " << said;
      ++tried;
    }
  }
  EXPECT_GT(tried, 150);
}

}  // namespace
}  // namespace medurwkv
