#include "train/initial_weights.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

namespace medurwkv::train {
namespace {

using nlohmann::json;

/// The preset's name; "custom" for the sizes of none.
std::string network_name(const weights::Contents& contents) {
  return contents.network ? contents.network->preset : "custom";
}

std::string content_name(const weights::TensorIndex& file, const weights::Contents& contents) {
  return weights::is_model(file.metadata()) ? "model of medurwkv"
                                            : weights::to_string(contents.kind);
}

}  // namespace

std::string recorded_hash(const json& recorded) {
  const bool whole = !recorded.contains("content_sha256");
  return whole ? concat("SHA-256 ", recorded.at("sha256").get<std::string>())
               : concat("SHA-256 of its content, as `medurwkv inspect` shows it: ",
                        recorded.at("content_sha256").get<std::string>());
}

InitialWeights::InitialWeights(std::string option, const std::filesystem::path& path)
    : option_(std::move(option)),
      path_(path.string()),
      file_(weights::WeightsSource::open(path)),
      contents_(file_.understood([&] { return weights::contents_of(file_); })) {
  if (option_ == init && !weights::is_model(file_.metadata())) {
    throw_usage(concat(path_, ": is not a model file of medurwkv, which --init needs; give a ",
                       "published encoder with --pretrained"));
  }
}

Config InitialWeights::defaults() const {
  Config out;
  out.network.wkv = net::to_string(net::WkvMode::released32);
  if (!contents_.network) return out;
  const net::NetworkConfig& network = *contents_.network;
  out.network.wkv = net::to_string(network.wkv);
  if (option_ != init) {
    if (network.preset != "custom") out.network.preset = network.preset;
    return out;
  }
  out.network.preset = network.preset;
  out.network.channels = network.channels;
  if (network.architecture == net::Architecture::med_urwkv) {
    out.network.drop_path = network.encoder.drop_path;
    out.encoder = {.post_norm = network.encoder.post_norm,
                   .key_norm = network.encoder.key_norm,
                   .layer_scale = network.encoder.layer_scale.value_or(0)};
  }
  return out;
}

bool InitialWeights::is_origin(const json& recorded, const std::string& content) const {
  if (recorded.value("option", "") != option_) return false;
  return recorded.contains("content_sha256") ? recorded.at("content_sha256") == content
                                             : recorded.value("sha256", "") == sha256_file(path_);
}

Filled InitialWeights::fill(const net::NetworkConfig& config,
                            torch_backend::ParameterStore& store) const {
  const at::NoGradGuard no_grad;
  weights::Coverage coverage = file_.understood([&] {
    return option_ == init
               ? weights::cover_network(file_, weights::model_info(path_, file_.metadata()).network,
                                        config, store.specs())
               : weights::cover_encoder(file_, contents_, config, store.specs());
  });
  torch_backend::Destinations places;
  for (const weights::UsedTensor& one : coverage.used) {
    const bool changes = one.change != weights::Change::none;
    places.emplace(one.source, changes ? at::empty(file_.info(one.source).shape, at::kDouble)
                                       : store.at(one.name));
  }
  std::unordered_map<std::string, std::int64_t> not_finite;
  std::string content = torch_backend::read_into(file_, places, &not_finite);
  for (const weights::UsedTensor& one : coverage.used) {
    weights::refuse_not_finite(file_, one.source, not_finite.at(one.source));
    if (one.change == weights::Change::none) continue;
    const at::Tensor& read = places.at(one.source);
    const auto* first = read.data_ptr<double>();
    store.set(one.name, weights::changed_values({first, first + read.numel()}, read.sizes().vec(),
                                                one.change, store.at(one.name).sizes().vec()));
  }
  return {std::move(coverage), std::move(content)};
}

Origin InitialWeights::origin(const Filled& filled) const {
  const weights::Coverage& coverage = filled.coverage;
  Origin out;
  json changed = json::array();
  for (const weights::UsedTensor& one : coverage.used) {
    out.tensors.push_back(one.name);
    if (one.change != weights::Change::none) changed.push_back(one.name);
  }
  out.record = {{"option", option_},
                {"content_sha256", filled.content},
                {"content", content_name(file_, contents_)},
                {"network", network_name(contents_)},
                {"used", coverage.used.size()},
                {"new", coverage.fresh.size()},
                {"new_in_encoder", weights::fresh_in_encoder(coverage)},
                {"unused", coverage.unused.size()},
                {"mismatched", coverage.mismatched.size()},
                {"changed", changed}};
  return out;
}

std::vector<std::string> InitialWeights::report(const net::NetworkConfig& config,
                                                const Filled& filled, bool names) const {
  const weights::Coverage& coverage = filled.coverage;
  std::vector<std::string> out;
  out.push_back(concat(option_, " ", path_, ": ", content_name(file_, contents_), " (",
                       network_name(contents_), "), SHA-256 of its content ",
                       filled.content.substr(0, 16), "..."));
  out.push_back(concat("tensors: ", weights::summary(coverage)));
  for (const weights::UsedTensor& one : coverage.used) {
    if (one.change != weights::Change::none) out.push_back(weights::line(one));
  }
  for (const weights::MismatchedTensor& one : coverage.mismatched) {
    out.push_back(weights::line(one));
  }
  const bool stated = contents_.stated;
  out.push_back(concat("bi-WKV ", net::to_string(config.wkv),
                       stated ? ""
                              : " (the file names no mode; weights published without one were "
                                "trained in released32; --wkv sets another)"));
  const bool known = contents_.network && (stated || contents_.known_sizes);
  if (!known) {
    out.push_back(
        concat("note: whether the file's encoder is pre- or post-norm cannot be seen in "
               "it; taken as ",
               config.encoder.post_norm ? "post" : "pre",
               "-norm; --set encoder.post_norm=true or false sets it"));
  } else if (config.architecture == net::Architecture::med_urwkv &&
             contents_.network->encoder.post_norm != config.encoder.post_norm) {
    out.push_back(concat("warning: the file's encoder (", network_name(contents_), ") is ",
                         config.encoder.post_norm ? "pre" : "post", "-norm, this network is ",
                         config.encoder.post_norm ? "post" : "pre", "-norm"));
  }
  if (names) {
    const std::vector<std::string> all = weights::listing(coverage);
    out.insert(out.end(), all.begin(), all.end());
  }
  return out;
}

}  // namespace medurwkv::train
