// What a teacher has said of pictures, stored: a .npy file of N x D or N x height x width x D
// (float16 or float32), memory-mapped, and a list beside it that names its rows. Relies on core and
// data/feed/view.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/mapped_file.h"
#include "core/npy.h"
#include "core/shape.h"
#include "data/feed/view.h"

namespace medurwkv::train {

class StoredTargets {
 public:
  /// FILE.npy, and beside it FILE.csv with the columns id and sha256: row k of the array is that of
  /// the picture `id`, whose file has that hash. Throws Error naming the file and the line.
  explicit StoredTargets(const std::filesystem::path& file);

  /// {D, height, width}, or {D} of vectors.
  [[nodiscard]] const Shape& output() const { return output_; }

  /// Throws Error where there is no row for the picture, or its file is another one.
  void check(const std::string& id, const std::string& sha256) const;

  /// The row as D x height x width (or D), cut out and mirrored as the view `box` shows the
  /// picture.
  [[nodiscard]] std::vector<float> of(const std::string& id, const data::Affine& box) const;

 private:
  struct Row {
    std::size_t index = 0;
    std::string sha256;
  };
  [[nodiscard]] const Row& row(const std::string& id) const;

  std::filesystem::path file_, list_;
  std::shared_ptr<const MappedFile> bytes_;
  NpyType type_ = NpyType::f32;
  std::size_t start_ = 0;  ///< of the elements
  Shape output_;
  std::unordered_map<std::string, Row> rows_;
};

}  // namespace medurwkv::train
