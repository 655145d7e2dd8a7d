#include "data/layout/pairing.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "core/text.h"
#include "core/unicode.h"
#include "data/codecs/read.h"
#include "data/layout/encoding.h"
#include "data/layout/names.h"
#include "data/layout/sets.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// A picture with what its name and folders say.
struct Found {
  fs::path path;
  fs::path relative;  ///< to the root, in NFC, as all texts here
  std::string place{}, key{}, part{};
  std::string suffix{};        ///< of a mask: what its name has beyond its image's, as `_mask`
  std::string class_folder{};  ///< of a mask in masks/CLASS
  std::int64_t channel = 0;    ///< of an image in a file per channel
  Role role = Role::unknown;

  [[nodiscard]] std::string full_key() const { return place + key; }
  [[nodiscard]] std::string stem() const { return nfc(picture_stem(path)); }
  [[nodiscard]] fs::path folder() const { return relative.parent_path(); }
};

/// `_mask` of `a_mask` and of `a_mask_2`, lower case; "" where the name is an image's.
std::string mask_suffix(const std::string& stem) {
  const std::string plain = without_mask_suffix(stem);
  std::string suffix = lower(stem.substr(plain.size()));
  while (!suffix.empty() && (std::isdigit(static_cast<unsigned char>(suffix.back())) != 0)) {
    suffix.pop_back();
  }
  if (suffix.ends_with('_')) suffix.pop_back();
  return suffix;
}

bool has_manual_folder(const std::vector<fs::path>& files) {
  return std::any_of(files.begin(), files.end(), [](const fs::path& file) {
    return is_manual_folder(file.parent_path().filename().string());
  });
}

/// What the folders of pictures say; `unknown` stays where they say nothing.
std::vector<Found> find_pictures(const fs::path& root, const std::vector<fs::path>& files) {
  const bool has_manual = has_manual_folder(files);
  std::vector<Found> out;
  for (const fs::path& path : files) {
    if (!has_image_suffix(path) && !holds_volume(path)) continue;
    Found found{.path = path, .relative = nfc(path.lexically_relative(root).string())};
    found.place = place_of(found.relative);
    found.key = pairing_key(path);
    found.part = part_by_folder(found.relative);
    found.suffix = mask_suffix(found.stem());
    found.role = role_by_folder(found.relative, has_manual);
    out.push_back(std::move(found));
  }
  return out;
}

/// Folders that hold both an image folder and a mask folder, with pictures in them.
std::set<fs::path> folders_of_both(const std::vector<Found>& files) {
  std::map<fs::path, std::set<Role>> roles;
  for (const Found& file : files) {
    if (file.role == Role::passed) continue;
    fs::path above;
    for (const fs::path& folder : file.folder()) {
      roles[above].insert(role_of_folder(folder.string(), false));
      above /= folder;
    }
  }
  std::set<fs::path> out;
  for (const auto& [folder, below] : roles) {
    if (below.contains(Role::image) && below.contains(Role::mask)) out.insert(folder);
  }
  return out;
}

/// Beside image and mask folders, a picture of which no folder says anything (somebody's
/// predictions, say) is read only where an image and its mask lie side by side. Others are passed
/// and counted, each folder of them once.
void pass_strays(const fs::path& root, std::vector<Found>& files, Layout& layout) {
  const std::set<fs::path> both = folders_of_both(files);
  if (both.empty()) return;
  std::map<std::pair<fs::path, std::string>, std::set<bool>> beside;  // with, without mask suffix
  for (const Found& file : files) {
    beside[{file.folder(), file.key}].insert(file.suffix.empty());
  }
  std::map<fs::path, std::int64_t> passed;
  for (Found& file : files) {
    if (file.role != Role::unknown || beside[{file.folder(), file.key}].size() > 1) continue;
    std::optional<fs::path> stray;  // the folder beside image and mask folders, or where these are
    fs::path above;
    for (const fs::path& folder : file.relative) {
      if (both.contains(above)) stray = above / folder == file.relative ? above : above / folder;
      above /= folder;
    }
    if (!stray) continue;
    file.role = Role::passed;
    ++passed[*stray];
  }
  for (const auto& [folder, count] : passed) {
    layout.notes.push_back(
        {folder.empty() ? root : root / folder,
         concat("has ", count, count == 1 ? " picture that is" : " pictures that are",
                " outside the folders of images and of masks and therefore not read"),
         "pictures-passed",
         "move them into a folder of images or of masks if they are part of the set"});
  }
}

/// Decides by the name where no folder says the role. In an image folder a mask may lie beside its
/// image (ISIC 2016 part 3B).
void decide_by_name(std::vector<Found>& files) {
  std::set<fs::path> stems;
  for (const Found& file : files) stems.insert(file.folder() / file.stem());
  for (Found& file : files) {
    const bool marked = !file.suffix.empty();
    if (file.role == Role::unknown) file.role = marked ? Role::mask : Role::image;
    const fs::path plain = file.folder() / without_mask_suffix(file.stem());
    if (file.role == Role::image && marked && stems.contains(plain)) file.role = Role::mask;
  }
}

/// CVC-ClinicDB comes as TIFF and once more as PNG: passes the TIFF.
void pass_second_format(std::vector<Found>& files) {
  const auto below = [](const char* folder) {
    return [folder](const Found& file) {
      const fs::path folders = file.folder();
      return std::any_of(folders.begin(), folders.end(),
                         [&](const fs::path& part) { return lower(part.string()) == folder; });
    };
  };
  if (std::none_of(files.begin(), files.end(), below("png")) ||
      std::none_of(files.begin(), files.end(), below("original"))) {
    return;
  }
  for (Found& file : files) {
    if (below("tif")(file)) file.role = Role::passed;
  }
}

/// nnU-Net's case_0000.png, case_0001.png: a file per channel, where all images of the folder are
/// named so, a first channel among them, and no mask has the name of a further one.
void part_channels(std::vector<Found>& files) {
  std::set<std::string> masks;
  for (const Found& file : files) {
    if (file.role == Role::mask) masks.insert(file.stem());
  }
  std::map<fs::path, std::pair<bool, bool>> folders;  // all named so, a first channel among them
  for (const Found& file : files) {
    const std::string folder = lower(file.folder().filename().string());
    if (file.role != Role::image || (folder != "imagestr" && folder != "imagests")) continue;
    auto& [all, first] = folders.emplace(file.folder(), std::pair(true, false)).first->second;
    const auto name = channel_name(file.stem());
    all = all && name && (name->channel == 0 || !masks.contains(file.stem()));
    first = first || (name && name->channel == 0);
  }
  for (Found& file : files) {
    const auto folder = folders.find(file.folder());
    if (file.role != Role::image || folder == folders.end()) continue;
    if (folder->second != std::pair(true, true)) continue;
    const auto name = channel_name(file.stem());
    file.key = pairing_key(name->key + ".png");
    file.channel = name->channel;
  }
}

/// DSB2018: ID/images/ID.png and ID/masks/ANY.png, a mask per object. The folders in ID hold one
/// image, and it is named ID. The set's own folder is no ID: its name is chosen by whoever keeps
/// it.
void join_objects(std::vector<Found>& files) {
  std::map<fs::path, std::vector<const Found*>> images;
  for (const Found& file : files) {
    if (file.role == Role::image) images[file.folder().parent_path()].push_back(&file);
  }
  std::set<fs::path> cases;
  for (const auto& [folder, inside] : images) {
    const bool own = inside.size() == 1 && inside.front()->stem() == folder.filename();
    if (own) cases.insert(folder);
  }
  for (Found& file : files) {
    const fs::path folder = file.folder().parent_path();
    if (!cases.contains(folder)) continue;
    file.key = folder.filename().string();
    file.place = place_of(folder);
    file.suffix.clear();
  }
}

/// Whether folders are classes: they are numbered from 0, or several masks of one image lie in
/// different ones. A folder per patient is no class.
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

/// masks/0, masks/1, ...: the folder between a mask folder and its files, where no image lies in a
/// folder of that name. It is no part of the place. Returns the folders by class index less one, or
/// none where they are no classes.
std::vector<std::string> part_class_folders(std::vector<Found>& files) {
  std::set<std::string> of_images;
  for (const Found& file : files) {
    if (file.role != Role::image) continue;
    for (const fs::path& folder : file.folder()) of_images.insert(folder.string());
  }
  std::vector<std::string> names;
  for (Found& file : files) {
    if (file.role != Role::mask) continue;
    file.class_folder = folder_below_masks(file.relative);
    if (of_images.contains(file.class_folder)) file.class_folder.clear();
    if (file.class_folder.empty()) continue;
    file.place = place_of(file.folder().parent_path() / file.relative.filename());
    if (std::find(names.begin(), names.end(), file.class_folder) == names.end()) {
      names.push_back(file.class_folder);
    }
  }
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return std::pair(a.size(), a) < std::pair(b.size(), b);
  });
  return names.size() > 1 && are_classes(names, files) ? names : std::vector<std::string>{};
}

/// Where a mask comes from, for people: its mask folder by name, or its own folder; and what its
/// name has beyond its image's.
std::string source_of(const Found& file) {
  std::string folder;
  for (const fs::path& part : file.folder()) {
    if (role_of_folder(part.string(), false) == Role::mask) folder = part.string();
  }
  if (folder.empty()) folder = file.folder().string();
  return file.suffix.empty() ? folder : concat(folder, folder.empty() ? "" : "/", "*", file.suffix);
}

/// Masks of the same images in two places.
struct Contest {
  const Found* first = nullptr;  ///< of the first case
  const Found* second = nullptr;
  std::string id;
  std::int64_t cases = 0;
};

class Pairing {
 public:
  Pairing(const std::vector<Found>& files, const std::vector<std::string>& class_folders)
      : files_(files), class_folders_(class_folders) {}

  void run() {
    add_images();
    for (const Found& file : files_) {
      if (file.role == Role::mask) add_mask(file);
      if (file.role == Role::passed) out_.passed.push_back(file.path);
      if (file.role != Role::field) continue;
      const auto item = partner(file);
      if (item && !cases_[*item].field_of_view) {
        cases_[*item].field_of_view = ImageSource{file.path};
      } else {
        out_.passed.push_back(file.path);
      }
    }
    check_channels();
    take_out_images_alone();
  }

  /// Contests, by the two sources.
  [[nodiscard]] const std::map<std::pair<std::string, std::string>, Contest>& contests() const {
    return contests_;
  }

  void move_to(Layout& layout) {
    for (const auto& [unused, contest] : contests_) out_.broken.push_back(question(contest));
    const auto append = [](auto& to, auto& from) {
      to.insert(to.end(), std::make_move_iterator(from.begin()),
                std::make_move_iterator(from.end()));
    };
    append(layout.cases, cases_);
    append(layout.images_alone, out_.images_alone);
    append(layout.masks_alone, out_.masks_alone);
    append(layout.ambiguous, out_.ambiguous);
    append(layout.unlabelled, out_.unlabelled);
    append(layout.passed, out_.passed);
    append(layout.broken, out_.broken);
  }

 private:
  void add_images() {
    std::map<std::string, std::set<std::string>> places_of_key;
    for (const Found& file : files_) {
      if (file.role == Role::image) places_of_key[file.key].insert(file.place);
    }
    for (const Found& file : files_) {
      if (file.role != Role::image) continue;
      const auto [known, fresh] = by_full_key_.emplace(file.full_key(), cases_.size());
      if (fresh) {
        // The folder becomes part of the id only where stems repeat.
        const bool repeated = places_of_key[file.key].size() > 1;
        if (!repeated) by_key_[file.key] = cases_.size();
        const std::string id = repeated ? file.full_key() : file.key;
        Case item{.id = id, .group = group_of(id), .images = {}, .masks = {}};
        item.folder = file.place;
        item.part = file.part;
        if (const auto slice = slice_name(id)) {
          item.volume = slice->volume;
          item.slice = slice->slice;
        }
        cases_.push_back(std::move(item));
        channels_.emplace_back();
        masks_.emplace_back();
      }
      if (channels_[known->second].emplace(file.channel, file.path).second) continue;
      out_.ambiguous.push_back(file.full_key());
    }
  }

  /// The same place first; then anywhere, when the key is unique and no other part is named.
  [[nodiscard]] std::optional<std::size_t> partner(const Found& file) const {
    if (const auto same = by_full_key_.find(file.full_key()); same != by_full_key_.end()) {
      return same->second;
    }
    const auto unique = by_key_.find(file.key);
    if (unique == by_key_.end()) return std::nullopt;
    const std::string& part = cases_[unique->second].part;
    const bool other_part = !file.part.empty() && !part.empty() && file.part != part;
    return other_part ? std::nullopt : std::optional(unique->second);
  }

  void add_mask(const Found& file) {
    const auto index = partner(file);
    if (!index) {
      out_.masks_alone.push_back(file.path);
      return;
    }
    ImageSource source{file.path};
    if (!class_folders_.empty()) {
      const auto at = std::find(class_folders_.begin(), class_folders_.end(), file.class_folder);
      if (at == class_folders_.end()) {
        out_.broken.push_back(
            {file.path, concat("lies in no folder of a class, as other masks do (",
                               shown(join(class_folders_, ", ")), "); move it into one")});
        out_.passed.push_back(file.path);
        return;
      }
      source.class_index = static_cast<std::uint8_t>(at - class_folders_.begin() + 1);
    }
    Case& item = cases_[*index];
    for (std::size_t i = 0; i < item.masks.size(); ++i) {
      const Found& other = *masks_[*index][i];
      const bool apart = item.masks[i].class_index != source.class_index;
      const bool together = other.folder() == file.folder() && other.suffix == file.suffix &&
                            other.stem() != file.stem();
      if (apart || together) continue;
      Contest& contest = contests_[{source_of(other), source_of(file)}];
      if (++contest.cases == 1) {
        contest.first = &other;
        contest.second = &file;
        contest.id = item.id;
      }
      out_.passed.push_back(file.path);
      return;
    }
    item.masks.push_back(std::move(source));
    masks_[*index].push_back(&file);
  }

  static FileNote question(const Contest& contest) {
    const auto name = [](const Found& file) { return shown(file.relative.string()); };
    const std::string count = contest.cases == 1 ? concat("the case ", contest.id, " has")
                                                 : concat(contest.cases, " cases have");
    return {contest.second->path,
            concat(count, " a second mask: ", name(*contest.first), " and ", name(*contest.second),
                   contest.cases == 1 ? "" : ", and so on",
                   "; keep the masks that are the truth and move the others out of the set")};
  }

  /// Channels are 0 to n - 1; n is the same for all.
  void check_channels() {
    std::int64_t most = 1;
    for (const auto& own : channels_) most = std::max(most, own.rbegin()->first + 1);
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      for (auto& [unused, file] : channels_[i]) cases_[i].images.push_back({file});
      if (std::ssize(channels_[i]) == most) continue;
      std::int64_t missing = 0;
      while (channels_[i].contains(missing)) ++missing;
      out_.broken.push_back(
          {channels_[i].begin()->second,
           concat("the case ", cases_[i].id, " has no file of channel ", missing,
                  ", the set has channels 0 to ", most - 1, "; add the file or remove the case")});
    }
  }

  /// Images without a mask; where a whole part has none its labels are withheld.
  void take_out_images_alone() {
    std::set<std::string> labelled_parts;
    for (const Case& item : cases_) {
      if (!item.masks.empty()) labelled_parts.insert(item.part);
    }
    for (const Case& item : cases_) {
      if (!item.masks.empty()) continue;
      const bool withheld =
          !item.part.empty() && !labelled_parts.empty() && !labelled_parts.contains(item.part);
      for (const ImageSource& image : item.images) {
        (withheld ? out_.unlabelled : out_.images_alone).push_back(image.file);
      }
      if (item.field_of_view) out_.passed.push_back(item.field_of_view->file);
    }
    std::erase_if(cases_, [](const Case& item) { return item.masks.empty(); });
  }

  const std::vector<Found>& files_;
  const std::vector<std::string>& class_folders_;
  std::vector<Case> cases_;
  std::vector<std::map<std::int64_t, fs::path>> channels_;  ///< of each case
  std::vector<std::vector<const Found*>> masks_;            ///< of each case
  Layout out_;
  std::map<std::string, std::size_t> by_full_key_, by_key_;
  std::map<std::pair<std::string, std::string>, Contest> contests_;
};

/// Of two sources of masks, passes the one whose files are all the same picture. Returns whether
/// there was one.
bool pass_field_of_view(const Pairing& pairing, const AllAlike& all_alike,
                        std::vector<Found>& files, Layout& layout) {
  const auto files_from = [&](const std::string& source) {
    std::vector<fs::path> out;
    for (const Found& file : files) {
      if (file.role == Role::mask && source_of(file) == source) out.push_back(file.path);
    }
    return out;
  };
  for (const auto& [sources, contest] : pairing.contests()) {
    const auto& [first, second] = sources;
    if (first == second) continue;
    const std::array<std::vector<fs::path>, 2> both{files_from(first), files_from(second)};
    const auto alike = [&](std::size_t i) { return both[i].size() > 1 && all_alike(both[i]); };
    const std::array<bool, 2> is_alike{alike(0), alike(1)};
    if (is_alike[0] == is_alike[1]) continue;
    const std::string& passed = is_alike[0] ? first : second;
    const std::vector<fs::path>& gone = both[is_alike[0] ? 0 : 1];
    for (Found& file : files) {
      if (file.role == Role::mask && source_of(file) == passed) file.role = Role::passed;
    }
    layout.notes.push_back(
        {gone.front(),
         concat("is the same picture as all ", gone.size(), " masks of ", shown(passed),
                "; such masks show the field of view, so the masks of ",
                shown(is_alike[0] ? second : first), " are read"),
         "field-of-view", "move the other masks out of the set if these are the truth"});
    return true;
  }
  return false;
}

/// Why folders of masks cannot be classes, or nothing.
std::string no_classes(const std::vector<std::string>& folders) {
  constexpr std::size_t most = 254;  // classes are bytes, and 255 is no class
  if (folders.size() > most) {
    return concat("has masks in ", folders.size(), " folders like those of classes (",
                  folders.front(), ", ", folders[1], ", ...); at most ", most, " are read");
  }
  const std::string wrong = wrong_class_names(class_names_of_folders(folders));
  if (wrong.empty()) return "";
  return concat("has a folder of masks for each class, but ", wrong, "; rename it");
}

}  // namespace

void pair_files(const fs::path& root, const std::vector<fs::path>& files, const AllAlike& all_alike,
                Layout& layout) {
  std::vector<Found> found = find_pictures(root, files);
  pass_strays(root, found, layout);
  decide_by_name(found);
  pass_second_format(found);
  part_channels(found);
  join_objects(found);
  std::vector<std::string> class_folders = part_class_folders(found);
  if (const std::string why = no_classes(class_folders); !why.empty()) {
    layout.broken.push_back({root, why});
    class_folders.clear();
  }
  if (!class_folders.empty()) {
    layout.by_folder = true;
    layout.encoding = MaskEncoding::binary;
    layout.classes = make_classes(class_folders.size() + 1, class_names_of_folders(class_folders));
  }
  while (true) {
    Pairing pairing(found, class_folders);
    pairing.run();
    if (pass_field_of_view(pairing, all_alike, found, layout)) continue;
    pairing.move_to(layout);
    return;
  }
}

}  // namespace medurwkv::data
