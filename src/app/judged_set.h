// The set that an evaluation is of: its cases, where the figures come from, sizes and kinds of
// cases. Relies on app/evaluate.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/evaluate.h"
#include "data/layout/dataset.h"
#include "judge/evaluation.h"

namespace medurwkv::app {

/// The set and what of it is judged.
struct Judged {
  data::Dataset dataset;
  std::vector<data::Case> cases;
  std::vector<data::Case> train;  // for the constant guess; empty without a split
  judge::Provenance provenance;
  judge::SpacingByCase spacing;  // of --spacing-file or of the volumes' headers, else empty
  judge::Strata strata;          // empty without --strata
};

/// The command that makes this evaluation again, without options such as --force or --quiet.
std::string command_line(const EvaluateRequest& request);

/// Takes the cases of the part, with a fold of the split where it has folds.
void take_part(const EvaluateRequest& request, std::optional<int> fold, Judged& judged);

/// Throws Error for what the request names and the set lacks.
Judged open_judged(const EvaluateRequest& request, std::optional<int> fold, Listener& listener);

}  // namespace medurwkv::app
