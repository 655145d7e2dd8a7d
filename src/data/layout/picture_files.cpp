#include "data/layout/picture_files.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "core/unicode.h"
#include "core/zip.h"
#include "data/layout/layout.h"
#include "data/layout/names.h"
#include "data/layout/picture_zip.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

bool is_zip(const fs::path& path) {
  return lower(path.extension().string()) == ".zip";
}

/// Puts what lies at `path` below the root, folders and zips alike, into the findings.
class Gatherer {
 public:
  explicit Gatherer(PictureFiles& out) : out_(out) {}

  void add_folder(const fs::path& root, const fs::path& prefix) {
    for (const fs::path& file : list_files(root)) {
      const fs::path below = prefix / file.lexically_relative(root);
      if (is_zip(file)) {
        add_zip(file, below.parent_path() / below.stem());
      } else if (has_image_suffix(file)) {
        add(below, ImageSource{.file = file}, size_of(file), 0);
      } else {
        add_other(below);
        if (is_solution(file)) out_.solution = [file] { return read_table(file); };
      }
    }
  }

  void add_zip(const fs::path& file, const fs::path& prefix) {
    const auto zip = std::make_shared<const PictureZip>(file);
    for (const ZipMember& member : zip->archive().members()) {
      const fs::path inner = fs::path(std::string(member.name)).lexically_normal();
      if (std::any_of(inner.begin(), inner.end(),
                      [](const fs::path& one) { return !one.empty() && is_junk(one); })) {
        continue;
      }
      if (member.name.ends_with('/')) {
        out_.folders.insert(folders_of((prefix / inner).parent_path()));
      } else if (has_image_suffix(inner) && lower(inner.extension().string()) != ".npy") {
        add(prefix / inner,
            ImageSource{.file = file, .array = std::string(member.name), .store = zip}, member.size,
            member.crc);
      } else {
        add_other(prefix / inner);
        if (!is_solution(inner)) continue;
        out_.solution = [zip, &member, place = file / inner]() -> Table {
          return {place, plain_text(place, zip->archive().read(member, longest_text))};
        };
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
    out_.folders.insert(folders_of(below.parent_path()));
  }

  PictureFiles& out_;
};

/// An id without its suffix, and where its stem begins.
std::pair<std::string_view, std::size_t> whole_stem_of(std::string_view id) {
  const std::size_t begin = id.rfind('/') + 1;  // 0 where there is none
  return {id.substr(0, std::max(id.rfind('.'), begin)), begin};
}

/// Drops images named `..._mask` beside the image that they are of.
void drop_masks_beside(PictureFiles& found) {
  /// The id, without suffixes, of the image that this one may be a mask of; else empty.
  const auto image_of = [](const FoundPicture& one) -> std::string {
    const auto [whole, begin] = whole_stem_of(one.picture.id);
    const std::string stem(whole.substr(begin));
    const std::string of = without_mask_suffix(stem);
    return of == stem ? "" : concat(whole.substr(0, begin), of);
  };
  if (std::none_of(found.images.begin(), found.images.end(),
                   [&](const FoundPicture& one) { return !image_of(one).empty(); })) {
    return;
  }
  std::unordered_set<std::string> stems;
  for (const FoundPicture& one : found.images) stems.emplace(whole_stem_of(one.picture.id).first);
  found.masks += std::erase_if(
      found.images, [&](const FoundPicture& one) { return stems.contains(image_of(one)); });
}

void sort_and_check(std::vector<FoundPicture>& images) {
  const auto id = [](const FoundPicture& one) -> const std::string& { return one.picture.id; };
  std::sort(images.begin(), images.end(),
            [&](const FoundPicture& a, const FoundPicture& b) { return id(a) < id(b); });
  const auto twice = std::adjacent_find(
      images.begin(), images.end(),
      [&](const FoundPicture& a, const FoundPicture& b) { return id(a) == id(b); });
  if (twice == images.end()) return;
  throw_failure(concat(
      shown(id(*twice)), ": is there twice: in ", shown(twice->picture.source.file.string()),
      " and in ", shown((twice + 1)->picture.source.file.string()), "; move one out of the set"));
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

}  // namespace

bool is_solution(const fs::path& file) {
  return lower(file.filename().string()) == "loc_val_solution.csv";
}

fs::path whole_path(const fs::path& path) {
  std::error_code error;
  fs::path out = fs::weakly_canonical(path, error);
  return error ? path.lexically_normal() : out;
}

PictureFiles find_pictures(const std::vector<fs::path>& data) {
  check_apart(data);
  PictureFiles out;
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

}  // namespace medurwkv::data
