#include "data/faults.h"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/text.h"
#include "data/checks.h"

namespace medurwkv::data {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// What is not UTF-8 replaced, so that JSON can hold the name of any file.
json readable(const std::string& text) {
  return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace));
}

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

}  // namespace

std::int64_t CheckReport::errors() const {
  return std::count_if(faults.begin(), faults.end(),
                       [](const Fault& fault) { return fault.severity == Severity::error; });
}

CheckReport check_dataset(const fs::path& root, const CheckOptions& options, const StopSignal& stop,
                          bool quiet) {
  return report_on(examine(root, options.dataset, stop, quiet), options, stop, quiet);
}

CheckReport report_on(const Examination& set, const CheckOptions& options, const StopSignal& stop,
                      bool quiet) {
  CheckReport report;
  count(set, report);
  for (const CaseFacts& fact : set.facts) {
    report.faults.insert(report.faults.end(), fact.faults.begin(), fact.faults.end());
  }
  check_names(set.layout, report.faults);
  if (set.layout.cases.empty()) {
    report.faults.push_back({Severity::error, "no-pairs", set.dataset.root.string(),
                             "no image with a mask was found",
                             "put images into images/ and masks of the same names into masks/"});
  } else {
    check_masks(set, report.faults);
    check_kinds(set, report.faults);
  }
  const Parts parts =
      options.split.empty() ? parts_of_set(set) : parts_of_split(set, options.split, report.faults);
  for (const std::string& part : parts) {
    if (!part.empty()) ++report.parts[part];
  }
  check_groups(set, parts, report.faults);
  check_twins(set, parts, stop, report.faults);
  if (!options.against.empty()) {
    check_overlap(set, examine(options.against, {}, stop, quiet), stop, report.faults);
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
