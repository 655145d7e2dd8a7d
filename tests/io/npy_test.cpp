// NumPy arrays: every type, order and version, as numpy.lib.format describes them, and every lie.
#include "core/npy.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "support/paths.h"
#include "support/refusal.h"
#include "support/zip_by_hand.h"

namespace medurwkv {
namespace {

std::string npy(const std::string& dictionary, const std::string& data, int version = 1) {
  return std::string("\x93NUMPY") + static_cast<char>(version) + '\0' +
         test::little(dictionary.size(), version == 1 ? 2 : 4) + dictionary + data;
}

std::string described(const std::string& descr, const std::string& shape,
                      const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}

std::vector<double> values(const std::string& bytes) {
  return NpyArray::parse("some.npy", bytes).doubles();
}

using Numbers = std::vector<double>;

// Bytes by hand: 1 and -2 (or what the type has of them).
TEST(Npy, EveryTypeIsReadInBothByteOrders) {
  const auto both = [](const std::string& code, const std::string& little) {
    std::string big;
    const std::size_t size = little.size() / 2;
    for (const std::size_t start : {std::size_t{0}, size}) {
      big +=
          std::string(little.rbegin() + static_cast<std::ptrdiff_t>(little.size() - start - size),
                      little.rbegin() + static_cast<std::ptrdiff_t>(little.size() - start));
    }
    Numbers out = values(npy(described("<" + code, "(2,)"), little));
    EXPECT_EQ(values(npy(described(">" + code, "(2,)"), big)), out) << code;
    return out;
  };
  EXPECT_EQ(both("f2", std::string("\x00\x3c\x00\xc0", 4)), (Numbers{1, -2}));
  EXPECT_EQ(both("f4", std::string("\0\0\x80\x3f\0\0\0\xc0", 8)), (Numbers{1, -2}));
  EXPECT_EQ(both("f8", std::string("\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\xc0", 16)),
            (Numbers{1, -2}));
  EXPECT_EQ(both("i2", std::string("\1\0\xfe\xff", 4)), (Numbers{1, -2}));
  EXPECT_EQ(both("u2", std::string("\1\0\xfe\xff", 4)), (Numbers{1, 65534}));
  EXPECT_EQ(both("i4", std::string("\1\0\0\0\xfe\xff\xff\xff", 8)), (Numbers{1, -2}));
  EXPECT_EQ(both("u4", std::string("\1\0\0\0\xfe\xff\xff\xff", 8)), (Numbers{1, 4294967294.0}));
  const std::string longs("\1\0\0\0\0\0\0\0\xfe\xff\xff\xff\xff\xff\xff\xff", 16);
  EXPECT_EQ(both("i8", longs), (Numbers{1, -2}));
  EXPECT_EQ(both("u8", longs), (Numbers{1, 18446744073709551614.0}));
  EXPECT_EQ(values(npy(described("|i1", "(2,)"), "\x01\xfe")), (Numbers{1, -2}));
  EXPECT_EQ(values(npy(described("|u1", "(2,)"), "\x01\xfe")), (Numbers{1, 254}));
  EXPECT_EQ(values(npy(described("|b1", "(3,)"), std::string("\1\0\2", 3))), (Numbers{1, 0, 1}));
}

TEST(Npy, ShapesOrdersAndVersionsAreRead) {
  EXPECT_EQ(values(npy(described("|u1", "()"), "\7")), (Numbers{7}));
  EXPECT_EQ(values(npy(described("|u1", "(0, 3)"), "")), (Numbers{}));
  for (const int version : {1, 2, 3}) {
    const NpyArray array =
        NpyArray::parse("some.npy", npy(described("|u1", "(2, 3)"), "\1\2\3\4\5\6", version));
    EXPECT_EQ(array.shape(), (Shape{2, 3}));
    EXPECT_EQ(array.floats(), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  }
  // Column by column in the file: element (i, j, k) is i + 2 j + 6 k.
  const std::string column_major =
      npy(described("<u2", "(2, 3, 2)", "True"),
          std::string("\0\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\10\0\11\0\12\0\13\0", 24));
  EXPECT_EQ(values(column_major), (Numbers{0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11}));
  // As Python 2 wrote it, keys in another order, double quotes, no comma at the end.
  EXPECT_EQ(values(npy(R"({"shape": (2L,), "fortran_order": False, "descr": "|u1"})", "\1\2")),
            (Numbers{1, 2}));
}

// The first bytes that numpy.save writes for zeros((3, 4), float32) (numpy 1.24).
TEST(Npy, WhatIsWrittenIsWhatNumPyWrites) {
  EXPECT_EQ(
      npy_header(NpyType::f32, {3, 4}),
      std::string(
          "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", 69) +
          std::string(58, ' ') + "\n");
  const test::TemporaryFolder folder;
  const std::string data("\1\2\3\4\5\6", 6);
  for (const Shape& shape : {Shape{6}, Shape{2, 3}, Shape{1, 1, 6}}) {
    write_npy(folder.path() / "a.npy", NpyType::u8, shape, data);
    const NpyArray array = NpyArray::read(folder.path() / "a.npy");
    EXPECT_EQ(array.type(), NpyType::u8);
    EXPECT_EQ(array.shape(), shape);
    EXPECT_EQ(array.data(), data);
  }
  write_npy(folder.path() / "scalar.npy", NpyType::u16, {}, std::string(2, '\1'));
  EXPECT_EQ(NpyArray::read(folder.path() / "scalar.npy").doubles(), (Numbers{257}));
}

TEST(Npy, LiesAreRefused) {
  const auto refusal = [](const std::string& bytes) {
    auto refused = test::refusal_of([&] { return NpyArray::parse("some.npy", bytes); });
    if (refused) {
      EXPECT_EQ(refused->kind, ErrorKind::failure) << refused->message;
      EXPECT_TRUE(refused->names("some.npy")) << refused->message;
    }
    return refused;
  };
  struct Row {
    std::string bytes;
    const char* named;
  };
  const std::string two("\1\2", 2);
  const std::vector<Row> rows{
      {npy(described("|O", "(2,)"), two), "Python objects"},
      {npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", two),
       "structures"},
      {npy(described("<c8", "(2,)"), std::string(16, '\0')), "'<c8'"},
      {npy(described("<U2", "(2,)"), two), "'<U2'"},
      {npy(described("f4", "(2,)"), two), "'f4'"},
      {npy(described("<f3", "(2,)"), two), "'<f3'"},
      {npy(described("", "(2,)"), two), "''"},
      {npy(described("|u1", "(3,)"), two), "3 bytes"},
      {npy(described("|u1", "(1,)"), two), "1 bytes"},
      {npy(described("|u1", "(-2,)"), two), "no whole number"},
      {npy(described("|u1", "(2.0,)"), two), "tuple"},
      {npy(described("|u1", "(2)"), two), "tuple"},
      {npy(described("|u1", "(2 2)"), two), "tuple"},
      {npy(described("|u1", "[2]"), two), "unexpected character"},
      {npy(described("|u1", "(9223372036854775808,)"), two), "63 bits"},
      {npy(described("<f8", "(4611686018427387904,)"), two), "63 bits"},
      {npy(described("<f8", "(0, 4611686018427387904, 16)"), ""), "63 bits"},
      {npy(described("<f4", "(4294967296, 4294967296)"), ""), "63 bits"},
      {npy(described("|u1", "(2,)", "None"), two), "True nor False"},
      {npy("{'descr': '|u1', 'fortran_order': False}", two), "not all"},
      {npy("{'descr': '|u1', 'descr': '|u1', 'shape': (2,)}", two), "a key twice"},
      {npy("{'descr': '|u1', 'shape': (2,), 'order': 1}", two), "unknown key"},
      {npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)", two), "neither"},
      {npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)} + 1", two),
       "after its dictionary"},
      {npy("{'descr': '|u1", two), "without a closing quote"},
      {npy("{'descr': '\\x7cu1', 'fortran_order': False, 'shape': (2,)}", two), "escape"},
      {npy("__import__('os')", two), "unexpected character"},
      {npy("", two), "unexpected character"},
      {npy(described("|u1", "(2,)"), two, 4), "version is 4.0"},
      {"\x93NUMPZ", "signature"},
      {"", "signature"},
      {std::string("\x93NUMPY\2\0\xff\xff\xff\xff{}", 14), "4294967295"},
      {npy(std::string(65537, ' '), "", 2), "65537"},
      {npy(described("|u1", "(" + std::string(70 * 2, '1') + ")"), two), "63 bits"}};
  for (const Row& row : rows) {
    const auto refused = refusal(row.bytes);
    ASSERT_TRUE(refused) << row.named << " " << row.bytes.substr(0, 120);
    EXPECT_TRUE(refused->names(row.named)) << row.named << ": " << refused->message;
  }
  std::string sides;
  for (int i = 0; i < 65; ++i) sides += "1,";
  EXPECT_TRUE(refusal(npy(described("|u1", "(" + sides + ")"), "1")));
  const std::string whole = npy(described("|u1", "(2,)"), two);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_TRUE(refusal(whole.substr(0, length))) << length;
  }
  EXPECT_TRUE(refusal(whole + "x"));
}

}  // namespace
}  // namespace medurwkv
