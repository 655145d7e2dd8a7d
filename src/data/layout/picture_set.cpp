#include "data/layout/picture_set.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
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
#include "data/layout/layout.h"
#include "data/layout/names.h"
#include "data/layout/picture_zip.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using Folders = std::vector<std::string>;

constexpr std::string_view solution_file = "loc_val_solution.csv";

/// An image file, before anything is known of its part and class.
struct Found {
  Picture picture;
  std::uint32_t crc = 0;  ///< of a zip's member
  Folders folders{};      ///< above it, below the root; zips among them
};

struct Findings {
  std::vector<Found> images;
  std::vector<std::string> others;  ///< files that are no images
  std::size_t masks = 0;
  std::vector<Folders> folders;  ///< that are there, with or without images
  fs::path solution{};           ///< ImageNet's list of classes
};

bool is_zip(const fs::path& path) {
  return lower(path.extension().string()) == ".zip";
}

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
  return concat(with_thousands(static_cast<std::int64_t>(count)),
                count == 1 ? " image" : " images");
}

/// Puts what lies at `path` below the root, folders and zips alike, into the findings.
class Gatherer {
 public:
  explicit Gatherer(Findings& out) : out_(out) {}

  void add_folder(const fs::path& root, const fs::path& prefix) {
    for (const fs::path& file : list_files(root)) {
      const fs::path below = prefix / file.lexically_relative(root);
      if (is_zip(file)) {
        add_zip(file, below.parent_path() / below.stem());
      } else if (has_image_suffix(file)) {
        add(below, ImageSource{.file = file}, size_of(file), 0);
      } else {
        add_other(below);
        if (lower(file.filename().string()) == solution_file) out_.solution = file;
      }
    }
  }

  void add_zip(const fs::path& file, const fs::path& prefix) {
    const auto zip = std::make_shared<const PictureZip>(file);
    for (const ZipMember& member : zip->archive().members()) {
      const fs::path inner{std::string(member.name)};
      if (std::any_of(inner.begin(), inner.end(),
                      [](const fs::path& one) { return !one.empty() && is_junk(one); })) {
        continue;
      }
      if (member.name.ends_with('/')) {
        out_.folders.push_back(folders_of((prefix / inner).parent_path()));
      } else if (has_image_suffix(inner) && lower(inner.extension().string()) != ".npy") {
        add(prefix / inner,
            ImageSource{.file = file, .array = std::string(member.name), .store = zip}, member.size,
            member.crc);
      } else {
        add_other(prefix / inner);
      }
    }
  }

 private:
  static std::uint64_t size_of(const fs::path& file) {
    std::error_code error;
    const std::uint64_t size = fs::file_size(file, error);
    if (error) throw_failure(concat(file.string(), ": cannot be examined: ", error.message()));
    return size;
  }

  static Folders folders_of(const fs::path& path) {
    Folders out;
    for (const fs::path& one : path) out.push_back(nfc(one.string()));
    return out;
  }

  void add(const fs::path& below, ImageSource source, std::uint64_t size, std::uint32_t crc) {
    out_.images.push_back(
        {{.id = nfc(below.generic_string()), .source = std::move(source), .size = size},
         crc,
         folders_of(below.parent_path())});
  }

  void add_other(const fs::path& below) {
    out_.others.push_back(below.generic_string());
    out_.folders.push_back(folders_of(below.parent_path()));
  }

  Findings& out_;
};

/// Drops images named `..._mask` beside the image that they are of.
void drop_masks_beside(Findings& found) {
  const auto place_and_stem = [](const std::string& id) {
    const fs::path path(id);
    return std::pair{path.parent_path(), path.stem().string()};
  };
  std::unordered_set<std::string> stems;
  for (const Found& one : found.images) {
    const auto [place, stem] = place_and_stem(one.picture.id);
    stems.insert((place / stem).string());
  }
  const auto is_mask = [&](const Found& one) {
    const auto [place, stem] = place_and_stem(one.picture.id);
    const std::string of = without_mask_suffix(stem);
    return of != stem && stems.contains((place / of).string());
  };
  found.masks += std::erase_if(found.images, is_mask);
}

void sort_and_check(std::vector<Found>& images) {
  const auto id = [](const Found& one) -> const std::string& { return one.picture.id; };
  std::sort(images.begin(), images.end(),
            [&](const Found& a, const Found& b) { return id(a) < id(b); });
  const auto twice = std::adjacent_find(
      images.begin(), images.end(), [&](const Found& a, const Found& b) { return id(a) == id(b); });
  if (twice == images.end()) return;
  throw_failure(concat(
      shown(id(*twice)), ": is there twice: in ", shown(twice->picture.source.file.string()),
      " and in ", shown((twice + 1)->picture.source.file.string()), "; move one out of the set"));
}

/// `root` without links and dots.
fs::path whole_path(const fs::path& root) {
  std::error_code error;
  fs::path out = fs::weakly_canonical(root, error);
  return error ? root.lexically_normal() : out;
}

/// What stands in front of the ids of one root of several.
std::string name_of_root(const fs::path& root) {
  const fs::path whole = whole_path(root);
  return is_zip(whole) ? whole.stem().string() : whole.filename().string();
}

void check_apart(const std::vector<fs::path>& data) {
  std::vector<std::pair<fs::path, fs::path>> places;
  for (const fs::path& one : data) places.emplace_back(whole_path(one), one);
  for (std::size_t i = 0; i < places.size(); ++i) {
    for (std::size_t j = 0; j < places.size(); ++j) {
      const fs::path& outer = places[i].first;
      const fs::path& inner = places[j].first;
      const auto [end, ignored] =
          std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
      if (i != j && end == outer.end()) {
        throw_usage(concat(places[j].second.string(), ": lies in ", places[i].second.string(),
                           ", which is given too; give each image once"));
      }
    }
  }
}

Findings gather(const std::vector<fs::path>& data) {
  Findings out;
  Gatherer gatherer(out);
  std::map<std::string, int> names;
  for (const fs::path& one : data) {
    fs::path prefix;
    if (data.size() > 1) {
      const std::string name = name_of_root(one);
      const int number = ++names[name];
      prefix = number == 1 ? name : concat(name, " (", number, ")");
    }
    std::error_code error;
    const fs::file_status status = fs::status(one, error);
    if (status.type() == fs::file_type::not_found) {
      throw_failure(concat(one.string(), ": no such folder or zip file"));
    }
    if (error) throw_failure(concat(one.string(), ": cannot be examined: ", error.message()));
    if (fs::is_directory(status)) {
      gatherer.add_folder(one, prefix);
    } else if (is_zip(one)) {
      gatherer.add_zip(one, prefix);
    } else {
      throw_failure(concat(one.string(), ": is neither a folder nor a .zip file of images"));
    }
  }
  drop_masks_beside(out);
  sort_and_check(out.images);
  return out;
}

/// Names of folders directly below `above` in the set, on the disc.
std::vector<std::string> folders_below(const fs::path& root, const Folders& above) {
  fs::path place = root;
  for (const std::string& one : above) place /= one;
  std::error_code ignored;
  std::vector<std::string> out;
  if (!fs::is_directory(place, ignored)) return out;
  for (const fs::path& path : list_folder(place)) {
    if (!is_junk(path) && fs::is_directory(path, ignored)) {
      out.push_back(nfc(path.filename().string()));
    }
  }
  return out;
}

/// The class of images by their stem, out of ImageNet's list; empty without one.
class Solution {
 public:
  Solution(const fs::path& root, const fs::path& inside) : file_(find(root, inside)) {
    if (file_.empty()) return;
    const Table table = read_table(file_);
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

  [[nodiscard]] bool found() const { return !file_.empty(); }
  [[nodiscard]] std::string class_of(const Found& image) const {
    const auto at = classes_.find(fs::path(image.picture.id).stem().string());
    if (at != classes_.end()) return at->second;
    throw_failure(concat(shown(image.picture.id), ": has no line in ", file_.string(),
                         "; complete the list or move the image out of the set"));
  }

 private:
  static fs::path find(const fs::path& root, const fs::path& inside) {
    constexpr int most_above = 4;
    if (!inside.empty()) return inside;
    std::error_code ignored;
    fs::path folder = whole_path(root);
    for (int i = 0; i < most_above && folder.has_relative_path(); ++i) {
      folder = folder.parent_path();
      const fs::path file = folder / "LOC_val_solution.csv";
      if (fs::is_regular_file(file, ignored)) return file;
    }
    return {};
  }

  fs::path file_;
  std::unordered_map<std::string, std::string> classes_;
};

/// Sorts images with a class each into parts.
class Labeller {
 public:
  Labeller(const fs::path& root, Findings& found, PictureSet& out)
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
    note_empty(train, val);
  }

 private:
  using Classes = std::map<std::string, std::vector<Found*>>;

  void drop_loose() {
    std::vector<Found>& images = found_.images;
    const std::size_t loose =
        std::erase_if(images, [](const Found& one) { return one.folders.empty(); });
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
    for (const Found& one : found_.images) {
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
    for (const Found& one : found_.images) {
      const std::string part = part_named(one.folders[depth_]);
      train |= part == "train" && one.folders.size() > depth_ + 1;
      val |= part == "val";
      others |= part.empty();
    }
    return train && (val || !others);
  }

  /// A mask in a folder of its own below the class. A class may be named so.
  [[nodiscard]] bool is_mask(const Found& one) const {
    fs::path below;
    for (std::size_t i = depth_ + 1; i < one.folders.size(); ++i) below /= one.folders[i];
    return role_by_folder(below / "image", false) == Role::mask;
  }

  void share_out(Classes& train, Classes& val) {
    std::map<std::string, std::size_t> passed;
    std::vector<Found*> unlabelled;
    for (Found& one : found_.images) {
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

  void label_by_list(const std::vector<Found*>& images, Classes& val) {
    const Solution solution(root_, found_.solution);
    if (!solution.found()) {
      const Folders& folders = images.front()->folders;
      throw_failure(concat(
          shown(images.front()->picture.source.file.string()), ": it and ",
          images_of(images.size() - 1), " more of ", shown(folders.back()),
          " lie in no class folder; sort them into ", shown(folders.back()),
          "/CLASS, or put ImageNet's LOC_val_solution.csv into the set or a folder above it"));
    }
    for (Found* one : images) val[solution.class_of(*one)].push_back(one);
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
      for (Found* one : images) {
        part.push_back(std::move(one->picture));
        part.back().label = at - out_.classes.begin();
      }
    }
  }

  void note_empty(const Classes& train, const Classes& val) {
    const Folders& above = found_.images.front().folders;
    const auto shared = static_cast<std::ptrdiff_t>(depth_ - (parts_ ? 1 : 0));
    std::vector<Folders> all = found_.folders;
    const auto add_below = [&](const Folders& place) {
      for (const std::string& name : folders_below(root_, place)) {
        all.push_back(place);
        all.back().push_back(name);
      }
    };
    Folders place(above.begin(), above.begin() + shared);
    if (!parts_) {
      add_below(place);
    } else {
      for (const std::string& part : folders_below(root_, place)) {
        if (part_named(part) != "train") continue;
        place.push_back(part);
        add_below(place);
        place.pop_back();
      }
    }
    std::set<std::string> empty;
    for (const Folders& one : all) {
      if (one.size() <= depth_ || !std::equal(place.begin(), place.end(), one.begin())) continue;
      if (parts_ && part_named(one[depth_ - 1]) != "train") continue;
      if (!train.contains(one[depth_])) empty.insert(one[depth_]);
    }
    if (!empty.empty()) {
      out_.notes.push_back(
          concat("class folders without images left out: ", some_of({empty.begin(), empty.end()})));
    }
    if (val.empty()) return;
    std::vector<std::string> untried;
    for (const auto& [name, images] : train) {
      if (!val.contains(name)) untried.push_back(name);
    }
    if (!untried.empty()) {
      out_.notes.push_back(concat("classes without validation images: ", some_of(untried)));
    }
  }

  const fs::path& root_;
  Findings& found_;
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

void note_others(Findings& found, PictureSet& out) {
  if (!found.others.empty()) {
    std::sort(found.others.begin(), found.others.end());
    out.notes.push_back(
        concat(counted(std::ssize(found.others), "file"),
               found.others.size() == 1 ? " that is no image" : " that are no images",
               " left out: ", some_of(found.others)));
  }
  if (found.masks > 0) {
    out.notes.push_back(
        concat(counted(static_cast<std::int64_t>(found.masks), "mask"), " left out"));
  }
}

/// All images of the set, whatever their folders, but those of masks.
void take_all(Findings& found, PictureSet& out) {
  out.layout = "images";
  std::size_t tests = 0;
  for (Found& one : found.images) {
    if (role_by_folder(one.picture.id, false) == Role::mask) {
      ++found.masks;
      continue;
    }
    const bool test =
        std::any_of(one.folders.begin(), one.folders.end(),
                    [](const std::string& name) { return part_named(name) == "test"; });
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
  check_apart(data);
  Findings found = gather(data);
  PictureSet out;
  out.root = data.front();
  if (found.images.empty()) throw_no_images(data.front());
  std::unordered_map<std::string, std::uint32_t> crcs;
  for (const Found& one : found.images) {
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
