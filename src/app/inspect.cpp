#include "app/inspect.h"

#include <map>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "net/presets.h"
#include "weights/contents.h"
#include "weights/model_file.h"
#include "weights/values.h"
#include "weights/weights_source.h"

namespace medurwkv::app {
namespace {

using nlohmann::json;

std::string kind_of(const weights::TensorFile& file, const weights::Contents& contents) {
  if (weights::is_model(file.metadata())) {
    return file.metadata().contains("checkpoint") ? "checkpoint" : "model";
  }
  switch (contents.kind) {
    case weights::Content::med_urwkv: return "med_urwkv";
    case weights::Content::adapter: return "adapter";
    case weights::Content::classifier: return "classifier";
    case weights::Content::trunk: return "trunk";
    case weights::Content::unknown: return "tensors";
  }
  throw_internal("unknown content");
}

/// Number, types and bytes of a file's tensors, and those with values that are not finite.
void describe_tensors(const weights::TensorFile& file, json& about) {
  std::uint64_t bytes = 0;
  std::map<std::string, std::int64_t> types;
  for (const weights::TensorInfo& tensor : file.tensors()) {
    bytes += tensor.bytes;
    ++types[weights::to_string(tensor.type)];
  }
  json bad = json::array();
  for (const weights::BadValues& one : weights::bad_values(file)) {
    bad.push_back({{"name", one.tensor}, {"nan", one.nan}, {"infinite", one.infinite}});
  }
  about["tensors"] = file.tensors().size();
  about["types"] = types;
  about["bytes"] = bytes;
  about["not_finite"] = bad;
}

/// What a model of ours says in its metadata.
void describe_model(const weights::TensorFile& file, Inspected& out) {
  const weights::ModelInfo info = weights::model_info(file.file(), file.metadata());
  out.input = info.input;
  json classes = json::array();
  for (const Head& head : info.heads) {
    for (const ClassInfo& one : head.classes) classes.push_back(one.name);
  }
  out.about["classes"] = classes;
  out.about["input"] = weights::to_json(info.input);
  out.about["provenance"] = info.provenance;
  if (info.temperature) out.about["temperature"] = *info.temperature;
  if (!file.metadata().contains("checkpoint")) return;
  const json written = weights::metadata_json(file.file(), file.metadata(), "checkpoint");
  const json::json_pointer step("/state/step");
  if (written.contains(step)) {
    out.about["finished_steps"] = written.at(step);
  }
}

Inspected subject_of(const InspectRequest& request) {
  if (request.file.empty()) {
    Inspected out{.network = net::preset(request.preset, request.classes, request.channels),
                  .input = {.channels = request.channels, .mean = {}, .deviation = {}},
                  .tensors = {}};
    out.about = {{"kind", "preset"}, {"name", request.preset}};
    return out;
  }
  const weights::TensorFile file(request.file.string(), read_file(request.file),
                                 weights::model_layout);
  const std::string content = weights::WeightsSource(file).check();
  const weights::Contents contents = weights::contents_of(file);
  Inspected out{.network = contents.network, .input = {}, .tensors = file.tensors()};
  out.about = {{"kind", kind_of(file, contents)},
               {"name", request.file.string()},
               {"container", weights::to_string(file.kind())},
               {"sha256", file.file_sha256()},
               {"content_sha256", content},
               {"metadata", file.metadata()}};
  if (contents.kind != weights::Content::unknown) {
    out.about["content"] = weights::to_string(contents.kind);
    out.about["prefix"] = contents.whole;
  }
  if (!contents.network) out.about["problem"] = contents.problem;
  if (contents.network) {
    out.input.channels = contents.network->channels;
    out.about["stated"] = contents.stated;
    out.about["known_sizes"] = contents.known_sizes;
  }
  describe_tensors(file, out.about);
  if (weights::is_model(file.metadata())) describe_model(file, out);
  return out;
}

}  // namespace

Inspected inspect(const InspectRequest& request) {
  if (request.file.empty() == request.preset.empty()) {
    throw_usage("name either a file or a --preset");
  }
  Inspected out = subject_of(request);
  if (request.size > 0) out.input.width = out.input.height = request.size;
  if (out.network) out.plan = plan::record(*out.network, 1, out.input.height, out.input.width);
  return out;
}

/// Every tensor of a file, or every parameter of a preset.
json tensor_list(const Inspected& inspected) {
  json out = json::array();
  if (!inspected.about.contains("container")) {
    for (const net::ParameterSpec& spec : inspected.plan->parameters) {
      out.push_back({{"name", spec.name}, {"shape", spec.shape}, {"buffer", spec.buffer}});
    }
    return out;
  }
  for (const weights::TensorInfo& tensor : inspected.tensors) {
    out.push_back({{"name", tensor.name},
                   {"type", weights::to_string(tensor.type)},
                   {"shape", tensor.shape},
                   {"bytes", tensor.bytes}});
  }
  return out;
}

json to_json(const plan::Cost& cost) {
  json stages = json::array();
  for (const plan::StageCost& stage : cost.stages) {
    stages.push_back({{"stage", stage.stage},
                      {"parameters", stage.parameters},
                      {"multiply_adds", stage.multiply_adds},
                      {"peak_activation_bytes", stage.peak_bytes}});
  }
  return {{"parameters", cost.parameters},
          {"buffers", cost.buffers},
          {"multiply_adds", cost.multiply_adds},
          {"wkv_token_channels", cost.wkv_token_channels},
          {"peak_activation_bytes", cost.peak_bytes},
          {"stages", stages}};
}

json answer_of(const Inspected& inspected, bool names) {
  const auto& plan = inspected.plan;
  json out = plan ? to_json(plan::count(*plan)) : json::object();
  out["about"] = inspected.about;
  if (plan) {
    out["network"] = weights::to_json(*inspected.network);
    out["size"] = {inspected.input.height, inspected.input.width};
  }
  if (names) out["tensors"] = tensor_list(inspected);
  return out;
}

}  // namespace medurwkv::app
