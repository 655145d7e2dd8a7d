// split.json: writing it, reading it, checking it against a set.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/model_description.h"
#include "core/text.h"
#include "core/unicode.h"
#include "core/version.h"
#include "data/codecs/read.h"
#include "data/layout/encoding.h"
#include "data/layout/layout.h"
#include "data/split/split.h"

namespace medurwkv::data {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// The version of a split with folds, which older programs cannot use. Without folds it is 1.
constexpr int split_format_version = 2;
constexpr const char* split_format = "medurwkv-split";

json parse_split(const fs::path& file) {
  json from;
  try {
    from = json::parse(read_file(file, std::uint64_t{1} << 28));
  } catch (const json::exception& error) {
    throw_failure(concat(file.string(), ": is not JSON: ", error.what()));
  }
  if (!from.is_object() || !from.contains("format") || from["format"] != split_format) {
    throw_failure(concat(file.string(), ": is not a split of `medurwkv data split`"));
  }
  const json version = from.contains("format_version") ? from["format_version"] : json();
  if (version != 1 && version != split_format_version) {
    throw_failure(concat(file.string(), ": is of split format ", version.dump(), "; medurwkv ",
                         medurwkv::version, " reads formats 1 and ", split_format_version,
                         "; use a newer medurwkv or make the split again"));
  }
  return from;
}

/// All ids of the plan. Throws Error naming one that is listed twice.
std::set<std::string> ids_of(const SplitPlan& plan, const fs::path& file) {
  std::set<std::string> seen;
  const auto add = [&](const std::vector<std::string>& ids) {
    for (const std::string& id : ids) {
      if (!seen.insert(id).second) {
        throw_failure(concat(file.string(), ": case ", id, " is listed twice"));
      }
    }
  };
  for (const auto* part : {&plan.parts.train, &plan.parts.val, &plan.parts.test}) add(*part);
  for (const std::vector<std::string>& fold : plan.folds) add(fold);
  return seen;
}

/// Names of the first cases whose contents changed since the split was made.
std::string changed_cases(const SplitPlan& plan, const Dataset& dataset) {
  const std::vector<std::string> hashes = case_hashes(dataset);
  std::set<std::string> there;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    const std::string& id = dataset.cases[i].id;
    there.insert(id);
    const auto known = plan.contents.find(id);
    if (known == plan.contents.end()) {
      names.push_back(id + " is new");
    } else if (known->second != hashes[i]) {
      names.push_back(id + " has changed");
    }
  }
  for (const auto& [id, unused] : plan.contents) {
    if (!there.contains(id)) names.push_back(id + " is gone");
  }
  constexpr std::size_t shown = 3;
  const std::size_t more = names.size() > shown ? names.size() - shown : 0;
  names.resize(std::min(names.size(), shown));
  return join(names, ", ") + (more > 0 ? concat(" and ", more, " more") : "");
}

}  // namespace

json split_to_json(const Dataset& dataset, const SplitPlan& plan) {
  for (const Case& item : dataset.cases) {
    if (!is_utf8(item.id)) {
      throw_failure(concat(item.images.front().name(),
                           ": its name is not UTF-8, so no split file can hold it; rename it"));
    }
  }
  json classes = json::array();
  json colors = json::array();
  for (const ClassInfo& one : dataset.classes) {
    classes.push_back(one.name);
    colors.push_back(one.color);
  }
  const SplitRequest& request = plan.request;
  json out{{"format", split_format},
           {"format_version", plan.folds.empty() ? 1 : split_format_version},
           {"medurwkv", medurwkv::version},
           {"seed", request.seed},
           {"official", request.official},
           {"group_by", request.group_by},
           {"mask_encoding", to_string(dataset.encoding)},
           {"classes", classes},
           {"class_colors", colors},
           {"data_sha256", plan.parts.data_sha256},
           {"case_sha256", plan.contents},
           {"test", plan.parts.test}};
  if (dataset.plane != Plane::stored) out["plane"] = to_string(dataset.plane);
  if (plan.folds.empty()) {
    out["ratios"] = {request.ratios.train, request.ratios.val, request.ratios.test};
    out["train"] = plan.parts.train;
    out["val"] = plan.parts.val;
  } else {
    out["folds"] = plan.folds;
  }
  return out;
}

SplitPlan read_plan(const fs::path& file) {
  const json from = parse_split(file);
  SplitPlan out;
  try {
    from.at("test").get_to(out.parts.test);
    from.at("data_sha256").get_to(out.parts.data_sha256);
    if (from.contains("folds")) {
      from.at("folds").get_to(out.folds);
    } else {
      from.at("train").get_to(out.parts.train);
      from.at("val").get_to(out.parts.val);
    }
    if (from.contains("case_sha256")) from.at("case_sha256").get_to(out.contents);
  } catch (const json::exception& error) {
    throw_failure(concat(file.string(), ": is broken: ", error.what()));
  }
  if (from.contains("folds") && out.folds.size() < 2) {
    throw_failure(concat(file.string(), ": is broken: it has ", out.folds.size(), " folds"));
  }
  return out;
}

Split read_split(const fs::path& file, const Dataset& dataset, std::optional<int> fold) {
  const SplitPlan plan = read_plan(file);
  std::set<std::string> known;
  for (const Case& item : dataset.cases) known.insert(item.id);
  for (const std::string& id : ids_of(plan, file)) {
    if (!known.contains(id)) {
      throw_failure(concat(file.string(), ": case ", id, " is not in ", dataset.root.string()));
    }
  }
  if (content_hash(dataset) != plan.parts.data_sha256) {
    throw_failure(concat(file.string(), ": was made for other contents of ", dataset.root.string(),
                         " (files were added, removed or changed since",
                         plan.contents.empty() ? "" : ": " + changed_cases(plan, dataset),
                         "); make the split again"));
  }
  return parts_of(plan, fold);
}

DatasetOptions split_options(const fs::path& file) {
  const json from = parse_split(file);
  try {
    const auto names = from.at("classes").get<std::vector<std::string>>();
    DatasetOptions out{.encoding = mask_encoding_from(from.at("mask_encoding").get<std::string>()),
                       .classes = make_classes(names.size(), names)};
    out.plane = plane_from(from.value("plane", to_string(Plane::stored)));
    // Splits of version 0.1 have no colours.
    if (from.contains("class_colors")) {
      const auto colors = from.at("class_colors").get<std::vector<Color>>();
      for (std::size_t i = 0; i < names.size(); ++i) out.classes[i].color = colors.at(i);
    }
    return out;
  } catch (const std::out_of_range&) {
    throw_failure(concat(file.string(), ": is broken: fewer class_colors than classes"));
  } catch (const json::exception& error) {
    throw_failure(concat(file.string(), ": is broken: ", error.what()));
  } catch (const Error& error) {
    throw_failure(concat(file.string(), ": ", error.what()));
  }
}

}  // namespace medurwkv::data
