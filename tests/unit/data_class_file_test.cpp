// --classes: CVAT's labelmap.txt and TOML, in the order of indices, and every mistake by its line.
#include "data/layout/class_file.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/model_description.h"
#include "data/codecs/read.h"
#include "data/layout/dataset.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

using Color = std::array<std::uint8_t, 3>;
using Names = std::vector<std::pair<std::string, Color>>;

Names names_of(const ClassTable& table) {
  Names out;
  for (const ClassInfo& one : table.classes) out.emplace_back(one.name, one.color);
  return out;
}

// As CVAT exports it: sorted by name, the background somewhere.
TEST(ClassFile, LabelMap) {
  EXPECT_EQ(names_of(parse_classes("labelmap.txt",
                                   "# label:color_rgb:parts:actions\n"
                                   "adenoma:255,0,0::\r\n"
                                   "background:0,0,0::\n"
                                   "\n"
                                   "polyp (non neoplastic):0, 255 ,0\n")),
            (Names{{"background", {0, 0, 0}},
                   {"adenoma", {255, 0, 0}},
                   {"polyp (non neoplastic)", {0, 255, 0}}}));
}

// The same classes in every form that tools write.
TEST(ClassFile, ColoursInColumns) {
  const Names expected{{"background", {0, 0, 0}}, {"left lung", {255, 0, 0}}, {"b", {0, 128, 7}}};
  for (const char* text : {"background:0,0,0\nleft lung:255,0,0\nb:0,128,7\n",
                           "background 0 0 0\nleft lung  255 0 0\nb 0 128 7\n",
                           "0 0 0\tbackground\r255 0 0\tleft lung\r0 128 7\tb\r",
                           "name,r,g,b\nbackground,0,0,0\n\"left lung\",255,0,0\nb,0,128,7\n",
                           "\xef\xbb\xbfleft lung;255;0;0\nb;0;128;7\nbackground;0;0;0\n"}) {
    const ClassTable table = parse_classes("f.txt", text);
    EXPECT_EQ(names_of(table), expected) << text;
    EXPECT_TRUE(table.has_colors) << text;
  }
}

TEST(ClassFile, NamesAlone) {
  for (const char* text :
       {"background\nleft lung\nb\n", "left lung\nb\n", "0 background\n1 left lung\n2 b\n",
        "Pixel Value, Class\n0, background\n2, b\n1, left lung\n",
        "class;index\nbackground;0\nleft lung;1\nb;2\n",
        "\"background\"\n\"left lung\"\n# no class\n\"b\"\n"}) {
    const ClassTable table = parse_classes("f.csv", text);
    std::vector<std::string> names;
    for (const ClassInfo& one : table.classes) names.push_back(one.name);
    EXPECT_EQ(names, (std::vector<std::string>{"background", "left lung", "b"})) << text;
    EXPECT_FALSE(table.has_colors) << text;
  }
}

TEST(ClassFile, ABackgroundIsBlackOrAdded) {
  EXPECT_EQ(parse_classes("f.txt", "a:1,2,3\nnothing:0,0,0\n").classes.front().name, "nothing");
  EXPECT_EQ(names_of(parse_classes("f.txt", "a:1,2,3\n")),
            (Names{{"background", {0, 0, 0}}, {"a", {1, 2, 3}}}));
}

TEST(ClassFile, Toml) {
  EXPECT_EQ(names_of(parse_classes("classes.TOML",
                                   "[[class]]\nname = 'b'\nindex = 2\ncolor = [0, 0, 255]\n"
                                   "[[class]]\nname = 'none'\nindex = 0\n"
                                   "[[class]]\nname = 'a'\nindex = 1\ncolor = [255, 0, 0]\n")),
            (Names{{"none", {0, 0, 0}}, {"a", {255, 0, 0}}, {"b", {0, 0, 255}}}));
}

TEST(ClassFile, MistakesAreNamed) {
  const std::string first = "[[class]]\nname = 'a'\nindex = 0\n";
  const std::vector<std::array<std::string, 3>> mistakes{
      {"f.txt", "a:1,2,3\nb 4,5,6\n", "line 2"},
      {"f.txt", "a:1,2\n", "line 1"},
      {"f.txt", "a:1,2,256\n", "0 to 255"},
      {"f.txt", "a:1,2,-3\n", "line 1"},
      {"f.txt", ":1,2,3\n", "line 1"},
      {"f.txt", "a:1,2,3\nb:1,2,3\n", "same colour"},
      {"f.txt", "a:1,2,3\na:3,2,1\n", "the name a stands for class"},
      {"f.txt", "", "names 1 classes"},
      {"f.txt", "a 1 2 3\nb\n", "line 2"},
      {"f.txt", "a 1 2 300\n", "0 to 255"},
      {"f.txt", "a\nb:1,2,3\n", "line 2"},
      {"f.txt", "a\nb,1\n", "line 2"},
      {"f.txt", "a\nleft lung\t1\n", "line 2"},
      {"f.txt", "1,a,255,0,0\n", "line 1"},
      {"f.txt", "lesion\nbackground\n", "line 2"},
      {"f.txt", "0,a\n2,b\n", "expected 1"},
      {"f.txt", "0,\n1,b\n", "empty name"},
      {"f.txt", "b:0,0,0\n", "names 1 classes"},
      {"f.txt", "na\xefve:1,2,3\n", "UTF-8"},
      {"f.toml", "[[class]]\nname = \n", "line 2"},
      {"f.toml", "classes = 3\n", "[[class]]"},
      {"f.toml", first + "[[class]]\nname = 'b'\n", "class 2"},
      {"f.toml", first + "[[class]]\nname = 'b'\nindex = 2\ncolor = [1, 2, 3]\n", "expected 1"},
      {"f.toml", first + "[[class]]\nname = 'b'\nindex = 1\n", "lacks its color"},
      {"f.toml", first + "[[class]]\nname = 'b'\nindex = 1\ncolor = [1, 2]\n", "[red, green"},
      {"f.toml", first + "[[class]]\nname = 'b'\nindex = 1\ncolour = [1, 2, 3]\n",
       "did you mean color"}};
  for (const auto& [file, text, word] : mistakes) {
    const auto refused =
        test::refusal_of([&file = file, &text = text] { return parse_classes(file, text); });
    ASSERT_TRUE(refused) << text;
    EXPECT_EQ(refused->kind, ErrorKind::failure);
    EXPECT_TRUE(refused->names(file) && refused->names(word)) << refused->message;
  }
}

TEST(DatasetOptions, NamesOrAFile) {
  const test::TemporaryFolder folder;
  write_file(folder.path() / "labelmap.txt", std::string_view("a:1,2,3\n"));
  const DatasetOptions options = dataset_options("colors", {}, folder.path() / "labelmap.txt");
  EXPECT_EQ(options.encoding, MaskEncoding::colors);
  EXPECT_EQ(options.classes.at(1).name, "a");
  EXPECT_EQ(dataset_options("", {"x", "y", "z"}).classes.at(2).name, "z");
  EXPECT_FALSE(dataset_options("", {}).encoding);
  const auto refused =
      test::refusal_of([&] { return dataset_options("", {"x"}, folder.path() / "labelmap.txt"); });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::usage);
}

}  // namespace
}  // namespace medurwkv::data
