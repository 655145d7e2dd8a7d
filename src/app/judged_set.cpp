#include "app/judged_set.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/layout/encoding.h"
#include "data/split/split.h"
#include "data/volumes/volume.h"
#include "judge/volumes.h"

namespace medurwkv::app {

namespace {

/// --per-group needs cases that share a group.
void refuse_without_groups(const EvaluateRequest& request, const std::vector<data::Case>& cases) {
  if (!request.per_group) return;
  std::vector<std::string> names;
  for (const data::Case& item : cases) names.push_back(item.group);
  if (!judge::groups_of(names).empty()) return;
  throw_usage(
      "--per-group: no two cases share a group; leave it out, or split by patient first (data "
      "split "
      "--group-by)");
}

judge::Lengths lengths_of(const EvaluateRequest& request) {
  judge::Lengths out;
  if (const auto& spacing = request.spacing) {
    out.spacing = {(*spacing)[0], (*spacing)[1], (*spacing)[2]};
  }
  if (request.tolerances.empty()) return out;
  std::vector<double> sorted = request.tolerances;
  std::sort(sorted.begin(), sorted.end());
  if (const auto twice = std::adjacent_find(sorted.begin(), sorted.end()); twice != sorted.end()) {
    throw_usage(concat("--tolerance: ", *twice, " stands twice"));
  }
  out.tolerance = request.tolerances.front();
  out.more_tolerances.assign(request.tolerances.begin() + 1, request.tolerances.end());
  return out;
}

/// Gives the cases of a part the volumes that those of the set were given.
void take_volumes(const std::vector<data::Case>& set, std::vector<data::Case>& part) {
  std::map<std::string, const data::Case*> by_id;
  for (const data::Case& item : set) by_id[item.id] = &item;
  for (data::Case& item : part) {
    item.volume = by_id.at(item.id)->volume;
    item.slice = by_id.at(item.id)->slice;
  }
}

/// Takes sizes of pixels out of the volumes' headers where every case has them.
void take_spacing_of_headers(Judged& judged, Listener& listener) {
  judge::SpacingByCase found;
  std::string text;
  const data::Case* silent = nullptr;
  for (const data::Case& item : judged.cases) {
    const auto& volume = item.images.front().volume;
    const auto geometry = volume && !volume->misplaced.starts_with("it does not say")
                              ? data::geometry_of(volume->placing)
                              : std::nullopt;
    if (!geometry) {
      silent = &item;
      continue;
    }
    const auto& [x, y, z] = geometry->spacing;
    found[item.id] = {x, y, z};
    text += concat(item.id, " ", x, " ", y, " ", z, "\n");
  }
  if (found.empty()) return;
  if (silent != nullptr) {
    listener.line(concat("lengths are in pixels: the case ", silent->id,
                         " does not say how large its pixels are; --spacing-file does"));
    return;
  }
  judged.spacing = std::move(found);
  judged.provenance.spacing_file = judge::spacing_of_headers;
  judged.provenance.spacing_sha256 = sha256(text);
}

}  // namespace

std::string command_line(const EvaluateRequest& request) {
  std::string out = "medurwkv evaluate ";
  if (request.predictions.empty()) {
    out += shell_quoted(request.how.model.string()) + options_text(request.how);
  } else {
    out += concat("--predictions ", shell_quoted(request.predictions.string()));
    if (request.missing != "error") out += concat(" --missing ", request.missing);
    if (!request.prediction_encoding.empty()) {
      out += concat(" --prediction-encoding ", request.prediction_encoding);
    }
  }
  out += concat(" --data ", shell_quoted(request.set.folder.string()));
  if (!request.split.empty()) out += concat(" --split ", shell_quoted(request.split.string()));
  for (const auto& [name, value] : {std::pair{"--mask-encoding", request.set.encoding},
                                    {"--class-names", join(request.set.class_names, ",")},
                                    {"--classes", request.set.class_file.string()},
                                    {"--plane", request.set.plane}}) {
    if (!value.empty()) out += concat(" ", name, " ", shell_quoted(value));
  }
  if (request.fold) out += concat(" --fold ", *request.fold);
  if (request.per_group) out += " --per-group";
  out += concat(" --part ", request.part, " --out ", shell_quoted(request.out.string()), " --seed ",
                request.seed);
  if (request.predictions.empty()) {
    out += concat(" --device ", request.how.device);
    if (request.how.threads > 0) out += concat(" --threads ", request.how.threads);
  }
  if (const auto& spacing = request.spacing) {
    out += concat(" --spacing ", (*spacing)[0], ",", (*spacing)[1]);
    if ((*spacing)[2] != 1) out += concat(",", (*spacing)[2]);
  }
  if (!request.spacing_file.empty()) {
    out += concat(" --spacing-file ", shell_quoted(request.spacing_file.string()));
  }
  if (!request.tolerances.empty()) {
    std::vector<std::string> lengths;
    for (const double one : request.tolerances) lengths.push_back(concat(one));
    out += concat(" --tolerance ", join(lengths, ","));
  }
  if (!request.volumes.empty()) out += concat(" --volumes ", shell_quoted(request.volumes));
  if (!request.strata.empty()) out += concat(" --strata ", shell_quoted(request.strata.string()));
  if (!request.metrics.empty()) out += concat(" --metrics ", join(request.metrics, ","));
  if (request.profiles != std::vector<std::string>{"default"}) {
    out += concat(" --profiles ", join(request.profiles, ","), " --batch ", request.batch);
  }
  return out;
}

void take_part(const EvaluateRequest& request, std::optional<int> fold, Judged& judged) {
  const data::Split split = data::read_split(request.split, judged.dataset, fold);
  judged.cases = data::part_of(judged.dataset, split, request.part);
  judged.train = data::part_of(judged.dataset, split, "train");
  if (judged.cases.empty()) {
    throw_failure(concat(request.split.string(), ": the part ", request.part, " is empty",
                         split.val.empty() ? "" : "; --part val judges on the cases kept aside"));
  }
  judged.provenance.data_sha256 = split.data_sha256;
}

Judged open_judged(const EvaluateRequest& request, std::optional<int> fold, Listener& listener) {
  Judged out;
  judge::Provenance& from = out.provenance;
  if (request.split.empty()) {
    out.dataset = open_set(request.set, listener).dataset;
    out.cases = out.dataset.cases;
    from.data_sha256 = data::content_hash(out.dataset);
  } else {
    out.dataset = open_split_set(request.set, request.split, listener);
    take_part(request, fold, out);
    from.split_file = request.split.string();
    from.split_sha256 = sha256_file(request.split);
  }
  from.data_root = request.set.folder.string();
  from.mask_encoding = data::to_string(out.dataset.encoding);
  from.plane = out.dataset.plane;
  from.part = request.part;
  from.command = command_line(request);
  from.lengths = lengths_of(request);
  judge::check_lengths(from.lengths);
  if (!request.volumes.empty()) {
    judge::regroup_volumes(out.dataset.cases, request.volumes);
    take_volumes(out.dataset.cases, out.cases);
    from.volumes = request.volumes;
  }
  if (!request.strata.empty()) {
    out.strata = judge::read_strata(request.strata);
    from.strata_file = request.strata.string();
    from.strata_sha256 = sha256_file(request.strata);
  }
  refuse_without_groups(request, out.cases);
  if (!request.spacing_file.empty()) {
    out.spacing = judge::read_spacing(request.spacing_file);
    from.spacing_file = request.spacing_file.string();
    from.spacing_sha256 = sha256_file(request.spacing_file);
  } else if (!request.spacing) {
    take_spacing_of_headers(out, listener);
  }
  return out;
}

}  // namespace medurwkv::app
