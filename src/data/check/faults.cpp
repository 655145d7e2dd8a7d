#include "data/check/faults.h"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/text.h"
#include "core/unicode.h"
#include "data/check/checks.h"
#include "data/layout/sets.h"

namespace medurwkv::data {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

void count(const Examination& set, CheckReport& report) {
  const Layout& layout = set.layout;
  report.layout = layout.name;
  report.pairs = std::ssize(layout.cases);
  report.images = report.pairs +
                  static_cast<std::int64_t>(layout.images_alone.size() + layout.ambiguous.size());
  report.masks = std::ssize(layout.masks_alone);
  report.unlabelled = std::ssize(layout.unlabelled);
  std::set<std::string> groups;
  for (const Case& item : layout.cases) {
    report.masks += std::ssize(item.masks);
    groups.insert(item.group);
  }
  report.groups = std::ssize(groups);
  report.encoding = set.meaning.encoding ? to_string(*set.meaning.encoding) : "unknown";
  report.classes = set.meaning.classes;
  report.class_pixels.assign(report.classes.size(), 0);
  report.class_cases.assign(report.classes.size(), 0);
  const auto area = [](ImageSize size) { return size.width * size.height; };
  for (const CaseFacts& fact : set.facts) {
    report.empty_masks += fact.shape && fact.shape->foreground == 0 ? 1 : 0;
    for (std::size_t c = 0; c < fact.class_pixels.size(); ++c) {
      report.class_pixels[c] += fact.class_pixels[c];
      report.class_cases[c] += fact.class_pixels[c] > 0 ? 1 : 0;
    }
    if (!fact.size) continue;
    if (report.largest.width == 0 || area(*fact.size) > area(report.largest)) {
      report.largest = *fact.size;
    }
    if (report.smallest.width == 0 || area(*fact.size) < area(report.smallest)) {
      report.smallest = *fact.size;
    }
  }
}

Fault no_pairs(const Examination& set) {
  const FileNote why = why_no_pairs(set.dataset.root, set.layout);
  return {Severity::error, why.kind, set.dataset.root.string(), why.what, why.remedy};
}

/// All faults but those between cases and between parts.
std::vector<Fault> faults_in(const Examination& set) {
  std::vector<Fault> out;
  for (const CaseFacts& fact : set.facts) {
    out.insert(out.end(), fact.faults.begin(), fact.faults.end());
  }
  check_names(set.layout, out);
  if (set.layout.cases.empty()) {
    out.push_back(no_pairs(set));
  } else {
    check_masks(set, out);
    check_kinds(set, out);
    check_volumes(set, out);
  }
  return out;
}

}  // namespace

std::int64_t CheckReport::errors() const {
  return std::count_if(faults.begin(), faults.end(),
                       [](const Fault& fault) { return fault.severity == Severity::error; });
}

CheckReport check_dataset(const fs::path& root, const CheckOptions& options, Listener& listener) {
  return report_on(examine(root, options.dataset, listener), options, listener);
}

void refuse_errors(const Examination& set) {
  static const std::set<std::string> left_out{"image-without-mask", "mask-without-image",
                                              "unread-format"};
  std::vector<Fault> faults = faults_in(set);
  if (set.images_read) check_other_masks(set, faults);
  const Fault* first = nullptr;
  std::int64_t further = 0;
  for (const Fault& fault : faults) {
    if (fault.severity != Severity::error || left_out.contains(fault.kind)) continue;
    if (first == nullptr || fault.kind == "broken-layout") {
      first = first == nullptr || first->kind != "broken-layout" ? &fault : first;
    }
    ++further;
  }
  if (first == nullptr) return;
  const std::string where =
      first->kind == "unclear-encoding" ? set.dataset.root.string() : first->where;
  const std::string more =
      further > 1 ? concat(" (and ", further - 1, " more; `medurwkv data check` lists them)") : "";
  // A fault of the layout says in `what` what to do.
  const std::string remedy = first->kind == "broken-layout" ? "" : "; " + first->remedy;
  throw_failure(concat(where, ": ", first->what, remedy, more));
}

Examination open_examined(const fs::path& root, const DatasetOptions& options, Listener& listener) {
  Examination out = examine(root, options, listener);
  refuse_errors(out);
  return out;
}

CheckReport report_on(const Examination& set, const CheckOptions& options, Listener& listener) {
  CheckReport report;
  report.faults = faults_in(set);
  count(set, report);
  const Parts parts =
      options.split.empty() ? parts_of_set(set) : parts_of_split(set, options.split, report.faults);
  for (const std::string& part : parts) {
    if (!part.empty()) ++report.parts[part];
  }
  if (options.split.empty()) check_for_patients(set, report.faults);
  check_groups(set, parts, report.faults);
  check_twins(set, parts, listener, report.faults);
  if (!options.against.empty()) {
    check_overlap(set, examine(options.against, {}, listener), listener, report.faults);
  }
  std::stable_sort(report.faults.begin(), report.faults.end(),
                   [](const Fault& a, const Fault& b) { return a.severity > b.severity; });
  return report;
}

json to_json(const CheckReport& report) {
  json classes = json::array();
  for (std::size_t i = 0; i < report.classes.size(); ++i) {
    classes.push_back({{"name", report.classes[i].name},
                       {"pixels", report.class_pixels[i]},
                       {"cases", report.class_cases[i]}});
  }
  json faults = json::array();
  for (const Fault& fault : report.faults) {
    faults.push_back({{"severity", fault.severity == Severity::error ? "error" : "warning"},
                      {"kind", fault.kind},
                      {"where", readable(fault.where)},
                      {"what", readable(fault.what)},
                      {"remedy", fault.remedy}});
  }
  return {{"layout", report.layout},
          {"pairs", report.pairs},
          {"images", report.images},
          {"masks", report.masks},
          {"unlabelled", report.unlabelled},
          {"groups", report.groups},
          {"empty_masks", report.empty_masks},
          {"smallest", {report.smallest.width, report.smallest.height}},
          {"largest", {report.largest.width, report.largest.height}},
          {"mask_encoding", report.encoding},
          {"classes", classes},
          {"parts", report.parts},
          {"errors", report.errors()},
          {"faults", faults}};
}

}  // namespace medurwkv::data
