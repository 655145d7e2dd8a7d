#include "data/split/split.h"

#include <algorithm>
#include <regex>
#include <set>
#include <utility>

#include "core/case_loop.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/split/deal.h"

namespace medurwkv::data {
namespace {

using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;

/// Joins cases that share a text.
class SameText {
 public:
  explicit SameText(Pairs& pairs) : pairs_(pairs) {}
  void add(const std::string& text, std::size_t i) {
    const auto [known, fresh] = first_.emplace(text, i);
    if (!fresh) pairs_.emplace_back(known->second, i);
  }

 private:
  Pairs& pairs_;
  std::map<std::string, std::size_t> first_;
};

std::vector<Bundle> bundle_cases(const std::vector<Case>& cases,
                                 const std::vector<CaseTraits>& traits, Listener& listener) {
  Pairs pairs;
  SameText groups(pairs);
  SameText images(pairs);
  std::vector<Fingerprint> prints;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    groups.add(cases[i].group, i);
    if (!traits[i].image.empty()) images.add(traits[i].image, i);
    prints.push_back(traits[i].print);
  }
  for (const Alike& pair : find_alike(prints, listener)) pairs.emplace_back(pair.a, pair.b);
  return bundles_of(cases.size(), pairs);
}

double foreground_share(const CaseTraits& traits) {
  double all = 0;
  for (const std::int64_t pixels : traits.class_pixels) all += static_cast<double>(pixels);
  return all > 0 ? 1 - static_cast<double>(traits.class_pixels.front()) / all : 0;
}

/// What is to be spread evenly: the set's own kinds of cases, the classes that a case holds, and
/// whether its foreground is none, small, medium or large (by thirds of those that have some).
std::vector<std::vector<std::string>> strata_of(const std::vector<Case>& cases,
                                                const std::vector<CaseTraits>& traits) {
  std::vector<double> shares;
  for (const CaseTraits& one : traits) {
    if (const double share = foreground_share(one); share > 0) shares.push_back(share);
  }
  std::sort(shares.begin(), shares.end());
  std::vector<std::vector<std::string>> out(cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (!cases[i].stratum.empty()) out[i].push_back("kind " + cases[i].stratum);
    const std::vector<std::int64_t>& pixels = traits[i].class_pixels;
    for (std::size_t c = 1; c < pixels.size() && pixels.size() > 2; ++c) {
      if (pixels[c] > 0) out[i].push_back(concat("class ", c));
    }
    if (pixels.empty()) continue;
    const double share = foreground_share(traits[i]);
    const auto rank = std::lower_bound(shares.begin(), shares.end(), share) - shares.begin();
    out[i].push_back(share > 0 ? concat("size ", 3 * rank / std::ssize(shares)) : "empty");
  }
  return out;
}

std::vector<std::string> sorted(std::vector<std::string> ids) {
  std::sort(ids.begin(), ids.end());
  return ids;
}

/// Deals the bundles to lists of ids.
std::vector<std::vector<std::string>> deal_ids(const Dataset& dataset,
                                               const std::vector<Bundle>& bundles,
                                               const std::vector<std::vector<std::string>>& strata,
                                               const std::vector<double>& shares,
                                               std::uint64_t seed) {
  const std::vector<std::size_t> parts = deal(bundles, strata, shares, seed);
  std::vector<std::vector<std::string>> out(shares.size());
  for (const Bundle& bundle : bundles) {
    for (const std::size_t i : bundle) out[parts[i]].push_back(dataset.cases[i].id);
  }
  for (auto& ids : out) ids = sorted(std::move(ids));
  return out;
}

/// The members of bundles that `keep` lets through.
template <class Keep>
std::vector<Bundle> only(const std::vector<Bundle>& bundles, const Keep& keep) {
  std::vector<Bundle> out;
  for (const Bundle& bundle : bundles) {
    Bundle rest;
    std::copy_if(bundle.begin(), bundle.end(), std::back_inserter(rest), keep);
    if (!rest.empty()) out.push_back(std::move(rest));
  }
  return out;
}

/// Marks cases of train and val that share a bundle with a case of a later part (train, val, test).
/// With `folds` train and val are one part.
std::vector<bool> leaks_of(const std::vector<Case>& cases, const std::vector<Bundle>& bundles,
                           bool folds) {
  const auto rank = [&](std::size_t i) {
    const std::string& part = cases[i].part;
    return part == "test" ? 3 : part == "val" && !folds ? 2 : part.empty() ? 0 : 1;
  };
  std::vector<bool> out(cases.size(), false);
  for (const Bundle& bundle : bundles) {
    int most = 0;
    for (const std::size_t i : bundle) most = std::max(most, rank(i));
    for (const std::size_t i : bundle) out[i] = rank(i) > 0 && rank(i) < most;
  }
  return out;
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

bool has_official_parts(const Dataset& dataset) {
  return std::any_of(dataset.cases.begin(), dataset.cases.end(),
                     [](const Case& item) { return !item.part.empty(); });
}

void group_by(std::vector<Case>& cases, const std::string& pattern) {
  std::regex regex;
  try {
    regex = std::regex(pattern);
  } catch (const std::regex_error& error) {
    throw_usage(concat("--group-by: '", pattern, "' is not a regular expression: ", error.what()));
  }
  std::vector<std::string> unmatched;
  for (Case& item : cases) {
    std::smatch match;
    const std::string name = name_in_folder(item);
    if (!std::regex_search(item.id, match, regex) && !std::regex_search(name, match, regex)) {
      unmatched.push_back(item.id);
      continue;
    }
    item.group = match.size() == 1 ? match.str() : "";
    for (std::size_t k = 1; k < match.size(); ++k) {
      item.group += concat(k == 1 ? "" : " ", match.str(k));
    }
  }
  if (unmatched.empty()) return;
  throw_usage(concat("--group-by: '", pattern, "' is not in ", unmatched.size(), " of ",
                     cases.size(), " names, the first is ", unmatched.front()));
}

void check_request(const Dataset& dataset, const SplitRequest& request) {
  const SplitRatios& ratios = request.ratios;
  if (request.folds == 0) check_shares({ratios.train, ratios.val, ratios.test});
  if (request.folds != 0 && request.folds < 2) throw_usage("a split has at least 2 folds");
  if (request.folds > 0 && !(request.ratios.test >= 0 && request.ratios.test < 1)) {
    throw_usage("with folds the share of test is at least 0 and less than 1");
  }
  if (request.official && !has_official_parts(dataset)) {
    throw_usage(concat(dataset.root.string(), ": the set comes without parts (train, val, test)"));
  }
  if (request.group_by.empty()) return;
  std::vector<Case> cases = dataset.cases;
  group_by(cases, request.group_by);
}

SplitPlan make_split(const Dataset& dataset, const std::vector<CaseTraits>& traits,
                     const SplitRequest& request, Listener& listener) {
  check_request(dataset, request);
  std::vector<Case> cases = dataset.cases;
  if (!request.group_by.empty()) group_by(cases, request.group_by);
  const std::vector<Bundle> bundles = bundle_cases(cases, traits, listener);
  const auto strata = strata_of(cases, traits);
  SplitPlan out{.request = request, .parts = {}, .folds = {}, .contents = {}};
  const auto share = [&](const std::vector<Bundle>& some, const std::vector<double>& shares) {
    return deal_ids(dataset, some, strata, shares, request.seed);
  };
  const SplitRatios& ratios = request.ratios;
  std::vector<Bundle> rest = bundles;
  if (request.official) {
    const std::vector<bool> leaking = leaks_of(cases, bundles, request.folds > 0);
    for (std::size_t i = 0; i < cases.size(); ++i) {
      if (leaking[i]) out.leaks.push_back(cases[i].id);
    }
    const auto is_in = [&](const char* part) {
      return [&, part](std::size_t i) { return cases[i].part == part && !leaking[i]; };
    };
    const auto ids_in = [&](const char* part) { return share(only(bundles, is_in(part)), {1})[0]; };
    out.parts = {ids_in("train"), ids_in("val"), ids_in("test"), {}};
    rest = only(bundles, [&](std::size_t i) {
      return is_in("train")(i) || (request.folds > 0 && is_in("val")(i));
    });
    if (request.folds == 0 && out.parts.val.empty() && ratios.val > 0) {
      const auto parts = share(rest, {ratios.train, ratios.val});
      out.parts = {parts[0], parts[1], out.parts.test, {}};
    }
  } else if (request.folds == 0) {
    const auto parts = share(bundles, {ratios.train, ratios.val, ratios.test});
    out.parts = {parts[0], parts[1], parts[2], {}};
  } else if (ratios.test > 0) {
    const auto parts = share(bundles, {1 - ratios.test, ratios.test});
    out.parts.test = parts[1];
    const std::set<std::string> in_test(parts[1].begin(), parts[1].end());
    rest = only(bundles, [&](std::size_t i) { return !in_test.contains(cases[i].id); });
  }
  if (request.folds > 0) {
    out.parts.train.clear();
    out.parts.val.clear();
    if (rest.size() < static_cast<std::size_t>(request.folds)) {
      throw_usage(concat(request.folds, " folds were asked for; the cases (without test) are ",
                         rest.size(), " that can be apart"));
    }
    out.folds = share(rest, std::vector<double>(static_cast<std::size_t>(request.folds), 1));
  }
  const std::vector<std::string> hashes = case_hashes(dataset);
  std::string text;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    text += dataset.cases[i].id + "\n" + hashes[i] + "\n";
    out.contents.emplace(dataset.cases[i].id, hashes[i]);
  }
  out.parts.data_sha256 = sha256(text);
  return out;
}

Split parts_of(const SplitPlan& plan, std::optional<int> fold) {
  if (plan.folds.empty()) {
    if (fold) throw_usage("the split has no folds; leave --fold out");
    return plan.parts;
  }
  const auto folds = static_cast<int>(plan.folds.size());
  if (!fold || *fold < 1 || *fold > folds) {
    throw_usage(concat("the split has ", folds,
                       " folds; name the one to validate on: --fold 1 to --fold ", folds));
  }
  Split out = plan.parts;
  for (int k = 1; k <= folds; ++k) {
    const std::vector<std::string>& ids = plan.folds[static_cast<std::size_t>(k - 1)];
    std::vector<std::string>& to = k == *fold ? out.val : out.train;
    to.insert(to.end(), ids.begin(), ids.end());
  }
  out.train = sorted(std::move(out.train));
  return out;
}

}  // namespace medurwkv::data
