// Whether a window shows anything of a set. Relies on data/layout/dataset.h.
#pragma once

#include <string>
#include <vector>

#include "core/model_description.h"
#include "data/layout/dataset.h"

namespace medurwkv::data {

/// Throws a usage Error where all values of all cases lie on one side of the contract's window, so
/// that a network would see one tone. A remark for people where 99 % of the values in up to 32
/// cases lie below the window, or above it; else empty, and so without a window or with one that
/// follows from the values.
std::string check_window(const std::vector<Case>& cases, const InputContract& contract);

}  // namespace medurwkv::data
