// Volumes as their slices: NIfTI, NRRD and MetaImage in folders of images and masks.
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/identity.h"
#include "core/text.h"
#include "data/layout/names.h"
#include "data/layout/sets.h"
#include "data/volumes/grid.h"
#include "data/volumes/planes.h"
#include "data/volumes/series.h"
#include "data/volumes/volume.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// Three digits at least, as for arrays.
std::string slice_text(std::int64_t slice) {
  std::string digits = std::to_string(slice);
  if (digits.size() < 3) digits.insert(0, 3 - digits.size(), '0');
  return "_slice" + digits;
}

/// The slices of a case, or itself where it is no volume. None, with a note, where a file is
/// broken.
std::vector<Case> slices_of(const Case& item, Layout& layout) {
  Case read = item;  // with the volumes' headers
  std::vector<ImageSource*> sources;
  for (ImageSource& image : read.images) sources.push_back(&image);
  for (ImageSource& mask : read.masks) sources.push_back(&mask);
  std::shared_ptr<const Volume> first;
  std::size_t volumes = 0;
  for (ImageSource* source : sources) {
    if (!holds_volume(source->file)) continue;
    ++volumes;
    try {
      Volume own = read_volume(source->file);
      if (first) {
        OnGrid placed = on_grid(own, *first);
        if (!placed.why_not.empty()) {
          layout.broken.push_back({source->file, std::move(placed.why_not)});
          return {};
        }
        own = std::move(placed.volume);
      }
      source->volume = std::make_shared<const Volume>(std::move(own));
      if (!first) first = source->volume;
    } catch (const Error& error) {
      layout.broken.push_back(note_of(error, source->file));
      return {};
    }
  }
  if (!first || first->slices == 1) return {read};
  try {
    const Turn turn = seen_in(*first, layout.plane).turn;
    for (ImageSource* source : sources) {
      if (!source->volume || turn == Turn{}) continue;
      source->volume = std::make_shared<const Volume>(turned(*source->volume, turn));
      if (source == sources.front()) first = source->volume;
    }
  } catch (const Error& error) {
    layout.broken.push_back(note_of(error, first->file));
    return {};
  }
  if (volumes < sources.size()) {
    layout.broken.push_back(
        {first->file, concat("is a volume, and ", sources.back()->file.string(),
                             " is a picture; give both as volumes or both as pictures")});
    return {};
  }
  std::vector<Case> out;
  for (std::int64_t i = 0; i < first->slices; ++i) {
    Case one = read;
    one.id = item.id + slice_text(i);
    one.volume = item.id;
    one.slice = i;
    for (ImageSource& image : one.images) image.slice = i;
    for (ImageSource& mask : one.masks) mask.slice = i;
    out.push_back(std::move(one));
  }
  return out;
}

/// Volumes of one patient are one group, by the identifier in their headers.
void group_by_patient(Layout& layout) {
  const auto patient_of = [](const Case& item) -> std::string {
    const auto& volume = item.images.front().volume;
    return volume && volume->dicom ? volume->dicom->slices.front().file->patient : "";
  };
  std::set<std::string> patients;
  std::set<std::string> volumes;
  for (const Case& item : layout.cases) {
    const std::string patient = patient_of(item);
    if (patient.empty()) continue;
    patients.insert(patient);
    volumes.insert(item.images.front().file.string());
  }
  if (patients.size() == 1 && volumes.size() > 2) {
    layout.notes.push_back({*volumes.begin(),
                            concat("is one of ", volumes.size(),
                                   " images that all have one PatientID; they are taken "
                                   "for images of different patients"),
                            "one-patient",
                            "say which belong together with --group-by, if they do"});
    return;
  }
  for (Case& item : layout.cases) {
    const std::string patient = patient_of(item);
    if (!patient.empty()) item.group = pseudonym_of(patient);
  }
}

}  // namespace

void add_slices(Layout& layout) {
  std::vector<Case> out;
  for (const Case& item : layout.cases) {
    for (Case& one : slices_of(item, layout)) out.push_back(std::move(one));
  }
  layout.cases = std::move(out);
  group_by_patient(layout);
}

void refuse_arrays_in_planes(Layout& layout) {
  if (layout.plane == Plane::stored) return;
  for (const Case& item : layout.cases) {
    const ImageSource& image = item.images.front();
    if (!image.slice || image.volume) continue;
    layout.broken.push_back(
        {image.file, concat("cannot be cut into ", to_string(layout.plane),
                            " slices: it does not say where it lies in the patient; leave "
                            "--plane out, or give NIfTI, NRRD, MetaImage or DICOM")});
    return;
  }
}

}  // namespace medurwkv::data
