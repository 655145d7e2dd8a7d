// Lists and tables as people write them: any byte order mark, any line ends, commas, semicolons or
// tabs. Every such file is read here; csv_field and exact write what can be read back. Relies on
// core/files.h and core/unicode.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace medurwkv {

/// Lists, tables and descriptions are small; a longer file is refused.
inline constexpr std::uint64_t longest_text = std::uint64_t{1} << 26;

/// `bytes` as UTF-8 with lines that end in \n: a byte order mark (UTF-8, UTF-16) is obeyed and
/// dropped, CR and CR LF become \n. Text without a mark may be in any encoding that has ASCII.
/// Throws Error naming `file` for broken UTF-16 and for zero bytes, which no text has.
std::string plain_text(const std::filesystem::path& file, std::string_view bytes);
/// The same of a file. Throws Error as read_file, too.
std::string read_text(const std::filesystem::path& file, std::uint64_t limit = longest_text);

struct Line {
  std::size_t number = 0;  ///< from 1
  std::string text;        ///< without blanks around, never empty
};
std::vector<Line> lines_of(std::string_view text);

/// A line's fields: blanks around are dropped; one in quotes may hold separators and doubled
/// quotes.
std::vector<std::string> fields_of(std::string_view line, char separator);

/// Rows of fields below a row of names (RFC 4180, but for the separator).
class Table {
 public:
  struct Row {
    std::size_t line = 0;  ///< where it begins, from 1
    std::vector<std::string> fields;
  };

  /// The separator is the one of comma, semicolon and tab that the first row has most of. Throws
  /// Error naming `file`, and the line for an open quote or a row of another length.
  Table(std::filesystem::path file, std::string_view text);

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }
  /// Names of columns in lower case.
  [[nodiscard]] const std::vector<std::string>& heads() const { return heads_; }
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }

  /// The column of the first of `names` (lower case) that is there.
  [[nodiscard]] std::optional<std::size_t> find(const std::vector<std::string>& names) const;
  /// The column `name`. Throws Error that lists those there are.
  [[nodiscard]] std::size_t column(const std::string& name) const;
  /// A field as a number, none where it is empty. Where commas do not separate fields, one may be
  /// the decimal point. Throws Error naming file and line for other text.
  [[nodiscard]] std::optional<double> number(const Row& row, std::size_t column) const;
  /// Throws Error: file, line and `what`.
  [[noreturn]] void fail(const Row& row, const std::string& what) const;

 private:
  std::filesystem::path file_;
  char separator_;
  std::vector<std::string> heads_;
  std::vector<Row> rows_;
};

/// The names of columns that a Table of `text` has, lower case; the rows are not read.
std::vector<std::string> heads_of(std::string_view text);

Table read_table(const std::filesystem::path& file, std::uint64_t limit = longest_text);

/// The shortest digits that read back as the same number, whatever the locale; empty for none.
std::string exact(const std::optional<double>& value);

/// RFC 4180: in quotes where it must be.
std::string csv_field(const std::string& text);

}  // namespace medurwkv
