// Hostile NumPy files: arrays whose headers lie, alone and as members of archives that lie too.
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/npy.h"
#include "core/zip.h"
#include "support/hostile.h"
#include "support/zip_by_hand.h"

namespace medurwkv {
namespace {

using test::HostileFile;
using test::little;
using test::ZipBytes;

std::string npy(const std::string& dictionary, const std::string& data, int version = 1) {
  return std::string("\x93NUMPY") + static_cast<char>(version) + '\0' +
         little(dictionary.size(), version == 1 ? 2 : 4) + dictionary + data;
}

std::string described(const std::string& descr, const std::string& shape,
                      const std::string& fortran = "False") {
  return "{'descr': " + descr + ", 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}

std::string good() {
  return npy(described("'<f4'", "(2,)"), "01234567");
}

/// Arrays over eight bytes of data.
std::vector<HostileFile> arrays() {
  std::vector<HostileFile> out;
  const auto lie = [&](const char* what, const std::string& dictionary, const char* named) {
    out.push_back({what, npy(dictionary, "01234567"), named});
  };
  for (const char* type : {"'|O'", "'O'", "'O8'"}) {
    lie(type, described(type, "(1,)"), "Python objects");
  }
  for (const char* type : {"'<c8'", "'<f16'", "'<U2'", "'|S8'", "'|V8'", "'<M8[s]'", "'<m8[s]'",
                           "'f4'", "'=f4'", "'<f3'", "'<i16'", "''", "'<'", "'<f4,<f4'"}) {
    lie(type, described(type, "(1,)"), "type");
  }
  lie("a structure", described("[('a', '<f4'), ('b', '|O')]", "(1,)"), "structures");
  lie("a structure within a tuple", described("('<f4', (2,))", "(1,)"), "structures");
  lie("a type that is a number", described("4", "(2,)"), "no quoted string");
  lie("a call for a type", described("__import__('os').system('true')", "(2,)"),
      "no quoted string");
  for (const char* shape :
       {"(3,)", "(1,)", "(2, 2)", "(0,)", "(2, 0)", "()", "(1, 1, 1)", "(4294967296,)"}) {
    lie(shape, described("'<f4'", shape), "bytes");
  }
  for (const char* shape :
       {"(9223372036854775808,)", "(18446744073709551618,)", "(4611686018427387904, 4, 2)",
        "(0, 4611686018427387904, 4)", "(4294967296, 4294967296, 0)", "(2305843009213693953,)"}) {
    lie(shape, described("'<f8'", shape), "63 bits");
  }
  for (const char* shape : {"(-2,)", "(2.0,)", "(2e0,)", "(0x2,)", "(2)", "(2 2)", "[2]", "2",
                            "(True,)", "(,)", "(2,", "('2',)", "((2,),)", "(None,)"}) {
    lie(shape, described("'<f4'", shape), "byte");
  }
  std::string sides;
  for (int i = 0; i < 65; ++i) sides += "1,";
  lie("65 sides", described("'<f4'", "(" + sides + ")"), "64 dimensions");
  for (const char* order : {"None", "0", "true", "'False'", "False or True"}) {
    lie(order, described("'<f4'", "(2,)", order), "byte");
  }
  lie("no dictionary", "(2,)", "byte");
  lie("nothing", "", "byte");
  lie("blanks", std::string(1000, ' '), "byte");
  lie("a lambda", "(lambda: {})()", "byte");
  lie("a key twice", "{'descr': '<f4', 'descr': '|O', 'shape': (2,)}", "a key twice at");
  lie("a key too few", "{'descr': '<f4', 'shape': (2,)}", "not all");
  lie("a key too many", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}",
      "unknown key");
  lie("two dictionaries", described("'<f4'", "(2,)") + described("'<f4'", "(2,)"),
      "after its dictionary");
  lie("a text without an end", "{'descr': '<f4", "without a closing quote");
  lie("open brackets", std::string(60'000, '{'), "byte");
  lie("open tuples", "{'shape': " + std::string(60'000, '('), "byte");
  lie("a side of 60,000 digits", described("'<f4'", "(" + std::string(60'000, '9') + ",)"),
      "63 bits");
  for (const int version : {0, 4, 255}) {
    out.push_back({"version", npy(described("'<f4'", "(2,)"), "01234567", version), "version"});
  }
  for (const std::uint64_t length :
       {std::uint64_t{65537}, std::uint64_t{1} << 31U, std::uint64_t{0xffffffff}}) {
    out.push_back({"a header of " + std::to_string(length),
                   std::string("\x93NUMPY\2\0", 8) + little(length, 4) + "{}", "claims"});
  }
  out.push_back({"another signature", "\x94" + good().substr(1), "signature"});
  return out;
}

TEST(HostileNpy, ArraysAreRefused) {
  std::vector<HostileFile> files = test::cut_and_extended(good());
  for (const HostileFile& file : arrays()) files.push_back(file);
  test::expect_refused("hostile.npy", files, [](const auto& path) { NpyArray::read(path); });
}

/// Every array of an archive, within what a file of its size may need.
void read_npz(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  const ZipArchive archive(path.string(), bytes);
  std::uint64_t left = bytes.size() + 40'000'000;
  for (const ZipMember& member : archive.members()) {
    std::string content = archive.read(member, left);
    left -= content.size();
    static_cast<void>(
        NpyArray::parse(path.string() + ": " + std::string(member.name), std::move(content)));
  }
}

std::vector<HostileFile> archives() {
  const auto two = [] {
    return test::make_zip({{.name = "data.npy", .content = good(), .deflate = true},
                           {.name = "seg.npy", .content = good()}});
  };
  std::vector<HostileFile> out = test::cut_and_extended(two().bytes);
  const auto lie = [&](const char* what, const std::function<void(ZipBytes&)>& tell,
                       const char* named) {
    ZipBytes zip = two();
    tell(zip);
    out.push_back({what, zip.bytes, named});
  };
  lie(
      "another local name", [](ZipBytes& z) { z.bytes[z.local[1] + 30] = 'S'; }, "'Seg.npy'");
  lie(
      "another local length", [](ZipBytes& z) { test::put(z.bytes, z.local[1] + 22, 1, 4); },
      "disagree");
  lie(
      "another CRC", [](ZipBytes& z) { test::put(z.bytes, z.central[1] + 16, 1, 4); }, "disagree");
  lie(
      "one on the other's bytes",
      [](ZipBytes& z) { test::put(z.bytes, z.central[1] + 42, z.local[0], 4); }, "expected");
  lie(
      "a changed element", [](ZipBytes& z) { z.bytes[z.directory - 1] ^= 1; }, "CRC");
  lie(
      "changed packed bytes", [](ZipBytes& z) { z.bytes[z.content[0] + 3] ^= 1; }, "damaged");
  lie(
      "2 GB in a few bytes",
      [](ZipBytes& z) {
        test::put(z.bytes, z.local[0] + 22, 0x7fffffff, 4);
        test::put(z.bytes, z.central[0] + 24, 0x7fffffff, 4);
      },
      "more than deflate can");
  std::string zeros;
  zeros.resize(100'000'000);
  out.push_back({"100 MB of zeros",
                 test::make_zip({{.name = "data.npy", .content = zeros, .deflate = true}}).bytes,
                 "100000000"});
  out.push_back({"six times 16 MB",
                 [] {
                   std::vector<test::ZipEntry> entries;
                   std::string sixteen;
                   sixteen.resize(16'000'000);
                   for (int i = 0; i < 6; ++i) {
                     entries.push_back({.name = std::to_string(i) + ".npy",
                                        .content = npy(described("'|u1'", "(16000000,)"), sixteen),
                                        .deflate = true});
                   }
                   return test::make_zip(entries).bytes;
                 }(),
                 "more than the"});
  out.push_back({"one name twice",
                 test::make_zip({{.name = "data.npy", .content = good()},
                                 {.name = "data.npy", .content = good() + "x"}})
                     .bytes,
                 "two members"});
  for (const HostileFile& array : arrays()) {
    out.push_back(
        {array.what,
         test::make_zip({{.name = "data.npy", .content = array.bytes, .deflate = true}}).bytes,
         "data.npy"});
  }
  return out;
}

TEST(HostileNpy, ArchivesAreRefused) {
  test::expect_refused("hostile.npz", archives(), read_npz);
}

}  // namespace
}  // namespace medurwkv
