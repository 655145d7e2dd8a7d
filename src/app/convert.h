// `convert`: .pth, safetensors and model files into each other. Relies on weights/convert.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "weights/convert.h"

namespace medurwkv::app {

struct ConvertRequest {
  std::filesystem::path from, to;
  std::string wkv;                                ///< bi-WKV mode to write; empty: the file's
  std::vector<std::string> settings;              ///< encoder.post_norm=true or false
  std::vector<std::string> classes;               ///< names, for a model file from bare tensors
  std::optional<std::int64_t> width{}, height{};  ///< input of such a model file
  bool encoder = false;  ///< the encoder alone, under the names of Vision-RWKV's code
  bool force = false;    ///< overwrite the file to write
};

/// Throws Error.
weights::Converted convert(const ConvertRequest& request);

/// The answer of --json, and of the library's command.
nlohmann::json answer_of(const ConvertRequest& request, const weights::Converted& done);

}  // namespace medurwkv::app
