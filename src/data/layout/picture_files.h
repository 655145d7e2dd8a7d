// The image files of a set for pretraining, before anything is known of parts and classes: folders
// and zips of them. Relies on core/table.h and
// data/layout/picture_set.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/table.h"
#include "data/layout/picture_set.h"

namespace medurwkv::data {

/// Names of folders from the root inwards, in NFC; a zip's name without ".zip" counts as one.
using Folders = std::vector<std::string>;

struct FoundPicture {
  Picture picture;
  std::uint32_t crc = 0;  ///< of a zip's member
  Folders folders{};      ///< above it, below the root
};

struct PictureFiles {
  std::vector<FoundPicture> images;   ///< by id
  std::vector<std::string> others;    ///< files that are no images, by their place
  std::size_t masks = 0;              ///< left out: beside the image that they are of
  std::set<Folders> folders;          ///< known to be there beside those above images
  std::function<Table()> solution{};  ///< reads ImageNet's LOC_val_solution.csv; none without it
};

/// All image files below folders and in .zip files. Throws Error as open_pictures.
PictureFiles find_pictures(const std::vector<std::filesystem::path>& data);

/// Whether a file of this name is ImageNet's list of validation classes.
bool is_solution(const std::filesystem::path& file);

/// `path` without links and dots.
std::filesystem::path whole_path(const std::filesystem::path& path);

}  // namespace medurwkv::data
