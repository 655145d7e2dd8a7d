// The number of channels that a header tells is that of the decoded image, in every format.
#include "data/layout/channels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/listener.h"
#include "core/npy.h"
#include "data/check/open.h"
#include "data/codecs/read.h"
#include "data/layout/dataset.h"
#include "data/layout/pack.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

TEST(ReadChannels, AgreeWithTheDecodedImagesOfTheCorpus) {
  std::size_t read = 0;
  for (const auto& entry : fs::directory_iterator(test::source_folder() / "fuzz/corpus/image")) {
    Image image;
    if (test::refusal_of([&] { image = read_image(entry.path()); })) continue;
    EXPECT_EQ(read_channels(ImageSource{entry.path()}), image.channels) << entry.path();
    ++read;
  }
  EXPECT_GE(read, 30U);
}

TEST(ReadChannels, AgreeOnTheDemosPictures) {
  std::size_t read = 0;
  for (const auto& entry : fs::directory_iterator(test::source_folder() / "data/demo/images")) {
    if (++read > 8) break;
    EXPECT_EQ(read_channels(ImageSource{entry.path()}), read_image(entry.path()).channels);
  }
}

TEST(ReadChannels, OfArraysAreTheirLastSide) {
  const test::TemporaryFolder folder;
  for (const auto& [shape, channels] :
       std::vector<std::pair<Shape, std::int64_t>>{{{5, 6}, 1}, {{5, 6, 2}, 2}, {{5, 6, 4}, 4}}) {
    const fs::path file = folder.path() / "a.npy";
    write_file(file, npy_header(NpyType::u8, shape) +
                         std::string(static_cast<std::size_t>(element_count(shape)), '\7'));
    EXPECT_EQ(read_channels(ImageSource{file}), channels);
  }
}

// Two files a case: their channels add up, in the folder and in its pack.
TEST(ReadChannels, OfACaseAreThoseOfAllItsFiles) {
  const test::TemporaryFolder folder;
  const fs::path set = folder.path() / "set";
  for (const char* name :
       {"imagesTr/x_000_0000.png", "imagesTr/x_000_0001.png", "labelsTr/x_000.png"}) {
    fs::create_directories((set / name).parent_path());
    write_file(set / name, encode_png(test::make_image(
                               8, 8, 1, [](auto x, auto, auto) { return x < 4 ? 0 : 255; })));
  }
  const Dataset dataset = open_dataset(set);
  ASSERT_EQ(dataset.cases.size(), 1U);
  EXPECT_EQ(read_channels(dataset.cases.front()), 2);
  EXPECT_EQ(read_channels(dataset.cases), (std::vector<std::int64_t>{2}));
  write_pack(dataset, folder.path() / "set.pack", silence());
  EXPECT_EQ(read_channels(open_dataset(folder.path() / "set.pack").cases),
            (std::vector<std::int64_t>{2}));
}

// A header that is cut off or lies is refused by the name of its file.
TEST(ReadChannels, OfABrokenFileAreRefusedByName) {
  const test::TemporaryFolder folder;
  for (const std::string& bytes :
       {std::string("\x89PNG\r\n\x1a\n"), std::string("\xff\xd8\xff\xe0\x40\x00JFIF", 10),
        std::string("\xff\xd8\xff\xc0\x00\x0b\x08\x00\x01\x00\x01\x04", 12), std::string()}) {
    const fs::path file = folder.path() / "broken";
    write_file(file, bytes);
    const auto refusal = test::refusal_of([&] { read_channels(ImageSource{file}); });
    ASSERT_TRUE(refusal);
    EXPECT_TRUE(refusal->names("broken")) << refusal->message;
  }
}

}  // namespace
}  // namespace medurwkv::data
