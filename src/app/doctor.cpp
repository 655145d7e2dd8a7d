#include "app/doctor.h"

#include <cmath>
#include <string>
#include <vector>

#include "app/training_library.h"
#include "core/threads.h"
#include "kernels/bi_wkv.h"
#include "measure/machine.h"
#include "native/onednn.h"

namespace medurwkv::app {

namespace {

/// bi-WKV of three tokens against values worked out by hand: with w = ln 2, u = ln 3 and k = 0 the
/// weights of token 0 are 3, 1, 1/2 on values 1, 2, 4.
template <class Real>
bool wkv_is_right(double tolerance) {
  const Real w = std::log(Real{2});
  const Real u = std::log(Real{3});
  const std::vector<Real> k{0, 0, 0};
  const std::vector<Real> v{1, 2, 4};
  std::vector<Real> y(3);
  constexpr kernels::WkvShape shape{.batch = 1, .tokens = 3, .channels = 1};
  constexpr auto mode = kernels::WkvMode::exact;
  kernels::bi_wkv_forward<Real>(
      shape, mode, {.decay = &w, .first = &u, .key = k.data(), .value = v.data()}, y.data(),
      kernels::OwnWorkspace(kernels::bi_wkv_forward_workspace(shape, mode, &w, &u)));
  const std::vector<double> expected{7.0 / 4.5, 11.0 / 5.0, 14.5 / 4.5};
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (!(std::abs(static_cast<double>(y[i]) - expected[i]) < tolerance)) return false;
  }
  return true;
}

}  // namespace

DoctorReport examine_machine() {
  const std::int64_t kilobytes = std::stoll(measure::line_of("/proc/meminfo", "MemTotal"));
  DoctorReport out{.machine = this_machine(),
                   .threads = thread_count(),
                   .memory_bytes = 1024 * kilobytes,
                   .onednn_gflops = native::onednn_matmul_gflops(512, 512, 512),
                   .self_test_passed = wkv_is_right<double>(1e-12) && wkv_is_right<float>(2e-6),
                   .training_library = {}};
  if (has_training_library()) out.training_library = describe_training_library();
  return out;
}

}  // namespace medurwkv::app
