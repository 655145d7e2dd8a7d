// Lists and tables in every form that editors, spreadsheets and scripts of three systems give them.
#include "core/table.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/unicode.h"
#include "judge/evaluation.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv {
namespace {

using namespace std::string_literals;
using Fields = std::vector<std::string>;

// Characters of each length in UTF-8, the last a pair of surrogates in UTF-16 (U+1F600 is d83d
// de00): encoded by hand.
const std::string& umlaut_text() {
  static const std::string text = "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\n";
  return text;
}

TEST(PlainText, MarksAreObeyed) {
  const std::string little(
      "\xff\xfe"
      "a\0\xfc\0\xac\x20\x3d\xd8\x00\xde\n\0",
      14);
  const std::string big("\xfe\xff\0a\0\xfc\x20\xac\xd8\x3d\xde\x00\0\n", 14);
  EXPECT_EQ(plain_text("f", umlaut_text()), umlaut_text());
  EXPECT_EQ(plain_text("f", "\xef\xbb\xbf" + umlaut_text()), umlaut_text());
  EXPECT_EQ(plain_text("f", little), umlaut_text());
  EXPECT_EQ(plain_text("f", big), umlaut_text());
  EXPECT_EQ(plain_text("f", "na\xefve"), "na\xefve") << "Latin-1 names files of old archives";
  EXPECT_EQ(plain_text("f", ""), "");
}

TEST(PlainText, AnyLineEnds) {
  EXPECT_EQ(plain_text("f", "a\nb\r\nc\rd\r\r\ne"), "a\nb\nc\nd\n\ne");
}

TEST(PlainText, WhatIsNoTextIsNamed) {
  for (const std::string& bytes : {"a\0b"s,
                                   "\xff\xfe"
                                   "a"s,
                                   "\xff\xfe\x3d\xd8"s, "\xfe\xff\xde\x00"s}) {
    const auto refused = test::refusal_of([&] { return plain_text("list.txt", bytes); });
    ASSERT_TRUE(refused) << testing::PrintToString(bytes);
    EXPECT_TRUE(refused->names("list.txt") && refused->names("UTF-8")) << refused->message;
  }
}

TEST(Lines, AreNumberedAndBare) {
  const auto lines = lines_of("\n  a b\t\n\n#\n");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].number, 2U);
  EXPECT_EQ(lines[0].text, "a b");
  EXPECT_EQ(lines[1].number, 4U);
}

TEST(Fields, QuotesAndBlanks) {
  EXPECT_EQ(fields_of(" a ;\"b;\"\"c\"\"\" ; ;d\"e", ';'), (Fields{"a", "b;\"c\"", "", "d\"e"}));
  EXPECT_EQ(fields_of("\" a \"", ','), (Fields{" a "}));
  EXPECT_EQ(fields_of("", ','), Fields{});
}

TEST(Tables, AnySeparator) {
  for (const char* text : {"Name, Size\na,1\n\"b,c\",2\n", "Name;Size\na;1\n\"b,c\";2",
                           "Name\tSize\n\na\t1\nb,c\t2\t\n"}) {
    const Table table("t.csv", text);
    EXPECT_EQ(table.heads(), (Fields{"name", "size"})) << text;
    ASSERT_EQ(table.rows().size(), 2U) << text;
    EXPECT_EQ(table.rows()[1].fields, (Fields{"b,c", "2"})) << text;
    EXPECT_EQ(table.number(table.rows()[1], table.column("size")), 2) << text;
    EXPECT_EQ(heads_of(text), table.heads());
  }
}

TEST(Tables, ADecimalCommaWhereItPartsNothing) {
  const Table table("t.csv", "a;b\n0,5;1.5\n;x\n");
  EXPECT_EQ(table.number(table.rows()[0], 0), 0.5);
  EXPECT_EQ(table.number(table.rows()[0], 1), 1.5);
  EXPECT_FALSE(table.number(table.rows()[1], 0).has_value());
  const auto refused = test::refusal_of([&] { return table.number(table.rows()[1], 1); });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("line 3") && refused->names("'x'")) << refused->message;
}

TEST(Tables, MistakesAreNamedByLine) {
  const std::vector<std::pair<std::string, std::string>> mistakes{
      {"a,b\n1,2\n\n3\n", "line 4: has 1 fields, expected 2 (a, b)"},
      {"a,b\n1,2,3\n", "line 2"},
      {"a,b\n\"1\n2\",3\n\"4,5\n", "line 4: a quote is not closed"},
      {"", "is empty"},
      {" \n\n", "is empty"}};
  for (const auto& [text, word] : mistakes) {
    const auto refused = test::refusal_of([&text = text] { return Table("t.csv", text); });
    ASSERT_TRUE(refused) << text;
    EXPECT_TRUE(refused->names("t.csv") && refused->names(word)) << refused->message;
  }
  const Table table("t.csv", "a,b\n");
  EXPECT_FALSE(table.find({"c"}));
  EXPECT_EQ(table.find({"c", "b", "a"}), 1U);
  const auto refused = test::refusal_of([&] { return table.column("c"); });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("has no column c; it has a, b")) << refused->message;
}

// A spreadsheet's export: mark, semicolons, decimal commas, heads in capitals, a name that macOS
// has taken apart.
TEST(Spacing, AsASpreadsheetExportsIt) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "sizes.csv";
  write_file(file, std::string_view("\xef\xbb\xbf"
                                    "ID;Spacing_X;Spacing_Y\r\nu\xcc\x88;0,5;0,25\r\n"));
  const auto spacing = judge::read_spacing(file);
  ASSERT_TRUE(spacing.contains("\xc3\xbc"));
  EXPECT_EQ(spacing.at("\xc3\xbc").x, 0.5);
  EXPECT_EQ(spacing.at("\xc3\xbc").y, 0.25);
}

TEST(Nfc, ComposesLetters) {
  EXPECT_EQ(nfc("u\xcc\x88 a\xcc\x8a o\xcc\x82"), "\xc3\xbc \xc3\xa5 \xc3\xb4");
  EXPECT_EQ(nfc("\xc3\xbc"), "\xc3\xbc");
  // Hangul syllables are three letters each where they are decomposed: U+1112 U+1161 U+11AB.
  EXPECT_EQ(nfc("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"), "\xed\x95\x9c");
  EXPECT_EQ(nfc("plain (1)_x.png"), "plain (1)_x.png");
  EXPECT_EQ(nfc("na\xefve"), "na\xefve") << "no UTF-8: as it is";
  EXPECT_EQ(nfc("\xef\xac\x81"), "\xef\xac\x81") << "a ligature is another name, not another form";
}

}  // namespace
}  // namespace medurwkv
