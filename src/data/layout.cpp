#include "data/layout.h"

#include <algorithm>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/text.h"
#include "data/layout_sets.h"
#include "data/pack.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// An image file or a mask file with what its name and folders say.
struct Found {
  fs::path path, relative;
  std::string place{}, key{}, part{};
  std::string class_folder{};  ///< of a mask in masks/CLASS
  std::int64_t channel = 0;    ///< of an image in a file per channel
  Role role = Role::unknown;

  [[nodiscard]] std::string full_key() const { return place + key; }
};

std::vector<Found> classify(const fs::path& root, const std::vector<fs::path>& files) {
  const bool has_manual = std::any_of(files.begin(), files.end(), [](const fs::path& file) {
    return is_manual_folder(file.parent_path().filename().string());
  });
  std::set<fs::path> stems;
  for (const fs::path& file : files) {
    if (has_image_suffix(file)) stems.insert(file.parent_path() / file.stem());
  }
  std::vector<Found> out;
  for (const fs::path& path : files) {
    if (!has_image_suffix(path)) continue;
    Found found{.path = path, .relative = path.lexically_relative(root)};
    found.place = place_of(found.relative);
    found.key = pairing_key(path);
    found.part = part_by_folder(found.relative);
    found.role = role_by_folder(found.relative, has_manual);
    const std::string plain = without_mask_suffix(path.stem().string());
    const bool marked = plain != path.stem().string();
    // Beside its image even in an image folder (ISIC 2016 part 3B).
    if (found.role == Role::unknown) found.role = marked ? Role::mask : Role::image;
    if (found.role == Role::image && marked && stems.contains(path.parent_path() / plain)) {
      found.role = Role::mask;
    }
    if (found.role == Role::mask) found.class_folder = folder_below_masks(found.relative);
    if (found.role != Role::passed) out.push_back(std::move(found));
  }
  return out;
}

/// nnU-Net's case_0000.png, case_0001.png: a file per channel, where all of a folder are named so.
void part_channels(std::vector<Found>& files) {
  std::map<fs::path, std::pair<bool, bool>> folders;  // all named so, a first channel among them
  for (const Found& file : files) {
    const std::string folder = lower(file.path.parent_path().filename().string());
    if (file.role != Role::image || (folder != "imagestr" && folder != "imagests")) continue;
    auto& [all, first] =
        folders.emplace(file.path.parent_path(), std::pair(true, false)).first->second;
    const auto name = channel_name(file.path.stem().string());
    all = all && name.has_value();
    first = first || (name && name->channel == 0);
  }
  for (Found& file : files) {
    const auto folder = folders.find(file.path.parent_path());
    if (file.role != Role::image || folder == folders.end()) continue;
    if (folder->second == std::pair(true, true)) {
      const auto name = channel_name(file.path.stem().string());
      file.key = name->key;
      file.channel = name->channel;
    } else {
      file.key = file.path.stem().string();
    }
  }
}

/// DSB2018: ID/images/ID.png and ID/masks/ANY.png, a mask per object.
void join_objects(std::vector<Found>& files) {
  std::set<fs::path> cases;
  for (const Found& file : files) {
    const fs::path folder = file.path.parent_path().parent_path();
    if (file.role == Role::image && file.path.stem() == folder.filename()) cases.insert(folder);
  }
  for (Found& file : files) {
    const fs::path folder = file.path.parent_path().parent_path();
    if (!cases.contains(folder)) continue;
    file.key = folder.filename().string();
    file.place.erase(file.place.rfind(file.key));
  }
}

/// CVC-ClinicDB as TIFF and once more as PNG.
void drop_second_format(std::vector<Found>& files) {
  const auto below = [](const char* folder) {
    return [folder](const Found& file) {
      return std::any_of(file.relative.begin(), file.relative.end(),
                         [&](const fs::path& part) { return lower(part.string()) == folder; });
    };
  };
  if (std::none_of(files.begin(), files.end(), below("png")) ||
      std::none_of(files.begin(), files.end(), below("original"))) {
    return;
  }
  std::erase_if(files, below("tif"));
}

/// Numbered from 0, or with several masks of one image in different ones: a folder per patient is
/// no class.
bool are_classes(const std::vector<std::string>& folders, const std::vector<Found>& files) {
  bool numbered = true;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    numbered = numbered && folders[i] == std::to_string(i);
  }
  if (numbered) return true;
  std::map<std::string, std::set<std::string>> folders_of_key;
  for (const Found& file : files) {
    if (!file.class_folder.empty()) folders_of_key[file.full_key()].insert(file.class_folder);
  }
  return std::any_of(folders_of_key.begin(), folders_of_key.end(),
                     [](const auto& entry) { return entry.second.size() > 1; });
}

/// masks/0, masks/1, ...: a folder per class, where images have no folders of these names. One such
/// folder alone is as good as none. Returns the folders by class index less one.
std::vector<std::string> part_class_folders(std::vector<Found>& files) {
  std::set<std::string> of_images;
  for (const Found& file : files) {
    if (file.role != Role::image) continue;
    for (const fs::path& folder : file.relative.parent_path()) of_images.insert(folder.string());
  }
  std::vector<std::string> names;
  for (Found& file : files) {
    if (of_images.contains(file.class_folder)) file.class_folder.clear();
    if (file.class_folder.empty()) continue;
    if (file.place.ends_with(file.class_folder + "/")) {
      file.place.erase(file.place.size() - file.class_folder.size() - 1);
    }
    if (std::find(names.begin(), names.end(), file.class_folder) == names.end()) {
      names.push_back(file.class_folder);
    }
  }
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return std::pair(a.size(), a) < std::pair(b.size(), b);
  });
  return are_classes(names, files) ? names : std::vector<std::string>{};
}

class Pairing {
 public:
  Pairing(std::vector<Found> files, std::vector<std::string> class_folders, Layout& layout)
      : files_(std::move(files)), class_folders_(std::move(class_folders)), layout_(layout) {}

  void run() {
    add_images();
    for (const Found& file : files_) {
      if (file.role == Role::mask) add_mask(file);
      if (file.role == Role::field) {
        if (Case* item = partner(file)) item->field_of_view = ImageSource{file.path};
      }
    }
    check_channels();
    take_out_images_alone();
  }

 private:
  void add_images() {
    std::map<std::string, std::set<std::string>> places_of_key;
    for (const Found& file : files_) {
      if (file.role == Role::image) places_of_key[file.key].insert(file.place);
    }
    std::map<std::string, std::set<std::int64_t>> channels;
    for (const Found& file : files_) {
      if (file.role != Role::image) continue;
      const auto [known, fresh] = by_full_key_.emplace(file.full_key(), layout_.cases.size());
      if (!channels[file.full_key()].insert(file.channel).second) {
        layout_.ambiguous.push_back(file.full_key());
      } else if (!fresh) {
        layout_.cases[known->second].images.push_back({file.path});
      } else {
        // The folder becomes part of the id only where stems repeat.
        const bool repeated = places_of_key[file.key].size() > 1;
        if (!repeated) by_key_[file.key] = layout_.cases.size();
        const std::string id = repeated ? file.full_key() : file.key;
        Case item{.id = id, .group = group_of(id), .images = {{file.path}}, .masks = {}};
        item.part = file.part;
        if (const auto slice = slice_name(id)) {
          item.volume = slice->volume;
          item.slice = slice->slice;
        }
        layout_.cases.push_back(std::move(item));
      }
    }
  }

  /// The same place first; then anywhere, when the key is unique and no other part is named.
  Case* partner(const Found& file) {
    if (const auto same = by_full_key_.find(file.full_key()); same != by_full_key_.end()) {
      return &layout_.cases[same->second];
    }
    const auto unique = by_key_.find(file.key);
    if (unique == by_key_.end()) return nullptr;
    Case& item = layout_.cases[unique->second];
    const bool other_part = !file.part.empty() && !item.part.empty() && file.part != item.part;
    return other_part ? nullptr : &item;
  }

  void add_mask(const Found& file) {
    Case* item = partner(file);
    if (item == nullptr) {
      layout_.masks_alone.push_back(file.path);
      return;
    }
    ImageSource source{file.path};
    if (class_folders_.size() > 1) {
      const auto at = std::find(class_folders_.begin(), class_folders_.end(), file.class_folder);
      source.class_index = static_cast<std::uint8_t>(at - class_folders_.begin() + 1);
    }
    for (const ImageSource& other : item->masks) {
      const bool apart = other.class_index != source.class_index;
      const bool together = other.file.parent_path() == file.path.parent_path() &&
                            other.file.stem() != file.path.stem();
      if (apart || together) continue;
      layout_.broken.push_back(
          {file.path, concat("is a second mask of the case ", item->id, " beside ",
                             other.file.string(), "; keep one of them")});
      return;
    }
    item->masks.push_back(std::move(source));
  }

  /// Channels are 0 to n - 1, in order because files are; n is the same for all.
  void check_channels() {
    std::size_t most = 1;
    for (const Case& item : layout_.cases) most = std::max(most, item.images.size());
    for (const Case& item : layout_.cases) {
      if (item.images.size() == most) continue;
      layout_.broken.push_back(
          {item.images.front().file,
           concat("the case ", item.id, " has ", item.images.size(), " channels, others have ",
                  most, "; add the missing files or remove the case")});
    }
  }

  /// Images without a mask; where a whole part has none its labels are withheld.
  void take_out_images_alone() {
    std::set<std::string> labelled_parts;
    for (const Case& item : layout_.cases) {
      if (!item.masks.empty()) labelled_parts.insert(item.part);
    }
    for (const Case& item : layout_.cases) {
      if (!item.masks.empty()) continue;
      const bool withheld =
          !item.part.empty() && !labelled_parts.empty() && !labelled_parts.contains(item.part);
      for (const ImageSource& image : item.images) {
        (withheld ? layout_.unlabelled : layout_.images_alone).push_back(image.file);
      }
    }
    std::erase_if(layout_.cases, [](const Case& item) { return item.masks.empty(); });
  }

  std::vector<Found> files_;
  std::vector<std::string> class_folders_;
  Layout& layout_;
  std::map<std::string, std::size_t> by_full_key_, by_key_;
};

/// One part that holds every case says nothing.
void drop_only_part(std::vector<Case>& cases) {
  const auto other = [&](const Case& item) { return item.part != cases.front().part; };
  if (std::any_of(cases.begin(), cases.end(), other)) return;
  for (Case& item : cases) item.part.clear();
}

}  // namespace

bool is_utf8(std::string_view text) {
  try {
    static_cast<void>(nlohmann::json(text).dump());
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
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
  if (is_pack(root)) return pack_layout(root);
  if (std::error_code error; fs::status(root, error).type() == fs::file_type::not_found) {
    throw_failure(concat(root.string(), ": no such folder"));
  }
  if (!fs::is_directory(root)) {
    throw_failure(
        concat(root.string(), ": is neither a folder nor a pack of `medurwkv data pack`"));
  }
  const std::vector<fs::path> files = list_files(root);
  Layout out;
  std::vector<Found> found = classify(root, files);
  drop_second_format(found);
  part_channels(found);
  join_objects(found);
  std::vector<std::string> class_folders = part_class_folders(found);
  if (class_folders.size() > 1) {
    out.by_folder = true;
    out.encoding = MaskEncoding::binary;
    out.classes = classes_of_folders(class_folders);
  }
  Pairing(std::move(found), std::move(class_folders), out).run();
  add_arrays(root, files, out);
  drop_only_part(out.cases);
  recognise(root, files, out);
  add_classes(root, files, out);
  add_lists(files, out);
  add_groups(files, out);
  add_unread(files, out);
  std::sort(out.cases.begin(), out.cases.end(),
            [](const Case& a, const Case& b) { return a.id < b.id; });
  return out;
}

}  // namespace medurwkv::data
