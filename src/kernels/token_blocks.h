// Spreads operations on rows of channels over the threads, and forms their sums over rows. Blocks
// have a fixed length and are added up in a fixed order, so the bits do not depend on the number of
// threads. Relies on core/threads.h and the tables of kernels/ref and kernels/vector.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "core/threads.h"
#include "kernels/isa.h"
#include "kernels/ref/token_kernels.h"
#include "kernels/vector/table.h"
#include "kernels/workspace.h"

namespace medurwkv::kernels {

inline constexpr std::int64_t rows_per_block = 256;

/// The loops to run: of the chosen instruction set for float, plain ones for double.
template <class Real>
const TokenKernels<Real>& token_kernels() {
  if constexpr (std::is_same_v<Real, float>) {
    if (const VectorKernels* kernels = vector_kernels()) return kernels->tokens;
  }
  return ref::token_kernels<Real>();
}

constexpr std::int64_t blocks_of(std::int64_t rows) {
  return (rows + rows_per_block - 1) / rows_per_block;
}

/// Calls body(begin, end), or body(begin, end, part of parallel_for), on every block of rows, in
/// parallel.
template <class Body>
void for_each_block(std::int64_t rows, const Body& body) {
  parallel_for(blocks_of(rows), [&](std::int64_t begin, std::int64_t end, std::int64_t part) {
    for (std::int64_t block = begin; block < end; ++block) {
      const std::int64_t from = block * rows_per_block;
      const std::int64_t to = std::min(rows, from + rows_per_block);
      if constexpr (std::is_invocable_v<const Body&, std::int64_t, std::int64_t, std::int64_t>) {
        body(from, to, part);
      } else {
        body(from, to);
      }
    }
  });
}

/// Memory for `width` sums over rows.
template <class Real>
struct BlockSums {
  std::int64_t rows, width;
  Real* parts;  ///< of each block
  double* sums;

  BlockSums(Cutter& cutter, std::int64_t row_count, std::int64_t sum_count)
      : rows(row_count),
        width(sum_count),
        parts(cutter.take<Real>(blocks_of(row_count) * sum_count)),
        sums(cutter.take<double>(sum_count)) {}
};

/// Calls body(begin, end, sums), or with the part of parallel_for at the end, on blocks of rows;
/// body adds to its `width` sums, which start at 0. Leaves the sums over all blocks in `in.sums`.
template <class Real, class Body>
void sum_blocks(const BlockSums<Real>& in, const Body& body) {
  for_each_block(in.rows, [&](std::int64_t begin, std::int64_t end, std::int64_t part) {
    Real* const mine = in.parts + begin / rows_per_block * in.width;
    std::fill_n(mine, in.width, Real{0});
    if constexpr (std::is_invocable_v<const Body&, std::int64_t, std::int64_t, Real*,
                                      std::int64_t>) {
      body(begin, end, mine, part);
    } else {
      body(begin, end, mine);
    }
  });
  std::fill_n(in.sums, in.width, 0);
  for (std::int64_t block = 0; block < blocks_of(in.rows); ++block) {
    for (std::int64_t i = 0; i < in.width; ++i) {
      in.sums[i] += static_cast<double>(in.parts[block * in.width + i]);
    }
  }
}

/// Rounds sums into an array.
template <class Real>
void write_sums(const BlockSums<Real>& from, std::int64_t begin, std::int64_t count, Real* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<Real>(from.sums[begin + i]);
}

}  // namespace medurwkv::kernels
