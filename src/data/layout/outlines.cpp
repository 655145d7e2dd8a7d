// Files of outlines (data/polygons) beside images: which image each means, and cases of them.
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/case_loop.h"
#include "core/error.h"
#include "core/model_description.h"
#include "core/text.h"
#include "core/unicode.h"
#include "data/codecs/read.h"
#include "data/layout/case_names.h"
#include "data/layout/encoding.h"
#include "data/layout/named_pictures.h"
#include "data/layout/names.h"
#include "data/layout/sets.h"
#include "data/polygons/annotations.h"
#include "data/polygons/masks.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// An image of a file and the picture that it means.
struct Match {
  std::size_t file = 0, image = 0, picture = 0;
};

class Outlines {
 public:
  Outlines(const fs::path& root, const std::vector<fs::path>& files, Layout& layout)
      : root_(root), layout_(layout), pictures_(root, files) {}

  bool add(const std::vector<std::pair<fs::path, AnnotationKind>>& found) {
    parse(found);
    for (std::size_t i = 0; i < files_.size(); ++i) match(i);
    read_sizes();
    name_classes();
    make_cases();
    note_oddities();
    sort_out_the_rest();
    return !layout_.cases.empty();
  }

 private:
  void parse(const std::vector<std::pair<fs::path, AnnotationKind>>& found) {
    std::vector<std::optional<AnnotationFile>> parsed(found.size());
    std::vector<std::optional<FileNote>> broken(found.size());
    for_each_case(found.size(), "", silence(), [&](std::size_t i) {
      try {
        parsed[i] = read_annotations(found[i].first, found[i].second);
      } catch (const Error& error) {
        broken[i] = note_of(error, found[i].first);
      }
    });
    std::set<std::string> formats;
    for (std::size_t i = 0; i < found.size(); ++i) {
      formats.insert(to_string(found[i].second));
      if (parsed[i]) files_.push_back(std::move(*parsed[i]));
      if (broken[i]) layout_.broken.push_back(std::move(*broken[i]));
    }
    format_ = join({formats.begin(), formats.end()}, ", ");
  }

  void match(std::size_t index) {
    const AnnotationFile& file = files_[index];
    std::vector<std::string> absent;
    for (std::size_t i = 0; i < file.images.size(); ++i) {
      const AnnotatedImage& image = file.images[i];
      std::vector<std::size_t> found = pictures_.named(image.name, file.file);
      if (found.empty() && file.by_stem) found = pictures_.called_as(file.file);
      if (found.empty()) {
        absent.push_back(shown(image.name));
      } else if (found.size() > 1) {
        layout_.broken.push_back(
            {file.file,
             concat("has outlines of ",
                    image.name.empty() ? "an image of its name" : shown(image.name),
                    ", and may mean ", pictures_.all()[found[0]].path.string(), " or ",
                    pictures_.all()[found[1]].path.string(),
                    "; write the image's folder before its name, or rename one of them")});
      } else {
        take({index, i, found.front()});
      }
    }
    if (absent.empty()) return;
    if (file.by_stem) {
      layout_.masks_alone.push_back(file.file);
    } else if (absent.size() == file.images.size()) {
      layout_.broken.push_back(
          {file.file, concat("is ", file.format, " of ", counted(std::ssize(absent), "image"), " (",
                             some_of(absent), "), none of which is in the set; put ",
                             absent.size() == 1 ? "it" : "them", " into the folder")});
    } else {
      layout_.notes.push_back({file.file,
                               concat("has outlines of ", counted(std::ssize(absent), "image"),
                                      absent.size() == 1 ? " that is" : " that are",
                                      " not in the set: ", some_of(absent)),
                               "absent-image", "get the missing images, or leave them out"});
    }
  }

  void take(const Match& match) {
    const auto [known, fresh] = of_picture_.emplace(match.picture, match);
    if (fresh) return;
    const Match& other = known->second;
    const fs::path& first = files_[other.file].file;
    const fs::path& second = files_[match.file].file;
    const std::string picture = pictures_.all()[match.picture].relative.string();
    if (match.file == other.file) {
      layout_.broken.push_back(
          {second, concat("has the image ", picture, " twice, as ",
                          shown(files_[match.file].images[other.image].name), " and as ",
                          shown(files_[match.file].images[match.image].name),
                          "; remove one of them, or name its folder")});
    } else if (contests_.emplace(first, second).second) {
      layout_.broken.push_back(
          {second, concat("has outlines of ", picture, ", and so has ", first.string(),
                          "; keep one of the two files, or each image in one of them")});
    }
  }

  /// Sizes as the pictures have them: outlines lie in their pixels.
  void read_sizes() {
    std::vector<Match> matches;
    for (const auto& [picture, match] : of_picture_) matches.push_back(match);
    std::vector<std::optional<FileNote>> broken(matches.size());
    for_each_case(matches.size(), "", silence(), [&](std::size_t i) {
      const Match& match = matches[i];
      const fs::path& path = pictures_.all()[match.picture].path;
      AnnotatedImage& image = files_[match.file].images[match.image];
      ImageSize own{1, 1};  // of a picture that cannot be read, which is named when it is read
      try {
        own = read_image_size(path);
      } catch (const Error&) {
        image.objects.clear();
        image.size = own;
        return;
      }
      if (image.size && *image.size != own) {
        const bool turned = image.size->width == own.height && image.size->height == own.width;
        broken[i] = FileNote{
            files_[match.file].file,
            concat("says that ", path.string(), " is ", image.size->width, " x ",
                   image.size->height, ", it is ", own.width, " x ", own.height,
                   ", so its outlines would lie wrong; ",
                   turned ? "turn the image's pixels as its EXIF orientation says, or draw the "
                            "outlines on the turned image"
                          : "put the image in its place that was drawn on"),
            "", ""};
      }
      image.size = own;
    });
    for (std::size_t i = 0; i < matches.size(); ++i) {
      if (!broken[i]) continue;
      layout_.broken.push_back(std::move(*broken[i]));
      of_picture_.erase(matches[i].picture);
    }
  }

  static bool is_background(const std::string& name) { return lower(name) == "background"; }

  /// One index for each name of all files: by the smallest number that a file gives it, then by
  /// name.
  void name_classes() {
    std::map<std::string, std::int64_t> order;
    const AnnotationFile* nameless = nullptr;
    for (const AnnotationFile& file : files_) {
      for (const AnnotatedClass& one : file.classes) {
        if (is_background(one.name)) continue;
        if (one.name.empty()) nameless = &file;
        const auto [known, fresh] = order.emplace(nfc(one.name), one.order);
        if (!fresh) known->second = std::min(known->second, one.order);
      }
    }
    if (nameless != nullptr && order.size() > 1) {
      layout_.broken.push_back(
          {nameless->file, "has outlines without a class, and others have one; give each a class"});
    }
    std::vector<std::pair<std::int64_t, std::string>> sorted;
    for (const auto& [name, place] : order) sorted.emplace_back(place, name);
    std::sort(sorted.begin(), sorted.end());
    std::vector<std::string> names{"background"};
    for (const auto& [place, name] : sorted) {
      labels_[name] = static_cast<std::uint8_t>(std::min<std::size_t>(names.size(), 254));
      names.push_back(name.empty() ? "foreground" : name);
    }
    constexpr std::size_t most = 254;
    std::string wrong = wrong_class_names(names);
    if (names.size() > most + 1) {
      wrong = concat("there are ", names.size() - 1, " classes, at most ", most, " are read");
    }
    if (!wrong.empty()) {
      layout_.broken.push_back(
          {root_, concat("of the classes of its outlines, ", wrong, "; correct the names")});
    } else if (names.size() > 1) {
      layout_.classes = make_classes(names.size(), names);
    }
  }

  [[nodiscard]] std::vector<std::uint8_t> labels_of(const AnnotationFile& file) const {
    std::vector<std::uint8_t> out;
    for (const AnnotatedClass& one : file.classes) {
      out.push_back(is_background(one.name) ? 0 : labels_.at(nfc(one.name)));
    }
    return out;
  }

  void make_cases() {
    layout_.name = concat("images and outlines (", format_, ")");
    layout_.encoding = MaskEncoding::index;
    layout_.outlines = true;
    std::map<std::string, int> keys, whole_keys;
    for (const auto& [picture, match] : of_picture_) {
      const fs::path& relative = pictures_.all()[picture].relative;
      ++keys[pairing_key(relative)];
      ++whole_keys[place_of(relative) + pairing_key(relative)];
    }
    for (const auto& [index, match] : of_picture_) {
      const NamedPicture& picture = pictures_.all()[index];
      const AnnotationFile& file = files_[match.file];
      if (file.withheld) {
        layout_.unlabelled.push_back(picture.path);
        continue;
      }
      count_oddities(file, file.images[match.image]);
      const std::string key = pairing_key(picture.relative);
      const std::string whole = place_of(picture.relative) + key;
      Case item{.id = keys[key] == 1           ? key
                      : whole_keys[whole] == 1 ? whole
                                               : picture.relative.generic_string(),
                .group = {},
                .images = {{picture.path}},
                .masks = {{.file = file.file,
                           .array = file.by_stem ? "" : file.images[match.image].name}}};
      item.group = group_of(item.id);
      item.folder = place_of(picture.relative);
      item.part = part_by_folder(picture.relative);
      if (item.part.empty()) {
        item.part = part_of_file(nfc(file.file.lexically_relative(root_).string()));
      }
      if (const auto slice = slice_name(item.id)) {
        item.volume = slice->volume;
        item.slice = slice->slice;
      }
      case_of_[match.file].push_back(layout_.cases.size());
      layout_.cases.push_back(std::move(item));
    }
    for (auto& [file, cases] : case_of_) {
      note_left_out(files_[file]);
      std::vector<std::uint8_t> labels = labels_of(files_[file]);
      const auto store =
          std::make_shared<const PolygonMasks>(std::move(files_[file]), std::move(labels));
      for (const std::size_t i : cases) layout_.cases[i].masks.front().store = store;
    }
  }

  void note_left_out(const AnnotationFile& file) {
    for (const auto& [what, count] : file.left_out) {
      auto& [all, first] = left_out_[what];
      if (all == 0) first = file.file;
      all += count;
    }
  }

  struct Oddity {
    std::int64_t count = 0;
    fs::path first{};
    std::string image{};
  };

  static void count(Oddity& all, std::int64_t more, const AnnotationFile& file,
                    const AnnotatedImage& image) {
    if (more > 0 && all.count == 0) {
      all.first = file.file;
      all.image = image.name;
    }
    all.count += more;
  }

  void count_oddities(const AnnotationFile& file, const AnnotatedImage& image) {
    const Oddities odd = oddities_of(image, *image.size, patience_);
    count(beyond_, odd.beyond, file, image);
    count(crossing_, odd.crossing, file, image);
    count(short_, image.short_rings, file, image);
  }

  void note_oddities() {
    const auto note = [&](const Oddity& all, const char* one, const char* many, const char* kind,
                          const char* remedy) {
      if (all.count == 0) return;
      const std::string of = all.image.empty() ? "" : concat(" (of ", shown(all.image), ")");
      layout_.notes.push_back(
          {all.first,
           all.count == 1 ? concat("has one outline", of, " that ", one)
                          : concat("has the first", of, " of ", all.count, " outlines that ", many),
           kind, remedy});
    };
    note(beyond_, "reaches beyond its image and is cut off there",
         "reach beyond their image and are cut off there", "outline-beyond",
         "see whether it was drawn on this image at this size");
    note(crossing_, "crosses itself, so what it surrounds twice is outside of it",
         "cross themselves, so what they surround twice is outside of them", "crossing-outline",
         "draw it again where that is not meant");
    note(short_, "has fewer than three points and is left out",
         "have fewer than three points and are left out", "short-outline",
         "draw it again, or remove it");
    for (const auto& [what, all] : left_out_) {
      layout_.notes.push_back({all.second,
                               concat(all.first, " of the kind '", shown(what),
                                      "' in the set's files of outlines have no area and are left "
                                      "out"),
                               "no-area", "draw an outline where one is meant"});
    }
  }

  /// Pictures that no file names have no mask.
  void sort_out_the_rest() {
    if (layout_.cases.empty() && layout_.unlabelled.empty()) return;
    std::set<fs::path> used;
    for (const auto& [picture, match] : of_picture_) used.insert(pictures_.all()[picture].path);
    for (auto* list : {&layout_.masks_alone, &layout_.passed}) {
      std::erase_if(*list, [&](const fs::path& path) { return used.contains(path); });
      used.insert(list->begin(), list->end());
    }
    used.insert(layout_.unlabelled.begin(), layout_.unlabelled.end());
    layout_.ambiguous.clear();
    layout_.images_alone.clear();
    for (const NamedPicture& picture : pictures_.all()) {
      if (!used.contains(picture.path)) layout_.images_alone.push_back(picture.path);
    }
  }

  const fs::path& root_;
  Layout& layout_;
  NamedPictures pictures_;
  std::vector<AnnotationFile> files_;
  std::string format_;
  std::map<std::size_t, Match> of_picture_;
  std::set<std::pair<fs::path, fs::path>> contests_;
  std::map<std::string, std::uint8_t> labels_;
  std::map<std::size_t, std::vector<std::size_t>> case_of_;  ///< by file
  std::map<std::string, std::pair<std::int64_t, fs::path>> left_out_;
  Oddity beyond_, crossing_, short_;
  std::int64_t patience_ = std::int64_t{1} << 26;
};

}  // namespace

bool add_outlines(const fs::path& root, const std::vector<fs::path>& files, Layout& layout) {
  std::vector<std::pair<fs::path, AnnotationKind>> found;
  for (const fs::path& file : files) {
    const AnnotationKind kind = annotation_kind(file);
    if (kind != AnnotationKind::none) found.emplace_back(file, kind);
  }
  if (found.empty()) return false;
  if (!layout.cases.empty()) {
    const std::string first = to_string(found.front().second);
    layout.notes.push_back(
        {found.front().first,
         found.size() == 1 ? concat("is ", first, ", which is not read, because the set has masks")
                           : concat("is one of ", found.size(), " files of outlines (", first,
                                    "), which are not read, because the set has masks"),
         "outlines-passed", "move the masks out of the set if the outlines are the truth"});
    return false;
  }
  return Outlines(root, files, layout).add(found);
}

}  // namespace medurwkv::data
