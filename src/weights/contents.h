// Which network the tensors of a file belong to, told by names and shapes alone: what Vision-RWKV's
// published code and ours write. Relies on weights/tensor_file.h and net.
#pragma once

#include <optional>
#include <string>

#include "net/config.h"
#include "weights/tensor_file.h"

namespace medurwkv::weights {

enum class Content {
  med_urwkv,   ///< a whole Med-URWKV: encoder.*, bottleneck.*, decoder.*, head.*
  adapter,     ///< an encoder as Vision-RWKV's segmentation code has it: layers.*, spm.*, ...
  classifier,  ///< a plain Vision-RWKV with a head: backbone.*, head.*
  trunk,       ///< a plain Vision-RWKV without one
  unknown,
};

/// "Med-URWKV", "Vision-RWKV adapter", ...
std::string to_string(Content content);

/// What is in a file. Names of an encoder may stand behind any prefix; parts of wrappers that are
/// known (state_dict, model, module, backbone, encoder) are preferred where several sets of names
/// fit, as in files that hold a moving average beside the weights.
struct Contents {
  Content kind = Content::unknown;
  std::string trunk;  ///< what stands before "layers.0.att.key.weight" in the file
  std::string whole;  ///< what stands before the whole network's names: `trunk` without the part
                      ///< "encoder." of Med-URWKV or "backbone." of a classifier
  /// The network as the metadata of the file say or, without any, as far as names and shapes tell
  /// it, in mode released32. Unset when that makes no sense.
  std::optional<net::NetworkConfig> network;
  bool stated = false;  ///< by the metadata
  /// The sizes are those of a preset, which then decides what no name and no shape tells: whether
  /// norms come first or last.
  bool known_sizes = false;
  std::string problem;  ///< why the kind is unknown or the network unset
};

/// Throws Error, naming the file, when the metadata are of a newer version or broken.
Contents contents_of(const TensorIndex& file);

/// The name under which `file` would hold the tensor that the network calls `own`, for a network of
/// the kind that the file holds.
std::string name_in_file(const Contents& contents, const TensorIndex& file, const std::string& own);

}  // namespace medurwkv::weights
