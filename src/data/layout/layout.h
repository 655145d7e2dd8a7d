// Finding images and masks below a folder and pairing them by name. Relies on core,
// data/layout/dataset.h and data/layout/names.h.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model_description.h"
#include "data/layout/dataset.h"
#include "data/layout/names.h"

namespace medurwkv::data {

class PackFile;

/// A file and what is wrong with it, with what to do.
struct FileNote {
  std::filesystem::path file;
  std::string what;
  std::string kind{};    ///< of the finding (docs/check-data.md), where notes are of several
  std::string remedy{};  ///< where `what` does not say it
};

/// What a folder holds before anything is decoded.
struct Layout {
  std::string name = "images and masks";            ///< for people: the published layout it fits
  std::vector<Case> cases;                          ///< an image with at least one mask, by id
  std::vector<std::filesystem::path> images_alone;  ///< images without a mask
  std::vector<std::filesystem::path> masks_alone;   ///< masks without an image
  std::vector<std::string> ambiguous;               ///< an id for each further image that claims it
  /// Images of a part whose masks are all withheld (DRIVE's and nnU-Net's test), and VOC's others.
  std::vector<std::filesystem::path> unlabelled;
  /// Pictures that are no part of what is read: superpixels, second observers' masks, predictions
  /// beside images/ and masks/; and masks that a note in `broken` is about.
  std::vector<std::filesystem::path> passed;
  std::vector<FileNote> broken;          ///< open_dataset refuses the set because of the first
  std::vector<FileNote> notes;           ///< what is left out or assumed, and is no error
  std::vector<FileNote> unread;          ///< DICOM and the like: known and not read
  std::vector<ClassInfo> classes{};      ///< where the set names them
  std::filesystem::path classes_file{};  ///< the file that names them, or empty
  bool classes_have_colors = false;      ///< it says their colours too; else these are ours
  bool by_folder = false;                ///< masks lie in a folder per class
  bool outlines = false;  ///< masks are painted from outlines (data/polygons): class indices
  std::optional<MaskEncoding> encoding{};  ///< where the layout fixes it (GlaS: instances)
  std::optional<std::uint8_t> ignored{};   ///< nnU-Net's "ignore"
  Plane plane = Plane::stored;             ///< into whose slices volumes are cut
  std::shared_ptr<const PackFile> pack{};  ///< where it is one file (data/layout/pack.h), else null
};

/// Files below image folders (images, img, ...) and mask folders (masks, labels, gt, ...), or
/// beside each other with masks named `..._mask`; paired by stem without mask suffix, never by
/// order. Known sets are recognised by their folders' and files' names (docs/read-data.md). `root`
/// may be a pack. Throws Error when it is neither a folder nor a pack.
///
/// Volumes are cut into the slices of `plane` (data/volumes/planes.h). A pack was cut when it was
/// made: throws a usage Error where that was another plane.
Layout find_layout(const std::filesystem::path& root, std::optional<Plane> plane = {});

/// Regular files (and broken links) below `root`, sorted, without hidden ones and what archives and
/// file servers leave behind. Links to folders are followed, but for those that lead back to a
/// folder on the way. Throws Error naming a folder that cannot be listed.
std::vector<std::filesystem::path> list_files(const std::filesystem::path& root);

/// Images alone (for predict): every image file below `root`, or `root` itself when it is one.
std::vector<std::filesystem::path> list_images(const std::filesystem::path& root);

}  // namespace medurwkv::data
