// `inspect`: what a preset is made of, counted from the plan, and what is in a file of weights.
// Relies on plan/counting.h and weights.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/model_description.h"
#include "net/config.h"
#include "plan/counting.h"
#include "weights/tensor_file.h"

namespace medurwkv::app {

struct InspectRequest {
  std::filesystem::path file;  ///< of weights; or empty
  std::string preset;          ///< in place of a file
  std::int64_t classes = 2;    ///< of the preset, background included
  std::int64_t channels = 3;   ///< of the preset
  std::int64_t size = 0;       ///< height and width; 0: the model's, or 256
};

struct Inspected {
  std::optional<net::NetworkConfig> network;  ///< none: unknown tensors
  InputContract input;
  nlohmann::json about = nlohmann::json::object();  ///< kind, name, and what the file says
  std::vector<weights::TensorInfo> tensors;         ///< of a file
  std::optional<plan::Plan> plan{};                 ///< of the network at the input's size
};

/// Throws Error.
Inspected inspect(const InspectRequest& request);

/// Every tensor of a file, or every parameter of a preset: [{"name", "shape", ...}].
nlohmann::json tensor_list(const Inspected& inspected);

nlohmann::json to_json(const plan::Cost& cost);

/// The answer of --json, and of the library's command: cost, about, network, size and, with
/// `names`, tensors.
nlohmann::json answer_of(const Inspected& inspected, bool names);

}  // namespace medurwkv::app
