#include "data/layout/layout.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/identity.h"
#include "core/text.h"
#include "data/layout/lists.h"
#include "data/layout/pack.h"
#include "data/layout/pairing.h"
#include "data/layout/sets.h"
#include "data/volumes/series.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// Reads folders, and folders that links lead to.
class Walk {
 public:
  void read(const fs::path& folder) {
    const Place place = place_of_folder(folder);
    if (std::find(way_.begin(), way_.end(), place) != way_.end()) return;  // a loop ends here
    way_.push_back(place);
    for (const fs::path& path : list_folder(folder)) {
      if (is_junk(path)) continue;
      std::error_code error;
      const fs::file_status status = fs::status(path, error);
      std::error_code ignored;
      const bool link = fs::is_symlink(fs::symlink_status(path, ignored));
      if (fs::is_directory(status)) {
        follow(path, link);
      } else if (fs::is_regular_file(status) || (error && link)) {
        files_.push_back(path);  // a broken link too, so that reading it names it
      } else if (error) {
        refuse(path, error);
      }
    }
    way_.pop_back();
  }

  std::vector<fs::path> files() && {
    std::sort(files_.begin(), files_.end());
    return std::move(files_);
  }

 private:
  using Place = std::pair<dev_t, ino_t>;

  [[noreturn]] static void refuse(const fs::path& path, const std::error_code& error) {
    throw_failure(concat(path.string(), ": cannot be listed: ", error.message(),
                         "; make it readable or move it out of the set"));
  }

  static Place place_of_folder(const fs::path& folder) {
    struct stat facts {};
    if (::stat(folder.c_str(), &facts) != 0) refuse(folder, {errno, std::generic_category()});
    return {facts.st_dev, facts.st_ino};
  }

  /// Reads `folder`, through a limited number of links: folders that link to each other have more
  /// ways through them than can be read.
  void follow(const fs::path& folder, bool link) {
    constexpr int most_links = 8;
    links_ += link ? 1 : 0;
    if (links_ > most_links) {
      throw_failure(concat(folder.string(), ": is reached through more than ", most_links,
                           " links to folders; remove links that lead into each other"));
    }
    read(folder);
    links_ -= link ? 1 : 0;
  }

  std::vector<Place> way_;  ///< the folders above
  int links_ = 0;           ///< on the way
  std::vector<fs::path> files_;
};

bool all_alike(const std::vector<fs::path>& files) {
  try {
    const std::string first = sha256_file(files.front());
    return std::all_of(files.begin() + 1, files.end(),
                       [&](const fs::path& file) { return sha256_file(file) == first; });
  } catch (const Error&) {
    return false;  // a file that cannot be read is named where it is read
  }
}

/// Drops the parts where one part holds every case.
void drop_only_part(std::vector<Case>& cases) {
  const auto other = [&](const Case& item) { return item.part != cases.front().part; };
  if (std::any_of(cases.begin(), cases.end(), other)) return;
  for (Case& item : cases) item.part.clear();
}

}  // namespace

std::vector<fs::path> list_files(const fs::path& root) {
  Walk walk;
  walk.read(root);
  return std::move(walk).files();
}

Layout find_layout(const fs::path& root, std::optional<Plane> plane) {
  if (is_pack(root)) {
    Layout out = pack_layout(root);
    if (!plane || *plane == out.plane) return out;
    throw_usage(concat(root.string(), ": its volumes were cut into ", to_string(out.plane),
                       " slices when it was packed; pack the set again with --plane ",
                       to_string(*plane)));
  }
  std::error_code error;
  const fs::file_status status = fs::status(root, error);
  if (status.type() == fs::file_type::not_found) {
    throw_failure(concat(root.string(), ": no such folder"));
  }
  if (error) throw_failure(concat(root.string(), ": cannot be examined: ", error.message()));
  if (!fs::is_directory(status)) {
    throw_failure(
        concat(root.string(), ": is neither a folder nor a pack of `medurwkv data pack`"));
  }
  const std::vector<fs::path> files = with_series(list_files(root));
  Layout out;
  out.plane = plane.value_or(Plane::stored);
  pair_files(root, files, all_alike, out);
  add_slices(out);
  add_arrays(root, files, out);
  refuse_arrays_in_planes(out);
  const bool outlines = add_outlines(root, files, out);
  drop_only_part(out.cases);
  if (!outlines) recognise(root, files, out);
  add_classes(root, files, out);
  add_lists(root, files, out);
  add_groups(root, files, out);
  add_unread(root, files, out);
  for (Case& item : out.cases) {
    for (std::string* name : {&item.id, &item.folder, &item.volume, &item.group}) {
      *name = path_without_identity(*name);
    }
  }
  std::sort(out.cases.begin(), out.cases.end(),
            [](const Case& a, const Case& b) { return a.id < b.id; });
  return out;
}

std::vector<fs::path> list_images(const fs::path& root) {
  if (!fs::is_directory(root)) return {root};
  std::vector<fs::path> out = with_series(list_files(root));
  std::erase_if(out, [](const fs::path& path) {
    return !has_image_suffix(path) && !holds_volume(path) && !has_container_suffix(path);
  });
  return out;
}

}  // namespace medurwkv::data
