#include "app/export.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "app/places.h"
#include "core/error.h"
#include "core/files.h"
#include "core/memory.h"
#include "core/text.h"
#include "native/read_floats.h"
#include "plan/plan.h"
#include "weights/model_file.h"
#include "weights/weights_source.h"

namespace medurwkv::app {
namespace {

/// What the graph does not hold and its user must know, as in the model file (docs/formats.md).
std::map<std::string, std::string> metadata_of(const weights::ModelInfo& info,
                                               const std::string& content) {
  std::map<std::string, std::string> out{
      {"medurwkv.content_sha256", content},
      {"medurwkv.network", weights::to_json(info.network).dump()},
      {"medurwkv.input", weights::to_json(info.input).dump()}};
  if (!info.heads.empty()) {
    const Head& head = info.heads.front();
    out["medurwkv.head"] = to_string(head.kind);
    out["medurwkv.classes"] = nlohmann::json(names_of(head.classes)).dump();
    if (!head.regions.empty()) out["medurwkv.regions"] = nlohmann::json(head.regions).dump();
  }
  if (info.temperature) out["medurwkv.temperature"] = nlohmann::json(*info.temperature).dump();
  return out;
}

}  // namespace

onnx::Written export_onnx(const ExportRequest& request) {
  if (request.onnx.extension() != ".onnx") {
    throw_usage(concat(request.onnx.string(), ": the file to write ends in .onnx"));
  }
  check_output(request.onnx, request.force);
  const weights::WeightsSource file = weights::WeightsSource::open(request.model);
  const weights::ModelInfo info =
      file.understood([&] { return weights::model_info(request.model.string(), file.metadata()); });
  const std::vector<net::ParameterSpec> parameters = plan::parameters_of(info.network);
  if (const std::int64_t needed = native::float_bytes(parameters), left = memory_left();
      needed > left) {
    throw_failure(concat(request.model.string(), ": its weights take ",
                         human_bytes(static_cast<double>(needed)), " of memory, ",
                         memory_left_text(left), "; allow more memory"));
  }
  const native::ReadTensors read = native::read_floats(file, parameters);
  prepare_file(request.onnx);
  return onnx::write(request.onnx,
                     {.network = info.network,
                      .input = info.input,
                      .heads = info.heads,
                      .metadata = metadata_of(info, read.content)},
                     request.options,
                     [&](const std::string& name) { return read.tensors.at(name); });
}

nlohmann::json answer_of(const ExportRequest& request, const onnx::Written& done) {
  return {{"file", request.onnx.string()}, {"sha256", sha256_file(request.onnx)},
          {"opset", onnx::opset},          {"nodes", done.nodes},
          {"input", done.input},           {"input_type", done.input_type},
          {"outputs", done.outputs}};
}

}  // namespace medurwkv::app
