// Zip archives: what other programs write is read; every way of meaning two things at once is
// refused with file and place.
#include "core/zip.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "support/hostile.h"
#include "support/refusal.h"
#include "support/zip_by_hand.h"

namespace medurwkv {
namespace {

using test::HostileFile;
using test::make_zip;
using test::put;
using test::ZipBytes;
using test::ZipEntry;

const std::string poem(5000, 'x');

/// Every form that writers use: stored, deflated, with descriptors, in 64-bit fields, empty,
/// padded.
std::vector<ZipEntry> forms() {
  return {{.name = "a/plain", .content = "plain"},
          {.name = "a/packed", .content = poem, .deflate = true},
          {.name = "a/described", .content = "described", .descriptor = true},
          {.name = "a/wide", .content = poem, .deflate = true, .descriptor = true, .wide = true},
          {.name = "a/padded", .content = "padded", .extra = std::string("FB\4\0ZZZZ", 8)},
          {.name = "a/empty", .content = ""},
          {.name = "a/empty.packed", .content = "", .deflate = true},
          {.name = "a/", .content = ""}};
}

std::optional<test::Refusal> refusal(const std::string& bytes) {
  auto refused = test::refusal_of([&] {
    const ZipArchive archive("some.zip", bytes);
    for (const ZipMember& member : archive.members())
      static_cast<void>(archive.read(member, 1 << 20));
    return 0;
  });
  if (refused) {
    EXPECT_EQ(refused->kind, ErrorKind::failure) << refused->message;
    EXPECT_TRUE(refused->names("some.zip")) << refused->message;
  }
  return refused;
}

TEST(Zip, EveryFormIsRead) {
  for (const bool wide : {false, true}) {
    for (const std::string& comment : {std::string(), std::string("PK\5\6 a comment")}) {
      const ZipBytes zip = make_zip(forms(), {.comment = comment, .wide = wide});
      const ZipArchive archive("some.zip", zip.bytes);
      ASSERT_EQ(archive.members().size(), forms().size());
      for (const ZipEntry& entry : forms()) {
        const ZipMember* member = archive.find(entry.name);
        ASSERT_NE(member, nullptr) << entry.name;
        EXPECT_EQ(archive.read(*member, 1 << 20), entry.content) << entry.name;
      }
      EXPECT_EQ(archive.find("a/absent"), nullptr);
      std::string room;
      EXPECT_EQ(archive.stored(*archive.find("a/plain"), room), "plain");
    }
  }
  const ZipBytes none = make_zip({});
  EXPECT_TRUE(ZipArchive("none.zip", none.bytes).members().empty());
}

TEST(Zip, AMemberBeyondTheLimitIsRefusedBeforeItIsUnpacked) {
  const ZipBytes zip = make_zip({{.name = "bomb", .content = poem, .deflate = true}});
  const ZipArchive archive("some.zip", zip.bytes);
  const ZipMember& bomb = archive.members().at(0);
  EXPECT_EQ(archive.read(bomb, poem.size()), poem);
  const auto refused = test::refusal_of([&] { return archive.read(bomb, poem.size() - 1); });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("'bomb'") && refused->names("5000")) << refused->message;
}

TEST(Zip, CutAnywhereIsRefused) {
  for (const bool wide : {false, true}) {
    const std::string whole = make_zip(forms(), {.comment = "", .wide = wide}).bytes;
    for (std::size_t length = 0; length < whole.size(); ++length) {
      EXPECT_TRUE(refusal(whole.substr(0, length))) << length;
    }
    EXPECT_TRUE(refusal(whole + "x")) << "something behind the end";
    EXPECT_TRUE(refusal("x" + whole)) << "something in front";
  }
}

// Whichever single byte changes, the archive is refused or its members stay the same. Times,
// attributes and versions say nothing about content.
TEST(Zip, AFlippedByteNeverChangesContent) {
  const ZipBytes zip = make_zip(forms(), {.comment = "", .wide = true});
  int refused = 0;
  for (std::size_t at = 0; at < zip.bytes.size(); ++at) {
    std::string bytes = zip.bytes;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x41);
    if (refusal(bytes)) {
      ++refused;
      continue;
    }
    const ZipArchive archive("some.zip", bytes);
    ASSERT_EQ(archive.members().size(), forms().size()) << at;
    for (const ZipEntry& entry : forms()) {
      const ZipMember* member = archive.find(entry.name);
      ASSERT_NE(member, nullptr) << at;
      EXPECT_EQ(archive.read(*member, 1 << 20), entry.content) << at;
    }
  }
  EXPECT_GT(refused, static_cast<int>(zip.bytes.size() / 2));
}

struct Lie {
  const char* what;
  std::function<void(ZipBytes&)> tell;
  const char* named;  ///< in the message
};

std::vector<HostileFile> told(const std::vector<Lie>& lies, const ZipBytes& zip) {
  std::vector<HostileFile> out;
  for (const Lie& lie : lies) {
    ZipBytes lying = zip;
    lie.tell(lying);
    out.push_back({lie.what, lying.bytes, lie.named});
  }
  return out;
}

/// Fields that contradict each other or the bytes.
std::vector<HostileFile> lies() {
  // Offsets of fields from APPNOTE 4.3.7 (local header), 4.3.12 (directory entry), 4.3.16 (end).
  const std::vector<Lie> all{
      {"another name in front of the bytes", [](ZipBytes& z) { z.bytes[z.local[0] + 30] = 'b'; },
       "'b/plain'"},
      {"another method there", [](ZipBytes& z) { put(z.bytes, z.local[0] + 8, 8, 2); }, "disagree"},
      {"another length there", [](ZipBytes& z) { put(z.bytes, z.local[0] + 22, 6, 4); },
       "disagree"},
      {"another CRC there", [](ZipBytes& z) { put(z.bytes, z.local[0] + 14, 6, 4); }, "disagree"},
      {"a length in the directory alone",
       [](ZipBytes& z) { put(z.bytes, z.central[0] + 24, 4, 4); }, "disagree"},
      {"a CRC that is wrong everywhere",
       [](ZipBytes& z) {
         put(z.bytes, z.local[0] + 14, 6, 4);
         put(z.bytes, z.central[0] + 16, 6, 4);
       },
       "CRC"},
      {"encryption",
       [](ZipBytes& z) {
         put(z.bytes, z.local[0] + 6, 1, 2);
         put(z.bytes, z.central[0] + 8, 1, 2);
       },
       "encrypted"},
      {"a method nobody reads",
       [](ZipBytes& z) {
         put(z.bytes, z.local[0] + 8, 14, 2);
         put(z.bytes, z.central[0] + 10, 14, 2);
       },
       "method 14"},
      {"two members on the same bytes",
       [](ZipBytes& z) { put(z.bytes, z.central[1] + 42, z.local[0], 4); }, "expected"},
      {"a member within another",
       [](ZipBytes& z) { put(z.bytes, z.central[1] + 42, z.content[0] + 1, 4); }, "expected"},
      {"a local header beyond the file",
       [](ZipBytes& z) { put(z.bytes, z.central[0] + 42, 0xfffffff0, 4); }, "begins at byte"},
      {"more bytes than there are",
       [](ZipBytes& z) {
         put(z.bytes, z.local[0] + 18, 0x7fffffff, 4);
         put(z.bytes, z.local[0] + 22, 0x7fffffff, 4);
         put(z.bytes, z.central[0] + 20, 0x7fffffff, 4);
         put(z.bytes, z.central[0] + 24, 0x7fffffff, 4);
       },
       "beyond"},
      {"64-bit lengths that wrap",
       [](ZipBytes& z) {
         put(z.bytes, z.content[3] - 16, ~std::uint64_t{0}, 8);
         put(z.bytes, z.content[3] - 8, ~std::uint64_t{0}, 8);
         const std::size_t field = z.central[3] + 46 + 6 + 4;
         put(z.bytes, field, ~std::uint64_t{0}, 8);
         put(z.bytes, field + 8, ~std::uint64_t{0}, 8);
       },
       "a/wide"},
      {"64-bit lengths that are not there",
       [](ZipBytes& z) { put(z.bytes, z.central[3] + 46 + 6, 2, 2); }, "64-bit"},
      {"more than deflate can pack",
       [](ZipBytes& z) {
         put(z.bytes, z.local[1] + 22, 0x7fffffff, 4);
         put(z.bytes, z.central[1] + 24, 0x7fffffff, 4);
       },
       "more than deflate can"},
      {"fewer bytes than it unpacks to",
       [](ZipBytes& z) {
         put(z.bytes, z.local[1] + 22, 4999, 4);
         put(z.bytes, z.central[1] + 24, 4999, 4);
       },
       "do not unpack to 4999"},
      {"more bytes than it unpacks to",
       [](ZipBytes& z) {
         put(z.bytes, z.local[1] + 22, 5001, 4);
         put(z.bytes, z.central[1] + 24, 5001, 4);
       },
       "do not unpack to 5001"},
      {"no deflate at all", [](ZipBytes& z) { z.bytes.replace(z.content[1], 3, "\xff\xff\xff"); },
       "do not unpack"},
      {"a descriptor of something else",
       [](ZipBytes& z) { put(z.bytes, z.content[2] + 9 + 4, 1, 4); }, "descriptor"},
      {"another disk", [](ZipBytes& z) { put(z.bytes, z.central[0] + 34, 1, 2); }, "disk"},
      {"an end record of another disk", [](ZipBytes& z) { put(z.bytes, z.end + 4, 1, 2); }, "disk"},
      {"fewer entries than the directory",
       [](ZipBytes& z) {
         put(z.bytes, z.end + 8, 1, 2);
         put(z.bytes, z.end + 10, 1, 2);
       },
       "behind its 1 entries"},
      {"more entries than the directory can hold",
       [](ZipBytes& z) {
         put(z.bytes, z.end + 8, 0xfffe, 2);
         put(z.bytes, z.end + 10, 0xfffe, 2);
       },
       "65534"},
      {"a directory that starts elsewhere",
       [](ZipBytes& z) { put(z.bytes, z.end + 16, z.directory + 1, 4); }, "directory"},
      {"a directory of all the world", [](ZipBytes& z) { put(z.bytes, z.end + 12, 0xfffffff0, 4); },
       "4294967280"},
      {"a directory entry without its signature", [](ZipBytes& z) { z.bytes[z.central[2]] = 'Q'; },
       "no directory entry"},
      {"a name beyond the directory",
       [](ZipBytes& z) { put(z.bytes, z.central.back() + 28, 0xffff, 2); }, "ends beyond"}};
  return told(all, make_zip(forms()));
}

std::vector<HostileFile> lies_in_the_wide_end() {
  const std::vector<Lie> all{
      {"a record elsewhere", [](ZipBytes& z) { put(z.bytes, z.end64 + 56 + 8, z.end64 + 1, 8); },
       "64-bit end record"},
      {"a record beyond the file",
       [](ZipBytes& z) { put(z.bytes, z.end64 + 56 + 8, ~std::uint64_t{0} - 20, 8); }, "64-bit"},
      {"a record of another length", [](ZipBytes& z) { put(z.bytes, z.end64 + 4, 45, 8); },
       "64-bit"},
      {"another number of entries", [](ZipBytes& z) { put(z.bytes, z.end64 + 32, 1, 8); }, "disks"},
      {"another directory", [](ZipBytes& z) { put(z.bytes, z.end64 + 48, 1, 8); }, "disagree"},
      {"a directory that wraps",
       [](ZipBytes& z) {
         put(z.bytes, z.end + 12, 0xffffffff, 4);
         put(z.bytes, z.end + 16, 0xffffffff, 4);
         put(z.bytes, z.end64 + 40, ~std::uint64_t{0} - 7, 8);
         put(z.bytes, z.end64 + 48, z.end64 + 8, 8);
       },
       "directory"},
      {"several disks", [](ZipBytes& z) { put(z.bytes, z.end64 + 56 + 16, 2, 4); }, "disks"}};
  return told(all, make_zip(forms(), {.comment = "", .wide = true}));
}

/// Names that lead out of a folder or mean two members.
std::vector<HostileFile> names() {
  std::vector<HostileFile> out;
  for (const std::string& name :
       {std::string("../up"), std::string("a/../../up"), std::string("a/.."), std::string("/etc/x"),
        std::string("a\\b"), std::string("a\nb"), std::string("a\0b", 3), std::string()}) {
    out.push_back({"the name " + name, make_zip({{.name = name, .content = "x"}}).bytes});
  }
  out.push_back({"one name twice",
                 make_zip({{.name = "x", .content = "1"},
                           {.name = "y", .content = "2"},
                           {.name = "x", .content = "3"}})
                     .bytes,
                 "two members are named 'x'"});
  return out;
}

/// Members that unpack to far more than the file has.
std::vector<HostileFile> bombs() {
  std::string zeros;
  zeros.resize(100'000'000);
  const std::string packed = make_zip({{.name = "zeros", .content = zeros, .deflate = true}}).bytes;
  std::vector<HostileFile> out{{"100 MB of zeros", packed, "100000000"}};
  zeros.resize(5'000'000);
  std::vector<ZipEntry> entries;
  for (int i = 0; i < 12; ++i) {
    entries.push_back({.name = std::to_string(i), .content = zeros, .deflate = true});
  }
  out.push_back({"twelve times 5 MB", make_zip(entries).bytes, "more than the"});
  return out;
}

TEST(Zip, HostileArchivesAreRefused) {
  std::vector<HostileFile> files;
  for (const auto& part :
       {lies(), lies_in_the_wide_end(), names(), bombs(),
        test::cut_and_extended(make_zip(forms()).bytes),
        test::cut_and_extended(make_zip(forms(), {.comment = "", .wide = true}).bytes)}) {
    files.insert(files.end(), part.begin(), part.end());
  }
  test::expect_refused("hostile.zip", files, [](const auto& path) {
    const std::string bytes = read_file(path);
    const ZipArchive archive(path.string(), bytes);
    std::uint64_t left = bytes.size() + 40'000'000;
    for (const ZipMember& member : archive.members()) left -= archive.read(member, left).size();
  });
  EXPECT_FALSE(refusal(make_zip(forms()).bytes));
}

TEST(Zip, NamesThatLeadNowhereElseAreTaken) {
  for (const std::string& name :
       {std::string("a/..b"), std::string("a/.data/x"), std::string("..a")}) {
    EXPECT_FALSE(refusal(make_zip({{.name = name, .content = "x"}}).bytes)) << name;
  }
}

}  // namespace
}  // namespace medurwkv
