// A recorded plan as the native engine runs it: maps are channels last, so that tokens and maps are
// the same memory. Relies on plan/plan.h.
#pragma once

#include "plan/plan.h"

namespace medurwkv::native {

/// Channels x height x width of the input, as callers give it, to channels last, with the edge
/// repeated up to net::Grid.
extern const plan::OpType from_planes;
/// A map to channels x height x width, as callers want it; the upper left part of it, net::Grid.
extern const plan::OpType to_planes;
/// plan::op::slice of several images, whose parts do not lie next to each other.
extern const plan::OpType copied_slice;

/// The same values. The input goes through from_planes (its padding in it), maps that are outputs
/// through to_planes (a crop in it), slices of several images are copied.
plan::Plan lower(const plan::Plan& plan);

}  // namespace medurwkv::native
