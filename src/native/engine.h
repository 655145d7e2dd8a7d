// The native engine: model files run without LibTorch, by oneDNN and kernels of ours, on the CPU.
// Relies on core/engine.h, weights/opened_model.h and native/program.h.
#pragma once

#include <filesystem>
#include <memory>

#include "core/engine.h"
#include "native/precision.h"

namespace medurwkv::native {

/// A model file with its weights. Its engine makes a program for the size of the first batch, and
/// another one whenever the size changes. Throws Error naming the file.
std::unique_ptr<Engine> open_model(const std::filesystem::path& path,
                                   Precision precision = Precision::float32);

}  // namespace medurwkv::native
