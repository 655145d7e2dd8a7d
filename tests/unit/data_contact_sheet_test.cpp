// The contact sheet: what it shows is what training gets, each mask over its own picture.
#include "data/feed/contact_sheet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/listener.h"
#include "core/model_description.h"
#include "core/threads.h"
#include "data/check/open.h"
#include "data/codecs/read.h"
#include "data/layout/dataset.h"
#include "support/images.h"
#include "support/paths.h"

namespace medurwkv::data {
namespace {

const std::vector<ClassInfo> classes{{"background", {0, 0, 0}}, {"lesion", {250, 100, 0}}};

std::array<int, 3> pixel(const Image& image, std::int64_t x, std::int64_t y) {
  const auto at = static_cast<std::size_t>(3 * (y * image.width + x));
  return {image.bytes[at], image.bytes[at + 1], image.bytes[at + 2]};
}

// The class's colour on its edge, a fifth of it inside; every sixth diagonal of ignored pixels
// light.
TEST(PaintLabels, EdgesInsidesAndIgnoredPixelsByHand) {
  Image image = test::make_image(7, 7, 3, [](auto, auto, auto) { return 90; });
  LabelMap labels = test::make_labels(7, 7, [](auto x, auto y) {
    return y == 6 ? int{ignore_label} : x >= 1 && x <= 3 && y >= 1 && y <= 3 ? 1 : 0;
  });
  paint_labels(image, labels, classes);
  EXPECT_EQ(pixel(image, 0, 0), (std::array<int, 3>{90, 90, 90}));
  EXPECT_EQ(pixel(image, 1, 1), (std::array<int, 3>{250, 100, 0}));
  EXPECT_EQ(pixel(image, 3, 2), (std::array<int, 3>{250, 100, 0}));
  EXPECT_EQ(pixel(image, 2, 2), (std::array<int, 3>{122, 92, 72}));
  EXPECT_EQ(pixel(image, 0, 6), (std::array<int, 3>{116, 116, 116})) << "(180 + 170) / 3";
  EXPECT_EQ(pixel(image, 1, 6), (std::array<int, 3>{60, 60, 60}));
}

/// A set of `count` pictures of 184 x 184, the size in which a sheet shows them, so that nothing is
/// resized. Each has a disc as mask.
class ContactSheets : public ::testing::Test {
 protected:
  static constexpr std::int64_t side = 184;

  void SetUp() override {
    for (std::uint64_t i = 0; i < 2; ++i) {
      const std::string name = "case" + std::to_string(i) + ".png";
      for (const char* part : {"images", "masks"}) {
        std::filesystem::create_directories(folder_.path() / part);
      }
      images_.push_back(test::make_blobs(40 + i, side, side, 3));
      write_file(folder_.path() / "images" / name, encode_png(images_.back()));
      test::write_gray(folder_.path() / "masks" / name, side, side, [i](auto x, auto y) {
        const auto dx = x - 60 - 30 * static_cast<std::int64_t>(i);
        return dx * dx + (y - 80) * (y - 80) < 900 ? 255 : 0;
      });
    }
    dataset_ = open_dataset(folder_.path());
    dataset_.classes = classes;
    for (std::uint64_t i = 0; i < 2; ++i) rows_.push_back({dataset_.cases[i], i});
    request_.contract.width = side;
    request_.contract.height = side;
    request_.epochs = 3;
    request_.seed = 9;
  }

  [[nodiscard]] Image sheet() const { return contact_sheet(dataset_, rows_, request_, silence()); }

  /// How often the picture occurs on the sheet, each sample within one step.
  static int count(const Image& sheet, const Image& picture) {
    int found = 0;
    for (std::int64_t top = 0; top + side <= sheet.height; ++top) {
      for (std::int64_t left = 0; left + side <= sheet.width; ++left) {
        bool same = true;
        for (std::int64_t y = 0; same && y < side; ++y) {
          const auto* a =
              &sheet.bytes[static_cast<std::size_t>(3 * ((top + y) * sheet.width + left))];
          const auto* b = &picture.bytes[static_cast<std::size_t>(3 * y * side)];
          same = std::equal(a, a + 3 * side, b, [](int p, int q) { return std::abs(p - q) <= 1; });
        }
        found += same ? 1 : 0;
      }
    }
    return found;
  }

  /// The picture with its own mask over it.
  [[nodiscard]] Image painted(std::size_t i) const {
    Image out = images_[i];
    paint_labels(out, read_labels(dataset_, dataset_.cases[i]), classes);
    return out;
  }

  static Image mirrored(Image image) {
    for (std::int64_t y = 0; y < side; ++y) {
      for (std::int64_t x = 0; x < side / 2; ++x) {
        for (std::int64_t c = 0; c < 3; ++c) {
          std::swap(image.bytes[static_cast<std::size_t>(3 * (y * side + x) + c)],
                    image.bytes[static_cast<std::size_t>(3 * (y * side + side - 1 - x) + c)]);
        }
      }
    }
    return image;
  }

  test::TemporaryFolder folder_;
  std::vector<Image> images_;
  Dataset dataset_;
  std::vector<SheetRow> rows_;
  SheetRequest request_;
};

TEST_F(ContactSheets, WithoutAugmentationShowImagesAndMasksAsTheyAre) {
  const Image all = sheet();
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(count(all, images_[i]), 1) << "the image alone";
    EXPECT_EQ(count(all, painted(i)), 4) << "with its mask, and three epochs";
  }
}

// Each epoch draws whether to mirror; image and mask go together.
TEST_F(ContactSheets, ShowWhatTrainingDraws) {
  request_.augment.flip_x = 0.5;
  request_.epochs = 8;
  const Image all = sheet();
  for (std::size_t i = 0; i < 2; ++i) {
    int flips = 0;
    const Image plain = painted(i);
    for (std::uint64_t epoch = 0; epoch < 8; ++epoch) {
      const LabelMap labels = read_labels(dataset_, dataset_.cases[i]);
      const LabelMap drawn = make_training_sample(images_[i], labels, request_.contract,
                                                  request_.augment, request_.seed, epoch, i)
                                 .labels;
      flips += drawn.labels != labels.labels ? 1 : 0;
    }
    EXPECT_EQ(count(all, plain), 1 + 8 - flips) << i;
    EXPECT_EQ(count(all, mirrored(plain)), flips) << i;
  }
}

TEST_F(ContactSheets, AreTheSameOnAnyThreads) {
  request_.augment = augment_preset("strong");
  const int threads = thread_count();
  set_thread_count(1);
  const Image one = sheet();
  set_thread_count(4);
  EXPECT_EQ(sheet().bytes, one.bytes);
  set_thread_count(threads);
  request_.seed = 10;
  EXPECT_NE(sheet().bytes, one.bytes);
}

TEST_F(ContactSheets, NameTheFileThatCannotBeRead) {
  write_file(dataset_.cases[1].images.front().file, "rotten");
  try {
    static_cast<void>(sheet());
    ADD_FAILURE() << "a sheet was made";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("case1.png"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace medurwkv::data
