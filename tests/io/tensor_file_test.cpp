// Safetensors: what a file of others may not do, byte by byte; what we write reads back.
#include "weights/tensor_file.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "net/presets.h"
#include "support/paths.h"
#include "support/read_weights.h"
#include "support/refusal.h"
#include "weights/model_file.h"

namespace medurwkv::weights {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Header length (little endian), header, data.
std::string file_bytes(const std::string& header, const std::string& data) {
  std::string out;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    out += static_cast<char>((header.size() >> shift) & 0xffU);
  }
  return out + header + data;
}

class TensorFiles : public ::testing::Test {
 protected:
  /// The Error's message, or "" when the file was read.
  std::string refusal(const std::string& bytes) {
    const auto path = folder_.path() / "some.safetensors";
    write_file(path, bytes);
    try {
      TensorFile::read(path);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::failure) << error.what();
      EXPECT_TRUE(contains(error.what(), "some.safetensors")) << error.what();
      return error.what();
    }
    return "";
  }
  test::TemporaryFolder folder_;
};

const std::string two_floats = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";

TEST_F(TensorFiles, AreReadWhenTheyObey) {
  EXPECT_EQ(refusal(file_bytes(two_floats, std::string(8, '\0'))), "");
  EXPECT_EQ(refusal(file_bytes("{}", "")), "");
}

TEST_F(TensorFiles, AreRefusedCutAnywhere) {
  const std::string whole = file_bytes(two_floats, std::string(8, '\0'));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(refusal(whole.substr(0, length)), "") << length;
  }
  EXPECT_NE(refusal(whole + "x"), "") << "data behind the last tensor";
}

TEST_F(TensorFiles, AreRefusedWhenTheHeaderLies) {
  const std::string data(8, '\0');
  const std::vector<std::string> headers{
      "",
      "[]",
      "{",
      R"({"a":1})",
      R"({"a":{"dtype":"F32","shape":[2]}})",
      R"({"a":{"dtype":"X32","shape":[2],"data_offsets":[0,8]}})",
      R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})",
      R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})",
      R"({"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}})",
      R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}})",
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})",
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,16]}})",
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[1],"data_offsets":[7,8]}})",
      R"({"__metadata__":{"k":1},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
      std::string(100000, '[')};
  for (const std::string& header : headers) {
    EXPECT_NE(refusal(file_bytes(header, data)), "") << header.substr(0, 100);
  }
}

TEST_F(TensorFiles, AHugeHeaderLengthAllocatesNothing) {
  std::string bytes(8, '\xff');
  EXPECT_NE(refusal(bytes + "{}"), "");
  bytes = std::string("\x00\x00\x00\x10\x00\x00\x00\x00", 8);  // 256 MiB
  EXPECT_NE(refusal(bytes + "{}"), "");
}

TEST_F(TensorFiles, ReadBackAsWritten) {
  const std::vector<float> floats{1.5F, -2, 3e-40F};
  const std::vector<std::int64_t> counts{-7};
  const auto path = folder_.path() / "written.safetensors";
  write_tensor_file(path,
                    {{"x.y", DType::f32, {3, 1}, as_text(std::span<const float>(floats))},
                     {"n", DType::i64, {}, as_text(std::span<const std::int64_t>(counts))},
                     {"none", DType::f32, {0, 4}, {}}},
                    {{"key", "a \"text\""}});
  const TensorFile file = TensorFile::read(path);
  EXPECT_EQ(file.values("x.y"), (std::vector<double>{1.5, -2, static_cast<double>(3e-40F)}));
  EXPECT_EQ(file.values("n"), (std::vector<double>{-7}));
  EXPECT_EQ(file.info("none").shape, (Shape{0, 4}));
  EXPECT_EQ(file.metadata().at("key"), "a \"text\"");
  EXPECT_THROW(static_cast<void>(file.info("absent")), Error);
}

// What layout_of takes for a safetensors file, whatever its name, and what for nothing it knows.
TEST_F(TensorFiles, AreFoundByTheirContent) {
  const auto path = folder_.path() / "weights.pth";
  write_file(path, file_bytes(two_floats, std::string(8, '\0')));
  const TensorFile file = test::read_weights(path);
  EXPECT_EQ(file.kind(), FileKind::safetensors);
  EXPECT_EQ(file.values("a"), (std::vector<double>{0, 0}));
  for (const std::string& other : {std::string(), std::string("\x89PNG\r\n\x1a\n and more", 16)}) {
    write_file(path, other);
    const auto refused = test::refusal_of([&] { return test::read_weights(path); });
    ASSERT_TRUE(refused);
    EXPECT_TRUE(refused->names("weights.pth: holds no weights")) << refused->message;
  }
}

// A file moves and is copied with what its tensors point into.
TEST_F(TensorFiles, KeepTheirBytes) {
  const auto path = folder_.path() / "moved.safetensors";
  write_file(path, file_bytes(two_floats, std::string("\0\0\x80\x3f\0\0\0\x40", 8)));
  std::vector<TensorFile> files;
  files.push_back(TensorFile::read(path));
  files.push_back(files[0]);
  files.erase(files.begin());
  EXPECT_EQ(files[0].values("a"), (std::vector<double>{1, 2}));
}

// IEEE 754 and bfloat16 by their bits.
TEST_F(TensorFiles, HalvesAreConverted) {
  const std::string header =
      R"({"b":{"dtype":"BF16","shape":[2],"data_offsets":[6,10]},"h":{"dtype":"F16","shape":[3],"data_offsets":[0,6]}})";
  const std::string data("\x00\x3c\x00\xc0\x01\x00\x80\x3f\x40\xc0", 10);
  const auto path = folder_.path() / "halves.safetensors";
  write_file(path, file_bytes(header, data));
  const TensorFile file = TensorFile::read(path);
  EXPECT_EQ(file.values("h"), (std::vector<double>{1, -2, 0x1p-24}));
  EXPECT_EQ(file.values("b"), (std::vector<double>{1, -3}));
}

ModelInfo some_model() {
  ModelInfo info;
  info.network = net::preset("nanopost", 3, 1);
  info.network.wkv = net::WkvMode::released32;
  info.input.channels = 1;
  info.input.mean = {0.4};
  info.input.deviation = {0.2};
  info.heads = {
      segmentation_head({{"background", {0, 0, 0}}, {"left", {1, 2, 3}}, {"right", {4, 5, 6}}})};
  info.provenance = {{"seed", 5}};
  return info;
}

TEST(ModelFiles, MetadataReadsBack) {
  const ModelInfo info = some_model();
  const ModelInfo read = model_info("m", to_metadata(info));
  EXPECT_EQ(read.network, info.network);
  EXPECT_EQ(read.input, info.input);
  EXPECT_EQ(read.heads, info.heads);
  EXPECT_EQ(read.provenance, info.provenance);
}

TEST(ModelFiles, AreRefusedWithTheReason) {
  const auto refusal = [](const Metadata& metadata) -> std::string {
    try {
      model_info("m.model", metadata);
    } catch (const Error& error) {
      EXPECT_NE(error.kind(), ErrorKind::internal) << error.what();
      EXPECT_TRUE(contains(error.what(), "m.model")) << error.what();
      return error.what();
    }
    return "";
  };
  const Metadata good = to_metadata(some_model());
  EXPECT_EQ(refusal(good), "");
  EXPECT_NE(refusal({}), "") << "any safetensors file";
  Metadata newer = good;
  newer["format_version"] = "3";
  EXPECT_TRUE(contains(refusal(newer), "3") && contains(refusal(newer), "2")) << refusal(newer);
  for (const std::string key : {"network", "input", "heads"}) {
    Metadata without = good;
    without.erase(key);
    EXPECT_NE(refusal(without), "") << key;
    for (const char* text : {"", "[]", "{}", "nonsense", "null"}) {
      Metadata broken = good;
      broken[key] = text;
      EXPECT_NE(refusal(broken), "") << key << " " << text;
    }
  }
  Metadata other = good;
  auto network = nlohmann::json::parse(other.at("network"));
  network["classes"] = 7;
  other["network"] = network.dump();
  EXPECT_NE(refusal(other), "") << "seven outputs, three names";
}

}  // namespace
}  // namespace medurwkv::weights
