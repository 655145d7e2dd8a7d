// Deformable attention as kernels take it. Relies on net/ops.h and kernels/deform_attn.h.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/deform_attn.h"
#include "net/ops.h"

namespace medurwkv::net {

/// `width`: channels of the sampled values, over all heads.
inline kernels::DeformShape deform_shape(const DeformableAttention& where, std::int64_t batch,
                                         std::int64_t width) {
  const auto in_order = [](const std::vector<Grid>& grids) {
    std::vector<kernels::DeformGrid> out;
    std::int64_t start = 0;
    for (const Grid& grid : grids) {
      out.push_back({.height = grid.height, .width = grid.width, .start = start});
      start += grid.tokens();
    }
    return out;
  };
  return {.batch = batch,
          .heads = where.heads,
          .points = where.points,
          .width = width / where.heads,
          .queries = in_order(where.queries),
          .levels = in_order(where.levels)};
}

}  // namespace medurwkv::net
