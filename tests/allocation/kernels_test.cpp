// No kernel allocates memory: what it needs beside its arrays is its caller's workspace.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "allocation/heap.h"
#include "core/threads.h"
#include "kernels/bi_wkv.h"
#include "kernels/deform_attn.h"
#include "kernels/isa.h"
#include "kernels/norm.h"
#include "kernels/pointwise.h"
#include "kernels/shift_mix.h"

namespace medurwkv::kernels {
namespace {

/// `run` gets the arrays, all of the same size, and a workspace.
template <class Real>
struct Call {
  std::string name;
  std::int64_t workspace;
  std::function<void(std::array<Real*, 8>& arrays, Workspace workspace)> run;
};

template <class Real>
std::vector<Call<Real>> wkv_calls(const WkvShape& shape, WkvMode mode, const std::string& name,
                                  const std::vector<Real>& decay) {
  const WkvInput<Real> in{.decay = decay.data(), .first = decay.data()};
  return {{name + " forward", bi_wkv_forward_workspace(shape, mode, in.decay, in.first),
           [=](auto& arrays, Workspace workspace) {
             WkvInput<Real> given = in;
             given.key = arrays[0];
             given.value = arrays[1];
             bi_wkv_forward<Real>(shape, mode, given, arrays[2], workspace);
           }},
          {name + " backward", bi_wkv_backward_workspace(shape, mode, in.decay, in.first),
           [=](auto& arrays, Workspace workspace) {
             WkvInput<Real> given = in;
             given.key = arrays[0];
             given.value = arrays[1];
             bi_wkv_backward<Real>(
                 shape, mode, given, arrays[2],
                 {.decay = arrays[3], .first = arrays[4], .key = arrays[5], .value = arrays[6]},
                 workspace);
           }}};
}

template <class Real>
std::vector<Call<Real>> calls_on_rows() {
  constexpr LayerNormShape norm{.rows = 600, .channels = 20};
  constexpr ShiftMixShape grid{.batch = 2, .height = 15, .width = 20, .channels = 20};
  return {
      {"layer norm backward", layer_norm_backward_workspace<Real>(norm),
       [=](auto& arrays, Workspace workspace) {
         layer_norm_backward<Real>(norm, {arrays[0], arrays[1], arrays[2]}, arrays[3], arrays[4],
                                   arrays[5], {arrays[6], arrays[7], arrays[2]}, workspace);
       }},
      {"norm and ReLU forward", norm_relu_forward_workspace<Real>(20),
       [](auto& arrays, Workspace workspace) {
         norm_relu_forward<Real>({600, 20, arrays[0], arrays[1], arrays[2], arrays[3], arrays[4]},
                                 arrays[5], workspace);
       }},
      {"norm and ReLU backward", norm_relu_backward_workspace<Real>(600, 20),
       [](auto& arrays, Workspace workspace) {
         norm_relu_backward<Real>({600, 20, arrays[0], arrays[1], arrays[2], arrays[3], arrays[4]},
                                  arrays[5], arrays[5], true, {arrays[6], arrays[7], arrays[4]},
                                  workspace);
       }},
      {"scaled residual backward", scale_add_backward_workspace<Real>(600, 20),
       [](auto& arrays, Workspace workspace) {
         scale_add_backward<Real>(600, 20, arrays[0], arrays[1], arrays[2], arrays[3], arrays[4],
                                  workspace);
       }},
      {"shift_mix forward", shift_mix_forward_workspace<Real>(grid),
       [=](auto& arrays, Workspace workspace) {
         const std::array<const Real*, 2> mixes{arrays[1], arrays[2]};
         const std::array<Real*, 2> y{arrays[3], arrays[4]};
         shift_mix_forward<Real>(grid, arrays[0], mixes, y, workspace);
       }},
      {"shift_mix backward", shift_mix_backward_workspace<Real>(grid, 2),
       [=](auto& arrays, Workspace workspace) {
         const std::array<const Real*, 2> mixes{arrays[1], arrays[2]};
         const std::array<const Real*, 2> grad_y{arrays[3], arrays[4]};
         const std::array<Real*, 2> grad_mixes{arrays[6], arrays[7]};
         shift_mix_backward<Real>(grid, arrays[0], mixes, grad_y, arrays[5], grad_mixes, workspace);
       }},
  };
}

template <class Real>
std::vector<Call<Real>> deform_calls(const DeformShape& shape) {
  const std::int64_t bytes = deform_attn_workspace<Real>(shape);
  // The shape holds lists: taken by reference, so that nobody copies it while the heap is watched.
  return {
      {"deformable attention forward", bytes,
       [&shape](auto& arrays, Workspace workspace) {
         deform_attn_forward<Real>(shape, {arrays[0], arrays[1], arrays[2]}, arrays[3], workspace);
       }},
      {"deformable attention backward", bytes, [&shape](auto& arrays, Workspace workspace) {
         deform_attn_backward<Real>(shape, {arrays[0], arrays[1], arrays[2]}, arrays[3],
                                    {arrays[4], arrays[5], arrays[6]}, workspace);
       }}};
}

template <class Real>
void expect_no_allocation() {
  const DeformShape deform{2, 3, 4, 8, {{5, 7, 0}}, {{5, 7, 0}, {3, 4, 35}}};
  const std::vector<Real> usual(20, static_cast<Real>(0.001));
  const std::vector<Real> steep(20, Real{30});  // beyond the vector kernels' limits
  std::vector<Call<Real>> calls = calls_on_rows<Real>();
  const auto add = [&](const std::vector<Call<Real>>& more) {
    calls.insert(calls.end(), more.begin(), more.end());
  };
  add(deform_calls<Real>(deform));
  for (const std::int64_t tokens : {1, 100, 2500}) {
    const WkvShape shape{.batch = 1, .tokens = tokens, .channels = 20};
    const std::string name = "bi-WKV of " + std::to_string(tokens);
    add(wkv_calls<Real>(shape, WkvMode::exact, name, usual));
    add(wkv_calls<Real>(shape, WkvMode::released32, name + ", steep", steep));
  }
  std::vector<std::vector<Real>> memory(8, std::vector<Real>(2500 * 20, Real{0.5}));
  std::array<Real*, 8> arrays{};
  for (std::size_t i = 0; i < arrays.size(); ++i) arrays[i] = memory[i].data();
  for (const Call<Real>& call : calls) {
    std::vector<std::byte> workspace(static_cast<std::size_t>(call.workspace));
    call.run(arrays, workspace);  // libgomp makes its threads
    test::start_watching();
    call.run(arrays, workspace);
    EXPECT_EQ(test::stop_watching().count, 0) << call.name;
    if (workspace.empty()) continue;
    EXPECT_THROW(call.run(arrays, Workspace(workspace).first(workspace.size() / 2)), Error)
        << call.name << ": a workspace that is too small";
  }
}

class Kernels : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_thread_count(GetParam()); }
  void TearDown() override {
    force_isa(isa_);
    set_thread_count(threads_);
  }

 private:
  const Isa& isa_ = chosen_isa();
  int threads_ = thread_count();
};

TEST_P(Kernels, AllocateNothing) {
  expect_no_allocation<double>();
  for (const Isa* isa : available_isas()) {
    SCOPED_TRACE(isa->name);
    force_isa(*isa);
    expect_no_allocation<float>();
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, Kernels, ::testing::Values(1, 2, 3));

}  // namespace
}  // namespace medurwkv::kernels
