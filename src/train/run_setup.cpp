#include "train/run_setup.h"

#include <algorithm>
#include <fstream>
#include <string>

#include <torch/cuda.h>
#include <torch/version.h>

#include "core/error.h"
#include "core/text.h"
#include "core/threads.h"
#include "core/version.h"
#include "engine/torch_engine.h"
#include "kernels/isa.h"
#include "plan/counting.h"
#include "train/pretraining/pretraining.h"
#include "train/run_start.h"
#include "train/segmentation/task.h"

namespace medurwkv::train {

std::optional<InitialWeights> initial_weights_of(const TrainRequest& request) {
  if (!request.pretrained.empty()) {
    return std::optional<InitialWeights>(std::in_place, InitialWeights::pretrained,
                                         request.pretrained);
  }
  if (!request.init.empty()) {
    return std::optional<InitialWeights>(std::in_place, InitialWeights::init, request.init);
  }
  return std::nullopt;
}

at::Device device_of(const TrainRequest& request) {
  const at::Device device = engine::device_from(request.device);
  if (!device.is_cuda() || request.rendezvous.empty()) return device;
  const int among = request.local_rank >= 0 ? request.local_rank : request.rank;
  return {at::kCUDA, static_cast<at::DeviceIndex>(among % torch::cuda::device_count())};
}

Meeting meeting_of(const TrainRequest& request, const at::Device& device) {
  if (request.rendezvous.empty()) return {};
  torch_backend::Rendezvous where = torch_backend::rendezvous_from(request.rendezvous);
  where.rank = request.rank;
  where.world = request.world;
  return {where, device};
}

bool bfloat16_pays(const at::Device& device) {
  if (!device.is_cpu()) return true;
  std::ifstream processor("/proc/cpuinfo");
  std::string word;
  while (processor >> word) {
    if (word == "amx_bf16") return true;
  }
  return false;
}

Config configuration_of(const TrainRequest& request, const std::optional<InitialWeights>& initial) {
  const Config defaults = initial ? initial->defaults() : default_config(task_from(request.task));
  if (request.resume && request.config.empty()) {
    return own_configuration(request.out.path(), request.settings, defaults);
  }
  return load_config(request.config, request.settings, defaults);
}

std::unique_ptr<Task> task_of(const TrainRequest& request, Config& config,
                              const at::Device& device) {
  switch (config.task) {
    case TaskKind::segmentation: return segmentation_task(request, config, device);
    case TaskKind::classify: return classify_task(request, config);
    case TaskKind::simmim: return simmim_task(request, config);
    case TaskKind::distill: return distill_task(request, config, device);
  }
  throw_internal("unknown task");
}

namespace {

/// Of the objective alone; each has a gradient and two moments.
std::int64_t parameters_of(const Objective& objective) {
  std::int64_t out = 0;
  for (const net::ParameterSpec& spec : objective.own_parameters()) {
    out += element_count(spec.shape);
  }
  return out;
}

}  // namespace

ExpectedMemory expected_memory(const TrainRequest& request, const Config& config, const Task& task,
                               const at::Device& device) {
  const TaskSize size = task.size();
  return expect_memory(
      {.network = task.info().network,
       .input = task.info().input,
       .batch = (std::min(config.run.batch, task.samples()) + request.world - 1) / request.world,
       .accumulate = config.optimizer.accumulate,
       .loss_parts = size.loss_parts,
       .own = size.own + 16 * parameters_of(task.objective()),
       .copies_weights = size.copies_weights,
       .average = config.optimizer.ema > 0,
       .cases = size.cases,
       .mean_case = size.mean_case,
       .workers = thread_count(),
       .cache = request.cache,
       .limit = request.memory,
       .device = device});
}

std::string size_text(const weights::ModelInfo& info) {
  const plan::Cost cost =
      plan::count(plan::record(info.network, 1, info.input.height, info.input.width));
  return concat(info.network.preset, ": ", with_thousands(cost.parameters), " parameters, ",
                fixed(static_cast<double>(cost.multiply_adds) * 1e-9, 2), " G multiply-adds at ",
                info.input.width, " x ", info.input.height);
}

std::vector<std::string> notes_at_start(const Config& config, const Beginning& beginning,
                                        const at::Device& device) {
  std::vector<std::string> out;
  if (!beginning.initial_tensors.empty() && config.encoder.frozen_epochs > 0 &&
      beginning.initial_weights.value("option", "") == InitialWeights::pretrained) {
    out.push_back(concat("the ", beginning.initial_tensors.size(),
                         " tensors of the file stay as they are for ", config.encoder.frozen_epochs,
                         " epochs"));
  }
  if (config.run.precision == "bfloat16" && !bfloat16_pays(device)) {
    out.emplace_back(
        "warning: bfloat16 is no faster than float32 on this processor, which has no AMX "
        "(docs/performance.md); run.precision = float32 is the better choice");
  }
  return out;
}

nlohmann::json environment_of(const at::Device& device, int processes) {
  return {{"threads", thread_count()}, {"processes", processes},
          {"device", device.str()},    {"instruction_set", kernels::chosen_isa().name},
          {"libtorch", TORCH_VERSION}, {"medurwkv", medurwkv::version}};
}

}  // namespace medurwkv::train
