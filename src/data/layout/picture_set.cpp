#include "data/layout/picture_set.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/model_description.h"
#include "core/random.h"
#include "core/table.h"
#include "core/text.h"
#include "core/unicode.h"
#include "data/layout/case_names.h"
#include "data/layout/names.h"
#include "data/layout/picture_files.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// "train", "val", "test" or "": what a folder of this name is, as a whole.
std::string part_named(const std::string& folder) {
  const std::string name = lower(folder);
  if (name == "train" || name == "training") return "train";
  if (name == "val" || name == "valid" || name == "validation") return "val";
  if (name == "test" || name == "testing") return "test";
  return "";
}

/// "3 images", "18,000 images".
std::string images_of(std::size_t count) {
  return counted(static_cast<std::int64_t>(count), "image");
}

/// The folders directly below `above` in the set, on the disc.
std::vector<Folders> folders_below(const fs::path& root, const Folders& above) {
  fs::path place = root;
  for (const std::string& one : above) place /= one;
  std::error_code ignored;
  std::vector<Folders> out;
  if (!fs::is_directory(place, ignored)) return out;
  for (const fs::path& path : list_folder(place)) {
    if (is_junk(path) || !fs::is_directory(path, ignored)) continue;
    out.push_back(above);
    out.back().push_back(nfc(path.filename().string()));
  }
  return out;
}

/// The class of images by their stem, out of ImageNet's list; empty without one.
class Solution {
 public:
  Solution(const fs::path& root, const std::function<Table()>& inside)
      : table_(inside ? inside() : find(root)) {
    if (!table_) return;
    const Table& table = *table_;
    const std::size_t image = table.column("imageid");
    const std::size_t prediction = table.column("predictionstring");
    for (const Table::Row& row : table.rows()) {
      const std::vector<std::string> words = split(row.fields[prediction], ' ');
      if (words.empty() || words.front().empty()) table.fail(row, "the image has no class");
      if (!classes_.emplace(row.fields[image], nfc(words.front())).second) {
        table.fail(row, concat("the image ", shown(row.fields[image]), " is there twice"));
      }
    }
  }

  [[nodiscard]] bool found() const { return table_.has_value(); }
  [[nodiscard]] std::string class_of(const FoundPicture& image) const {
    const auto at = classes_.find(fs::path(image.picture.id).stem().string());
    if (at != classes_.end()) return at->second;
    throw_failure(concat(shown(image.picture.id), ": has no line in ", table_->file().string(),
                         "; complete the list or move the image out of the set"));
  }

 private:
  static std::optional<Table> find(const fs::path& root) {
    constexpr int most_above = 4;
    std::error_code ignored;
    fs::path folder = whole_path(root);
    for (int i = 0; i < most_above && folder.has_relative_path(); ++i) {
      folder = folder.parent_path();
      const fs::path file = folder / "LOC_val_solution.csv";
      if (fs::is_regular_file(file, ignored)) return read_table(file);
    }
    return std::nullopt;
  }

  std::optional<Table> table_;
  std::unordered_map<std::string, std::string> classes_;
};

/// Sorts images with a class each into parts.
class Labeller {
 public:
  Labeller(const fs::path& root, PictureFiles& found, PictureSet& out)
      : root_(root), found_(found), out_(out) {}

  /// Fills in layout, classes, parts and notes.
  void label() {
    drop_loose();
    depth_ = common_depth();
    parts_ = has_parts();
    if (parts_) ++depth_;
    Classes train;
    Classes val;
    share_out(train, val);
    for (const auto& [name, images] : train) out_.classes.push_back(name);
    check_classes(train, val);
    put(train, out_.train);
    put(val, out_.val);
    note_empty(train);
    note_untried(train, val);
  }

 private:
  using Classes = std::map<std::string, std::vector<FoundPicture*>>;

  void drop_loose() {
    std::vector<FoundPicture>& images = found_.images;
    const std::size_t loose =
        std::erase_if(images, [](const FoundPicture& one) { return one.folders.empty(); });
    if (images.empty() && loose > 0) {
      throw_failure(concat(root_.string(), ": holds ", images_of(loose),
                           " in no class folder; sort them into CLASS/image, or pretrain "
                           "without labels"));
    }
    if (loose > 0) {
      out_.notes.push_back(concat(images_of(loose), " in no class folder left out"));
    }
  }

  /// How many folders all images share at the start; one is left to be the class.
  [[nodiscard]] std::size_t common_depth() const {
    const Folders& first = found_.images.front().folders;
    std::size_t depth = first.size() - 1;
    for (const FoundPicture& one : found_.images) {
      depth = std::min(depth, one.folders.size() - 1);
      const auto end = first.begin() + static_cast<std::ptrdiff_t>(depth);
      depth = static_cast<std::size_t>(
          std::mismatch(first.begin(), end, one.folders.begin()).first - first.begin());
    }
    return depth;
  }

  /// Whether the folders are parts, not classes: `train` holds class folders, and beside it lies
  /// `val`, or nothing that is no part.
  [[nodiscard]] bool has_parts() const {
    bool train = false;
    bool val = false;
    bool others = false;
    for (const FoundPicture& one : found_.images) {
      const std::string part = part_named(one.folders[depth_]);
      train |= part == "train" && one.folders.size() > depth_ + 1;
      val |= part == "val";
      others |= part.empty();
    }
    return train && (val || !others);
  }

  /// A mask in a folder of its own below the class. A class may be named so.
  [[nodiscard]] bool is_mask(const FoundPicture& one) const {
    if (one.folders.size() <= depth_ + 1) return false;
    fs::path below;
    for (std::size_t i = depth_ + 1; i < one.folders.size(); ++i) below /= one.folders[i];
    return role_by_folder(below / "image", false) == Role::mask;
  }

  void share_out(Classes& train, Classes& val) {
    std::map<std::string, std::size_t> passed;
    std::vector<FoundPicture*> unlabelled;
    for (FoundPicture& one : found_.images) {
      const std::string part = parts_ ? part_named(one.folders[depth_ - 1]) : "train";
      if (part != "train" && part != "val") {
        ++passed[one.folders[depth_ - 1]];
      } else if (is_mask(one)) {
        ++found_.masks;
      } else if (one.folders.size() > depth_) {
        (part == "val" ? val : train)[one.folders[depth_]].push_back(&one);
      } else if (part == "val") {
        unlabelled.push_back(&one);
      } else {
        ++passed[concat(one.folders[depth_ - 1], " (in no class folder)")];
      }
    }
    for (const auto& [name, count] : passed) {
      out_.notes.push_back(concat(images_of(count), " of ", shown(name), " left out"));
    }
    out_.layout = !parts_ ? "class folders" : "class folders in parts";
    if (!unlabelled.empty()) label_by_list(unlabelled, val);
  }

  void label_by_list(const std::vector<FoundPicture*>& images, Classes& val) {
    const Solution solution(root_, found_.solution);
    if (!solution.found()) {
      const Folders& folders = images.front()->folders;
      throw_failure(concat(
          shown(images.front()->picture.source.file.string()), ": it and ",
          images_of(images.size() - 1), " more of ", shown(folders.back()),
          " lie in no class folder; sort them into ", shown(folders.back()),
          "/CLASS, or put ImageNet's LOC_val_solution.csv into the set or a folder above it"));
    }
    for (FoundPicture* one : images) val[solution.class_of(*one)].push_back(one);
    out_.layout = "ImageNet (ILSVRC)";
  }

  void check_classes(const Classes& train, const Classes& val) const {
    for (const auto& [name, images] : val) {
      if (train.contains(name)) continue;
      throw_failure(concat(shown(images.front()->picture.source.file.string()), ": its class ",
                           shown(name),
                           " has no training images; add some or leave the class out of val"));
    }
    if (const std::string wrong = wrong_class_names(out_.classes); !wrong.empty()) {
      throw_failure(concat(root_.string(), ": ", wrong, "; rename its folder"));
    }
    if (train.size() < 2) {
      throw_failure(concat(root_.string(), ": has ", train.size(), " class",
                           train.empty() ? "es" : concat(" (", shown(train.begin()->first), ")"),
                           "; two class folders with images are the least"));
    }
  }

  void put(const Classes& classes, std::vector<Picture>& part) const {
    for (const auto& [name, images] : classes) {
      const auto at = std::lower_bound(out_.classes.begin(), out_.classes.end(), name);
      for (FoundPicture* one : images) {
        part.push_back(std::move(one->picture));
        part.back().label = at - out_.classes.begin();
      }
    }
  }

  /// Class folders of the training part that hold no image.
  void note_empty(const Classes& train) {
    const Folders& above = found_.images.front().folders;
    Folders place(above.begin(),
                  above.begin() + static_cast<std::ptrdiff_t>(depth_ - (parts_ ? 1 : 0)));
    std::set<Folders> all = std::move(found_.folders);
    for (const Folders& one : folders_below(root_, place)) {
      if (!parts_) {
        all.insert(one);
      } else if (part_named(one.back()) == "train") {
        for (const Folders& inner : folders_below(root_, one)) all.insert(inner);
      }
    }
    std::set<std::string> empty;
    for (const Folders& one : all) {
      if (one.size() <= depth_ || !std::equal(place.begin(), place.end(), one.begin())) continue;
      if (parts_ && part_named(one[depth_ - 1]) != "train") continue;
      if (!train.contains(one[depth_])) empty.insert(one[depth_]);
    }
    if (empty.empty()) return;
    out_.notes.push_back(
        concat("class folders without images left out: ", some_of({empty.begin(), empty.end()})));
  }

  void note_untried(const Classes& train, const Classes& val) {
    if (val.empty()) return;
    std::vector<std::string> untried;
    for (const auto& [name, images] : train) {
      if (!val.contains(name)) untried.push_back(name);
    }
    if (untried.empty()) return;
    out_.notes.push_back(concat("classes without validation images: ", some_of(untried)));
  }

  const fs::path& root_;
  PictureFiles& found_;
  PictureSet& out_;
  bool parts_ = false;
  std::size_t depth_ = 0;  ///< of the class among an image's folders
};

void by_id(std::vector<Picture>& pictures) {
  std::sort(pictures.begin(), pictures.end(),
            [](const Picture& a, const Picture& b) { return a.id < b.id; });
}

/// Moves a share of every class from train to val. An image's place in the draw depends on the seed
/// and its id alone.
void draw_validation(PictureSet& set, const ValidationShare& validation) {
  using Place = std::pair<std::uint64_t, const Picture*>;
  std::map<std::int64_t, std::vector<Place>> classes;
  for (const Picture& one : set.train) {
    const Random random({validation.seed, fnv1a64(one.id), fnv1a64("validation part")});
    classes[one.label].emplace_back(random.bits(0), &one);
  }
  std::unordered_set<std::string> drawn;
  for (auto& [label, places] : classes) {
    if (places.size() < 2 || validation.share == 0) continue;
    std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
      return std::pair(a.first, std::string_view(a.second->id)) <
             std::pair(b.first, std::string_view(b.second->id));
    });
    const auto count = std::clamp<std::int64_t>(
        std::llround(validation.share * static_cast<double>(places.size())), 1,
        std::ssize(places) - 1);
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      drawn.insert(places[i].second->id);
    }
  }
  if (drawn.empty()) return;
  std::vector<Picture> train;
  for (Picture& one : set.train) {
    (drawn.contains(one.id) ? set.val : train).push_back(std::move(one));
  }
  set.train = std::move(train);
  set.notes.push_back(concat("no validation part: ", images_of(set.val.size()),
                             set.classes.empty() ? "" : ", a share of every class,",
                             " drawn for one (seed ", validation.seed, ")"));
}

std::string hash_of(const PictureSet& set,
                    const std::unordered_map<std::string, std::uint32_t>& crcs) {
  std::vector<std::pair<const Picture*, const char*>> all;
  for (const Picture& one : set.train) all.emplace_back(&one, "train");
  for (const Picture& one : set.val) all.emplace_back(&one, "val");
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.first->id < b.first->id; });
  Sha256 hash;
  const std::string_view end("\0", 1);  // in no name
  for (const auto& [one, part] : all) {
    const auto crc = crcs.find(one->id);
    const std::string numbers = concat(one->size, " ", crc == crcs.end() ? 0 : crc->second);
    for (const std::string_view text :
         {std::string_view(one->id),
          one->label < 0 ? std::string_view()
                         : std::string_view(set.classes[static_cast<std::size_t>(one->label)]),
          std::string_view(part), std::string_view(numbers)}) {
      hash.add(text);
      hash.add(end);
    }
  }
  return hash.finish();
}

void note_others(PictureFiles& found, PictureSet& out) {
  if (!found.others.empty()) {
    std::sort(found.others.begin(), found.others.end());
    out.notes.push_back(
        concat(counted(std::ssize(found.others), "file"),
               found.others.size() == 1 ? " that is not an image" : " that are not images",
               " left out: ", some_of(found.others)));
  }
  if (found.masks > 0) {
    out.notes.push_back(
        concat(counted(static_cast<std::int64_t>(found.masks), "mask"), " left out"));
  }
}

/// All images of the set, whatever their folders, but those of masks.
void take_all(PictureFiles& found, PictureSet& out) {
  out.layout = "images";
  std::size_t tests = 0;
  const Folders* place = nullptr;  // of the image before
  bool mask = false;
  bool test = false;
  for (FoundPicture& one : found.images) {
    if (place == nullptr || *place != one.folders) {
      mask = role_by_folder(one.picture.id, false) == Role::mask;
      test = std::any_of(one.folders.begin(), one.folders.end(),
                         [](const std::string& name) { return part_named(name) == "test"; });
      place = &one.folders;
    }
    if (mask) {
      ++found.masks;
      continue;
    }
    tests += test ? 1 : 0;
    out.train.push_back(std::move(one.picture));
  }
  if (tests > 0) {
    out.notes.push_back(concat(images_of(tests), " of test folders are learned from too"));
  }
}

[[noreturn]] void throw_no_images(const fs::path& root) {
  throw_failure(concat(root.string(),
                       ": holds no image that is read (PNG, JPEG, TIFF, ...), in folders or in "
                       ".zip files"));
}

}  // namespace

PictureSet open_pictures(const std::vector<fs::path>& data, bool labelled,
                         const ValidationShare& validation) {
  if (data.empty()) throw_usage("no images to pretrain on: give a folder or a .zip file");
  if (labelled && data.size() > 1) {
    throw_usage(
        concat("labelled images come from one folder or .zip file; ", data.size(), " were given"));
  }
  if (!(validation.share >= 0 && validation.share < 1)) {
    throw_usage(
        concat("the validation part's share is ", validation.share, ", expected 0 to below 1"));
  }
  PictureFiles found = find_pictures(data);
  PictureSet out;
  out.root = data.front();
  if (found.images.empty()) throw_no_images(data.front());
  std::unordered_map<std::string, std::uint32_t> crcs;
  for (const FoundPicture& one : found.images) {
    if (one.crc != 0) crcs.emplace(one.picture.id, one.crc);
  }
  if (labelled) {
    Labeller(data.front(), found, out).label();
  } else {
    take_all(found, out);
  }
  if (out.train.empty()) throw_no_images(data.front());
  note_others(found, out);
  by_id(out.train);
  by_id(out.val);
  if (out.val.empty()) draw_validation(out, validation);
  out.sha256 = hash_of(out, crcs);
  return out;
}

}  // namespace medurwkv::data
