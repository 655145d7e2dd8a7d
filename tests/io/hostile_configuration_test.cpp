// Hostile TOML: configurations of `train` and files of classes that are broken, lie about types, or
// ask a parser for more than they are worth.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "data/layout/class_file.h"
#include "support/hostile.h"
#include "train/run/config.h"

namespace medurwkv {
namespace {

using test::HostileFile;

std::string repeated(std::size_t count, const std::string& piece) {
  std::string out;
  out.reserve(count * piece.size());
  for (std::size_t i = 0; i < count; ++i) out += piece;
  return out;
}

/// What breaks TOML itself, and what is too much of it; each fits behind any good start.
std::vector<HostileFile> broken() {
  const auto line_break = std::string("\n");
  std::vector<HostileFile> out{
      {"a key alone", "rate", "line 1"},
      {"a key without a value", "rate =\n", "line 1"},
      {"a value without a key", "= 5\n", "line 1"},
      {"two values", "a = 1 2\n", "line 1"},
      {"an open text", "a = \"five\n", "line 1"},
      {"an open text of many lines", "a = \"\"\"five\n\n", "line"},
      {"an escape nobody knows", "a = \"\\q\"\n", "line 1"},
      {"half a surrogate pair", "a = \"\\ud800\"\n", "line 1"},
      {"an open section", "[run\nepochs = 1\n", "line 1"},
      {"a section without a name", "[]\n", "line 1"},
      {"a section twice", "[run]\nepochs = 1\n[run]\nbatch = 1\n", "line 3"},
      {"a key twice", "[run]\nepochs = 1\nepochs = 2\n", "line 3"},
      {"a key twice, once quoted", "[run]\nepochs = 1\n\"epochs\" = 2\n", "line 3"},
      {"a key that is a section, too", "run = 1\n[run]\nepochs = 1\n", "line 2"},
      {"an open list", "a = [1, 2\n", "line"},
      {"an open table", "a = {b = 1\n", "line 1"},
      {"a date of month 13", "a = 2020-13-01\n", "line 1"},
      {"a number with a leading zero", "a = 012\n", "line 1"},
      {"a number beyond 64 bits", "a = 9223372036854775808\n", "line 1"},
      {"a number of 60,000 digits", "a = " + std::string(60'000, '9') + line_break, "line 1"},
      {"an exponent without digits", "a = 1e\n", "line 1"},
      {"bytes that are no UTF-8", "a = \"\xc3\x28\"\n", "line 1"},
      {"a slash in two bytes", "a = \"\xc0\xaf\"\n", "line 1"},
      {"a zero byte", std::string("a = \0 1\n", 8), "line 1"},
      {"a control character", "a = \"\x01\"\n", "line 1"},
      {"another program's file", "{\"run\": {\"epochs\": 1}}\n", "line 1"},
      {"a zip archive", std::string("PK\3\4\x14\0\0\0", 8), "line 1"},
      {"open lists", "a = " + std::string(60'000, '[') + line_break, "line 1"},
      {"open tables", "a = " + repeated(30'000, "{a="), "line 1"},
      {"a key of 60,000 parts", repeated(60'000, "a.") + "a = 1\n", "60000 dots"},
      {"a section of 60,000 parts", "[" + repeated(60'000, "a.") + "a]\n", "60000 dots"},
      {"60,000 quoted parts", repeated(30'000, "\"\".") + "a = 1\n", "30000 dots"},
      {"keys that go deep in tables",
       repeated(4'100, "a.") + "a = {" + repeated(300, "b.") + "b=1}", "4400 dots"},
      {"a megabyte of nothing", std::string(1'000'000, ' '), "byte"},
      {"eight megabytes of nothing", std::string(8'000'000, '\n'), "byte"},
      {"a comment of a gigabyte's kind", "#" + std::string(200'000, '#'), "byte"}};
  return out;
}

/// One line in a section that is otherwise good.
HostileFile setting(const std::string& section, const std::string& line, const char* named) {
  return {section + ": " + line.substr(0, 40), "# good\n[" + section + "]\n" + line + "\n", named};
}

std::vector<HostileFile> settings() {
  std::vector<HostileFile> out;
  for (const char* value : {"0", "-1", "1.5", "\"five\"", "true", "[5]", "{ n = 5 }", "2020-01-01",
                            "9223372036854775807", "nan", "inf"}) {
    out.push_back(setting("run", std::string("epochs = ") + value, "line 3"));
    out.push_back(setting("input", std::string("width = ") + value, "line 3"));
  }
  for (const char* value : {"-1e-9", "11", "nan", "inf", "-inf", "\"1e-3\"", "false", "[]"}) {
    out.push_back(setting("optimizer", std::string("rate = ") + value, "line 3"));
  }
  for (const char* value : {"5", "true", "[\"nano\"]", "1979-05-27T07:32:00Z"}) {
    out.push_back(setting("network", std::string("preset = ") + value, "expects a string"));
  }
  out.push_back(setting("network", "channels = 1025", "out of range"));
  out.push_back(setting("encoder", "post_norm = 1", "true or false"));
  out.push_back(setting("encoder", "post_norm = \"true\"", "true or false"));
  out.push_back(setting("input", "augment = \"hevy\"", "augment"));
  out.push_back(setting("run", "epoch = 5", "did you mean run.epochs?"));
  out.push_back(setting("runs", "epochs = 5", "did you mean run.epochs?"));
  out.push_back(setting("run.run", "epochs = 5", "'run.run'"));
  out.push_back(setting("run", "epochs.many = 5", "whole number"));
  out.push_back(setting("run", "\"a\\nb\" = 5", "'run.a\\nb'"));
  out.push_back(setting("run", std::string(60'000, 'k') + " = 5", "..."));
  out.push_back({"a list of sections", "[[run]]\nepochs = 1\n", "line 1"});
  out.push_back({"a setting outside its section", "epochs = 1\n", "line 1"});
  return out;
}

TEST(HostileConfiguration, SettingsAreRefused) {
  std::vector<HostileFile> files = broken();
  for (const HostileFile& file : settings()) files.push_back(file);
  const std::string good =
      train::to_toml(train::load_config({}, {"run.epochs=5", "encoder.post_norm=true"}));
  for (const HostileFile& file : broken()) {
    files.push_back({file.what + ", behind good ones", good + "\n[further]\n" + file.bytes, ""});
  }
  // Cut anywhere it is a shorter configuration, unless the end is in a line that needs its rest.
  for (std::size_t at = good.find("[run]"); at < good.size() - 1; ++at) {
    if (good[at] == '=') files.push_back({"cut behind =", good.substr(0, at + 1), "line"});
    if (good[at] == '[') files.push_back({"cut behind [", good.substr(0, at + 1), "line"});
  }
  test::expect_refused("hostile.toml", files,
                       [](const auto& path) { static_cast<void>(train::load_config(path, {})); });
}

std::string class_table(const std::string& inside) {
  return "[[class]]\nname = \"background\"\nindex = 0\n[[class]]\n" + inside + "\n";
}

TEST(HostileConfiguration, ClassTablesAreRefused) {
  std::vector<HostileFile> files = broken();
  const std::string good = class_table("name = \"lesion\"\nindex = 1\ncolor = [255, 0, 0]");
  for (const HostileFile& file : broken()) {
    files.push_back({file.what + ", behind good ones", good + file.bytes, ""});
  }
  for (const char* inside :
       {"", "name = \"a\"", "index = 1", "name = 5\nindex = 1\ncolor = [1, 1, 1]",
        "name = \"\"\nindex = 1\ncolor = [1, 1, 1]",
        "name = \"a\"\nindex = \"1\"\ncolor = [1, 1, 1]", "name = \"a\"\nindex = 1",
        "name = \"a\"\nindex = 1\ncolor = [1, 1]", "name = \"a\"\nindex = 1\ncolor = [1, 1, 256]",
        "name = \"a\"\nindex = 1\ncolor = [1, 1, -1]", "name = \"a\"\nindex = 1\ncolor = \"red\"",
        "name = \"a\"\nindex = 2\ncolor = [1, 1, 1]", "name = \"a\"\nindex = -1\ncolor = [1, 1, 1]",
        "name = \"a\"\nindex = 0\ncolor = [1, 1, 1]",
        "name = \"a\"\nindex = 9223372036854775807\ncolor = [1, 1, 1]",
        "name = \"a\"\nindex = 1\ncolor = [1, 1, 1]\nweight = 5",
        "name = \"background\"\nindex = 1\ncolor = [1, 1, 1]",
        "name = \"a\"\nindex = 1\ncolor = [0, 0, 0]"}) {
    files.push_back({inside, class_table(inside), ""});
  }
  std::string many;
  for (int i = 0; i < 2000; ++i) {
    many += "[[class]]\nname=\"" + std::to_string(i) + "\"\nindex=" + std::to_string(i) +
            "\ncolor=[0,0,1]\n";
  }
  files.push_back({"2000 classes", many, "2000 classes"});
  test::expect_refused("classes.toml", files,
                       [](const auto& path) { static_cast<void>(data::read_class_file(path)); });
}

TEST(HostileConfiguration, LabelMapsAreRefused) {
  std::vector<HostileFile> files;
  for (const char* line : {"",
                           "a:",
                           ":1,2,3",
                           "a:1,2",
                           "a:1,2,3,4",
                           "a:1,2,256",
                           "a:1,2,-3",
                           "a:1,2,3.0",
                           "a:1,2,0x3",
                           "a:1;2;3",
                           "a:1,2,99999999999999999999",
                           "a:1,2, ",
                           "\x80\xff:1,2,3",
                           "a:1,2,3\na:4,5,6",
                           "a:1,2,3\nb:1,2,3",
                           "a 1 2 300",
                           "1,a,255,0,0",
                           "0,",
                           "a:one,two,three",
                           "a:1,2,3,:::4,",
                           ",,,",
                           "::::",
                           "a:1,2,3 4",
                           "PK\3\4",
                           "{\"a\": [1, 2, 3]}",
                           "[[class]]",
                           "a:+1,2,3"}) {
    files.push_back({line, std::string(line) + "\n", ""});
    files.push_back({line, "b:9,9,9\nc:8,8,8\n" + std::string(line) + "x:1\n", "line"});
  }
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += "c" + std::to_string(i) + ":1,2,3\n";
  files.push_back({"10,000 classes", many, "10001 classes"});
  files.push_back({"a long line", std::string(130'000, 'a'), "line 1"});
  files.push_back({"colons", std::string(130'000, ':'), "line 1"});
  files.push_back({"commas", "a:" + std::string(130'000, ','), "line 1"});
  files.push_back({"two megabytes", std::string(2'000'000, '\n'), "bytes"});
  files.push_back({"lines of nothing", std::string(130'000, '\n'), "classes"});
  files.push_back({"a long remark", "#" + std::string(130'000, 'r'), "classes"});
  files.push_back({"a zero byte", std::string("a:1,2,\0", 7), "line 1"});
  test::expect_refused("labelmap.txt", files,
                       [](const auto& path) { static_cast<void>(data::read_class_file(path)); });
}

}  // namespace
}  // namespace medurwkv
