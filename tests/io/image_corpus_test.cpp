// Image files that Pillow wrote (fuzz/make-image-corpus): the pixels it was given come out. The
// same files cut and with flipped bits, through the fuzzers' entry functions: read or refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/random.h"
#include "data/codecs/codecs.h"
#include "support/paths.h"
#include "support/refusal.h"

extern "C" {
int fuzz_class_file(const std::uint8_t* data, std::size_t size);
int fuzz_image(const std::uint8_t* data, std::size_t size);
}

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> corpus_of(const std::string& reader) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(test::source_folder() / "fuzz/corpus" / reader)) {
    out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  EXPECT_FALSE(out.empty()) << reader;
  return out;
}

/// The formulas of the script.
int expected(const std::string& kind, std::int64_t x, std::int64_t y, std::int64_t channel) {
  if (kind == "gray") return static_cast<int>(50 * x + 10 * y);
  if (kind == "bits") return (x + y) % 2 == 1 ? 255 : 0;
  if (kind == "index") return (x + y) % 3 == channel + 1 ? 255 : 0;
  return channel == 0 ? static_cast<int>(50 * x) : channel == 1 ? static_cast<int>(60 * y) : 200;
}

TEST(ImageCorpus, WhatPillowWroteIsRead) {
  int read = 0;
  for (const fs::path& path : corpus_of("image")) {
    const std::string name = path.filename().string();
    const std::string kind = name.substr(0, name.find('_'));
    if (name.find('-') != std::string::npos) continue;
    if (kind == "film") {
      const auto refused = test::refusal_of([&] { return decode_image(name, read_file(path)); });
      ASSERT_TRUE(refused && refused->names("animation")) << name;
      continue;
    }
    const DecodedImage decoded = decode_image(name, read_file(path));
    ++read;
    if (kind == "noise") continue;
    const Image& image = decoded.image;
    ASSERT_EQ(image.width, 5) << name;
    ASSERT_EQ(image.height, 4) << name;
    for (std::int64_t y = 0; y < 4; ++y) {
      for (std::int64_t x = 0; x < 5; ++x) {
        for (std::int64_t c = 0; c < image.channels; ++c) {
          ASSERT_NEAR(image.value(x, y, c) * 255, expected(kind, x, y, kind == "gray" ? 0 : c),
                      1e-3)
              << name << " at " << x << ", " << y;
        }
        if (kind == "index") {
          ASSERT_EQ(decoded.indices[static_cast<std::size_t>(5 * y + x)], (x + y) % 3) << name;
        }
      }
    }
  }
  EXPECT_GE(read, 60);
}

/// Cut at any length, and with any three bytes changed.
TEST(ImageCorpus, BrokenOnesEndWell) {
  const auto entry_of = [](const std::string& reader) {
    return reader == "image" ? fuzz_image : fuzz_class_file;
  };
  for (const std::string reader : {"image", "class_file"}) {
    for (const fs::path& path : corpus_of(reader)) {
      const std::string whole = read_file(path);
      const auto run = [&](const std::string& bytes) {
        EXPECT_EQ(
            entry_of(reader)(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()), 0)
            << path;
      };
      run(whole);
      const std::size_t step = std::max<std::size_t>(1, whole.size() / 100);
      for (std::size_t length = 0; length < whole.size(); length += step) {
        run(whole.substr(0, length));
      }
      const Random random(1, path.filename().string());
      for (std::uint64_t i = 0; i < 200; ++i) {
        std::string changed = whole;
        for (std::uint64_t j = 0; j < 3; ++j) {
          const std::uint64_t draw = random.bits(3 * i + j);
          changed[(draw >> 16U) % changed.size()] = static_cast<char>(draw);
        }
        run(changed);
      }
    }
  }
}

}  // namespace
}  // namespace medurwkv::data
