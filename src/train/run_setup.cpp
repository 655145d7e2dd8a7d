#include "train/run_setup.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <utility>

#include <torch/cuda.h>

#include "core/error.h"
#include "core/model_description.h"
#include "core/text.h"
#include "core/threads.h"
#include "core/version.h"
#include "data/layout/channels.h"
#include "engine/torch_engine.h"
#include "train/run_start.h"
#include "train/samples.h"

namespace medurwkv::train {

InputContract input_of(const Config& config, std::int64_t files) {
  InputContract out{.fit = fit_from(config.input.fit),
                    .width = config.input.width,
                    .height = config.input.height,
                    .channels = config.network.channels,
                    .files = files};
  if (config.input.window_low < config.input.window_high) {
    out.window = {config.input.window_low, config.input.window_high};
  }
  if (out.channels != 3) {
    const auto channels = static_cast<std::size_t>(out.channels);
    out.mean.assign(channels, 0.449);
    out.deviation.assign(channels, 0.226);
  }
  return out;
}

std::optional<int> fold_of(const Config& config) {
  return config.run.fold > 0 ? std::optional(static_cast<int>(config.run.fold)) : std::nullopt;
}

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
  return {at::kCUDA, static_cast<at::DeviceIndex>(request.rank % torch::cuda::device_count())};
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

RunCases::RunCases(const data::Dataset& dataset, const data::Split& split, std::int64_t channels) {
  std::vector<data::Case> all = data::part_of(dataset, split, "train");
  if (all.empty()) throw_failure("the split's train part is empty");
  train = all.size();
  const std::vector<data::Case> validation = data::part_of(dataset, split, "val");
  val = validation.size();
  all.insert(all.end(), validation.begin(), validation.end());
  data::check_channels(all, data::read_channels(all), channels, "--set network.channels=");
  reader = case_reader(dataset, std::move(all));
}

Config configuration_of(const TrainRequest& request, const std::optional<InitialWeights>& initial) {
  const Config defaults = initial ? initial->defaults() : Config();
  if (request.resume && request.config.empty()) {
    return own_configuration(request.out.path(), request.settings, defaults);
  }
  return load_config(request.config, request.settings, defaults);
}

data::DatasetOptions split_options_of(const TrainRequest& request) {
  try {
    return data::split_options(request.split);
  } catch (const Error& error) {
    if (!request.resume || request.split != (request.out / "split.json").path()) throw;
    throw_failure(
        concat(error.what(), "; name the split that the run was started with: --split FILE"));
  }
}

weights::ModelInfo described(Config& config, const data::Dataset& dataset, const data::Split& split,
                             const std::string& split_sha256) {
  const std::int64_t classes = std::ssize(dataset.classes);
  return {.network = resolve_network(config, classes),
          .input = input_of(config, std::ssize(dataset.cases.front().images)),
          .classes = dataset.classes,
          .regions = regions_of(config, classes),
          .provenance = {{"data_sha256", split.data_sha256},
                         {"split_sha256", split_sha256},
                         {"configuration", to_toml(config)},
                         {"seed", config.run.seed},
                         {"medurwkv", medurwkv::version}}};
}

ExpectedMemory expected_memory(const TrainRequest& request, const Config& config,
                               const weights::ModelInfo& info, const RunCases& cases,
                               const at::Device& device) {
  return expect_memory(
      {.network = info.network,
       .input = info.input,
       .batch = (std::min(config.run.batch, static_cast<std::int64_t>(cases.train)) +
                 request.world - 1) /
                request.world,
       .accumulate = config.optimizer.accumulate,
       .loss_parts = (config.loss.focal > 0 ? 1 : 0) + (config.loss.tversky > 0 ? 1 : 0) +
                     (config.loss.boundary > 0 ? 1 : 0),
       .average = config.optimizer.ema > 0,
       .cases = static_cast<std::int64_t>(cases.count()),
       .mean_case = mean_case_size(cases.reader, cases.count()),
       .workers = thread_count(),
       .cache = request.cache,
       .limit = request.memory,
       .device = device});
}

}  // namespace medurwkv::train
