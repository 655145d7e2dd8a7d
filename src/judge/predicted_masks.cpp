#include "judge/predicted_masks.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/arrays.h"
#include "data/encoding.h"
#include "data/layout_names.h"

namespace medurwkv::judge {

namespace {

namespace fs = std::filesystem;

// Files by the names that may stand for them.
class Names {
 public:
  explicit Names(const fs::path& folder) {
    for (const fs::path& file : data::list_images(folder)) {
      const fs::path place = file.lexically_relative(folder).parent_path();
      paths_[(place / data::whole_stem(file)).generic_string()].insert(file);
      names_[data::whole_stem(file)].insert(file);
      names_[file.stem().string()].insert(file);
      keys_[data::pairing_key(file)].insert(file);
    }
  }

  // A path counts before a name, a name before what it is without what tools add. Throws Error for
  // two files.
  [[nodiscard]] std::optional<fs::path> find(const std::string& id) const {
    const std::string name = fs::path(id).filename().string();
    const std::string key = data::pairing_key(fs::path(name + ".png"));
    for (const auto& [files, wanted] :
         {std::pair{&paths_, &id}, {&names_, &name}, {&keys_, &key}}) {
      const auto found = files->find(*wanted);
      if (found == files->end()) continue;
      if (found->second.size() > 1) {
        throw_failure(concat("two predicted masks for the case ", id, ": ",
                             found->second.begin()->string(), " and ",
                             std::next(found->second.begin())->string(), "; remove one"));
      }
      return *found->second.begin();
    }
    return std::nullopt;
  }

 private:
  using Files = std::map<std::string, std::set<fs::path>>;
  Files paths_, names_, keys_;
};

// The only array of a file; with a slice, of the volume in it.
data::ImageSource array_source(const fs::path& file, std::optional<std::int64_t> slice) {
  const auto arrays = data::list_arrays(file);
  if (arrays.size() != 1) {
    throw_failure(concat(file.string(), ": holds ", arrays.size(),
                         " arrays; a file of predicted masks holds one"));
  }
  data::ImageSource out{.file = file, .array = arrays.front().name};
  if (data::pictures_of(file.string(), arrays.front().shape).slices) out.slice = slice;
  return out;
}

bool holds_arrays(const fs::path& file) {
  return data::array_file_kind(read_start(file, 16)) != data::ArrayFile::none;
}

std::optional<data::ImageSource> source_of(const Names& names, const data::Case& item) {
  if (const auto file = names.find(item.id)) {
    return holds_arrays(*file) ? array_source(*file, std::nullopt)
                               : data::ImageSource{.file = *file};
  }
  if (item.volume.empty()) return std::nullopt;
  const auto file = names.find(item.volume);
  if (!file || !holds_arrays(*file)) return std::nullopt;
  return array_source(*file, item.slice);
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
    throw_failure(concat(folder.string(), ": is no folder of predicted masks"));
  }
  const Names names(folder);
  std::vector<std::string> without;
  for (const data::Case& item : cases) {
    ids_.push_back(item.id);
    sources_.push_back(source_of(names, item));
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

std::string PredictedMasks::content_hash() const {
  std::string text;
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    text += concat(ids_[i], "\n", sources_[i] ? sha256_file(sources_[i]->file) : "none", "\n");
  }
  return sha256(text);
}

}  // namespace medurwkv::judge
