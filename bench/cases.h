// What is timed, with the least work that it has to do: bi-WKV by itself, every operation of a
// network, whole networks. Over any interpreter, so that ours and the peers run the same. Relies on
// network_run.h, torch/plan_run.h and measure/roofline.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/text.h"
#include "measure/roofline.h"
#include "net/presets.h"
#include "network_run.h"
#include "torch/plan_run.h"

namespace medurwkv::bench {

struct BenchCase {
  std::string group;  ///< "bi-WKV", "operation" or "network"
  std::string name;
  std::string pass;        ///< "forward", "backward", "forward + backward" or "training step"
  std::int64_t count = 1;  ///< how often the network has it
  std::vector<measure::Work> work;
  std::function<void()> run;
};

/// Our kernel alone, `channels` wide, one image: the three modes, forward and backward.
std::vector<BenchCase> wkv_cases(const std::vector<std::int64_t>& tokens, std::int64_t channels);

/// "linear 1x256x192 by 768x192": what tells operations apart, for people.
std::string operation_name(const plan::Plan& plan, const plan::Operation& op);

/// The plan's different operations but views: an index of each, and how often it comes.
struct OperationUse {
  std::size_t index = 0;
  std::string name;
  std::int64_t count = 0;
};
std::vector<OperationUse> distinct_operations(const plan::Plan& plan);

/// Noise in the inputs' shapes, with gradients where the plan has them; maps in `format`.
std::vector<at::Tensor> operation_inputs(const plan::Plan& plan, const plan::Operation& op,
                                         at::MemoryFormat format);

/// One operation, forward and, where anything has a gradient, forward + backward. The interpreter
/// is given a store without tensors: no operation by itself asks for a parameter.
template <net::Ops O>
std::vector<BenchCase> operation_case(const plan::Plan& plan, const OperationUse& use,
                                      at::MemoryFormat format) {
  const auto store = std::make_shared<torch_backend::ParameterStore>(
      std::vector<net::ParameterSpec>{}, 0, at::kFloat, at::kCPU);
  const plan::Operation& op = plan.operations[use.index];
  const std::vector<at::Tensor> in = operation_inputs(plan, op, format);
  std::vector<BenchCase> out{{.group = "operation",
                              .name = use.name,
                              .pass = "forward",
                              .count = use.count,
                              .work = {measure::forward_work(plan, op)},
                              .run = [store, op, in] {
                                const at::NoGradGuard no_grad;
                                O ops(*store, {});
                                torch_backend::run_operation(ops, op, in);
                              }}};
  std::vector<at::Tensor> wanted;
  std::copy_if(in.begin(), in.end(), std::back_inserter(wanted),
               [](const at::Tensor& one) { return one.requires_grad(); });
  std::vector<measure::Work> work = measure::backward_work(plan, op);
  if (wanted.empty() || work.empty()) return out;
  work.push_back(measure::forward_work(plan, op));
  O ops(*store, {.training = true});
  std::vector<at::Tensor> ones;
  for (const at::Tensor& one : torch_backend::run_operation(ops, op, in)) {
    ones.push_back(at::ones_like(one.detach()));
  }
  out.push_back({.group = "operation",
                 .name = use.name,
                 .pass = "forward + backward",
                 .count = use.count,
                 .work = work,
                 .run = [store, op, in, wanted, ones] {
                   O training(*store, {.training = true});
                   torch::autograd::grad(torch_backend::run_operation(training, op, in), wanted,
                                         ones);
                 }});
  return out;
}

/// Sizes and batches of the networks' cases.
struct NetworkCases {
  std::string preset = "tiny";
  std::int64_t size = 256;
  std::int64_t step_batch = 4;  ///< of the training step; 0: without one
};

/// Encoder forward; whole network forward, forward + backward, and the training step.
template <net::Ops O, class Tail>
std::vector<BenchCase> network_cases(const NetworkCases& which, at::MemoryFormat format) {
  using Run = NetworkRun<O, Tail>;
  std::vector<BenchCase> out;
  const auto add = [&](const net::NetworkConfig& config, const std::string& name,
                       const std::string& pass, std::int64_t batch, measure::Extent extent,
                       const std::shared_ptr<Run>& run, void (*call)(Run&)) {
    const plan::Plan plan = plan::record(config, batch, which.size, which.size);
    out.push_back({.group = "network",
                   .name = concat(name, ", batch ", batch, ", ", which.size),
                   .pass = pass,
                   .work = measure::network_work(plan, extent),
                   .run = [run, call] { call(*run); }});
  };
  const auto made = [&](const net::NetworkConfig& config, std::int64_t batch) {
    return std::make_shared<Run>(config, batch, which.size, format);
  };
  const net::NetworkConfig whole = net::preset(which.preset);
  if (whole.architecture == net::Architecture::med_urwkv) {
    const net::NetworkConfig encoder = net::encoder_preset(which.preset);
    const auto run = made(encoder, 1);
    add(encoder, "encoder", "forward", 1, measure::Extent::forward, run,
        [](Run& r) { r.forward(); });
    add(encoder, "encoder", "forward + backward", 1, measure::Extent::forward_backward, run,
        [](Run& r) { r.forward_backward(); });
  }
  const auto one = made(whole, 1);
  add(whole, which.preset, "forward", 1, measure::Extent::forward, one,
      [](Run& r) { r.forward(); });
  add(whole, which.preset, "forward + backward", 1, measure::Extent::forward_backward, one,
      [](Run& r) { r.forward_backward(); });
  if (which.step_batch > 0) {
    add(whole, which.preset, "training step", which.step_batch, measure::Extent::training_step,
        made(whole, which.step_batch), [](Run& r) { r.training_step(); });
  }
  return out;
}

}  // namespace medurwkv::bench
