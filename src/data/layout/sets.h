// What files of known sets say beside images and masks: classes; and files that are known but not
// read. Relies on data/layout/layout.h.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/model_description.h"
#include "data/layout/layout.h"

namespace medurwkv::data {

/// Reads classes and the ignored value from dataset.json of nnU-Net (version 2 and 1) and of the
/// Medical Segmentation Decathlon; classes from labelmap.txt, class_dict.csv, class_names.txt and
/// classes.txt in the set's own folder, and from Roboflow's _classes.csv. Notes what cannot be read
/// in `broken`.
void add_classes(const std::filesystem::path& root, const std::vector<std::filesystem::path>& files,
                 Layout& layout);

/// Makes a case of every slice of a case whose image is a volume. Notes in `broken` volumes that
/// cannot be read, and masks that do not lie where their images do.
void add_slices(Layout& layout);
/// Arrays have slices, but no place in the patient: a note in `broken` where a plane is asked for.
void refuse_arrays_in_planes(Layout& layout);

/// Where the set has no masks: makes a case of each image that a file of outlines means (COCO JSON
/// and the others of data/polygons/annotations.h), with the classes that these files name. Notes in
/// `broken` files that cannot be read or contradict the images or each other. True where it made
/// cases.
bool add_outlines(const std::filesystem::path& root,
                  const std::vector<std::filesystem::path>& files, Layout& layout);

/// Notes in `unread` what is known and not read: DICOM anywhere, pictures of other formats in
/// folders of images or masks, where no case has their name.
void add_unread(const std::filesystem::path& root, const std::vector<std::filesystem::path>& files,
                Layout& layout);

/// Why a set has no cases: files of a format that is not read, or images and masks without a
/// partner; and what to do.
FileNote why_no_pairs(const std::filesystem::path& root, const Layout& layout);

/// Fills in the name of a known set, the encoding that it fixes, and parts that its files' names
/// say.
void recognise(const std::filesystem::path& root, const std::vector<std::filesystem::path>& files,
               Layout& layout);

/// Classes of a known set whose masks hold `count`, or more where the set has more; empty where
/// none are known.
std::vector<ClassInfo> published_classes(const std::string& layout, std::size_t count);

/// An error about a file as a note on it: the file is not named twice.
FileNote note_of(const Error& error, const std::filesystem::path& file);

/// Background and a class per folder (masks/nuclei, masks/0), by index.
std::vector<std::string> class_names_of_folders(const std::vector<std::string>& folders);

/// Cases in .npz and .h5 files that hold an image and its mask: one per file of two axes, one per
/// slice of three (Synapse and ACDC as TransUNet and SSL4MIS pack them). A volume whose slices are
/// there as files too is passed.
void add_arrays(const std::filesystem::path& root, const std::vector<std::filesystem::path>& files,
                Layout& layout);

}  // namespace medurwkv::data
