// From one file of weights to another: .pth, safetensors, model file. Relies on weights/contents.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "net/config.h"
#include "net/parameters.h"

namespace medurwkv::weights {

enum class Format { pth, safetensors, model };

/// By the suffix: .pth or .pt, .safetensors, .model. Throws a usage Error for another.
Format format_of(const std::filesystem::path& path);

struct Conversion {
  std::filesystem::path from, to;
  std::optional<net::WkvMode> wkv;  ///< to be written instead of the file's own
  bool encoder = false;             ///< the encoder alone, under the published names
  /// Of a model file made of bare tensors alone: names of the classes (background first) and the
  /// size of the network's input (0: 256).
  std::vector<std::string> classes;
  std::int64_t width = 0, height = 0;
  /// Of a model file: written instead of its own (weights/model_file.h); empty: its own are kept,
  /// as long as the network stays the same.
  std::map<std::string, double> int8_ranges;
  /// Overrides what names and shapes of bare tensors do not tell; may be empty.
  std::function<void(net::NetworkConfig&)> adjust;
  /// The tensors of a network (plan::parameters_of).
  std::function<std::vector<net::ParameterSpec>(const net::NetworkConfig&)> parameters_of;
};

struct Converted {
  std::string content;                        ///< "Vision-RWKV adapter", ...
  std::optional<net::NetworkConfig> network;  ///< as written; none for unknown tensors
  std::size_t tensors = 0;                    ///< written
  std::size_t left_out = 0;  ///< moments of an optimiser, moving averages, other parts
  /// The model's temperature was fitted with another bi-WKV mode than is written.
  bool temperature_left_out = false;
};

/// Bare tensors keep their names but for wrappers (state_dict., model., module.), and their types;
/// a model file has its own names, float32. Metadata tell the network and its bi-WKV mode, where
/// the network is known. Throws Error naming the file, and a usage Error for what has no meaning
/// for it.
Converted convert(const Conversion& conversion);

}  // namespace medurwkv::weights
