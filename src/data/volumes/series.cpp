#include "data/volumes/series.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/case_loop.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/volumes/formats.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

using File = std::shared_ptr<const DicomFile>;

/// Images of one series in one folder, by file.
struct Series {
  std::string name;  ///< "series-4"
  std::vector<File> files;
};

/// Whether the file may be one of a series.
bool is_slice(const DicomFile& file) {
  return file.has_pixels && !file.is_segmentation() && file.frames.size() == 1 &&
         file.frames.front().position && file.frames.front().orientation;
}

/// The series among files of one folder.
std::vector<Series> series_among(const std::vector<File>& files) {
  std::map<std::string, Series> by_uid;
  for (const File& file : files) {
    if (is_slice(*file) && !file->series.empty()) by_uid[file->series].files.push_back(file);
  }
  std::map<std::string, int> numbers;
  for (const auto& [uid, series] : by_uid) ++numbers[series.files.front()->series_number];
  std::vector<Series> out;
  for (auto& [uid, series] : by_uid) {
    if (series.files.size() < 2) continue;
    const std::string& number = series.files.front()->series_number;
    const bool plain = !number.empty() && number.size() < 10 &&
                       number.find_first_not_of("0123456789") == std::string::npos;
    series.name = plain && numbers[number] == 1 ? concat("series-", number)
                                                : concat("series-", sha256(uid).substr(0, 8));
    out.push_back(std::move(series));
  }
  std::sort(out.begin(), out.end(),
            [](const Series& a, const Series& b) { return a.name < b.name; });
  return out;
}

/// Descriptions of the files of DICOM among `files`, in their order; null for others, for broken
/// ones and for those that are not there.
std::vector<File> described(const std::vector<fs::path>& files) {
  std::vector<File> out(files.size());
  for_each_case(files.size(), "", silence(), [&](std::size_t i) {
    if (!is_dicom_file(files[i])) return;
    try {
      out[i] = dicom_file(files[i]);
    } catch (const Error&) {  // named where the file is read
    }
  });
  return out;
}

std::vector<Series> series_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::path& path : list_folder(folder)) {
    std::error_code error;
    if (fs::is_regular_file(path, error)) files.push_back(path);
  }
  std::vector<File> found = described(files);
  std::erase(found, nullptr);
  return series_among(found);
}

double dot(const std::array<double, 3>& a, const std::array<double, 3>& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

std::array<double, 3> cross(const std::array<double, 6>& rows) {
  return {rows[1] * rows[5] - rows[2] * rows[4], rows[2] * rows[3] - rows[0] * rows[5],
          rows[0] * rows[4] - rows[1] * rows[3]};
}

/// Throws where two files of a series are not of one kind.
void check_alike(const fs::path& path, const DicomFile& a, const DicomFile& b) {
  const bool alike = a.columns == b.columns && a.rows == b.rows && a.samples == b.samples &&
                     a.colors == b.colors && a.bits_stored == b.bits_stored &&
                     a.has_sign == b.has_sign;
  if (alike) return;
  throw_failure(
      concat(path.string(), ": its images are not of one kind: ", a.file.filename().string(),
             " is ", a.columns, " x ", a.rows, " ", a.colors, " of ", a.bits_stored, " bits, ",
             b.file.filename().string(), " ", b.columns, " x ", b.rows, " ", b.colors, " of ",
             b.bits_stored, " bits; move those that do not belong into a folder of their own"));
}

/// Puts slices in order along what stands upright on them. Throws for two at one place and for
/// slices of unlike directions.
void order(const fs::path& path, std::vector<DicomSlice>& slices) {
  const std::array<double, 6> rows = *slices.front().placing().orientation;
  for (const DicomSlice& slice : slices) {
    constexpr double most_turned = 1e-3;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (std::abs(slice.placing().orientation->at(i) - rows.at(i)) < most_turned) continue;
      throw_failure(concat(path.string(), ": its images lie in unlike directions, as ",
                           slices.front().file->file.filename().string(), " and ",
                           slice.file->file.filename().string(),
                           "; move those that do not belong, such as a localizer, into a folder of "
                           "their own"));
    }
  }
  const std::array<double, 3> upright = cross(rows);
  const auto height = [&](const DicomSlice& slice) {
    return dot(upright, *slice.placing().position);
  };
  std::stable_sort(slices.begin(), slices.end(),
                   [&](const DicomSlice& a, const DicomSlice& b) { return height(a) < height(b); });
  for (std::size_t i = 1; i < slices.size(); ++i) {
    constexpr double least = 1e-3;  // mm
    if (height(slices[i]) - height(slices[i - 1]) >= least) continue;
    const auto name = [](const DicomSlice& slice) {
      const std::string file = slice.file->file.filename().string();
      return slice.file->frames.size() > 1 ? concat("frame ", slice.frame, " of ", file) : file;
    };
    throw_failure(concat(path.string(), ": has several images at one place in the patient, as ",
                         name(slices[i - 1]), " and ", name(slices[i]),
                         " (copies, or other times, echoes or b-values); keep one of each place in "
                         "a folder"));
  }
}

/// What is uneven in the slices, for people; empty where nothing is.
std::string unevenness(const std::vector<DicomSlice>& slices, const std::array<double, 3>& step,
                       const std::array<double, 3>& upright) {
  std::vector<double> gaps;
  for (std::size_t i = 1; i < slices.size(); ++i) {
    std::array<double, 3> between{};
    for (std::size_t k = 0; k < 3; ++k) {
      between.at(k) = slices[i].placing().position->at(k) - slices[i - 1].placing().position->at(k);
    }
    gaps.push_back(dot(between, upright));
  }
  std::vector<double> sorted = gaps;
  std::nth_element(sorted.begin(), sorted.begin() + std::ssize(sorted) / 2, sorted.end());
  const double usual = sorted[sorted.size() / 2];
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    constexpr double most_uneven = 0.1;
    if (std::abs(gaps[i] - usual) <= most_uneven * usual) continue;
    return concat("between its slices ", i, " and ", i + 1, " are ", fixed(gaps[i], 2),
                  " mm, between others ", fixed(usual, 2),
                  gaps[i] > 1.5 * usual ? ": a slice is missing" : "");
  }
  const double length = std::sqrt(dot(step, step));
  constexpr double degrees = 57.29577951308232;
  const double tilt = std::acos(std::min(1.0, dot(step, upright) / length)) * degrees;
  constexpr double most_tilted = 0.5;
  if (tilt <= most_tilted) return "";
  return concat("its slices are tilted by ", fixed(tilt, 1),
                " degrees against the line that they lie on (gantry tilt)");
}

/// Whether every slice says where it lies. Frames of a clip share one place.
bool are_placed(const std::vector<DicomSlice>& slices) {
  const auto placed = [](const DicomSlice& slice) {
    return slice.placing().position && slice.placing().orientation;
  };
  if (!std::all_of(slices.begin(), slices.end(), placed)) return false;
  const bool clip = std::all_of(slices.begin(), slices.end(), [&](const DicomSlice& slice) {
    return slice.file == slices.front().file &&
           slice.placing().position == slices.front().placing().position;
  });
  return slices.size() == 1 || !clip;
}

/// Where a volume lies, from its slices, ordered where they are `placed`.
void place(const std::vector<DicomSlice>& slices, bool placed, Volume& out) {
  const DicomFrame& first = slices.front().placing();
  const std::array<double, 2> spacing = first.spacing.value_or(std::array<double, 2>{0, 0});
  out.placing.step = {};
  if (!placed) {
    out.placing.step[0][0] = spacing[1];
    out.placing.step[1][1] = spacing[0];
    out.placing.step[2][2] = slices.size() == 1 ? 1 : 0;
    out.misplaced = "it does not say where it lies in the patient";
    return;
  }
  const std::array<double, 6>& rows = *first.orientation;
  const std::array<double, 3> upright = cross(rows);
  out.placing.origin = *first.position;
  for (std::size_t k = 0; k < 3; ++k) {
    out.placing.step[0].at(k) = rows.at(k) * spacing[1];
    out.placing.step[1].at(k) = rows.at(3 + k) * spacing[0];
    out.placing.step[2].at(k) = upright.at(k);
  }
  if (!geometry_of(out.placing)) out.misplaced = "its pixel spacing or direction is none";
  if (slices.size() < 2) return;
  const std::array<double, 3>& last = *slices.back().placing().position;
  for (std::size_t k = 0; k < 3; ++k) {
    out.placing.step[2].at(k) =
        (last.at(k) - first.position->at(k)) / static_cast<double>(slices.size() - 1);
  }
  if (out.misplaced.empty()) out.misplaced = unevenness(slices, out.placing.step[2], upright);
}

bool is_measured(const DicomFile& file) {
  static const std::set<std::string> modalities{"CT", "MR", "PT", "NM", "RTDOSE"};
  return file.colors.starts_with("MONOCHROME") && modalities.contains(file.modality);
}

/// A slice at each place of the frames, or for each image that they were made of where none says
/// its place.
Volume segmentation(const File& file) {
  Volume out{.format = "DICOM-SEG", .file = file->file, .type = NpyType::u8, .data = file->file};
  auto source = std::make_shared<DicomSource>();
  source->slices.push_back({file, 0});
  const auto fail = [&](const std::string& what) {
    throw_failure(concat(file->file.string(), ": is a segmentation of which ", what));
  };
  std::vector<DicomSlice> places;
  std::map<double, std::vector<std::int64_t>> by_height;
  std::map<std::pair<std::string, std::int64_t>, std::vector<std::int64_t>> by_source;
  for (std::int64_t i = 0; i < std::ssize(file->frames); ++i) {
    const DicomSlice slice{file, i};
    const DicomFrame& frame = slice.placing();
    if (frame.segment < 1 || frame.segment >= 255) fail("a frame is of no segment from 1 to 254");
    if (!frame.position || !frame.orientation) {
      by_source[{frame.source, frame.source_frame}].push_back(i);
      continue;
    }
    if (*frame.orientation != *file->frames.front().orientation) {
      fail("frames lie in unlike directions");
    }
    constexpr double grain = 1e-3;  // mm
    const double height =
        std::round(dot(cross(*frame.orientation), *frame.position) / grain) * grain;
    std::vector<std::int64_t>& own = by_height[height];
    if (own.empty()) places.push_back(slice);
    own.push_back(i);
  }
  if (!places.empty() && !by_source.empty()) fail("some frames do not say where they lie");
  if (places.empty()) {
    for (auto& [made_of, own] : by_source) source->frames_at.push_back(std::move(own));
  } else {
    order(file->file, places);
    for (auto& [height, own] : by_height) source->frames_at.push_back(std::move(own));
  }
  set_sides(out, {file->columns, file->rows, std::ssize(source->frames_at)}, 1);
  place(places.empty() ? source->slices : places, !places.empty(), out);
  out.dicom = std::move(source);
  return out;
}

}  // namespace

bool is_dicom_file(const fs::path& path) {
  const std::string suffix = lower(path.extension().string());
  if (suffix == ".dcm" || suffix == ".dicom" || suffix == ".ima") return true;
  // Scanners write names without a suffix, or numbers: IM0001, 1.2.840.10008.
  if (suffix.find_first_not_of(".0123456789") != std::string::npos) return false;
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return false;
  try {
    constexpr std::size_t start = 132;
    return is_dicom(read_start(path, start));
  } catch (const Error&) {
    return false;
  }
}

std::vector<fs::path> with_series(std::vector<fs::path> files) {
  const std::vector<File> all = described(files);
  std::map<fs::path, std::vector<File>> by_folder;
  for (const File& file : all) {
    if (file) by_folder[file->file.parent_path()].push_back(file);
  }
  if (by_folder.empty()) return files;
  std::map<fs::path, fs::path> series_of;  // of a file
  std::vector<fs::path> out;
  for (const auto& [folder, own] : by_folder) {
    const std::vector<Series> found = series_among(own);
    for (const Series& series : found) {
      out.push_back(found.size() == 1 ? folder : folder / series.name);
      for (const File& file : series.files) series_of[file->file] = out.back();
    }
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    const bool dropped = all[i] && (!all[i]->has_pixels || series_of.contains(files[i]));
    if (!dropped) out.push_back(std::move(files[i]));
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool is_series(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return series_in(path).size() == 1;
  if (!path.filename().string().starts_with("series-") || fs::exists(path, error)) return false;
  if (!fs::is_directory(path.parent_path(), error)) return false;
  const std::vector<Series> found = series_in(path.parent_path());
  return std::any_of(found.begin(), found.end(),
                     [&](const Series& one) { return one.name == path.filename(); });
}

std::vector<fs::path> files_behind(const fs::path& path) {
  std::error_code error;
  const bool folder = fs::is_directory(path, error);
  if (!folder && (fs::exists(path, error) || !path.filename().string().starts_with("series-"))) {
    return {path};
  }
  std::vector<Series> found = series_in(folder ? path : path.parent_path());
  if (!folder) {
    std::erase_if(found, [&](const Series& one) { return one.name != path.filename(); });
  }
  if (found.size() != 1) {
    std::vector<std::string> names;
    constexpr std::size_t most = 8;
    for (const Series& one : found) {
      if (names.size() < most) names.push_back(one.name);
    }
    if (found.size() > most) names.push_back(concat("and ", found.size() - most, " more"));
    throw_failure(concat(
        path.string(), found.empty() ? ": holds no series of DICOM" : ": holds several series: ",
        join(names, ", "), found.empty() ? "" : "; name one of them as FOLDER/SERIES"));
  }
  std::vector<fs::path> out;
  for (const File& file : found.front().files) out.push_back(file->file);
  return out;
}

Volume dicom_volume(const fs::path& path) {
  auto source = std::make_shared<DicomSource>();
  for (const fs::path& file : files_behind(path)) {
    const File one = dicom_file(file);
    if (!one->has_pixels) throw_failure(concat(file.string(), ": is DICOM without pixels"));
    if (!source->slices.empty()) check_alike(path, *source->slices.front().file, *one);
    for (std::int64_t i = 0; i < std::ssize(one->frames); ++i) source->slices.push_back({one, i});
  }
  const DicomFile& first = *source->slices.front().file;
  if (first.is_segmentation()) return segmentation(source->slices.front().file);
  const bool placed = are_placed(source->slices);
  if (placed) order(path, source->slices);
  source->measured = is_measured(first);
  Volume out{.format = "DICOM", .file = path, .data = first.file};
  const bool colors = first.samples == 3 || first.colors == "PALETTE COLOR";
  set_sides(out, {first.columns, first.rows, std::ssize(source->slices)}, colors ? 3 : 1);
  out.channels_together = true;
  out.type = source->measured ? NpyType::f32 : first.bits_stored > 8 ? NpyType::u16 : NpyType::u8;
  place(source->slices, placed, out);
  out.dicom = std::move(source);
  return out;
}

}  // namespace medurwkv::data
