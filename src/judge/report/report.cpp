#include "judge/report/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/table.h"
#include "core/text.h"

namespace medurwkv::judge {

namespace {

/// A few of the volumes that are not judged whole.
std::vector<std::string> volume_remarks(const std::vector<IncompleteVolume>& volumes) {
  constexpr std::size_t most = 3;
  const auto list_of = [&](const auto& text_of, const std::string& what) {
    std::vector<std::string> some;
    std::size_t count = 0;
    for (const IncompleteVolume& own : volumes) {
      const std::string text = text_of(own);
      if (text.empty()) continue;
      if (++count <= most) some.push_back(text);
    }
    if (count == 0) return std::string();
    return concat(count, count == 1 ? " volume " : " volumes ", what, ": ", join(some, "; "),
                  count > most ? "; ..." : "", ".");
  };
  std::vector<std::string> out{
      list_of(
          [](const IncompleteVolume& own) {
            return own.judged == own.in_set
                       ? std::string()
                       : concat(own.name, " (", own.judged, " of ", own.in_set, " slices)");
          },
          "judged in part, as other slices are in other parts of the split"),
      list_of(
          [&](const IncompleteVolume& own) {
            if (own.missing.empty()) return std::string();
            std::vector<std::string> numbers;
            for (std::size_t i = 0; i < std::min(most, own.missing.size()); ++i) {
              numbers.push_back(std::to_string(own.missing[i]));
            }
            return concat(own.name, " (", join(numbers, ", "),
                          own.missing.size() > most ? ", ..." : "", ")");
          },
          "without slices between the first and the last, which are judged as if those around them "
          "touched")};
  std::erase(out, "");
  return out;
}

/// Of a case: of all classes merged and of one class.
std::string guess_cells(const std::optional<ConstantGuess>& guess, std::size_t index,
                        std::uint8_t label) {
  if (!guess) return ",,";
  const auto& own =
      guess->classes.empty() ? guess->dice : guess->classes.at(label - std::size_t{1}).dice;
  return concat(",", exact(guess->dice.at(index)), ",", exact(own.at(index)));
}

}  // namespace

std::optional<bool> same_split(const Provenance& provenance) {
  bool same = true;
  for (const ModelDescription& model : provenance.models) {
    if (model.split_sha256.empty()) return std::nullopt;
    same = same && model.split_sha256 == provenance.split_sha256;
  }
  if (provenance.models.empty() || provenance.split_sha256.empty()) return std::nullopt;
  return same;
}

std::vector<std::string> provenance_remarks(const Provenance& provenance) {
  std::vector<std::string> out;
  if (provenance.models.empty()) return out;
  if (same_split(provenance) == false) {
    out.emplace_back(
        "The model was trained on another split file than the one judged here. Cases of this part "
        "may have been in its training, and then the figures are too good.");
  }
  if (provenance.split_file.empty()) {
    out.emplace_back(
        "Judged without a split, so the cases may include training cases. If they do, the figures "
        "do not tell how the model does on new images.");
  } else if (provenance.part == "train" || provenance.part == "all") {
    out.emplace_back(
        "The judged part holds the cases the model was trained on. These figures do not tell how "
        "the model does on new images.");
  }
  return out;
}

std::vector<std::string> remarks(const Report& report) {
  std::vector<std::string> out = provenance_remarks(report.provenance);
  const auto& masks = report.provenance.masks;
  if (masks && masks->missing > 0) {
    out.push_back(
        concat(masks->missing, " cases have no predicted mask; they count as empty predictions."));
  }
  for (std::string& one : volume_remarks(report.evaluation.incomplete))
    out.push_back(std::move(one));
  const auto& guess = report.evaluation.guess;
  const auto& own = report.evaluation.summary.class_mean[0].mean;
  if (guess && guess->like().mean && own && *own <= *guess->like().mean) {
    out.emplace_back(guess->classes.empty()
                         ? "The model is no better than one ellipse that never looks at the image."
                         : "The model is no better than an ellipse for each class that never looks "
                           "at the image.");
  }
  return out;
}

double temperature_of(const Provenance& provenance) {
  std::vector<std::optional<double>> temperatures;
  for (const ModelDescription& model : provenance.models) {
    temperatures.push_back(model.temperature);
  }
  return common_temperature(temperatures);
}

std::vector<std::string> temperature_sentences(const Report& report) {
  const Evaluation& evaluation = report.evaluation;
  if (!evaluation.calibration || !evaluation.uncalibrated) return {};
  const auto& before = *evaluation.uncalibrated;
  const auto& after = *evaluation.calibration;
  const auto text = [](const std::optional<double>& error, int digits) {
    return error ? fixed(*error, digits) : "-";
  };
  const auto change = [&](const Reliability& was, const Reliability& now) {
    return concat("from ", text(was.expected_error(), 4), " to ", text(now.expected_error(), 4));
  };
  std::vector<std::string> out{
      concat("The temperature ", fixed(temperature_of(report.provenance), 3),
             " takes the calibration error ", change(before.all, after.all),
             " (foreground: ", change(before.foreground, after.foreground), ").")};
  const auto rises = [](const Reliability& was, const Reliability& now) {
    return now.expected_error() > was.expected_error();
  };
  std::vector<std::string> where;
  if (rises(before.all, after.all)) where.emplace_back("over all pixels");
  if (rises(before.foreground, after.foreground)) where.emplace_back("over foreground pixels");
  if (!where.empty()) {
    out.push_back(
        concat("It rises ", join(where, " and "),
               ": by this figure the probabilities were better without the temperature."));
  }
  return out;
}

std::string guess_text(const Report& report) {
  const auto& guess = report.evaluation.guess;
  if (!guess) return "no training masks with foreground";
  const Statistic& own = guess->like();
  return concat("mean Dice", guess->classes.empty() ? "" : " over classes", ", ", own.used, " of ",
                own.of, " cases");
}

std::string level_name(const Report& report, const ImageLevel& own) {
  return own.label == 0 ? "any class" : report.classes.at(own.label).name;
}

std::string profile_cell(const ProfileTable& table, const ProfileColumn& column, int digits) {
  const auto mean = table.mean(column.key);
  return mean ? concat(fixed(*mean, digits), " (", table.used(column.key), ")") : "";
}

std::string length_unit(const Provenance& provenance) {
  if (provenance.spacing_file == spacing_of_headers) return "mm";
  return provenance.spacing_file.empty() && provenance.lengths.spacing == Spacing{}
             ? "px"
             : "spacing units";
}

std::string tolerance_text(const Provenance& provenance) {
  const bool differs = !provenance.spacing_file.empty() && !provenance.lengths.tolerance;
  return differs ? "2 pixels" : concat(provenance.lengths.nsd_tolerance());
}

std::vector<FailedCase> failed_cases(const Evaluation& evaluation) {
  std::vector<FailedCase> out;
  for (std::size_t i = 0; i < evaluation.cases.size(); ++i) {
    for (const ClassScores& own : evaluation.cases[i].classes) {
      if (own.in_truth() == own.in_prediction()) continue;
      out.push_back({i, own.label, own.in_truth()});
    }
  }
  return out;
}

std::string cases_csv(const Report& report) {
  std::string out =
      "case,width,height,label,class,true_positive,false_positive,false_negative,true_negative";
  const Evaluation& evaluation = report.evaluation;
  for (const Metric& metric : evaluation.metrics) out += concat(",", metric.key);
  out += ",constant_guess_dice,constant_guess_class_dice,group";
  for (const std::string& name : evaluation.strata)
    out += concat(",", csv_field("stratum " + name));
  out += "\r\n";
  for (std::size_t i = 0; i < evaluation.cases.size(); ++i) {
    const CaseScores& scores = evaluation.cases[i];
    for (const ClassScores& own : scores.classes) {
      out += concat(csv_field(scores.id), ",", scores.size.width, ",", scores.size.height, ",",
                    int{own.label}, ",", csv_field(report.classes.at(own.label).name), ",",
                    own.true_positive, ",", own.false_positive, ",", own.false_negative, ",",
                    own.true_negative);
      for (std::size_t m = 0; m < evaluation.metrics.size(); ++m) {
        out += concat(",", exact(value_of(own, m)));
      }
      out += concat(guess_cells(evaluation.guess, i, own.label), ",", csv_field(scores.group));
      for (const std::string& kind : scores.strata) out += concat(",", csv_field(kind));
      out += "\r\n";
    }
  }
  return out;
}

std::string profiles_csv(const Report& report) {
  std::string out = "profile,unit,name,weight,label,class,metric,value\r\n";
  for (const ProfileTable& table : report.evaluation.profiles) {
    for (std::size_t u = 0; u < table.units.size(); ++u) {
      for (std::size_t c = 0; c < table.values.size(); ++c) {
        const std::string start =
            concat(table.profile, ",", table.unit, ",", csv_field(table.units[u]), ",",
                   table.weights[u], ",", c + 1, ",", csv_field(report.classes.at(c + 1).name));
        for (std::size_t m = 0; m < table.metrics.size(); ++m) {
          out += concat(start, ",", table.metrics[m], ",", exact(table.values[c][m][u]), "\r\n");
        }
      }
    }
  }
  return out;
}

std::vector<std::string> report_files() {
  return {"cases.csv", "profiles.csv", "summary.json", "report.html"};
}

std::string json_text(const nlohmann::json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void write_report(const Report& report, const OutputPath& folder) {
  make_folder(folder);
  write_file(folder / "cases.csv", cases_csv(report));
  write_file(folder / "profiles.csv", profiles_csv(report));
  write_file(folder / "summary.json", json_text(summary_json(report)));
  write_file(folder / "report.html", report_html(report));
}

}  // namespace medurwkv::judge
