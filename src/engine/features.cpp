#include "engine/features.h"

#include "torch/aten.h"

#include <ATen/Parallel.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text.h"
#include "core/threads.h"
#include "engine/memory.h"
#include "engine/torch_engine.h"
#include "maps/maps.h"
#include "plan/plan.h"
#include "torch/parameter_store.h"
#include "torch/torch_ops.h"

namespace medurwkv::engine {
namespace {

using torch_backend::ParameterStore;

maps::Map map_of(const std::string& name, const at::Tensor& output) {
  const at::Tensor flat = output.to(at::kCPU).contiguous();
  return {.name = name,
          .shape = flat.sizes().vec(),
          .bytes = {static_cast<const char*>(flat.data_ptr()), flat.nbytes()}};
}

maps::Run open_network(const maps::Question& question, const library::FeaturesRequest& request) {
  const at::ScalarType type = request.dtype == "float64" ? at::kDouble : at::kFloat;
  const at::Device device = device_from(request.device);
  check_prediction_memory(request.model.string(), {.network = question.network,
                                                   .size = {question.image[3], question.image[2]},
                                                   .number_bytes = type == at::kDouble ? 8 : 4,
                                                   .device = device});
  const auto store = std::make_shared<ParameterStore>(plan::parameters_of(question.network),
                                                      std::nullopt, type, device);
  torch_backend::Destinations destinations;
  for (const weights::UsedTensor& one : question.tensors) {
    destinations.emplace(one.source, store->at(one.name));
  }
  read_finite(question.file, destinations);
  const at::ScalarType given = question.type == NpyType::f32 ? at::kFloat : at::kDouble;
  return [=, network = question.network, shape = question.image](std::string_view image) {
    const at::NoGradGuard no_grad;
    // from_blob wants a mutable pointer; the image is only read.
    const at::Tensor one = at::from_blob(const_cast<char*>(image.data()), shape, given).clone();
    const auto result = torch_backend::run_network(network, *store, {}, one.to(device, type));
    std::vector<maps::Map> out;
    for (std::size_t f = 0; f < result.features.size(); ++f) {
      out.push_back(map_of(concat("f", f + 1), result.features[f]));
    }
    if (result.logits.defined()) out.push_back(map_of("logits", result.logits));
    return out;
  };
}

}  // namespace

library::FeaturesResult features(const library::FeaturesRequest& request, Listener& listener) {
  set_thread_count(request.threads);
  at::set_num_threads(request.threads);
  return maps::write_maps(
      request, [&](const maps::Question& question) { return open_network(question, request); },
      listener);
}

}  // namespace medurwkv::engine
