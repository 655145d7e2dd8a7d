// Images and masks that occur twice: within a set, between its parts, between two sets.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/text.h"
#include "data/check/checks.h"

namespace medurwkv::data {
namespace {

std::string image_name(const Examination& set, std::size_t i) {
  return set.layout.cases[i].images.front().name();
}

std::vector<Fingerprint> prints_of(const Examination& set) {
  std::vector<Fingerprint> out;
  out.reserve(set.facts.size());
  for (const CaseFacts& fact : set.facts) out.push_back(fact.print);
  return out;
}

/// First case with each content.
std::map<std::string, std::size_t> first_of_contents(const Examination& set) {
  std::map<std::string, std::size_t> out;
  for (std::size_t i = 0; i < set.facts.size(); ++i) {
    if (!set.facts[i].image_hash.empty()) out.emplace(set.facts[i].image_hash, i);
  }
  return out;
}

std::string how_alike(const Likeness& likeness) {
  return concat(" (similarity ", fixed(likeness.tones, 3),
                likeness.upright ? ")" : ", mirrored or turned)");
}

Fault leak(const Examination& set, const Parts& parts, std::size_t i, const Twin& twin) {
  const std::string other = image_name(set, twin.other);
  return {
      Severity::error, twin.equal ? "leak-duplicate" : "leak-near-duplicate", image_name(set, i),
      concat("is in ", parts[i], " and ", twin.equal ? "has the same contents as " : "looks like ",
             other, " in ", parts[twin.other], twin.equal ? "" : how_alike(twin.likeness)),
      "make the split again with `data split`, which keeps such pairs together"};
}

Fault other_mask(const Examination& set, std::size_t i, std::size_t other) {
  return {Severity::error, "duplicate-other-mask", image_name(set, i),
          concat("has the same contents as ", image_name(set, other), ", but another mask"),
          "find out which mask is right and remove the other pair; `--fix` leaves both out"};
}

Fault duplicate(const Examination& set, std::size_t i, const Twin& twin) {
  const std::string other = image_name(set, twin.other);
  const Case& item = set.layout.cases[i];
  const Case& first = set.layout.cases[twin.other];
  if (!twin.equal) {
    const bool grouped = item.group != item.id && first.group != first.id;
    return {Severity::warning, "near-duplicate", image_name(set, i),
            concat("looks like ", other, how_alike(twin.likeness),
                   grouped ? concat("; ", item.group, " and ", first.group, " may be one") : ""),
            "remove one if they are one image; `data split` keeps both in one part"};
  }
  if (have_same_labels(set.facts[i], set.facts[twin.other])) {
    return {Severity::warning, "duplicate-image", image_name(set, i),
            concat("has the same contents as ", other, ", and the same mask"),
            "remove one; `data split` keeps both in one part"};
  }
  return other_mask(set, i, twin.other);
}

/// Of the twins that `keep` lets through, an equal one, else the likest.
template <class Keep>
const Twin* nearest(const std::vector<Twin>& twins, const Keep& keep) {
  const Twin* best = nullptr;
  for (const Twin& twin : twins) {
    if (!keep(twin)) continue;
    const auto rank = [](const Twin& t) { return t.equal ? 2 : t.likeness.tones; };
    if (best == nullptr || rank(twin) > rank(*best)) best = &twin;
  }
  return best;
}

/// The same mask, not empty, of images that are not alike.
void check_copied_masks(const Examination& set, const std::vector<std::vector<Twin>>& twins,
                        std::vector<Fault>& faults) {
  std::map<std::string, std::size_t> first;
  for (std::size_t i = 0; i < set.facts.size(); ++i) {
    const CaseFacts& fact = set.facts[i];
    if (!fact.shape || fact.shape->foreground == 0 || is_full(*fact.shape)) continue;
    const auto [known, fresh] = first.emplace(fact.label_hash, i);
    if (fresh) continue;
    const std::size_t other = known->second;
    const bool alike = std::any_of(twins[i].begin(), twins[i].end(),
                                   [&](const Twin& twin) { return twin.other == other; });
    if (alike) continue;
    const std::vector<Case>& cases = set.layout.cases;
    faults.push_back(
        {Severity::warning, "copied-mask", cases[i].masks.front().name(),
         concat("is the same as ", cases[other].masks.front().name(), ", whose image is another"),
         "see whether one was saved under two names"});
  }
}

}  // namespace

std::vector<std::vector<Twin>> find_twins(const Examination& set, Listener& listener) {
  const std::vector<CaseFacts>& facts = set.facts;
  std::vector<std::vector<Twin>> out(facts.size());
  const std::map<std::string, std::size_t> first = first_of_contents(set);
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (facts[i].image_hash.empty()) continue;
    const std::size_t other = first.at(facts[i].image_hash);
    if (other != i) out[i].push_back({other, true, {}});
  }
  for (const Alike& pair : find_alike(prints_of(set), listener)) {
    const bool equal = facts[pair.a].image_hash == facts[pair.b].image_hash;
    if (!equal) out[pair.b].push_back({pair.a, false, pair.likeness});
  }
  return out;
}

void check_other_masks(const Examination& set, std::vector<Fault>& faults) {
  const std::map<std::string, std::size_t> first = first_of_contents(set);
  for (std::size_t i = 0; i < set.facts.size(); ++i) {
    const auto found = first.find(set.facts[i].image_hash);
    if (found == first.end() || found->second == i) continue;
    if (!have_same_labels(set.facts[i], set.facts[found->second])) {
      faults.push_back(other_mask(set, i, found->second));
    }
  }
}

void check_twins(const Examination& set, const Parts& parts, Listener& listener,
                 std::vector<Fault>& faults) {
  const std::vector<std::vector<Twin>> twins = find_twins(set, listener);
  for (std::size_t i = 0; i < twins.size(); ++i) {
    // Images of one group may look alike; where its parts differ check_groups says so.
    const auto unexpected = [&](const Twin& twin) {
      return twin.equal || set.layout.cases[i].group != set.layout.cases[twin.other].group;
    };
    const auto crosses = [&](const Twin& twin) {
      return unexpected(twin) && !parts[i].empty() && !parts[twin.other].empty() &&
             parts[i] != parts[twin.other];
    };
    if (const Twin* twin = nearest(twins[i], crosses)) {
      faults.push_back(leak(set, parts, i, *twin));
    } else if (const Twin* within = nearest(twins[i], unexpected)) {
      faults.push_back(duplicate(set, i, *within));
    }
  }
  check_copied_masks(set, twins, faults);
}

void check_overlap(const Examination& set, const Examination& other, Listener& listener,
                   std::vector<Fault>& faults) {
  const std::string remedy =
      "remove it from one of the two sets before a model trained on one is judged on the other";
  const std::map<std::string, std::size_t> known = first_of_contents(other);
  std::set<std::size_t> equal;
  for (std::size_t i = 0; i < set.facts.size(); ++i) {
    const auto found = known.find(set.facts[i].image_hash);
    if (found == known.end()) continue;
    equal.insert(i);
    faults.push_back({Severity::error, "overlap", image_name(set, i),
                      concat("has the same contents as ", image_name(other, found->second)),
                      remedy});
  }
  std::map<std::size_t, Alike> best;
  for (const Alike& pair : find_alike(prints_of(other), prints_of(set), listener)) {
    if (equal.contains(pair.b)) continue;
    const auto [it, fresh] = best.emplace(pair.b, pair);
    if (!fresh && pair.likeness.tones > it->second.likeness.tones) it->second = pair;
  }
  for (const auto& [i, pair] : best) {
    faults.push_back({Severity::error, "near-overlap", image_name(set, i),
                      concat("looks like ", image_name(other, pair.a), how_alike(pair.likeness)),
                      remedy});
  }
}

}  // namespace medurwkv::data
