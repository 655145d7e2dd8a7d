// oneDNN as the program itself links it (the native engine runs on it). Relies on oneDNN.
#pragma once

#include <cstdint>
#include <string>

namespace medurwkv::native {

/// "2.6.3".
std::string onednn_version();

/// The best instruction set oneDNN will use here, as a word ("avx512_core").
std::string onednn_isa();

/// A float32 matrix product rows x inner by inner x columns on the present threads: checks its
/// result against a plain loop on a few elements and returns its speed in GFLOP/s (best of several
/// runs). Throws an internal Error when a result is wrong.
double onednn_matmul_gflops(std::int64_t rows, std::int64_t inner, std::int64_t columns);

/// Whether it multiplies bfloat16 numbers by instructions made for that (AVX512-BF16 or AMX).
bool onednn_has_bfloat16();
/// The same of whole numbers of 8 bits (AVX512-VNNI or AMX).
bool onednn_has_int8();

}  // namespace medurwkv::native
