#include "judge/predicted_masks.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/file_name.h"
#include "core/files.h"
#include "core/model_description.h"
#include "core/text.h"
#include "data/codecs/arrays.h"
#include "data/codecs/read.h"
#include "data/layout/encoding.h"
#include "data/layout/layout.h"
#include "data/layout/names.h"
#include "data/volumes/grid.h"

namespace medurwkv::judge {

namespace {

namespace fs = std::filesystem;

struct MaskFile {
  fs::path file;
  std::string folder;  // below the folder of masks; empty or without a slash at its end
  std::string place;   // the same without roles (data::place_of)
};

std::string below(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : concat(folder, "/", name);
}

// True where one folder is the end of the other: run1/P0 and P0, "" and any; not P1 and P0.
bool agree(const std::string& folder, const std::string& other) {
  const auto ends = [](const std::string& text, const std::string& end) {
    return end.empty() || text == end || text.ends_with("/" + end);
  };
  return ends(folder, other) || ends(other, folder);
}

// The image's path in the set, by which `predict` names its mask; empty where a file holds several
// images.
std::string image_path(const data::Dataset& dataset, const data::Case& item) {
  if (item.images.empty() || item.images.front().store || item.images.front().slice) return {};
  const fs::path relative = item.images.front().file.lexically_relative(dataset.root);
  return (relative.parent_path() / data::picture_stem(relative)).generic_string();
}

// The path as `evaluate` and `predict` write it where it is too long for a name (core/file_name.h).
std::string shortened_path(const std::string& path) {
  if (!why_no_path(path).empty()) return {};
  const fs::path file = file_path(path, ".png");
  return below(file.parent_path().generic_string(), file.stem().string());
}

// Which file is the mask of which case, by names. A case's id is its own place and name.
class Names {
 public:
  Names(const fs::path& root, const data::Dataset& dataset) {
    for (const fs::path& file : data::list_images(root)) add(file, root);
    for (const data::Case& item : dataset.cases) {
      for (const fs::path& file : at_path(item.id, image_path(dataset, item))) {
        owners_[file].insert(item.id);
      }
    }
  }

  // An equal path wins over an equal name in a folder that agrees. An equal name wins over one that
  // is equal without what tools add. `image`: what stands for the case beside its id, or empty.
  // Throws Error for two files of one case and for two cases of one file.
  std::optional<fs::path> find(const std::string& id, const std::string& image) {
    const std::string folder = fs::path(id).parent_path().generic_string();
    const std::string name = fs::path(id).filename().string();
    const std::string key = data::pairing_key(fs::path(name + ".png"));
    const auto same = [&](const MaskFile& one) {
      return one.folder == folder || one.place == folder;
    };
    const auto agrees = [&](const MaskFile& one) {
      return agree(one.folder, folder) || agree(one.place, folder);
    };
    std::set<fs::path> found = at_path(id, image);
    if (found.empty()) found = free_files(id, keys_, key, same);
    if (found.empty()) found = free_files(id, names_, name, agrees);
    if (found.empty()) found = free_files(id, keys_, key, agrees);
    if (found.empty()) return std::nullopt;
    if (found.size() > 1) {
      throw_failure(concat("two predicted masks for the case ", id, ": ", found.begin()->string(),
                           " and ", std::next(found.begin())->string(), "; remove one"));
    }
    const auto& [file, user] = *users_.emplace(*found.begin(), id).first;
    if (user != id) {
      throw_failure(concat(file.string(), ": by its name it is the mask of the case ", user,
                           " and of ", id, "; name it after one of them, as ", id, ".png"));
    }
    return file;
  }

 private:
  using Files = std::map<std::string, std::vector<MaskFile>>;

  void add(const fs::path& file, const fs::path& root) {
    const fs::path relative = file.lexically_relative(root);
    MaskFile one{file, relative.parent_path().generic_string(), data::place_of(relative)};
    if (!one.place.empty()) one.place.pop_back();
    keys_[data::pairing_key(file)].push_back(one);
    for (const std::string& name :
         std::set<std::string>{data::whole_stem(file), file.stem().string()}) {
      names_[name].push_back(one);
      paths_[below(one.folder, name)].insert(file);
      paths_[below(one.place, name)].insert(file);
    }
  }

  [[nodiscard]] std::set<fs::path> at_path(const std::string& id, const std::string& image) const {
    std::set<fs::path> out;
    for (const std::string& path : {id, image, shortened_path(id), shortened_path(image)}) {
      if (const auto found = paths_.find(path); found != paths_.end()) {
        out.insert(found->second.begin(), found->second.end());
      }
    }
    return out;
  }

  // Without files that lie at the path of another case.
  template <typename Fits>
  [[nodiscard]] std::set<fs::path> free_files(const std::string& id, const Files& files,
                                              const std::string& name, const Fits& fits) const {
    std::set<fs::path> out;
    const auto found = files.find(name);
    if (found == files.end()) return out;
    for (const MaskFile& one : found->second) {
      const auto owners = owners_.find(one.file);
      const bool free = owners == owners_.end() || owners->second.contains(id);
      if (free && fits(one)) out.insert(one.file);
    }
    return out;
  }

  std::map<std::string, std::set<fs::path>> paths_;
  Files names_, keys_;
  std::map<fs::path, std::set<std::string>> owners_;  // cases of the set, by path
  std::map<fs::path, std::string> users_;             // the case, or the volume, that has the file
};

// The volume of a file as it lies on the grid of the case's image, or its only array; with a slice,
// that slice of it.
data::ImageSource part_of(const fs::path& file, const data::Case& item,
                          std::optional<std::int64_t> slice) {
  if (data::holds_volume(file)) {
    data::Volume volume = data::read_volume(file);
    if (const auto& image = item.images.front().volume) {
      data::OnGrid placed = data::on_grid(volume, *image);
      if (!placed.why_not.empty()) throw_failure(concat(file.string(), ": ", placed.why_not));
      volume = std::move(placed.volume);
    }
    if (volume.slices == 1) slice.reset();
    return {.file = file,
            .slice = slice,
            .volume = std::make_shared<const data::Volume>(std::move(volume))};
  }
  const auto arrays = data::list_arrays(file);
  if (arrays.size() != 1) {
    throw_failure(concat(file.string(), ": holds ", arrays.size(),
                         " arrays; a file of predicted masks holds one"));
  }
  data::ImageSource out{.file = file, .array = arrays.front().name};
  if (data::pictures_of(file.string(), arrays.front().shape).slices) out.slice = slice;
  return out;
}

bool holds_several(const fs::path& file) {
  return data::holds_volume(file) ||
         data::array_file_kind(read_start(file, 16)) != data::ArrayFile::none;
}

std::optional<data::ImageSource> source_of(Names& names, const data::Dataset& dataset,
                                           const data::Case& item) {
  if (const auto file = names.find(item.id, image_path(dataset, item))) {
    return holds_several(*file) ? part_of(*file, item, std::nullopt)
                                : data::ImageSource{.file = *file};
  }
  if (item.volume.empty()) return std::nullopt;
  const auto file = names.find(item.volume, {});
  if (!file || !holds_several(*file)) return std::nullopt;
  return part_of(*file, item, item.slice);
}

std::string some_of(const std::vector<std::string>& ids) {
  constexpr std::size_t most = 5;
  const std::vector<std::string> first(
      ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(std::min(ids.size(), most)));
  return ids.size() > most ? concat(join(first, ", "), ", ...") : join(first, ", ");
}

data::MaskEncoding decided(const fs::path& folder, const data::Dataset& dataset,
                           const std::vector<std::optional<data::ImageSource>>& sources) {
  std::vector<data::Case> masks;
  for (const auto& source : sources) {
    if (!source) continue;
    masks.emplace_back();
    masks.back().masks = {*source};
  }
  const data::MaskUse use = data::count_values(masks);
  const auto table =
      dataset.encoding == data::MaskEncoding::colors ? dataset.classes : std::vector<ClassInfo>{};
  const auto encoding = data::encoding_from_values(use, table);
  if (!encoding) {
    throw_failure(concat(folder.string(), ": it is unclear what the values of these masks mean; ",
                         "say it with --prediction-encoding ", data::mask_encoding_names()));
  }
  return *encoding;
}

}  // namespace

PredictedMasks::PredictedMasks(const fs::path& folder, const data::Dataset& dataset,
                               const std::vector<data::Case>& cases,
                               const PredictedMasksOptions& options)
    : classes_(dataset.classes) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    throw_failure(concat(folder.string(), ": is not a folder of predicted masks"));
  }
  Names names(folder, dataset);
  std::vector<std::string> without;
  for (const data::Case& item : cases) {
    ids_.push_back(item.id);
    sources_.push_back(source_of(names, dataset, item));
    if (!sources_.back()) without.push_back(item.id);
  }
  missing_ = without.size();
  if (missing_ == cases.size()) {
    throw_failure(concat(folder.string(), ": no file is named as a case; the first case is ",
                         ids_.empty() ? "" : ids_.front()));
  }
  if (missing_ > 0 && options.missing == Missing::error) {
    throw_failure(concat(folder.string(), ": ", missing_, " of ", cases.size(),
                         " cases have no predicted mask: ", some_of(without),
                         "; --missing empty counts them as empty"));
  }
  encoding_ = options.encoding ? *options.encoding : decided(folder, dataset, sources_);
}

data::LabelMap PredictedMasks::read(std::size_t index, data::ImageSize size) const {
  const auto& source = sources_.at(index);
  if (!source) {
    return {size.width, size.height,
            std::vector<std::uint8_t>(static_cast<std::size_t>(size.width * size.height), 0)};
  }
  data::LabelMap out =
      data::labels_from(source->name(), encoding_, data::read_mask(*source), classes_);
  if (data::ImageSize{out.width, out.height} != size) {
    throw_failure(concat(source->name(), ": is ", out.width, " x ", out.height,
                         " pixels, the truth of the case ", ids_[index], " is ", size.width, " x ",
                         size.height, "; masks are judged at the size of the truth"));
  }
  const auto beyond = std::find_if(out.labels.begin(), out.labels.end(),
                                   [&](std::uint8_t label) { return label >= classes_.size(); });
  if (beyond != out.labels.end()) {
    throw_failure(concat(source->name(), ": holds the class ", int{*beyond}, ", the set has ",
                         classes_.size(),
                         " with the background; --prediction-encoding says what values mean"));
  }
  return out;
}

std::optional<data::ObjectMap> PredictedMasks::read_objects(std::size_t index) const {
  const auto& source = sources_.at(index);
  if (!source || encoding_ != data::MaskEncoding::instances) return std::nullopt;
  return data::objects_from(data::read_mask(*source));
}

std::string PredictedMasks::content_hash() const {
  std::string text;
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    text += concat(ids_[i], "\n", sources_[i] ? sha256_file(sources_[i]->file) : "none", "\n");
  }
  return sha256(text);
}

}  // namespace medurwkv::judge
