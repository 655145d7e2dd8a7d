// A folder of small images and files of outlines, and its masks as lines of text. Relies on
// data/check/open.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "core/files.h"
#include "data/check/open.h"
#include "data/codecs/read.h"
#include "data/layout/dataset.h"
#include "support/images.h"
#include "support/paths.h"

namespace medurwkv::test {

class OutlinedSet {
 public:
  [[nodiscard]] std::filesystem::path path(const std::string& name = {}) const {
    return name.empty() ? folder_.path() : folder_.path() / name;
  }
  void write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories(path(name).parent_path());
    std::ofstream(path(name), std::ios::binary).write(bytes.data(), std::ssize(bytes));
  }
  /// A gray picture of this size, another for every name.
  void picture(const std::string& name, std::int64_t width, std::int64_t height) const {
    const data::Image image = make_image(width, height, 1, [&](auto x, auto y, auto) {
      const auto seed = static_cast<std::int64_t>(std::hash<std::string>{}(name) % 1000);
      return static_cast<int>((x * (7 + seed) + y * 13 + seed) % 251);
    });
    write(name, data::encode_png(image));
  }
  [[nodiscard]] data::Dataset open() const { return data::open_dataset(path()); }
  /// Each row of the case's mask: '.' for 0, the digit of a class, 'i' for what is ignored.
  [[nodiscard]] std::vector<std::string> mask(const std::string& id) const {
    const data::Dataset set = open();
    for (const data::Case& item : set.cases) {
      if (item.id == id) return lines(data::read_labels(set, item));
    }
    return {"no case " + id};
  }
  static std::vector<std::string> lines(const data::LabelMap& labels) {
    std::vector<std::string> out;
    for (std::int64_t y = 0; y < labels.height; ++y) {
      out.emplace_back();
      for (std::int64_t x = 0; x < labels.width; ++x) {
        const int label = labels.labels[static_cast<std::size_t>(y * labels.width + x)];
        out.back() += label == 0 ? '.' : label == 255 ? 'i' : static_cast<char>('0' + label);
      }
    }
    return out;
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace medurwkv::test
