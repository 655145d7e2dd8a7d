// The loops over rows of channels in plain code.
#pragma once

#include "kernels/token_kernels.h"

namespace medurwkv::kernels::ref {

template <class Real>
const TokenKernels<Real>& token_kernels();

}  // namespace medurwkv::kernels::ref
