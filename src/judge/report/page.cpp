#include "judge/report/page.h"

#include "core/markup.h"
#include "core/text.h"
#include "core/version.h"

namespace medurwkv::judge {

namespace {

constexpr char style[] = R"css(
:root { color-scheme: light; --ink: #1b1f24; --soft: #4b545d; --line: #dfe3e8; --link: #0b57a4; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1.25rem 4rem; color: var(--ink);
  background: #fff;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
  overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .25rem 0; }
h2 { font-size: 1.2rem; margin: 2.75rem 0 .75rem; padding-top: .75rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .4rem; }
p, li { max-width: 44rem; }
a { color: var(--link); }
a:focus-visible, summary:focus-visible, .scroll:focus-visible { outline: 2px solid var(--link);
  outline-offset: 2px; }
.lead { color: var(--soft); margin: 0 0 1rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; list-style: none; padding: 0; margin: 0;
  font-size: .9rem; }
nav a { display: inline-block; padding: .3rem 0; }
.keys { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: 0 1.5rem;
  margin: 1.5rem 0; }
.keys div { border-top: 2px solid var(--ink); padding: .5rem 0 .75rem; }
.keys dt { font-size: .85rem; color: var(--soft); }
.keys dd { margin: 0; font-size: 1.7rem; font-weight: 600; line-height: 1.3;
  font-variant-numeric: tabular-nums; }
.keys dd small { display: block; font-size: .8rem; font-weight: 400; color: var(--soft); }
.note { border-left: .25rem solid #9a6700; background: #fff8e5; padding: .5rem .8rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .875rem;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .3rem 0 .5rem; color: var(--soft); }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }
th:first-child { text-align: left; padding-left: 0; }
td.text, th.text { text-align: left; }
.stay { position: sticky; left: 0; display: inline-block; white-space: normal;
  max-width: min(44rem, calc(100vw - 2.5rem)); }
thead th { border-bottom: 1px solid var(--ink); vertical-align: bottom; font-weight: 600; }
tbody th { font-weight: 400; }
tr.group th { font-weight: 600; padding-top: 1rem; white-space: normal; }
svg { width: 100%; max-width: 36rem; height: auto; display: block; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1.5rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 1.25rem;
  margin: 1rem 0; }
figure { margin: 0; break-inside: avoid; }
figure img { width: 100%; max-width: 36rem; height: auto; max-height: 30rem; object-fit: contain;
  object-position: left; display: block; }
figcaption { font-size: .875rem; color: var(--soft); margin-top: .4rem; }
dl.facts { display: grid; grid-template-columns: fit-content(40%) 1fr; gap: .25rem 1.25rem;
  font-size: .9rem; }
dl.facts dt { color: var(--soft); }
dl.facts dd { margin: 0; }
pre { white-space: pre-wrap; background: #f5f6f8; padding: .7rem .9rem;
  font-size: .85rem; }
details > summary { cursor: pointer; padding: .3rem 0; }
@media (max-width: 34rem) { body { padding: 1rem 1rem 3rem; } h1 { font-size: 1.35rem; }
  .keys { grid-template-columns: 1fr 1fr; } .keys dd { font-size: 1.35rem; }
  dl.facts { grid-template-columns: 1fr; gap: 0; } dl.facts dd { margin-bottom: .5rem; } }
@page { margin: 16mm; }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } nav { display: none; }
  .scroll { overflow: visible; } table { font-size: 7.5pt; } th, td { padding: .15rem .3rem; }
  thead { display: table-header-group; } tr { break-inside: avoid; } h2, h3 { break-after: avoid; }
  .keys { grid-template-columns: repeat(4, 1fr); } .pair { grid-template-columns: 1fr 1fr; }
  .pictures { grid-template-columns: repeat(3, 1fr); } a { color: inherit; } }
)css";

}  // namespace

std::string html_page(const std::string& title, const std::string& lead, const std::string& body) {
  return concat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
      html_escape(title), "</title>\n<style>", style, "</style>\n</head>\n<body>\n<main>\n<h1>",
      html_escape(title), "</h1>\n<p class=\"lead\">", html_escape(lead), "</p>\n", body,
      "</main>\n<footer><p class=\"lead\">Made by medurwkv ", version,
      "</p></footer>\n</body>\n</html>\n");
}

std::string html_note(const std::string& text) {
  return concat("<p class=\"note\">", html_escape(text), "</p>\n");
}

std::string key_figures(const std::vector<KeyFigure>& figures) {
  std::string out = "<dl class=\"keys\">\n";
  for (const KeyFigure& figure : figures) {
    out += concat("<div><dt>", html_escape(figure.name), "</dt><dd>", html_escape(figure.value),
                  "<small>", html_escape(figure.detail), "</small></dd></div>\n");
  }
  return out + "</dl>\n";
}

HtmlTable::HtmlTable(const std::string& label, const std::string& caption,
                     const std::vector<std::string>& heads, std::size_t texts)
    : columns_(heads.size()), texts_(texts) {
  out_ = concat("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"",
                html_escape(label), "\"><table><caption><span class=\"stay\">",
                html_escape(caption), "</span></caption>\n<thead><tr>");
  for (std::size_t i = 0; i < heads.size(); ++i) {
    const bool text = i > 0 && i <= texts;
    out_ += concat(text ? "<th scope=\"col\" class=\"text\">" : "<th scope=\"col\">",
                   html_escape(heads[i]), "</th>");
  }
  out_ += "</tr></thead><tbody>\n";
}

HtmlTable& HtmlTable::row(const std::vector<std::string>& cells) {
  out_ += "<tr>";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string text = html_escape(cells[i]);
    if (i == 0) {
      out_ += concat("<th scope=\"row\">", text, "</th>");
    } else {
      out_ += concat(i <= texts_ ? "<td class=\"text\">" : "<td>", text, "</td>");
    }
  }
  out_ += "</tr>\n";
  return *this;
}

HtmlTable& HtmlTable::group(const std::string& text) {
  out_ += concat("</tbody><tbody><tr class=\"group\"><th scope=\"rowgroup\" colspan=\"", columns_,
                 "\"><span class=\"stay\">", html_escape(text), "</span></th></tr>\n");
  return *this;
}

std::string HtmlTable::html() const {
  return out_ + "</tbody></table></div>\n";
}

std::string html_picture(const std::string& bytes, const std::string& mime, const std::string& alt,
                         const std::string& caption) {
  return concat("<figure><img alt=\"", html_escape(alt), "\" src=\"data:", mime, ";base64,",
                base64(bytes), "\"><figcaption>", html_escape(caption), "</figcaption></figure>\n");
}

std::string html_facts(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::string out = "<dl class=\"facts\">\n";
  for (const auto& [name, value] : facts) {
    out += concat("<dt>", html_escape(name), "</dt><dd>", html_escape(value), "</dd>\n");
  }
  return out + "</dl>\n";
}

std::string html_folded(const std::string& summary, const std::string& body) {
  return concat("<details><summary>", html_escape(summary), "</summary>\n", body, "</details>\n");
}

std::string html_heading(const std::string& text, const std::string& id) {
  return concat("<h2 id=\"", html_escape(id), "\">", html_escape(text), "</h2>\n");
}

std::string html_contents(const std::vector<std::pair<std::string, std::string>>& headings) {
  std::string out = "<nav aria-label=\"Contents\"><ul>\n";
  for (const auto& [id, text] : headings) {
    out += concat("<li><a href=\"#", html_escape(id), "\">", html_escape(text), "</a></li>\n");
  }
  return out + "</ul></nav>\n";
}

}  // namespace medurwkv::judge
