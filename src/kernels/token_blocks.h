// Spreads operations on rows of channels over the threads, and forms their sums over rows. Blocks
// have a fixed length and are added up in a fixed order, so the bits do not depend on the number of
// threads. Relies on core/threads.h and the tables of kernels/ref and kernels/vector.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "core/threads.h"
#include "kernels/isa.h"
#include "kernels/ref/token_kernels.h"
#include "kernels/vector/table.h"

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

/// Calls body(begin, end) on every block of rows, in parallel.
template <class Body>
void for_each_block(std::int64_t rows, const Body& body) {
  const std::int64_t blocks = (rows + rows_per_block - 1) / rows_per_block;
  parallel_for(blocks, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block) {
      const std::int64_t from = block * rows_per_block;
      body(from, std::min(rows, from + rows_per_block));
    }
  });
}

/// Calls body(begin, end, sums) on blocks of rows; body adds to its `width` sums, which start at 0.
/// Returns the sums over all blocks.
template <class Real, class Body>
std::vector<double> sum_blocks(std::int64_t rows, std::int64_t width, const Body& body) {
  const std::int64_t blocks = (rows + rows_per_block - 1) / rows_per_block;
  std::vector<Real> parts(static_cast<std::size_t>(blocks * width));
  for_each_block(rows, [&](std::int64_t begin, std::int64_t end) {
    body(begin, end, parts.data() + begin / rows_per_block * width);
  });
  std::vector<double> sums(static_cast<std::size_t>(width));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    sums[i % sums.size()] += static_cast<double>(parts[i]);
  }
  return sums;
}

/// Rounds sums into an array.
template <class Real>
void write_sums(const std::vector<double>& sums, std::int64_t begin, std::int64_t count, Real* to) {
  for (std::int64_t i = 0; i < count; ++i) {
    to[i] = static_cast<Real>(sums[static_cast<std::size_t>(begin + i)]);
  }
}

}  // namespace medurwkv::kernels
