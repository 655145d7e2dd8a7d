// suggested_group_pattern (data/layout/names.h): names that look like slices of patients.
#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <numeric>
#include <set>

#include "core/text.h"
#include "data/layout/names.h"

namespace medurwkv::data {
namespace {

/// With two groups a set cannot have train, val and test.
constexpr std::size_t fewest_groups = 3;

bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}
bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}
bool has_digit(const std::string& text) {
  return std::any_of(text.begin(), text.end(), is_digit);
}

/// `fold1`, `batch_2`: numbered, and no patient.
bool is_other_folder(const std::string& name) {
  static const std::set<std::string> words{"fold",  "part",  "set",   "batch", "class", "task",
                                           "split", "stage", "phase", "label", "grade", "dataset"};
  std::string word;
  for (const char c : name) {
    if (!is_letter(c)) break;
    word += c;
  }
  return words.contains(lower(word)) || !part_of_folder(name).empty();
}

/// A folder per patient: the outermost level at which all folders have numbers in their names.
std::optional<std::string> pattern_of_folders(const std::vector<std::string>& names) {
  std::vector<std::vector<std::string>> folders;
  std::size_t depth = std::string::npos;
  for (const std::string& name : names) {
    folders.push_back(split(name, '/'));
    folders.back().pop_back();
    depth = std::min(depth, folders.back().size());
  }
  std::string pattern = "^(";
  for (std::size_t level = 0; level < depth; ++level) {
    pattern += level == 0 ? "[^/]+" : "/[^/]+";
    std::map<std::vector<std::string>, std::size_t> groups;
    bool named = true;
    for (const std::vector<std::string>& own : folders) {
      const auto end = own.begin() + static_cast<std::ptrdiff_t>(level) + 1;
      ++groups[{own.begin(), end}];
      named = named && has_digit(own[level]) && !is_other_folder(own[level]);
    }
    if (named && groups.size() >= fewest_groups && 2 * groups.size() <= names.size()) {
      return pattern + ")/";
    }
  }
  return std::nullopt;
}

/// What a name ends with: `_12`, `-s12`, ` (12)`, `_slice`.
struct Ending {
  std::string before, after;  ///< the number, as a regular expression
  std::string number;         ///< empty for a word alone
  std::size_t length = 0;

  [[nodiscard]] std::string pattern() const {
    return before + (number.empty() ? "" : "[0-9]+") + after;
  }
};

std::optional<Ending> ending_of(const std::string& name) {
  Ending out;
  std::size_t at = name.size();
  const bool brackets = name.ends_with(')');
  if (brackets) --at;
  const std::size_t end = at;
  while (at > 0 && is_digit(name[at - 1])) --at;
  out.number = name.substr(at, end - at);
  if (brackets) {
    if (out.number.empty() || at < 3 || name.compare(at - 2, 2, " (") != 0) return std::nullopt;
    out.before = " \\(";
    out.after = "\\)";
    out.length = name.size() - (at - 2);
    return out;
  }
  const std::size_t letters_end = at;
  while (at > 0 && is_letter(name[at - 1])) --at;
  const std::string letters = name.substr(at, letters_end - at);
  if (at < 2 || (out.number.empty() && letters.empty())) return std::nullopt;
  const char separator = name[at - 1];
  if (std::string_view("_-. ").find(separator) == std::string_view::npos) return std::nullopt;
  out.before = (separator == '.' ? "\\." : std::string(1, separator)) + letters;
  out.length = name.size() - (at - 1);
  return out;
}

/// Numbers that lie close together, by equal steps, as slices and tiles are numbered.
bool are_close(const std::vector<std::int64_t>& numbers) {
  constexpr std::int64_t widest = 4;
  const auto [low, high] = std::minmax_element(numbers.begin(), numbers.end());
  std::int64_t step = 0;
  for (const std::int64_t number : numbers) step = std::gcd(step, number - *low);
  if (step == 0) return false;
  return (*high - *low) / step < widest * std::ssize(numbers);
}

/// Whether most names are of groups of three at least whose numbers lie close together.
bool look_like_slices(const std::map<std::string, std::vector<std::int64_t>>& groups,
                      std::size_t names) {
  std::size_t slices = 0;
  for (const auto& [unused, numbers] : groups) {
    if (numbers.size() >= 3 && are_close(numbers)) slices += numbers.size();
  }
  return 10 * slices >= 7 * names;
}

/// Numbers at the end of all names, taken off one after the other.
std::optional<std::string> pattern_of_endings(std::vector<std::string> names) {
  std::string endings;
  std::optional<std::string> out;
  bool slices = false;
  for (std::string& name : names) name = name.substr(name.rfind('/') + 1);
  while (true) {
    std::map<std::string, std::vector<std::int64_t>> groups;
    std::optional<Ending> first;
    for (std::string& name : names) {
      const auto ending = ending_of(name);
      if (!first) first = ending;
      // More than 15 digits are no number of a slice, and could overflow.
      if (!ending || ending->pattern() != first->pattern() || ending->number.size() > 15)
        return out;
      name.erase(name.size() - ending->length);
      groups[name].push_back(ending->number.empty() ? 0 : std::stoll(ending->number));
    }
    endings.insert(0, first->pattern());
    const bool named = std::all_of(names.begin(), names.end(), has_digit);
    if (!named || groups.size() < fewest_groups) return out;
    slices = slices || look_like_slices(groups, names.size());
    if (slices) out = "^(.+)" + endings + "$";
  }
}

}  // namespace

std::optional<std::string> suggested_group_pattern(const std::vector<std::string>& names) {
  const bool known = std::any_of(names.begin(), names.end(),
                                 [](const std::string& name) { return group_of(name) != name; });
  if (names.empty() || known) return std::nullopt;
  auto out = pattern_of_folders(names);
  return out ? out : pattern_of_endings(names);
}

}  // namespace medurwkv::data
