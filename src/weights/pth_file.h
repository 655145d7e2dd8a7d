// Writing .pth files: the zip archive with a pickle that torch.save writes, so that any version of
// PyTorch since 1.6 reads it with torch.load, weights_only or not. Reading is
// weights/file_layout.h. Relies on weights/tensor_file.h and zlib. Formats: PKWARE's APPNOTE
// (stored entries, no compression), Python's pickle protocol 2, torch/serialization.py.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/output.h"
#include "weights/tensor_file.h"

namespace medurwkv::weights {

/// What torch.load gives for a file of ours:
/// {"state_dict": OrderedDict(name -> tensor), "medurwkv": {"metadata": uint8 tensor}}, the latter,
/// the metadata as a JSON text, only where there are any. Code that reads Vision-RWKV's checkpoints
/// takes "state_dict" and ignores the rest.
inline constexpr std::string_view pth_state_dict = "state_dict.";
inline constexpr std::string_view pth_metadata = "medurwkv.metadata";

/// Writes atomically; the same content gives the same bytes. Throws Error for more than 4 GB, which
/// this form of a zip archive cannot hold.
void write_pth_file(const OutputPath& file, const std::vector<TensorView>& tensors,
                    const Metadata& metadata);

}  // namespace medurwkv::weights
