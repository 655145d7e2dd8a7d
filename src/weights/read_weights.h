// One entry for weights of any kind. Relies on core and the readers beside it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "weights/tensor_file.h"

namespace medurwkv::weights {

/// All tensors of a safetensors file or of a checkpoint that torch.save wrote, under their full
/// names: where dicts nest, keys are joined by dots (`state_dict.backbone.layers.0.ln1.weight`).
/// Which of the kinds a file is its content says, not its name. Throws Error naming the file and
/// the place when it is none of them or breaks its format's rules. Memory: the file's size twice
/// and 64 MB.
TensorFile read_weights(const std::filesystem::path& path);

/// Whether a file that begins with `start` (nine bytes or more) is read as a safetensors file whose
/// header is JSON.
bool looks_like_safetensors(std::string_view start);

/// read_weights from bytes in memory; `file` is its name in messages.
TensorFile parse_weights(const std::string& file, std::string bytes);

}  // namespace medurwkv::weights
