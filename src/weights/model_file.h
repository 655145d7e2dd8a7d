// A model file: a safetensors file with the parameters of a network and, in its metadata,
// everything needed to run it. Relies on weights/tensor_file.h and net. The format is described in
// docs/formats.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/model_description.h"
#include "core/regions.h"
#include "net/config.h"
#include "net/parameters.h"
#include "weights/tensor_file.h"

namespace medurwkv::weights {

inline constexpr int model_format_version = 1;

/// What the metadata of a model file says.
struct ModelInfo {
  net::NetworkConfig network;
  InputContract input;
  std::vector<ClassInfo> classes;
  Regions regions = {};  ///< with a sigmoid head
  /// How the weights came about: data and split hashes, seed, epochs, versions. No clock, host or
  /// path.
  nlohmann::json provenance = nlohmann::json::object();
};

Metadata to_metadata(const ModelInfo& info);

/// Whether the metadata are those of a model file of ours, of whatever version.
bool is_model(const Metadata& metadata);

/// What a file of bare tensors says of the network they are for.
Metadata to_metadata(const net::NetworkConfig& network);

/// The network that a model file or a file of bare tensors names in its metadata; none when they
/// name none. Throws Error naming the file as model_info does.
std::optional<net::NetworkConfig> stated_network(const std::string& file, const Metadata& metadata);

/// Throws Error naming the file when it is no model file, is of a newer version (both named) or
/// says something we do not know.
ModelInfo model_info(const std::string& file, const Metadata& metadata);

/// One of the metadata as JSON: at most 2 MiB of text, nested at most 32 deep. Throws Error naming
/// file and key.
nlohmann::json metadata_json(const std::string& file, const Metadata& metadata,
                             const std::string& key);

/// Writes atomically, with the SHA-256 of the whole content among the metadata.
void write_model_file(const std::filesystem::path& path, const std::vector<TensorView>& tensors,
                      Metadata metadata);

/// Reads a file of weights of any kind (weights/read_weights.h) and compares its content with the
/// SHA-256 in its metadata; a file without one is taken as it is. The metadata in a .pth of ours
/// (weights/pth_file.h) become the file's, its names lose their "state_dict.". Throws Error naming
/// the file.
TensorFile read_checked(const std::filesystem::path& path);

nlohmann::json to_json(const net::NetworkConfig& config);
/// Throws Error or json::exception for what to_json does not write.
net::NetworkConfig network_from_json(const nlohmann::json& from);

nlohmann::json to_json(const InputContract& input);
/// Throws Error or json::exception for what to_json does not write.
InputContract input_from_json(const nlohmann::json& from);

/// Infos of all tensors of a network (parameters and buffers), in the order of their names in the
/// plan: what a written file's header lists.
std::vector<TensorInfo> tensor_infos(const std::vector<net::ParameterSpec>& parameters);

}  // namespace medurwkv::weights
