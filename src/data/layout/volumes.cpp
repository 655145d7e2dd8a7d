// Volumes as their slices: NIfTI, NRRD and MetaImage in folders of images and masks.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/text.h"
#include "data/layout/names.h"
#include "data/layout/sets.h"
#include "data/volumes/volume.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

std::string sides_of(const Volume& volume) {
  return concat(volume.columns, " x ", volume.rows, " x ", volume.slices);
}

/// The largest distance between a corner of one volume and that of the other, in mm.
double apart(const Volume& a, const Volume& b) {
  double worst = 0;
  const std::array<double, 3> last{static_cast<double>(a.columns - 1),
                                   static_cast<double>(a.rows - 1),
                                   static_cast<double>(a.slices - 1)};
  for (unsigned corner = 0; corner < 8; ++corner) {
    std::array<double, 3> between{};
    for (std::size_t i = 0; i < 3; ++i) {
      between.at(i) = a.placing.origin.at(i) - b.placing.origin.at(i);
      for (std::size_t axis = 0; axis < 3; ++axis) {
        if ((corner >> axis & 1U) == 0) continue;
        between.at(i) +=
            last.at(axis) * (a.placing.step.at(axis).at(i) - b.placing.step.at(axis).at(i));
      }
    }
    worst = std::max(worst, std::hypot(between[0], between[1], between[2]));
  }
  return worst;
}

/// Why the second does not lie where the first does; empty where it does.
std::string why_apart(const Volume& image, const Volume& other) {
  if (image.columns != other.columns || image.rows != other.rows || image.slices != other.slices) {
    return concat("has ", sides_of(other), " voxels, its image ", image.file.string(), " ",
                  sides_of(image), "; resample it to its image");
  }
  const auto own = geometry_of(image.placing);
  if (!own || !geometry_of(other.placing)) return "";
  // Where only one of them says where it lies, their voxels are taken to be the same.
  const bool silent = image.misplaced.starts_with("it does not say") ||
                      other.misplaced.starts_with("it does not say");
  if (silent) return "";
  const double least = *std::min_element(own->spacing.begin(), own->spacing.end());
  const double distance = apart(image, other);
  if (distance <= least / 2) return "";
  return concat("lies up to ", fixed(distance, 1), " mm from its image ", image.file.string(),
                " in the patient: origin, direction or spacing differ; resample it to its image, "
                "or, where the voxels do agree, copy the image's geometry into it");
}

/// Three digits at least, as for arrays.
std::string slice_text(std::int64_t slice) {
  std::string digits = std::to_string(slice);
  if (digits.size() < 3) digits.insert(0, 3 - digits.size(), '0');
  return "_slice" + digits;
}

/// The slices of a case, or itself where it is no volume. None, with a note, where a file is
/// broken.
std::vector<Case> slices_of(const Case& item, Layout& layout) {
  std::optional<Volume> first;
  std::vector<ImageSource> sources = item.images;
  sources.insert(sources.end(), item.masks.begin(), item.masks.end());
  std::size_t volumes = 0;
  for (const ImageSource& source : sources) {
    if (!has_volume_suffix(source.file)) continue;
    ++volumes;
    Volume own;
    try {
      own = read_volume(source.file);
    } catch (const Error& error) {
      layout.broken.push_back(note_of(error, source.file));
      return {};
    }
    if (!first) {
      first = std::move(own);
    } else if (std::string why = why_apart(*first, own); !why.empty()) {
      layout.broken.push_back({source.file, std::move(why)});
      return {};
    }
  }
  if (!first || first->slices == 1) return {item};
  if (volumes < sources.size()) {
    layout.broken.push_back(
        {first->file, concat("is a volume, and ", sources.back().file.string(),
                             " is a picture; give both as volumes or both as pictures")});
    return {};
  }
  std::vector<Case> out;
  for (std::int64_t i = 0; i < first->slices; ++i) {
    Case one = item;
    one.id = item.id + slice_text(i);
    one.volume = item.id;
    one.slice = i;
    for (ImageSource& image : one.images) image.slice = i;
    for (ImageSource& mask : one.masks) mask.slice = i;
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace

void add_slices(Layout& layout) {
  std::vector<Case> out;
  for (const Case& item : layout.cases) {
    for (Case& one : slices_of(item, layout)) out.push_back(std::move(one));
  }
  layout.cases = std::move(out);
}

}  // namespace medurwkv::data
