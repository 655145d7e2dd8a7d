// What names of folders and files say in published sets: roles, parts, keys, patients, slices. No
// file is opened here. Names are compared in NFC (core/unicode.h). Relies on core.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace medurwkv::data {

enum class Role {
  image,
  mask,
  field,    ///< the field of view, where the set has other masks (DRIVE)
  passed,   ///< something else that looks like an image: superpixels, a second observer's masks
  unknown,  ///< the folder does not say; the file's name may
};

/// What a folder of this name holds. `has_manual`: the set has a folder of first observers' masks.
Role role_of_folder(std::string_view folder, bool has_manual);
/// By the folders above a file, the innermost that says something; `relative` to the set's root.
Role role_by_folder(const std::filesystem::path& relative, bool has_manual);

/// True for the name of a folder of first observers' masks (DRIVE, HRF): `mask` beside it is the
/// field of view.
bool is_manual_folder(std::string_view name);

/// "train", "val", "test" or "": what a folder's name says in any of its words.
std::string part_of_folder(std::string_view name);
/// By the folders above a file, the innermost that says something.
std::string part_by_folder(const std::filesystem::path& relative);

/// The folders above a file without roles, parts by their plain names, so that
/// Training_Input/1.png pairs with Training_GroundTruth/1.png; ends with a slash or is empty. A
/// folder named as the one before it counts once.
std::string place_of(const std::filesystem::path& relative);

/// The folder of one class: what stands between the mask folder and the file (UNet++'s masks/0), ""
/// where nothing does.
std::string folder_below_masks(const std::filesystem::path& relative);

/// The stem without one mask suffix (`_mask`, `_segmentation`, ...), or the stem itself.
std::string without_mask_suffix(const std::string& stem);

/// The pairing key of a file: its stem without suffixes such as _mask, _segmentation, _0000.
std::string pairing_key(const std::filesystem::path& path);

/// The stem without all that comes after the name: a.nii.gz, case0001.npy.h5 -> a, case0001.
std::string whole_stem(const std::filesystem::path& path);

/// `case_0003` -> (case, 3): nnU-Net's channel number.
struct ChannelName {
  std::string key;
  std::int64_t channel = 0;
};
std::optional<ChannelName> channel_name(const std::string& stem);
/// The inverse of channel_name.
std::string channel_stem(const std::string& key, std::int64_t channel);

/// Whether these are the stems of a folder that holds a file per channel: all are named so, and a
/// first channel (0) is among them.
bool are_channels(const std::vector<std::string>& stems);

/// `patient001_frame01_slice_3`, `case_001_sliceED_3` -> its volume and its place there.
struct SliceName {
  std::string volume;
  std::int64_t slice = 0;
};
std::optional<SliceName> slice_name(const std::string& id);

/// `patient001_frame01`, `case0005_slice012`, `TCGA-18-5592-01Z-00-DX1` and `Image_01L` belong to
/// patient001, case0005, TCGA-18-5592 and Image_01; others to themselves.
std::string group_of(const std::string& id);

/// A regular expression for --group-by, where names look like many slices of few patients: a folder
/// for each (`P0/000`), or numbers at the end (`TCGA_CS_4941_19960909_1`), with at least three
/// slices a patient as a rule and three patients. The coarsest grouping is given: one that is too
/// coarse costs balance, one too fine leaks. None for ordinary numbers and for names that group_of
/// knows. `names` are those of name_in_folder (data/layout/dataset.h).
std::optional<std::string> suggested_group_pattern(const std::vector<std::string>& names);

/// True for a name with the suffix of an image format (read or not), without regard to case.
bool has_image_suffix(const std::filesystem::path& path);
/// True for .nii, .nii.gz, .nrrd, .nhdr, .mha, .mhd, for .hdr (.hdr.gz) with an .img beside it, for
/// a file of DICOM and for a series of them (data/volumes/series.h).
bool holds_volume(const std::filesystem::path& path);
/// The stem without the suffix of any format: a.nii.gz -> a.
std::string picture_stem(const std::filesystem::path& path);
/// True for .npz, .h5 and .hdf5: files that may hold an image and its mask.
bool has_container_suffix(const std::filesystem::path& path);

/// What archives and file managers leave behind.
bool is_junk(const std::filesystem::path& path);

}  // namespace medurwkv::data
