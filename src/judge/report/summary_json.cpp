// summary.json.
#include <nlohmann/json.hpp>

#include "core/model_description.h"
#include "core/version.h"
#include "judge/report/report.h"
#include "judge/report/text_table.h"

namespace medurwkv::judge {

namespace {

using Json = nlohmann::json;

Json to_json(const std::vector<Metric>& metrics, const std::vector<Statistic>& statistics) {
  Json out;
  for (std::size_t m = 0; m < statistics.size(); ++m) {
    out[metrics.at(m).key] = judge::to_json(statistics[m]);
  }
  return out;
}

/// A share of whole images, with its interval.
Json share_json(std::int64_t part, std::int64_t whole) {
  return {{"of", whole},
          {"share", or_null(ratio(part, whole))},
          {"interval", judge::to_json(wilson_interval(part, whole))}};
}

Json images_json(const Report& report) {
  Json out = Json::array();
  for (const ImageLevel& own : image_levels(report.evaluation.cases)) {
    out.push_back({{"label", own.label},
                   {"name", level_name(report, own)},
                   {"found", own.found},
                   {"missed", own.missed},
                   {"hallucinated", own.hallucinated},
                   {"clean", own.clean},
                   {"sensitivity", share_json(own.found, own.with())},
                   {"specificity", share_json(own.clean, own.without())}});
  }
  return out;
}

Json strata_json(const Report& report) {
  const Evaluation& evaluation = report.evaluation;
  Json out = Json::array();
  for (const Stratum& own :
       strata_of(evaluation.cases, evaluation.strata, evaluation.summary.seed)) {
    out.push_back({{"by", own.by},
                   {"name", own.name},
                   {"cases", own.cases},
                   {"class_mean", to_json(evaluation.metrics, own.class_mean)}});
  }
  return out;
}

Json sizes_json(const Report& report) {
  const Evaluation& evaluation = report.evaluation;
  Json out = Json::array();
  for (const SizeGroup& own : size_groups(evaluation.cases, evaluation.summary.seed)) {
    out.push_back({{"label", own.label},
                   {"name", report.classes.at(own.label).name},
                   {"least_share", own.least},
                   {"most_share", own.most},
                   {"cases", own.cases},
                   {"metrics", to_json(evaluation.metrics, own.metrics)}});
  }
  return out;
}

Json objects_json(const Report& report) {
  const Evaluation& evaluation = report.evaluation;
  if (evaluation.objects.empty()) return {};
  Json classes = Json::array();
  for (std::size_t c = 0; c < evaluation.objects.size(); ++c) {
    const ObjectCounts& own = evaluation.objects[c];
    Json sizes = Json::array();
    for (const ObjectSizeGroup& group : object_size_groups(own)) {
      sizes.push_back({{"least_pixels", group.least},
                       {"most_pixels", group.most},
                       {"objects", group.objects},
                       {"found", group.found},
                       {"touched", group.touched}});
    }
    Json levels = Json::array();
    for (std::size_t k = 0; k < found_levels; ++k) {
      levels.push_back({{"iou_above", found_level(k)}, {"found", own.found[k]}});
    }
    classes.push_back({{"label", c + 1},
                       {"name", report.classes.at(c + 1).name},
                       {"in_truth", own.in_truth},
                       {"predicted", own.predicted},
                       {"found", levels},
                       {"precision", or_null(own.precision())},
                       {"recall", or_null(own.recall())},
                       {"f1", or_null(own.f1())},
                       {"f1_swept", or_null(own.f1_swept())},
                       {"sq", or_null(own.segmentation_quality())},
                       {"pq", or_null(own.panoptic_quality())},
                       {"by_size", sizes}});
  }
  return {{"truth", evaluation.true_objects_told ? "masks" : "connected parts"},
          {"prediction", evaluation.predicted_objects_told ? "masks" : "connected parts"},
          {"pooled", classes}};
}

Json incomplete_json(const std::vector<IncompleteVolume>& volumes) {
  Json out = Json::array();
  for (const IncompleteVolume& own : volumes) {
    out.push_back({{"volume", own.name},
                   {"judged", own.judged},
                   {"in_set", own.in_set},
                   {"missing", own.missing}});
  }
  return out;
}

Json classes_json(const Report& report) {
  Json out = Json::array();
  for (const ClassSummary& summary : report.evaluation.summary.classes) {
    out.push_back({{"label", summary.label},
                   {"name", report.classes.at(summary.label).name},
                   {"in_truth", summary.in_truth},
                   {"missed", summary.missed},
                   {"hallucinated", summary.hallucinated},
                   {"both_empty", summary.both_empty},
                   {"metrics", to_json(report.evaluation.metrics, summary.metrics)}});
  }
  return out;
}

/// The set's classes, background first, as cases.csv numbers them.
Json set_classes_json(const std::vector<ClassInfo>& classes) {
  Json out = Json::array();
  for (const ClassInfo& one : classes) out.push_back({{"name", one.name}, {"color", one.color}});
  return out;
}

Json guess_json(const std::optional<ConstantGuess>& guess) {
  if (!guess) return {};
  Json classes = Json::array();
  for (const ConstantGuess::OfClass& own : guess->classes) {
    classes.push_back({{"semi_axis_x", own.ellipse ? Json(own.ellipse->semi_axis_x) : Json()},
                       {"semi_axis_y", own.ellipse ? Json(own.ellipse->semi_axis_y) : Json()},
                       {"dice", judge::to_json(statistic(own.dice))}});
  }
  return {{"semi_axis_x", guess->ellipse.semi_axis_x},
          {"semi_axis_y", guess->ellipse.semi_axis_y},
          {"fitted_on", guess->fitted_on},
          {"dice", judge::to_json(guess->summary)},
          {"classes", classes},
          {"class_mean_dice",
           guess->classes.empty() ? Json() : judge::to_json(guess->class_mean_summary)}};
}

Json models_json(const std::vector<ModelDescription>& models) {
  Json out = Json::array();
  for (const ModelDescription& model : models) {
    out.push_back({{"file", model.file},
                   {"content_sha256", model.content_sha256},
                   {"network", model.network},
                   {"temperature", model.temperature ? Json(*model.temperature) : Json()},
                   {"split_sha256", text_or_null(model.split_sha256)}});
  }
  return out;
}

Json masks_json(const std::optional<JudgedMasks>& masks) {
  if (!masks) return {};
  return {{"folder", masks->folder},
          {"encoding", masks->encoding},
          {"sha256", masks->sha256},
          {"missing", masks->missing},
          {"missing_counts_as_empty", masks->may_miss}};
}

Json spacing_json(const Provenance& from) {
  if (!from.spacing_file.empty()) return {};
  return Json::array({from.lengths.spacing.x, from.lengths.spacing.y, from.lengths.spacing.z});
}

Json spacing_file_json(const Provenance& from) {
  if (from.spacing_file.empty()) return {};
  return {{"file", from.spacing_file}, {"sha256", from.spacing_sha256}};
}

Json tolerance_json(const Provenance& from) {
  if (!from.spacing_file.empty() && !from.lengths.tolerance) return {};
  return from.lengths.nsd_tolerance();
}

Json profiles_json(const Report& report) {
  Json out = Json::array();
  for (const ProfileTable& table : report.evaluation.profiles) {
    Json means;
    Json used;
    Json by_class = Json::array();
    for (const std::string& metric : table.metrics) {
      means[metric] = or_null(table.mean(metric));
      used[metric] = table.used(metric);
    }
    for (std::size_t c = 0; c < table.values.size(); ++c) {
      Json own;
      for (const std::string& metric : table.metrics) own[metric] = or_null(table.mean(metric, c));
      by_class.push_back(
          {{"label", c + 1}, {"name", report.classes.at(c + 1).name}, {"means", own}});
    }
    out.push_back({{"profile", table.profile},
                   {"unit", table.unit},
                   {"units", table.units.size()},
                   {"means", means},
                   {"used", used},
                   {"classes", by_class}});
  }
  return out;
}

Json to_json(const Reliability& reliability) {
  Json bins = Json::array();
  for (const CalibrationBin& bin : reliability.bins) {
    const auto pixels = static_cast<double>(bin.pixels);
    const bool empty = bin.pixels == 0;
    bins.push_back({{"pixels", bin.pixels},
                    {"confidence", empty ? Json() : Json(bin.confidence / pixels)},
                    {"accuracy", empty ? Json() : Json(static_cast<double>(bin.right) / pixels)}});
  }
  return {{"ece", or_null(reliability.expected_error())},
          {"pixels", reliability.pixels()},
          {"bins", bins}};
}

Json to_json(const Calibration& calibration) {
  return {{"all", to_json(calibration.all)}, {"foreground", to_json(calibration.foreground)}};
}

Json calibration_json(const Report& report) {
  const Evaluation& evaluation = report.evaluation;
  if (!evaluation.calibration) return {};
  Json out = to_json(*evaluation.calibration);
  out["temperature"] = temperature_of(report.provenance);
  out["before"] = evaluation.uncalibrated ? to_json(*evaluation.uncalibrated) : Json();
  return out;
}

}  // namespace

Json summary_json(const Report& report) {
  const Provenance& from = report.provenance;
  const Summary& summary = report.evaluation.summary;
  const auto& guess = report.evaluation.guess;
  const auto same = same_split(from);
  const Json models = models_json(from.models);
  return {
      {"format", 1},
      {"program", "medurwkv"},
      {"version", version},
      {"subject", from.subject},
      {"profile", profiles[0].name},
      {"part", from.part},
      {"command", from.command},
      {"seed", summary.seed},
      {"model", models.size() == 1 ? models[0] : Json()},
      {"ensemble", models.size() > 1 ? models : Json()},
      {"predictions", masks_json(from.masks)},
      {"data",
       {{"root", from.data_root},
        {"sha256", from.data_sha256},
        {"mask_encoding", from.mask_encoding},
        {"plane", to_string(from.plane)},
        {"classes", set_classes_json(report.classes)}}},
      {"split",
       {{"file", text_or_null(from.split_file)},
        {"sha256", text_or_null(from.split_sha256)},
        {"same_as_training", same ? Json(*same) : Json()}}},
      {"spacing", spacing_json(from)},
      {"spacing_file", spacing_file_json(from)},
      {"tolerance", tolerance_json(from)},
      {"more_tolerances", from.lengths.more_tolerances},
      {"volumes", text_or_null(from.volumes)},
      {"strata_file", from.strata_file.empty()
                          ? Json()
                          : Json({{"file", from.strata_file}, {"sha256", from.strata_sha256}})},
      {"unit", length_unit(from)},
      {"cases", summary.cases},
      {"groups", summary.groups > 0 ? Json(summary.groups) : Json()},
      {"means_over", summary.over_groups ? "groups" : "cases"},
      {"mean_dice", or_null(summary.class_mean[0].mean)},
      {"mean_dice_interval", judge::to_json(summary.class_mean[0].interval)},
      {"constant_guess", guess ? or_null(guess->like().mean) : Json()},
      {"constant_guess_details", guess_json(guess)},
      {"merged_dice", judge::to_json(summary.merged_dice)},
      {"class_mean", to_json(report.evaluation.metrics, summary.class_mean)},
      {"classes", classes_json(report)},
      {"images", images_json(report)},
      {"confusion", report.evaluation.confusion},
      {"objects", objects_json(report)},
      {"strata", strata_json(report)},
      {"by_size", sizes_json(report)},
      {"profiles", profiles_json(report)},
      {"incomplete_volumes", incomplete_json(report.evaluation.incomplete)},
      {"calibration", calibration_json(report)},
  };
}

}  // namespace medurwkv::judge
