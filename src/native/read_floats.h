// A file's tensors as the native engine wants them. Relies on weights/weights_source.h.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "net/parameters.h"
#include "weights/weights_source.h"

namespace medurwkv::native {

/// A network's tensors by their names, row-major, without those of integers.
using Tensors = std::unordered_map<std::string, std::vector<float>>;

struct ReadTensors {
  Tensors tensors;
  std::string content;  ///< content_sha256 of what was read
};

/// The tensors that `specs` names. Throws Error naming the file where one has another shape, or the
/// file is damaged.
ReadTensors read_floats(const weights::WeightsSource& file,
                        const std::vector<net::ParameterSpec>& specs);

/// Bytes of them.
std::int64_t float_bytes(const std::vector<net::ParameterSpec>& specs);

}  // namespace medurwkv::native
