#include "data/volumes/derived.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <set>
#include <utility>

#include "core/files.h"
#include "core/text.h"
#include "core/version.h"

namespace medurwkv::data {
namespace {

using Json = nlohmann::json;

std::string now(const char* format) {
  const std::time_t time = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 32> out{};
  std::strftime(out.data(), out.size(), format, &parts);
  return out.data();
}

/// A number in at most 16 characters, as near as that can be.
std::string decimal(double value) {
  constexpr std::size_t most = 16;
  std::array<char, 32> room{};
  for (int digits = 17; digits > 0; --digits) {
    const auto [end, error] = std::to_chars(room.data(), room.data() + room.size(), value,
                                            std::chars_format::general, digits);
    const auto length = static_cast<std::size_t>(end - room.data());
    if (error == std::errc{} && length <= most) return {room.data(), length};
  }
  return "0";
}

struct Known {
  const char* word;  ///< in the name of a class, lower case
  const char* value;
  const char* meaning;
  bool sick;  ///< a morphologically abnormal structure, else tissue
};

/// Concepts of SNOMED CT that PS3.16 and dcmqi use for segments. The first whose word is in the
/// name.
constexpr std::array<Known, 24> known{{{"tumor", "108369006", "Neoplasm", true},
                                       {"tumour", "108369006", "Neoplasm", true},
                                       {"neoplasm", "108369006", "Neoplasm", true},
                                       {"cancer", "108369006", "Neoplasm", true},
                                       {"polyp", "41329004", "Polyp", true},
                                       {"lesion", "52988006", "Lesion", true},
                                       {"edema", "79654002", "Edema", true},
                                       {"oedema", "79654002", "Edema", true},
                                       {"necrosis", "6574001", "Necrosis", true},
                                       {"left ventric", "87878005", "Left ventricle", false},
                                       {"right ventric", "53085002", "Right ventricle", false},
                                       {"myocard", "74281007", "Myocardium", false},
                                       {"heart", "80891009", "Heart", false},
                                       {"liver", "10200004", "Liver", false},
                                       {"spleen", "78961009", "Spleen", false},
                                       {"kidney", "64033007", "Kidney", false},
                                       {"pancreas", "15776009", "Pancreas", false},
                                       {"stomach", "69695003", "Stomach", false},
                                       {"aorta", "15825003", "Aorta", false},
                                       {"lung", "39607008", "Lung", false},
                                       {"prostate", "41216001", "Prostate", false},
                                       {"bladder", "89837001", "Urinary bladder", false},
                                       {"brain", "12738006", "Brain", false},
                                       {"nucle", "84640000", "Nucleus", false}}};

}  // namespace

Json element(const char* vr, Json values) {
  return {{"vr", vr}, {"Value", std::move(values)}};
}

Json sequence(std::vector<Json> items) {
  return element("SQ", std::move(items));
}

Json text(const char* vr, std::string_view value) {
  return element(vr, Json::array({value}));
}

Json number(const char* vr, std::int64_t value) {
  const std::set<std::string> texts{"IS", "DS"};
  return element(vr,
                 texts.contains(vr) ? Json::array({std::to_string(value)}) : Json::array({value}));
}

Json decimals(const std::vector<double>& values) {
  Json out = Json::array();
  for (const double value : values) out.push_back(decimal(value));
  return element("DS", std::move(out));
}

Json code(std::string_view value, std::string_view scheme, std::string_view meaning) {
  return sequence({{{"00080100", text("SH", value)},
                    {"00080102", text("SH", scheme)},
                    {"00080104", text("LO", meaning)}}});
}

std::string uid_of(std::string_view text) {
  // A UUID of version 8 (RFC 9562) as a number, as PS3.5 annex B.2 has it.
  const std::string hash = sha256(std::string(text));
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::from_chars(hash.data() + 2 * i, hash.data() + 2 * i + 2, bytes.at(i), 16);
  }
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0fU) | 0x80U);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3fU) | 0x80U);
  std::string digits;
  while (std::any_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte != 0; })) {
    unsigned rest = 0;
    for (std::uint8_t& byte : bytes) {
      rest = rest << 8U | byte;
      byte = static_cast<std::uint8_t>(rest / 10);
      rest %= 10;
    }
    digits.insert(digits.begin(), static_cast<char>('0' + rest));
  }
  return concat("2.25.", digits);
}

Json derived_from(const Volume& source, const char* sop_class, const char* modality,
                  std::string_view seed) {
  const DicomFile& first = *source.dicom->slices.front().file;
  const Json elements = dicom_elements(first.file);
  Json out;
  // PS3.3: patient, general study, patient study, frame of reference. Some must be there, if empty.
  static constexpr std::array<std::pair<const char*, const char*>, 11> always{{{"00080020", "DA"},
                                                                               {"00080030", "TM"},
                                                                               {"00080050", "SH"},
                                                                               {"00080090", "PN"},
                                                                               {"00100010", "PN"},
                                                                               {"00100020", "LO"},
                                                                               {"00100030", "DA"},
                                                                               {"00100040", "CS"},
                                                                               {"00200010", "SH"},
                                                                               {"0020000D", "UI"},
                                                                               {"00201040", "LO"}}};
  for (const auto& [tag, vr] : always) {
    out[tag] = elements.contains(tag) ? elements.at(tag) : element(vr, Json::array());
  }
  for (const char* tag : {"00081030", "00101010", "00101020", "00101030", "00102160", "00200052"}) {
    if (elements.contains(tag)) out[tag] = elements.at(tag);
  }
  out["00080005"] = text("CS", "ISO_IR 192");
  out["00080016"] = text("UI", sop_class);
  out["00080018"] = text("UI", uid_of(concat(seed, " instance")));
  out["0020000E"] = text("UI", uid_of(concat(seed, " series")));
  out["00080060"] = text("CS", modality);
  out["00080023"] = text("DA", now("%Y%m%d"));
  out["00080033"] = text("TM", now("%H%M%S"));
  out["00080070"] = text("LO", "Med-URWKV");
  out["00081090"] = text("LO", "medurwkv");
  out["00181000"] = text("LO", "0");
  out["00181020"] = text("LO", version);
  out["0008103E"] = text("LO", concat(modality, " by medurwkv"));
  out["00200011"] = number("IS", 900);
  out["00200013"] = number("IS", 1);
  return out;
}

Json reference_to(const DicomSlice& slice) {
  Json out{{"00081150", text("UI", slice.file->sop_class)},
           {"00081155", text("UI", slice.file->instance)}};
  if (slice.file->frames.size() > 1) out["00081160"] = number("IS", slice.frame + 1);
  return out;
}

CodedClass coded(const ClassInfo& info) {
  const std::string name = lower(info.name);
  for (const Known& one : known) {
    if (name.find(one.word) == std::string::npos) continue;
    return {one.sick ? code("49755003", "SCT", "Morphologically Abnormal Structure")
                     : code("85756007", "SCT", "Tissue"),
            code(one.value, "SCT", one.meaning)};
  }
  const std::string meaning = info.name.substr(0, 64);
  return {code("85756007", "SCT", "Tissue"),
          code(sha256(info.name).substr(0, 16), "99MEDURWKV", meaning)};
}

}  // namespace medurwkv::data
