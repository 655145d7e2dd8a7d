// One entry for weights of any kind. Relies on core and the readers beside it.
#pragma once

#include <string>

#include "core/files.h"
#include "weights/tensor_file.h"

namespace medurwkv::weights {

/// A safetensors file or a checkpoint that torch.save wrote, with tensors under their full names:
/// where dicts nest, keys are joined by dots (`state_dict.backbone.layers.0.ln1.weight`). Which of
/// the kinds a file is its content says, not its name. Throws Error naming the file and the place
/// when it is none of them or breaks its format's rules; `file` is its name in messages. Memory: as
/// weights/budget.h allows.
FileLayout layout_of(const std::string& file, const FilePieces& pieces);

}  // namespace medurwkv::weights
