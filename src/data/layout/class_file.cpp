#include "data/layout/class_file.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "core/model_description.h"
#include "core/table.h"
#include "core/text.h"
#include "core/toml_text.h"
#include "core/unicode.h"
#include "data/codecs/read.h"
#include "data/layout/encoding.h"

namespace medurwkv::data {
namespace {

using Color = std::array<std::uint8_t, 3>;

struct Entry {
  ClassInfo info;
  std::optional<std::int64_t> index;
};

std::optional<std::int64_t> number_from(std::string_view text) {
  const std::string word = trim(text);
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

/// The fields that are three numbers, as a colour; none where one is no byte.
std::optional<Color> color_of(const std::vector<std::string>& fields, std::size_t from) {
  Color out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto value = number_from(fields.at(from + i));
    if (!value || *value < 0 || *value > 255) return std::nullopt;
    out[i] = static_cast<std::uint8_t>(*value);
  }
  return out;
}

[[noreturn]] void refuse_line(const std::string& file, const Line& line, const char* expected) {
  throw_failure(concat(file, ": line ", line.number, ": '", shown(line.text),
                       "' is not a class; expected ", expected));
}

/// name:red,green,blue
Entry label_map_entry(const std::string& file, const Line& line) {
  const std::vector<std::string> fields = split(line.text, ':');
  const std::vector<std::string> parts = split(fields.size() > 1 ? fields[1] : "", ',');
  const auto color = parts.size() == 3 ? color_of(parts, 0) : std::nullopt;
  if (!color || trim(fields[0]).empty()) {
    refuse_line(file, line, "name:red,green,blue with 0 to 255");
  }
  return {{trim(fields[0]), *color}, {}};
}

/// Fields of a line: by its semicolons, else by its commas, else by runs of blanks and tabs.
std::vector<std::string> words_of(std::string line) {
  for (const char separator : {';', ','}) {
    if (line.find(separator) != std::string::npos) return fields_of(line, separator);
  }
  std::replace(line.begin(), line.end(), '\t', ' ');
  std::vector<std::string> out;
  for (std::string& word : split(line, ' ')) {
    if (!word.empty()) out.push_back(std::move(word));
  }
  return out;
}

std::string joined(const std::vector<std::string>& words, std::size_t from, std::size_t to) {
  return join({words.begin() + static_cast<std::ptrdiff_t>(from),
               words.begin() + static_cast<std::ptrdiff_t>(to)},
              " ");
}

bool are_numbers(const std::vector<std::string>& words, std::size_t from, std::size_t to) {
  return std::all_of(words.begin() + static_cast<std::ptrdiff_t>(from),
                     words.begin() + static_cast<std::ptrdiff_t>(to),
                     [](const std::string& word) { return number_from(word).has_value(); });
}

bool has_tab(const std::string& line) {
  return line.find('\t') != std::string::npos;
}

bool is_parted(const std::string& line) {
  return line.find_first_of(";,") != std::string::npos;
}

/// `name 255 0 0` or `255 0 0 name`; further columns are no part of it.
bool looks_coloured(const std::string& line, const std::vector<std::string>& words) {
  const std::size_t count = words.size();
  if (count < 4 || (is_parted(line) && count > 4)) return false;
  return are_numbers(words, count - 3, count) || are_numbers(words, 0, 3);
}

Entry coloured_entry(const std::string& file, const Line& line) {
  const std::vector<std::string> words = words_of(line.text);
  if (looks_coloured(line.text, words)) {
    const bool last = are_numbers(words, words.size() - 3, words.size());
    const std::size_t from = last ? words.size() - 3 : 0;
    if (const auto color = color_of(words, from)) {
      return {{last ? joined(words, 0, from) : joined(words, 3, words.size()), *color}, {}};
    }
  }
  refuse_line(file, line, "a name and red, green and blue with 0 to 255");
}

/// `0 name`; where a comma or the like parts them also `name, 0`.
bool looks_numbered(const std::string& line, const std::vector<std::string>& words) {
  if (words.size() < 2 || (is_parted(line) && words.size() > 2)) return false;
  const bool two = words.size() == 2 && (is_parted(line) || has_tab(line));
  return number_from(words.front()).has_value() || (two && number_from(words.back()));
}

Entry numbered_entry(const std::string& file, const Line& line) {
  const std::vector<std::string> words = words_of(line.text);
  if (!looks_numbered(line.text, words)) refuse_line(file, line, "an index and a name");
  if (const auto first = number_from(words.front())) {
    return {{joined(words, 1, words.size()), {}}, first};
  }
  return {{words.front(), {}}, number_from(words.back())};
}

/// The colours of classes without any, for people.
void give_colors(std::vector<Entry>& entries) {
  const std::vector<ClassInfo> colored = make_classes(entries.size(), {});
  for (std::size_t i = 0; i < entries.size(); ++i) entries[i].info.color = colored[i].color;
}

Color color_from(const std::string& file, const std::string& name, const toml::array* values) {
  Color out{};
  bool good = values != nullptr && values->size() == out.size();
  for (std::size_t i = 0; good && i < out.size(); ++i) {
    const std::optional<std::int64_t> value = values->get(i)->value<std::int64_t>();
    good = value && *value >= 0 && *value <= 255;
    out[i] = static_cast<std::uint8_t>(value.value_or(0));
  }
  if (!good) {
    throw_failure(
        concat(file, ": class ", shown(name), ": color is [red, green, blue], each from 0 to 255"));
  }
  return out;
}

std::vector<Entry> parse_class_tables(const std::string& file, const std::string& text) {
  const toml::table root = parse_toml(file, text, ErrorKind::failure);
  const toml::array* tables = root["class"].as_array();
  if (tables == nullptr || root.size() != 1) {
    throw_failure(concat(file, ": expected tables [[class]] and nothing else"));
  }
  std::vector<Entry> out;
  for (const toml::node& node : *tables) {
    const toml::table* table = node.as_table();
    const auto name = table == nullptr ? std::nullopt : (*table)["name"].value<std::string>();
    const auto index = table == nullptr ? std::nullopt : (*table)["index"].value<std::int64_t>();
    if (!name || !index) {
      throw_failure(concat(file, ": class ", out.size() + 1, " lacks its name or index"));
    }
    for (const auto& [key, unused] : *table) {
      const std::string word(key.str());
      if (word == "name" || word == "index" || word == "color") continue;
      throw_failure(concat(file, ": class ", shown(*name), ": unknown key '", shown(word), "'",
                           suggestion(word, {"name", "index", "color"})));
    }
    Entry entry{.info = {*name, {}}, .index = index};
    if (table->contains("color")) {
      entry.info.color = color_from(file, *name, (*table)["color"].as_array());
    } else if (*index != 0) {
      throw_failure(concat(file, ": class ", shown(*name), " lacks its color"));
    }
    out.push_back(std::move(entry));
  }
  return out;
}

bool is_background(const ClassInfo& one) {
  static const std::set<std::string> names{"background", "_background_", "__background__", "bg",
                                           "back ground"};
  return names.contains(lower(one.name));
}

/// Background first; else black first; else a background is added.
void put_background_first(std::vector<Entry>& entries) {
  auto found = std::find_if(entries.begin(), entries.end(),
                            [](const Entry& entry) { return is_background(entry.info); });
  if (found == entries.end()) {
    found = std::find_if(entries.begin(), entries.end(),
                         [](const Entry& entry) { return entry.info.color == Color{}; });
  }
  if (found == entries.end()) {
    entries.insert(entries.begin(), Entry{.info = {"background", {}}, .index = {}});
  } else {
    std::rotate(entries.begin(), found, found + 1);
  }
}

void put_in_order(const std::string& file, std::vector<Entry>& entries) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.index < b.index; });
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].index == static_cast<std::int64_t>(i)) continue;
    throw_failure(concat(file, ": class ", shown(entries[i].info.name), " has index ",
                         *entries[i].index, ", expected ", i,
                         "; indices are 0 (the background) to n - 1, each once"));
  }
}

/// Whether the line may be a class's name, where nothing else marks it as one.
bool is_name(const std::string& line) {
  constexpr std::size_t longest = 100;
  const bool plain = std::none_of(line.begin(), line.end(), [](unsigned char c) {
    return std::iscntrl(c) != 0 ||
           std::string_view("[]{}=<>").find(static_cast<char>(c)) != std::string_view::npos;
  });
  const bool speaks = std::any_of(line.begin(), line.end(),
                                  [](unsigned char c) { return std::isalnum(c) != 0 || c > 127; });
  return plain && speaks && line.size() <= longest;
}

/// Names by their order: the order is the index, so a background stands first or is not named.
std::vector<Entry> named_entries(const std::string& file, const std::vector<Line>& lines) {
  std::vector<Entry> out;
  for (const Line& line : lines) {
    const std::vector<std::string> words = words_of(line.text);
    const bool numbers = (is_parted(line.text) || has_tab(line.text)) &&
                         std::any_of(words.begin(), words.end(), number_from);
    const bool other_form =
        numbers || line.text.find(':') != std::string::npos || looks_coloured(line.text, words);
    if (other_form || !is_name(line.text)) {
      refuse_line(file, line, "a name alone, or name:red,green,blue in every line");
    }
    out.push_back({{join(fields_of(line.text, '\n'), ""), {}}, {}});
    if (is_background(out.back().info) && out.size() > 1) {
      refuse_line(file, line, "the background first, since the order is the index");
    }
  }
  if (out.empty() || !is_background(out.front().info)) {
    out.insert(out.begin(), Entry{.info = {"background", {}}, .index = {}});
  }
  return out;
}

/// Entries in the form of the first line, or of the second where the first are heads.
std::vector<Entry> parse_class_lines(const std::string& file, const std::string& text,
                                     bool& has_colors) {
  std::vector<Line> lines = lines_of(text);
  std::erase_if(lines, [](const Line& line) { return line.text.starts_with('#'); });
  using Form = Entry (*)(const std::string&, const Line&);
  const auto form_of = [](const Line& line) -> Form {
    const std::vector<std::string> words = words_of(line.text);
    if (line.text.find(':') != std::string::npos) return label_map_entry;
    if (looks_coloured(line.text, words)) return coloured_entry;
    return looks_numbered(line.text, words) ? numbered_entry : nullptr;
  };
  Form form = lines.empty() ? label_map_entry : form_of(lines.front());
  if (form == nullptr && lines.size() > 1 && words_of(lines.front().text).size() > 1) {
    form = form_of(lines[1]);
    if (form == label_map_entry) form = nullptr;
    if (form != nullptr) lines.erase(lines.begin());
  }
  has_colors = form == label_map_entry || form == coloured_entry;
  if (form == nullptr) return named_entries(file, lines);
  std::vector<Entry> out;
  for (const Line& line : lines) out.push_back(form(file, line));
  if (has_colors) {
    put_background_first(out);
  } else {
    put_in_order(file, out);
  }
  return out;
}

void refuse_repeats(const std::string& file, const std::vector<Entry>& entries, bool colors) {
  std::vector<std::string> names;
  for (const Entry& entry : entries) names.push_back(entry.info.name);
  if (const std::string wrong = wrong_class_names(names); !wrong.empty()) {
    throw_failure(concat(file, ": ", wrong));
  }
  if (!colors) return;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (entries[i].info.color == entries[j].info.color) {
        throw_failure(concat(file, ": ", shown(entries[j].info.name), " and ",
                             shown(entries[i].info.name), " have the same colour"));
      }
    }
  }
}

}  // namespace

ClassTable read_class_file(const std::filesystem::path& file) {
  return parse_classes(file, read_file(file, longest_toml));
}

ClassTable parse_classes(const std::filesystem::path& file, const std::string& bytes) {
  const std::string name = file.string();
  const std::string text = plain_text(file, bytes);
  ClassTable out;
  std::vector<Entry> entries;
  if (lower(file.extension().string()) == ".toml") {
    entries = parse_class_tables(name, text);
    put_in_order(name, entries);
  } else {
    entries = parse_class_lines(name, text, out.has_colors);
  }
  if (entries.size() < 2 || entries.size() > ignore_label) {
    throw_failure(concat(name, ": names ", entries.size(),
                         " classes with the background; expected 2 to ", int{ignore_label}));
  }
  refuse_repeats(name, entries, out.has_colors);
  if (!out.has_colors) give_colors(entries);
  out.classes.reserve(entries.size());
  for (Entry& entry : entries) out.classes.push_back(std::move(entry.info));
  return out;
}

}  // namespace medurwkv::data
