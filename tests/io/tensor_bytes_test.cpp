// Safetensors and model files on disk, byte by byte: limits, cuts, flipped bits, every type's
// values, and that writing is exact, repeatable and leaves nothing behind.
#include <gtest/gtest.h>

#include <sys/resource.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "net/presets.h"
#include "support/paths.h"
#include "support/refusal.h"
#include "weights/model_file.h"
#include "weights/tensor_file.h"

namespace medurwkv::weights {
namespace {

namespace fs = std::filesystem;

std::string length_field(std::uint64_t length) {
  std::string out;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    out += static_cast<char>((length >> shift) & 0xffU);
  }
  return out;
}

class TensorBytes : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path path() const { return folder_.path() / "bytes.safetensors"; }
  void put(std::string_view bytes) const {
    std::ofstream(path(), std::ios::binary).write(bytes.data(), std::ssize(bytes));
  }
  [[nodiscard]] std::optional<test::Refusal> refusal() const {
    auto refused = test::refusal_of([&] { return TensorFile::read(path()); });
    if (refused) {
      EXPECT_EQ(refused->kind, ErrorKind::failure) << refused->message;
      EXPECT_TRUE(refused->names("bytes.safetensors")) << refused->message;
    }
    return refused;
  }
  /// Two tensors and metadata: every part of the format.
  [[nodiscard]] std::string small_file() const {
    const std::vector<float> floats{1, -2, 3};
    write_tensor_file(path(),
                      {{"a", DType::f32, {3}, as_text(std::span<const float>(floats))},
                       {"b", DType::u8, {2, 2}, "wxyz"}},
                      {{"key", "value"}});
    return read_file(path());
  }
  test::TemporaryFolder folder_;
};

TEST_F(TensorBytes, CutAtEveryByteOrWithOneMore) {
  const std::string whole = small_file();
  ASSERT_FALSE(refusal());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    put(whole.substr(0, length));
    EXPECT_TRUE(refusal()) << length << " of " << whole.size();
  }
  put(whole + '\0');
  EXPECT_TRUE(refusal()) << "a byte of nobody";
}

// A flipped bit may make another sound file (in the data it does), never a crash or a tensor that
// reaches beyond the file.
TEST_F(TensorBytes, AnyFlippedBitIsRefusedOrHarmless) {
  const std::string whole = small_file();
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    put(flipped);
    if (refusal()) continue;
    const TensorFile file = TensorFile::read(path());
    for (const TensorInfo& info : file.tensors()) {
      EXPECT_EQ(file.data(info).size(), info.bytes);
      EXPECT_EQ(static_cast<std::int64_t>(file.values(info.name).size()),
                element_count(info.shape));
    }
  }
}

// The header ends with the file or before it, and lies within 100 MB. No memory is allocated for
// what it claims.
TEST_F(TensorBytes, HeadersThatClaimTooMuch) {
  rusage before{};
  getrusage(RUSAGE_SELF, &before);
  for (const std::uint64_t length :
       {std::uint64_t{3}, std::uint64_t{99'999'999}, std::uint64_t{1} << 32, std::uint64_t{1} << 62,
        ~std::uint64_t{0} - 7, ~std::uint64_t{0}}) {
    put(length_field(length) + "{}");
    EXPECT_TRUE(refusal()) << length;
  }
  rusage after{};
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 50 * 1024) << "KiB";
  put(length_field(2) + "{}");
  EXPECT_FALSE(refusal());
}

// 100,000,000 bytes are allowed, one more is not, though the file has them.
TEST_F(TensorBytes, TheHeadersLimitIsExact) {
  constexpr std::size_t limit = 100'000'000;
  {
    std::ofstream out(path(), std::ios::binary);
    const std::string blanks(1'000'000, ' ');
    out << length_field(limit) << "{}" << blanks.substr(2);
    for (std::size_t i = 1; i < limit / blanks.size(); ++i) out << blanks;
  }
  EXPECT_FALSE(refusal());
  {
    std::fstream out(path(), std::ios::binary | std::ios::in | std::ios::out);
    out << length_field(limit + 1);
    out.seekp(0, std::ios::end);
    out << ' ';
  }
  const auto refused = refusal();
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("100000000")) << refused->message;
}

// Little-endian bytes and what they are by IEEE 754, two's complement and bfloat16's definition.
TEST_F(TensorBytes, EveryTypesValues) {
  struct Row {
    const char* type;
    std::string bytes;
    std::vector<double> values;
  };
  const auto bytes = [](std::initializer_list<int> list) {
    std::string out;
    for (const int value : list) out += static_cast<char>(value);
    return out;
  };
  const std::vector<Row> rows{
      {"F64", bytes({0, 0, 0, 0, 0, 0, 0xf8, 0xbf}), {-1.5}},
      {"F32", bytes({0, 0, 0x20, 0x41, 1, 0, 0, 0}), {10, 0x1p-149}},
      {"F16",
       bytes({0, 0x3c, 0xff, 0x7b, 1, 0, 0xff, 3, 0, 0x7c, 0, 0xfc, 0, 0x80}),
       {1, 65504, 0x1p-24, 1023 * 0x1p-24, HUGE_VAL, -HUGE_VAL, 0}},
      {"BF16", bytes({0x80, 0x3f, 0x80, 0x7f, 0x49, 0xc0}), {1, HUGE_VAL, -3.140625}},
      {"I64", bytes({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), {-1}},
      {"I32", bytes({0, 0, 0, 0x80}), {-2147483648.0}},
      {"I16", bytes({0xff, 0x7f, 0, 0x80}), {32767, -32768}},
      {"I8", bytes({0x80, 0x7f}), {-128, 127}},
      {"U8", bytes({0x80, 0xff}), {128, 255}},
      {"BOOL", bytes({0, 1}), {0, 1}}};
  for (const Row& row : rows) {
    const std::string header = R"({"t":{"dtype":")" + std::string(row.type) + R"(","shape":[)" +
                               std::to_string(row.values.size()) + R"(],"data_offsets":[0,)" +
                               std::to_string(row.bytes.size()) + "]}}";
    put(length_field(header.size()) + header + row.bytes);
    EXPECT_EQ(TensorFile::read(path()).values("t"), row.values) << row.type;
  }
  const std::string nan = R"({"t":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})";
  put(length_field(nan.size()) + nan + bytes({1, 0x7c}));
  EXPECT_TRUE(std::isnan(TensorFile::read(path()).values("t").at(0)));
}

// Bits are kept, also those that arithmetic would lose: a NaN's payload, -0, the smallest number.
TEST_F(TensorBytes, WritingKeepsEveryBit) {
  std::string data;
  for (const std::uint32_t bits : {0x7fc12345U, 0xff800001U, 0x80000000U, 1U, 0x7f800000U}) {
    data.append(reinterpret_cast<const char*>(&bits), 4);
  }
  write_tensor_file(path(), {{"t", DType::f32, {5}, data}}, {});
  const TensorFile file = TensorFile::read(path());
  EXPECT_EQ(file.data(file.info("t")), data);
}

TEST_F(TensorBytes, WritingTwiceGivesTheSameBytesAndLeavesNothing) {
  const std::string first = small_file();
  EXPECT_EQ(small_file(), first);
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(folder_.path())) {
    EXPECT_EQ(entry.path(), path());
    ++files;
  }
  EXPECT_EQ(files, 1U);
}

TEST_F(TensorBytes, DataOfAnotherSizeThanTheShapeIsOurBug) {
  const std::string former = small_file();
  const auto refused = test::refusal_of([&] {
    write_tensor_file(path(), {{"t", DType::f32, {2}, "seven b"}}, {});
    return 0;
  });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::internal);
  EXPECT_EQ(read_file(path()), former) << "what was there stays";
}

// As a user meets them: files on disk of a later version, of no version, of another program.
TEST_F(TensorBytes, ModelFilesOfOtherVersionsAreRefusedByName) {
  ModelInfo info;
  info.network = net::preset("unet_small", 2, 3);
  info.heads = {segmentation_head({{"background", {}}, {"lesion", {9, 9, 9}}})};
  const auto refused = [&](const Metadata& metadata) {
    write_tensor_file(path(), {{"t", DType::u8, {1}, "x"}}, metadata);
    const TensorFile file = TensorFile::read(path());
    return test::refusal_of([&] { return model_info(path().string(), file.metadata()); });
  };
  const Metadata good = to_metadata(info);
  EXPECT_FALSE(refused(good));
  Metadata newer = good;
  newer["format_version"] = std::to_string(model_format_version + 1);
  const auto of_newer = refused(newer);
  ASSERT_TRUE(of_newer);
  EXPECT_TRUE(of_newer->names(path().string()) && of_newer->names("format 3") &&
              of_newer->names("reads format 2") && of_newer->names("newer"))
      << of_newer->message;
  Metadata foreign = good;
  foreign["format"] = "pt";
  const auto of_foreign = refused(foreign);
  ASSERT_TRUE(of_foreign);
  EXPECT_TRUE(of_foreign->names("pt")) << of_foreign->message;
  EXPECT_TRUE(refused({}));
  for (const auto& [key, unused] : good) {
    Metadata without = good;
    without.erase(key);
    const auto of_without = refused(without);
    ASSERT_TRUE(of_without) << key;
    EXPECT_TRUE(of_without->names(key)) << of_without->message;
  }
}

}  // namespace
}  // namespace medurwkv::weights
