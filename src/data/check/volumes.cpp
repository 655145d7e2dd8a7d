// What goes wrong with volumes: where they lie, what their labels are, whose they are.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/text.h"
#include "data/check/checks.h"
#include "data/volumes/series.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// Volumes of a set, each once, with the name for people.
struct Found {
  const Volume* volume = nullptr;
  std::string name;
  bool mask = false;
};

std::vector<Found> volumes_of(const Examination& set) {
  std::vector<Found> out;
  std::set<const Volume*> seen;
  const auto add = [&](const ImageSource& source, bool mask) {
    if (source.volume && seen.insert(source.volume.get()).second) {
      out.push_back({source.volume.get(), source.file.string(), mask});
    }
  };
  for (const Case& item : set.layout.cases) {
    for (const ImageSource& image : item.images) add(image, false);
    for (const ImageSource& mask : item.masks) add(mask, true);
  }
  return out;
}

/// The header's elements that say whose the image is; empty where there are none.
std::vector<std::string> identity_in(const Volume& volume) {
  if (volume.dicom) return volume.dicom->slices.front().file->identity;
  std::vector<std::string> out;
  if (volume.format.starts_with("NIfTI")) {
    constexpr std::size_t at = 14;  // db_name, of NIfTI-1 alone
    constexpr std::size_t length = 18;
    const bool first = volume.format != "NIfTI-2" && volume.header.size() >= at + length;
    if (first && volume.header[at] != '\0') out.emplace_back("db_name");
    return out;
  }
  for (const std::string& line : split(volume.header, '\n')) {
    const std::string name = trim(line.substr(0, line.find_first_of("=:")));
    const std::string plain = lower(name);
    for (const char* word : {"patient", "accession", "birth", "physician", "institution"}) {
      if (plain.find(word) == std::string::npos) continue;
      out.push_back(name);
      break;
    }
  }
  return out;
}

void check_identity(const std::vector<Found>& volumes, std::vector<Fault>& faults) {
  std::map<std::string, std::vector<const Found*>> by_elements;
  for (const Found& one : volumes) {
    const std::vector<std::string> elements = identity_in(*one.volume);
    if (!elements.empty()) by_elements[join(elements, ", ")].push_back(&one);
  }
  for (const auto& [elements, own] : by_elements) {
    faults.push_back(
        {Severity::warning, "patient-identity", own.front()->name,
         concat("is ", own.size() == 1 ? "a volume" : concat("one of ", own.size(), " volumes"),
                " whose header says whose it is (", elements, ")"),
         "before giving the set away make a copy without headers by `data check --fix` or `data "
         "pack`"});
  }
}

void check_burnt_in(const std::vector<Found>& volumes, std::vector<Fault>& faults) {
  static const std::set<std::string> often{"US", "XA", "RF", "SC", "OT", "ES"};
  std::vector<const Found*> said;
  std::vector<const Found*> likely;
  for (const Found& one : volumes) {
    if (one.mask || !one.volume->dicom) continue;
    const DicomFile& file = *one.volume->dicom->slices.front().file;
    if (file.burnt_in) {
      said.push_back(&one);
    } else if (often.contains(file.modality)) {
      likely.push_back(&one);
    }
  }
  const auto add = [&](const std::vector<const Found*>& own, const std::string& what) {
    if (own.empty()) return;
    faults.push_back({Severity::warning, "burnt-in-text", own.front()->name,
                      concat("is ",
                             own.size() == 1 ? std::string("an image")
                                             : concat("one of ", own.size(), " images"),
                             what),
                      "look at it; text in pixels stays in every copy until it is painted over"});
  };
  add(said, " whose header says that its pixels hold text on the patient");
  add(likely, " of a kind that often has the patient's name in its pixels");
}

bool has_floats(const Volume& volume) {
  return volume.type == NpyType::f32 || volume.type == NpyType::f64 || volume.scaled();
}

}  // namespace

void check_volumes(const Examination& set, std::vector<Fault>& faults) {
  const std::vector<Found> volumes = volumes_of(set);
  std::set<fs::path> mixed;
  for (const Found& one : volumes) {
    const Volume& volume = *one.volume;
    if (!volume.misplaced.empty() && !one.mask) {
      faults.push_back({Severity::warning, "misplaced-volume", one.name, volume.misplaced,
                        "correct it if lengths in mm or volumes in 3D are to be right"});
    }
    if (one.mask && has_floats(volume)) {
      faults.push_back({Severity::warning, "float-labels", one.name,
                        concat("holds labels as ", to_string(volume.type),
                               volume.scaled() ? " with a slope and an intercept" : ""),
                        "save labels as whole numbers, so that no program rounds them"});
    }
  }
  std::vector<fs::path> images = set.layout.images_alone;
  for (const Found& one : volumes) images.emplace_back(one.name);
  for (const fs::path& path : images) {
    std::error_code ignored;
    if (!path.filename().string().starts_with("series-") || fs::exists(path, ignored)) continue;
    if (!mixed.insert(path.parent_path()).second) continue;
    faults.push_back({Severity::warning, "mixed-series", path.parent_path().string(),
                      "holds several series of DICOM; each is read as a volume of its own",
                      "put each into a folder of its own, named as its mask"});
  }
  check_identity(volumes, faults);
  check_burnt_in(volumes, faults);
}

}  // namespace medurwkv::data
