// Judging, weights and commands through the public headers and the shared library.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "library/world.h"
#include "medurwkv/medurwkv.h"
#include "medurwkv/medurwkv.hpp"

namespace {

using Bytes = std::vector<std::uint8_t>;

// By hand: 2 shared of 3 and 3 pixels. Each border has one pixel that is 1 from the other.
TEST(LibraryJudge, ByHand) {
  const Bytes truth{0, 1, 1, 1, 0, 0};
  const Bytes prediction{0, 0, 1, 1, 1, 0};
  const auto got = medurwkv::judge({truth, 6, 1}, {prediction, 6, 1},
                                   {.metrics = "mcc,objects", .spacing = {0.5, 0.5, 1}});
  EXPECT_DOUBLE_EQ(got.mean("dice").value(), 4.0 / 6);
  EXPECT_DOUBLE_EQ(got.value("iou", 1).value(), 0.5);
  EXPECT_DOUBLE_EQ(got.mean("assd").value(), 0.5 * 2 / 6);
  EXPECT_DOUBLE_EQ(got.mean("mcc").value(), (2.0 * 2 - 1) / 9);
  EXPECT_EQ(got.mean("pq"), 0.0) << "an IoU of a half is not above it";
  EXPECT_EQ(got.metrics().size(), 20U);
  EXPECT_THROW((void)got.mean("dise"), medurwkv::Failure);
}

TEST(LibraryJudge, LeavesOutWhatIsNotDefined) {
  const Bytes nothing(6, 0);
  const auto got = medurwkv::judge({nothing, 6, 1}, {nothing, 6, 1}, {.classes = 3});
  EXPECT_FALSE(got.mean("dice"));
  EXPECT_FALSE(got.value("hd95", 2));
  EXPECT_EQ(got.value("specificity", 1), 1.0);
  EXPECT_FALSE(got.value("dice", 3)) << "there is no such class";
}

// Two slices, the object in one of them, predicted in the other: three mm apart.
TEST(LibraryJudge, Volumes) {
  Bytes truth(2 * 16, 0);
  Bytes prediction(2 * 16, 0);
  truth[5] = 1;
  prediction[16 + 5] = 1;
  const auto got = medurwkv::judge({truth, 4, 4, 2}, {prediction, 4, 4, 2}, {.spacing = {1, 1, 3}});
  EXPECT_EQ(got.mean("dice"), 0.0);
  EXPECT_EQ(got.mean("hd95"), 3.0);
  const auto transunet =
      medurwkv::judge({truth, 4, 4, 2}, {prediction, 4, 4, 2}, {.profile = "transunet"});
  EXPECT_EQ(transunet.mean("hd95"), 1.0) << "it knows no spacing";
  try {
    (void)medurwkv::judge({truth, 4, 4, 2}, {prediction, 4, 4, 2}, {.profile = "monai"});
    FAIL();
  } catch (const medurwkv::Failure& failure) {
    EXPECT_EQ(failure.code(), MEDURWKV_USAGE);
  }
}

TEST(LibraryJudge, EveryProfileOfImages) {
  const Bytes truth{0, 1, 1, 1, 0, 0, 2, 2};
  const Bytes prediction{0, 0, 1, 1, 1, 0, 2, 0};
  for (const char* const profile :
       {"default", "medpy", "monai", "deepmind", "isic", "pooled", "batch", "transunet"}) {
    const auto got =
        medurwkv::judge({truth, 8, 1}, {prediction, 8, 1}, {.classes = 3, .profile = profile});
    EXPECT_NEAR(got.mean("dice").value(), 2.0 / 3, 1e-5) << profile;
  }
}

TEST(LibraryJudge, ProbabilitiesAndRefusals) {
  const Bytes truth{1, 0, 0, 0};
  const std::vector<float> probabilities{0.25F, 0.5F, 0.75F, 1, 0.75F, 0.5F, 0.25F, 0};
  const auto got = medurwkv::judge({truth, 4, 1}, {truth, 4, 1},
                                   {.metrics = "auc,brier", .probabilities = probabilities});
  EXPECT_EQ(got.mean("auc"), 1.0);
  EXPECT_DOUBLE_EQ(got.mean("brier").value(), (0.0625 + 0.25 + 0.0625) / 4);
  const auto code_of = [&](const medurwkv::JudgeOptions& options, const Bytes& prediction) {
    try {
      (void)medurwkv::judge({truth, 4, 1},
                            {prediction, static_cast<std::int64_t>(prediction.size()), 1}, options);
      return MEDURWKV_OK;
    } catch (const medurwkv::Failure& failure) {
      return failure.code();
    }
  };
  EXPECT_EQ(code_of({}, truth), MEDURWKV_OK);
  EXPECT_EQ(code_of({}, {1, 0, 0}), MEDURWKV_USAGE);
  EXPECT_EQ(code_of({.metrics = "auc"}, truth), MEDURWKV_USAGE);
  EXPECT_EQ(code_of({.profile = "medpi"}, truth), MEDURWKV_USAGE);
  EXPECT_EQ(code_of({.tolerance = -1.0}, truth), MEDURWKV_USAGE);
  EXPECT_EQ(code_of({.classes = 1}, truth), MEDURWKV_USAGE);
  const Bytes beyond{7, 0, 0, 0};
  EXPECT_THROW((void)medurwkv::judge({beyond, 4, 1}, {truth, 4, 1}), medurwkv::Failure);
}

TEST(LibraryWeights, AreThoseOfTheFile) {
  const medurwkv::Weights weights(library::model_file());
  ASSERT_EQ(weights.size(), 436U);
  // Of a safetensors file: eight bytes of the header's length, the header, then the data.
  const std::string file = library::bytes_of(library::model_file());
  std::uint64_t header = 0;
  std::memcpy(&header, file.data(), sizeof(header));
  for (const std::size_t i : {std::size_t{0}, std::size_t{200}}) {
    const auto tensor = weights.tensor(i);
    const std::string json = file.substr(8, header);
    const std::size_t at = json.find("\"" + tensor.name + "\":");
    ASSERT_NE(at, std::string::npos);
    const std::size_t offsets =
        json.find("\"data_offsets\":[", at) + std::strlen("\"data_offsets\":[");
    const std::uint64_t start = std::stoull(json.substr(offsets));
    ASSERT_EQ(tensor.type, "F32");
    std::vector<float> want(tensor.elements);
    std::memcpy(want.data(), file.data() + 8 + header + start, want.size() * sizeof(float));
    EXPECT_EQ(weights.read(i), want) << tensor.name;
  }
  EXPECT_THROW((void)weights.tensor(436), medurwkv::Failure);
  EXPECT_THROW(medurwkv::Weights("nowhere.pth"), medurwkv::Failure);
}

bool contains(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

TEST(LibraryRun, InspectsAndConverts) {
  EXPECT_TRUE(
      contains(medurwkv::run("inspect", R"({"preset": "tiny", "size": 256})"), "\"parameters\":"));
  const medurwkv::test::TemporaryFolder folder;
  const std::string to = (folder.path() / "encoder.safetensors").string();
  const std::string answer =
      medurwkv::run("convert", R"({"from": ")" + library::model_file() + R"(", "to": ")" + to +
                                   R"(", "encoder": true})");
  EXPECT_TRUE(contains(answer, "\"sha256\":")) << answer;
  EXPECT_GT(medurwkv::Weights(to).size(), 100U);
}

TEST(LibraryRun, ChecksAndSplits) {
  const std::string demo = (medurwkv::test::source_folder() / "data/demo").string();
  int heard = 0;
  medurwkv::Listener listener;
  listener.progress = [&](const std::string& what, std::int64_t done, std::int64_t total,
                          const std::string&) {
    EXPECT_FALSE(what.empty());
    EXPECT_LE(done, total);
    ++heard;
    return true;
  };
  const std::string report = medurwkv::run("check", R"({"data": ")" + demo + R"("})", listener);
  EXPECT_TRUE(contains(report, "\"pairs\":90")) << report.substr(0, 300);
  EXPECT_TRUE(contains(report, "\"sound\":true"));
  EXPECT_GT(heard, 0);
  listener.progress = [](const std::string&, std::int64_t, std::int64_t, const std::string&) {
    return false;
  };
  try {
    (void)medurwkv::run("check", R"({"data": ")" + demo + R"("})", listener);
    FAIL() << "it was not stopped";
  } catch (const medurwkv::Failure& failure) {
    EXPECT_EQ(failure.code(), MEDURWKV_STOPPED);
  }
  const medurwkv::test::TemporaryFolder folder;
  const std::string split =
      medurwkv::run("split", R"({"data": ")" + demo + R"(", "out": ")" +
                                 (folder.path() / "split.json").string() + R"(", "seed": 3})");
  EXPECT_TRUE(contains(split, "\"train\":"));
}

TEST(LibraryRun, RefusesInWords) {
  const auto message = [](const std::string& command, const std::string& request) {
    try {
      return medurwkv::run(command, request);
    } catch (const medurwkv::Failure& failure) {
      EXPECT_EQ(failure.code(), MEDURWKV_USAGE);
      return std::string(failure.what());
    }
  };
  EXPECT_TRUE(contains(message("inspct", "{}"), "did you mean inspect"));
  EXPECT_TRUE(contains(message("inspect", "{"), "is no JSON"));
  EXPECT_TRUE(contains(message("inspect", "[]"), "is no JSON object"));
  EXPECT_TRUE(contains(message("inspect", R"({"presets": "tiny"})"), "did you mean preset"));
  EXPECT_TRUE(contains(message("inspect", R"({"size": "large"})"), "size has a wrong type"));
}

}  // namespace
