#include "data/class_file.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>
#include <string>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/layout.h"
#include "data/toml_text.h"

namespace medurwkv::data {
namespace {

using Color = std::array<std::uint8_t, 3>;

struct Entry {
  ClassInfo info;
  std::optional<std::int64_t> index;
};

std::optional<std::uint8_t> byte_from(std::string_view text) {
  const std::string word = trim(text);
  int value = -1;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value >= 0 && value <= 255 ? std::optional(static_cast<std::uint8_t>(value))
                                    : std::nullopt;
}

std::vector<Entry> parse_label_map(const std::string& file, const std::string& text) {
  std::vector<Entry> out;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    line = trim(line);
    if (line.empty() || line.starts_with("#")) continue;
    const std::vector<std::string> fields = split(line, ':');
    const std::vector<std::string> parts = split(fields.size() > 1 ? fields[1] : "", ',');
    Entry entry{.info = {trim(fields[0]), {}}, .index = {}};
    bool good = parts.size() == 3 && !entry.info.name.empty();
    for (std::size_t i = 0; good && i < 3; ++i) {
      const std::optional<std::uint8_t> value = byte_from(parts[i]);
      good = value.has_value();
      entry.info.color[i] = value.value_or(0);
    }
    if (!good) {
      throw_failure(concat(file, ": line ", number, ": '", shown(line),
                           "' is no class; expected name:red,green,blue with 0 to 255"));
    }
    out.push_back(std::move(entry));
  }
  return out;
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
    if (!name || !index || name->empty()) {
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
  const std::string name = lower(one.name);
  return name == "background" || name == "_background_";
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

void refuse_repeats(const std::string& file, const std::vector<Entry>& entries) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!is_utf8(entries[i].info.name)) throw_failure(concat(file, ": a name is not UTF-8"));
    for (std::size_t j = 0; j < i; ++j) {
      if (entries[i].info.name == entries[j].info.name) {
        throw_failure(concat(file, ": the name ", shown(entries[i].info.name), " occurs twice"));
      }
      if (entries[i].info.color == entries[j].info.color) {
        throw_failure(concat(file, ": ", shown(entries[j].info.name), " and ",
                             shown(entries[i].info.name), " have the same colour"));
      }
    }
  }
}

}  // namespace

std::vector<ClassInfo> read_class_file(const std::filesystem::path& file) {
  return parse_classes(file, read_file(file, longest_toml));
}

std::vector<ClassInfo> parse_classes(const std::filesystem::path& file, const std::string& text) {
  const std::string name = file.string();
  std::vector<Entry> entries;
  if (lower(file.extension().string()) == ".toml") {
    entries = parse_class_tables(name, text);
    put_in_order(name, entries);
  } else {
    entries = parse_label_map(name, text);
    put_background_first(entries);
  }
  if (entries.size() < 2 || entries.size() > ignore_label) {
    throw_failure(concat(name, ": names ", entries.size(),
                         " classes with the background; expected 2 to ", int{ignore_label}));
  }
  refuse_repeats(name, entries);
  std::vector<ClassInfo> out;
  out.reserve(entries.size());
  for (Entry& entry : entries) out.push_back(std::move(entry.info));
  return out;
}

}  // namespace medurwkv::data
