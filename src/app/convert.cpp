#include "app/convert.h"

#include <nlohmann/json.hpp>

#include "app/places.h"
#include "core/error.h"
#include "core/files.h"
#include "core/output.h"
#include "core/text.h"
#include "net/config.h"
#include "plan/plan.h"
#include "weights/model_file.h"

namespace medurwkv::app {
namespace {

/// Applies a setting that names and shapes of a file do not tell.
void apply(const std::string& setting, net::NetworkConfig& network) {
  if (setting == "encoder.post_norm=true") {
    network.encoder.post_norm = true;
  } else if (setting == "encoder.post_norm=false") {
    network.encoder.post_norm = false;
  } else {
    throw_usage(concat("--set ", setting,
                       ": convert takes encoder.post_norm=true and encoder.post_norm=false"));
  }
}

}  // namespace

weights::Converted convert(const ConvertRequest& request) {
  weights::Conversion conversion{.from = request.from,
                                 .to = request.to,
                                 .wkv = {},
                                 .encoder = request.encoder,
                                 .classes = request.classes,
                                 .int8_ranges = {},
                                 .adjust = {},
                                 .parameters_of = plan::parameters_of};
  if (!request.wkv.empty()) conversion.wkv = net::wkv_mode_from(request.wkv);
  if (request.width) conversion.width = *request.width;
  if (request.height) conversion.height = *request.height;
  if (!request.settings.empty()) {
    conversion.adjust = [&](net::NetworkConfig& network) {
      for (const std::string& setting : request.settings) apply(setting, network);
    };
  }
  if (!request.force && is_there(request.to)) {
    throw_usage(concat(request.to.string(), ": already exists; --force overwrites it"));
  }
  remove_leftovers(request.to.parent_path(), {request.to.filename().string()});
  return weights::convert(conversion);
}

nlohmann::json answer_of(const ConvertRequest& request, const weights::Converted& done) {
  nlohmann::json out{
      {"content", done.content},     {"tensors", done.tensors},
      {"left_out", done.left_out},   {"temperature_left_out", done.temperature_left_out},
      {"file", request.to.string()}, {"sha256", sha256_file(request.to)}};
  if (done.network) out["network"] = weights::to_json(*done.network);
  return out;
}

}  // namespace medurwkv::app
