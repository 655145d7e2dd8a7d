// Images for pretraining: every arrangement of folders and zips that is read, parts and classes,
// the drawn validation part, the hash, and what is refused by name.
#include "data/layout/picture_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/mapped_file.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "data/layout/picture_zip.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/picture_sets.h"
#include "support/refusal.h"
#include "support/zip_by_hand.h"

namespace medurwkv::data {
namespace {

using namespace test::pictures;  // NOLINT(google-build-using-namespace): one file's fixture

TEST_F(Pictures, AClassIsAFolder) {
  put_image("dog/b.png", 1);
  put_image("dog/a.PNG", 2);
  put_image("cat/deep/below/1.png", 3);
  const PictureSet set = labelled();
  EXPECT_EQ(set.classes, (Strings{"cat", "dog"}));
  EXPECT_EQ(ids_of(set.train), (Strings{"cat/deep/below/1.png", "dog/a.PNG", "dog/b.png"}));
  EXPECT_EQ(set.layout, "class folders");
  EXPECT_EQ(set.root, root() / "");
  EXPECT_TRUE(set.val.empty());
  EXPECT_TRUE(set.notes.empty()) << set.notes.front();
  const Strings files{"cat/deep/below/1.png", "dog/a.PNG", "dog/b.png"};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(set.train[i].label, i == 0 ? 0 : 1);
    EXPECT_EQ(set.train[i].size, fs::file_size(root() / files[i]));
    EXPECT_EQ(set.train[i].source.file, root() / files[i]);
  }
}

struct Arrangement {
  const char* name;
  Strings files;
  std::map<std::string, Strings> zips = {};
  std::string below = "";
};

// Train: cat 1, cat 2, dog 3. Val: cat 4, dog 5.
TEST_F(Pictures, EveryArrangementOfPartsIsTheSameSet) {
  const std::vector<Arrangement> arrangements{
      {"folders",
       {"train/cat/1.png", "train/cat/2.png", "train/dog/3.png", "val/cat/4.png", "val/dog/5.png"}},
      {"other names, a folder around, test beside",
       {"set/Training/cat/1.png", "set/Training/cat/2.png", "set/Training/dog/3.png",
        "set/Validation/cat/4.png", "set/Validation/dog/5.png", "set/test/9.png",
        "set/test/10.png"}},
      {"zips of parts",
       {},
       {{"train.zip", {"cat/1.png", "cat/2.png", "dog/3.png"}},
        {"val.zip", {"cat/4.png", "dog/5.png"}}}},
      {"zips of parts that hold a folder",
       {},
       {{"train.ZIP", {"cat/", "cat/1.png", "cat/2.png", "dog/3.png"}},
        {"valid.zip", {"cat/4.png", "dog/5.png"}}}},
      {"one zip of all",
       {},
       {{"all.zip",
         {"x/train/cat/1.png", "x/train/cat/2.png", "x/train/dog/3.png", "./x/val/cat/4.png",
          "x//val/dog/5.png", "__MACOSX/x/train/cat/._1.png"}}},
       "all.zip"},
      {"a folder with that zip",
       {},
       {{"all.zip",
         {"train/cat/1.png", "train/cat/2.png", "train/dog/3.png", "val/cat/4.png",
          "val/dog/5.png"}}}},
      {"zips of classes",
       {"val/cat/4.png", "val/dog/5.png"},
       {{"train/cat.zip", {"1.png", "2.png"}}, {"train/dog.zip", {"dog/3.png"}}}},
      {"a class as folder and as zip",
       {"train/cat/1.png", "train/dog/3.png", "val/cat/4.png", "val/dog/5.png"},
       {{"train/cat.zip", {"2.png"}}}}};
  for (const Arrangement& one : arrangements) {
    SCOPED_TRACE(one.name);
    for (const auto& entry : fs::directory_iterator(root())) fs::remove_all(entry);
    for (const std::string& file : one.files) put_image(file);
    for (const auto& [file, names] : one.zips) put_zip(file, names);
    const PictureSet set = labelled(one.below);
    EXPECT_EQ(set.classes, (Strings{"cat", "dog"}));
    EXPECT_EQ(classes_of(set, set.train), (Strings{"cat/1", "cat/2", "dog/3"}));
    EXPECT_EQ(classes_of(set, set.val), (Strings{"cat/4", "dog/5"}));
    EXPECT_EQ(set.layout, "class folders in parts");
    EXPECT_TRUE(std::is_sorted(set.train.begin(), set.train.end(),
                               [](const auto& a, const auto& b) { return a.id < b.id; }));
    for (const std::vector<Picture>* part : {&set.train, &set.val}) {
      for (const Picture& picture : *part) {
        EXPECT_EQ(read_image(picture.source).bytes, std::vector<unsigned char>(6, 7)) << picture.id;
        EXPECT_EQ(read_image_size(picture.source), (ImageSize{3, 2}));
        EXPECT_EQ(picture.size, png(7).size());
      }
    }
    if (std::string(one.name).find("test beside") != std::string::npos) {
      EXPECT_TRUE(has_note(set, "2 images of test left out"));
    } else {
      EXPECT_TRUE(set.notes.empty()) << set.notes.front();
    }
  }
}

TEST_F(Pictures, ZipsOfClassesWithoutParts) {
  put_zip("cat.zip", {"1.png", "2.png"});
  put_zip("dog.zip", {"3.png"});
  const PictureSet set = labelled();
  EXPECT_EQ(set.classes, (Strings{"cat", "dog"}));
  EXPECT_EQ(ids_of(set.train), (Strings{"cat/1.png", "cat/2.png", "dog/3.png"}));
}

// Classes may have names that mean something elsewhere.
TEST_F(Pictures, ClassesMayBeNamedLikePartsAndMasks) {
  put_image("train/1.png");
  put_image("train/old/2.png");
  put_image("bus/3.png");
  put_image("mask/4.png");
  const PictureSet set = labelled();
  EXPECT_EQ(set.classes, (Strings{"bus", "mask", "train"}));
  EXPECT_EQ(set.train.size(), 4U);
}

TEST_F(Pictures, AClassOfValidationAloneIsRefused) {
  put_image("train/cat/1.png");
  put_image("train/dog/1.png");
  put_image("val/bird/1.png");
  const test::Refusal refusal = refused({root()}, true);
  EXPECT_TRUE(refusal.names("val/bird/1.png: its class bird has no training images"))
      << refusal.message;
}

TEST_F(Pictures, ClassesWithoutImagesAreNoted) {
  put_image("train/cat/1.png");
  put_image("train/dog/1.png");
  put_image("val/dog/2.png");
  put("train/notes/read.txt", "x");
  fs::create_directories(root() / "train/empty");
  put_zip("train/birds.zip", {"inner/"});
  const PictureSet set = labelled();
  EXPECT_EQ(set.classes, (Strings{"cat", "dog"}));
  EXPECT_TRUE(has_note(set, "class folders without images left out: birds, empty, notes"));
  EXPECT_TRUE(has_note(set, "classes without validation images: cat"));
  EXPECT_TRUE(has_note(set, "1 file that is not an image left out: train/notes/read.txt"));
}

TEST_F(Pictures, FewerThanTwoClassesAreRefused) {
  put_image("1.png");
  EXPECT_TRUE(refused({root()}, true).names("sort them into CLASS/image"));
  put_image("cat/1.png");
  EXPECT_TRUE(refused({root()}, true).names("has 1 class (cat)"));
  put_image("dog/1.png");
  EXPECT_TRUE(has_note(labelled(), "1 image in no class folder left out"));
}

// What all images share is passed, but for the folder right above one of them.
TEST_F(Pictures, TheFolderAboveAnImageIsItsClassAtTheLatest) {
  put_image("set/more/cat/deep/below/1.png");
  put_image("set/more/cat/2.png");
  EXPECT_TRUE(refused({root()}, true).names("has 1 class (cat)"));
  put_image("set/more/dog/3.png");
  EXPECT_EQ(labelled().classes, (Strings{"cat", "dog"}));
}

// Two of 40, at least one of two, none of one; whichever way the files are listed.
TEST_F(Pictures, TheDrawnValidationPartIsAShareOfEveryClass) {
  Strings names;
  for (int i = 0; i < 40; ++i) names.push_back(concat("many/", i, ".png"));
  for (const char* name : {"two/a.png", "two/b.png", "one/a.png"}) names.emplace_back(name);
  put_zip("a.zip", names);
  std::reverse(names.begin(), names.end());
  put_zip("b.zip", names);
  const ValidationShare share{.share = 0.05, .seed = 3};
  const PictureSet a = labelled("a.zip", share);
  const PictureSet b = labelled("b.zip", share);
  EXPECT_EQ(ids_of(a.train), ids_of(b.train));
  EXPECT_EQ(ids_of(a.val), ids_of(b.val));
  EXPECT_EQ(a.sha256, b.sha256);
  std::map<std::int64_t, int> counts;
  for (const Picture& one : a.val) ++counts[one.label];
  EXPECT_EQ(counts, (std::map<std::int64_t, int>{{0, 2}, {2, 1}}));
  EXPECT_EQ(a.train.size() + a.val.size(), 43U);
  EXPECT_TRUE(has_note(a, "3 images"));
  std::set<Strings> drawn;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    drawn.insert(ids_of(labelled("a.zip", {.share = 0.05, .seed = seed}).val));
  }
  EXPECT_EQ(drawn.size(), 8U);
  EXPECT_EQ(labelled("a.zip", {.share = 0.99}).val.size(), 39U + 1U);
  EXPECT_TRUE(labelled("a.zip").val.empty());
}

// Each image is drawn as often as another: over 400 seeds 40 images 2 of 40 each, 4 sigma.
TEST_F(Pictures, EveryImageIsDrawnEquallyOften) {
  Strings names;
  for (int i = 0; i < 40; ++i) names.push_back(concat(i, ".png"));
  put_zip("a.zip", names);
  std::map<std::string, int> uses;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    for (const Picture& one : unlabelled("a.zip", {.share = 0.05, .seed = seed}).val) {
      ++uses[one.id];
    }
  }
  EXPECT_EQ(uses.size(), 40U);
  for (const auto& [id, times] : uses) EXPECT_NEAR(times, 20, 4 * 4.36) << id;
}

TEST_F(Pictures, WithoutLabelsEveryImageAnywhereIsTaken) {
  put_image("1.png");
  put_image("a/b/c/2.pgm");
  put_zip("more/x.zip", {"3.png", "deep/4.png", "__MACOSX/._3.png", "deep/.hidden.png"});
  put_image(".hidden/5.png");
  put_image("test/6.png");
  put_image("masks/1.png");
  put_image("a/7.png");
  put_image("a/7_mask.png");
  put_image("a/alone_mask.png");
  put("a/\x1b[31mred.txt", "x");
  put("a/table.csv", "x\n");
  const PictureSet set = unlabelled();
  EXPECT_EQ(ids_of(set.train), (Strings{"1.png", "a/7.png", "a/alone_mask.png", "a/b/c/2.pgm",
                                        "more/x/3.png", "more/x/deep/4.png", "test/6.png"}));
  EXPECT_TRUE(set.classes.empty());
  EXPECT_EQ(set.train.front().label, -1);
  EXPECT_TRUE(has_note(set, "2 files that are not images left out"));
  EXPECT_TRUE(has_note(set, "\\u001b[31mred.txt")) << "shown, not obeyed";
  EXPECT_TRUE(has_note(set, "2 masks left out"));
  EXPECT_TRUE(has_note(set, "1 image of test folders"));
  for (const std::string& note : set.notes) EXPECT_EQ(note.find('\x1b'), std::string::npos);
}

TEST_F(Pictures, SeveralSetsStandUnderTheirNames) {
  put_image("a/images/1.png");
  put_image("b/images/1.png");
  put_zip("c/images.zip", {"1.png"});
  put_image("d/1.png");
  const PictureSet set = open_pictures(
      {root() / "a/images", root() / "b/images/", root() / "c/images.zip", root() / "d"}, false,
      no_share);
  EXPECT_EQ(ids_of(set.train),
            (Strings{"d/1.png", "images (2)/1.png", "images (3)/1.png", "images/1.png"}));
  EXPECT_EQ(set.train[1].source.file, root() / "b/images/1.png");
}

TEST_F(Pictures, WrongRequestsAreRefused) {
  put_image("a/x/1.png");
  put_image("b/1.png");
  put("c/read.txt", "x");
  fs::create_directory_symlink(root() / "a", root() / "link");
  const auto usage = [](const test::Refusal& one) { return one.kind == ErrorKind::usage; };
  EXPECT_TRUE(usage(refused({}, false)));
  EXPECT_TRUE(usage(refused({root() / "a", root() / "b"}, true)));
  for (const double share : {-0.1, 1.0, std::nan("")}) {
    EXPECT_TRUE(usage(refused({root()}, false, {.share = share})));
  }
  for (const char* again : {"a", "a/x", "a/../a/x/", "link"}) {
    const test::Refusal refusal = refused({root() / again, root() / "a"}, false);
    EXPECT_TRUE(usage(refusal) && refusal.names("give each image once")) << refusal.message;
  }
  EXPECT_TRUE(refused({root() / "none"}, false).names("no such folder or zip file"));
  EXPECT_TRUE(refused({root() / "b/1.png"}, false).names("neither a folder nor a .zip"));
  EXPECT_TRUE(refused({root() / "c"}, false).names("holds no image"));
  EXPECT_TRUE(refused({root() / "c"}, true).names("holds no image"));
}

// The same image unpacked and in its zip; two names that are one in Unicode.
TEST_F(Pictures, WhatIsThereTwiceIsRefused) {
  put_image("train/cat/1.png");
  put_zip("train.zip", {"cat/1.png", "dog/1.png"});
  const test::Refusal refusal = refused({root()}, true);
  EXPECT_TRUE(refusal.names("train/cat/1.png: is there twice")) << refusal.message;
  EXPECT_TRUE(refusal.names((root() / "train.zip").string())) << refusal.message;
  put_image("names/caf\u00e9.png");
  put_image("names/cafe\u0301.png");
  EXPECT_TRUE(refused({root() / "names"}, false).names("is there twice"));
}

TEST_F(Pictures, NamesAreKeptInOneForm) {
  put_image("cafe\u0301/1.png");
  put_image("tea/1.png");
  EXPECT_EQ(labelled().classes, (Strings{"caf\u00e9", "tea"}));
}

TEST_F(Pictures, AClassNameThatNoReportCanShowIsRefused) {
  put_image("tea/1.png");
  put_image("a\nb/1.png");
  EXPECT_TRUE(refused({root()}, true).names("rename its folder"));
}

TEST_F(Pictures, LinksAreFollowedButNoLoops) {
  put_image("elsewhere/1.png");
  put_image("set/cat/1.png");
  put_image("set/dog/1.png");
  fs::create_directory_symlink(root() / "elsewhere", root() / "set/bird");
  fs::create_directory_symlink(root() / "set", root() / "set/cat/again");
  EXPECT_EQ(labelled("set").classes, (Strings{"bird", "cat", "dog"}));
  fs::create_symlink(root() / "nowhere.png", root() / "set/dog/broken.png");
  EXPECT_TRUE(refused({root() / "set"}, true).names("broken.png: cannot be examined"));
}

// By the documented text, put together here.
TEST_F(Pictures, TheHashIsOverIdsClassesPartsAndSizes) {
  put_image("train/cat/1.png");
  put_image("train/dog/2.png", 9);
  put_zip("val.zip", {"dog/3.png"});
  const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(png(7).data()), png(7).size());
  const std::string zero(1, '\0');
  std::string text;
  for (const auto& [id, name, part, numbers] :
       {std::tuple{"train/cat/1.png", "cat", "train", concat(png(7).size(), " 0")},
        std::tuple{"train/dog/2.png", "dog", "train", concat(png(9).size(), " 0")},
        std::tuple{"val/dog/3.png", "dog", "val", concat(png(7).size(), " ", crc)}}) {
    text += id + zero + name + zero + part + zero + numbers + zero;
  }
  const std::string before = labelled().sha256;
  EXPECT_EQ(before, sha256(text));
  put("train/dog/2.png", png(9) + "x");
  EXPECT_NE(labelled().sha256, before);
  put_image("train/dog/2.png", 9);
  EXPECT_EQ(labelled().sha256, before);
  fs::rename(root() / "train/cat/1.png", root() / "train/cat/4.png");
  EXPECT_NE(labelled().sha256, before);
}

/// Decoding the only image of a zip.
std::string decoding_fails(const fs::path& file, bool size_alone = false) {
  const PictureSet set = open_pictures({file}, false, no_share);
  const auto refusal = test::refusal_of([&] {
    if (size_alone) return static_cast<int>(read_image_size(set.train.front().source).width);
    return static_cast<int>(read_image(set.train.front().source).width);
  });
  return refusal ? refusal->message : "";
}

TEST_F(Pictures, ABadMemberIsRefusedByItsName) {
  test::ZipBytes zip = test::make_zip({{.name = "in/1.png", .content = png(7)}});
  zip.bytes[zip.content[0] + 60] ^= 1;
  put("damaged.zip", zip.bytes);
  const std::string damaged = decoding_fails(root() / "damaged.zip");
  EXPECT_NE(damaged.find("damaged.zip"), std::string::npos) << damaged;
  EXPECT_NE(damaged.find("in/1.png"), std::string::npos) << damaged;
  for (const auto& [name, content] :
       {std::pair{"text", std::string("no image at all")}, std::pair{"empty", std::string()},
        std::pair{"cut", png(7).substr(0, 40)},
        std::pair{"lfs", std::string("version https://git-lfs.github.com/spec/v1\n")}}) {
    for (const bool deflate : {false, true}) {
      const fs::path file = concat(name, ".zip");
      put(file,
          test::make_zip({{.name = "in/1.png", .content = content, .deflate = deflate}}).bytes);
      for (const bool size_alone : {false, true}) {
        if (size_alone && name == std::string("cut")) continue;  // its size is there
        const std::string message = decoding_fails(root() / file, size_alone);
        EXPECT_EQ(message.find((root() / file).string() + " (in/1.png): "), 0U) << message;
      }
    }
  }
}

// By its content, not its suffix; arrays are for folders.
TEST_F(Pictures, MembersAreDecodedByTheirContent) {
  put("a.zip", test::make_zip({{.name = "1.jpg", .content = png(5), .deflate = true},
                               {.name = "2.npy", .content = "x"},
                               {.name = "3.zip", .content = "x"}})
                   .bytes);
  const PictureSet set = unlabelled("a.zip");
  ASSERT_EQ(ids_of(set.train), (Strings{"1.jpg"}));
  EXPECT_EQ(read_image(set.train.front().source).bytes, std::vector<unsigned char>(6, 5));
  EXPECT_EQ(set.train.front().source.store->channels("1.jpg"), 1);
  EXPECT_TRUE(has_note(set, "2 files"));
  EXPECT_TRUE(test::refusal_of([&] {
                return set.train.front().source.store->image("9.jpg");
              })->names("a.zip (9.jpg): the archive has no such member"));
}

TEST_F(Pictures, ABrokenZipIsRefusedByItsName) {
  for (const std::string& bytes : {std::string(), std::string("PK"), std::string(1000, 'x'),
                                   test::make_zip({{.name = "../1.png", .content = "x"}}).bytes}) {
    put("set/a.zip", bytes);
    EXPECT_TRUE(refused({root() / "set"}, false).names((root() / "set/a.zip").string()));
  }
}

// A zip that is cut while the run reads from it must not end the process.
TEST_F(Pictures, AZipThatChangesIsRefused) {
  put_zip("a.zip", {"1.png", "2.png"});
  const PictureSet set = unlabelled("a.zip");
  EXPECT_EQ(read_image(set.train[0].source).width, 3);
  fs::resize_file(root() / "a.zip", 10);
  const auto cut = test::refusal_of([&] { return read_image(set.train[1].source); });
  ASSERT_TRUE(cut);
  EXPECT_TRUE(cut->names("a.zip: has changed")) << cut->message;
  fs::remove(root() / "a.zip");
  EXPECT_TRUE(test::refusal_of([&] { return read_image(set.train[1].source); }));
}

TEST_F(Pictures, ManyThreadsDecodeWhatOneDoes) {
  std::vector<test::ZipEntry> entries;
  for (int i = 0; i < 50; ++i) {
    entries.push_back({.name = concat(i, ".png"), .content = png(i), .deflate = i % 2 == 0});
  }
  put("a.zip", test::make_zip(entries).bytes);
  const PictureSet set = unlabelled("a.zip");
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (const Picture& one : set.train) {
        if (read_image(one.source).bytes.front() != std::stoi(one.id)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(Pictures, MapsWholeFilesAndNothingElse) {
  put("full", "hello");
  put("empty", "");
  EXPECT_EQ(MappedFile(root() / "full").bytes(), "hello");
  EXPECT_EQ(MappedFile(root() / "empty").bytes(), "");
  for (const char* name : {"", "none"}) {
    EXPECT_TRUE(test::refusal_of([&] {
                  return MappedFile(root() / name).bytes().size();
                })->names(root().string()));
  }
}

// What was read of a large archive must not count as the process's for ever.
TEST_F(Pictures, GivesTheMemoryOfWhatWasReadBack) {
  constexpr std::int64_t size = std::int64_t{64} << 20;
  put("large", "hello");
  fs::resize_file(root() / "large", size);
  const MappedFile file(root() / "large");
  const std::int64_t before = resident_memory();
  EXPECT_EQ(std::count(file.bytes().begin(), file.bytes().end(), '\0'), size - 5);
  EXPECT_GT(resident_memory() - before, size / 2);
  file.let_go(file.bytes().substr(5));
  EXPECT_LT(resident_memory() - before, size / 4);
  EXPECT_EQ(file.bytes().substr(0, 6), std::string_view("hello\0", 6));
  file.let_go({});
}

/// What a test expects of a set below $MEDURWKV_SHARED.
#define NEEDS_SHARED(path)                                                                 \
  if (!fs::exists(path)) {                                                                 \
    GTEST_SKIP() << (path) << " is not there (MEDURWKV_SHARED names the folder above it)"; \
  }

// As many as its README states, each under the class that its name says.
TEST(RealPictures, MiniImageNetIsFoundWhole) {
  const fs::path root = test::shared_folder() / "data/mini_imagenet";
  NEEDS_SHARED(root)
  const PictureSet set = open_pictures({root}, true, {});
  EXPECT_EQ(set.classes.size(), 100U);
  EXPECT_EQ(set.train.size(), 18000U);
  EXPECT_EQ(set.val.size(), 2000U);
  std::map<std::int64_t, int> train;
  std::map<std::int64_t, int> val;
  for (const Picture& one : set.train) ++train[one.label];
  for (const Picture& one : set.val) ++val[one.label];
  for (std::int64_t c = 0; c < 100; ++c) {
    EXPECT_EQ(train[c], 180);
    EXPECT_EQ(val[c], 20);
  }
  for (std::size_t i = 0; i < set.train.size(); i += 500) {
    const Image image = read_image(set.train[i].source);
    EXPECT_EQ(image.width, 84);
    EXPECT_EQ(image.height, 84);
    EXPECT_EQ(set.classes[static_cast<std::size_t>(set.train[i].label)],
              split(set.train[i].id, '/')[1]);
  }
}

TEST(RealPictures, DermoscopyIsFoundWhole) {
  const fs::path root = test::shared_folder() / "data/dermoscopy_unlabelled";
  NEEDS_SHARED(root)
  const PictureSet set = open_pictures({root}, false, {.share = 0.05});
  EXPECT_EQ(set.train.size(), 3800U);
  EXPECT_EQ(set.val.size(), 200U);
  EXPECT_EQ(read_image_size(set.val.front().source), (ImageSize{128, 128}));
}

// Masks of a labelled set are not learned from.
TEST(RealPictures, MasksOfASegmentationSetAreLeftOut) {
  const fs::path isic = test::shared_folder() / "data/isic_subset";
  const fs::path busi = test::shared_folder() / "data/busi_subset";
  NEEDS_SHARED(isic)
  NEEDS_SHARED(busi)
  EXPECT_EQ(open_pictures({isic}, false, no_share).train.size(), 300U);
  const PictureSet set = open_pictures({busi}, true, no_share);
  EXPECT_EQ(set.classes, (Strings{"benign", "malignant", "normal"}));
  EXPECT_EQ(set.train.size(), 90U);
}

}  // namespace
}  // namespace medurwkv::data
