// Judging masks of the caller's memory.
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/guard.h"
#include "core/text.h"
#include "judge/more_metrics.h"
#include "judge/profiles.h"

struct medurwkv_scores {
  std::vector<std::string> keys{};
  std::vector<std::vector<std::optional<double>>> values{};  ///< by label - 1, then by metric
};

namespace {

// The functions of the C interface stand outside the namespace.
using namespace medurwkv;  // NOLINT(google-build-using-namespace)

/// One slice of the caller's labels, without gaps.
data::LabelMap slice_of(const medurwkv_labels& from, std::int64_t z) {
  const std::int64_t row = from.row_stride != 0 ? from.row_stride : from.width;
  const std::int64_t slice = from.slice_stride != 0 ? from.slice_stride : row * from.height;
  data::LabelMap out{from.width, from.height, {}};
  out.labels.resize(static_cast<std::size_t>(from.width * from.height));
  for (std::int64_t y = 0; y < from.height; ++y) {
    std::memcpy(out.labels.data() + y * from.width, from.data + z * slice + y * row,
                static_cast<std::size_t>(from.width));
  }
  return out;
}

medurwkv_labels taken(const medurwkv_labels* from, const char* name) {
  api::given(from, name);
  const medurwkv_labels out = api::taken(from, name);
  constexpr std::int64_t longest = std::int64_t{1} << 20;
  api::given(out.data, "the data of labels");
  if (out.width < 1 || out.height < 1 || out.depth < 0 || out.width > longest ||
      out.height > longest || out.depth > longest) {
    throw_usage(concat(name, " is of ", out.width, " x ", out.height, " pixels and ", out.depth,
                       " slices"));
  }
  return out;
}

judge::Lengths lengths_of(const medurwkv_judge_options& how) {
  const auto side = [](double given) { return given == 0 ? 1 : given; };
  judge::Lengths out{.spacing = {side(how.spacing_x), side(how.spacing_y), side(how.spacing_z)}};
  if (how.has_tolerance != 0) out.tolerance = how.tolerance;
  judge::check_lengths(out);
  return out;
}

/// An image by the profile `default`.
void judge_default(const data::LabelMap& truth, const data::LabelMap& prediction,
                   const medurwkv_judge_options& how, std::size_t class_count,
                   medurwkv_scores& out) {
  const std::vector<std::string> wanted =
      how.metrics != nullptr ? split(how.metrics, ',') : std::vector<std::string>{};
  const judge::MoreMetrics more(judge::more_metric_keys(wanted, how.probabilities != nullptr), {});
  judge::CaseExtras extras;
  if (how.probabilities != nullptr) {
    extras.probabilities = {how.probabilities, class_count * truth.labels.size()};
  }
  judge::JudgedCase judged("", truth, prediction, class_count, lengths_of(how), false, extras);
  const judge::CaseScores scores = judge::score_case(judged, &more);
  std::vector<judge::Metric> metrics = judge::default_metrics();
  metrics.insert(metrics.end(), more.metrics().begin(), more.metrics().end());
  for (const judge::Metric& one : metrics) out.keys.push_back(one.key);
  for (const judge::ClassScores& own : scores.classes) {
    out.values.emplace_back();
    for (std::size_t m = 0; m < metrics.size(); ++m) {
      out.values.back().push_back(judge::value_of(own, m));
    }
  }
}

/// An image or a volume by another profile.
void judge_profile(const medurwkv_labels& truth, const medurwkv_labels& prediction,
                   const std::string& profile, const medurwkv_judge_options& how,
                   std::size_t class_count, medurwkv_scores& out) {
  std::vector<data::Case> cases(static_cast<std::size_t>(std::max<std::int64_t>(1, truth.depth)));
  for (std::size_t z = 0; z < cases.size(); ++z) {
    cases[z].id = concat("slice ", z);
    if (truth.depth > 0) cases[z].volume = "volume";
    cases[z].slice = static_cast<std::int64_t>(z);
  }
  judge::ProfileJudge judge(profile, cases, class_count);
  for (std::size_t z = 0; z < cases.size(); ++z) {
    const auto at = static_cast<std::int64_t>(z);
    judge.add(cases[z], slice_of(truth, at), slice_of(prediction, at), lengths_of(how));
  }
  const judge::ProfileTable table = judge.finish();
  out.keys = table.metrics;
  for (const auto& by_metric : table.values) {
    out.values.emplace_back();
    for (const auto& units : by_metric) out.values.back().push_back(units.at(0));
  }
}

}  // namespace

medurwkv_code medurwkv_judge(const medurwkv_labels* truth, const medurwkv_labels* prediction,
                             const medurwkv_judge_options* options, medurwkv_scores** out) {
  return api::guarded([&] {
    api::given(out, "out") = nullptr;
    const medurwkv_labels of_truth = taken(truth, "truth");
    const medurwkv_labels predicted = taken(prediction, "prediction");
    const medurwkv_judge_options how = api::taken(options, "options");
    if (of_truth.width != predicted.width || of_truth.height != predicted.height ||
        of_truth.depth != predicted.depth) {
      throw_usage(concat("the prediction is of ", predicted.width, " x ", predicted.height, " x ",
                         predicted.depth, ", the truth of ", of_truth.width, " x ", of_truth.height,
                         " x ", of_truth.depth));
    }
    if (how.class_count < 0 || how.class_count == 1 || how.class_count > 255) {
      throw_usage(concat("options.class_count is ", how.class_count, "; it is 2 to 255"));
    }
    const std::size_t class_count =
        how.class_count == 0 ? 2 : static_cast<std::size_t>(how.class_count);
    const std::string wanted = how.profile != nullptr ? how.profile
                               : of_truth.depth > 0   ? "volumes"
                                                      : "default";
    const std::string profile = judge::profile_names({wanted}).front();
    if (of_truth.depth > 0 && !judge::judges_volumes(profile)) {
      throw_usage(concat("the profile ", profile,
                         " judges images; for a volume there are volumes and transunet"));
    }
    auto scores = std::make_unique<medurwkv_scores>();
    if (profile == judge::profile_name) {
      judge_default(slice_of(of_truth, 0), slice_of(predicted, 0), how, class_count, *scores);
    } else if (how.metrics != nullptr) {
      throw_usage("options.metrics are of the profile default");
    } else {
      judge_profile(of_truth, predicted, profile, how, class_count, *scores);
    }
    *out = scores.release();
  });
}

size_t medurwkv_scores_count(const medurwkv_scores* scores) {
  api::begin_call();
  return scores == nullptr ? 0 : scores->keys.size();
}

const char* medurwkv_scores_key(const medurwkv_scores* scores, size_t metric) {
  api::begin_call();
  if (scores == nullptr || metric >= scores->keys.size()) return nullptr;
  return scores->keys[metric].c_str();
}

double medurwkv_scores_value(const medurwkv_scores* scores, int32_t label, size_t metric) {
  api::begin_call();
  constexpr double nothing = std::numeric_limits<double>::quiet_NaN();
  if (scores == nullptr || metric >= scores->keys.size() || label < 0 ||
      static_cast<std::size_t>(label) > scores->values.size()) {
    return nothing;
  }
  if (label > 0) {
    return scores->values[static_cast<std::size_t>(label - 1)][metric].value_or(nothing);
  }
  double sum = 0;
  double count = 0;
  for (const auto& own : scores->values) {
    if (!own[metric]) continue;
    sum += *own[metric];
    ++count;
  }
  return count > 0 ? sum / count : nothing;
}

void medurwkv_scores_free(medurwkv_scores* scores) {
  delete scores;
}
