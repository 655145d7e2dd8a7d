// A network as an ONNX file: opset 17, standard operators only, any batch, height and width.
// Relies on onnx/translate.h and core/model_description.h.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/model_description.h"
#include "core/output.h"
#include "net/config.h"
#include "onnx/translate.h"

namespace medurwkv::onnx {

struct Model {
  net::NetworkConfig network;
  InputContract input;
  std::vector<Head> heads;  ///< one, or none of an encoder
  /// Written among the file's metadata.
  std::map<std::string, std::string> metadata = {};
};

struct Options {
  /// The input holds stored values and the network's scaling and normalisation is in the graph:
  /// uint8 from 0 to 255, or, where the model has a window, float32 in the units of the file.
  bool pixels = false;
  /// The output is labels (uint8, batch x height x width; of a classifier batch) in place of
  /// logits.
  bool labels = false;
};

/// What an application must know of the file.
struct Written {
  std::string input, input_type;
  std::vector<std::string> outputs;
  std::size_t nodes = 0;
};

/// Writes atomically. Throws Error naming `file` where the network cannot be written so: an |x| of
/// spatial_decay or spatial_first above onnx::most_decay, more than the 2 GB of a protocol buffer,
/// labels of an encoder.
Written write(const OutputPath& file, const Model& model, const Options& options,
              const ParameterValues& parameters);

}  // namespace medurwkv::onnx
