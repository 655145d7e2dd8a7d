#include "data/layout/case_names.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/text.h"
#include "core/unicode.h"
#include "data/codecs/read.h"
#include "data/layout/names.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// `file` without the suffixes of images, arrays and volumes that it ends with; a name with a dot
/// stays.
std::string without_format(const std::string& file) {
  static const std::set<std::string> more{".nii", ".gz", ".dcm", ".mha", ".mhd", ".nrrd"};
  fs::path name = file;
  while (name.has_extension() && (has_image_suffix(name) || has_container_suffix(name) ||
                                  more.contains(lower(name.extension().string())))) {
    name = name.stem();
  }
  return name.string();
}

/// The last component as it may stand in an index: whole, without format, without mask suffix.
std::vector<std::string> forms_of(const std::string& name) {
  const std::string plain = without_format(name);
  std::vector<std::string> out{name};
  for (const std::string& form : {plain, pairing_key(plain + ".png")}) {
    if (std::find(out.begin(), out.end(), form) == out.end()) out.push_back(form);
  }
  return out;
}

/// The components of a path in a list, in any system's writing.
std::vector<std::string> components_of(std::string_view text) {
  std::string plain = nfc(text);
  std::replace(plain.begin(), plain.end(), '\\', '/');
  std::vector<std::string> out;
  for (std::string& part : split(plain, '/')) {
    const bool drive = part.size() == 2 && part[1] == ':';
    if (!part.empty() && part != "." && part != ".." && !drive) out.push_back(std::move(part));
  }
  return out;
}

/// The folders of a path by which cases are indexed: place_of, in pieces.
std::vector<std::string> folders_of(const std::vector<std::string>& components) {
  fs::path path;
  for (const std::string& part : components) path /= part;
  std::vector<std::string> out = split(place_of(path / "x"), '/');
  out.pop_back();
  return out;
}

std::string joined(const std::vector<std::string>& folders, std::size_t from,
                   const std::string& name) {
  std::string out;
  for (std::size_t i = from; i < folders.size(); ++i) out += folders[i] + "/";
  return out + name;
}

}  // namespace

const std::vector<std::string>& heads_of_names() {
  static const std::vector<std::string> names{
      "image",    "images", "image_id",  "image_name", "image_path",     "img",
      "filename", "file",   "file_name", "isic_id",    "frame_id",       "name",
      "path",     "id",     "case",      "case_id",    "png_image_path", "tif_image_path"};
  return names;
}

std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 5;
  std::vector<std::string> first;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i) first.push_back(shown(names[i]));
  return join(first, ", ") +
         (names.size() > most ? concat(" and ", names.size() - most, " more") : "");
}

CaseNames::CaseNames(const fs::path& root, const Layout& layout) : index_(level_count) {
  std::map<std::string, std::size_t> volumes_by_name;
  std::map<std::string, std::size_t> folders_by_name;
  const auto relative_of = [&](const fs::path& file) -> fs::path {
    return nfc(file.lexically_relative(root).string());
  };
  for (std::size_t i = 0; i < layout.cases.size(); ++i) {
    const Case& item = layout.cases[i];
    const ImageSource& image = item.images.front();
    const fs::path relative = relative_of(image.file);
    const auto above = folders_of(components_of(relative.parent_path().string()));
    std::vector<std::string> id = components_of(item.id);
    const std::string name = id.back();
    id.pop_back();
    const std::size_t own = entities_.size();
    entities_.push_back({relative.string(), {i}});
    add(of_cases, folders_of(id), name, own);
    add(of_cases, above, name, own);
    for (const ImageSource& file : item.images) {
      if (!file.slice) add_file(relative_of(file.file), own);
    }
    if (!item.volume.empty()) {
      std::vector<std::string> volume = components_of(item.volume);
      const std::size_t all = entity_of(volumes_by_name, joined(above, 0, volume.back()));
      entities_[all].cases.push_back(i);
      add(of_volumes, above, volume.back(), all);
      if (image.slice) {
        for (const std::string& form : forms_of(relative.filename().string())) {
          add(of_volumes, above, form, all);
        }
      }
    }
    std::vector<std::string> outer;
    for (const std::string& folder : above) {
      const std::size_t all = entity_of(folders_by_name, joined(outer, 0, folder));
      entities_[all].cases.push_back(i);
      add(of_folders, outer, folder, all);
      outer.push_back(folder);
    }
  }
  for (const auto* alone : {&layout.images_alone, &layout.unlabelled}) {
    for (const fs::path& file : *alone) {
      entities_.push_back({relative_of(file).string(), {}});
      add_file(relative_of(file), entities_.size() - 1);
    }
  }
}

std::size_t CaseNames::entity_of(std::map<std::string, std::size_t>& known,
                                 const std::string& name) {
  const auto [found, fresh] = known.emplace(name, entities_.size());
  if (fresh) entities_.push_back({name, {}});
  return found->second;
}

void CaseNames::add_file(const fs::path& relative, std::size_t entity) {
  const auto above = folders_of(components_of(relative.parent_path().string()));
  for (const std::string& form : forms_of(relative.filename().string())) {
    add(of_cases, above, form, entity);
  }
}

void CaseNames::add(Level level, const std::vector<std::string>& folders, const std::string& name,
                    std::size_t entity) {
  const auto put = [&](auto& to, const std::string& key) {
    std::vector<std::size_t>& entities = to[key];
    if (entities.empty() || entities.back() != entity) entities.push_back(entity);
  };
  for (std::size_t from = 0; from <= folders.size(); ++from) {
    const std::string key = joined(folders, from, name);
    put(index_[level].ends, key);
    if (from == 0) put(index_[level].whole, key);
  }
}

std::vector<const CaseNames::Entity*> CaseNames::find(std::string_view text,
                                                      Folders with_folders) const {
  std::vector<std::string> components = components_of(text);
  if (components.empty()) return {};
  const std::vector<std::string> whole = folders_of(components);
  const std::string name = components.back();
  components.pop_back();
  const std::vector<std::string> above = folders_of(components);
  // The longest end that fits wins. A case's whole path wins over the end of another's.
  const auto lookup = [&](const Index& index, const std::vector<std::string>& folders,
                          const std::string& last) -> const std::vector<std::size_t>* {
    for (std::size_t from = 0; from <= folders.size(); ++from) {
      const std::string key = joined(folders, from, last);
      if (const auto found = index.whole.find(key); found != index.whole.end()) {
        return &found->second;
      }
      if (from > 0) continue;
      if (const auto found = index.ends.find(key); found != index.ends.end()) return &found->second;
    }
    return nullptr;
  };
  const std::vector<std::size_t>* found = nullptr;
  for (const Level level : {of_cases, of_volumes}) {
    for (const std::string& form : forms_of(name)) {
      if (found == nullptr) found = lookup(index_[level], above, form);
    }
  }
  if (found == nullptr && with_folders == Folders::yes && !whole.empty()) {
    found = lookup(index_[of_folders], {whole.begin(), whole.end() - 1}, whole.back());
  }
  std::vector<const Entity*> out;
  if (found == nullptr) return out;
  for (const std::size_t entity : *found) out.push_back(&entities_[entity]);
  return out;
}

}  // namespace medurwkv::data
