// Writing below a folder: any text makes a file name, links are not followed, one writer at a time.
#include "core/output.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/file_name.h"
#include "core/files.h"
#include "core/folder_lock.h"
#include "core/unicode.h"
#include "support/paths.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(FileNames, AreTheTextWhereItFits) {
  EXPECT_EQ(file_name("case 1", ".png"), "case 1.png");
  EXPECT_EQ(file_name("a/b", ".png"), "a_b.png");
  EXPECT_EQ(file_name(std::string(251, 'x'), ".png"), std::string(251, 'x') + ".png");
  EXPECT_EQ(file_path("P0/000", ".png"), fs::path("P0/000.png"));
}

TEST(FileNames, AreShortenedAndStayDifferent) {
  std::set<std::string> names;
  for (const std::string end : {"a", "b", "c", ""}) {
    const std::string name = file_name(std::string(300, 'x') + end, "_overlay.png");
    EXPECT_EQ(name.size(), longest_name);
    EXPECT_TRUE(name.ends_with("_overlay.png")) << name;
    names.insert(name);
  }
  EXPECT_EQ(names.size(), 4U);
  // Never within a character.
  for (std::size_t before = 0; before < 4; ++before) {
    std::string text(before, 'x');
    while (text.size() < 400) text += "\xe2\x82\xac";
    const std::string name = file_name(text, ".png");
    EXPECT_TRUE(is_utf8(name)) << before;
    EXPECT_LE(name.size(), longest_name);
    EXPECT_GT(name.size(), longest_name - 4);
  }
  const fs::path deep = file_path(std::string(300, 'f') + "/" + std::string(300, 'n'), ".png");
  for (const fs::path& part : deep) EXPECT_EQ(part.string().size(), longest_name);
}

TEST(FileNames, LeadNowhereElse) {
  const std::string zero(1, '\0');
  for (const std::string& text :
       {std::string(), std::string("/etc/passwd"), std::string("../a"), std::string("a/../../b"),
        std::string("a/.."), std::string(".."), std::string("."), std::string("a/./b"),
        std::string("a//b"), std::string("a/"), "a" + zero + "b"}) {
    EXPECT_NE(why_no_path(text), "") << text;
    EXPECT_THROW(file_path(text, ".png"), Error) << text;
  }
  for (const char* text : {"...", "..a", "a..b", "a/..b", "\\a", "c:\\a", "~"}) {
    EXPECT_EQ(why_no_path(text), "") << text;
  }
}

TEST(Utf8, IsToldAndMadeReadable) {
  const std::string good =
      "Gr\xc3\xb6\xc3\x9f"
      "e \xf0\x9f\x98\x80";
  EXPECT_TRUE(is_utf8(good));
  EXPECT_EQ(readable(good), good);
  // Latin-1, an overlong slash, a surrogate, half a character.
  for (const std::string bad : {"Gr\xf6\xdf"
                                "e",
                                "\xc0\xaf", "\xed\xa0\x80", "a\xe2\x82"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
    EXPECT_TRUE(is_utf8(readable(bad))) << bad;
  }
}

class Output : public ::testing::Test {
 protected:
  Output() {
    fs::create_directories(elsewhere());
    std::ofstream(elsewhere() / "file") << "precious";
    fs::create_directories(out());
  }
  [[nodiscard]] fs::path path(const std::string& name) const { return folder_.path() / name; }
  [[nodiscard]] fs::path out() const { return path("out"); }
  [[nodiscard]] fs::path elsewhere() const { return path("elsewhere"); }
  void expect_elsewhere_untouched() const {
    EXPECT_EQ(read_file(elsewhere() / "file"), "precious");
    EXPECT_EQ(std::distance(fs::directory_iterator(elsewhere()), {}), 1);
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(Output, NoLinkBelowTheNamedFolderIsFollowed) {
  fs::create_directory_symlink(elsewhere(), out() / "masks");
  fs::create_directories(out() / "real");
  fs::create_directory_symlink(elsewhere(), out() / "real/deep");
  const OutputPath place = out();
  for (const std::string name : {"masks", "masks/new", "real/deep", "real/deep/new"}) {
    const std::string wanted =
        (out() / (name.starts_with("masks") ? "masks" : "real/deep")).string();
    for (const auto& call : std::vector<std::function<void()>>{
             [&] { make_folder(place / name); }, [&] { refuse_links(place / name); },
             [&] { write_file(place / name / "file", "x"); },
             [&] { GrowingFile(place / name / "file").append("x"); },
             [&] { FolderLock(place / name); }, [&] { remove_file(place / name / "file"); },
             [&] { remove_leftovers(place / name, {"file"}); }}) {
      const std::string message = message_of(call);
      EXPECT_TRUE(contains(message, wanted + ": is a symbolic link")) << name << ": " << message;
    }
  }
  expect_elsewhere_untouched();
  // The user's own folder may be a link, and what is there twice is one.
  fs::create_directory_symlink(out(), path("named"));
  write_file(OutputPath(path("named")) / "real/file", "through");
  EXPECT_EQ(read_file(out() / "real/file"), "through");
}

TEST_F(Output, ALinkInPlaceOfAFileIsReplaced) {
  const OutputPath place = out();
  for (const char* name : {"atomic", "grows"}) {
    fs::create_symlink(elsewhere() / "file", out() / name);
  }
  // The names of temporary files can be foreseen.
  fs::create_symlink(elsewhere() / "file",
                     out() / (".atomic." + std::to_string(::getpid()) + ".tmp"));
  write_file(place / "atomic", "new");
  GrowingFile(place / "grows").append("new");
  for (const char* name : {"atomic", "grows"}) {
    EXPECT_FALSE(fs::is_symlink(out() / name)) << name;
    EXPECT_EQ(read_file(out() / name), "new");
  }
  expect_elsewhere_untouched();
}

TEST_F(Output, PathsThatLeadOutAreRefused) {
  const OutputPath place = out();
  for (const std::string name : {"../elsewhere/file", "/etc/x", "a/../../b", ".."}) {
    EXPECT_THROW(static_cast<void>(place / name), Error) << name;
  }
  EXPECT_EQ((place / "").path(), out());
}

// Every file system takes a name of 255 bytes, so the temporary name must fit as well.
TEST_F(Output, TheLongestNamesAreWrittenAndCleanedUp) {
  const std::string name(255, 'n');
  const std::string twin = std::string(254, 'n') + "m";
  write_file(out() / name, "a");
  write_file(out() / twin, "b");
  EXPECT_EQ(read_file(out() / name) + read_file(out() / twin), "ab");
  EXPECT_EQ(std::distance(fs::directory_iterator(out()), {}), 2);
  // A writer that throws by a copy of its temporary file stands for one that was killed.
  fs::path temporary;
  EXPECT_THROW(write_file(out() / name,
                          [&](const AppendBytes& append) {
                            append("half");
                            for (const auto& entry : fs::directory_iterator(out())) {
                              if (entry.path().extension() != ".tmp") continue;
                              temporary = out() / entry.path().filename();
                            }
                            throw_failure("killed");
                          }),
               Error);
  std::ofstream(temporary.string()) << "half";
  remove_leftovers(out(), {twin});
  EXPECT_TRUE(fs::exists(temporary));
  remove_leftovers(out(), {name});
  EXPECT_FALSE(fs::exists(temporary));
}

TEST_F(Output, TwoWritersAreOneTooMany) {
  fs::create_directory_symlink(out(), path("named"));
  {
    const FolderLock first(out());
    for (const fs::path& same : {out(), path("named"), out() / "../out"}) {
      EXPECT_TRUE(contains(message_of([&] { FolderLock second(same); }),
                           "another run is writing to this folder"));
    }
  }
  EXPECT_TRUE(fs::is_empty(out())) << "the lock's file goes with it";
  // A killed run's blocks nobody.
  std::ofstream(out() / ".lock") << "";
  const FolderLock again(out());
}

TEST_F(Output, ALinkInPlaceOfTheLockIsRefused) {
  fs::create_symlink(elsewhere() / "made", out() / ".lock");
  EXPECT_TRUE(contains(message_of([&] { FolderLock lock(out()); }), ".lock: is a symbolic link"));
  expect_elsewhere_untouched();
}

TEST_F(Output, WhatLiesInAFolderIsKnownByAnyName) {
  fs::create_directories(path("set/images"));
  fs::create_directory_symlink(path("set"), path("alias"));
  fs::create_directory_symlink(path("set/images"), path("into"));
  for (const char* inside : {"set", "set/", "set/new", "set/new/../x", "alias/new/deep", "into/x",
                             "out/../set/x", "elsewhere/../alias/images"}) {
    EXPECT_TRUE(lies_in(path(inside), path("set"))) << inside;
    EXPECT_TRUE(lies_in(path(inside), path("alias"))) << inside;
    EXPECT_TRUE(
        contains(message_of([&] { refuse_within(path(inside), {path("set")}); }), "outside"));
  }
  for (const char* outside : {"", "settle", "set/../x", "out/set", "alias/../x", "into/../../x"}) {
    EXPECT_FALSE(lies_in(path(outside), path("set"))) << outside;
  }
  EXPECT_FALSE(lies_in(path("elsewhere/file"), path("elsewhere/file"))) << "a file is no folder";
}

}  // namespace
}  // namespace medurwkv
