#include "data/layout.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>
#include <system_error>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 7> image_suffixes{".png",  ".jpg", ".jpeg", ".tif",
                                                         ".tiff", ".bmp", ".gif"};

const std::set<std::string>& image_folders() {
  static const std::set<std::string> names{"images",   "image",      "img",      "imgs",
                                           "imagestr", "jpegimages", "original", "tissue images"};
  return names;
}

const std::set<std::string>& mask_folders() {
  static const std::set<std::string> names{
      "masks",        "mask",         "labels",      "label",       "labelstr",          "gt",
      "ground truth", "ground_truth", "groundtruth", "annotations", "segmentationclass", "labelcol",
      "1st_manual"};
  return names;
}

/// Suffixes that tell a mask from its image, longest first where one ends with another.
constexpr std::array<std::string_view, 11> mask_suffixes{
    "_segmentation", "_ground_truth", "_labels", "_label", "_lesion", "_manual1",
    "_mask",         "-mask",         "_anno",   "_seg",   "_gt"};

/// Suffixes that images carry too.
constexpr std::array<std::string_view, 3> image_marks{"_0000", "_training", "_test"};

enum class Role { image, mask, unknown };

Role role_by_folder(const fs::path& relative) {
  Role role = Role::unknown;
  for (const fs::path& part : relative.parent_path()) {
    const std::string name = lower(part.string());
    if (image_folders().contains(name) || name.ends_with("_data") || name.ends_with("_input")) {
      role = Role::image;
    } else if (mask_folders().contains(name) || name.ends_with("_groundtruth")) {
      role = Role::mask;
    }
  }
  return role;
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

/// The stem without one mask suffix, or the stem itself.
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

bool is_junk(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with(".") || name == "__MACOSX" || name == "Thumbs.db" ||
         name == "desktop.ini";
}

/// `patient001_frame01` and `case0005_slice012` belong to patient001 and case0005.
std::string group_of(const std::string& id) {
  const std::string name = lower(id.substr(id.rfind('/') + 1));
  for (const std::string_view prefix : {"patient", "case"}) {
    if (!name.starts_with(prefix)) continue;
    std::size_t end = prefix.size();
    while (end < name.size() && std::isdigit(static_cast<unsigned char>(name[end])) != 0) ++end;
    if (end > prefix.size() && end < name.size()) return name.substr(0, end);
  }
  return id;
}

/// The folders above a file that are not roles, so that train/images/1.png pairs with
/// train/masks/1.png.
std::string place_of(const fs::path& relative) {
  std::string place;
  for (const fs::path& part : relative.parent_path()) {
    const std::string name = lower(part.string());
    const bool role = image_folders().contains(name) || mask_folders().contains(name);
    if (!role) place += part.string() + "/";
  }
  return place;
}

/// DRIVE keeps the camera's field of view in mask/ beside the truth in 1st_manual/.
void part_field_of_view(Case& item) {
  const auto lies_in = [](const char* folder) {
    return [folder](const ImageSource& mask) {
      return lower(mask.file.parent_path().filename().string()) == folder;
    };
  };
  std::vector<ImageSource>& masks = item.masks;
  if (std::none_of(masks.begin(), masks.end(), lies_in("1st_manual"))) return;
  const auto field = std::find_if(masks.begin(), masks.end(), lies_in("mask"));
  if (field == masks.end()) return;
  item.field_of_view = *field;
  masks.erase(field);
}

struct Found {
  fs::path path;
  std::string place, key;
  Role role = Role::unknown;
};

std::vector<Found> classify(const fs::path& root) {
  std::vector<Found> out;
  for (const fs::path& path : list_files(root)) {
    if (!has_image_suffix(path)) continue;
    const fs::path relative = path.lexically_relative(root);
    Found found{.path = path,
                .place = place_of(relative),
                .key = pairing_key(path),
                .role = role_by_folder(relative)};
    if (found.role == Role::unknown) {
      const std::string stem = path.stem().string();
      found.role = without_mask_suffix(stem) != stem ? Role::mask : Role::image;
    }
    out.push_back(std::move(found));
  }
  return out;
}

}  // namespace

bool has_image_suffix(const fs::path& path) {
  const std::string suffix = lower(path.extension().string());
  return std::find(image_suffixes.begin(), image_suffixes.end(), suffix) != image_suffixes.end();
}

bool is_utf8(std::string_view text) {
  try {
    static_cast<void>(nlohmann::json(text).dump());
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

std::string pairing_key(const fs::path& path) {
  std::string stem = without_mask_suffix(path.stem().string());
  const std::string lowered = lower(stem);
  for (const std::string_view mark : image_marks) {
    if (lowered.size() > mark.size() && lowered.ends_with(mark)) {
      return stem.substr(0, stem.size() - mark.size());
    }
  }
  return stem;
}

std::vector<fs::path> list_files(const fs::path& root) {
  std::error_code error;
  std::vector<fs::path> out;
  fs::recursive_directory_iterator it(root, fs::directory_options::skip_permission_denied, error);
  if (error) throw_failure(concat(root.string(), ": cannot be listed: ", error.message()));
  for (; it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (is_junk(it->path())) {
      it.disable_recursion_pending();
    } else if (const fs::file_status status = it->status(error);
               fs::is_regular_file(status) || (error && it->is_symlink())) {
      out.push_back(it->path());  // a broken link too, so that reading it names it
      error.clear();
    }
    if (error) throw_failure(concat(root.string(), ": cannot be listed: ", error.message()));
  }
  std::sort(out.begin(), out.end());
  return out;
}

Layout find_layout(const fs::path& root) {
  if (!fs::is_directory(root)) throw_failure(concat(root.string(), ": is not a folder"));
  const std::vector<Found> files = classify(root);
  std::map<std::string, int> key_uses;
  for (const Found& file : files) {
    if (file.role == Role::image) ++key_uses[file.key];
  }
  Layout out;
  std::map<std::string, std::size_t> by_place;
  const auto full_key = [](const Found& file) { return file.place + file.key; };
  for (const Found& file : files) {
    if (file.role != Role::image) continue;
    const auto [known, fresh] = by_place.emplace(full_key(file), out.cases.size());
    if (!fresh) {
      out.ambiguous.push_back(full_key(file));
      continue;
    }
    // The folder becomes part of the id only where stems repeat.
    const std::string id = key_uses[file.key] > 1 ? full_key(file) : file.key;
    out.cases.push_back({.id = id, .group = group_of(id), .images = {{file.path}}, .masks = {}});
  }
  std::map<std::string, std::size_t> by_key;
  for (std::size_t i = 0; i < out.cases.size(); ++i) by_key[out.cases[i].id] = i;
  for (const Found& file : files) {
    if (file.role != Role::mask) continue;
    // The same place first; then anywhere, when the key is unique there.
    auto match = by_place.find(full_key(file));
    std::size_t index = out.cases.size();
    if (match != by_place.end()) {
      index = match->second;
    } else if (const auto unique = by_key.find(file.key); unique != by_key.end()) {
      index = unique->second;
    }
    if (index == out.cases.size()) {
      out.masks_alone.push_back(file.path);
    } else {
      out.cases[index].masks.push_back({file.path});
    }
  }
  for (Case& item : out.cases) part_field_of_view(item);
  for (const Case& item : out.cases) {
    if (item.masks.empty()) out.images_alone.push_back(item.images.front().file);
  }
  std::erase_if(out.cases, [](const Case& item) { return item.masks.empty(); });
  std::sort(out.cases.begin(), out.cases.end(),
            [](const Case& a, const Case& b) { return a.id < b.id; });
  return out;
}

}  // namespace medurwkv::data
