// Whether the masks of a set agree on what they mean, and which do not.
#include <algorithm>
#include <map>
#include <utility>

#include "core/model_description.h"
#include "core/text.h"
#include "data/check/examine.h"

namespace medurwkv::data {
namespace {

/// What all masks mean, or most.
struct Decision {
  Meaning meaning;
  bool by_majority = false;
  bool said = false;  ///< by an option or by the layout; soft edges are then no fault
};

/// Whether one case's masks fit the decision. JPEG noise and soft edges are no other meaning.
bool fits(const Decision& decision, const CaseFacts& facts) {
  const MaskEncoding encoding = *decision.meaning.encoding;
  const MaskUse& use = facts.use;
  if (encoding == MaskEncoding::colors || encoding == MaskEncoding::instances ||
      encoding == MaskEncoding::one_hot) {
    return true;
  }
  if (use.color_files > 0) return false;
  if (encoding == MaskEncoding::palette) return true;
  const bool no_white = use.values[ignore_label] == 0;
  if (encoding == MaskEncoding::index) return no_white || !decision.by_majority;
  if (use.palette_files > 0) return false;
  const std::size_t largest = largest_below(use.values, ignore_label);
  const bool indices = !facts.lossy && largest > 0 && largest <= 32 && no_white;
  if (indices || decision.said) return !indices;
  std::int64_t all = 0;
  std::int64_t between = 0;
  for (std::size_t value = 0; value < use.values.size(); ++value) {
    all += use.values[value];
    if (value > 32 && value < 223) between += use.values[value];
  }
  return 100 * between <= 6 * all && gray_levels(use).empty();
}

/// Whether the masks are all black, which fits every encoding.
bool holds_nothing(const MaskUse& use) {
  const auto nothing = [](const ValueUse& values) {
    return std::all_of(values.begin() + 1, values.end(), [](std::int64_t n) { return n == 0; });
  };
  return use.color_files == 0 && nothing(use.values) && nothing(use.indices);
}

/// The meaning of the masks that, case by case, are of this encoding.
Meaning meaning_of_those(const Layout& layout, const DatasetOptions& options,
                         const std::vector<CaseFacts>& facts, MaskEncoding encoding) {
  MaskUse agreeing;
  for (const CaseFacts& fact : facts) {
    if (fact.masks_read && encoding_from_values(fact.use, options.classes) == encoding) {
      agreeing.add(fact.use);
    }
  }
  return meaning_of(layout, agreeing, options);
}

/// Decides over all masks. Where that is unclear, over the masks of the commonest encoding, when at
/// most a fifth of the cases are not of it. Masks of 0 and 1 beside masks of 0 and 255 are clear in
/// any shares.
Decision decide(const Layout& layout, const std::vector<CaseFacts>& facts,
                const DatasetOptions& options) {
  MaskUse all;
  for (const CaseFacts& fact : facts) all.add(fact.use);
  Meaning meaning = meaning_of(layout, all, options);
  if (meaning.encoding) {
    const bool said = options.encoding || layout.encoding;
    return {std::move(meaning), false, said};
  }
  if (all.color_files + all.palette_files == 0 && mixes_ones_and_255(all)) {
    return {meaning_of_those(layout, options, facts, MaskEncoding::binary), true};
  }
  std::map<MaskEncoding, std::int64_t> votes;
  std::int64_t voters = 0;
  for (const CaseFacts& fact : facts) {
    if (!fact.masks_read || holds_nothing(fact.use)) continue;
    ++voters;
    if (const auto vote = encoding_from_values(fact.use, options.classes)) ++votes[*vote];
  }
  const auto most = std::max_element(
      votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most == votes.end() || 5 * most->second < 4 * voters) return {std::move(meaning), false};
  Meaning majority = meaning_of_those(layout, options, facts, most->first);
  return majority.encoding ? Decision{std::move(majority), true}
                           : Decision{std::move(meaning), false};
}

void mark_odd(const std::string& name, const Decision& decision, CaseFacts& fact) {
  fact.odd_encoding = true;
  const auto own = encoding_from_values(fact.use);
  fact.faults.push_back(
      {Severity::error, "mixed-encoding", name,
       concat("the set's masks are ", to_string(*decision.meaning.encoding), ", this ",
              own                        ? concat("one is ", to_string(*own))
              : fact.use.color_files > 0 ? std::string("one has colours")
                                         : std::string("one fits no encoding")),
       own ? "`data check --fix COPY` writes a copy of the set in one encoding"
           : "export it like the others, or remove it with its image"});
}

void mark_value(const std::string& name, const Decision& decision, int value, CaseFacts& fact) {
  fact.odd_value = true;
  const Meaning& meaning = decision.meaning;
  const std::string by = meaning.named_by.empty() ? "the set has" : meaning.named_by + " names";
  fact.faults.push_back({Severity::error, "value-without-class", name,
                         concat("holds the value ", value, "; ", by, " the classes 0 to ",
                                meaning.classes.size() - 1),
                         "name a class for the value, or correct the mask"});
}

}  // namespace

Meaning agree_on_meaning(const Layout& layout, const DatasetOptions& options,
                         std::vector<CaseFacts>& facts) {
  Decision decision = decide(layout, facts, options);
  if (!decision.meaning.encoding || layout.pack) return decision.meaning;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    CaseFacts& fact = facts[i];
    if (!fact.masks_read) continue;
    const std::string name = layout.cases[i].masks.front().name();
    if (!fits(decision, fact)) {
      mark_odd(name, decision, fact);
    } else if (const auto value = value_without_class(decision.meaning, fact.use, layout.ignored)) {
      mark_value(name, decision, *value, fact);
    }
  }
  return decision.meaning;
}

}  // namespace medurwkv::data
