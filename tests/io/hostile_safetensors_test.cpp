// Hostile safetensors files: headers that lie, and headers that ask a parser for more than they are
// worth. Rules: github.com/huggingface/safetensors, README, "Format".
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "net/presets.h"
#include "support/hostile.h"
#include "support/read_weights.h"
#include "support/zip_by_hand.h"
#include "weights/model_file.h"

namespace medurwkv::weights {
namespace {

using test::HostileFile;
using test::little;

std::string with_header(const std::string& header, const std::string& data) {
  return little(header.size(), 8) + header + data;
}

const std::string eight_bytes = "01234567";
const std::string good_entry = R"("dtype":"F32","shape":[2],"data_offsets":[0,8])";

std::string repeated(std::size_t count, const std::string& piece) {
  std::string out;
  out.reserve(count * piece.size());
  for (std::size_t i = 0; i < count; ++i) out += piece;
  return out;
}

/// Headers over eight bytes of data.
std::vector<HostileFile> lies() {
  std::vector<HostileFile> out;
  const auto entry = [&](const char* what, const std::string& inside, const char* named) {
    out.push_back({what, with_header("{\"a\":{" + inside + "}}", eight_bytes), named});
  };
  const auto header = [&](const char* what, const std::string& text, const char* named) {
    out.push_back({what, with_header(text, eight_bytes), named});
  };
  const std::string of = R"("dtype":"F32","shape":)";
  const std::string to = R"(,"data_offsets":[0,8])";
  entry("an unknown type", R"("dtype":"F31","shape":[2],"data_offsets":[0,8])", "'F31'");
  entry("a type that is a number", R"("dtype":32,"shape":[2],"data_offsets":[0,8])", "byte");
  entry("no type", R"("shape":[2],"data_offsets":[0,8])", "dtype");
  entry("no shape", R"("dtype":"F32","data_offsets":[0,8])", "shape");
  entry("no offsets", R"("dtype":"F32","shape":[2])", "data_offsets");
  entry("a type twice", R"("dtype":"U8",)" + good_entry, "twice");
  entry("an unknown key", R"("stride":[1],)" + good_entry, "'stride'");
  entry("a shape that is larger", of + "[3]" + to, "holds 8 bytes");
  entry("a negative side", of + "[-2]" + to, "whole number");
  entry("a side and a half", of + "[1.5]" + to, "whole number");
  entry("a side of 2e0", of + "[2e0]" + to, "whole number");
  entry("a side of 02", of + "[02]" + to, "whole number");
  entry("a side of 2^64", of + "[18446744073709551616]" + to, "64 bits");
  entry("a side of 2^63", of + "[9223372036854775808]" + to, "9223372036854775808");
  entry("sides that wrap to 2", of + "[4611686018427387904,4,2]" + to, "holds");
  entry("sides that wrap beside 0", of + "[0,4611686018427387904,4]" + to, "holds");
  entry("33 sides", of + "[" + repeated(32, "1,") + "2]" + to, "over 32");
  entry("a shape that is a text", of + "\"2\"" + to, "byte");
  entry("a shape without an end", of + "[2", "byte");
  const std::string shaped = R"("dtype":"F32","shape":[2],"data_offsets":)";
  entry("offsets the other way round", shaped + "[8,0]", "not a start and an end");
  entry("one offset", shaped + "[8]", "not a start and an end");
  entry("three offsets", shaped + "[0,8,8]", "over 2");
  entry("offsets beyond the file", shaped + "[8,16]", "starts at byte 8");
  entry("an end of 2^64 - 1", shaped + "[18446744073709551607,18446744073709551615]", "starts at");
  header("a hole in front", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
         "expected 0");
  header("a hole at the end", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
         "its tensors 4");
  header(
      "an overlap",
      R"({"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
      "expected 5");
  header(
      "two tensors on the same bytes",
      R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})",
      "expected 8");
  header("a tensor twice", "{\"a\":{" + good_entry + "},\"a\":{" + good_entry + "}}", "twice");
  header("a tensor twice, once escaped",
         "{\"a\":{" + good_entry + "},\"\\u0061\":{" + good_entry + "}}", "twice");
  header("metadata twice", R"({"__metadata__":{},"__metadata__":{}})", "twice");
  header("a metadata key twice", R"({"__metadata__":{"k":"1","k":"2"}})", "'k' twice");
  header("metadata of a number", R"({"__metadata__":{"k":1}})", "'k'");
  header("metadata of metadata", R"({"__metadata__":{"k":{}}})", "'k'");
  header("metadata that are a list", R"({"__metadata__":[]})", "byte");
  header("no tensors for the data", "{}", "8 bytes of data");
  header("a list", "[]", "'{'");
  header("a text", "\"a\"", "'{'");
  header("blanks in front", " {\"a\":{" + good_entry + "}}", "'{'");
  header("a comma at the end", "{\"a\":{" + good_entry + "},}", "byte");
  header("something behind", "{\"a\":{" + good_entry + "}}{}", "after its JSON text");
  header("a name without an end", "{\"a", "without an end");
  header("a name that ends in a backslash", "{\"a\\", "without an end");
  header("half a surrogate pair", "{\"\\ud800\":{" + good_entry + "}}", "surrogate");
  header("the other half", "{\"\\udc00\":{" + good_entry + "}}", "surrogate");
  header("an escape nobody knows", "{\"\\x61\":{" + good_entry + "}}", "escape");
  header("a name that is no UTF-8", "{\"\xc3\x28\":{" + good_entry + "}}", "UTF-8");
  header("a slash in two bytes", "{\"\xc0\xaf\":{" + good_entry + "}}", "UTF-8");
  header("a line break in a name", "{\"a\nb\":{" + good_entry + "}}", "control character");
  return out;
}

/// Headers that are long.
std::vector<HostileFile> floods() {
  std::vector<HostileFile> out;
  const auto header = [&](const char* what, const std::string& text, const char* named) {
    out.push_back({what, with_header(text, ""), named});
  };
  header("millions of lists in each other", repeated(8'000'000, "["), "'{'");
  header("millions of objects in each other", repeated(2'000'000, "{\"a\":"), "byte");
  header("a shape of millions", R"({"a":{"dtype":"U8","shape":[)" + repeated(8'000'000, "0,"),
         "over 32");
  header("offsets of millions", R"({"a":{"data_offsets":[)" + repeated(8'000'000, "0,"), "over 2");
  header("a name of 60 MB", "{\"" + repeated(60'000'000, "n") + "\":5}", "byte");
  header("a type of 20 MB", R"({"a":{"dtype":")" + repeated(20'000'000, "n") + "\"}}", "type");
  header("a metadata text of 60 MB",
         R"({"__metadata__":{"k":")" + repeated(60'000'000, "n") + "\"},}", "byte");
  header("a name of 30 MB in escapes", "{\"" + repeated(5'000'000, "\\u0041") + "\":5}", "byte");
  std::string tensors = "{";
  for (int i = 0; i < 200'000; ++i) {
    tensors += "\"" + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)";
  }
  header("200,000 tensors", tensors, "65536 tensors");
  std::string metadata = R"({"__metadata__":{)";
  for (int i = 0; i < 1'000'000; ++i) metadata += "\"" + std::to_string(i) + "\":\"\",";
  header("a million metadata", metadata, "65536 metadata");
  out.push_back({"60,000 tensors and a byte too many",
                 [] {
                   std::string text =
                       "{\"z\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}";
                   for (int i = 0; i < 60'000; ++i) {
                     text += ",\"" + std::to_string(i) +
                             R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
                   }
                   return with_header(text + "}", "x");
                 }(),
                 "1 bytes of data"});
  return out;
}

TEST(HostileSafetensors, AreRefused) {
  std::vector<HostileFile> files =
      test::cut_and_extended(with_header("{\"a\":{" + good_entry + "}}", eight_bytes));
  for (const HostileFile& file : lies()) files.push_back(file);
  for (const HostileFile& file : floods()) files.push_back(file);
  for (const std::uint64_t length :
       {std::uint64_t{0}, std::uint64_t{100'000'001}, std::uint64_t{1} << 31U,
        std::uint64_t{1} << 63U, ~std::uint64_t{0}, ~std::uint64_t{0} - 7}) {
    files.push_back({"a header of " + std::to_string(length), little(length, 8) + "{}", ""});
  }
  test::expect_refused("hostile.safetensors", files, test::read_both_ways);
}

/// A model file without tensors, with one of its metadata replaced or, without a value, left out.
std::string model_with(const std::string& key, const std::optional<std::string>& value = {}) {
  ModelInfo info;
  info.network = net::preset("nano", 2, 3);
  info.heads = {segmentation_head({{"background", {0, 0, 0}}, {"lesion", {255, 0, 0}}})};
  Metadata metadata = to_metadata(info);
  metadata.erase(key);
  if (value) metadata[key] = *value;
  return make_header({}, metadata);
}

TEST(HostileSafetensors, ModelMetadataAreRefused) {
  std::vector<HostileFile> files = test::cut_and_extended(model_with("title", "good"));
  for (const char* key : {"network", "input", "heads", "provenance"}) {
    files.push_back({std::string("no ") + key, model_with(key), key});
    for (const char* value :
         {"null", "5", "\"text\"", "{}", "[]", "[{}]", "[[]]", "[{\"kind\":5}]"}) {
      if (std::string(key) == "provenance" && value[0] == '{') continue;  // an empty one is good
      files.push_back({std::string(key) + " = " + value, model_with(key, value), key});
    }
  }
  for (const char* key : {"network", "input", "heads", "provenance", "format", "format_version"}) {
    const std::vector<std::string> values{"",
                                          "[",
                                          "nul",
                                          "{\"preset\":}",
                                          "1e999",
                                          "\"\xc3\xa9",
                                          repeated(1'000'000, "["),
                                          repeated(300'000, "{\"a\":"),
                                          "[" + repeated(1'000'000, "0,") + "0]",
                                          "[" + repeated(500'000, "[],") + "0]",
                                          repeated(3'000'000, " ")};
    for (const std::string& value : values) {
      files.push_back({std::string(key) + " = " + value.substr(0, 20), model_with(key, value),
                       std::string(key).starts_with("format") ? "" : "'" + std::string(key) + "'"});
    }
  }
  test::expect_refused("hostile.model", files, [](const auto& path) {
    model_info(path.string(), test::read_weights(path).metadata());
  });
}

}  // namespace
}  // namespace medurwkv::weights
