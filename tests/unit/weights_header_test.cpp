// The header of a safetensors file as bytes in memory: what is taken, what is refused, and that the
// message is one readable line whatever the file holds. No disk. The rules are the format's own
// (github.com/huggingface/safetensors, README, "Format").
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "net/presets.h"
#include "support/refusal.h"
#include "weights/model_file.h"
#include "weights/tensor_file.h"

namespace medurwkv::weights {
namespace {

/// Length (little endian) and JSON.
std::string with_length(const std::string& json) {
  std::string out;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    out += static_cast<char>((json.size() >> shift) & 0xffU);
  }
  return out + json;
}

std::optional<test::Refusal> refused(const std::string& json, std::uint64_t data_bytes) {
  return test::refusal_of([&] { return parse_header("f.bin", with_length(json), data_bytes); });
}

/// A header with one tensor "a" of the given shape (JSON text) and offsets 0 to `bytes`.
std::string one(const std::string& type, const std::string& shape, std::uint64_t bytes) {
  return R"({"a":{"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":[0,)" +
         std::to_string(bytes) + "]}}";
}

// Sizes as IEEE 754 and the format's table of types have them.
TEST(TensorHeaders, EveryTypeHasItsSize) {
  const std::map<std::string, std::uint64_t> sizes{{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2},
                                                   {"I64", 8}, {"I32", 4}, {"I16", 2}, {"I8", 1},
                                                   {"U8", 1},  {"BOOL", 1}};
  for (const auto& [type, size] : sizes) {
    EXPECT_FALSE(refused(one(type, "[3,5]", 15 * size), 15 * size)) << type;
    EXPECT_TRUE(refused(one(type, "[3,5]", 15 * size + 1), 15 * size + 1)) << type;
    EXPECT_TRUE(refused(one(type, "[3,5]", 14 * size), 14 * size)) << type;
  }
  const auto unknown = refused(one("F8_E4M3", "[8]", 8), 8);
  ASSERT_TRUE(unknown);
  EXPECT_TRUE(unknown->names("F8_E4M3") && unknown->names("f.bin")) << unknown->message;
}

// Overlap, hole at the start, in the middle and at the end, beyond the data; the order of keys does
// not matter.
TEST(TensorHeaders, DataIsCoveredExactlyOnce) {
  const auto two = [](int a0, int a1, int b0, int b1) {
    const auto entry = [](const char* name, int begin, int end) {
      return "\"" + std::string(name) + R"(":{"dtype":"U8","shape":[)" +
             std::to_string(std::max(0, end - begin)) + R"(],"data_offsets":[)" +
             std::to_string(begin) + "," + std::to_string(end) + "]}";
    };
    return "{" + entry("a", a0, a1) + "," + entry("b", b0, b1) + "}";
  };
  EXPECT_FALSE(refused(two(0, 6, 6, 10), 10));
  EXPECT_FALSE(refused(two(4, 10, 0, 4), 10));
  EXPECT_FALSE(refused(two(0, 10, 10, 10), 10)) << "an empty tensor at the end";
  EXPECT_FALSE(refused(two(0, 0, 0, 10), 10)) << "an empty tensor at the start";
  EXPECT_TRUE(refused(two(0, 6, 5, 10), 10)) << "overlap";
  EXPECT_TRUE(refused(two(0, 6, 4, 8), 10)) << "an overlap as long as the hole behind it";
  EXPECT_TRUE(refused(two(0, 10, 0, 10), 10)) << "twice the same";
  EXPECT_TRUE(refused(two(0, 10, 3, 5), 10)) << "one within the other";
  EXPECT_TRUE(refused(two(1, 6, 6, 10), 10)) << "a hole at the start";
  EXPECT_TRUE(refused(two(0, 4, 6, 10), 10)) << "a hole in the middle";
  EXPECT_TRUE(refused(two(0, 6, 6, 9), 10)) << "a hole at the end";
  EXPECT_TRUE(refused(two(0, 6, 6, 11), 10)) << "beyond the data";
  EXPECT_TRUE(refused(two(0, 6, 10, 6), 10)) << "end before start";
  EXPECT_TRUE(refused(two(0, 10, 20, 20), 10)) << "empty, far beyond the data";
  EXPECT_TRUE(refused("{}", 1)) << "data of nobody";
}

TEST(TensorHeaders, ShapesAreListsOfWholeNumbers) {
  EXPECT_FALSE(refused(one("U8", "[]", 1), 1)) << "a scalar";
  EXPECT_FALSE(refused(one("U8", "[0,7]", 0), 0));
  for (const char* shape : {"2", "null", "{\"n\":2}", "\"2\"", "[2.0]", "[\"2\"]", "[[2]]",
                            "[-2,-1]", "[true,2]", "[2,null]"}) {
    EXPECT_TRUE(refused(one("U8", shape, 2), 2)) << shape;
  }
  // Where null would be read as no side at all: one byte fits a scalar.
  EXPECT_TRUE(refused(one("U8", "null", 1), 1));
  // 2^63 and 2^64 - 1 would be negative sides; behind a 0 nothing else tells.
  for (const char* shape :
       {"[0,9223372036854775808]", "[18446744073709551615,0]", "[18446744073709551616,0]",
        "[4294967296,4294967296]", "[2305843009213693952,8]", "[4611686018427387904,4,0]"}) {
    EXPECT_TRUE(refused(one("U8", shape, 0), 0)) << shape;
  }
}

TEST(TensorHeaders, OffsetsArePairsOfWholeNumbers) {
  for (const char* offsets : {"[0]", "[]", "[0,2,2]", "null", "2", "{\"0\":0,\"1\":2}", "[0,2.0]",
                              "[-2,0]", "[\"0\",\"2\"]", "[0,18446744073709551616]",
                              "[18446744073709551614,18446744073709551615]", "[2,0]"}) {
    EXPECT_TRUE(refused(
        R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)" + std::string(offsets) + "}}", 2))
        << offsets;
  }
}

TEST(TensorHeaders, EntriesAreWholeAndUnique) {
  const std::string good = R"("dtype":"U8","shape":[2],"data_offsets":[0,2])";
  EXPECT_FALSE(refused("{\"a\":{" + good + "}}", 2));
  EXPECT_TRUE(refused("{\"a\":{" + good + "},\"a\":{" + good + "}}", 2)) << "a tensor twice";
  EXPECT_TRUE(refused("{\"a\":{\"dtype\":\"I8\"," + good + "}}", 2)) << "a type twice";
  EXPECT_TRUE(refused("{\"a\":{" + good + ",\"dtype\":\"I8\"}}", 2)) << "the other order";
  EXPECT_TRUE(refused(R"({"__metadata__":{"k":"1","k":"2"}})", 0)) << "a metadata key twice";
  EXPECT_TRUE(refused(R"({"__metadata__":{},"__metadata__":{"k":"2"}})", 0));
  EXPECT_FALSE(refused(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                       R"("b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                       2))
      << "the same keys in two objects are no duplicates";
  for (const char* metadata : {"5", "null", "[]", "\"text\"", "{\"k\":1}", "{\"k\":{}}"}) {
    EXPECT_TRUE(refused(R"({"__metadata__":)" + std::string(metadata) + "}", 0)) << metadata;
  }
  for (const char* entry : {"5", "null", "[]", "{}", "\"x\""}) {
    EXPECT_TRUE(refused(R"({"a":)" + std::string(entry) + "}", 0)) << entry;
  }
}

// JSON and nothing behind it but blanks, which the format allows as padding.
TEST(TensorHeaders, AreOneJsonText) {
  EXPECT_FALSE(refused("{}      ", 0));
  for (const char* text :
       {"", " ", "{}x", "{}{}", "[]", "null", "{'a':1}", "{\"a\":}", "{\"\xff\":{}}", "\xef\xbb"}) {
    EXPECT_TRUE(refused(text, 0)) << text;
  }
  EXPECT_TRUE(test::refusal_of([] { return parse_header("f", "1234567", 0); })) << "7 bytes";
  std::string deep(200'000, '[');
  EXPECT_TRUE(refused(deep + std::string(deep.size(), ']'), 0)) << "whole, and very deep";
  EXPECT_TRUE(refused("{\"a\":" + deep + std::string(deep.size(), ']') + "}", 0));
}

// What a message quotes comes from the file: it is cut, and holds nothing that moves a terminal.
TEST(TensorHeaders, MessagesAreOneShortLine) {
  const std::vector<std::string> headers{
      "\"" + std::string(1'000'000, 'x'),    "{\"" + std::string(1'000'000, 'n') + "\":5}",
      R"({"line\nbreak \u001b[2J":5})",      one(std::string(1'000'000, 'T'), "[1]", 1),
      R"({"__metadata__":{"k\n\u0007":5}})", R"({"k\n":5,"k\n":5})"};
  for (const std::string& header : headers) {
    const auto one_refused = refused(header, 1);
    ASSERT_TRUE(one_refused) << header.substr(0, 80);
    EXPECT_LT(one_refused->message.size(), 600U);
    EXPECT_TRUE(std::none_of(one_refused->message.begin(), one_refused->message.end(), [](char c) {
      return static_cast<unsigned char>(c) < 32;
    })) << one_refused->message;
  }
}

// What we make obeys what we read: order, offsets without holes, a length that is a multiple of 8.
TEST(TensorHeaders, WhatIsMadeReadsBack) {
  const std::vector<TensorInfo> infos{
      {.name = "z", .type = DType::i64, .shape = {3}},
      {.name = "empty", .type = DType::f32, .shape = {2, 0}},
      {.name = "a \"quoted\" \xc3\xa9", .type = DType::u8, .shape = {5}},
      {.name = "scalar", .type = DType::f16, .shape = {}}};
  const std::string bytes = make_header(infos, {{"key", "value"}});
  EXPECT_EQ(bytes.size() % 8, 0U);
  const TensorHeader header = parse_header("f", bytes, 24 + 0 + 5 + 2);
  EXPECT_EQ(header.metadata, (Metadata{{"key", "value"}}));
  ASSERT_EQ(header.tensors.size(), infos.size());
  std::map<std::string, TensorInfo> by_name;
  for (const TensorInfo& info : header.tensors) by_name[info.name] = info;
  const std::vector<std::uint64_t> offsets{0, 24, 24, 29};
  for (std::size_t i = 0; i < infos.size(); ++i) {
    const TensorInfo& read = by_name[infos[i].name];
    EXPECT_EQ(read.type, infos[i].type);
    EXPECT_EQ(read.shape, infos[i].shape);
    EXPECT_EQ(read.offset, offsets[i]) << infos[i].name;
  }
}

// A file with two tensors of one name, or one called like the metadata, could not be read back.
TEST(TensorHeaders, NamesThatCannotBeWrittenAreOurBug) {
  const auto kind = [](const std::vector<TensorInfo>& infos) {
    const auto found = test::refusal_of([&] { return make_header(infos, {{"k", "v"}}); });
    return found ? std::optional(found->kind) : std::nullopt;
  };
  EXPECT_EQ(kind({{.name = "a", .shape = {1}}, {.name = "a", .shape = {1}}}), ErrorKind::internal);
  EXPECT_EQ(kind({{.name = "__metadata__", .shape = {1}}}), ErrorKind::internal);
}

// Text that is no UTF-8 cannot stand in JSON: an Error that says so, not another exception.
TEST(TensorHeaders, TextThatIsNoUtf8IsRefused) {
  const auto found = test::refusal_of([] { return make_header({}, {{"k", "na\xefve"}}); });
  ASSERT_TRUE(found);
  EXPECT_EQ(found->kind, ErrorKind::failure);
  EXPECT_TRUE(found->names("UTF-8")) << found->message;
}

class ModelMetadata : public ::testing::Test {
 protected:
  ModelMetadata() {
    ModelInfo info;
    info.network = net::preset("nano", 2, 3);
    info.heads = {segmentation_head({{"background", {0, 0, 0}}, {"lesion", {255, 0, 0}}})};
    good_ = to_metadata(info);
  }
  /// The refusal after a change of one JSON text.
  template <class Change>
  [[nodiscard]] std::optional<test::Refusal> after(const std::string& key,
                                                   const Change& change) const {
    Metadata metadata = good_;
    nlohmann::json value = nlohmann::json::parse(metadata.at(key));
    change(value);
    metadata[key] = value.dump();
    return test::refusal_of([&] { return model_info("m.model", metadata); });
  }
  Metadata good_;
};

// Numbers that would divide by zero, loop without end or ask for all memory further on.
TEST_F(ModelMetadata, HostileNumbersAreRefused) {
  using nlohmann::json;
  EXPECT_FALSE(after("input", [](json&) {}));
  const auto expect_refused = [&](const std::string& key, const std::string& pointer,
                                  const json& value) {
    const auto found = after(key, [&](json& whole) { whole[json::json_pointer(pointer)] = value; });
    ASSERT_TRUE(found) << key << pointer << " " << value;
    EXPECT_EQ(found->kind, ErrorKind::failure) << found->message;
    EXPECT_TRUE(found->names("m.model")) << found->message;
  };
  for (const json& bad : {json(0), json(-1), json(std::int64_t{1} << 40), json(1e300), json("8"),
                          json(), json(2.5), json::array({8})}) {
    expect_refused("input", "/width", bad);
    expect_refused("input", "/height", bad);
    for (const char* field :
         {"/channels", "/classes", "/encoder/width", "/encoder/heads", "/encoder/position_grid",
          "/encoder/prior_width", "/encoder/points"}) {
      expect_refused("network", field, bad);
    }
  }
  for (const json& bad : {json(-1), json(std::int64_t{1} << 40), json(2.5), json("2")}) {
    expect_refused("network", "/bottleneck_depth", bad);
    expect_refused("network", "/decoder_depths/1", bad);
    expect_refused("network", "/encoder/groups/0", bad);
    expect_refused("network", "/unet_width", bad);
    expect_refused("network", "/classifier_hidden", bad);
  }
  expect_refused("network", "/encoder/heads", 5);  // 24 channels do not part in 5
  expect_refused("network", "/encoder/groups", json(std::vector<int>(1000, 1)));
  expect_refused("network", "/encoder/groups", json::array());
  for (const json& bad : {json(0), json(-0.5), json(1e9)}) {
    expect_refused("network", "/encoder/deform_ratio", bad);
  }
  for (const json& bad : {json(-0.1), json(1.5)}) {
    expect_refused("network", "/encoder/drop_path", bad);
  }
  for (const json& bad : {json(0), json(-0.2), json(1e300)}) {
    expect_refused("input", "/deviation/1", bad);
  }
  expect_refused("input", "/mean/0", 1e300);
  expect_refused("input", "/mean", json::array({0.5, 0.5}));
  expect_refused("input", "/fit", "crop");
}

// Channels that agree at 0 must not pass for agreement.
TEST_F(ModelMetadata, NoChannelsAreRefused) {
  Metadata metadata = good_;
  auto network = nlohmann::json::parse(metadata.at("network"));
  auto input = nlohmann::json::parse(metadata.at("input"));
  network["channels"] = input["channels"] = 0;
  input["mean"] = input["deviation"] = nlohmann::json::array();
  metadata["network"] = network.dump();
  metadata["input"] = input.dump();
  EXPECT_TRUE(test::refusal_of([&] { return model_info("m.model", metadata); }));
}

TEST_F(ModelMetadata, OtherVersionsAreNamedWithOurs) {
  for (const char* version : {"3", "0", "-1", "1.0", "", "one", "01", "1 "}) {
    Metadata metadata = good_;
    metadata["format_version"] = version;
    const auto found = test::refusal_of([&] { return model_info("m.model", metadata); });
    ASSERT_TRUE(found) << version;
    EXPECT_EQ(found->kind, ErrorKind::failure);
    EXPECT_TRUE(found->names("m.model") && found->names("format " + std::string(version)) &&
                found->names("reads format 2"))
        << found->message;
  }
}

TEST_F(ModelMetadata, RangesForInt8AreReadAndWrongOnesRefused) {
  ModelInfo info = model_info("m.model", good_);
  EXPECT_TRUE(info.int8_ranges.empty());
  info.int8_ranges = {{"a.weight", 0.5}, {"b.weight", 12}};
  EXPECT_EQ(model_info("m.model", to_metadata(info)).int8_ranges, info.int8_ranges);
  for (const char* bad :
       {"", "{}", R"({"ranges": [1]})", R"({"ranges": {"a": 0}})", R"({"ranges": {"a": -1}})",
        R"({"ranges": {"a": 1e300}})", R"({"ranges": {"a": "1"}})", R"({"ranges": {"a": null}})"}) {
    Metadata metadata = good_;
    metadata["int8"] = bad;
    const auto found = test::refusal_of([&] { return model_info("m.model", metadata); });
    ASSERT_TRUE(found) << bad;
    EXPECT_TRUE(found->names("m.model") && found->names("int8")) << found->message;
  }
}

// Keys that a reader may pass over, and those that it must know.
TEST_F(ModelMetadata, WhatIsNotKnownIsPassedOverUnlessItIsNeeded) {
  Metadata metadata = good_;
  metadata["of_a_later_version"] = "{}";
  metadata["needs"] = "[]";
  EXPECT_FALSE(test::refusal_of([&] { return model_info("m.model", metadata); }));
  metadata["needs"] = R"(["of_a_later_version"])";
  const auto found = test::refusal_of([&] { return model_info("m.model", metadata); });
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->names("m.model") && found->names("needs of_a_later_version") &&
              found->names("newer"))
      << found->message;
  for (const char* bad : {"", "{}", "[1]", "\"a\"", "["}) {
    metadata["needs"] = bad;
    EXPECT_TRUE(test::refusal_of([&] { return model_info("m.model", metadata); })) << bad;
  }
}

// A program that knows no temperatures would give other probabilities: so it is told to refuse.
TEST_F(ModelMetadata, ATemperatureIsReadAndNeeded) {
  ModelInfo info = model_info("m.model", good_);
  EXPECT_FALSE(info.temperature);
  EXPECT_FALSE(to_metadata(info).contains("needs"));
  info.temperature = 1.37;
  const Metadata metadata = to_metadata(info);
  EXPECT_EQ(metadata.at("needs"), R"(["calibration"])");
  EXPECT_EQ(model_info("m.model", metadata).temperature, 1.37);
  EXPECT_NE(content_sha256(metadata, {}), content_sha256(good_, {}));
  info.input.fit = Fit::tile;
  EXPECT_EQ(to_metadata(info).at("needs"), R"(["input.fit=tile","calibration"])");
  EXPECT_EQ(model_info("m.model", to_metadata(info)).temperature, 1.37);
  for (const char* bad :
       {"", "{}", R"({"temperature": 0})", R"({"temperature": -1})", R"({"temperature": 0.04})",
        R"({"temperature": 20.5})", R"({"temperature": "1"})", R"({"temperature": null})"}) {
    Metadata wrong = good_;
    wrong["calibration"] = bad;
    const auto found = test::refusal_of([&] { return model_info("m.model", wrong); });
    ASSERT_TRUE(found) << bad;
    EXPECT_TRUE(found->names("m.model") && found->names("calibration")) << found->message;
  }
}

// Readers that know no tiles refuse such a model for what it needs; all others are as before.
TEST_F(ModelMetadata, AModelOfTilesSaysThatItNeedsThem) {
  for (const Fit fit : all_fits) {
    ModelInfo info = model_info("m.model", good_);
    info.input.fit = fit;
    Metadata metadata = to_metadata(info);
    if (fit != Fit::tile) {
      EXPECT_FALSE(metadata.contains("needs")) << to_string(fit);
      continue;
    }
    EXPECT_EQ(metadata["needs"], R"(["input.fit=tile"])");
    EXPECT_EQ(model_info("m.model", metadata).input, info.input);
    metadata["needs"] = R"(["input.fit=tile", "of_a_later_version"])";
    const auto found = test::refusal_of([&] { return model_info("m.model", metadata); });
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->names("needs of_a_later_version")) << found->message;
  }
}

TEST_F(ModelMetadata, HeadsAreAListThatFitsTheNetwork) {
  ModelInfo info;
  info.network = net::preset("nano", 5, 3);
  info.heads = {segmentation_head({{"background", {}}, {"a", {1, 2, 3}}}),
                {.name = "zones",
                 .kind = HeadKind::sigmoid,
                 .classes = {{"background", {}}, {"b", {}}, {"c", {}}, {"d", {}}},
                 .regions = {{1, 2, 3}, {2, 3}, {3}}}};
  const ModelInfo back = model_info("m.model", to_metadata(info));
  EXPECT_EQ(back.heads, info.heads);
  const auto refused = [&] {
    return test::refusal_of([&] { return segmentation_of("m.model", back); });
  };
  ASSERT_TRUE(refused()) << "what segments takes one head";
  EXPECT_TRUE(refused()->names("m.model") && refused()->names("2 heads")) << refused()->message;
  info.network.classes = 4;
  EXPECT_TRUE(test::refusal_of([&] { return model_info("m.model", to_metadata(info)); }));
  info.network.classes = 5;
  info.heads[1].kind = HeadKind::label;
  EXPECT_TRUE(test::refusal_of([&] { return model_info("m.model", to_metadata(info)); }))
      << "a class per image from a network that gives one per pixel";
}

TEST_F(ModelMetadata, AClassifierAndAnEncoderAreNoSegmentation) {
  ModelInfo info;
  info.network = net::classifier_preset("nano");
  info.network.classes = 2;
  info.heads = {{.name = "label", .kind = HeadKind::label, .classes = {{"cat", {}}, {"dog", {}}}}};
  const ModelInfo classifier = model_info("m.model", to_metadata(info));
  EXPECT_EQ(classifier.heads, info.heads);
  info.network = net::encoder_preset("nano");
  info.heads.clear();
  for (const ModelInfo& one : {classifier, model_info("m.model", to_metadata(info))}) {
    const auto found = test::refusal_of([&] { return segmentation_of("m.model", one); });
    ASSERT_TRUE(found);
    EXPECT_EQ(found->kind, ErrorKind::usage);
    EXPECT_TRUE(found->names("train --pretrained m.model")) << found->message;
  }
}

TEST_F(ModelMetadata, ColoursAreThreeBytes) {
  using nlohmann::json;
  for (const json& bad : {json::array({1, 2}), json::array({1, 2, 3, 4}), json::array({1, 2, 256}),
                          json::array({1, 2, -1}), json::array({1, 2, 0.5}), json("#ff0000")}) {
    const auto found = after("heads", [&](json& heads) { heads[0]["classes"][1]["color"] = bad; });
    ASSERT_TRUE(found) << bad;
    EXPECT_TRUE(found->names("m.model")) << found->message;
  }
}

TEST(InputContracts, EveryFitAndWindowReadsBack) {
  ModelInfo info;
  info.network = net::preset("nano", 2, 3);
  info.heads = {segmentation_head({{"background", {}}, {"lesion", {}}})};
  for (const Fit fit : all_fits) {
    for (const std::optional<Window>& window :
         {std::optional<Window>(), std::optional<Window>(Window{-160.5, 240})}) {
      info.input.fit = fit;
      info.input.window = window;
      EXPECT_EQ(model_info("m", to_metadata(info)).input, info.input);
    }
  }
}

/// A reader that does not know a need refuses the file, so every window of this kind is one.
TEST(InputContracts, WindowsOfValuesReadBackAndAreNeeded) {
  using nlohmann::json;
  ModelInfo info;
  info.network = net::preset("nano", 2, 3);
  info.heads = {segmentation_head({{"background", {}}, {"lesion", {}}})};
  EXPECT_FALSE(to_metadata(info).contains("needs"));
  for (const OwnWindow& own : {OwnWindow{}, OwnWindow{OwnWindow::By::percentile, 1, 99, false},
                               OwnWindow{OwnWindow::By::deviation, -3, 3, true}}) {
    info.input.own_window = own;
    const Metadata metadata = to_metadata(info);
    EXPECT_EQ(json::parse(metadata.at("needs")), json({"input.own_window"}));
    EXPECT_EQ(model_info("m", metadata).input, info.input);
  }
  info.input.own_window = OwnWindow{};
  EXPECT_EQ(json::parse(to_metadata(info).at("input")).at("own_window"),
            (json{{"by", "percentile"}, {"low", 0.5}, {"high", 99.5}, {"over", "volume"}}));
}

TEST(InputContracts, PlanesReadBackAndAreNeeded) {
  ModelInfo info;
  info.network = net::preset("nano", 2, 3);
  info.heads = {segmentation_head({{"background", {}}, {"lesion", {}}})};
  for (const Plane plane : all_planes) {
    info.input.plane = plane;
    const Metadata metadata = to_metadata(info);
    EXPECT_EQ(model_info("m", metadata).input, info.input);
    EXPECT_EQ(metadata.contains("needs"), plane != Plane::stored);
    if (plane == Plane::stored) continue;
    EXPECT_EQ(nlohmann::json::parse(metadata.at("needs")), nlohmann::json({"input.plane"}));
  }
}

TEST_F(ModelMetadata, APlaneIsOneOfThose) {
  for (const nlohmann::json& bad : {nlohmann::json("oblique"), nlohmann::json(3)}) {
    const auto found = after("input", [&](nlohmann::json& input) { input["plane"] = bad; });
    ASSERT_TRUE(found) << bad;
    EXPECT_TRUE(found->names("m.model")) << found->message;
  }
}

TEST_F(ModelMetadata, AWindowOfValuesIsSound) {
  using nlohmann::json;
  const json sound{{"by", "percentile"}, {"low", 1}, {"high", 99}, {"over", "image"}};
  EXPECT_FALSE(after("input", [&](json& input) {
    input["window"] = nullptr;
    input["own_window"] = sound;
  }));
  for (const auto& [key, value] : {std::pair<const char*, json>{"by", "median"},
                                   {"by", 3},
                                   {"low", 99},
                                   {"low", -1},
                                   {"high", 101},
                                   {"high", "x"},
                                   {"over", "patient"}}) {
    const auto found = after("input", [&](json& input) {
      input["own_window"] = sound;
      input["own_window"][key] = value;
    });
    ASSERT_TRUE(found) << key << " " << value;
    EXPECT_TRUE(found->names("m.model")) << found->message;
  }
  EXPECT_TRUE(after("input", [&](json& input) {
    input["window"] = {0, 1};
    input["own_window"] = sound;
  }));
}

TEST_F(ModelMetadata, AWindowIsAPairThatRises) {
  using nlohmann::json;
  for (const json& bad : {json::array({1, 1}), json::array({2, 1}), json::array({1}),
                          json::array({0, "a"}), json(3), json::array({0, 1, 2})}) {
    const auto found = after("input", [&](json& input) { input["window"] = bad; });
    ASSERT_TRUE(found) << bad;
    EXPECT_TRUE(found->names("m.model") && found->names("window")) << found->message;
  }
  EXPECT_FALSE(after("input", [](json& input) { input.erase("window"); }));
}

// Every preset says all about itself: nothing is lost on the way through the metadata.
TEST(ModelConfigurations, OfEveryPresetReadBack) {
  for (const std::string& name : net::preset_names()) {
    ModelInfo info;
    info.network = net::preset(name, 4, 1);
    info.input.channels = 1;
    info.input.mean = {0.449};
    info.input.deviation = {0.226};
    Head head = segmentation_head({{"background", {}}, {"a", {}}, {"b", {}}, {"c", {}}});
    if (info.network.architecture == net::Architecture::classifier) head.kind = HeadKind::label;
    if (info.network.architecture != net::Architecture::encoder) info.heads = {head};
    EXPECT_EQ(model_info("m", to_metadata(info)).network, info.network) << name;
    EXPECT_EQ(model_info("m", to_metadata(info)).input, info.input) << name;
  }
}

}  // namespace
}  // namespace medurwkv::weights
