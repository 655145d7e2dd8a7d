// Single modules of the network against the golden files: outputs and the gradients of every input
// and parameter, running statistics, bi-WKV's exact and released32 mode. With TorchOps in float64
// and in float32 on every instruction set, with ComposedOps, and the shapes with RecordOps.
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "plan/record_ops.h"
#include "support/arithmetic.h"
#include "support/golden.h"
#include "support/golden_module.h"
#include "support/tensors.h"
#include "torch/torch_ops.h"

namespace medurwkv {
namespace {

using net::Grid;
using test::golden_grids;
using test::GoldenModule;
using test::Named;
using test::names_behind;
using test::run_module;
using torch_backend::ParameterStore;
using weights::TensorFile;

/// The parameters that the module asks for and the shapes it says to give, from RecordOps.
std::vector<net::ParameterSpec> record(const TensorFile& file, const GoldenModule& facts) {
  plan::Plan plan;
  plan::RecordOps ops(plan);
  Named<plan::ValueId> inputs;
  for (const std::string& name : names_behind(file, "x.")) {
    inputs[name] = plan.add_value(file.info("x." + name).shape);
  }
  for (const auto& [name, output] : run_module(ops, facts, inputs)) {
    EXPECT_EQ(ops.shape(output), file.info("y." + name).shape) << name;
  }
  return plan.parameters;
}

/// Leaves of the file's inputs, maps as the network keeps them.
Named<at::Tensor> leaves(const TensorFile& file, const at::TensorOptions& options) {
  Named<at::Tensor> out;
  for (const std::string& name : names_behind(file, "x.")) {
    at::Tensor x = test::golden_tensor(file, "x." + name, options);
    if (x.dim() == 4) x = x.contiguous(at::MemoryFormat::ChannelsLast);
    out[name] = x.requires_grad_(true);
  }
  return out;
}

/// One file in one arithmetic.
class Checked {
 public:
  Checked(std::string name, const TensorFile& file, const test::Arithmetic& arithmetic)
      : name_(std::move(name)), file_(file), arithmetic_(arithmetic) {}

  /// The module's outputs, gradients and running statistics.
  template <class Ops>
  void module() const {
    const test::Forced forced(arithmetic_);
    const GoldenModule facts(name_, net::WkvMode::exact);
    ParameterStore store(record(file_, facts), 0, arithmetic_.type, arithmetic_.device);
    EXPECT_EQ(store.specs().size(), names_behind(file_, "p.").size());
    torch_backend::read_into(weights::WeightsSource(file_), store.destinations(file_, "p."));
    Ops ops(store, {.training = facts.flag("train")});
    const Named<at::Tensor> inputs = leaves(file_, arithmetic_.options());
    outputs_and_inputs(inputs, run_module(ops, facts, inputs));
    for (const std::string& name : names_behind(file_, "gp.")) {
      close(store.at(name).grad(), "gp." + name, "gp");
    }
    for (const std::string& name : names_behind(file_, "b."))
      close(store.at(name), "b." + name, "y");
    const std::vector<std::string> released = names_behind(file_, "y_vr32.");
    if (released.empty()) return;
    const at::NoGradGuard no_grad;
    const Named<at::Tensor> outputs =
        run_module(ops, GoldenModule(name_, net::WkvMode::released32), inputs);
    for (const std::string& name : released) close(outputs.at(name), "y_vr32." + name, "y");
  }

  /// The core of deformable attention, at free places and with free weights.
  template <class Ops>
  void deform_core() const {
    const test::Forced forced(arithmetic_);
    const Named<at::Tensor> inputs = leaves(file_, arithmetic_.options());
    const nlohmann::json parameters = test::golden_facts(name_).at("parameters");
    const at::Tensor& places = inputs.at("loc");  // batch x queries x heads x levels x points x 2
    const at::Tensor& weights = inputs.at("attn");
    // Ours samples around the centres of a grid (a row of as many as there are queries), in pixels.
    const std::int64_t queries = places.size(1);
    const net::DeformableAttention where{.queries = {{1, queries}},
                                         .levels = golden_grids(parameters.at("shapes")),
                                         .heads = places.size(2),
                                         .points = places.size(4)};
    const at::TensorOptions exactly = arithmetic_.options().dtype(at::kDouble);
    const at::Tensor x = (at::arange(queries, exactly) + 0.5) / queries;
    const at::Tensor centres =
        at::stack({x, at::full_like(x, 0.5)}, -1).reshape({1, queries, 1, 1, 1, 2});
    std::vector<double> sizes;
    for (const Grid grid : where.levels) {
      sizes.push_back(static_cast<double>(grid.width));
      sizes.push_back(static_cast<double>(grid.height));
    }
    const at::Tensor size = at::tensor(sizes, exactly).reshape({1, 1, 1, -1, 1, 2});
    const at::Tensor offsets = ((places.to(at::kDouble) - centres) * size).to(arithmetic_.type);
    // Ours applies a softmax, which leaves of exp(log(weights)) all but their sum.
    const at::Tensor y = Ops::deform_attn(inputs.at("value").flatten(2), offsets.flatten(2),
                                          weights.log().flatten(2), where);
    const at::Tensor sum_of_weights = weights.sum({-1, -2}).unsqueeze(-1);
    outputs_and_inputs(
        inputs,
        {{"y", (y.reshape({y.size(0), queries, where.heads, -1}) * sum_of_weights).flatten(2)}});
  }

 private:
  /// `what`: outputs y, gradients gx of inputs or gp of parameters.
  void close(const at::Tensor& actual, const std::string& tensor, const char* what) const {
    ASSERT_TRUE(actual.defined()) << tensor << " was never computed";
    const auto& facts = test::golden_facts(name_).at("tolerance").at(arithmetic_.precision());
    const double tolerance = facts.is_number() ? facts.get<double>() : facts.at(what).get<double>();
    EXPECT_TRUE(test::is_close(test::elements(actual), file_.values(tensor), tolerance)) << tensor;
  }

  /// Outputs, then the gradients of sum(y gy).
  void outputs_and_inputs(const Named<at::Tensor>& inputs, const Named<at::Tensor>& outputs) const {
    EXPECT_EQ(outputs.size(), names_behind(file_, "y.").size());
    at::Tensor sum = at::zeros({}, arithmetic_.options());
    for (const auto& [name, y] : outputs) {
      close(y, "y." + name, "y");
      sum = sum + (y * test::golden_tensor(file_, "gy." + name, arithmetic_.options())).sum();
    }
    sum.backward();
    for (const auto& [name, x] : inputs) close(x.grad(), "gx." + name, "gx");
  }

  std::string name_;
  const TensorFile& file_;
  const test::Arithmetic& arithmetic_;
};

using GroupAndArithmetic = std::tuple<test::GoldenGroup, test::Arithmetic>;

std::string name_of(const ::testing::TestParamInfo<GroupAndArithmetic>& tested) {
  return std::get<0>(tested.param).name + "_" + std::get<1>(tested.param).name();
}

class ModuleGolden : public ::testing::TestWithParam<GroupAndArithmetic> {};

TEST_P(ModuleGolden, OutputsAndEveryGradient) {
  const auto& [group, arithmetic] = GetParam();
  for (const std::string& name : group.files) {
    SCOPED_TRACE(name);
    MEDURWKV_GOLDEN_OR_SKIP(file, name);
    Checked(name, file, arithmetic).module<torch_backend::TorchOps>();
  }
}

class ComposedModuleGolden : public ::testing::TestWithParam<GroupAndArithmetic> {};

TEST_P(ComposedModuleGolden, OutputsAndEveryGradient) {
  const auto& [group, arithmetic] = GetParam();
  for (const std::string& name : group.files) {
    SCOPED_TRACE(name);
    MEDURWKV_GOLDEN_OR_SKIP(file, name);
    Checked(name, file, arithmetic).module<torch_backend::ComposedOps>();
  }
}

class DeformCoreGolden : public ::testing::TestWithParam<test::Arithmetic> {};

TEST_P(DeformCoreGolden, OutputsAndEveryGradient) {
  for (const char* name : {"msdeform_core_L1_D1", "msdeform_core_L1_D4", "msdeform_core_L3_D8"}) {
    SCOPED_TRACE(name);
    MEDURWKV_GOLDEN_OR_SKIP(file, name);
    const Checked checked(name, file, GetParam());
    checked.deform_core<torch_backend::TorchOps>();
    if (!GetParam().isa) checked.deform_core<torch_backend::ComposedOps>();
  }
}

/// Modules with a kernel of ours inside, which runs on an instruction set.
const std::vector<test::GoldenGroup> with_kernels{
    {"spatialmix", {"spatialmix", "spatialmix_keynorm"}},
    {"channelmix", {"channelmix", "channelmix_keynorm"}},
    {"convffn", {"convffn"}},
    {"spm", {"spm_eval", "spm_train"}},
    {"block", {"block_l0", "block_mid", "block_scale", "block_post", "block_post_noscale"}},
    {"msdeform", {"msdeform_L1_r05", "msdeform_L1_r10", "msdeform_L3_r05", "msdeform_L3_r10"}},
    {"injector", {"injector"}},
    {"extractor", {"extractor"}},
    {"interaction", {"interaction", "interaction_post"}}};

const std::vector<test::GoldenGroup> without_kernels{
    {"qshift",
     {"qshift_1x1x1x5", "qshift_1x3x5x7", "qshift_1x6x4x3", "qshift_2x1x9x8", "qshift_2x4x6x10",
      "qshift_2x5x7x8", "qshift_2x9x1x8"}},
    {"posembed",
     {"posembed_12x12_4x4", "posembed_14x14_14x20", "posembed_14x14_16x16", "posembed_3x5_1x2",
      "posembed_4x4_4x6"}},
    {"bilinear", {"bilinear_x05", "bilinear_x2", "bilinear_x4"}}};

INSTANTIATE_TEST_SUITE_P(WithKernels, ModuleGolden,
                         ::testing::Combine(::testing::ValuesIn(with_kernels),
                                            ::testing::ValuesIn(test::every_arithmetic())),
                         name_of);
INSTANTIATE_TEST_SUITE_P(WithoutKernels, ModuleGolden,
                         ::testing::Combine(::testing::ValuesIn(without_kernels),
                                            ::testing::ValuesIn(test::both_precisions())),
                         name_of);
INSTANTIATE_TEST_SUITE_P(WithKernels, ComposedModuleGolden,
                         ::testing::Combine(::testing::ValuesIn(with_kernels),
                                            ::testing::ValuesIn(test::both_precisions())),
                         name_of);
INSTANTIATE_TEST_SUITE_P(WithoutKernels, ComposedModuleGolden,
                         ::testing::Combine(::testing::ValuesIn(without_kernels),
                                            ::testing::ValuesIn(test::both_precisions())),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Types, DeformCoreGolden, ::testing::ValuesIn(test::every_arithmetic()),
                         [](const auto& tested) { return tested.param.name(); });

}  // namespace
}  // namespace medurwkv
