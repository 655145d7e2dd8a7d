// What the program prints holds nothing that a terminal obeys, whatever the names in it.
#include <gtest/gtest.h>

#include <ostream>
#include <sstream>
#include <streambuf>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/terminal.h"
#include "core/text.h"

namespace medurwkv {
namespace {

struct Spelling {
  std::string text, visible, one_line;
};

// The codes are Unicode's; the forms of bytes that are no UTF-8 are RFC 3629's table.
const std::vector<Spelling>& spellings() {
  static const std::vector<Spelling> all{
      {"plain", "plain", "plain"},
      {"Größe 日本 😀", "Größe 日本 😀", "Größe 日本 😀"},
      {"a\nb\tc", "a\nb\tc", "a\\nb\\tc"},
      {"a\rb", "a\\u000db", "a\\u000db"},
      {"\x1b[2J\x07", "\\u001b[2J\\u0007", "\\u001b[2J\\u0007"},
      {"\x7f", "\\u007f", "\\u007f"},
      {"\xc2\x9b"
       "2J",
       "\\u009b2J", "\\u009b2J"},
      {"\xc2\x85", "\\u0085", "\\u0085"},
      {"\xe2\x80\xae"
       "gpj",
       "\\u202egpj", "\\u202egpj"},
      {"\xe2\x81\xa6\xe2\x81\xa9\xd8\x9c", "\\u2066\\u2069\\u061c", "\\u2066\\u2069\\u061c"},
      {"\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029", "\\u2028\\u2029"},
      {"\xff\x9b", "\\xff\\x9b", "\\xff\\x9b"},
      {"\xc0\xaf", "\\xc0\\xaf", "\\xc0\\xaf"},                // an overlong slash
      {"\xe0\x82\x9b", "\\xe0\\x82\\x9b", "\\xe0\\x82\\x9b"},  // an overlong U+009B
      {"\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80"},  // half of a pair
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\xf4\\x90\\x80\\x80"},
      {"cut \xe2\x80", "cut \\xe2\\x80", "cut \\xe2\\x80"},
      {"no-break\xc2\xa0space", "no-break\xc2\xa0space", "no-break\xc2\xa0space"}};
  return all;
}

TEST(Visible, SpellsOutWhatATerminalObeys) {
  for (const Spelling& one : spellings()) {
    EXPECT_EQ(visible(one.text), one.visible);
    EXPECT_EQ(one_line(one.text), one.one_line);
    EXPECT_EQ(visible(one.visible), one.visible) << "once is enough";
  }
}

TEST(Visible, ShownIsCutBetweenCharacters) {
  EXPECT_EQ(shown("a\nb"), "a\\nb");
  EXPECT_EQ(shown(std::string(300, 'a')), std::string(300, 'a'));
  EXPECT_EQ(shown(std::string(299, 'a') + "ß"), std::string(299, 'a') + "...");
  EXPECT_EQ(shown(std::string(298, 'a') + "ß!"), std::string(298, 'a') + "ß...");
}

// However the text comes: the stream is given it in pieces of every size.
TEST(Visible, AStreamShowsTheSameInAnyPieces) {
  std::string text;
  std::string expected;
  for (const Spelling& one : spellings()) {
    text += one.text + "|";
    expected += one.visible + "|";
  }
  for (std::size_t size = 1; size < 20; ++size) {
    std::ostringstream out;
    {
      const VisibleStream guard(out);
      for (std::size_t at = 0; at < text.size(); at += size)
        out << text.substr(at, size) << std::flush;
    }
    EXPECT_EQ(out.str(), expected) << size;
  }
  std::ostringstream out;
  {
    const VisibleStream guard(out);
    for (const char c : text) out.put(c);
    out << "cut \xe2\x80";
  }
  EXPECT_EQ(out.str(), expected + "cut \\xe2\\x80");
  out << "\x07";
  EXPECT_TRUE(out.str().ends_with("\x07")) << "the stream is as it was";
}

TEST(Visible, JsonMeansTheSameAfterwards) {
  for (const Spelling& one : spellings()) {
    if (one.visible.find("\\x") != std::string::npos) continue;  // JSON is UTF-8
    const nlohmann::json text(one.text);
    EXPECT_EQ(nlohmann::json::parse(visible(text.dump())), text);
  }
}

TEST(Visible, TheProgramsOwnClearingOfALineGoesThrough) {
  std::ostringstream out;
  {
    const VisibleStream guard(out);
    clear_line(out);
    out << "\r\x1b[K";
  }
  EXPECT_EQ(out.str(), "\r\x1b[K\\u000d\\u001b[K");
}

// A full disk is noticed through the guard.
TEST(Visible, AFailureOfTheStreamIsTheStreams) {
  class Full : public std::streambuf {
  } full;
  std::ostream out(&full);
  const VisibleStream guard(out);
  out << "text";
  EXPECT_FALSE(out);
}

}  // namespace
}  // namespace medurwkv
