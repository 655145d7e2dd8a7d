// Splits: made by seed with groups kept together, written as JSON, verified when read.
#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <map>
#include <numeric>
#include <set>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/random.h"
#include "core/text.h"
#include "core/threads.h"
#include "core/version.h"
#include "data/dataset.h"
#include "data/encoding.h"
#include "data/layout.h"

namespace medurwkv::data {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr int split_format_version = 1;
constexpr const char* split_format = "medurwkv-split";

/// Hash of each case's image and masks, by the order of cases.
std::vector<std::string> case_hashes(const Dataset& dataset) {
  std::vector<std::string> out(dataset.cases.size());
  std::vector<std::exception_ptr> errors(out.size());
  parallel_for(static_cast<std::int64_t>(out.size()), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      try {
        std::string text;
        for (const fs::path& file : files_of(dataset.cases[i])) text += sha256_file(file);
        out[i] = sha256(text);
      } catch (...) {
        errors[i] = std::current_exception();
      }
    }
  });
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  return out;
}

/// Cases that must stay together: those of one group, and those with the same image.
std::vector<std::vector<std::size_t>> bundles_of(const Dataset& dataset) {
  std::vector<std::size_t> leader(dataset.cases.size());
  std::iota(leader.begin(), leader.end(), std::size_t{0});
  const auto root = [&](std::size_t i) {
    while (leader[i] != i) i = leader[i] = leader[leader[i]];
    return i;
  };
  std::map<std::string, std::size_t> first;
  for (std::size_t i = 0; i < dataset.cases.size(); ++i) {
    for (const std::string& key : {"group " + dataset.cases[i].group,
                                   "image " + sha256_file(dataset.cases[i].images.front().file)}) {
      const auto [known, fresh] = first.emplace(key, i);
      if (!fresh) leader[root(i)] = root(known->second);
    }
  }
  std::map<std::size_t, std::vector<std::size_t>> by_root;
  for (std::size_t i = 0; i < leader.size(); ++i) by_root[root(i)].push_back(i);
  std::vector<std::vector<std::size_t>> out;
  out.reserve(by_root.size());
  for (auto& [unused, members] : by_root) out.push_back(std::move(members));
  return out;
}

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
  if (version != split_format_version) {
    throw_failure(concat(file.string(), ": is of split format ", version.dump(), "; medurwkv ",
                         medurwkv::version, " reads format ", split_format_version,
                         "; use a newer medurwkv or make the split again"));
  }
  return from;
}

}  // namespace

std::vector<Case> part_of(const Dataset& dataset, const Split& split, const std::string& part) {
  if (part == "all") return dataset.cases;
  const std::vector<std::string>* ids = part == "train"  ? &split.train
                                        : part == "val"  ? &split.val
                                        : part == "test" ? &split.test
                                                         : nullptr;
  if (ids == nullptr) {
    throw_usage(concat("part '", part, "' is not known; known: train, val, test, all"));
  }
  const std::set<std::string> wanted(ids->begin(), ids->end());
  std::vector<Case> out;
  for (const Case& item : dataset.cases) {
    if (wanted.contains(item.id)) out.push_back(item);
  }
  return out;
}

Split make_split(const Dataset& dataset, const SplitRatios& ratios, std::uint64_t seed) {
  const std::array<double, 3> shares{ratios.train, ratios.val, ratios.test};
  const double sum = shares[0] + shares[1] + shares[2];
  if (!(sum > 0) || !std::isfinite(sum) || *std::min_element(shares.begin(), shares.end()) < 0) {
    throw_usage("the ratios of a split are finite, at least 0 and not all 0");
  }
  const std::vector<std::vector<std::size_t>> bundles = bundles_of(dataset);
  const auto order = Random(seed, "split").permutation(static_cast<std::int64_t>(bundles.size()));
  const auto total = static_cast<double>(dataset.cases.size());
  std::array<std::vector<std::string>, 3> parts;
  for (const std::int64_t index : order) {
    // To the part that lacks most of its share.
    std::size_t best = 0;
    double most_lacking = -1e300;
    for (std::size_t p = 0; p < parts.size(); ++p) {
      const double target = shares[p] / sum * total;
      if (target <= 0) continue;
      const double lacking = (target - static_cast<double>(parts[p].size())) / target;
      if (lacking > most_lacking) {
        most_lacking = lacking;
        best = p;
      }
    }
    for (const std::size_t member : bundles[static_cast<std::size_t>(index)]) {
      parts[best].push_back(dataset.cases[member].id);
    }
  }
  for (auto& part : parts) std::sort(part.begin(), part.end());
  return {parts[0], parts[1], parts[2], content_hash(dataset)};
}

std::string content_hash(const Dataset& dataset) {
  const std::vector<std::string> hashes = case_hashes(dataset);
  std::string text;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    text += dataset.cases[i].id + "\n" + hashes[i] + "\n";
  }
  return sha256(text);
}

json split_to_json(const Dataset& dataset, const Split& split, const SplitRatios& ratios,
                   std::uint64_t seed) {
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
  return {{"format", split_format},
          {"format_version", split_format_version},
          {"medurwkv", medurwkv::version},
          {"seed", seed},
          {"ratios", {ratios.train, ratios.val, ratios.test}},
          {"mask_encoding", to_string(dataset.encoding)},
          {"classes", classes},
          {"class_colors", colors},
          {"data_sha256", split.data_sha256},
          {"train", split.train},
          {"val", split.val},
          {"test", split.test}};
}

Split read_split(const fs::path& file, const Dataset& dataset) {
  const json from = parse_split(file);
  Split out;
  try {
    from.at("train").get_to(out.train);
    from.at("val").get_to(out.val);
    from.at("test").get_to(out.test);
    from.at("data_sha256").get_to(out.data_sha256);
  } catch (const json::exception& error) {
    throw_failure(concat(file.string(), ": is broken: ", error.what()));
  }
  std::set<std::string> known;
  for (const Case& item : dataset.cases) known.insert(item.id);
  std::set<std::string> seen;
  for (const auto* part : {&out.train, &out.val, &out.test}) {
    for (const std::string& id : *part) {
      if (!known.contains(id)) {
        throw_failure(concat(file.string(), ": case ", id, " is not in ", dataset.root.string()));
      }
      if (!seen.insert(id).second) {
        throw_failure(concat(file.string(), ": case ", id, " is listed twice"));
      }
    }
  }
  if (content_hash(dataset) != out.data_sha256) {
    throw_failure(concat(file.string(), ": was made for other contents of ", dataset.root.string(),
                         " (files were added, removed or changed since); make the split again"));
  }
  return out;
}

DatasetOptions split_options(const fs::path& file) {
  const json from = parse_split(file);
  try {
    const auto names = from.at("classes").get<std::vector<std::string>>();
    DatasetOptions out{.encoding = mask_encoding_from(from.at("mask_encoding").get<std::string>()),
                       .classes = make_classes(names.size(), names)};
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
