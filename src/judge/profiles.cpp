#include "judge/profiles.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "judge/pixels.h"
#include "judge/surface.h"
#include "judge/volumes.h"

namespace medurwkv::judge {

using Values = std::vector<std::optional<double>>;

// What a profile does with the cases.
class ProfileJudge::Rules {
 public:
  Rules(std::vector<std::string> keys, std::size_t class_count) {
    table.metrics = std::move(keys);
    table.values.assign(class_count - 1, std::vector<Values>(table.metrics.size()));
  }
  Rules(const Rules&) = delete;
  Rules& operator=(const Rules&) = delete;
  Rules(Rules&&) = delete;
  Rules& operator=(Rules&&) = delete;
  virtual ~Rules() = default;

  virtual void add(const data::Case& item, JudgedCase& judged) = 0;
  virtual void finish() {}

  ProfileTable table;

  [[nodiscard]] std::size_t class_count() const { return table.values.size() + 1; }

 protected:
  void start_unit(const std::string& name, double weight = 1) {
    table.units.push_back(name);
    table.weights.push_back(weight);
  }
  // In the order of the metrics.
  void add_values(std::size_t label, const Values& values) {
    for (std::size_t m = 0; m < values.size(); ++m) {
      table.values[label - 1][m].push_back(values[m]);
    }
  }
};

namespace {

double or_else(std::optional<double> value, double otherwise) {
  return value.value_or(otherwise);
}

// Each image by itself, class by class.
class ImageRules : public ProfileJudge::Rules {
 public:
  // The values of one class.
  using Judge = Values (*)(const Counts& counts, JudgedCase& judged, std::size_t label);

  ImageRules(std::vector<std::string> keys, Judge judge, std::size_t class_count)
      : Rules(std::move(keys), class_count), judge_(judge) {}

  void add(const data::Case& item, JudgedCase& judged) override {
    start_unit(item.id);
    for (std::size_t label = 1; label < class_count(); ++label) {
      add_values(label, judge_(judged.pixels(label).counts, judged, label));
    }
  }

 private:
  Judge judge_;
};

std::optional<double> dice(const Counts& c) {
  return ratio(2 * c.true_positive, 2 * c.true_positive + c.false_positive + c.false_negative);
}
std::optional<double> iou(const Counts& c) {
  return ratio(c.true_positive, c.true_positive + c.false_positive + c.false_negative);
}
std::optional<double> precision(const Counts& c) {
  return ratio(c.true_positive, c.true_positive + c.false_positive);
}
std::optional<double> recall(const Counts& c) {
  return ratio(c.true_positive, c.true_positive + c.false_negative);
}
std::optional<double> specificity(const Counts& c) {
  return ratio(c.true_negative, c.true_negative + c.false_positive);
}
std::optional<double> accuracy(const Counts& c) {
  const std::int64_t right = c.true_positive + c.true_negative;
  return ratio(right, right + c.false_positive + c.false_negative);
}
bool in_both(const Counts& c) {
  return c.in_truth() && c.in_prediction();
}

// medpy 0.5 (`medpy.metric.binary`): dc, jc, precision, recall, specificity, hd95, assd, ravd.
Values medpy_values(const Counts& c, JudgedCase& judged, std::size_t label) {
  Values out{or_else(dice(c), 1),
             or_else(iou(c), 1),
             or_else(precision(c), 0),
             or_else(recall(c), 0),
             or_else(specificity(c), 0),
             std::nullopt,
             std::nullopt,
             ratio(c.false_positive - c.false_negative, c.true_positive + c.false_negative)};
  if (!in_both(c)) return out;
  const BorderFigures& borders = judged.borders(label);
  out[5] = borders.hd95_pooled;
  out[6] = borders.mean;
  return out;
}

// MONAI 1.x with each metric's defaults: DiceMetric, MeanIoU, HausdorffDistanceMetric(percentile
// 95), SurfaceDistanceMetric, SurfaceDiceMetric. Its surface distance is infinite, and so is the
// mean over a set, where one of the masks is empty; that is left out here.
Values monai_values(const Counts& c, JudgedCase& judged, std::size_t label) {
  Values out(5);
  if (c.in_truth()) {
    out[0] = dice(c);
    out[1] = iou(c);
  }
  if (c.in_truth() != c.in_prediction()) out[4] = 0;
  if (!in_both(c)) return out;
  const BorderFigures& borders = judged.borders(label);
  out[2] = std::max(borders.hd95_from_truth, borders.hd95_from_prediction);
  out[3] = borders.mean_from_prediction;
  out[4] = borders.within_tolerance;
  return out;
}

// `surface-distance`: compute_dice_coefficient, compute_robust_hausdorff(95),
// compute_surface_dice_at_tolerance, compute_average_surface_distance. Infinities are left out.
Values deepmind_values(const Counts& c, JudgedCase& judged, std::size_t label) {
  Values out(5);
  out[0] = dice(c);
  if (c.in_truth() != c.in_prediction()) out[2] = 0;
  if (!in_both(c)) return out;
  const MaskPair masks = judged.masks(label);
  const Contours both = contours(masks.truth, masks.prediction, judged.lengths().spacing);
  out[1] = robust_hausdorff(both, 0.95);
  out[2] = within_tolerance(both, judged.lengths().nsd_tolerance());
  out[3] = mean_distance(both.truth);
  out[4] = mean_distance(both.prediction);
  return out;
}

// isic-challenge-scoring, the metrics of ISIC 2018 task 1.
Values isic_values(const Counts& c, JudgedCase& /*judged*/, std::size_t /*label*/) {
  constexpr double threshold = 0.65;
  const double jaccard = or_else(iou(c), 1);
  return {jaccard >= threshold ? jaccard : 0,
          jaccard,
          or_else(dice(c), 1),
          or_else(recall(c), 1),
          or_else(specificity(c), 1),
          or_else(accuracy(c), 1)};
}

// One confusion matrix over everything, as VM-UNet's test_one_epoch.
class PooledRules : public ProfileJudge::Rules {
 public:
  explicit PooledRules(std::size_t class_count)
      : Rules({"dice", "iou", "accuracy", "recall", "specificity"}, class_count),
        counts_(class_count) {}

  void add(const data::Case& /*item*/, JudgedCase& judged) override {
    for (std::size_t label = 0; label < class_count(); ++label) {
      counts_[label] += judged.pixels(label).counts;
    }
  }
  void finish() override {
    start_unit("set");
    for (std::size_t label = 1; label < class_count(); ++label) {
      const Counts& c = counts_[label];
      add_values(label, {or_else(dice(c), 0), or_else(iou(c), 0), or_else(accuracy(c), 0),
                         or_else(recall(c), 0), or_else(specificity(c), 0)});
    }
  }

 private:
  std::vector<Counts> counts_;
};

// CMUNeXt's iou_score per batch, averaged over batches by their number of images.
class BatchRules : public ProfileJudge::Rules {
 public:
  BatchRules(std::size_t class_count, std::int64_t batch)
      : Rules({"dice", "iou"}, class_count), counts_(class_count), batch_(batch) {}

  void add(const data::Case& /*item*/, JudgedCase& judged) override {
    for (std::size_t label = 0; label < class_count(); ++label) {
      counts_[label] += judged.pixels(label).counts;
    }
    if (++images_ == batch_) close();
  }
  void finish() override {
    if (images_ > 0) close();
  }

 private:
  void close() {
    constexpr double smooth = 1e-5;
    start_unit(concat("batch ", table.units.size() + 1), static_cast<double>(images_));
    for (std::size_t label = 1; label < class_count(); ++label) {
      const Counts& c = counts_[label];
      const auto both = static_cast<double>(c.true_positive);
      const auto any = static_cast<double>(c.true_positive + c.false_positive + c.false_negative);
      const double overlap = (both + smooth) / (any + smooth);
      add_values(label, {2 * overlap / (overlap + 1), overlap});
    }
    counts_.assign(class_count(), {});
    images_ = 0;
  }

  std::vector<Counts> counts_;
  std::int64_t batch_;
  std::int64_t images_ = 0;
};

// Of whole volumes; an image that is no slice is one by itself.
class VolumeRules : public ProfileJudge::Rules {
 public:
  VolumeRules(std::vector<std::string> keys, std::span<const data::Case> cases,
              std::size_t class_count)
      : Rules(std::move(keys), class_count), gatherer_(cases, class_count) {}

  void add(const data::Case& item, JudgedCase& judged) override {
    if (!item.volume.empty()) {
      if (const auto volume = gatherer_.add(item, judged)) judge(*volume, Neighbours::six);
      return;
    }
    const data::LabelMap& truth = judged.truth();
    Volume one{.name = item.id,
               .group = item.group,
               .lengths = judged.lengths(),
               .width = truth.width,
               .height = truth.height,
               .depth = 0,
               .classes = std::vector<VolumeClass>(class_count())};
    for (std::size_t label = 1; label < class_count(); ++label) {
      one.classes[label] = {judged.pixels(label).counts, judged.masks(label)};
    }
    judge(one, Neighbours::four);
  }
  void finish() override {
    if (!gatherer_.has_volumes()) table.unit = "image";
  }

 private:
  // The values of one class.
  [[nodiscard]] virtual Values values(const Volume& volume, const VolumeClass& own,
                                      Neighbours neighbours) const = 0;

  void judge(const Volume& volume, Neighbours neighbours) {
    start_unit(volume.name);
    table.groups.push_back(volume.group);
    for (std::size_t label = 1; label < class_count(); ++label) {
      add_values(label, values(volume, volume.classes[label], neighbours));
    }
  }

  VolumeGatherer gatherer_;
};

// TransUNet's calculate_metric_percase.
class TransUnetRules : public VolumeRules {
 public:
  TransUnetRules(std::span<const data::Case> cases, std::size_t class_count)
      : VolumeRules({"dice", "hd95"}, cases, class_count) {}

 private:
  [[nodiscard]] Values values(const Volume& /*volume*/, const VolumeClass& own,
                              Neighbours neighbours) const override {
    if (!in_both(own.counts)) return {own.counts.in_prediction() ? 1.0 : 0.0, 0.0};
    SurfaceDistances distances =
        surface_distances(own.masks.truth, own.masks.prediction, Spacing{}, neighbours);
    std::vector<double> all = std::move(distances.from_truth);
    all.insert(all.end(), distances.from_prediction.begin(), distances.from_prediction.end());
    return {dice(own.counts), percentile(std::move(all), 0.95)};
  }
};

// The profile `default` in three dimensions.
class WholeVolumeRules : public VolumeRules {
 public:
  WholeVolumeRules(std::span<const data::Case> cases, std::size_t class_count)
      : VolumeRules({"dice", "iou", "precision", "recall", "specificity", "hd95", "assd", "nsd",
                     "volume_difference"},
                    cases, class_count) {}

 private:
  [[nodiscard]] Values values(const Volume& volume, const VolumeClass& own,
                              Neighbours neighbours) const override {
    const Counts& c = own.counts;
    Values out{dice(c),
               iou(c),
               precision(c),
               recall(c),
               specificity(c),
               std::nullopt,
               std::nullopt,
               std::nullopt,
               ratio(c.false_positive - c.false_negative, c.true_positive + c.false_negative)};
    if (in_both(c)) {
      SurfaceDistances distances = surface_distances(own.masks.truth, own.masks.prediction,
                                                     volume.lengths.spacing, neighbours);
      out[6] = mean_distance(distances);
      out[7] = within_tolerance(distances, volume.lengths.nsd_tolerance());
      out[5] = std::max(percentile(std::move(distances.from_truth), 0.95),
                        percentile(std::move(distances.from_prediction), 0.95));
    } else if (c.in_truth() || c.in_prediction()) {
      out[5] = out[6] = volume.lengths.diagonal(volume.width, volume.height, volume.depth);
      out[7] = 0;
    }
    return out;
  }
};

std::size_t position_of(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

// Per unit, over the classes where it is defined.
Values class_means(const ProfileTable& table, std::size_t metric) {
  Values out;
  for (std::size_t u = 0; u < table.units.size(); ++u) {
    Values own;
    for (const auto& by_class : table.values) own.push_back(by_class[metric][u]);
    out.push_back(mean_of_defined(own));
  }
  return out;
}

std::optional<double> weighted_mean(const Values& values, const std::vector<double>& weights) {
  double sum = 0;
  double weight = 0;
  for (std::size_t u = 0; u < values.size(); ++u) {
    if (!values[u]) continue;
    sum += weights[u] * *values[u];
    weight += weights[u];
  }
  if (weight == 0) return std::nullopt;
  return sum / weight;
}

std::unique_ptr<ProfileJudge::Rules> rules_of(const std::string& profile,
                                              std::span<const data::Case> cases,
                                              std::size_t class_count, std::int64_t batch) {
  const auto images = [&](std::vector<std::string> keys, ImageRules::Judge judge) {
    return std::make_unique<ImageRules>(std::move(keys), judge, class_count);
  };
  if (profile == "medpy") {
    return images(
        {"dice", "iou", "precision", "recall", "specificity", "hd95", "assd", "volume_difference"},
        medpy_values);
  }
  if (profile == "monai") return images({"dice", "iou", "hd95", "asd", "nsd"}, monai_values);
  if (profile == "deepmind") {
    return images({"dice", "hd95", "nsd", "asd_from_truth", "asd_from_prediction"},
                  deepmind_values);
  }
  if (profile == "isic") {
    return images({"threshold_jaccard", "iou", "dice", "recall", "specificity", "accuracy"},
                  isic_values);
  }
  if (profile == "pooled") return std::make_unique<PooledRules>(class_count);
  if (profile == "batch") return std::make_unique<BatchRules>(class_count, batch);
  if (profile == "transunet") return std::make_unique<TransUnetRules>(cases, class_count);
  if (profile == "volumes") return std::make_unique<WholeVolumeRules>(cases, class_count);
  throw_internal(concat("rules of the profile ", profile));
}

}  // namespace

std::vector<std::string> profile_names(const std::vector<std::string>& wanted) {
  std::vector<std::string> known;
  for (const ProfileInfo& info : profiles) known.emplace_back(info.name);
  for (const std::string& name : wanted) {
    if (name == "all") return known;
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw_usage(concat("unknown profile ", name, suggestion(name, known), "; or all"));
    }
  }
  std::erase_if(known, [&](const std::string& name) {
    return std::find(wanted.begin(), wanted.end(), name) == wanted.end();
  });
  return known;
}

std::optional<double> ProfileTable::mean(const std::string& metric) const {
  const std::size_t m = position_of(metrics, metric);
  if (m == metrics.size()) return std::nullopt;
  return weighted_mean(class_means(*this, m), weights);
}

std::optional<double> ProfileTable::mean(const std::string& metric, std::size_t position) const {
  const std::size_t m = position_of(metrics, metric);
  if (m == metrics.size()) return std::nullopt;
  return weighted_mean(values.at(position)[m], weights);
}

std::vector<std::optional<double>> ProfileTable::unit_means(const std::string& metric) const {
  const std::size_t m = position_of(metrics, metric);
  return m == metrics.size() ? Values(units.size()) : class_means(*this, m);
}

std::string ProfileTable::unit_count() const {
  if (units.size() == 1) return concat("1 ", unit);
  return concat(units.size(), " ", unit, unit == "batch" ? "es" : "s");
}

std::int64_t ProfileTable::used(const std::string& metric) const {
  const std::size_t m = position_of(metrics, metric);
  if (m == metrics.size()) return 0;
  const Values means = class_means(*this, m);
  return std::count_if(means.begin(), means.end(), [](const auto& value) { return !!value; });
}

ProfileJudge::ProfileJudge(const std::string& profile, std::span<const data::Case> cases,
                           std::size_t class_count, std::int64_t batch)
    : rules_(rules_of(profile, cases, class_count, batch)) {
  rules_->table.profile = profile;
  for (const ProfileInfo& info : profiles) {
    if (profile == info.name) rules_->table.unit = info.unit;
  }
}
ProfileJudge::~ProfileJudge() = default;
ProfileJudge::ProfileJudge(ProfileJudge&&) noexcept = default;

void ProfileJudge::add(const data::Case& item, JudgedCase& judged) {
  rules_->add(item, judged);
}

void ProfileJudge::add(const data::Case& item, const data::LabelMap& truth,
                       const data::LabelMap& prediction, const Lengths& lengths) {
  JudgedCase judged(item.id, truth, prediction, rules_->class_count(), lengths, true);
  rules_->add(item, judged);
}

ProfileTable ProfileJudge::finish() {
  rules_->finish();
  return std::move(rules_->table);
}

bool judges_volumes(const std::string& profile) {
  return profile == "transunet" || profile == "volumes";
}

bool needs_pooled(const std::string& profile) {
  return profile == "medpy";
}

ProfileTable default_table(std::span<const CaseScores> cases) {
  ProfileTable table;
  table.profile = profiles[0].name;
  table.unit = profiles[0].unit;
  table.weights.assign(cases.size(), 1);
  for (const MetricInfo& metric : metrics) table.metrics.emplace_back(metric.key);
  const std::size_t class_count = cases.empty() ? 0 : cases.front().classes.size();
  table.values.assign(class_count, std::vector<Values>(metric_count));
  for (const CaseScores& scores : cases) {
    table.units.push_back(scores.id);
    for (std::size_t c = 0; c < class_count; ++c) {
      for (std::size_t m = 0; m < metric_count; ++m) {
        table.values[c][m].push_back(value_of(scores.classes[c], m));
      }
    }
  }
  return table;
}

}  // namespace medurwkv::judge
