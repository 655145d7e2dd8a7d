// A comparison as a table for the terminal, comparison.json and comparison.html. Relies on
// judge/compare.h and nlohmann/json.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "judge/compare.h"

namespace medurwkv::judge {

/// Reads what judge/report/report.h wrote. Throws Error naming the file and what is wrong with it.
LoadedEvaluation load_evaluation(const std::filesystem::path& folder, const std::string& name);

std::string comparison_text(const Comparison& comparison);
nlohmann::json comparison_json(const Comparison& comparison);

/// Pictures of a case that changed: the same image under each evaluation.
struct ChangePictures {
  std::size_t pair = 0;
  std::string id;
  std::vector<std::string> png, captions, alts;
};
std::string comparison_html(const Comparison& comparison,
                            const std::vector<ChangePictures>& pictures);

}  // namespace medurwkv::judge
