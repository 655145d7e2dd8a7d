#include "native/onednn.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::native {
namespace {

std::vector<float> filled(std::int64_t count, std::int64_t period) {
  std::vector<float> out(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<float>(static_cast<std::int64_t>(i) % period) / static_cast<float>(period);
  }
  return out;
}

}  // namespace

std::string onednn_version() {
  const dnnl_version_t* version = dnnl_version();
  return concat(version->major, ".", version->minor, ".", version->patch);
}

std::string onednn_isa() {
#if defined(__aarch64__)
  // It has numbers of its own there, for which its headers have no names: a bit for each set.
  switch (static_cast<unsigned>(dnnl::get_effective_cpu_isa())) {
    case 0x1: return "asimd";
    case 0x3: return "sve_128";
    case 0x7: return "sve_256";
    case 0x1f: return "sve_512";
    default: return "other";
  }
#else
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41: return "sse41";
    case dnnl::cpu_isa::avx: return "avx";
    case dnnl::cpu_isa::avx2: return "avx2";
    case dnnl::cpu_isa::avx512_core: return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni: return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16: return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_amx: return "avx512_core_amx";
    default: return "other";
  }
#endif
}

bool onednn_has_bfloat16() {
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
  return isa == dnnl::cpu_isa::avx512_core_bf16 || isa == dnnl::cpu_isa::avx512_core_amx;
}

bool onednn_has_int8() {
  return onednn_has_bfloat16() || dnnl::get_effective_cpu_isa() == dnnl::cpu_isa::avx512_core_vnni;
}

double onednn_matmul_gflops(std::int64_t rows, std::int64_t inner, std::int64_t columns) {
  std::vector<float> a = filled(rows * inner, 7);
  std::vector<float> b = filled(inner * columns, 11);
  std::vector<float> c(static_cast<std::size_t>(rows * columns));
  const dnnl_dim_t m = rows;
  const dnnl_dim_t n = columns;
  const dnnl_dim_t k = inner;
  double best = 0;
  for (int round = 0; round < 10; ++round) {
    const auto start = std::chrono::steady_clock::now();
    if (dnnl_sgemm('N', 'N', m, n, k, 1, a.data(), k, b.data(), n, 0, c.data(), n) !=
        dnnl_success) {
      throw_internal("oneDNN refused a matrix product");
    }
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, 2e-9 * static_cast<double>(m * n * k) / seconds);
  }
  for (std::int64_t i = 0; i < rows; i += std::max<std::int64_t>(1, rows / 5)) {
    double expected = 0;
    for (std::int64_t j = 0; j < inner; ++j) {
      expected += static_cast<double>(a[static_cast<std::size_t>(i * inner + j)]) *
                  static_cast<double>(b[static_cast<std::size_t>(j * columns + columns - 1)]);
    }
    const auto got = static_cast<double>(c[static_cast<std::size_t>((i + 1) * columns - 1)]);
    if (std::abs(got - expected) > 1e-4 * (1 + std::abs(expected))) {
      throw_internal(concat("oneDNN's matrix product is wrong: ", got, " instead of ", expected));
    }
  }
  return best;
}

}  // namespace medurwkv::native
