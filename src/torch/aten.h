// LibTorch's tensors, in the order of headers that clang 14 compiles as C++20 (in another order it
// meets LibTorch 1.13's IValue before it is complete). Include it before any other header of
// LibTorch.
#pragma once

// clang-format off
#include <ATen/core/ivalue.h>
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
// clang-format on
