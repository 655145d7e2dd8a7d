// Finding images and masks below a folder and pairing them by name. Relies on core.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"
#include "data/layout_names.h"

namespace medurwkv::data {

/// A file and what is wrong with it, with what to do.
struct FileNote {
  std::filesystem::path file;
  std::string what;
};

/// What a folder holds before anything is decoded.
struct Layout {
  std::string name = "images and masks";            ///< for people: the published layout it fits
  std::vector<Case> cases;                          ///< an image with at least one mask, by id
  std::vector<std::filesystem::path> images_alone;  ///< images without a mask
  std::vector<std::filesystem::path> masks_alone;   ///< masks without an image
  std::vector<std::string> ambiguous;               ///< ids that more than one image claims
  /// Images of a part whose masks are all withheld (DRIVE's and nnU-Net's test), and VOC's others.
  std::vector<std::filesystem::path> unlabelled;
  std::vector<FileNote> broken;      ///< open_dataset refuses the set because of the first
  std::vector<FileNote> notes;       ///< ids in lists that are not there
  std::vector<FileNote> unread;      ///< NIfTI, DICOM, COCO JSON, MoNuSeg XML: known and not read
  std::vector<ClassInfo> classes{};  ///< where the set names them
  bool by_folder = false;            ///< masks lie in a folder per class
  std::optional<MaskEncoding> encoding{};  ///< where the layout fixes it (GlaS: instances)
  std::optional<std::uint8_t> ignored{};   ///< nnU-Net's "ignore"
  std::shared_ptr<const PackFile> pack{};  ///< where it is one file (data/pack.h), else null
};

/// Files below image folders (images, img, ...) and mask folders (masks, labels, gt, ...), or
/// beside each other with masks named `..._mask`; paired by stem without mask suffix, never by
/// order. Known sets are recognised by their folders' and files' names (docs/read-data.md). `root`
/// may be a pack. Throws Error when it is neither.
Layout find_layout(const std::filesystem::path& root);

/// True for valid UTF-8, the only text that JSON files can hold.
bool is_utf8(std::string_view text);

/// Regular files (and broken links) below `root`, sorted, without hidden ones and what archives
/// leave behind. Links to folders are not followed, so a loop of links ends.
std::vector<std::filesystem::path> list_files(const std::filesystem::path& root);

}  // namespace medurwkv::data
