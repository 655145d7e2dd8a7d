#include "data/volumes/segmentation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "data/volumes/derived.h"

namespace medurwkv::data {
namespace {

using Json = nlohmann::json;

/// A frame of a segment at a slice.
struct Frame {
  std::size_t segment = 0;  ///< from 1
  std::size_t slice = 0;
};

/// PS3.3 C.10.7.1.1: CIELab in 16 bits each, of an sRGB colour (D50 white).
Json cielab(const std::array<std::uint8_t, 3>& color) {
  std::array<double, 3> linear{};
  for (std::size_t i = 0; i < 3; ++i) {
    const double c = color.at(i) / 255.0;
    linear.at(i) = c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  }
  const auto [r, g, b] = linear;
  // sRGB to XYZ adapted to D50 (Bradford), by white.
  const std::array<double, 3> xyz{(0.4360747 * r + 0.3850649 * g + 0.1430804 * b) / 0.9642,
                                  0.2225045 * r + 0.7168786 * g + 0.0606169 * b,
                                  (0.0139322 * r + 0.0971045 * g + 0.7141733 * b) / 0.8251};
  const auto f = [](double t) { return t > 0.008856 ? std::cbrt(t) : 7.787 * t + 16.0 / 116; };
  const double l = 116 * f(xyz[1]) - 16;
  const double a = 500 * (f(xyz[0]) - f(xyz[1]));
  const double other = 200 * (f(xyz[1]) - f(xyz[2]));
  const auto scaled = [](double value, double least, double most) {
    return std::lround(std::clamp((value - least) / (most - least), 0.0, 1.0) * 65535);
  };
  return element("US",
                 Json::array({scaled(l, 0, 100), scaled(a, -128, 127), scaled(other, -128, 127)}));
}

Json segments_of(const std::vector<ClassInfo>& classes) {
  std::vector<Json> out;
  for (std::size_t i = 1; i < classes.size(); ++i) {
    const CodedClass own = coded(classes[i]);
    out.push_back({{"00620003", own.category},
                   {"0062000F", own.type},
                   {"00620004", number("US", static_cast<std::int64_t>(i))},
                   {"00620005", text("LO", classes[i].name.substr(0, 64))},
                   {"00620008", text("CS", "AUTOMATIC")},
                   {"00620009", text("LO", "Med-URWKV")},
                   {"0062000D", cielab(classes[i].color)}});
  }
  return sequence(std::move(out));
}

/// The images of the source, each once, as PS3.3 C.7.6.16 has it.
Json references(const Volume& source) {
  std::vector<Json> instances;
  const DicomFile* last = nullptr;
  for (const DicomSlice& slice : source.dicom->slices) {
    if (slice.file.get() == last) continue;
    last = slice.file.get();
    instances.push_back(
        {{"00081150", text("UI", last->sop_class)}, {"00081155", text("UI", last->instance)}});
  }
  return sequence({{{"0020000E", text("UI", source.dicom->slices.front().file->series)},
                    {"0008114A", sequence(std::move(instances))}}});
}

Json frame_groups(const Volume& source, const Frame& frame, bool placed) {
  const DicomSlice& slice = source.dicom->slices[frame.slice];
  Json from = reference_to(slice);
  from["0028135A"] = text("CS", "YES");  // spatial locations are preserved
  from["0040A170"] = code("121322", "DCM", "Source image for image processing operation");
  Json index = Json::array({frame.segment});
  if (placed) index.push_back(frame.slice + 1);
  Json out{{"00089124", sequence({{{"00082112", sequence({std::move(from)})},
                                   {"00089215", code("113076", "DCM", "Segmentation")}}})},
           {"00209111", sequence({{{"00209157", element("UL", std::move(index))}}})},
           {"0062000A",
            sequence({{{"0062000B", number("US", static_cast<std::int64_t>(frame.segment))}}})}};
  if (placed) {
    const auto& at = *slice.placing().position;
    out["00209113"] = sequence({{{"00200032", decimals({at[0], at[1], at[2]})}}});
  }
  return out;
}

/// What all frames share: spacing and direction.
Json shared_groups(const Volume& source, bool placed) {
  const DicomFrame& first = source.dicom->slices.front().placing();
  Json out = Json::object();
  const auto geometry = geometry_of(source.placing);
  if (first.spacing) {
    Json measures{{"00280030", decimals({(*first.spacing)[0], (*first.spacing)[1]})}};
    if (placed && geometry) {
      measures["00180050"] = decimals({geometry->spacing[2]});
      if (source.slices > 1) measures["00180088"] = decimals({geometry->spacing[2]});
    }
    out["00289110"] = sequence({std::move(measures)});
  }
  if (placed) {
    const auto& rows = *first.orientation;
    out["00209116"] = sequence({{{"00200037", decimals({rows.begin(), rows.end()})}}});
  }
  return sequence({std::move(out)});
}

/// Everything but the pixels.
Json described(const Volume& source, const std::vector<Frame>& frames,
               const std::vector<ClassInfo>& classes, std::string_view seed) {
  const bool placed = std::all_of(source.dicom->slices.begin(), source.dicom->slices.end(),
                                  [](const DicomSlice& slice) {
                                    return slice.placing().position && slice.placing().orientation;
                                  });
  Json out = derived_from(source, "1.2.840.10008.5.1.4.1.1.66.4", "SEG", seed);
  out["00080008"] = element("CS", Json::array({"DERIVED", "PRIMARY"}));
  out["00081115"] = references(source);
  out["00700080"] = text("CS", "SEGMENTATION");
  out["00700081"] = text("LO", "Segmentation by a trained model");
  out["00700084"] = element("PN", Json::array());
  out["00280002"] = number("US", 1);
  out["00280004"] = text("CS", "MONOCHROME2");
  out["00280008"] = number("IS", std::ssize(frames));
  out["00280010"] = number("US", source.rows);
  out["00280011"] = number("US", source.columns);
  out["00280103"] = number("US", 0);
  out["00282110"] = text("CS", "00");
  out["00620002"] = segments_of(classes);
  const std::string dimensions = uid_of(concat(seed, " dimensions"));
  out["00209221"] = sequence({{{"00209164", text("UI", dimensions)}}});
  const auto index = [&](const char* pointer, const char* group) {
    return Json{{"00209164", text("UI", dimensions)},
                {"00209165", text("AT", pointer)},
                {"00209167", text("AT", group)}};
  };
  std::vector<Json> indices{index("0062000B", "0062000A")};
  if (placed) indices.push_back(index("00200032", "00209113"));
  out["00209222"] = sequence(std::move(indices));
  out["52009229"] = shared_groups(source, placed);
  std::vector<Json> groups;
  groups.reserve(frames.size());
  for (const Frame& frame : frames) groups.push_back(frame_groups(source, frame, placed));
  out["52009230"] = sequence(std::move(groups));
  return out;
}

void say_bits(Json& out, std::int64_t bits) {
  out["00280100"] = number("US", bits);
  out["00280101"] = number("US", bits);
  out["00280102"] = number("US", bits - 1);
}

/// Where `is_there` says that a class is at a slice; a frame at least, as the standard asks.
template <class IsThere>
std::vector<Frame> frames_where(const Volume& source, std::size_t class_count,
                                const IsThere& is_there) {
  std::vector<Frame> out;
  for (std::size_t label = 1; label < class_count; ++label) {
    for (std::size_t slice = 0; slice < static_cast<std::size_t>(source.slices); ++slice) {
      if (is_there(label, slice)) out.push_back({label, slice});
    }
  }
  if (out.empty()) out.push_back({1, 0});
  return out;
}

}  // namespace

std::string encode_segmentation(const Volume& source, std::span<const std::uint8_t> labels,
                                const std::vector<ClassInfo>& classes, std::string_view seed) {
  if (!source.dicom || std::ssize(labels) != source.voxels()) {
    throw_internal("labels of another volume");
  }
  const auto pixels = static_cast<std::size_t>(source.columns * source.rows);
  const auto slice_of = [&](std::size_t slice) { return labels.subspan(slice * pixels, pixels); };
  const std::vector<Frame> frames =
      frames_where(source, classes.size(), [&](std::size_t label, std::size_t slice) {
        const auto own = slice_of(slice);
        return std::find(own.begin(), own.end(), label) != own.end();
      });
  // Frames follow each other bit by bit, PS3.5 8.1.1; the whole fills an even number of bytes.
  std::vector<unsigned char> bits((frames.size() * pixels + 15) / 16 * 2);
  std::size_t at = 0;
  for (const Frame& frame : frames) {
    for (const std::uint8_t label : slice_of(frame.slice)) {
      if (label == frame.segment) bits[at / 8] |= static_cast<unsigned char>(1U << at % 8);
      ++at;
    }
  }
  Json out = described(source, frames, classes, seed);
  say_bits(out, 1);
  out["00620001"] = text("CS", "BINARY");
  return encode_dicom(out, bits);
}

std::string encode_probabilities(const Volume& source,
                                 const std::vector<std::vector<std::uint8_t>>& values,
                                 const std::vector<ClassInfo>& classes, std::string_view seed) {
  const auto pixels = static_cast<std::size_t>(source.columns * source.rows);
  const auto slice_of = [&](std::size_t label, std::size_t slice) {
    return std::span(values.at(label - 1)).subspan(slice * pixels, pixels);
  };
  const std::vector<Frame> frames =
      frames_where(source, classes.size(), [&](std::size_t label, std::size_t slice) {
        const auto own = slice_of(label, slice);
        return std::any_of(own.begin(), own.end(), [](std::uint8_t value) { return value != 0; });
      });
  std::vector<unsigned char> bytes;
  bytes.reserve(frames.size() * pixels + 1);
  for (const Frame& frame : frames) {
    const auto own = slice_of(frame.segment, frame.slice);
    bytes.insert(bytes.end(), own.begin(), own.end());
  }
  if (bytes.size() % 2 != 0) bytes.push_back(0);
  Json out = described(source, frames, classes, seed);
  say_bits(out, 8);
  out["00620001"] = text("CS", "FRACTIONAL");
  out["00620010"] = text("CS", "PROBABILITY");
  out["0062000E"] = number("US", 255);
  return encode_dicom(out, bytes);
}

}  // namespace medurwkv::data
