// Windows of volumes and images as they are found in files: the same of NIfTI, arrays, packs and
// rows, and anew when a file changes.
#include "data/codecs/own_windows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <future>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/listener.h"
#include "data/check/open.h"
#include "data/codecs/read.h"
#include "data/feed/window_check.h"
#include "data/image/levels.h"
#include "data/layout/dataset.h"
#include "data/layout/pack.h"
#include "support/array_files.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/refusal.h"
#include "support/volume_files.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::NiftiBytes;

constexpr OwnWindow of_volume{.low = 0, .high = 100};
constexpr OwnWindow of_image{.low = 0, .high = 100, .of_volume = false};

Windows windows_of(const ImageSource& source, const OwnWindow& own) {
  return read_image(source, {own}).windows.front().channels;
}

class OwnWindows : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path path(const std::string& name) const { return folder_.path() / name; }

  /// 4 x 3 x 2 voxels: 0 to 11 and 100 to 111, times `factor`.
  [[nodiscard]] static std::vector<std::int16_t> voxels(int factor = 1) {
    std::vector<std::int16_t> out;
    for (int i = 0; i < 24; ++i) {
      out.push_back(static_cast<std::int16_t>(factor * (i < 12 ? i : i + 88)));
    }
    return out;
  }
  void write_volume(const std::string& name, const std::vector<std::int16_t>& voxels) const {
    test::write_in_folder(path(name), NiftiBytes().sides({4, 3, 2}).type(4, 16).with(voxels));
  }
  /// A set of the volume p1.
  void write_set() const {
    write_volume("set/images/p1.nii", voxels());
    std::vector<std::uint8_t> labels(24, 0);
    labels[5] = labels[17] = 1;
    test::write_in_folder(path("set/labels/p1.nii"),
                          NiftiBytes().sides({4, 3, 2}).type(2, 8).with(labels));
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(OwnWindows, OfAVolumeAreThoseOfAllItsSlices) {
  write_volume("a.nii", voxels());
  for (const std::int64_t slice : {0, 1}) {
    const ImageSource source{.file = path("a.nii"), .slice = slice};
    EXPECT_EQ(windows_of(source, of_volume), (Windows{{0, 111}})) << slice;
  }
  EXPECT_EQ(windows_of({.file = path("a.nii"), .slice = 0}, of_image), (Windows{{0, 11}}));
  EXPECT_EQ(windows_of({.file = path("a.nii"), .slice = 1}, of_image), (Windows{{100, 111}}));
  // Read without: nothing that a network could take for it.
  const Image slice = read_image(ImageSource{.file = path("a.nii"), .slice = 1});
  EXPECT_EQ(slice.extent, Extent::slice);
  EXPECT_TRUE(slice.windows.empty());
}

TEST_F(OwnWindows, AChangedFileIsReadAnew) {
  write_volume("a.nii", voxels());
  const ImageSource source{.file = path("a.nii"), .slice = 0};
  EXPECT_EQ(windows_of(source, of_volume), (Windows{{0, 111}}));
  const auto before = fs::last_write_time(path("a.nii"));
  write_volume("a.nii", voxels(2));
  fs::last_write_time(path("a.nii"), before + std::chrono::seconds(2));
  EXPECT_EQ(windows_of(source, of_volume), (Windows{{0, 222}}));
}

TEST_F(OwnWindows, ManyThreadsFindTheSame) {
  write_volume("a.nii", voxels());
  write_volume("b.nii", voxels(3));
  std::vector<std::future<bool>> all;
  for (std::int64_t i = 0; i < 16; ++i) {
    all.push_back(std::async(std::launch::async, [this, i] {
      const bool first = i % 2 == 0;
      return windows_of({.file = path(first ? "a.nii" : "b.nii"), .slice = i / 2 % 2}, of_volume) ==
             Windows{{0, first ? 111.0 : 333.0}};
    }));
  }
  for (auto& one : all) EXPECT_TRUE(one.get());
}

TEST_F(OwnWindows, EachFileOfACaseHasItsOwn) {
  write_volume("a.nii", voxels());
  write_volume("b.nii", voxels(3));
  Case item{.id = "a", .group = "a", .images = {}, .masks = {}};
  item.images = {{.file = path("a.nii"), .slice = 1}, {.file = path("b.nii"), .slice = 1}};
  EXPECT_EQ(read_image(item, {of_volume, of_image}).windows,
            (std::vector<FoundWindows>{{of_volume, {{0, 111}, {0, 333}}},
                                       {of_image, {{100, 111}, {300, 333}}}}));
}

TEST_F(OwnWindows, OfArraysAreThoseOfAllSlices) {
  const auto whole = voxels();
  test::NamedArray<float> values{"image", {2, 2, 6}, {}};
  values.values.assign(whole.begin(), whole.end());
  const test::NamedArray<std::uint8_t> labels{"label", {2, 2, 6}, std::vector<std::uint8_t>(24, 1)};
  test::write_in_folder(path("v.npz"), test::npz_bytes(values, labels));
  const ImageSource source{.file = path("v.npz"), .array = "image", .slice = 1};
  EXPECT_EQ(windows_of(source, of_volume), (Windows{{0, 111}}));
  EXPECT_EQ(windows_of(source, of_image), (Windows{{100, 111}}));
}

TEST_F(OwnWindows, APackHasThoseOfItsSet) {
  write_set();
  const Dataset set = open_dataset(path("set"));
  ASSERT_EQ(set.cases.size(), 2U);
  write_pack(set, path("set.pack"), silence());
  const Dataset packed = open_dataset(path("set.pack"));
  ASSERT_EQ(packed.cases.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const Image image = read_image(packed.cases[i], {of_volume, of_image});
    EXPECT_EQ(image.windows, read_image(set.cases[i], {of_volume, of_image}).windows);
    EXPECT_EQ(image.windows.front().channels, (Windows{{0, 111}}));
    EXPECT_EQ(image.extent, Extent::slice);
  }
}

// Slices that are files of their own are images, in a pack as in the set: `predict` on one of them
// knows no other.
TEST_F(OwnWindows, FilesOfOneSliceAreImages) {
  for (const int i : {0, 1}) {
    const auto whole = voxels();
    test::NamedArray<float> image{"image", {3, 4}, {}};
    image.values.assign(whole.begin() + 12 * i, whole.begin() + 12 * (i + 1));
    test::NamedArray<std::uint8_t> label{"label", {3, 4}, std::vector<std::uint8_t>(12, 0)};
    label.values[2] = 1;
    test::write_in_folder(path("set/train_npz/case0001_slice00" + std::to_string(i) + ".npz"),
                          test::npz_bytes(image, label));
  }
  const Dataset set = open_dataset(path("set"));
  ASSERT_EQ(set.cases.size(), 2U);
  EXPECT_FALSE(set.cases[1].volume.empty()) << "they are judged as a volume";
  write_pack(set, path("set.pack"), silence());
  for (const Dataset& one : {set, open_dataset(path("set.pack"))}) {
    EXPECT_EQ(read_image(one.cases[1], {of_volume}).windows.front().channels,
              (Windows{{100, 111}}));
  }
}

// What an earlier program packed does not say which cases are slices of one file.
TEST_F(OwnWindows, APackThatDoesNotSayItIsRefused) {
  write_set();
  write_pack(open_dataset(path("set")), path("set.pack"), silence());
  std::string bytes = read_file(path("set.pack"));
  const auto number = [&](std::size_t at) {
    std::uint64_t out = 0;
    for (std::size_t i = 8; i-- > 0;) out = out << 8 | static_cast<unsigned char>(bytes[at + i]);
    return out;
  };
  const std::uint64_t start = number(bytes.size() - 80);
  json index = json::parse(bytes.substr(start, number(bytes.size() - 72)));
  for (json& one : index.at("cases")) ASSERT_EQ(one.erase("of_file"), 1U);
  const std::string text = index.dump();
  bytes.erase(start);
  bytes += text;
  for (const std::uint64_t value : {start, std::uint64_t{text.size()}}) {
    for (int i = 0; i < 8; ++i) bytes += static_cast<char>(value >> (8 * i) & 255U);
  }
  write_file(path("old.pack"), bytes + sha256(text));
  const Dataset old = open_dataset(path("old.pack"));
  EXPECT_EQ(read_image(old.cases[1], {of_image}).windows.front().channels, (Windows{{100, 111}}));
  const auto refused =
      test::refusal_of([&] { return read_image(old.cases[1], {of_volume}).windows.size(); });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("pack again")) << refused->message;
}

TEST_F(OwnWindows, RowsHaveThoseOfTheWholeImage) {
  const Image image = test::make_image(
      20, 150, 1, [](auto x, auto y, auto) { return static_cast<int>(5 + x + y); });
  write_file(path("a.png"), encode_png(image));
  const std::vector<OwnWindow> wanted{of_volume,
                                      {.by = OwnWindow::By::deviation, .low = -3, .high = 3}};
  const Image whole = read_image(ImageSource{path("a.png")}, wanted);
  EXPECT_EQ(whole.windows.front().channels, (Windows{{5, 173}}));
  const auto rows = open_rows(ImageSource{path("a.png")}, wanted);
  for (std::int64_t y = 0; y < 150; y += 70) {
    const Image part = rows->next(70);
    EXPECT_EQ(part.windows, whole.windows);
    EXPECT_EQ(part.extent, Extent::rows);
    EXPECT_EQ(part.bytes.front(), 5 + y);
  }
  // Without them no part of an image passes for the whole.
  const auto bare = open_rows(ImageSource{path("a.png")});
  const Image part = bare->next(70);
  InputContract contract{.channels = 1, .own_window = of_volume};
  const auto refused = test::refusal_of([&] { return windows_for(part, contract).size(); });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::internal);
}

TEST_F(OwnWindows, AWindowBesideAllValuesIsRefused) {
  write_set();
  const Dataset set = open_dataset(path("set"));
  InputContract contract;
  EXPECT_EQ(check_window(set.cases, contract), "");
  for (const Window window : {Window{111, 200}, Window{-1350, 0}}) {
    contract.window = window;
    const auto refused = test::refusal_of([&] { return check_window(set.cases, contract).size(); });
    ASSERT_TRUE(refused) << window.low;
    EXPECT_EQ(refused->kind, ErrorKind::usage);
    EXPECT_TRUE(refused->names("from 0 to 111")) << refused->message;
  }
  // One value in 24 is not beside it.
  contract.window = Window{110.5, 200};
  EXPECT_EQ(check_window(set.cases, contract), "");
  contract.window = Window{5, 50};
  EXPECT_EQ(check_window(set.cases, contract), "");
}

// Of 40 slices 32 are looked at first; the one value that the window shows is in another.
TEST_F(OwnWindows, AllImagesAreLookedAtBeforeAWindowIsRefused) {
  constexpr std::int64_t slices = 40;
  constexpr std::int64_t hidden = 4;  // 32 of 40: 0, 1, 2, 3, 5, ...
  std::vector<std::uint8_t> values(12 * slices, 10);
  std::vector<std::uint8_t> labels(12 * slices, 0);
  for (std::int64_t z = 0; z < slices; ++z) labels[static_cast<std::size_t>(12 * z + z % 5)] = 1;
  const auto nifti = NiftiBytes().sides({4, 3, slices}).type(2, 8);
  values[12 * hidden] = 90;
  test::write_in_folder(path("set/images/p1.nii"), nifti.with(values));
  test::write_in_folder(path("set/labels/p1.nii"), nifti.with(labels));
  const Dataset set = open_dataset(path("set"));
  ASSERT_EQ(std::ssize(set.cases), slices);
  InputContract contract;
  contract.window = Window{20, 100};
  const std::string remark = check_window(set.cases, contract);
  EXPECT_NE(remark.find("lie below the window 20 to 100"), std::string::npos) << remark;
  EXPECT_NE(remark.find("input.window=percentile"), std::string::npos) << remark;
  contract.window = Window{95, 100};
  EXPECT_TRUE(test::refusal_of([&] { return check_window(set.cases, contract).size(); }));
}

}  // namespace
}  // namespace medurwkv::data
