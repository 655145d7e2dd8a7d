#include "judge/report/result_table.h"

#include <optional>

#include "core/error.h"
#include "core/table.h"
#include "core/text.h"

namespace medurwkv::judge {

namespace {

using Row = std::vector<std::string>;

std::string escaped_latex(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\\': out += "\\textbackslash{}"; break;
      case '~': out += "\\textasciitilde{}"; break;
      case '^': out += "\\textasciicircum{}"; break;
      case '&':
      case '%':
      case '$':
      case '#':
      case '_':
      case '{':
      case '}': out += concat("\\", c); break;
      default: out += c;
    }
  }
  return out;
}

std::string escaped_markdown(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '|' ? "\\|" : std::string(1, c);
  return out;
}

/// The first `texts` columns are text, the rest numbers.
std::string table_of(const Row& heads, std::size_t texts, const std::vector<Row>& rows,
                     TableFormat format) {
  std::string out;
  if (format == TableFormat::csv) {
    for (const Row* const row : [&] {
           std::vector<const Row*> all{&heads};
           for (const Row& one : rows) all.push_back(&one);
           return all;
         }()) {
      Row fields;
      for (const std::string& cell : *row) fields.push_back(csv_field(cell));
      out += join(fields, ",") + "\r\n";
    }
    return out;
  }
  const auto line = [&](const Row& row) {
    Row cells;
    for (const std::string& cell : row) {
      cells.push_back(format == TableFormat::latex ? escaped_latex(cell) : escaped_markdown(cell));
    }
    return format == TableFormat::latex ? concat(join(cells, " & "), " \\\\\n")
                                        : concat("| ", join(cells, " | "), " |\n");
  };
  if (format == TableFormat::markdown) {
    out = line(heads) + "|";
    for (std::size_t c = 0; c < heads.size(); ++c) out += c < texts ? " --- |" : " ---: |";
    out += "\n";
  } else {
    out =
        concat("\\begin{tabular}{", std::string(texts, 'l'), std::string(heads.size() - texts, 'r'),
               "}\n\\toprule\n", line(heads), "\\midrule\n");
  }
  for (const Row& row : rows) out += line(row);
  if (format == TableFormat::latex) out += "\\bottomrule\n\\end{tabular}\n";
  return out;
}

/// All digits in CSV.
std::string number(const std::optional<double>& value, MetricKind kind, TableFormat format) {
  if (!value) return format == TableFormat::csv ? "" : "-";
  if (format == TableFormat::csv) return exact(*value);
  return fixed(*value, kind == MetricKind::length ? 2 : 3);
}

/// Mean, deviation and interval; the interval is one cell where people read it.
Row cells_of(const Statistic& own, MetricKind kind, TableFormat format) {
  Row out{number(own.mean, kind, format), number(own.deviation, kind, format)};
  const auto low = own.interval ? std::optional(own.interval->low) : std::nullopt;
  const auto high = own.interval ? std::optional(own.interval->high) : std::nullopt;
  if (format == TableFormat::csv) {
    out.push_back(number(low, kind, format));
    out.push_back(number(high, kind, format));
  } else {
    out.push_back(
        low ? concat("[", number(low, kind, format), ", ", number(high, kind, format), "]") : "-");
  }
  out.push_back(std::to_string(own.used));
  return out;
}

Row heads_of(const std::string& first, TableFormat format) {
  if (format == TableFormat::csv) return {first, "metric", "mean", "deviation", "low", "high", "n"};
  return {first, "Metric", "Mean", "SD", "95 % interval", "n"};
}

Row row_of(const std::string& first, const Metric& metric, const std::string& unit,
           const Statistic& own, TableFormat format) {
  const bool length = metric.kind == MetricKind::length && !unit.empty();
  Row out{first, format == TableFormat::csv ? metric.key
                 : length                   ? concat(metric.name, " (", unit, ")")
                                            : metric.name};
  for (std::string& cell : cells_of(own, metric.kind, format)) out.push_back(std::move(cell));
  return out;
}

}  // namespace

TableFormat table_format_from(const std::string& name) {
  if (name == "latex") return TableFormat::latex;
  if (name == "markdown") return TableFormat::markdown;
  if (name == "csv") return TableFormat::csv;
  throw_usage(concat("unknown table ", name, "; latex, markdown or csv"));
}

std::string result_table(const Report& report, TableFormat format) {
  const Evaluation& evaluation = report.evaluation;
  const std::string unit = length_unit(report.provenance);
  std::vector<Row> rows;
  const auto add = [&](const std::string& of, const std::vector<Statistic>& statistics) {
    for (std::size_t m = 0; m < statistics.size(); ++m) {
      rows.push_back(row_of(of, evaluation.metrics.at(m), unit, statistics[m], format));
    }
  };
  for (const ClassSummary& own : evaluation.summary.classes) {
    add(report.classes.at(own.label).name, own.metrics);
  }
  if (evaluation.summary.classes.size() > 1) {
    add("mean over classes", evaluation.summary.class_mean);
  }
  return table_of(heads_of(format == TableFormat::csv ? "class" : "Class", format), 2, rows,
                  format);
}

std::string result_table(const std::vector<SeriesRow>& trained,
                         const std::vector<SeriesRow>& together, TableFormat format) {
  std::vector<Row> rows;
  const std::vector<Metric>& columns = trained.front().metrics;
  for (std::size_t m = 0; m < columns.size(); ++m) {
    std::vector<std::optional<double>> means;
    for (const SeriesRow& one : trained) {
      means.push_back(one.summary.class_mean.at(m).mean);
      rows.push_back(row_of(one.name, columns[m], "", one.summary.class_mean.at(m), format));
    }
    rows.push_back(row_of("over models", columns[m], "", statistic(means), format));
    for (const SeriesRow& one : together) {
      rows.push_back(row_of(one.name, columns[m], "", one.summary.class_mean.at(m), format));
    }
  }
  return table_of(heads_of(format == TableFormat::csv ? "model" : "Model", format), 2, rows,
                  format);
}

}  // namespace medurwkv::judge
