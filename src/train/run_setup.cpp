#include "train/run_setup.h"

#include <fstream>
#include <string>
#include <utility>

#include "core/error.h"
#include "train/samples.h"

namespace medurwkv::train {

InputContract input_of(const Config& config) {
  InputContract out{.fit = fit_from(config.input.fit),
                    .width = config.input.width,
                    .height = config.input.height,
                    .channels = config.network.channels};
  if (out.fit == Fit::tile) {
    throw_usage("setting input.fit = tile is not supported yet; use native, or stretch or pad");
  }
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

bool bfloat16_pays(const at::Device& device) {
  if (!device.is_cpu()) return true;
  std::ifstream processor("/proc/cpuinfo");
  std::string word;
  while (processor >> word) {
    if (word == "amx_bf16") return true;
  }
  return false;
}

RunCases::RunCases(const data::Dataset& dataset, const data::Split& split) {
  std::vector<data::Case> all = data::part_of(dataset, split, "train");
  if (all.empty()) throw_failure("the split's train part is empty");
  train = all.size();
  const std::vector<data::Case> validation = data::part_of(dataset, split, "val");
  val = validation.size();
  all.insert(all.end(), validation.begin(), validation.end());
  reader = case_reader(dataset, std::move(all));
}

}  // namespace medurwkv::train
