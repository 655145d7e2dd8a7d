// A device beside the CPU: a GPU, and where there is none LibTorch's PrivateUse1, whose tensors lie
// in the CPU's memory and whose operations run there. Like a GPU it refuses an operation on tensors
// of both devices, its tensors have no CPU kernels of ours, and its gradients are computed on a
// thread of its own.
#pragma once

#include "torch/aten.h"

namespace medurwkv::test {

/// The device; operations on its tensors throw c10::Error where tensors of the CPU are among them.
at::Device other_device();

/// False for a LibTorch with CUDA where there is no GPU: it asks for one before any gradient.
bool has_other_device();

}  // namespace medurwkv::test
