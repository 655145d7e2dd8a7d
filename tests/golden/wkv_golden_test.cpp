// bi-WKV's kernels against the golden files: outputs of all three modes and the gradients of exact,
// in float64 and in float32 on every instruction set; the LibTorch composition (used on CUDA)
// against the same values.
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "kernels/bi_wkv.h"
#include "support/arithmetic.h"
#include "support/golden.h"
#include "support/tensors.h"
#include "torch/torch_ops.h"

namespace medurwkv {
namespace {

using kernels::WkvMode;

const std::vector<test::GoldenGroup> groups{
    {"short", {"1x1x4", "1x2x8", "2x7x32", "1x31x32", "1x33x32", "2x64x32"}},
    {"long", {"1x196x48", "1x1000x8", "1x4096x4"}},
    {"extreme", {"x_k80", "x_w", "x_u", "x_eqk", "x_mix"}}};

const char* output_of(WkvMode mode) {
  return mode == WkvMode::exact ? "y" : mode == WkvMode::released32 ? "y_vr32" : "y_vr16";
}

template <class Real>
struct Run {
  kernels::WkvShape shape;
  std::vector<Real> w, u, k, v, gy;

  explicit Run(const weights::TensorFile& file)
      : w(get(file, "w")),
        u(get(file, "u")),
        k(get(file, "k")),
        v(get(file, "v")),
        gy(get(file, "gy")) {
    const Shape sides = file.info("k").shape;
    shape = {.batch = sides[0], .tokens = sides[1], .channels = sides[2]};
  }
  static std::vector<Real> get(const weights::TensorFile& file, const std::string& name) {
    const std::vector<double> values = file.values(name);
    return {values.begin(), values.end()};
  }
  [[nodiscard]] kernels::WkvInput<Real> input() const {
    return {.decay = w.data(), .first = u.data(), .key = k.data(), .value = v.data()};
  }
};

template <class Real>
std::vector<double> doubles(const std::vector<Real>& values) {
  return {values.begin(), values.end()};
}

template <class Real>
void check_kernel(const weights::TensorFile& file, const nlohmann::json& tolerance) {
  const Run<Real> run(file);
  for (const WkvMode mode : {WkvMode::exact, WkvMode::released32, WkvMode::released16}) {
    const std::string name = output_of(mode);
    if (tolerance.at(name).is_null()) continue;
    std::vector<Real> y(run.k.size());
    kernels::bi_wkv_forward<Real>(run.shape, mode, run.input(), y.data(),
                                  kernels::OwnWorkspace(kernels::bi_wkv_forward_workspace(
                                      run.shape, mode, run.w.data(), run.u.data())));
    EXPECT_TRUE(test::is_close(doubles(y), file.values(name), tolerance.at(name))) << name;
  }
  std::vector<Real> gw(run.w.size());
  std::vector<Real> gu(run.u.size());
  std::vector<Real> gk(run.k.size());
  std::vector<Real> gv(run.v.size());
  kernels::bi_wkv_backward<Real>(
      run.shape, WkvMode::exact, run.input(), run.gy.data(),
      {.decay = gw.data(), .first = gu.data(), .key = gk.data(), .value = gv.data()},
      kernels::OwnWorkspace(kernels::bi_wkv_backward_workspace(run.shape, WkvMode::exact,
                                                               run.w.data(), run.u.data())));
  EXPECT_TRUE(test::is_close(doubles(gw), file.values("gw"), tolerance.at("gw")));
  EXPECT_TRUE(test::is_close(doubles(gu), file.values("gu"), tolerance.at("gu")));
  EXPECT_TRUE(test::is_close(doubles(gk), file.values("gk"), tolerance.at("gk")));
  EXPECT_TRUE(test::is_close(doubles(gv), file.values("gv"), tolerance.at("gv")));
}

using GroupAndArithmetic = std::tuple<test::GoldenGroup, test::Arithmetic>;

std::string name_of(const ::testing::TestParamInfo<GroupAndArithmetic>& tested) {
  return std::get<0>(tested.param).name + "_" + std::get<1>(tested.param).name();
}

class WkvKernelGolden : public ::testing::TestWithParam<GroupAndArithmetic> {};

TEST_P(WkvKernelGolden, OutputsAndGradients) {
  const auto& [group, arithmetic] = GetParam();
  const test::Forced forced(arithmetic);
  for (const std::string& name : group.files) {
    SCOPED_TRACE(name);
    MEDURWKV_GOLDEN_OR_SKIP(file, "wkv_" + name);
    const auto& tolerance =
        test::golden_facts("wkv_" + name).at("tolerance").at(arithmetic.precision());
    if (arithmetic.single()) {
      check_kernel<float>(file, tolerance);
    } else {
      check_kernel<double>(file, tolerance);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Files, WkvKernelGolden,
    ::testing::Combine(::testing::ValuesIn(groups),
                       ::testing::ValuesIn(test::every_arithmetic_of_the_cpu())),
    name_of);

/// ComposedOps on a file's values, which it takes before the division by the number of tokens.
void check_composition(const weights::TensorFile& file, const nlohmann::json& tolerance,
                       const at::TensorOptions& type) {
  const at::Tensor k = test::golden_tensor(file, "k", type).requires_grad_(true);
  const at::Tensor v = test::golden_tensor(file, "v", type).requires_grad_(true);
  const auto tokens = static_cast<double>(k.size(1));
  const at::Tensor w = (test::golden_tensor(file, "w", type) * tokens).requires_grad_(true);
  const at::Tensor u = (test::golden_tensor(file, "u", type) * tokens).requires_grad_(true);
  for (const WkvMode mode : {WkvMode::exact, WkvMode::released32, WkvMode::released16}) {
    const std::string name = output_of(mode);
    if (tolerance.at(name).is_null()) continue;
    const at::Tensor y = torch_backend::ComposedOps::bi_wkv(w, u, k, v, mode);
    EXPECT_TRUE(test::is_close(test::elements(y), file.values(name), tolerance.at(name))) << name;
    if (mode != WkvMode::exact) continue;
    (y * test::golden_tensor(file, "gy", type)).sum().backward();
    const auto check = [&](const std::string& gradient, const at::Tensor& actual) {
      EXPECT_TRUE(
          test::is_close(test::elements(actual), file.values(gradient), tolerance.at(gradient)))
          << gradient;
    };
    check("gw", w.grad() * tokens);
    check("gu", u.grad() * tokens);
    check("gk", k.grad());
    check("gv", v.grad());
  }
}

class WkvCompositionGolden : public ::testing::TestWithParam<GroupAndArithmetic> {};

TEST_P(WkvCompositionGolden, OutputsAndGradients) {
  const auto& [group, arithmetic] = GetParam();
  for (const std::string& name : group.files) {
    SCOPED_TRACE(name);
    MEDURWKV_GOLDEN_OR_SKIP(file, "wkv_" + name);
    check_composition(file,
                      test::golden_facts("wkv_" + name).at("tolerance").at(arithmetic.precision()),
                      arithmetic.options());
  }
}

INSTANTIATE_TEST_SUITE_P(Files, WkvCompositionGolden,
                         ::testing::Combine(::testing::ValuesIn(groups),
                                            ::testing::ValuesIn(test::both_precisions())),
                         name_of);

}  // namespace
}  // namespace medurwkv
