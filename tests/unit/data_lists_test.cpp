// Lists of parts and tables of groups as people have them: what each line means, and the message
// where it means nothing or several things.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "data/layout/layout.h"
#include "data/split/split.h"
#include "support/paths.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

class ListsOfCases : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_.path() / name).parent_path());
    write_file(folder_.path() / name, text);
  }
  /// images/NAME and masks/NAME below `place`.
  void add(const std::string& place, const std::vector<std::string>& names) const {
    for (const std::string& name : names) {
      write(place + "images/" + name, "x");
      write(place + "masks/" + name, "x");
    }
  }
  void add_patients(int patients) const {
    for (int p = 0; p < patients; ++p) add("P" + std::to_string(p) + "/", {"0.png", "1.png"});
  }
  /// Cases by part, "-" for none.
  std::map<std::string, std::vector<std::string>> parts() {
    layout_ = find_layout(folder_.path());
    std::map<std::string, std::vector<std::string>> out;
    for (const Case& item : layout_.cases) {
      out[item.part.empty() ? "-" : item.part].push_back(item.id);
    }
    return out;
  }
  /// What is said about the file of this name.
  [[nodiscard]] static std::string said(const std::vector<FileNote>& notes,
                                        const std::string& file) {
    std::string out;
    for (const FileNote& note : notes) {
      if (note.file.filename() == file) out += note.kind + ": " + note.what + "\n";
    }
    return out;
  }

  test::TemporaryFolder folder_;
  Layout layout_;
};

using Parts = std::map<std::string, std::vector<std::string>>;

TEST_F(ListsOfCases, APathNamesOneCase) {
  add_patients(3);
  write("train.txt", "P0/images/0.png\nP0/1\n");
  write("val.txt", "/home/somebody/set/P1/images/0.png\n");
  write("test.txt", "D:\\data\\P2\\masks\\0.png\n.\\P2\\images\\1.png\n");
  EXPECT_EQ(parts(), (Parts{{"train", {"P0/0", "P0/1"}},
                            {"val", {"P1/0"}},
                            {"test", {"P2/0", "P2/1"}},
                            {"-", {"P1/1"}}}));
  EXPECT_TRUE(layout_.broken.empty());
  ASSERT_EQ(layout_.notes.size(), 1U);
  EXPECT_EQ(layout_.notes.front().kind, "cases-in-no-list");
  EXPECT_NE(layout_.notes.front().what.find("P1/1"), std::string::npos);
}

// The set lies in a folder of its own below the folder that is opened.
TEST_F(ListsOfCases, PathsMayBeginAboveOrBelow) {
  add("deep/set/P0/", {"0.png"});
  add("deep/set/P1/", {"0.png"});
  write("deep/set/train.txt", "P0/images/0.png\n");
  write("deep/set/test.txt", "/mnt/deep/set/P1/images/0.png\n");
  EXPECT_EQ(parts(), (Parts{{"train", {"deep/set/P0/0"}}, {"test", {"deep/set/P1/0"}}}));
}

TEST_F(ListsOfCases, ANameThatSeveralCasesShareIsAnError) {
  add_patients(3);
  write("train.txt", "P0/0\n1.png\n");
  parts();
  const std::string what = said(layout_.broken, "train.txt");
  EXPECT_NE(what.find("line 2"), std::string::npos) << what;
  EXPECT_NE(what.find("P1/images/1.png"), std::string::npos) << what;
}

// A name that several cases share means the one that the list lies beside.
TEST_F(ListsOfCases, AListBesideItsCasesMeansThese) {
  add_patients(2);
  write("P0/train.txt", "0.png\n");
  write("P1/test.txt", "0.png\n");
  EXPECT_EQ(parts(), (Parts{{"train", {"P0/0"}}, {"test", {"P1/0"}}, {"-", {"P0/1", "P1/1"}}}));
  EXPECT_TRUE(layout_.broken.empty());
}

TEST_F(ListsOfCases, AFolderStandsForItsCases) {
  add_patients(3);
  write("train.txt", "P0\nP1/\n");
  write("test.txt", "P2/images\n");
  EXPECT_EQ(parts(),
            (Parts{{"train", {"P0/0", "P0/1", "P1/0", "P1/1"}}, {"test", {"P2/0", "P2/1"}}}));
}

TEST_F(ListsOfCases, AVolumeStandsForItsSlices) {
  add("", {"patient001_frame01_slice_1.png", "patient001_frame01_slice_2.png",
           "patient002_frame01_slice_1.png"});
  write("train.list", "patient001_frame01\n");
  write("test.list", "patient002_frame01_slice_1\n");
  EXPECT_EQ(parts()["train"].size(), 2U);
  EXPECT_EQ(parts()["test"].size(), 1U);
}

// The same list in every writing.
TEST_F(ListsOfCases, AnyWriting) {
  add("", {"k0.png", "k 1 (2).png", "k,2.png", "\xc3\xbc.png"});
  add("", {"t.png"});
  std::string utf16 = "\xff\xfe";
  for (const char16_t unit : std::u16string_view(u"k0\r\nk 1 (2)\r\nk,2\r\n\u00fc")) {
    utf16 += static_cast<char>(unit & 0xff);
    utf16 += static_cast<char>(unit >> 8);
  }
  const std::vector<std::string> lists{
      "k0\nk 1 (2)\nk,2\n\xc3\xbc\n",
      "\xef\xbb\xbfk0\r\nk 1 (2)\r\nk,2\r\nu\xcc\x88\r\n",
      "k0.png\rk 1 (2).png\rk,2.png\r\xc3\xbc.png",
      " k0.png \n\t\"k 1 (2).png\"\n\n# a remark\nk,2.png\nu\xcc\x88.png\n",
      utf16,
      "images/k0.png masks/k0.png\nimages/k 1 (2).png masks/k 1 (2).png\nimages/k,2.png "
      "masks/k,2.png\nimages/u\xcc\x88.png masks/u\xcc\x88.png\n",
      "images\\k0.png\tmasks\\k0.png\nimages\\k 1 (2).png\tmasks\\k 1 (2).png\n"
      "images\\k,2.png\tx\nimages\\\xc3\xbc.png\tx\n",
      "image;label\nk0.png;1\nk 1 (2).png;1\nk,2.png;0\n\xc3\xbc.png;0\n",
      "id,filename\n0,k0.jpg\n1,k 1 (2).jpg\n2,\"k,2.jpg\"\n3,\xc3\xbc.jpg\n",
      "./k0.npy\n./k 1 (2).npy\n./k,2.npy\n./\xc3\xbc.npy\n"};
  write("test.txt", "t\n");
  for (const std::string& list : lists) {
    write("train.txt", list);
    const auto found = parts();
    EXPECT_EQ(found.count("-"), 0U) << list;
    EXPECT_EQ(found.at("train").size(), 4U) << list;
    EXPECT_TRUE(layout_.broken.empty()) << list;
    EXPECT_TRUE(layout_.notes.empty()) << list;
  }
}

// Numbers of lines that are names of cases too: the column of files counts.
TEST_F(ListsOfCases, AColumnOfNumbersIsNoName) {
  add("", {"0.png", "1.png", "2.png", "3.png"});
  write("train.txt", "0,3.png\n1,2.png\n");
  write("test.txt", "0,0.png\n1,1.png\n");
  EXPECT_EQ(parts(), (Parts{{"train", {"2", "3"}}, {"test", {"0", "1"}}}));
}

TEST_F(ListsOfCases, LinesThatNameNothingAreCounted) {
  add("", {"a.png", "b.png"});
  write("train.txt", "a\nx1\nx2\nx3\nx4\nx5\nx6\nx7\n");
  write("test.txt", "b\n");
  EXPECT_EQ(parts(), (Parts{{"train", {"a"}}, {"test", {"b"}}}));
  const std::string what = said(layout_.notes, "train.txt");
  EXPECT_NE(what.find("7 cases"), std::string::npos) << what;
  EXPECT_NE(what.find("x1, x2, x3, x4, x5 and 2 more"), std::string::npos) << what;
}

TEST_F(ListsOfCases, AListThatNamesNothingIsAnError) {
  add("", {"a.png", "b.png"});
  write("train.txt", "case1\ncase2\n");
  parts();
  const std::string what = said(layout_.broken, "train.txt");
  EXPECT_NE(what.find("none of its 2 lines"), std::string::npos) << what;
  EXPECT_NE(what.find("case1"), std::string::npos) << what;
}

TEST_F(ListsOfCases, ImagesWithoutMasksAreNamedToo) {
  add("", {"a.png", "b.png"});
  write("images/c.png", "x");
  write("train.txt", "a\nb\n");
  write("test.txt", "c\n");
  EXPECT_EQ(parts(), (Parts{{"train", {"a", "b"}}}));
  EXPECT_TRUE(layout_.broken.empty());
  EXPECT_TRUE(layout_.notes.empty());
}

TEST_F(ListsOfCases, WithoutAListOfTrainTheRestIsTrain) {
  add("", {"a.png", "b.png", "c.png"});
  write("test_list.txt", "c\n");
  EXPECT_EQ(parts(), (Parts{{"train", {"a", "b"}}, {"test", {"c"}}}));
  ASSERT_EQ(layout_.notes.size(), 1U);
  EXPECT_EQ(layout_.notes.front().kind, "train-by-rest");
  EXPECT_NE(layout_.notes.front().what.find("2 cases are"), std::string::npos);
}

// A part may be the only one that is named; the other cases are in none.
TEST_F(ListsOfCases, AListOfTrainAloneLeavesTheRestOut) {
  add("", {"a.png", "b.png", "c.png"});
  write("train_list.txt", "a\nb\n");
  EXPECT_EQ(parts(), (Parts{{"train", {"a", "b"}}, {"-", {"c"}}}));
  write("train_list.txt", "a\nb\nc\n");
  EXPECT_EQ(parts(), (Parts{{"train", {"a", "b", "c"}}}));
}

TEST_F(ListsOfCases, TrainAndValTogetherSayWhatTheOthersDoNot) {
  add("", {"a.png", "b.png", "c.png"});
  write("trainval.txt", "a\nb\n");
  write("val.txt", "b\n");
  write("test.txt", "c\n");
  EXPECT_EQ(parts(), (Parts{{"train", {"a"}}, {"val", {"b"}}, {"test", {"c"}}}));
  EXPECT_TRUE(layout_.broken.empty());
}

TEST_F(ListsOfCases, FoldersDecideAgainstLists) {
  add("train/", {"a.png", "b.png"});
  add("test/", {"c.png"});
  write("val.txt", "b\n");
  EXPECT_EQ(parts(), (Parts{{"train", {"a", "b"}}, {"test", {"c"}}}));
  EXPECT_NE(said(layout_.notes, "val.txt").find("list-against-folders"), std::string::npos);
}

TEST_F(ListsOfCases, OtherFilesAreNoLists) {
  add("", {"a.png", "b.png"});
  for (const char* name : {"train_notes.txt", "readme.txt", "retrain.txt", "train_test.txt"}) {
    write(name, "a\n");
  }
  EXPECT_EQ(parts(), (Parts{{"-", {"a", "b"}}}));
}

// A table of train alone may be about anything; two of them are a split.
TEST_F(ListsOfCases, TablesAreListsWhereTheyMakeASplit) {
  add("", {"a.png", "b.png", "c.png"});
  write("train.csv", "id,rle_mask\na,1 2 3\nb,\nc,5 6\n");
  EXPECT_EQ(parts(), (Parts{{"-", {"a", "b", "c"}}}));
  write("train.csv", "image,mask\nimages/a.png,masks/a.png\nimages/b.png,masks/b.png\n");
  write("test.csv", "Picture,Truth\nimages/c.png,masks/c.png\n");
  EXPECT_EQ(parts(), (Parts{{"train", {"a", "b"}}, {"test", {"c"}}}));
  EXPECT_TRUE(layout_.notes.empty());
  write("val.csv", "quite,other\n1,2\n");
  EXPECT_EQ(parts(), (Parts{{"train", {"a", "b"}}, {"test", {"c"}}}));
}

// ---- groups

TEST_F(ListsOfCases, ATableOfGroups) {
  add_patients(2);
  add("", {"c.png"});
  write("patients.csv",
        "\xef\xbb\xbfImage;Patient_ID\r\nP0\\images\\0.png;12\r\nP0/1;12\r\nP1/0;\"7\"\r\nP1/"
        "1;7\r\nc;12\r\n");
  parts();
  std::map<std::string, std::string> groups;
  for (const Case& item : layout_.cases) groups[item.id] = item.group;
  EXPECT_EQ(groups, (std::map<std::string, std::string>{{"P0/0", "patient 12"},
                                                        {"P0/1", "patient 12"},
                                                        {"P1/0", "patient 7"},
                                                        {"P1/1", "patient 7"},
                                                        {"c", "patient 12"}}));
  EXPECT_TRUE(layout_.broken.empty());
  EXPECT_TRUE(layout_.notes.empty());
}

TEST_F(ListsOfCases, ATableOfGroupsThatCannotBeUsedIsAnError) {
  add_patients(2);
  const std::vector<std::pair<std::string, std::string>> tables{
      {"image,patient_id\nx,1\ny,2\n", "to no case"},
      {"image,age\nP0/0,1\n", "no column of patients"},
      {"image,patient_id\nP0/0\n", "line 2"},
      {"image,patient_id\n0.png,1\n", "line 2"},
      {"image,patient_id\nP0/0,1\nP0/0,2\n", "line 3"},
      {"", "is empty"},
      {"a\0b"s, "not text"}};
  for (const auto& [text, word] : tables) {
    write("groups.csv", text);
    parts();
    const std::string what = said(layout_.broken, "groups.csv");
    EXPECT_NE(what.find(word), std::string::npos) << text << " -> " << what;
  }
}

TEST_F(ListsOfCases, MetadataWithoutGroupsIsOfNoConcern) {
  add("", {"a.png"});
  write("metadata.csv", "image_id,age\na,50\nb\n");
  parts();
  EXPECT_TRUE(layout_.broken.empty());
  EXPECT_TRUE(layout_.notes.empty());
  write("metadata.csv", "isic_id,age,patient_id\na,50,IP_1\n");
  parts();
  EXPECT_EQ(layout_.cases.front().group, "patient IP_1");
}

}  // namespace
}  // namespace medurwkv::data
