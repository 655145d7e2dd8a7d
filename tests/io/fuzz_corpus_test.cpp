// The fuzzers' corpus once more without a fuzzer: seeds that fuzz/make-corpus writes with Python's
// own zipfile and pickle, and inputs that once broke something. What Python wrote must be read,
// too.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/npy.h"
#include "core/zip.h"
#include "data/codecs/arrays.h"
#include "data/codecs/read.h"
#include "data/layout/pack.h"
#include "data/polygons/annotations.h"
#include "data/volumes/volume.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/read_weights.h"
#include "train/run/config.h"
#include "weights/model_file.h"

extern "C" {
int fuzz_configuration(const std::uint8_t* data, std::size_t size);
int fuzz_dicom(const std::uint8_t* data, std::size_t size);
int fuzz_h5(const std::uint8_t* data, std::size_t size);
int fuzz_model_metadata(const std::uint8_t* data, std::size_t size);
int fuzz_npy(const std::uint8_t* data, std::size_t size);
int fuzz_outlines(const std::uint8_t* data, std::size_t size);
int fuzz_pack(const std::uint8_t* data, std::size_t size);
int fuzz_safetensors(const std::uint8_t* data, std::size_t size);
int fuzz_torch(const std::uint8_t* data, std::size_t size);
int fuzz_volume(const std::uint8_t* data, std::size_t size);
int fuzz_zip(const std::uint8_t* data, std::size_t size);
}

namespace medurwkv {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> corpus_of(const std::string& reader) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(test::source_folder() / "fuzz/corpus" / reader)) {
    out.push_back(entry.path());
  }
  EXPECT_FALSE(out.empty()) << reader;
  return out;
}

TEST(FuzzCorpus, EveryInputEndsWell) {
  const std::map<std::string, int (*)(const std::uint8_t*, std::size_t)> entries{
      {"configuration", fuzz_configuration},
#ifdef MEDURWKV_DICOM
      {"dicom", fuzz_dicom},
#endif
#ifdef MEDURWKV_H5
      {"h5", fuzz_h5},
#endif
      {"model_metadata", fuzz_model_metadata},
      {"npy", fuzz_npy},
      {"outlines", fuzz_outlines},
      {"pack", fuzz_pack},
      {"safetensors", fuzz_safetensors},
      {"torch", fuzz_torch},
      {"volume", fuzz_volume},
      {"zip", fuzz_zip}};
  for (const auto& [reader, entry] : entries) {
    for (const fs::path& path : corpus_of(reader)) {
      const std::string bytes = read_file(path);
      EXPECT_EQ(entry(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()), 0)
          << path;
    }
  }
}

/// Seeds have no '-' in their names; what a fuzzer found has ("crash-...").
void expect_read(const std::string& reader, const std::function<void(const fs::path&)>& read) {
  for (const fs::path& path : corpus_of(reader)) {
    if (path.filename().string().find('-') != std::string::npos) continue;
    EXPECT_NO_THROW(read(path)) << path;
  }
}

TEST(FuzzCorpus, WhatPythonWroteIsRead) {
  expect_read("zip", [](const fs::path& path) {
    const std::string bytes = read_file(path);
    const ZipArchive archive(path.string(), bytes);
    if (path.filename() == "none") return;
    EXPECT_EQ(archive.read(*archive.find("a/b"), 100), "content");
    EXPECT_EQ(archive.read(*archive.find("c"), 1000), std::string(300, 'x'));
  });
  expect_read("torch", [](const fs::path& path) {
    if (path.filename().string().find("_pickle_") != std::string::npos) return;
    const weights::TensorFile file = test::read_weights(path);
    std::string bytes;
    for (int i = 0; i < 48; ++i) bytes += static_cast<char>(i);
    if (file.contains("a.weight")) {
      EXPECT_EQ(file.data(file.info("a.weight")), bytes);
    } else if (file.contains("state_dict.w")) {
      EXPECT_EQ(file.data(file.info("state_dict.w")), bytes);
    } else if (file.contains("t")) {
      // Row 1 of the transposed: elements 1, 5, 9.
      EXPECT_EQ(file.data(file.info("t")).substr(12, 12),
                bytes.substr(4, 4) + bytes.substr(20, 4) + bytes.substr(36, 4));
      EXPECT_EQ(file.data(file.info("expanded")), bytes.substr(4, 12) + bytes.substr(4, 12));
      EXPECT_EQ(file.data(file.info("scalar")), bytes.substr(44, 4));
    } else {
      EXPECT_EQ(file.tensors().size(), 10U) << path;
    }
  });
  expect_read("safetensors", [](const fs::path& path) { test::read_weights(path); });
  expect_read("npy", [](const fs::path& path) {
    if (path.filename() != "archive") NpyArray::read(path);
  });
  expect_read("model_metadata", [](const fs::path& path) {
    weights::model_info("m", weights::parse_header("m", read_file(path), 64).metadata);
  });
  expect_read("outlines", [](const fs::path& path) {
    using enum data::AnnotationKind;
    constexpr std::array kinds{coco, labelme, via, cvat, imagescope, geojson};
    const std::string bytes = read_file(path);
    const data::AnnotationFile file = data::parse_annotations(
        path, bytes.substr(1), kinds.at(static_cast<std::size_t>(bytes.front())));
    EXPECT_FALSE(file.images.at(0).objects.empty()) << path;
  });
  expect_read("pack", [](const fs::path& path) {
    const data::PackFile pack(path);
    if (path.filename() == "gray") {
      EXPECT_EQ(pack.image("a").bytes, (std::vector<unsigned char>{0, 1, 2, 3, 4, 5}));
      EXPECT_EQ(pack.labels("a").labels, (std::vector<std::uint8_t>{0, 1, 0, 255, 1, 0}));
    } else if (path.filename() == "deflated") {
      EXPECT_EQ(pack.image("a/b").bytes.at(2399), 39);
    } else {
      EXPECT_TRUE(pack.cases().empty());
    }
  });
#ifdef MEDURWKV_H5
  // image[y][x] is (7 x + 11 y) mod 32 / 32; a volume's second slice is upside down.
  expect_read("h5", [](const fs::path& path) {
    data::ImageSource source{.file = path, .array = "image"};
    const bool volume = path.filename() == "volume";
    if (volume) source.slice = 1;
    const data::Image image = data::read_array_image(source);
    ASSERT_EQ(image.width, 16) << path;
    ASSERT_EQ(image.height, 12) << path;
    EXPECT_EQ(image.channels, path.filename() == "channels" ? 3 : 1) << path;
    EXPECT_EQ(image.value(5, volume ? 8 : 3, 0), 4.0F / 32) << path;
  });
#endif
  // 4 x 3 x 2 voxels: 1, 2, 3, ...
  const auto counted = [](const fs::path& path, std::int64_t slices) {
    const auto volume = std::make_shared<const data::Volume>(data::read_volume(path));
    ASSERT_EQ(volume->sides(), (std::array<std::int64_t, 3>{4, 3, slices})) << path;
    for (std::int64_t slice = 0; slice < slices; ++slice) {
      const auto values = test::values_of(
          data::read_volume_image({.file = path, .slice = slice, .volume = volume}));
      for (std::size_t i = 0; i < 12; ++i) {
        EXPECT_EQ(values.at(i), static_cast<double>(12 * slice) + static_cast<double>(i) + 1)
            << path;
      }
    }
  };
  expect_read("volume", [&](const fs::path& path) { counted(path, 2); });
#ifdef MEDURWKV_DICOM
  expect_read("dicom", [&](const fs::path& path) {
    const bool several = path.filename() == "enhanced";
    if (path.filename() == "segments") {
      const data::Volume volume = data::read_volume(path);
      EXPECT_EQ(volume.slices, 2);
    } else if (path.filename() == "palette") {
      EXPECT_EQ(data::read_image(path).bytes.at(3), 20);
    } else {
      counted(path, several ? 2 : 1);
    }
  });
#endif
  expect_read("configuration", [](const fs::path& path) { train::load_config(path, {}); });
}

}  // namespace
}  // namespace medurwkv
