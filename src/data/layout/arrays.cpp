// Sets packed as arrays: an image and its label map in one .npz or .h5 (TransUNet, SSL4MIS).
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "data/codecs/arrays.h"
#include "data/layout/sets.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

struct Pack {
  fs::path file;
  std::string name, place, part;
  std::string image, label;              ///< names of the arrays
  std::optional<std::int64_t> slices{};  ///< none: one picture
};

/// None, with a note, for a file without an image and a label.
std::optional<Pack> open_pack(const fs::path& root, const fs::path& file, Layout& layout) {
  const std::vector<ArrayInfo> arrays = list_arrays(file);
  const ArrayInfo* image = find_image(arrays);
  const ArrayInfo* label = find_label(arrays);
  if (image == nullptr || label == nullptr) {
    std::vector<std::string> names;
    for (const ArrayInfo& one : arrays) names.push_back(shown(one.name));
    layout.notes.push_back({file, concat("holds the arrays ", join(names, ", "),
                                         "; a set's files hold image (or img) and label (or mask, "
                                         "gt, seg)")});
    return std::nullopt;
  }
  const ArrayPictures pictures = paired_pictures(file.string(), image->shape, label->shape).image;
  const fs::path relative = file.lexically_relative(root);
  return Pack{file,        whole_stem(file), place_of(relative), part_by_folder(relative),
              image->name, label->name,      pictures.slices};
}

/// Three digits at least, as the published packs number slices.
std::string slice_text(std::int64_t slice) {
  std::string digits = std::to_string(slice);
  if (digits.size() < 3) digits.insert(0, 3 - digits.size(), '0');
  return "_slice" + digits;
}

std::vector<Case> cases_of(const Pack& pack, const std::string& name) {
  const auto make = [&](const std::string& id, std::optional<std::int64_t> slice) {
    Case item{.id = id,
              .group = group_of(id),
              .images = {{pack.file, pack.image, slice}},
              .masks = {{pack.file, pack.label, slice}}};
    item.folder = pack.place;
    item.part = pack.part;
    return item;
  };
  std::vector<Case> out;
  if (!pack.slices) {
    out.push_back(make(name, std::nullopt));
    if (const auto slice = slice_name(name)) {
      out.front().volume = slice->volume;
      out.front().slice = slice->slice;
    }
  }
  for (std::int64_t i = 0; i < pack.slices.value_or(0); ++i) {
    out.push_back(make(name + slice_text(i), i));
    out.back().volume = name;
    out.back().slice = i;
  }
  return out;
}

}  // namespace

void add_arrays(const fs::path& root, const std::vector<fs::path>& files, Layout& layout) {
  std::vector<Pack> packs;
  for (const fs::path& file : files) {
    if (!has_container_suffix(file)) continue;
    try {
      if (auto pack = open_pack(root, file, layout)) packs.push_back(std::move(*pack));
    } catch (const Error& error) {
      layout.broken.push_back(note_of(error, file));
    }
  }
  std::map<std::string, int> uses;
  std::set<std::string> volumes_in_slices;
  for (const Pack& pack : packs) {
    ++uses[pack.name];
    const auto slice = slice_name(pack.name);
    if (!pack.slices && slice) volumes_in_slices.insert(slice->volume);
  }
  std::set<std::string> ids;
  for (const Case& item : layout.cases) ids.insert(item.id);
  for (const Pack& pack : packs) {
    if (pack.slices && volumes_in_slices.contains(pack.name)) continue;
    for (Case& item : cases_of(pack, uses[pack.name] > 1 ? pack.place + pack.name : pack.name)) {
      if (ids.insert(item.id).second) {
        layout.cases.push_back(std::move(item));
      } else {
        layout.ambiguous.push_back(item.id);
      }
    }
  }
}

}  // namespace medurwkv::data
