// Images for pretraining, with a class each or without: folders and zip archives of them. Nothing
// is decoded here. Relies on data/codecs/read.h and, to find files, data/layout/picture_files.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/codecs/read.h"

namespace medurwkv::data {

struct Picture {
  /// The path below the set's root in NFC, a zip counting as a folder of its name without ".zip".
  std::string id;
  ImageSource source;
  std::int64_t label = -1;  ///< index in the set's classes; -1 without classes
  std::uint64_t size = 0;   ///< bytes of the file or, unpacked, of the zip's member

  bool operator==(const Picture&) const = default;
};

struct PictureSet {
  std::filesystem::path root;        ///< the first one of several
  std::string layout;                ///< for people: "class folders", "images", ...
  std::vector<std::string> classes;  ///< sorted; empty without labels
  std::vector<Picture> train, val;   ///< by id
  /// Over ids, classes, parts and sizes, of members of zips their CRC too, but not over contents:
  /// ImageNet has 150 GB. A file that another one of its size replaced is not noticed.
  std::string sha256;
  std::vector<std::string> notes;  ///< what was left out or assumed
};

/// How many images become the validation part of a set that has none.
struct ValidationShare {
  double share = 0.05;  ///< 0 to below 1, of every class; 0: none
  std::uint64_t seed = 0;
};

/// Opens folders or .zip files; several only where not `labelled`, their names then stand in front
/// of the ids. Every image file below is taken, but masks (in folders of masks, or beside the image
/// of their name); what is no image is counted in a note.
///
/// Labelled, an image's class is the first folder above it, below what all images share:
/// CLASS/image, or train/CLASS/image beside val/CLASS/image (test is left out). A zip counts as a
/// folder of its name: train.zip and val.zip, CLASS.zip, train/CLASS.zip, or one zip of all. Images
/// that lie in val without a class get theirs from ImageNet's LOC_val_solution.csv (columns
/// ImageId and PredictionString, whose first word is the class), in the set or in one of the four
/// folders above it.
///
/// Without a val part a share of the images becomes one: drawn by id, in every class at least one
/// where it has two, so whatever the order of files. Labelled or not.
///
/// Throws Error for what is no folder and no zip, a folder that cannot be listed, a broken zip, an
/// image that is there twice, fewer than two classes, a class of val that train lacks, images of
/// val without a class; a usage Error for a wrong share, no data or data that overlap.
PictureSet open_pictures(const std::vector<std::filesystem::path>& data, bool labelled,
                         const ValidationShare& validation);

}  // namespace medurwkv::data
