// `medurwkv export`: what it says, what it refuses. The files themselves are held against the
// network in tests/unit/onnx_export_test.cpp.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "support/paths.h"
#include "support/process.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Outcome;
using test::run_program;

class Export : public ::testing::Test {
 protected:
  [[nodiscard]] static std::string model() {
    return (test::source_folder() / "tests/cli/data/version1.model").string();
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_.path() / name).string();
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(Export, SaysWhatTheFileTakesAndGives) {
  const Outcome plain = run_program({"export", model(), "--onnx", path("m.onnx")});
  ASSERT_EQ(plain.code, 0) << plain.err;
  EXPECT_TRUE(contains(plain.out, "opset 17")) << plain.out;
  EXPECT_TRUE(contains(plain.out, "input image (float32")) << plain.out;
  EXPECT_TRUE(contains(plain.out, "output logits")) << plain.out;
  const Outcome told = run_program(
      {"export", model(), "--onnx", path("new/p.onnx"), "--pixels", "--labels", "--json"});
  ASSERT_EQ(told.code, 0) << told.err;
  const json answer = json::parse(told.out);
  EXPECT_EQ(answer.at("input"), "pixels");
  EXPECT_EQ(answer.at("input_type"), "uint8");
  EXPECT_EQ(answer.at("outputs"), json::array({"labels"}));
  EXPECT_EQ(answer.at("sha256"), sha256_file(path("new/p.onnx")));
  // What the graph does not hold is among the metadata.
  const std::string bytes = read_file(path("new/p.onnx"));
  for (const char* part : {"medurwkv.input", "medurwkv.classes", R"(["background","foreground"])",
                           "medurwkv.content_sha256", "ff0957827e4ca258"}) {
    EXPECT_TRUE(contains(bytes, part)) << part;
  }
}

TEST_F(Export, TheSameModelGivesTheSameBytes) {
  ASSERT_EQ(run_program({"export", model(), "--onnx", path("a.onnx")}).code, 0);
  ASSERT_EQ(run_program({"export", model(), "--onnx", path("b.onnx")}).code, 0);
  EXPECT_EQ(read_file(path("a.onnx")), read_file(path("b.onnx")));
}

TEST_F(Export, RefusesWhatItDoesNotWrite) {
  write_file(path("there.onnx"), "mine");
  const Outcome there = run_program({"export", model(), "--onnx", path("there.onnx")});
  EXPECT_EQ(there.code, 2);
  EXPECT_TRUE(contains(there.err, "--force")) << there.err;
  EXPECT_EQ(read_file(path("there.onnx")), "mine");

  const Outcome suffix = run_program({"export", model(), "--onnx", path("m.model")});
  EXPECT_EQ(suffix.code, 2);
  EXPECT_TRUE(contains(suffix.err, "ends in .onnx")) << suffix.err;

  write_file(path("no.model"), "no model at all");
  EXPECT_EQ(run_program({"export", path("no.model"), "--onnx", path("n.onnx")}).code, 1);

  // A damaged model is not exported.
  std::string bytes = read_file(model());
  bytes[bytes.size() / 2] ^= 1;
  write_file(path("damaged.model"), bytes);
  const Outcome damaged = run_program({"export", path("damaged.model"), "--onnx", path("n.onnx")});
  EXPECT_EQ(damaged.code, 1) << damaged.out;
  EXPECT_FALSE(fs::exists(path("n.onnx")));

  const Outcome full = run_program({"export", model(), "--onnx", path("n.onnx")},
                                   {.environment = {}, .folder = {}, .largest_file = 100000});
  EXPECT_EQ(full.code, 1) << full.out;
  EXPECT_FALSE(fs::exists(path("n.onnx")));
}

}  // namespace
}  // namespace medurwkv
