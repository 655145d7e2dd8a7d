// The pictures of a set by their names, for files of outlines that mean them. Only names are
// compared: no path that a file gives is ever opened. Relies on data/layout/names.h.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

namespace medurwkv::data {

/// A picture of the set, whatever its folder is called.
struct NamedPicture {
  std::filesystem::path path;
  std::filesystem::path relative;  ///< to the root, in NFC
};

/// "train", "val", "test" or "" by the folders above a file, else by its own name.
std::string part_of_file(const std::filesystem::path& relative);

class NamedPictures {
 public:
  /// Of `files` those that are pictures. `root` must outlive this.
  NamedPictures(const std::filesystem::path& root, const std::vector<std::filesystem::path>& files);

  [[nodiscard]] const std::vector<NamedPicture>& all() const { return all_; }
  /// The pictures, by their places in all(), that `name` may mean in this file: one where that is
  /// clear.
  [[nodiscard]] std::vector<std::size_t> named(const std::string& name,
                                               const std::filesystem::path& file) const;
  /// The pictures that are called as the file: a.xml or a.png.xml for a.png.
  [[nodiscard]] std::vector<std::size_t> called_as(const std::filesystem::path& file) const;

 private:
  /// Those beside the file, else in its place (data/layout/names.h), else of its part; all where
  /// none is.
  [[nodiscard]] std::vector<std::size_t> nearest(std::vector<std::size_t> some,
                                                 const std::filesystem::path& file) const;

  const std::filesystem::path& root_;
  std::vector<NamedPicture> all_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_name_, by_stem_;
};

}  // namespace medurwkv::data
