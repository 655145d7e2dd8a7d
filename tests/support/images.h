// Small images made in the test, and files written from them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/random.h"
#include "data/codecs/read.h"
#include "data/image/image.h"

namespace medurwkv::test {

/// Not write_file, which waits for the disk.
inline void write_quickly(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary).write(bytes.data(), std::ssize(bytes));
}

/// The samples as they are stored.
inline std::vector<double> values_of(const data::Image& image) {
  std::vector<double> out;
  const auto count = static_cast<std::size_t>(image.width * image.height * image.channels);
  for (std::size_t i = 0; i < count; ++i) {
    if (image.type == data::SampleType::u8) {
      out.push_back(image.bytes.at(i));
    } else if (image.type == data::SampleType::u16) {
      std::uint16_t value = 0;
      std::memcpy(&value, &image.bytes.at(2 * i), 2);
      out.push_back(value);
    } else {
      float value = 0;
      std::memcpy(&value, &image.bytes.at(4 * i), 4);
      out.push_back(static_cast<double>(value));
    }
  }
  return out;
}

/// An 8-bit image whose samples are given by (x, y, channel).
inline data::Image make_image(
    std::int64_t width, std::int64_t height, std::int64_t channels,
    const std::function<int(std::int64_t, std::int64_t, std::int64_t)>& value) {
  data::Image image{.width = width, .height = height, .channels = channels, .bytes = {}};
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < channels; ++c) {
        image.bytes.push_back(static_cast<unsigned char>(value(x, y, c)));
      }
    }
  }
  return image;
}

/// A picture of soft blobs, another for every seed: like nothing else.
inline data::Image make_blobs(std::uint64_t seed, std::int64_t width, std::int64_t height,
                              std::int64_t channels) {
  const Random random(seed, "blobs");
  return make_image(width, height, channels, [&](auto x, auto y, auto c) {
    double value = 90;
    for (std::uint64_t k = 0; k < 12; ++k) {
      const double dx = static_cast<double>(x) / static_cast<double>(width) - random.uniform(4 * k);
      const double dy =
          static_cast<double>(y) / static_cast<double>(height) - random.uniform(4 * k + 1);
      const double size = 0.03 + 0.1 * random.uniform(4 * k + 2);
      value += (random.uniform(4 * k + 3) - 0.5) * 220 *
               std::exp(-(dx * dx + dy * dy) / (2 * size * size));
    }
    return static_cast<int>(std::clamp(value + 10 * static_cast<double>(c), 0.0, 255.0));
  });
}

inline data::LabelMap make_labels(std::int64_t width, std::int64_t height,
                                  const std::function<int(std::int64_t, std::int64_t)>& value) {
  data::LabelMap map{.width = width, .height = height, .labels = {}};
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      map.labels.push_back(static_cast<std::uint8_t>(value(x, y)));
    }
  }
  return map;
}

/// Writes a gray PNG, making its folder.
inline void write_gray(const std::filesystem::path& file, std::int64_t width, std::int64_t height,
                       const std::function<int(std::int64_t, std::int64_t)>& value) {
  std::filesystem::create_directories(file.parent_path());
  write_file(file, data::encode_png(make_image(width, height, 1,
                                               [&](auto x, auto y, auto) { return value(x, y); })));
}

}  // namespace medurwkv::test
