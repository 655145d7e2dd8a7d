// What the system says about the machine. Relies on core.
#pragma once

#include <string>
#include <vector>

namespace medurwkv::cli {

/// What follows the colon in the first line of `file` that begins with `key`; "unknown" without
/// one.
std::string line_of(const std::string& file, const std::string& key);

/// The processor's name.
std::string cpu_model();

/// The features that choose kernels, out of all the processor's flags.
std::vector<std::string> cpu_features();

}  // namespace medurwkv::cli
