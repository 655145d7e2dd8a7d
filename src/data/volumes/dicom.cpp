#include "data/volumes/dicom.h"

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <set>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/identity.h"
#include "core/own_library.h"
#include "core/text.h"
#include "data/volumes/formats.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::size_t message_size = 256;

const MedurwkvDicomLibrary& library(const std::string& file) {
  static constexpr ReadingLibrary library{
      .variable = "MEDURWKV_DICOM_LIBRARY",
      .name = "libmedurwkv_dicom.so",
      .symbol = medurwkv_dicom_symbol,
      .kind = "DICOM",
      .remedy = "build it (with libdcmtk-dev) or convert the images to NIfTI"};
  return open_library<MedurwkvDicomLibrary>(library, medurwkv_dicom_abi, file);
}

/// Throws what the library said.
template <class Call>
void ask(const std::string& name, const Call& call) {
  std::array<char, message_size> message{};
  if (call(message.data(), message.size()) != 0) {
    throw_failure(concat(name, ": ", shown(message.data())));
  }
}

template <std::size_t N>
std::optional<std::array<double, N>> fixed_numbers(const Json& elements, const char* tag) {
  const std::vector<double> values = numbers_of(elements, tag);
  // Farther away, or larger, is nothing of a patient; sums of such numbers may be infinite.
  constexpr double most = 1e6;  // mm
  const bool sound = values.size() == N && std::all_of(values.begin(), values.end(), [](double x) {
                       return std::abs(x) <= most;
                     });
  if (!sound) return std::nullopt;
  std::array<double, N> out{};
  std::copy(values.begin(), values.end(), out.begin());
  return out;
}

std::int64_t whole(const Json& elements, const char* tag, std::int64_t otherwise) {
  const auto value = number_of(elements, tag);
  constexpr double most = 1e15;
  return value && std::abs(*value) < most ? static_cast<std::int64_t>(*value) : otherwise;
}

/// Whether an element is there with a value. Files with empty ones are written.
bool says(const Json& elements, const char* tag) {
  const auto found = elements.find(tag);
  if (found == elements.end() || found->at("Value").empty()) return false;
  const Json& first = found->at("Value").front();
  return !first.is_string() || !trim(first.get<std::string>()).empty();
}

/// What stands in the elements of an image, or in a functional group of a frame. Throws where
/// values are said to be scaled by what is no number.
void read_placing(const fs::path& file, const Json& elements, DicomFrame& out) {
  if (const auto position = fixed_numbers<3>(elements, "00200032")) out.position = position;
  if (const auto orientation = fixed_numbers<6>(elements, "00200037")) {
    out.orientation = orientation;
  }
  if (const auto spacing = fixed_numbers<2>(elements, "00280030")) out.spacing = spacing;
  const auto scale = [&](const char* tag, const char* name, double& own) {
    if (!says(elements, tag)) return;
    const auto said = number_of(elements, tag);
    if (!said) throw_failure(concat(file.string(), ": its rescale ", name, " is no number"));
    own = *said;
  };
  scale("00281053", "slope", out.slope);
  scale("00281052", "intercept", out.intercept);
}

/// Of a functional group: positions, orientation, pixel measures, transformation of values.
void read_groups(const fs::path& file, const Json& groups, DicomFrame& out) {
  for (const char* sequence : {"00209113", "00209116", "00289110", "00289145"}) {
    for (const Json* item : items_of(groups, sequence)) read_placing(file, *item, out);
  }
}

/// How many frames there are. Throws where that is no number, or more than the file's bytes hold.
std::int64_t frame_count(const DicomFile& image, const Json& elements) {
  if (!says(elements, "00280008")) return 1;
  const auto said = number_of(elements, "00280008");
  const auto refuse = [&](const char* why) {
    const Json& value = elements.at("00280008").at("Value").front();
    const std::string text = value.is_string() ? trim(value.get<std::string>()) : value.dump();
    throw_failure(concat(image.file.string(), ": says that it has ", shown(text), " frames", why));
  };
  if (!said || *said < 0 || std::floor(*said) != *said) refuse(", which no image has");
  static const std::set<std::string> not_packed{"", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1",
                                                "1.2.840.10008.1.2.2"};
  // A packed frame is an item of 8 bytes at least.
  const bool packed = !not_packed.contains(text_of(elements, "00020010"));
  const double bits = packed ? 64
                             : static_cast<double>(image.columns) *
                                   static_cast<double>(image.rows) * image.bits_allocated;
  const bool deflated = text_of(elements, "00020010") == "1.2.840.10008.1.2.1.99";
  std::error_code error;
  const double there = 8 * static_cast<double>(fs::file_size(image.file, error));
  // A single one that is cut off is named as such where it is read.
  const double most = std::max(1.0, there * (deflated ? 1032 : 1) / bits + 1);
  constexpr double most_read = 1 << 20;
  if (*said > std::min(most, most_read)) refuse(", more than its bytes hold");
  return std::max<std::int64_t>(static_cast<std::int64_t>(*said), 1);
}

std::vector<DicomFrame> frames_of(const DicomFile& image, const Json& elements) {
  const fs::path& file = image.file;
  const std::int64_t count = frame_count(image, elements);
  DicomFrame shared;
  read_placing(file, elements, shared);
  for (const Json* groups : items_of(elements, "52009229")) read_groups(file, *groups, shared);
  std::vector<DicomFrame> out(static_cast<std::size_t>(count), shared);
  const std::vector<const Json*> groups = items_of(elements, "52009230");
  for (std::size_t i = 0; i < std::min(groups.size(), out.size()); ++i) {
    read_groups(file, *groups[i], out[i]);
    for (const Json* item : items_of(*groups[i], "0062000A")) {
      out[i].segment = static_cast<int>(whole(*item, "0062000B", 0));
    }
    for (const Json* derivation : items_of(*groups[i], "00089124")) {
      for (const Json* item : items_of(*derivation, "00082112")) {
        out[i].source = text_of(*item, "00081155");
        out[i].source_frame = whole(*item, "00081160", 1) - 1;
      }
    }
  }
  return out;
}

/// A date as DICOM has it, and as people write it.
void remember_date(const std::string& date) {
  constexpr std::size_t digits = 8;
  if (date.size() != digits) return;
  remember_identity(date);
  remember_identity(concat(date.substr(0, 4), "-", date.substr(4, 2), "-", date.substr(6)));
}

/// Each word of a name that is not everybody's.
void remember_name(const std::string& name) {
  static const std::set<std::string> common{"anonymous", "anonymized", "anonymised",
                                            "anon",      "unknown",    "none",
                                            "patient",   "test",       "phantom"};
  std::string word;
  for (const char c : name + "^") {
    if (std::string_view("^= ,.").find(c) == std::string_view::npos) {
      word += c;
      continue;
    }
    if (!word.empty() && !common.contains(lower(word))) remember_identity(word);
    word.clear();
  }
}

/// What a header says of the patient. A file that is said to be rid of identities is believed.
void read_identity(const Json& elements, DicomFile& out) {
  if (lower(text_of(elements, "00120062")) == "yes") return;
  static constexpr std::array<std::pair<const char*, const char*>, 13> known{
      {{"00100010", "PatientName"},
       {"00100020", "PatientID"},
       {"00100030", "PatientBirthDate"},
       {"00101000", "OtherPatientIDs"},
       {"00101001", "OtherPatientNames"},
       {"00101040", "PatientAddress"},
       {"00102154", "PatientTelephoneNumbers"},
       {"00080050", "AccessionNumber"},
       {"00080020", "StudyDate"},
       {"00080021", "SeriesDate"},
       {"00080022", "AcquisitionDate"},
       {"00080090", "ReferringPhysicianName"},
       {"00080080", "InstitutionName"}}};
  for (const auto& [tag, name] : known) {
    const std::string value = text_of(elements, tag);
    if (value.empty()) continue;
    out.identity.emplace_back(name);
    const std::string_view kind = name;
    if (kind.ends_with("Date")) {
      remember_date(value);
    } else if (kind.ends_with("PatientName") || kind == "OtherPatientNames") {
      remember_name(value);
    } else if (kind.ends_with("ID") || kind.ends_with("IDs") || kind == "AccessionNumber") {
      remember_identity(value);
    }
  }
  out.patient = text_of(elements, "00100020");
}

DicomFile described(const fs::path& file, const Json& elements) {
  DicomFile out{.file = file,
                .sop_class = text_of(elements, "00080016"),
                .instance = text_of(elements, "00080018"),
                .series = text_of(elements, "0020000E"),
                .series_number = text_of(elements, "00200011"),
                .frame_of_reference = text_of(elements, "00200052"),
                .modality = text_of(elements, "00080060"),
                .colors = text_of(elements, "00280004"),
                .frames = {},
                .segments = {}};
  read_identity(elements, out);
  out.burnt_in = text_of(elements, "00280301") == "YES";
  out.has_pixels = elements.contains("00280010") && elements.contains("00280011") &&
                   elements.contains("00280100");
  if (!out.has_pixels) return out;
  out.columns = whole(elements, "00280011", 0);
  out.rows = whole(elements, "00280010", 0);
  out.samples = whole(elements, "00280002", 1);
  out.bits_allocated = static_cast<int>(whole(elements, "00280100", 0));
  out.bits_stored = static_cast<int>(whole(elements, "00280101", out.bits_allocated));
  out.high_bit = static_cast<int>(whole(elements, "00280102", out.bits_stored - 1));
  out.has_sign = whole(elements, "00280103", 0) == 1;
  const bool sound = out.columns > 0 && out.rows > 0 && out.bits_stored > 0 &&
                     out.bits_stored <= out.bits_allocated && out.high_bit < out.bits_allocated &&
                     out.high_bit >= out.bits_stored - 1;
  if (!sound) {
    throw_failure(concat(file.string(), ": says that it has ", out.columns, " x ", out.rows,
                         " pixels of ", out.bits_stored, " bits up to bit ", out.high_bit, " in ",
                         out.bits_allocated, ", which no image has"));
  }
  if (out.colors.empty()) out.colors = out.samples == 3 ? "RGB" : "MONOCHROME2";
  out.frames = frames_of(out, elements);
  for (const Json* item : items_of(elements, "00620002")) {
    out.segments.push_back(
        {static_cast<int>(whole(*item, "00620004", 0)), text_of(*item, "00620005")});
  }
  if (text_of(elements, "00620001") == "FRACTIONAL") {
    out.full = static_cast<int>(whole(elements, "0062000E", 255));
  }
  return out;
}

/// Descriptions by file, as long as the file stays as it was.
class Known {
 public:
  std::shared_ptr<const DicomFile> file(const fs::path& file) {
    struct stat facts {};
    if (::stat(file.c_str(), &facts) != 0) {
      throw_failure(concat(file.string(), ": ", std::generic_category().message(errno)));
    }
    const std::string stamp = concat(facts.st_size, " ", facts.st_mtim.tv_sec, " ",
                                     facts.st_mtim.tv_nsec, " ", facts.st_ino);
    {
      const std::scoped_lock lock(mutex_);
      const auto found = files_.find(file);
      if (found != files_.end() && found->second.first == stamp) return found->second.second;
    }
    auto made = std::make_shared<const DicomFile>(described(file, dicom_elements(file)));
    const std::scoped_lock lock(mutex_);
    constexpr std::size_t most = 200000;
    if (files_.size() > most) files_.clear();
    files_[file] = {stamp, made};
    return made;
  }

 private:
  std::mutex mutex_;
  std::map<fs::path, std::pair<std::string, std::shared_ptr<const DicomFile>>> files_;
};

}  // namespace

bool is_dicom(std::string_view start) {
  constexpr std::size_t before = 128;
  return start.size() >= before + 4 && start.substr(before, 4) == "DICM";
}

Json dicom_elements(const fs::path& file) {
  Json out;
  ask(file.string(), [&](char* message, std::size_t size) {
    return library(file.string())
        .header(
            file.c_str(), &out,
            [](void* user, const char* text, std::size_t length) {
              *static_cast<Json*>(user) = Json::parse(text, text + length);
            },
            message, size);
  });
  return out;
}

std::vector<std::string> texts_of(const Json& elements, const char* tag) {
  std::vector<std::string> out;
  const auto element = elements.find(tag);
  if (element == elements.end()) return out;
  for (const Json& value : element->at("Value")) {
    if (!value.is_string()) return {};
    out.push_back(trim(value.get<std::string>()));
  }
  return out;
}

std::vector<double> numbers_of(const Json& elements, const char* tag) {
  std::vector<double> out;
  const auto element = elements.find(tag);
  if (element == elements.end()) return out;
  for (const Json& value : element->at("Value")) {
    const auto number = value.is_number()   ? std::optional(value.get<double>())
                        : value.is_string() ? number_in(trim(value.get<std::string>()))
                                            : std::nullopt;
    if (!number || !std::isfinite(*number)) return {};
    out.push_back(*number);
  }
  return out;
}

std::string text_of(const Json& elements, const char* tag) {
  const std::vector<std::string> all = texts_of(elements, tag);
  return all.empty() ? "" : all.front();
}

std::optional<double> number_of(const Json& elements, const char* tag) {
  const std::vector<double> all = numbers_of(elements, tag);
  return all.empty() ? std::nullopt : std::optional(all.front());
}

std::vector<const Json*> items_of(const Json& elements, const char* tag) {
  std::vector<const Json*> out;
  const auto element = elements.find(tag);
  if (element == elements.end()) return out;
  for (const Json& item : element->at("Value")) {
    if (item.is_object()) out.push_back(&item);
  }
  return out;
}

void read_frame(const fs::path& file, std::int64_t frame,
                const std::function<void(const MedurwkvDicomFrame&)>& take) {
  /// Exceptions do not cross the library.
  struct Taken {
    const std::function<void(const MedurwkvDicomFrame&)>& take;
    std::exception_ptr error;
  } taken{take, nullptr};
  ask(file.string(), [&](char* message, std::size_t size) {
    return library(file.string())
        .frame(
            file.c_str(), frame, &taken,
            [](void* user, const MedurwkvDicomFrame* one) {
              auto& own = *static_cast<Taken*>(user);
              try {
                own.take(*one);
              } catch (...) {
                own.error = std::current_exception();
              }
            },
            message, size);
  });
  if (taken.error) std::rethrow_exception(taken.error);
}

std::string encode_dicom(const Json& elements, std::span<const unsigned char> pixels) {
  std::string out;
  const std::string text = elements.dump();
  ask("DICOM", [&](char* message, std::size_t size) {
    return library("DICOM").write(
        text.data(), text.size(), pixels.data(), pixels.size(), &out,
        [](void* user, const char* bytes, std::size_t count) {
          static_cast<std::string*>(user)->assign(bytes, count);
        },
        message, size);
  });
  return out;
}

bool DicomFile::is_segmentation() const {
  return sop_class == "1.2.840.10008.5.1.4.1.1.66.4";
}

std::shared_ptr<const DicomFile> dicom_file(const fs::path& file) {
  static Known known;
  return known.file(file);
}

}  // namespace medurwkv::data
