#include "app/evaluate.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "app/judged_set.h"
#include "app/pictures.h"
#include "app/places.h"
#include "core/error.h"
#include "core/file_name.h"
#include "core/files.h"
#include "core/folder_lock.h"
#include "core/model_description.h"
#include "core/output.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "data/layout/dataset.h"
#include "data/layout/encoding.h"
#include "data/layout/pack.h"
#include "data/split/split.h"
#include "judge/evaluation.h"
#include "judge/more_metrics.h"
#include "judge/predicted_masks.h"
#include "predict/average.h"
#include "predict/predictor.h"
#include "predict/tile_run.h"
#include "weights/model_file.h"
#include "weights/weights_source.h"

namespace medurwkv::app {

namespace {

namespace fs = std::filesystem;

// The lock file of a killed run does not count: there is nothing in it to overwrite.
bool holds_files(const fs::path& folder) {
  const std::vector<fs::path> there = list_folder(folder);
  return std::any_of(there.begin(), there.end(),
                     [](const fs::path& file) { return file.filename() != FolderLock::name; });
}

void check_out(const EvaluateRequest& request) {
  const fs::path& out = request.out;
  std::error_code error;
  if (!is_there(out)) return;
  if (!fs::is_directory(out, error)) throw_usage(concat(out.string(), " is not a folder"));
  if (!request.force && holds_files(out)) {
    throw_usage(concat(out.string(),
                       " is not empty; choose another --out, or --force to overwrite ",
                       join(judge::report_files(), ", "), " in it"));
  }
}

void check_options(EvaluateRequest& request) {
  if (request.how.model.empty() == request.predictions.empty()) {
    throw_usage("evaluate judges a model or the masks of --predictions; give one of them");
  }
  if (const std::string more = options_text(request.how);
      request.how.model.empty() && !more.empty()) {
    throw_usage(concat("masks of --predictions are judged as they are; leave out", more));
  }
  if (request.part.empty()) request.part = request.split.empty() ? "all" : "test";
  if (request.split.empty() && request.part != "all") {
    throw_usage(concat("the part ", request.part,
                       " is one of a split file; give it with --split, or --part all"));
  }
  if (request.fold && request.split.empty()) {
    throw_usage("--fold is one of the folds of a split file; give it with --split");
  }
  const SetRequest& set = request.set;
  if (!request.split.empty() &&
      !(set.encoding.empty() && set.class_names.empty() && set.class_file.empty())) {
    throw_usage(
        "the split says what masks mean; leave --mask-encoding, --class-names and --classes "
        "out, or make the split with them");
  }
  refuse_within(request.out, {request.set.folder, request.predictions});
  check_out(request);
}

// Makes the folder and locks it against a second writer. Checks it again: one may have written
// since.
std::unique_ptr<FolderLock> locked_out(const EvaluateRequest& request) {
  make_folder(request.out);
  auto out = std::make_unique<FolderLock>(request.out);
  check_out(request);
  return out;
}

void check_classes(const ModelDescription& model, const data::Dataset& dataset) {
  if (model.classes.size() == dataset.classes.size()) return;
  throw_failure(concat(model.file, " knows ", model.classes.size(), " classes, the masks of ",
                       dataset.root.string(), " have ", dataset.classes.size(),
                       " (background included); evaluate with a model trained for these classes"));
}

// The folder of the written masks, below that of a model's report.
constexpr const char* masks_folder = "masks";

// The models that segment the cases.
struct Models {
  std::vector<Member> members;
  std::vector<std::unique_ptr<Engine>> engines;
  bool flips = false;
  std::int64_t tile = 0;
  predict::PostOptions post;
};

/// A case's mask, relative to the report's folder.
fs::path mask_file(const data::Case& item) {
  return fs::path(masks_folder) / file_path(item.id, ".png");
}

void write_mask(const OutputPath& folder, const data::Case& item, const data::LabelMap& labels,
                const std::vector<ClassInfo>& classes) {
  const OutputPath file = folder / mask_file(item);
  make_folder(file.folder());
  write_file(file, data::encode_png(labels, classes));
}

// Throws where two cases would share a mask file: a shortened long id may equal another.
void check_mask_names(const std::vector<data::Case>& cases) {
  std::map<fs::path, std::string> owners;
  for (const data::Case& item : cases) {
    const auto [owner, fresh] = owners.emplace(file_path(item.id, ".png"), item.id);
    if (fresh) continue;
    throw_failure(concat("the masks of the cases ", shown(owner->second), " and ", shown(item.id),
                         " would be one file; rename one of them"));
  }
}

// Models that are judged on the same cases, and where their reports go.
struct Group {
  std::vector<std::size_t> members;  // in Models
  std::vector<std::string> names;    // of the reports, the ensemble's last
  int fold = 0;
  bool together = false;  // the ensemble alone is judged

  [[nodiscard]] bool is_single(std::size_t report) const {
    return !together && report < members.size();
  }
};

judge::PredictCase model_predictor(const Models& models, const Group& group,
                                   const OutputPath& out) {
  return [&models, &group, out](const data::Case& item, const data::LabelMap& /*truth*/) {
    const std::string name = item.images.front().name();
    const auto& classes = models.engines.front()->description().classes;
    std::vector<Engine*> engines;
    for (const std::size_t m : group.members) engines.push_back(models.engines[m].get());
    const data::Image image = data::read_image(item, predict::wanted_windows(engines));
    std::vector<predict::Prediction> predictions;
    if (group.together) {
      predictions.push_back(
          predict::predict_named({engines, models.flips, models.tile}, image, name));
    } else {
      for (Engine* engine : engines) {
        predictions.push_back(
            predict::predict_named({{engine}, models.flips, models.tile}, image, name));
      }
      if (predictions.size() > 1) {
        predictions.push_back(predict::averaged(predictions, classes.size()));
      }
    }
    std::vector<judge::PredictedCase> answers;
    for (std::size_t i = 0; i < predictions.size(); ++i) {
      const double temperature = predict::temperature_of(
          group.is_single(i) ? predict::Ensemble(*engines[i]) : predict::Ensemble(engines, false));
      std::vector<float> uncalibrated;
      if (temperature != 1) uncalibrated = predictions[i].probabilities;
      predict::decide(predictions[i], classes.size(), temperature, models.post);
      write_mask(out / group.names[i], item, predictions[i].labels, classes);
      answers.push_back({std::move(predictions[i].labels), std::move(predictions[i].probabilities),
                         std::move(uncalibrated)});
    }
    return answers;
  };
}

judge::PredictedMasks open_masks(const EvaluateRequest& request, Judged& judged) {
  judge::PredictedMasksOptions how;
  if (request.missing == "empty") how.missing = judge::Missing::empty;
  if (!request.prediction_encoding.empty()) {
    how.encoding = data::mask_encoding_from(request.prediction_encoding);
  }
  judge::PredictedMasks out(request.predictions, judged.dataset, judged.cases, how);
  judged.provenance.subject = concat("masks in ", request.predictions.string());
  judged.provenance.masks =
      judge::JudgedMasks{request.predictions.string(), data::to_string(out.encoding()),
                         out.content_hash(), out.missing(), request.missing == "empty"};
  return out;
}

judge::PredictCase mask_predictor(const judge::PredictedMasks& masks,
                                  const std::vector<data::Case>& cases, bool by_objects) {
  return [&masks, &cases, by_objects](const data::Case& item, const data::LabelMap& truth) {
    const auto at = std::find_if(cases.begin(), cases.end(),
                                 [&](const data::Case& one) { return one.id == item.id; });
    const auto index = static_cast<std::size_t>(at - cases.begin());
    std::vector<judge::PredictedCase> answers;
    answers.push_back({.labels = masks.read(index, {truth.width, truth.height})});
    if (by_objects) answers.back().objects = masks.read_objects(index);
    return answers;
  };
}

/// Warns before the work, which may take long.
void warn(const EvaluateRequest& request, const judge::Provenance& from, Listener& listener) {
  const bool has_test = !request.split.empty();
  if (has_test && (request.part == "test" || request.part == "all")) {
    listener.line("note: this touches the test part; choose between models on the val part");
  }
  say_notes(judge::provenance_remarks(from), listener);
}

/// Masks that tell objects apart are judged by objects, too.
std::vector<std::string> more_metrics(const EvaluateRequest& request,
                                      const data::Dataset& dataset) {
  std::vector<std::string> wanted = request.metrics;
  if (dataset.encoding == data::MaskEncoding::instances) wanted.emplace_back("objects");
  return judge::more_metric_keys(wanted, request.predictions.empty());
}

judge::EvaluationOptions evaluation_options(const EvaluateRequest& request, const Judged& judged) {
  return {.lengths = judged.provenance.lengths,
          .spacing = judged.spacing,
          .seed = request.seed,
          .over_groups = request.per_group,
          .profiles = request.profiles,
          .more_metrics = more_metrics(request, judged.dataset),
          .strata = judged.strata,
          .batch = request.batch};
}

/// Prepares the folder of a report, and of the masks of its cases where a model makes them.
void prepare_report(const OutputPath& folder, const std::vector<data::Case>& cases, bool masks) {
  std::vector<std::string> names = judge::report_files();
  names.emplace_back("series.json");
  prepare_folder(folder, names);
  if (!masks) return;
  std::map<fs::path, std::vector<std::string>> masks_in;
  for (const data::Case& item : cases) {
    const fs::path file = mask_file(item);
    masks_in[file.parent_path()].push_back(file.filename().string());
  }
  for (const auto& [place, own] : masks_in) remove_leftovers(folder / place, own);
}

EvaluateResult evaluate_masks(const EvaluateRequest& request, Listener& listener) {
  Judged judged = open_judged(request, request.fold, listener);
  const judge::PredictedMasks masks = open_masks(request, judged);
  const judge::EvaluationOptions options = evaluation_options(request, judged);
  const judge::PredictCase predict = mask_predictor(
      masks, judged.cases, judge::MoreMetrics(options.more_metrics, {}).of_objects());
  const auto lock = locked_out(request);
  prepare_report(request.out, judged.cases, false);
  judge::Report report;
  report.provenance = judged.provenance;
  report.classes = judged.dataset.classes;
  report.evaluation = std::move(
      judge::evaluate(judged.dataset, judged.train, judged.cases, predict, options, listener)
          .front());
  add_pictures(report, judged.dataset, judged.cases,
               [&](const data::Case& item, const data::LabelMap& truth) {
                 return std::move(predict(item, truth).front().labels);
               });
  judge::write_report(report, request.out);
  EvaluateResult out;
  out.report = std::move(report);
  return out;
}

// Makes the reports of a group, its ensemble's last, and writes each into its folder.
std::vector<judge::Report> evaluate_group(const EvaluateRequest& request, const Judged& judged,
                                          const Models& models, const Group& group,
                                          Listener& listener) {
  check_mask_names(judged.cases);
  std::vector<std::unique_ptr<FolderLock>> locks;
  for (const std::string& name : group.names) {
    const OutputPath folder = OutputPath(request.out) / name;
    prepare_report(folder, judged.cases, true);
    // The lock of a single report's folder is held already.
    if (!name.empty()) locks.push_back(std::make_unique<FolderLock>(folder));
  }
  auto evaluations = judge::evaluate(judged.dataset, judged.train, judged.cases,
                                     model_predictor(models, group, request.out),
                                     evaluation_options(request, judged), listener);
  std::vector<judge::Report> out;
  for (std::size_t i = 0; i < evaluations.size(); ++i) {
    judge::Report report;
    report.provenance = judged.provenance;
    report.classes = judged.dataset.classes;
    const bool single = group.is_single(i);
    for (std::size_t k = 0; k < group.members.size(); ++k) {
      if (single && k != i) continue;
      report.provenance.models.push_back(models.engines[group.members[k]]->description());
    }
    const OutputPath folder = OutputPath(request.out) / group.names[i];
    if (single) {
      const Member& member = models.members[group.members[i]];
      report.provenance.subject =
          member.name.empty() ? member.model.filename().string() : member.name;
      report.training = training_curves(member.model.parent_path());
    } else {
      report.provenance.subject = concat("the ensemble of ", group.members.size(), " models");
    }
    report.evaluation = std::move(evaluations[i]);
    const auto written_mask = [&](const data::Case& item, const data::LabelMap& truth) {
      judge::PredictedMasksOptions palette;
      palette.encoding = data::MaskEncoding::palette;
      return judge::PredictedMasks((folder / masks_folder).path(), judged.dataset, {item}, palette)
          .read(0, {truth.width, truth.height});
    };
    add_pictures(report, judged.dataset, judged.cases, written_mask);
    judge::write_report(report, folder);
    out.push_back(std::move(report));
  }
  return out;
}

// When the part is val, models of folds are judged on their own fold, each group on its own cases;
// else all on the same.
std::vector<Group> groups_of(const Models& models, bool by_fold, bool together) {
  std::vector<Group> out;
  if (together) {
    out.push_back({.members = {}, .names = {""}, .together = true});
    for (std::size_t m = 0; m < models.members.size(); ++m) out.front().members.push_back(m);
    return out;
  }
  for (std::size_t m = 0; m < models.members.size(); ++m) {
    const Member& member = models.members[m];
    const int fold = by_fold ? member.fold : 0;
    if (out.empty() || out.back().fold != fold) {
      out.push_back({.members = {}, .names = {}, .fold = fold});
    }
    out.back().members.push_back(m);
    out.back().names.push_back(member.name);
  }
  for (Group& group : out) {
    if (group.members.size() < 2) continue;
    group.names.push_back(group.fold == 0 ? "ensemble" : concat("fold", group.fold, "/ensemble"));
  }
  return out;
}

/// What is counted over all cases: pixels of classes and objects.
void add_pixels(const judge::Evaluation& fold, judge::Evaluation& out) {
  out.confusion.resize(fold.confusion.size(), std::vector<std::int64_t>(fold.confusion.size()));
  for (std::size_t t = 0; t < fold.confusion.size(); ++t) {
    for (std::size_t p = 0; p < fold.confusion.size(); ++p) {
      out.confusion[t][p] += fold.confusion[t][p];
    }
  }
  out.objects.resize(fold.objects.size());
  for (std::size_t c = 0; c < fold.objects.size(); ++c) out.objects[c] += fold.objects[c];
  out.true_objects_told = fold.true_objects_told;
  out.predicted_objects_told = fold.predicted_objects_told;
}

// All cases of the folds' val parts, each judged by a model that has not seen it.
judge::Report pooled(const std::vector<judge::Report>& folds, const EvaluateRequest& request) {
  judge::Report out = folds.front();
  out.provenance.subject = concat("all ", folds.size(), " folds");
  out.provenance.models.clear();
  out.examples.clear();
  out.failures.clear();
  out.training.reset();
  out.evaluation = {};
  out.evaluation.metrics = folds.front().evaluation.metrics;
  out.evaluation.strata = folds.front().evaluation.strata;
  for (const judge::Report& fold : folds) {
    add_pixels(fold.evaluation, out.evaluation);
    const auto& models = fold.provenance.models;
    out.provenance.models.insert(out.provenance.models.end(), models.begin(), models.end());
    const auto& cases = fold.evaluation.cases;
    out.evaluation.cases.insert(out.evaluation.cases.end(), cases.begin(), cases.end());
  }
  out.evaluation.summary = judge::summarise(out.evaluation.cases, request.seed, request.per_group);
  const OutputPath folder = OutputPath(request.out) / "pooled";
  prepare_report(folder, {}, false);
  const FolderLock lock(folder);
  judge::write_report(out, folder);
  return out;
}

// Refuses folders to write into that a link leads to, or that lie in the set.
void check_places(const EvaluateRequest& request, const std::vector<Group>& groups) {
  for (const Group& group : groups) {
    for (const std::string& name : group.names) {
      const OutputPath masks = OutputPath(request.out) / name / masks_folder;
      refuse_within(masks, {request.set.folder});
      refuse_links(masks);
    }
  }
  refuse_links(OutputPath(request.out) / "pooled");
}

/// A set is cut into the slices that the models see.
void check_plane(const std::vector<Engine*>& engines, const data::Dataset& dataset) {
  for (const Engine* engine : engines) {
    const ModelDescription& model = engine->description();
    if (model.input.plane == dataset.plane) continue;
    throw_usage(concat(model.file, ": sees ", to_string(model.input.plane),
                       " slices of volumes, and ", dataset.root.string(), " is cut into ",
                       to_string(dataset.plane), " ones; give --plane ",
                       to_string(model.input.plane), ", and a split that was made with it"));
  }
}

/// The plane that the model sees volumes in; empty: as stored.
std::string plane_of_model(const fs::path& model) {
  const weights::WeightsSource file = weights::WeightsSource::open(model);
  const weights::ModelInfo info =
      file.understood([&] { return weights::model_info(model.string(), file.metadata()); });
  return info.input.plane == Plane::stored ? "" : to_string(info.input.plane);
}

EvaluateResult evaluate_models(EvaluateRequest request, Listener& listener) {
  Models models{.members = members_of(request.how, listener),
                .engines = {},
                .flips = request.how.flips,
                .tile = request.how.tile,
                .post = request.how.post};
  // A split with folds needs the number of one. Where it does not matter, the first model's will
  // do.
  const bool has_folds = !request.split.empty() && !data::read_plan(request.split).folds.empty();
  std::optional<int> fold = request.fold;
  if (!fold && has_folds && models.members.front().fold > 0) fold = models.members.front().fold;
  // A split and a pack were cut when they were made.
  if (request.set.plane.empty() && request.split.empty() && !data::is_pack(request.set.folder)) {
    request.set.plane = plane_of_model(models.members.front().model);
  }
  Judged judged = open_judged(request, fold, listener);
  models.engines = open_engines(request.how, models.members);
  std::vector<Engine*> several;
  for (const auto& engine : models.engines) {
    check_classes(engine->description(), judged.dataset);
    several.push_back(engine.get());
  }
  check_plane(several, judged.dataset);
  const bool together = !request.how.others.empty();
  if (together) predict::check_same_classes({several, request.how.flips});
  predict::check_tiles({several, request.how.flips, request.how.tile});
  note_missing_temperatures(several, listener);
  const std::vector<Group> groups = groups_of(models, has_folds && request.part == "val", together);
  check_places(request, groups);
  const auto lock = locked_out(request);
  prepare_report(request.out, {}, false);
  judged.provenance.models = {models.engines.front()->description()};
  warn(request, judged.provenance, listener);
  judged.provenance.models.clear();
  EvaluateResult out;
  std::vector<judge::Report> folds;
  for (const Group& group : groups) {
    if (group.fold > 0) take_part(request, group.fold, judged);
    auto reports = evaluate_group(request, judged, models, group, listener);
    if (models.members.size() == 1 || together) {
      out.report = std::move(reports.front());
      return out;
    }
    for (std::size_t i = 0; i < reports.size(); ++i) {
      auto& list = group.is_single(i) ? out.trained : out.together;
      const judge::Evaluation& own = reports[i].evaluation;
      list.push_back({group.names[i], own.summary, own.metrics});
    }
    if (group.fold > 0) folds.push_back(std::move(reports.back()));
  }
  if (folds.size() > 1) {
    const judge::Evaluation all = pooled(folds, request).evaluation;
    out.together.push_back({"pooled", all.summary, all.metrics});
  }
  write_file(
      request.out / "series.json",
      judge::json_text(judge::series_json(out.trained, out.together, judged.provenance.command)));
  return out;
}

}  // namespace

EvaluateResult evaluate(EvaluateRequest request, Listener& listener) {
  request.profiles = judge::profile_names(request.profiles);
  judge::more_metric_keys(request.metrics, request.predictions.empty());
  check_options(request);
  EvaluateResult out = request.how.model.empty() ? evaluate_masks(request, listener)
                                                 : evaluate_models(request, listener);
  out.command = command_line(request);
  out.written = out.report ? judge::report_files()
                           : std::vector<std::string>{"series.json", "and a folder for each line"};
  return out;
}

}  // namespace medurwkv::app
