#include "data/volumes/grid.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/text.h"
#include "data/volumes/planes.h"
#include "data/volumes/series.h"

namespace medurwkv::data {
namespace {

using Vector = std::array<double, 3>;

std::string sides_of(const Volume& volume) {
  return concat(volume.columns, " x ", volume.rows, " x ", volume.slices);
}

double dot(const Vector& a, const Vector& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

double length(const Vector& a) {
  return std::sqrt(dot(a, a));
}

Vector plus(const Vector& a, double factor, const Vector& b) {
  return {a[0] + factor * b[0], a[1] + factor * b[1], a[2] + factor * b[2]};
}

bool is_silent(const Volume& volume) {
  return volume.misplaced.starts_with("it does not say") || !geometry_of(volume.placing);
}

/// The turn by which the mask's axes run as the image's; none where no turn does that.
std::optional<Turn> turn_onto(const Volume& mask, const Volume& image) {
  Turn out;
  std::array<bool, 3> used{};
  for (std::size_t i = 0; i < 3; ++i) {
    const Vector& wanted = image.placing.step.at(i);
    std::optional<std::size_t> best;
    double nearest = 0.5;  // of the cosine
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const Vector& own = mask.placing.step.at(axis);
      const double along = dot(own, wanted) / (length(own) * length(wanted));
      if (used.at(axis) || std::abs(along) <= nearest) continue;
      nearest = std::abs(along);
      best = axis;
      out.flipped.at(i) = along < 0;
    }
    if (!best) return std::nullopt;
    used.at(*best) = true;
    out.axis.at(i) = *best;
  }
  return out;
}

std::string wrong_size(const Volume& mask, const Volume& image) {
  return concat("has ", sides_of(mask), " voxels, its image ", image.file.string(), " ",
                sides_of(image), "; resample it to its image");
}

/// The frames of a segmentation at the slices of an image.
OnGrid segments_on(const Volume& mask, const Volume& image) {
  OnGrid out{.volume = mask};
  auto source = std::make_shared<DicomSource>(*mask.dicom);
  source->frames_at.assign(static_cast<std::size_t>(image.slices), {});
  if (mask.columns != image.columns || mask.rows != image.rows) {
    out.why_not = wrong_size(mask, image);
    return out;
  }
  const auto& step = image.placing.step;
  const double least = std::min(length(step[0]), length(step[1]));
  const DicomFile& file = *mask.dicom->slices.front().file;
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const auto side = static_cast<double>(image.sides().at(axis) - 1);
    if (side * length(plus(mask.placing.step.at(axis), -1, step.at(axis))) <= least / 2) continue;
    out.why_not = concat("lies in another direction or has another spacing than its image ",
                         image.file.string(), "; resample it to its image");
    return out;
  }
  for (std::int64_t i = 0; i < std::ssize(file.frames); ++i) {
    const Vector from =
        plus(*file.frames[static_cast<std::size_t>(i)].position, -1, image.placing.origin);
    const double along =
        image.slices == 1 ? 0 : std::round(dot(from, step[2]) / dot(step[2], step[2]));
    const double apart = length(plus(from, -along, step[2]));
    const bool inside = along >= 0 && along < static_cast<double>(image.slices);
    const double allowed = std::max(least, image.slices == 1 ? 0 : length(step[2])) / 2;
    if (!inside || !(apart <= allowed)) {
      out.why_not = concat("has a frame (", i, ") that lies on no slice of its image ",
                           image.file.string(), "; resample it to its image");
      return out;
    }
    source->frames_at[static_cast<std::size_t>(along)].push_back(i);
  }
  out.volume.slices = image.slices;
  out.volume.placing = image.placing;
  out.volume.misplaced.clear();
  out.volume.dicom = std::move(source);
  return out;
}

/// The same of a segmentation whose frames say no place, but which images they were made of.
OnGrid segments_by_source(const Volume& mask, const Volume& image) {
  OnGrid out{.volume = mask};
  if (mask.columns != image.columns || mask.rows != image.rows) {
    out.why_not = wrong_size(mask, image);
    return out;
  }
  auto source = std::make_shared<DicomSource>(*mask.dicom);
  source->frames_at.assign(static_cast<std::size_t>(image.slices), {});
  const DicomFile& file = *mask.dicom->slices.front().file;
  for (std::int64_t i = 0; i < std::ssize(file.frames); ++i) {
    const DicomFrame& frame = file.frames[static_cast<std::size_t>(i)];
    const auto& slices = image.dicom->slices;
    const auto found = std::find_if(slices.begin(), slices.end(), [&](const DicomSlice& slice) {
      return slice.file->instance == frame.source && slice.frame == frame.source_frame;
    });
    if (found == slices.end()) {
      out.why_not = concat("has a frame (", i, ") of another image than ", image.file.string());
      return out;
    }
    source->frames_at[static_cast<std::size_t>(found - slices.begin())].push_back(i);
  }
  out.volume.slices = image.slices;
  out.volume.placing = image.placing;
  out.volume.dicom = std::move(source);
  return out;
}

}  // namespace

OnGrid on_grid(const Volume& mask, const Volume& image) {
  if (image.turn != Turn{}) {
    OnGrid out = on_grid(mask, as_stored(image));
    if (out.why_not.empty()) out.volume = turned(out.volume, image.turn);
    return out;
  }
  const bool unknown = is_silent(mask) || is_silent(image);
  if (mask.format == "DICOM-SEG" && !unknown) return segments_on(mask, image);
  const bool segments = mask.format == "DICOM-SEG" && image.dicom && image.format == "DICOM";
  if (segments && !mask.dicom->slices.front().placing().source.empty()) {
    return segments_by_source(mask, image);
  }
  OnGrid out{.volume = mask};
  if (!unknown && !mask.dicom) {
    const auto turn = turn_onto(mask, image);
    if (turn && *turn != Turn{}) {
      Volume seen = turned(mask, *turn);
      if (seen.sides() == image.sides()) out.volume = std::move(seen);
    }
  }
  if (out.volume.sides() != image.sides()) {
    out.why_not = wrong_size(mask, image);
    return out;
  }
  if (unknown) return out;
  const Geometry own = *geometry_of(image.placing);
  const double least = *std::min_element(own.spacing.begin(), own.spacing.end());
  const double distance = farthest_apart(image.placing, out.volume.placing, image.sides());
  if (distance <= least / 2) return out;
  out.why_not =
      concat("lies up to ", fixed(distance, 1), " mm from its image ", image.file.string(),
             " in the patient: origin, direction or spacing differ; resample it to its image, "
             "or, where the voxels do agree, copy the image's geometry into it");
  return out;
}

}  // namespace medurwkv::data
