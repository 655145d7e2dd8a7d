#include "predict/structure_set.h"

#include <limits>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "data/volumes/derived.h"

namespace medurwkv::predict {
namespace {

using nlohmann::json;

/// Corners of pixels as points in the patient, three numbers each.
json points_of(const data::Volume& source, const data::DicomSlice& slice, const Ring& ring) {
  const auto& origin = *slice.placing().position;
  const auto& step = source.placing.step;
  std::vector<double> out;
  for (const Corner& corner : ring) {
    // The voxel's centre has whole numbers, its corner halves.
    const double column = static_cast<double>(corner[0]) - 0.5;
    const double row = static_cast<double>(corner[1]) - 0.5;
    for (std::size_t k = 0; k < 3; ++k) {
      out.push_back(origin.at(k) + column * step[0].at(k) + row * step[1].at(k));
    }
  }
  return data::decimals(out);
}

json reference(const data::DicomSlice& slice) {
  return data::sequence({data::reference_to(slice)});
}

/// The outlines of each class, by class.
std::vector<std::vector<json>> outlines_of(const data::Volume& source,
                                           std::span<const std::uint8_t> labels,
                                           std::size_t class_count) {
  std::vector<std::vector<json>> out(class_count);
  const auto pixels = static_cast<std::size_t>(source.columns * source.rows);
  for (std::size_t i = 0; i < source.dicom->slices.size(); ++i) {
    const data::DicomSlice& slice = source.dicom->slices[i];
    const auto own = labels.subspan(i * pixels, pixels);
    const data::LabelMap map{source.columns, source.rows, {own.begin(), own.end()}};
    for (const Polygon& polygon : contours_of(map)) {
      if (polygon.label >= class_count) continue;
      const Ring ring = with_holes_joined(polygon);
      out[polygon.label].push_back({{"30060016", reference(slice)},
                                    {"30060042", data::text("CS", "CLOSED_PLANAR")},
                                    {"30060046", data::number("IS", std::ssize(ring))},
                                    {"30060050", points_of(source, slice, ring)}});
    }
  }
  return out;
}

}  // namespace

Ring with_holes_joined(const Polygon& polygon) {
  Ring out = polygon.outer;
  for (const Ring& hole : polygon.holes) {
    std::size_t from = 0;
    std::size_t to = 0;
    std::int64_t nearest = std::numeric_limits<std::int64_t>::max();
    for (std::size_t i = 0; i < out.size(); ++i) {
      for (std::size_t k = 0; k < hole.size(); ++k) {
        const std::int64_t x = out[i][0] - hole[k][0];
        const std::int64_t y = out[i][1] - hole[k][1];
        if (x * x + y * y >= nearest) continue;
        nearest = x * x + y * y;
        from = i;
        to = k;
      }
    }
    Ring there_and_back;
    for (std::size_t k = 0; k <= hole.size(); ++k) {
      there_and_back.push_back(hole[(to + k) % hole.size()]);
    }
    there_and_back.push_back(out[from]);
    out.insert(out.begin() + static_cast<std::ptrdiff_t>(from) + 1, there_and_back.begin(),
               there_and_back.end());
  }
  return out;
}

std::string encode_structure_set(const data::Volume& source, std::span<const std::uint8_t> labels,
                                 const std::vector<ClassInfo>& classes, std::string_view seed) {
  for (const data::DicomSlice& slice : source.dicom->slices) {
    if (slice.placing().position && slice.placing().orientation) continue;
    throw_failure(concat(source.file.string(),
                         ": does not say where it lies in the patient, as outlines in a structure "
                         "set must; leave out --contours"));
  }
  const data::DicomFile& first = *source.dicom->slices.front().file;
  json out = data::derived_from(source, "1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT",
                                concat(seed, " structure set"));
  out["30060002"] = data::text("SH", "MEDURWKV");
  out["30060008"] = out["00080023"];
  out["30060009"] = out["00080033"];
  std::vector<json> images;
  for (const data::DicomSlice& slice : source.dicom->slices) {
    images.push_back(data::reference_to(slice));
  }
  json series{{"0020000E", data::text("UI", first.series)},
              {"30060016", data::sequence(std::move(images))}};
  json study{{"00081150", data::text("UI", "1.2.840.10008.3.1.2.3.1")},
             {"00081155", out["0020000D"]},
             {"30060014", data::sequence({std::move(series)})}};
  study["00081155"]["vr"] = "UI";
  out["30060010"] = data::sequence({{{"00200052", data::text("UI", first.frame_of_reference)},
                                     {"30060012", data::sequence({std::move(study)})}}});
  std::vector<json> regions;
  std::vector<json> contours;
  std::vector<json> observations;
  std::vector<std::vector<json>> outlines = outlines_of(source, labels, classes.size());
  for (std::size_t label = 1; label < classes.size(); ++label) {
    const auto number = static_cast<std::int64_t>(label);
    const auto& color = classes[label].color;
    regions.push_back({{"30060022", data::number("IS", number)},
                       {"30060024", data::text("UI", first.frame_of_reference)},
                       {"30060026", data::text("LO", classes[label].name.substr(0, 64))},
                       {"30060036", data::text("CS", "AUTOMATIC")}});
    json colors = json::array();
    for (const std::uint8_t one : color) colors.push_back(std::to_string(one));
    json contour{{"3006002A", data::element("IS", std::move(colors))},
                 {"30060084", data::number("IS", number)}};
    if (!outlines[label].empty()) {
      contour["30060040"] = data::sequence(std::move(outlines[label]));
    }
    contours.push_back(std::move(contour));
    observations.push_back({{"30060082", data::number("IS", number)},
                            {"30060084", data::number("IS", number)},
                            {"300600A4", data::element("CS", json::array())},
                            {"300600A6", data::element("PN", json::array())}});
  }
  out["30060020"] = data::sequence(std::move(regions));
  out["30060039"] = data::sequence(std::move(contours));
  out["30060080"] = data::sequence(std::move(observations));
  out["300E0002"] = data::text("CS", "UNAPPROVED");
  return data::encode_dicom(out, {});
}

}  // namespace medurwkv::predict
