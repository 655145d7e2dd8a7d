// `export`: a model as an ONNX file. Relies on onnx/export.h.
#pragma once

#include <filesystem>

#include <nlohmann/json_fwd.hpp>

#include "onnx/export.h"

namespace medurwkv::app {

struct ExportRequest {
  std::filesystem::path model;  ///< model file of any task
  std::filesystem::path onnx;   ///< file to write
  onnx::Options options{};
  bool force = false;  ///< overwrite the file to write
};

/// Throws Error, also where the model cannot be written so (onnx/export.h).
onnx::Written export_onnx(const ExportRequest& request);

/// The answer of --json, and of the library's command.
nlohmann::json answer_of(const ExportRequest& request, const onnx::Written& done);

}  // namespace medurwkv::app
