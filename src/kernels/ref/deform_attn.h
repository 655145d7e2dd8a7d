// Deformable attention of one head in plain loops.
#pragma once

#include "kernels/deform_head.h"

namespace medurwkv::kernels::ref {

template <class Real>
void deform_forward(const DeformHead<Real>& head);
template <class Real>
void deform_backward(const DeformHead<Real>& head);

}  // namespace medurwkv::kernels::ref
