// What files of known sets say beside images and masks: classes, lists of parts, groups; and files
// that are known but not read. Relies on data/layout.h.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/layout.h"

namespace medurwkv::data {

/// dataset.json of nnU-Net (version 2 and 1) and of the Medical Segmentation Decathlon, and
/// labelmap.txt: classes and the ignored value. Notes what cannot be read in `broken`.
void add_classes(const std::filesystem::path& root, const std::vector<std::filesystem::path>& files,
                 Layout& layout);

/// train.txt, val.txt, test.txt (also .list, .lst) with one id, file name or volume in a line give
/// parts, where folders gave none. Ids that are not there are noted; a case in two lists is broken.
void add_lists(const std::vector<std::filesystem::path>& files, Layout& layout);

/// metadata.csv with `sequence_id` (CVC-ClinicDB) and Grade.csv with `patient ID` (GlaS) give
/// groups.
void add_groups(const std::vector<std::filesystem::path>& files, Layout& layout);

/// Notes NIfTI, DICOM, COCO JSON and MoNuSeg XML in `unread`.
void add_unread(const std::vector<std::filesystem::path>& files, Layout& layout);

/// The name of the set, encodings that it fixes, parts by its files' names.
void recognise(const std::filesystem::path& root, const std::vector<std::filesystem::path>& files,
               Layout& layout);

/// Classes of a known set whose masks hold `count`, or more where the set has more; empty where
/// none are known.
std::vector<ClassInfo> published_classes(const std::string& layout, std::size_t count);

/// An error about a file as a note on it: the file is not named twice.
FileNote note_of(const Error& error, const std::filesystem::path& file);

/// Background and a class per folder (masks/nuclei, masks/0), by index.
std::vector<ClassInfo> classes_of_folders(const std::vector<std::string>& folders);

/// Cases in .npz and .h5 files that hold an image and its mask: one per file of two axes, one per
/// slice of three (Synapse and ACDC as TransUNet and SSL4MIS pack them). A volume whose slices are
/// there as files too is passed.
void add_arrays(const std::filesystem::path& root, const std::vector<std::filesystem::path>& files,
                Layout& layout);

}  // namespace medurwkv::data
