#include "weights/model_file.h"

#include "core/error.h"
#include "core/text.h"
#include "core/version.h"

namespace medurwkv::weights {
namespace {

using nlohmann::json;

constexpr const char* format_name = "medurwkv-model";

json encoder_to_json(const net::EncoderConfig& encoder) {
  return {{"width", encoder.width},
          {"groups", encoder.groups},
          {"heads", encoder.heads},
          {"deform_ratio", encoder.deform_ratio},
          {"post_norm", encoder.post_norm},
          {"layer_scale", encoder.layer_scale ? json(*encoder.layer_scale) : json()},
          {"key_norm", encoder.key_norm},
          {"position_grid", encoder.position_grid},
          {"prior_width", encoder.prior_width},
          {"points", encoder.points},
          {"drop_path", encoder.drop_path}};
}

net::EncoderConfig encoder_from_json(const json& from) {
  net::EncoderConfig out;
  from.at("width").get_to(out.width);
  from.at("groups").get_to(out.groups);
  from.at("heads").get_to(out.heads);
  from.at("deform_ratio").get_to(out.deform_ratio);
  from.at("post_norm").get_to(out.post_norm);
  if (!from.at("layer_scale").is_null()) out.layer_scale = from.at("layer_scale").get<double>();
  from.at("key_norm").get_to(out.key_norm);
  from.at("position_grid").get_to(out.position_grid);
  from.at("prior_width").get_to(out.prior_width);
  from.at("points").get_to(out.points);
  from.at("drop_path").get_to(out.drop_path);
  return out;
}

net::NetworkConfig network_from_json(const json& from) {
  net::NetworkConfig out;
  from.at("preset").get_to(out.preset);
  out.architecture = net::architecture_from(from.at("architecture").get<std::string>());
  from.at("channels").get_to(out.channels);
  from.at("classes").get_to(out.classes);
  out.wkv = net::wkv_mode_from(from.at("wkv").get<std::string>());
  out.encoder = encoder_from_json(from.at("encoder"));
  from.at("bottleneck_depth").get_to(out.bottleneck_depth);
  from.at("decoder_depths").get_to(out.decoder_depths);
  from.at("unet_width").get_to(out.unet_width);
  from.at("classifier_hidden").get_to(out.classifier_hidden);
  return out;
}

json input_to_json(const InputContract& input) {
  return {{"fit", "stretch"},           {"width", input.width}, {"height", input.height},
          {"channels", input.channels}, {"mean", input.mean},   {"deviation", input.deviation}};
}

InputContract input_from_json(const json& from) {
  InputContract out;
  if (from.at("fit").get<std::string>() != "stretch") {
    throw_failure(concat("input fit '", from.at("fit").get<std::string>(), "' is not known"));
  }
  from.at("width").get_to(out.width);
  from.at("height").get_to(out.height);
  from.at("channels").get_to(out.channels);
  from.at("mean").get_to(out.mean);
  from.at("deviation").get_to(out.deviation);
  const auto channels = static_cast<std::size_t>(out.channels);
  if (out.width < 1 || out.height < 1 || out.mean.size() != channels ||
      out.deviation.size() != channels) {
    throw_failure("the input's size or normalisation is not usable");
  }
  return out;
}

/// Heads are a list so that several outputs fit later; today there is one.
json heads_to_json(const std::vector<ClassInfo>& classes) {
  json list = json::array();
  for (const ClassInfo& one : classes) list.push_back({{"name", one.name}, {"color", one.color}});
  return json::array({{{"name", "segmentation"}, {"kind", "softmax"}, {"classes", list}}});
}

std::vector<ClassInfo> classes_from_json(const json& heads) {
  if (heads.size() != 1 || heads[0].at("kind") != "softmax") {
    throw_failure("models with other than one softmax head are not known to this version");
  }
  std::vector<ClassInfo> out;
  for (const json& one : heads[0].at("classes")) {
    out.push_back(
        {one.at("name").get<std::string>(), one.at("color").get<std::array<std::uint8_t, 3>>()});
  }
  return out;
}

const std::string& entry(const std::string& file, const Metadata& metadata,
                         const std::string& key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) {
    throw_failure(concat(file, ": is not a medurwkv model (its metadata lack '", key, "')"));
  }
  return found->second;
}

}  // namespace

json to_json(const net::NetworkConfig& config) {
  return {{"preset", config.preset},
          {"architecture", net::to_string(config.architecture)},
          {"channels", config.channels},
          {"classes", config.classes},
          {"wkv", net::to_string(config.wkv)},
          {"encoder", encoder_to_json(config.encoder)},
          {"bottleneck_depth", config.bottleneck_depth},
          {"decoder_depths", config.decoder_depths},
          {"unet_width", config.unet_width},
          {"classifier_hidden", config.classifier_hidden}};
}

Metadata to_metadata(const ModelInfo& info) {
  return {{"format", format_name},
          {"format_version", std::to_string(model_format_version)},
          {"network", to_json(info.network).dump()},
          {"input", input_to_json(info.input).dump()},
          {"heads", heads_to_json(info.classes).dump()},
          {"provenance", info.provenance.dump()}};
}

ModelInfo model_info(const std::string& file, const Metadata& metadata) {
  if (entry(file, metadata, "format") != format_name) {
    throw_failure(concat(file, ": is not a medurwkv model (format '", metadata.at("format"), "')"));
  }
  const std::string& version = entry(file, metadata, "format_version");
  if (version != std::to_string(model_format_version)) {
    throw_failure(concat(file, ": is of model format ", version, "; medurwkv ", medurwkv::version,
                         " reads format ", model_format_version, "; use a newer medurwkv"));
  }
  ModelInfo out;
  try {
    out.network = network_from_json(json::parse(entry(file, metadata, "network")));
    out.input = input_from_json(json::parse(entry(file, metadata, "input")));
    out.classes = classes_from_json(json::parse(entry(file, metadata, "heads")));
    out.provenance = json::parse(entry(file, metadata, "provenance"));
  } catch (const json::exception& error) {
    throw_failure(concat(file, ": its metadata are broken: ", error.what()));
  } catch (const Error& error) {
    throw_failure(concat(file, ": ", error.what()));
  }
  if (static_cast<std::int64_t>(out.classes.size()) != out.network.classes ||
      out.input.channels != out.network.channels) {
    throw_failure(concat(file, ": its classes or channels disagree with its network"));
  }
  return out;
}

std::vector<TensorInfo> tensor_infos(const std::vector<net::ParameterSpec>& parameters) {
  std::vector<TensorInfo> out;
  for (const net::ParameterSpec& spec : parameters) {
    out.push_back(
        {.name = spec.name, .type = spec.integer ? DType::i64 : DType::f32, .shape = spec.shape});
  }
  return out;
}

}  // namespace medurwkv::weights
