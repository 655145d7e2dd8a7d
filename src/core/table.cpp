#include "core/table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "core/unicode.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;

/// Rows of `text`, without those whose fields are all empty. `open_line`: the line of a quote that
/// nothing closes, else 0.
std::vector<Table::Row> rows_of(std::string_view text, char separator, std::size_t& open_line) {
  std::vector<Table::Row> rows;
  Table::Row row{1, {}};
  std::string field;
  std::size_t line = 1;
  bool quoted = false;      // within quotes
  bool was_quoted = false;  // the field had some; what follows them is dropped
  open_line = 0;
  const auto end_field = [&] {
    row.fields.push_back(was_quoted ? field : trim(field));
    field.clear();
    was_quoted = false;
  };
  const auto end_row = [&] {
    end_field();
    const bool blank = std::all_of(row.fields.begin(), row.fields.end(),
                                   [](const std::string& one) { return one.empty(); });
    if (!blank) rows.push_back(std::move(row));
    row = {line, {}};
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++line;
    if (quoted) {
      const bool doubled = c == '"' && i + 1 < text.size() && text[i + 1] == '"';
      if (doubled) ++i;
      if (c == '"' && !doubled) {
        quoted = false;
      } else {
        field += c;
      }
    } else if (c == '"' && !was_quoted && trim(field).empty()) {
      quoted = was_quoted = true;
      open_line = line;
      field.clear();
    } else if (c == separator) {
      end_field();
    } else if (c == '\n') {
      end_row();
    } else if (!was_quoted) {
      field += c;
    }
  }
  end_row();
  if (!quoted) open_line = 0;
  return rows;
}

std::string_view first_line(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \n"), text.size()));
  return text.substr(0, text.find('\n'));
}

char separator_of(std::string_view text) {
  const std::string_view first = first_line(text);
  char best = ',';
  std::size_t most = 0;
  for (const char separator : {',', ';', '\t'}) {
    const std::size_t count = fields_of(first, separator).size();
    if (count > most) {
      most = count;
      best = separator;
    }
  }
  return best;
}

}  // namespace

std::string plain_text(const fs::path& file, std::string_view bytes) {
  std::string out;
  try {
    if (bytes.starts_with("\xff\xfe")) {
      out = from_utf16(bytes.substr(2), ByteOrder::little);
    } else if (bytes.starts_with("\xfe\xff")) {
      out = from_utf16(bytes.substr(2), ByteOrder::big);
    } else {
      out = bytes.starts_with("\xef\xbb\xbf") ? bytes.substr(3) : bytes;
    }
  } catch (const Error& error) {
    throw_failure(concat(file.string(), ": ", error.what(), "; save it as UTF-8"));
  }
  std::size_t end = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i] == '\r' && i + 1 < out.size() && out[i + 1] == '\n') continue;
    out[end++] = out[i] == '\r' ? '\n' : out[i];
  }
  out.resize(end);
  if (const std::size_t zero = out.find('\0'); zero != std::string::npos) {
    const auto line =
        1 + std::count(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(zero), '\n');
    throw_failure(concat(file.string(), ": line ", line,
                         ": holds a byte of 0, so the file is not text; save it as UTF-8"));
  }
  return out;
}

std::string read_text(const fs::path& file, std::uint64_t limit) {
  return plain_text(file, read_file(file, limit));
}

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> out;
  std::size_t number = 0;
  for (const std::string& line : split(text, '\n')) {
    ++number;
    if (std::string plain = trim(line); !plain.empty()) out.push_back({number, std::move(plain)});
  }
  return out;
}

std::vector<std::string> fields_of(std::string_view line, char separator) {
  std::size_t open_line = 0;
  std::vector<Table::Row> rows = rows_of(line, separator, open_line);
  return rows.empty() ? std::vector<std::string>{} : std::move(rows.front().fields);
}

Table::Table(fs::path file, std::string_view text)
    : file_(std::move(file)), separator_(separator_of(text)) {
  std::size_t open_line = 0;
  rows_ = rows_of(text, separator_, open_line);
  if (open_line > 0) {
    throw_failure(concat(file_.string(), ": line ", open_line, ": a quote is not closed"));
  }
  if (rows_.empty()) throw_failure(concat(file_.string(), ": is empty"));
  heads_ = std::move(rows_.front().fields);
  rows_.erase(rows_.begin());
  // Spreadsheets write separators for empty columns on the right.
  while (heads_.size() > 1 && heads_.back().empty()) heads_.pop_back();
  for (std::string& head : heads_) head = lower(head);
  for (Row& row : rows_) {
    while (row.fields.size() > heads_.size() && row.fields.back().empty()) row.fields.pop_back();
    if (row.fields.size() == heads_.size()) continue;
    fail(row, concat("has ", row.fields.size(), " fields, expected ", heads_.size(), " (",
                     shown(join(heads_, ", ")), ")"));
  }
}

std::optional<std::size_t> Table::find(const std::vector<std::string>& names) const {
  for (const std::string& name : names) {
    const auto found = std::find(heads_.begin(), heads_.end(), name);
    if (found != heads_.end()) return static_cast<std::size_t>(found - heads_.begin());
  }
  return std::nullopt;
}

std::size_t Table::column(const std::string& name) const {
  const auto found = find({name});
  if (found) return *found;
  throw_failure(
      concat(file_.string(), ": has no column ", name, "; it has ", shown(join(heads_, ", "))));
}

std::optional<double> Table::number(const Row& row, std::size_t column) const {
  std::string text = row.fields.at(column);
  if (text.empty()) return std::nullopt;
  if (separator_ != ',') std::replace(text.begin(), text.end(), ',', '.');
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    fail(row, concat("'", shown(row.fields.at(column)), "' is not a number"));
  }
  return value;
}

void Table::fail(const Row& row, const std::string& what) const {
  throw_failure(concat(file_.string(), ": line ", row.line, ": ", what));
}

std::vector<std::string> heads_of(std::string_view text) {
  std::vector<std::string> out = fields_of(first_line(text), separator_of(text));
  for (std::string& head : out) head = lower(head);
  return out;
}

Table read_table(const fs::path& file, std::uint64_t limit) {
  return {file, read_text(file, limit)};
}

std::string exact(const std::optional<double>& value) {
  if (!value) return {};
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), *value).ptr;
  return {buffer.data(), end};
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

}  // namespace medurwkv
