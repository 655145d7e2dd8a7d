#include "data/check/repair_volumes.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/identity.h"
#include "core/memory.h"
#include "core/output.h"
#include "core/stop.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "data/layout/names.h"
#include "data/volumes/writer.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

constexpr const char* suffix = ".nii.gz";

/// Cases of a volume, in the order of its slices; of a volume of one slice itself.
std::map<std::string, std::vector<std::size_t>> slices_of(const Examination& set) {
  std::map<std::string, std::vector<std::size_t>> out;
  for (std::size_t i = 0; i < set.layout.cases.size(); ++i) {
    const Case& item = set.layout.cases[i];
    out[item.volume.empty() ? item.id : item.volume].push_back(i);
  }
  for (auto& [name, slices] : out) {
    std::sort(slices.begin(), slices.end(), [&](std::size_t a, std::size_t b) {
      return set.layout.cases[a].slice < set.layout.cases[b].slice;
    });
  }
  return out;
}

/// Why the volume is not to be trusted; empty where it is.
std::string fault_in(const Examination& set, const std::vector<std::size_t>& slices) {
  for (const std::size_t i : slices) {
    for (const Fault& fault : set.facts[i].faults) {
      if (fault.severity == Severity::error) return concat(fault.kind, ": ", fault.what);
    }
  }
  return "";
}

/// The voxels of one of the files of a volume's cases as a file.
std::string image_file(const Examination& set, const std::vector<std::size_t>& slices,
                       std::size_t which) {
  const Volume& like = *set.layout.cases[slices.front()].images.at(which).volume;
  const MemoryClaim claim(like.file.string(), 8 * like.voxels());
  const WrittenAs as{VolumeFormat::nifti, suffix};
  std::vector<std::uint8_t> bytes;
  std::vector<float> values;
  for (const std::size_t i : slices) {
    const Image image = read_image(set.layout.cases[i].images.at(which));
    if (image.channels != 1) {
      throw_failure(concat(like.file.string(),
                           ": is a volume in colours, which NIfTI has no "
                           "common form for"));
    }
    const auto pixels = static_cast<std::size_t>(image.width * image.height);
    if (image.type == SampleType::u8) {
      bytes.insert(bytes.end(), image.bytes.begin(), image.bytes.end());
      continue;
    }
    const std::size_t before = values.size();
    values.resize(before + pixels);
    if (image.type == SampleType::f32) {
      std::memcpy(&values[before], image.bytes.data(), image.bytes.size());
      continue;
    }
    for (std::size_t k = 0; k < pixels; ++k) {
      std::uint16_t sample = 0;
      std::memcpy(&sample, &image.bytes[2 * k], 2);
      values[before + k] = sample;
    }
  }
  return values.empty() ? encode_labels(like, bytes, as) : encode_values(like, values, as);
}

std::string labels_file(const Examination& set, const std::vector<std::size_t>& slices) {
  const Volume& like = *set.layout.cases[slices.front()].images.front().volume;
  std::vector<std::uint8_t> labels;
  for (const std::size_t i : slices) {
    const LabelMap own = read_labels(set.dataset, set.layout.cases[i]);
    labels.insert(labels.end(), own.labels.begin(), own.labels.end());
  }
  return encode_labels(like, labels, {VolumeFormat::nifti, suffix});
}

}  // namespace

bool holds_volumes_alone(const Examination& set) {
  const auto is_volume = [](const ImageSource& source) { return source.volume != nullptr; };
  return !set.layout.cases.empty() &&
         std::all_of(set.layout.cases.begin(), set.layout.cases.end(), [&](const Case& item) {
           return std::all_of(item.images.begin(), item.images.end(), is_volume);
         });
}

RepairReport write_volumes_anew(const Examination& set, const fs::path& out, Listener& listener) {
  const auto volumes = slices_of(set);
  RepairReport report;
  std::int64_t done = 0;
  for (const auto& [name, slices] : volumes) {
    throw_if_stopped(listener);
    listener.progress("writing volumes", done++, std::ssize(volumes), name);
    const Case& item = set.layout.cases[slices.front()];
    const std::string where = path_without_identity(item.images.front().file.string());
    std::string reason = fault_in(set, slices);
    std::vector<std::pair<OutputPath, std::string>> files;
    if (reason.empty()) {
      try {
        std::string plain = item.part.empty() || !name.starts_with(item.part + "/")
                                ? name
                                : name.substr(item.part.size() + 1);
        std::replace(plain.begin(), plain.end(), '/', '_');
        const OutputPath folder = OutputPath(out) / item.part;
        for (std::size_t i = 0; i < item.images.size(); ++i) {
          const std::string stem =
              item.images.size() == 1 ? plain : channel_stem(plain, static_cast<std::int64_t>(i));
          files.emplace_back(folder / "images" / (stem + suffix), image_file(set, slices, i));
        }
        files.emplace_back(folder / "labels" / (plain + suffix), labels_file(set, slices));
      } catch (const Error& error) {
        reason = without_identity(error.what());
      }
    }
    if (!reason.empty()) {
      report.repairs.push_back({where, "left out: " + reason});
      continue;
    }
    for (const auto& [file, bytes] : files) {
      make_folder(file.folder());
      write_file(file, bytes);
    }
    report.repairs.push_back({where, concat("written as ", files.front().first.path().string(),
                                            ", without its header but where it lies")});
    report.written += std::ssize(slices);
  }
  return report;
}

}  // namespace medurwkv::data
