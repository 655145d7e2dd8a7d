// The parts that all HTML pages of judge share: the frame with its style, tables, figures, notes.
// Pages load nothing, hold no script, and read well on a phone, on a screen and on paper. Relies on
// core/markup.h.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace medurwkv::judge {

/// A whole page; `body` is HTML, the other texts are plain.
std::string html_page(const std::string& title, const std::string& lead, const std::string& body);

/// What a reader must not miss; plain text.
std::string html_note(const std::string& text);

/// A large number with a name above and a detail below.
struct KeyFigure {
  std::string name, value, detail;
};
std::string key_figures(const std::vector<KeyFigure>& figures);

/// A table that scrolls sideways on a narrow screen, reachable by keyboard. Cells are plain text;
/// the first column heads its row.
class HtmlTable {
 public:
  /// `texts` columns after the first are text, the rest numbers.
  HtmlTable(const std::string& label, const std::string& caption,
            const std::vector<std::string>& heads, std::size_t texts = 0);
  HtmlTable& row(const std::vector<std::string>& cells);
  /// A heading over the rows that follow.
  HtmlTable& group(const std::string& text);
  [[nodiscard]] std::string html() const;

 private:
  std::string out_;
  std::size_t columns_;
  std::size_t texts_;
};

/// An image in the page. `bytes` of the type `mime`.
std::string html_picture(const std::string& bytes, const std::string& mime, const std::string& alt,
                         const std::string& caption);

/// Names and values, such as files and hashes.
std::string html_facts(const std::vector<std::pair<std::string, std::string>>& facts);

/// What a reader opens if he wants it. `summary` is plain text, `body` HTML.
std::string html_folded(const std::string& summary, const std::string& body);

/// A section's heading; `id` makes it a target of links.
std::string html_heading(const std::string& text, const std::string& id);

/// Links to headings: pairs of id and text.
std::string html_contents(const std::vector<std::pair<std::string, std::string>>& headings);

}  // namespace medurwkv::judge
