// Checkpoints that torch.save wrote (.pth, .pt), read without executing anything in them. Relies on
// core/zip.h and weights/pickle.h. Layouts: PyTorch's torch/serialization.py.
#pragma once

#include <string>
#include <string_view>

#include "weights/tensor_file.h"

namespace medurwkv::weights {

/// Whether the bytes begin as a zip archive does.
bool looks_like_zip(std::string_view bytes);
/// Whether they begin as a pickle of protocol 2 or later does.
bool looks_like_pickle(std::string_view bytes);

/// A checkpoint of PyTorch 1.6 or later: a zip archive with the pickle data.pkl and a member for
/// every storage. Every tensor that the root dict, dicts, lists and tuples in it (and argparse
/// namespaces, parameters ...) lead to, under its path: keys and positions joined by dots. Throws
/// Error naming the file and the place: for what breaks the format, for a global that weights are
/// not made of, TorchScript, big-endian files, storages or types that are not read, tensors that
/// reach beyond their storage, and more memory than the file's size warrants (weights/budget.h).
/// The CRC of a storage that is one tensor is left to whoever reads that.
FileLayout torch_zip_layout(const std::string& file, const FilePieces& pieces);

/// The same for a checkpoint of earlier versions: pickles one after another, then the storages.
FileLayout torch_legacy_layout(const std::string& file, const FilePieces& pieces);

}  // namespace medurwkv::weights
