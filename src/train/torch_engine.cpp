#include "train/torch_engine.h"

#include <torch/cuda.h>

#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "plan/plan.h"
#include "predict/regions.h"
#include "torch/torch_ops.h"
#include "weights/model_file.h"

namespace medurwkv::train {
namespace {

/// An engine that owns its weights.
class FileEngine : public TorchEngine {
 public:
  FileEngine(const net::NetworkConfig& config, std::unique_ptr<torch_backend::ParameterStore> store,
             ModelDescription description, Regions regions)
      : TorchEngine(config, *store, std::move(description), std::move(regions)),
        store_(std::move(store)) {}

 private:
  std::unique_ptr<torch_backend::ParameterStore> store_;
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

TorchEngine::TorchEngine(const net::NetworkConfig& config,
                         const torch_backend::ParameterStore& store, ModelDescription description,
                         Regions regions)
    : config_(config),
      store_(store),
      description_(std::move(description)),
      regions_(std::move(regions)) {}

std::vector<float> TorchEngine::logits(std::span<const float> input, std::int64_t height,
                                       std::int64_t width) {
  const at::NoGradGuard no_grad;
  // from_blob wants a mutable pointer; the input is only read.
  const at::Tensor image = at::from_blob(const_cast<float*>(input.data()),
                                         {1, config_.channels, height, width}, at::kFloat)
                               .to(store_.device(), store_.type());
  const auto out = torch_backend::run_network(config_, store_, {}, image);
  const at::Tensor flat = out.logits.to(at::kCPU, at::kFloat).contiguous();
  std::vector<float> planes(flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel());
  return regions_.empty() ? planes : predict::class_logits(planes, regions_);
}

std::unique_ptr<Engine> open_model(const std::filesystem::path& path, const at::Device& device) {
  const weights::TensorFile file = weights::read_checked(path);
  const weights::ModelInfo info = weights::model_info(path.string(), file.metadata());
  auto store = std::make_unique<torch_backend::ParameterStore>(plan::parameters_of(info.network), 0,
                                                               at::kFloat, device);
  try {
    store->load(file);
  } catch (const Error& error) {
    throw_failure(concat(path.string(), ": ", error.what()));
  }
  ModelDescription description{.input = info.input,
                               .classes = info.classes,
                               .network = info.network.preset,
                               .file = path.string(),
                               .sha256 = sha256_file(path),
                               .split_sha256 = info.provenance.value("split_sha256", "")};
  return std::make_unique<FileEngine>(info.network, std::move(store), std::move(description),
                                      info.regions);
}

}  // namespace medurwkv::train
