// Laws of pairing over random trees of names: nothing crashes, every picture ends in one place, and
// the pairs are those of the rules in docs/read-data.md, applied here by comparing all files with
// all others.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "data/codecs/read.h"
#include "data/layout/layout.h"
#include "data/layout/pairing.h"
#include "support/paths.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

// The letter that both forms of Unicode write differently.
const char* const composed = "\xc3\xbc";
const char* const decomposed = "u\xcc\x88";

enum class Says { image, mask, passed, nothing };

struct Folder {
  std::string written;   ///< on the disk
  std::string compared;  ///< composed
  Says says = Says::nothing;
  std::string part{};
};

struct Picture {
  std::vector<Folder> folders;
  std::string written_base, base;  ///< the name without what tools add; composed
  std::string mark, suffix;        ///< of images and of masks
  std::string number, format;

  [[nodiscard]] std::string stem() const { return base + mark + suffix + number; }
  [[nodiscard]] fs::path path(const fs::path& root) const {
    fs::path out = root;
    for (const Folder& folder : folders) out /= folder.written;
    return out / (written_base + mark + suffix + number + format);
  }
  [[nodiscard]] std::vector<std::string> folder_names() const {
    std::vector<std::string> out;
    for (const Folder& folder : folders) out.push_back(folder.compared);
    return out;
  }
};

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  std::size_t below(std::size_t count) { return engine_() % count; }
  template <class T>
  const T& one_of(const std::vector<T>& some) {
    return some[below(some.size())];
  }

 private:
  std::mt19937 engine_;
};

const std::vector<Folder>& folder_pool() {
  static const std::vector<Folder> pool{{"images", "images", Says::image, ""},
                                        {"images", "images", Says::image, ""},
                                        {"Img", "Img", Says::image, ""},
                                        {"eye_images", "eye_images", Says::image, ""},
                                        {"masks", "masks", Says::mask, ""},
                                        {"masks", "masks", Says::mask, ""},
                                        {"GT", "GT", Says::mask, ""},
                                        {"x_masks", "x_masks", Says::mask, ""},
                                        {"superpixels", "superpixels", Says::passed, ""},
                                        {"train", "train", Says::nothing, "train"},
                                        {"my Training", "my Training", Says::nothing, "train"},
                                        {"valid", "valid", Says::nothing, "val"},
                                        {"test", "test", Says::nothing, "test"},
                                        {"0", "0", Says::nothing, ""},
                                        {"1", "1", Says::nothing, ""},
                                        {"a.b", "a.b", Says::nothing, ""},
                                        {"benign (1)", "benign (1)", Says::nothing, ""},
                                        {"a", "a", Says::nothing, ""},
                                        {"ba", "ba", Says::nothing, ""},
                                        {composed, composed, Says::nothing, ""},
                                        {decomposed, composed, Says::nothing, ""}};
  return pool;
}

Picture random_picture(Dice& dice) {
  static const std::vector<std::pair<std::string, std::string>> bases{{"1", "1"},
                                                                      {"0", "0"},
                                                                      {"a", "a"},
                                                                      {"a.b", "a.b"},
                                                                      {"benign (1)", "benign (1)"},
                                                                      {"x_1", "x_1"},
                                                                      {"images", "images"},
                                                                      {"train", "train"},
                                                                      {composed, composed},
                                                                      {decomposed, composed}};
  static const std::vector<std::string> marks{"", "", "", "", "_test", "_0000"};
  static const std::vector<std::string> suffixes{"", "", "", "_mask", "_mask", "_seg", "-mask"};
  static const std::vector<std::string> formats{".png", ".png", ".png", ".jpg"};
  Picture out;
  const std::size_t depth = dice.below(5);
  for (std::size_t i = 0; i < depth; ++i) out.folders.push_back(dice.one_of(folder_pool()));
  std::tie(out.written_base, out.base) = dice.one_of(bases);
  out.mark = dice.one_of(marks);
  out.suffix = dice.one_of(suffixes);
  if (out.suffix == "_mask" && dice.below(3) == 0) out.number = "_1";
  out.format = dice.one_of(formats);
  return out;
}

/// Files by their paths, as they are listed. Half of them are relatives of one before: in a sibling
/// folder, or with another suffix, so that there is something to pair.
std::map<fs::path, Picture> random_tree(Dice& dice, const fs::path& root) {
  std::vector<Picture> made;
  const std::size_t count = 1 + dice.below(14);
  while (made.size() < count) {
    Picture next = random_picture(dice);
    if (!made.empty() && dice.below(3) > 0) {
      const Picture other = next;
      next = dice.one_of(made);
      const std::size_t change = dice.below(4);
      if (change == 0 || next.folders.empty()) {
        next.suffix = other.suffix;
        next.number = other.number;
      } else if (change == 1) {
        next.folders[dice.below(next.folders.size())] = dice.one_of(folder_pool());
      } else if (change == 2) {
        next.folders.back() = dice.one_of(folder_pool());
        next.suffix = next.number = "";
      } else {
        next.base = other.base;
        next.written_base = other.written_base;
      }
    }
    made.push_back(std::move(next));
  }
  std::map<fs::path, Picture> out;
  for (Picture& one : made) out.emplace(one.path(root), std::move(one));
  return out;
}

/// The rules of docs/read-data.md, each over all pairs of files.
class Rules {
 public:
  struct Mine {
    const Picture* picture = nullptr;
    fs::path path;
    Says role = Says::nothing;
    std::string key, part, class_folder;
    std::vector<std::string> place;
    std::string suffix;
  };
  struct Pair {
    std::string id;
    std::set<fs::path> masks;
    bool refused = false;
  };

  explicit Rules(const std::map<fs::path, Picture>& tree) {
    for (const auto& [path, picture] : tree) {
      Mine& one = all_.emplace_back();
      one.picture = &picture;
      one.path = path;
      one.suffix = picture.suffix;
    }
    for (Mine& one : all_) rule_1_by_folder(one);
    std::vector<bool> strays;
    for (const Mine& one : all_) strays.push_back(is_stray(one));
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (strays[i]) all_[i].role = Says::passed;
    }
    for (Mine& one : all_) rule_1_by_name(one);
    for (Mine& one : all_) {
      one.key = one.picture->base;
      one.place = place_of_folders(one.picture->folders, std::nullopt);
      for (const Folder& folder : one.picture->folders) {
        if (!folder.part.empty()) one.part = folder.part;
      }
    }
    rule_5();
    rule_4_class_folders();
    pair();
  }

  std::map<fs::path, Pair> pairs;  ///< by image
  std::set<fs::path> passed, images_alone, masks_alone, ambiguous, unlabelled;
  bool refuses = false;

 private:
  static void rule_1_by_folder(Mine& one) {
    for (const Folder& folder : one.picture->folders) {
      if (one.role == Says::passed) break;
      if (folder.says != Says::nothing) one.role = folder.says;
    }
  }

  [[nodiscard]] bool holds(const std::vector<std::string>& above, Says what) const {
    return std::any_of(all_.begin(), all_.end(), [&](const Mine& one) {
      const auto names = one.picture->folder_names();
      return one.role != Says::passed && names.size() > above.size() &&
             std::equal(above.begin(), above.end(), names.begin()) &&
             one.picture->folders[above.size()].says == what;
    });
  }

  [[nodiscard]] bool is_stray(const Mine& one) const {
    if (one.role != Says::nothing) return false;
    const auto names = one.picture->folder_names();
    bool below = false;
    for (std::size_t depth = 0; depth <= names.size(); ++depth) {
      const std::vector<std::string> above(names.begin(),
                                           names.begin() + static_cast<std::ptrdiff_t>(depth));
      below = below || (holds(above, Says::image) && holds(above, Says::mask));
    }
    return below && std::none_of(all_.begin(), all_.end(), [&](const Mine& other) {
             return other.picture->folder_names() == names &&
                    other.picture->base == one.picture->base &&
                    other.picture->suffix.empty() != one.picture->suffix.empty();
           });
  }

  void rule_1_by_name(Mine& one) const {
    const bool marked = !one.picture->suffix.empty();
    if (one.role == Says::nothing) one.role = marked ? Says::mask : Says::image;
    if (one.role != Says::image || !marked) return;
    const bool beside = std::any_of(all_.begin(), all_.end(), [&](const Mine& other) {
      return other.picture->folder_names() == one.picture->folder_names() &&
             other.picture->stem() == one.picture->base + one.picture->mark;
    });
    if (beside) one.role = Says::mask;
  }

  static std::vector<std::string> place_of_folders(std::vector<Folder> folders,
                                                   std::optional<std::size_t> without) {
    if (without) folders.erase(folders.begin() + static_cast<std::ptrdiff_t>(*without));
    std::vector<std::string> out;
    for (const Folder& folder : folders) {
      if (folder.says == Says::image || folder.says == Says::mask) continue;
      const std::string name = folder.part.empty() ? folder.compared : folder.part;
      if (out.empty() || out.back() != name) out.push_back(name);
    }
    return out;
  }

  void rule_5() {
    const auto outer = [](const Mine& one) {
      auto names = one.picture->folder_names();
      if (!names.empty()) names.pop_back();
      return names;
    };
    std::vector<std::pair<Mine*, std::string>> changes;
    for (Mine& one : all_) {
      const auto folder = outer(one);
      if (folder.empty() || one.picture->folders.size() < 2) continue;
      std::vector<const Mine*> images;
      for (const Mine& other : all_) {
        const bool inside =
            other.picture->folders.size() == folder.size() + 1 && outer(other) == folder;
        if (inside && other.role == Says::image) images.push_back(&other);
      }
      if (images.size() == 1 && images.front()->picture->stem() == folder.back()) {
        changes.emplace_back(&one, folder.back());
      }
    }
    for (auto& [one, key] : changes) {
      one->key = key;
      std::vector<Folder> folders = one->picture->folders;
      folders.resize(folders.size() - 2);
      one->place = place_of_folders(folders, std::nullopt);
      one->suffix = "";
    }
  }

  void rule_4_class_folders() {
    std::set<std::string> of_images;
    for (const Mine& one : all_) {
      if (one.role != Says::image) continue;
      for (const Folder& folder : one.picture->folders) of_images.insert(folder.compared);
    }
    for (Mine& one : all_) {
      const auto& folders = one.picture->folders;
      if (one.role != Says::mask || folders.size() < 2) continue;
      const Folder& last = folders.back();
      const bool single = folders[folders.size() - 2].says == Says::mask &&
                          last.says == Says::nothing && last.part.empty();
      if (!single || of_images.contains(last.compared)) continue;
      one.class_folder = last.compared;
      one.place = place_of_folders(folders, folders.size() - 1);
    }
    std::set<std::string> names;
    bool two = false;
    for (const Mine& one : all_) {
      if (one.class_folder.empty()) continue;
      names.insert(one.class_folder);
      for (const Mine& other : all_) {
        two = two || (!other.class_folder.empty() && other.class_folder != one.class_folder &&
                      other.key == one.key && other.place == one.place);
      }
    }
    const bool numbered = names == std::set<std::string>{"0", "1"};
    classes_ = names.size() > 1 && (two || numbered);
  }

  void pair() {
    std::vector<const Mine*> images;
    std::map<const Mine*, std::vector<const Mine*>> masks;
    for (const Mine& one : all_) {
      if (one.role == Says::passed) passed.insert(one.path);
      if (one.role != Says::image) continue;
      const bool again = std::any_of(images.begin(), images.end(), [&](const Mine* other) {
        return other->key == one.key && other->place == one.place;
      });
      if (again) {
        ambiguous.insert(one.path);
      } else {
        images.push_back(&one);
      }
    }
    for (const Mine& one : all_) {
      if (one.role != Says::mask) continue;
      const Mine* image = image_of(one, images);
      if (image == nullptr) {
        masks_alone.insert(one.path);
      } else if (classes_ && one.class_folder.empty()) {
        refuses = true;
        passed.insert(one.path);
      } else {
        masks[image].push_back(&one);
      }
    }
    std::set<std::string> labelled;
    for (const auto& [image, own] : masks) labelled.insert(image->part);
    for (const Mine* image : images) {
      if (masks.contains(image)) {
        pairs[image->path] = pair_of(*image, masks[image], images);
      } else if (!image->part.empty() && !labelled.empty() && !labelled.contains(image->part)) {
        unlabelled.insert(image->path);
      } else {
        images_alone.insert(image->path);
      }
    }
  }

  static const Mine* image_of(const Mine& mask, const std::vector<const Mine*>& images) {
    const Mine* only = nullptr;
    int of_key = 0;
    for (const Mine* image : images) {
      if (image->key != mask.key) continue;
      if (image->place == mask.place) return image;
      only = image;
      ++of_key;
    }
    if (of_key != 1) return nullptr;
    const bool apart = !mask.part.empty() && !only->part.empty() && mask.part != only->part;
    return apart ? nullptr : only;
  }

  Pair pair_of(const Mine& image, const std::vector<const Mine*>& own,
               const std::vector<const Mine*>& images) {
    Pair out;
    const bool repeated = std::any_of(images.begin(), images.end(), [&](const Mine* other) {
      return other->key == image.key && other->place != image.place;
    });
    for (const std::string& folder : image.place) out.id += repeated ? folder + "/" : "";
    out.id += image.key;
    for (const Mine* a : own) {
      out.masks.insert(a->path);
      for (const Mine* b : own) {
        if (a == b || (classes_ && a->class_folder != b->class_folder)) continue;
        const bool together = a->picture->folder_names() == b->picture->folder_names() &&
                              a->suffix == b->suffix && a->picture->stem() != b->picture->stem();
        out.refused = out.refused || !together;
      }
    }
    refuses = refuses || out.refused;
    return out;
  }

  std::vector<Mine> all_;
  bool classes_ = false;
};

std::string listed(const std::map<fs::path, Picture>& tree) {
  std::string out;
  for (const auto& [path, unused] : tree) out += path.string() + "\n";
  return out;
}

Layout pair_tree(const std::map<fs::path, Picture>& tree, const fs::path& root) {
  std::vector<fs::path> files;
  for (const auto& [path, unused] : tree) files.push_back(path);
  Layout out;
  pair_files(
      root, files, [](const auto&) { return false; }, out);
  return out;
}

std::set<fs::path> as_set(const std::vector<fs::path>& files) {
  return {files.begin(), files.end()};
}

/// Where each picture is: once, but for ambiguous ones, which are counted by id.
void expect_each_once(const Layout& layout, std::size_t count) {
  std::multiset<fs::path> seen;
  for (const Case& item : layout.cases) {
    for (const ImageSource& image : item.images) seen.insert(image.file);
    for (const ImageSource& mask : item.masks) seen.insert(mask.file);
    if (item.field_of_view) seen.insert(item.field_of_view->file);
  }
  for (const auto* some :
       {&layout.images_alone, &layout.masks_alone, &layout.unlabelled, &layout.passed}) {
    seen.insert(some->begin(), some->end());
  }
  EXPECT_EQ(std::set<fs::path>(seen.begin(), seen.end()).size(), seen.size());
  EXPECT_EQ(seen.size() + layout.ambiguous.size(), count);
  std::set<std::string> ids;
  for (const Case& item : layout.cases) EXPECT_TRUE(ids.insert(item.id).second) << item.id;
}

TEST(PairingLaws, PairsAreThoseOfTheRules) {
  std::map<std::string, int> met;  // that the trees have what the rules speak of
  for (unsigned seed = 0; seed < 6000 && !HasFailure(); ++seed) {
    Dice dice(seed);
    const fs::path root =
        fs::path("/sets") / dice.one_of(std::vector<std::string>{"set", "1", "images", "train"});
    const auto tree = random_tree(dice, root);
    const Rules rules(tree);
    const Layout layout = pair_tree(tree, root);
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + listed(tree));
    expect_each_once(layout, tree.size());
    EXPECT_EQ(layout.cases.size(), rules.pairs.size());
    for (const Case& item : layout.cases) {
      const auto pair = rules.pairs.find(item.images.front().file);
      if (pair == rules.pairs.end()) {
        ADD_FAILURE() << item.id << " is no case";
        continue;
      }
      EXPECT_EQ(item.id, pair->second.id);
      std::set<fs::path> masks;
      for (const ImageSource& mask : item.masks) masks.insert(mask.file);
      if (!pair->second.refused) {
        EXPECT_EQ(masks, pair->second.masks);
      }
      met[masks.size() > 1 ? "several masks" : "one mask"] += 1;
    }
    EXPECT_EQ(layout.broken.empty(), !rules.refuses);
    EXPECT_EQ(as_set(layout.images_alone), rules.images_alone);
    EXPECT_EQ(as_set(layout.masks_alone), rules.masks_alone);
    EXPECT_EQ(as_set(layout.unlabelled), rules.unlabelled);
    EXPECT_EQ(layout.ambiguous.size(), rules.ambiguous.size());
    if (!rules.refuses) {
      EXPECT_EQ(as_set(layout.passed), rules.passed);
    }
    met["ambiguous"] += layout.ambiguous.empty() ? 0 : 1;
    met["refused"] += rules.refuses ? 1 : 0;
    met["classes"] += layout.by_folder ? 1 : 0;
    met["strays"] += layout.notes.empty() ? 0 : 1;
    met["withheld"] += layout.unlabelled.empty() ? 0 : 1;
  }
  for (const char* what :
       {"several masks", "one mask", "ambiguous", "refused", "classes", "strays", "withheld"}) {
    EXPECT_GT(met[what], 50) << what;
  }
}

/// Names that known sets have, and those that nobody should have.
std::map<fs::path, Picture> wild_tree(Dice& dice, const fs::path& root) {
  static const std::vector<std::string> names{"images",
                                              "masks",
                                              "mask",
                                              "train",
                                              "imagesTr",
                                              "labelsTr",
                                              "imagesTs",
                                              "1st_manual",
                                              "manual1",
                                              "png",
                                              "tif",
                                              "Original",
                                              "1",
                                              "a",
                                              "a_0000",
                                              "a_0001",
                                              "masks",
                                              "0",
                                              "a_mask",
                                              "...",
                                              "a.",
                                              "_mask",
                                              "_0000",
                                              "\xff\xfe",
                                              "u\xcc",
                                              " ",
                                              "_lesion",
                                              "x_roi",
                                              "imagesTr",
                                              "Ground Truth",
                                              "\xcc\x88",
                                              "$1",
                                              "[a]",
                                              "a_1stHO",
                                              "Image_01L",
                                              "labels-ah",
                                              "test_gt",
                                              "case_1_slice_2",
                                              "patient001_frame01"};
  std::map<fs::path, Picture> out;
  const std::size_t count = 1 + dice.below(16);
  for (std::size_t i = 0; i < count; ++i) {
    fs::path path = root;
    const std::size_t depth = dice.below(6);
    for (std::size_t d = 0; d < depth; ++d) path /= dice.one_of(names);
    out[path /
        (dice.one_of(names) + dice.one_of(std::vector<std::string>{".png", ".npy", ".TIF"}))];
  }
  return out;
}

TEST(PairingLaws, AnyTreeHasAPlaceForEachPicture) {
  for (unsigned seed = 0; seed < 6000 && !HasFailure(); ++seed) {
    Dice dice(seed);
    const fs::path root = fs::path("/") / dice.one_of(std::vector<std::string>{"a", "1", "masks"});
    const auto tree = wild_tree(dice, root);
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + listed(tree));
    std::vector<fs::path> files;
    for (const auto& [path, unused] : tree) files.push_back(path);
    Layout layout;
    // Sources of masks are alike by the toss of a coin.
    const auto alike = [&](const auto&) { return dice.below(2) == 0; };
    ASSERT_NO_THROW(pair_files(root, files, alike, layout));
    expect_each_once(layout, tree.size());
  }
}

// The same through the whole of find_layout, with lists and tables beside the pictures: whatever
// they hold, the outcome is at most an Error, and never an internal one.
TEST(PairingLaws, AnyFolderIsReadOrRefused) {
  static const std::vector<std::string> texts{"train.txt",    "val_list.txt", "test.list",
                                              "groups.csv",   "labelmap.txt", "classes.txt",
                                              "metadata.csv", "_classes.csv", "dataset.json"};
  static const std::vector<std::string> words{
      "a",     "1.png",      "images/1.png", "\\",    "/",        ",", ";",
      "\t",    "\n",         "\r\n",         "\"",    "#",        ":", "0",
      "image", "patient_id", "..",           "C:\\x", "\xff\xfe", " ", "train/"};
  int cases = 0;
  for (unsigned seed = 0; seed < 120; ++seed) {
    Dice dice(seed);
    const test::TemporaryFolder folder;
    const auto tree =
        seed % 2 == 0 ? random_tree(dice, folder.path()) : wild_tree(dice, folder.path());
    for (const auto& [path, unused] : tree) {
      std::error_code ignored;
      fs::create_directories(path.parent_path(), ignored);
      std::ofstream(path) << "x";
    }
    for (const std::string& name : texts) {
      if (dice.below(4) > 0) continue;
      std::ofstream out(folder.path() / name, std::ios::binary);
      for (std::size_t i = dice.below(12); i > 0; --i) out << dice.one_of(words);
    }
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + listed(tree));
    try {
      cases += static_cast<int>(find_layout(folder.path()).cases.size());
    } catch (const Error& error) {
      EXPECT_NE(error.kind(), ErrorKind::internal) << error.what();
    }
  }
  EXPECT_GT(cases, 20);
}

}  // namespace
}  // namespace medurwkv::data
