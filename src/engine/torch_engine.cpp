#include "engine/torch_engine.h"

#include <torch/cuda.h>

#include <unordered_map>
#include <utility>

#include "core/error.h"
#include "core/model_description.h"
#include "core/text.h"
#include "plan/plan.h"
#include "torch/torch_ops.h"
#include "weights/opened_model.h"

namespace medurwkv::engine {
namespace {

/// An engine that owns its weights. Images may come at their own sizes; each is looked at before
/// memory is taken for it.
class FileEngine : public TorchEngine {
 public:
  FileEngine(const net::NetworkConfig& config, std::unique_ptr<torch_backend::ParameterStore> store,
             ModelDescription description)
      : TorchEngine(config, *store, std::move(description)), store_(std::move(store)) {}

  void run(const BatchShape& shape, std::span<const float> input,
           std::span<float> logits) override {
    if (shape != checked_) check_prediction_memory(description().file, question(shape));
    checked_ = shape;
    TorchEngine::run(shape, input, logits);
  }

 private:
  std::unique_ptr<torch_backend::ParameterStore> store_;
  BatchShape checked_;
};

}  // namespace

at::Device device_from(const std::string& name) {
  const bool cuda = torch::cuda::is_available();
  if (name == "cpu" || (name == "auto" && !cuda)) return at::kCPU;
  if (!cuda) {
    throw_usage("--device cuda: this LibTorch has no CUDA device; use --device cpu");
  }
  return at::kCUDA;
}

std::string read_finite(const weights::WeightsSource& file,
                        const torch_backend::Destinations& destinations) {
  std::unordered_map<std::string, std::int64_t> not_finite;
  std::string content = torch_backend::read_into(file, destinations, &not_finite);
  std::string first;
  for (const auto& [name, count] : not_finite) {
    if (count > 0 && (first.empty() || name < first)) first = name;
  }
  if (first.empty()) return content;
  throw_failure(concat(file.file(), ": tensor ", shown(first),
                       " holds NaN or infinite values; the model is damaged or its training "
                       "diverged"));
}

TorchEngine::TorchEngine(const net::NetworkConfig& config,
                         const torch_backend::ParameterStore& store, ModelDescription description)
    : config_(config), store_(store), description_(std::move(description)) {}

PredictionQuestion TorchEngine::question(const BatchShape& shape) const {
  return {.network = config_,
          .size = {shape.width, shape.height},
          .images = shape.images,
          .loaded = true,
          .device = store_.device()};
}

std::int64_t TorchEngine::memory(const BatchShape& shape) const {
  return prediction_memory(question(shape));
}

void TorchEngine::run(const BatchShape& shape, std::span<const float> input,
                      std::span<float> logits) {
  const at::NoGradGuard no_grad;
  // from_blob wants a mutable pointer; the input is only read.
  const at::Tensor images =
      at::from_blob(const_cast<float*>(input.data()),
                    {shape.images, config_.channels, shape.height, shape.width}, at::kFloat)
          .to(store_.device(), store_.type());
  const at::Tensor out = torch_backend::run_network(config_, store_, {}, images).logits;
  if (out.numel() != std::ssize(logits)) {
    throw_internal(concat("the network gave ", out.numel(), " logits, expected ", logits.size()));
  }
  at::from_blob(logits.data(), out.sizes(), at::kFloat).copy_(out);
}

std::unique_ptr<Engine> open_model(const std::filesystem::path& path, const at::Device& device) {
  const weights::OpenedModel model = weights::open_segmentation(path);
  const weights::ModelInfo& info = model.info;
  std::unique_ptr<torch_backend::ParameterStore> store;
  torch_backend::Destinations destinations;
  model.file.understood([&] {
    check_prediction_memory(
        path.string(),
        {.network = info.network, .size = {info.input.width, info.input.height}, .device = device});
    store = std::make_unique<torch_backend::ParameterStore>(plan::parameters_of(info.network),
                                                            std::nullopt, at::kFloat, device);
    destinations = store->destinations(model.file);
  });
  const std::string content = read_finite(model.file, destinations);
  return std::make_unique<FileEngine>(info.network, std::move(store), model.description(content));
}

}  // namespace medurwkv::engine
