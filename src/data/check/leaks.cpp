// The parts of a set: by its own folders and lists, or by a split file.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/text.h"
#include "data/check/checks.h"
#include "data/split/split.h"

namespace medurwkv::data {

Parts parts_of_set(const Examination& set) {
  Parts out;
  out.reserve(set.layout.cases.size());
  for (const Case& item : set.layout.cases) out.push_back(item.part);
  return out;
}

Parts parts_of_split(const Examination& set, const std::filesystem::path& split,
                     std::vector<Fault>& faults) {
  const SplitPlan plan = read_plan(split);
  std::vector<std::pair<std::string, const std::vector<std::string>*>> lists{
      {"train", &plan.parts.train}, {"val", &plan.parts.val}, {"test", &plan.parts.test}};
  for (std::size_t k = 0; k < plan.folds.size(); ++k) {
    lists.emplace_back(concat("fold ", k + 1), &plan.folds[k]);
  }
  const std::string remedy = "make the split again with `data split`";
  const auto add = [&](Severity severity, const char* kind, const std::string& id,
                       const std::string& what) {
    faults.push_back({severity, kind, concat(split.string(), ": ", id), what, remedy});
  };
  std::map<std::string, std::size_t> position;
  for (std::size_t i = 0; i < set.layout.cases.size(); ++i) position[set.layout.cases[i].id] = i;
  Parts out(set.layout.cases.size());
  std::set<std::string> listed;
  for (const auto& [part, ids] : lists) {
    for (const std::string& id : *ids) {
      const auto found = position.find(id);
      if (!listed.insert(id).second) {
        add(Severity::error, "split-listed-twice", id,
            concat("is in ", part, " and was listed before",
                   found == position.end() ? "" : " in " + out[found->second]));
      } else if (found == position.end()) {
        add(Severity::error, "split-unknown-case", id,
            concat("is in ", part, " and not in ", set.dataset.root.string()));
      } else {
        out[found->second] = part;
      }
    }
  }
  const std::vector<std::string> hashes = case_hashes(set.dataset);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::string& id = set.layout.cases[i].id;
    if (out[i].empty()) {
      add(Severity::warning, "split-leaves-out", id, "is in none of the split's parts");
      continue;
    }
    const auto known = plan.contents.find(id);
    if (known != plan.contents.end() && known->second != hashes[i]) {
      add(Severity::error, "split-changed", id, "its image or mask has changed since");
    }
  }
  return out;
}

}  // namespace medurwkv::data
