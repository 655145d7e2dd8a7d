// A model file: a safetensors file with the parameters of a network and, in its metadata,
// everything needed to run it. Relies on weights/tensor_file.h and net. The format is described in
// docs/formats.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/model_description.h"
#include "core/output.h"
#include "net/config.h"
#include "net/parameters.h"
#include "weights/tensor_file.h"

namespace medurwkv::weights {

/// Every version up to this one is read; docs/formats.md says what each added.
inline constexpr int model_format_version = 2;

/// What the metadata of a model file says.
struct ModelInfo {
  net::NetworkConfig network;
  InputContract input;
  /// In the order of the network's outputs; an encoder has none.
  std::vector<Head> heads;
  /// How the weights came about: data and split hashes, seed, epochs, versions. No clock, host or
  /// path.
  nlohmann::json provenance = nlohmann::json::object();
  /// For int8: the largest |x| that a product reads, by its weight's name (native/precision.h).
  /// Empty in a model that was not quantized.
  std::map<std::string, double> int8_ranges = {};
  /// That acts on the probabilities of a segmentation (docs/metrics.md, "Calibration").
  std::optional<double> temperature = {};
};

Metadata to_metadata(const ModelInfo& info);

/// Whether the metadata are those of a model file of ours, of whatever version.
bool is_model(const Metadata& metadata);

/// What a file of bare tensors says of the network they are for.
Metadata to_metadata(const net::NetworkConfig& network);

/// The network that a model file or a file of bare tensors names in its metadata; none when they
/// name none. Throws Error naming the file as model_info does.
std::optional<net::NetworkConfig> stated_network(const std::string& file, const Metadata& metadata);

/// Throws Error naming the file when it is no model file, is of a newer version (both named), needs
/// what this version does not know, or is wrong.
ModelInfo model_info(const std::string& file, const Metadata& metadata);

/// The model's one head, of a segmentation. Throws Error naming the file where it has another.
const Head& segmentation_of(const std::string& file, const ModelInfo& info);

/// One of the metadata as JSON: at most 2 MiB of text, nested at most 32 deep. Throws Error naming
/// file and key.
nlohmann::json metadata_json(const std::string& file, const Metadata& metadata,
                             const std::string& key);

/// What write_model_file puts among the metadata: SHA-256 over everything that the file says, its
/// metadata (but for the checksum itself) and its tensors in their order.
std::string content_sha256(const Metadata& metadata, const std::vector<TensorView>& tensors);
/// The same where the SHA-256 of each tensor's bytes are known: `hashes`, one for each.
std::string content_sha256(const Metadata& metadata, const std::vector<TensorInfo>& tensors,
                           const std::vector<std::string>& hashes);

/// The checksum among a file's metadata; empty without one.
std::string stored_checksum(const Metadata& metadata);

/// Writes atomically, with the SHA-256 of the whole content among the metadata.
void write_model_file(const OutputPath& file, const std::vector<TensorView>& tensors,
                      Metadata metadata);

/// layout_of (weights/file_layout.h), where the metadata in a .pth of ours (weights/pth_file.h)
/// are the file's, and its names have lost their "state_dict.". Throws Error naming the file.
FileLayout model_layout(const std::string& file, const FilePieces& pieces);

/// A whole file with that layout in memory, compared with its checksum.
TensorFile read_checked(const std::filesystem::path& path);

/// Throws Error naming the file when the checksum among its metadata is another than `content`,
/// what content_sha256 gives. A file without one is taken as it is.
void refuse_damaged(const TensorIndex& file, const std::string& content);

nlohmann::json to_json(const net::NetworkConfig& config);
/// Throws Error or json::exception for what to_json does not write.
net::NetworkConfig network_from_json(const nlohmann::json& from);

nlohmann::json to_json(const InputContract& input);
/// Throws Error or json::exception for what to_json does not write.
InputContract input_from_json(const nlohmann::json& from);

}  // namespace medurwkv::weights
