#include "data/layout/names.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <regex>
#include <set>
#include <utility>

#include "core/text.h"
#include "core/unicode.h"
#include "data/volumes/series.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 17> image_suffixes{
    ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".npy", ".webp",
    ".jp2", ".j2k", ".jpc",  ".pnm", ".ppm",  ".pgm", ".pbm", ".pam"};
constexpr std::array<std::string_view, 3> container_suffixes{".npz", ".h5", ".hdf5"};

const std::set<std::string>& image_folders() {
  static const std::set<std::string> names{"images",   "image",     "img",      "imgs",
                                           "imagestr", "imagests",  "original", "tissue images",
                                           "img_dir",  "jpegimages"};
  return names;
}

const std::set<std::string>& mask_folders() {
  static const std::set<std::string> names{"masks",
                                           "mask",
                                           "labels",
                                           "label",
                                           "labelstr",
                                           "labelsts",
                                           "gt",
                                           "gts",
                                           "ground truth",
                                           "ground_truth",
                                           "groundtruth",
                                           "annotations",
                                           "annotation",
                                           "ann_dir",
                                           "segmentationclass",
                                           "segmentationclassaug",
                                           "labelcol",
                                           "1st_manual",
                                           "manual1",
                                           "labels-ah",
                                           "train_gt",
                                           "val_gt",
                                           "test_gt"};
  return names;
}

/// Folders of other tasks of the same challenge, of second observers and of details.
const std::set<std::string>& passed_folders() {
  static const std::set<std::string> names{"2nd_manual", "manual2", "labels-vk",
                                           "segmentationobject", "superpixels"};
  return names;
}

/// Suffixes that tell a mask from its image, longest first where one ends with another.
constexpr std::array<std::string_view, 13> mask_suffixes{
    "_segmentation", "_ground_truth", "_labels", "_label", "_lesion", "_manual1", "_1stho",
    "_mask",         "-mask",         "_anno",   "_seg",   "_gt",     ".ah"};

/// Suffixes that images carry too.
constexpr std::array<std::string_view, 3> image_marks{"_0000", "_training", "_test"};

bool ends_with_any(std::string_view text, const std::vector<std::string_view>& ends) {
  return std::any_of(ends.begin(), ends.end(),
                     [&](std::string_view end) { return text.ends_with(end); });
}

/// Task 2 and 3 of the ISIC challenges, with folders like those of task 1.
bool is_other_isic_task(const std::string& name) {
  const bool isic = name.find("isic") != std::string::npos;
  const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
  return isic && (has("_task2_") || has("_task3_") || has("_part2_") || has("_part3_"));
}

/// `_mask_1`: a further mask of one image.
std::string without_mask_number(const std::string& stem) {
  const std::size_t bar = stem.rfind('_');
  if (bar == std::string::npos || bar + 1 == stem.size()) return stem;
  const bool digits = std::all_of(stem.begin() + static_cast<std::ptrdiff_t>(bar) + 1, stem.end(),
                                  [](unsigned char c) { return std::isdigit(c) != 0; });
  const std::string before = stem.substr(0, bar);
  return digits && lower(before).ends_with("_mask") ? before : stem;
}

/// Lower-case words of a name: what lies between anything but letters and digits.
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> out(1);
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      out.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!out.back().empty()) {
      out.emplace_back();
    }
  }
  if (out.back().empty()) out.pop_back();
  return out;
}

template <std::size_t N>
bool has_suffix(const fs::path& path, const std::array<std::string_view, N>& suffixes) {
  const std::string suffix = lower(path.extension().string());
  return std::find(suffixes.begin(), suffixes.end(), suffix) != suffixes.end();
}

}  // namespace

bool is_manual_folder(std::string_view name) {
  return lower(name) == "1st_manual" || lower(name) == "manual1";
}

Role role_of_folder(std::string_view folder, bool has_manual) {
  const std::string name = lower(folder);
  if (passed_folders().contains(name) || name.ends_with("_roi") || is_other_isic_task(name)) {
    return Role::passed;
  }
  if (name == "mask" && has_manual) return Role::field;
  if (mask_folders().contains(name) ||
      ends_with_any(name, {"_groundtruth", "_masks", "_labels", "_lesion"})) {
    return Role::mask;
  }
  if (image_folders().contains(name) ||
      ends_with_any(name, {"_data", "_input", "_images", "_dermoscopic_image"})) {
    return Role::image;
  }
  return Role::unknown;
}

Role role_by_folder(const fs::path& relative, bool has_manual) {
  Role role = Role::unknown;
  for (const fs::path& part : relative.parent_path()) {
    const Role here = role_of_folder(part.string(), has_manual);
    if (here != Role::unknown) role = here;
    if (here == Role::passed) break;
  }
  const std::string stem = lower(picture_stem(relative));
  if (ends_with_any(stem, {"_superpixels", "_2ndho"})) role = Role::passed;
  return role;
}

std::string part_of_folder(std::string_view name) {
  static const std::array<std::pair<const char*, std::set<std::string>>, 3> words{
      {{"train", {"train", "training", "traindataset"}},
       {"val", {"val", "valid", "validation", "valdataset"}},
       {"test", {"test", "testing", "testdataset", "imagests", "labelsts"}}}};
  for (const std::string& word : words_of(name)) {
    for (const auto& [part, known] : words) {
      if (known.contains(word)) return part;
    }
  }
  return "";
}

std::string part_by_folder(const fs::path& relative) {
  std::string out;
  for (const fs::path& folder : relative.parent_path()) {
    const std::string part = part_of_folder(folder.string());
    if (!part.empty()) out = part;
  }
  return out;
}

std::string place_of(const fs::path& relative) {
  std::string place;
  std::string last;
  for (const fs::path& folder : relative.parent_path()) {
    const std::string part = part_of_folder(folder.string());
    const Role role = role_of_folder(folder.string(), false);
    const bool silent = role == Role::image || role == Role::mask;
    const std::string said = !part.empty() ? part : silent ? "" : nfc(folder.string());
    // Unpacked archives double folders (ISIC2018_Task1_Training_GroundTruth twice).
    if (said.empty() || said == last) continue;
    place += said + "/";
    last = said;
  }
  return place;
}

std::string folder_below_masks(const fs::path& relative) {
  std::vector<std::string> below;
  bool masks = false;
  for (const fs::path& folder : relative.parent_path()) {
    const Role role = role_of_folder(folder.string(), false);
    if (masks) below.push_back(nfc(folder.string()));
    if (role == Role::mask) {
      masks = true;
      below.clear();
    }
  }
  return below.size() == 1 && part_of_folder(below.front()).empty() ? below.front() : "";
}

std::string without_mask_suffix(const std::string& stem) {
  const std::string whole = without_mask_number(stem);
  const std::string lowered = lower(whole);
  for (const std::string_view suffix : mask_suffixes) {
    if (lowered.size() > suffix.size() && lowered.ends_with(suffix)) {
      return whole.substr(0, whole.size() - suffix.size());
    }
  }
  return stem;
}

std::string pairing_key(const fs::path& path) {
  std::string stem = without_mask_suffix(nfc(picture_stem(path)));
  const std::string lowered = lower(stem);
  for (const std::string_view mark : image_marks) {
    if (lowered.size() > mark.size() && lowered.ends_with(mark)) {
      return stem.substr(0, stem.size() - mark.size());
    }
  }
  return stem;
}

std::string whole_stem(const fs::path& path) {
  fs::path stem = path.stem();
  for (const char* inner : {".npy", ".nii"}) {
    if (lower(stem.extension().string()) == inner) stem = stem.stem();
  }
  return nfc(stem.string());
}

std::optional<ChannelName> channel_name(const std::string& stem) {
  constexpr std::size_t digits = 4;
  if (stem.size() <= digits + 1 || stem[stem.size() - digits - 1] != '_') return std::nullopt;
  std::int64_t channel = 0;
  for (const char c : stem.substr(stem.size() - digits)) {
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) return std::nullopt;
    channel = 10 * channel + (c - '0');
  }
  return ChannelName{stem.substr(0, stem.size() - digits - 1), channel};
}

std::string channel_stem(const std::string& key, std::int64_t channel) {
  const std::string digits = std::to_string(channel);
  return concat(key, "_", std::string(4 - std::min<std::size_t>(4, digits.size()), '0'), digits);
}

bool are_channels(const std::vector<std::string>& stems) {
  bool first = false;
  for (const std::string& stem : stems) {
    const auto name = channel_name(stem);
    if (!name) return false;
    first = first || name->channel == 0;
  }
  return first;
}

std::optional<SliceName> slice_name(const std::string& id) {
  static const std::regex pattern("(.+)_slice_?([A-Za-z]*)_?([0-9]{1,6})", std::regex::icase);
  std::smatch found;
  if (!std::regex_match(id, found, pattern)) return std::nullopt;
  const std::string phase = found[2].str().empty() ? "" : concat("_", found[2].str());
  return SliceName{found[1].str() + phase, std::stoll(found[3].str())};
}

std::string group_of(const std::string& id) {
  static const std::regex numbered("((?:patient|case)_?[0-9]+)_.*", std::regex::icase);
  static const std::regex tcga("(TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}).*", std::regex::icase);
  static const std::regex sides("(Image_[0-9]+)[LR]", std::regex::icase);
  const std::string name = id.substr(id.rfind('/') + 1);
  std::smatch found;
  for (const std::regex* pattern : {&numbered, &tcga, &sides}) {
    if (!std::regex_match(name, found, *pattern)) continue;
    return pattern == &numbered ? lower(found[1].str()) : found[1].str();
  }
  return id;
}

bool has_image_suffix(const fs::path& path) {
  return has_suffix(path, image_suffixes);
}

bool holds_volume(const fs::path& path) {
  static constexpr std::array<std::string_view, 7> suffixes{".nii", ".nii.gz", ".nrrd", ".nhdr",
                                                            ".mha", ".mhd",    ".hdr"};
  const std::string name = lower(path.filename().string());
  const auto* const own =
      std::find_if(suffixes.begin(), suffixes.end(),
                   [&](std::string_view suffix) { return name.ends_with(suffix); });
  if (own == suffixes.end()) {
    return !has_image_suffix(path) && !has_container_suffix(path) &&
           (is_dicom_file(path) || is_series(path));
  }
  if (*own != ".hdr") return true;
  // As a suffix alone it is an image of floating point.
  fs::path voxels = path;
  return fs::exists(voxels.replace_extension(".img")) || fs::exists(voxels += ".gz");
}

std::string picture_stem(const fs::path& path) {
  static const std::set<std::string> of_dicom{".dcm", ".dicom", ".ima"};
  if (has_image_suffix(path) || of_dicom.contains(lower(path.extension().string()))) {
    return path.stem().string();
  }
  if (!holds_volume(path)) return path.stem().string();
  // What follows a point in the name of a series' folder, or of a file like 1.2.840.5, is no
  // suffix.
  const bool has_suffix = !is_dicom_file(path) && !is_series(path);
  return has_suffix ? whole_stem(path) : nfc(path.filename().string());
}

bool has_container_suffix(const fs::path& path) {
  return has_suffix(path, container_suffixes);
}

bool is_junk(const fs::path& path) {
  static const std::set<std::string> names{
      "__macosx",     "thumbs.db",  "ehthumbs.db",
      "desktop.ini",  "@eadir",     "#recycle",
      "$recycle.bin", "lost+found", "system volume information"};
  const std::string name = path.filename().string();
  return name.starts_with(".") || names.contains(lower(name));
}

}  // namespace medurwkv::data
