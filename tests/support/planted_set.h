// Small sets in a folder, sound but for what a test plants in them.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/listener.h"
#include "core/random.h"
#include "core/text.h"
#include "data/check/examine.h"
#include "data/codecs/read.h"
#include "data/split/split.h"
#include "support/images.h"
#include "support/png_by_hand.h"

namespace medurwkv::test {

inline constexpr std::int64_t planted_side = 48;

inline data::Image planted_image(std::uint64_t seed, std::int64_t width = planted_side,
                                 std::int64_t height = planted_side) {
  return make_blobs(seed, width, height, 1);
}

/// A disc whose place and size the seed draws.
inline data::Image planted_disc(std::uint64_t seed, int inside = 255,
                                std::int64_t width = planted_side,
                                std::int64_t height = planted_side, std::int64_t channels = 1) {
  const Random random(seed, "disc");
  const double cx = random.uniform(0, 0.35, 0.65) * static_cast<double>(width);
  const double cy = random.uniform(1, 0.35, 0.65) * static_cast<double>(height);
  const double radius = random.uniform(2, 6, 12);
  return make_image(width, height, channels, [&](auto x, auto y, auto c) {
    const double away = std::hypot(static_cast<double>(x) - cx, static_cast<double>(y) - cy);
    return away < radius && c == 0 ? inside : 0;
  });
}

/// Samples of 16 bits, those of planted_image times `factor`, as a PNG.
inline std::string planted_gray16(unsigned factor, std::uint64_t seed) {
  const data::Image image = planted_image(seed);
  std::string rows;
  for (std::int64_t y = 0; y < planted_side; ++y) {
    rows += '\0';
    for (std::int64_t x = 0; x < planted_side; ++x) {
      const unsigned value = image.bytes[static_cast<std::size_t>(y * planted_side + x)] * factor;
      rows += static_cast<char>(value >> 8);
      rows += static_cast<char>(value & 255U);
    }
  }
  return make_png({.width = planted_side, .height = planted_side, .depth = 16, .scanlines = rows});
}

/// The seed of the sound pair `i`.
inline std::uint64_t sound_seed(int i) {
  return 100U + static_cast<std::uint64_t>(i);
}

/// A folder with sound pairs s0, s1, ... and what a kind needs beside them.
class PlantedSet {
 public:
  explicit PlantedSet(const std::filesystem::path& folder) : folder_(folder) {}
  [[nodiscard]] std::filesystem::path root() const { return folder_ / "set"; }
  [[nodiscard]] std::filesystem::path beside(const std::string& name) const {
    return folder_ / name;
  }
  void put(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories((root() / name).parent_path());
    write_file(root() / name, bytes);
  }
  void image(const std::string& name, const data::Image& content) const {
    put("images/" + name + ".png", data::encode_png(content));
  }
  void mask(const std::string& name, const data::Image& content) const {
    put("masks/" + name + ".png", data::encode_png(content));
  }
  void add(const std::string& name, std::uint64_t seed, int inside = 255) const {
    image(name, planted_image(seed));
    mask(name, planted_disc(seed, inside));
  }
  void sound(int count, int inside = 255) const {
    for (int i = 0; i < count; ++i) {
      add(concat("s", i), sound_seed(i), inside);
    }
  }
  void remove(const std::string& name) const { std::filesystem::remove(root() / name); }
  void remove_pair(const std::string& name) const {
    for (const char* part : {"images/", "masks/"}) {
      for (const char* suffix : {".png", ".jpg"}) remove(part + name + suffix);
    }
  }
  void rename(const std::string& from, const std::string& to) const {
    std::filesystem::rename(root() / from, root() / to);
  }
  [[nodiscard]] std::filesystem::path split(const data::SplitRequest& request = {}) const {
    const data::Examination set = data::examine(root(), {}, silence());
    const std::filesystem::path file = beside("split.json");
    const data::SplitPlan plan =
        data::make_split(set.dataset, data::traits_of(set), request, silence());
    write_file(file, data::split_to_json(set.dataset, plan).dump());
    return file;
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace medurwkv::test
