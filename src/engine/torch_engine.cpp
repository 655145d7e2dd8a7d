#include "engine/torch_engine.h"

#include <torch/cuda.h>

#include <utility>

#include "core/error.h"
#include "core/model_description.h"
#include "core/text.h"
#include "plan/plan.h"
#include "torch/torch_ops.h"
#include "weights/contents.h"
#include "weights/model_file.h"
#include "weights/weights_source.h"

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

/// Weights of others, or ours without what a model file says beside them.
[[noreturn]] void refuse_bare_weights(const weights::TensorIndex& file) {
  const weights::Contents contents = weights::contents_of(file);
  const std::string& name = file.file();
  if (contents.kind == weights::Content::med_urwkv && contents.network) {
    throw_usage(concat(
        name, ": is not a model file, but holds a whole network; make a model file of it: ",
        "medurwkv convert ", name, " ",
        std::filesystem::path(name).replace_extension(".model").string(), " (--classes names its ",
        contents.network->classes, " classes, --size the input's side)"));
  }
  throw_usage(
      concat(name, ": is not a model file, and `medurwkv convert` cannot make one of it: ",
             contents.problem.empty()
                 ? concat("it holds a ", weights::to_string(contents.kind),
                          ", an encoder without the rest; train a model from it: medurwkv train "
                          "--pretrained ",
                          name)
                 : concat(contents.problem, "; `medurwkv inspect ", name, "` says what it holds")));
}

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
  if (std::filesystem::is_directory(path)) {
    throw_usage(concat(path.string(), ": is a folder, expected a model file; that of a run is ",
                       (path / "best.model").string()));
  }
  const auto file = weights::WeightsSource::open(path);
  weights::ModelInfo info;
  Head head;
  std::unique_ptr<torch_backend::ParameterStore> store;
  torch_backend::Destinations destinations;
  file.understood([&] {
    if (!weights::is_model(file.metadata())) refuse_bare_weights(file);
    info = weights::model_info(path.string(), file.metadata());
    head = weights::segmentation_of(path.string(), info);
    check_prediction_memory(
        path.string(),
        {.network = info.network, .size = {info.input.width, info.input.height}, .device = device});
    store = std::make_unique<torch_backend::ParameterStore>(plan::parameters_of(info.network),
                                                            std::nullopt, at::kFloat, device);
    destinations = store->destinations(file);
  });
  const std::string content = torch_backend::read_into(file, destinations);
  ModelDescription description{.input = info.input,
                               .classes = head.classes,
                               .regions = head.regions,
                               .network = info.network.preset,
                               .file = path.string(),
                               .content_sha256 = content,
                               .split_sha256 = info.provenance.value("split_sha256", "")};
  return std::make_unique<FileEngine>(info.network, std::move(store), std::move(description));
}

}  // namespace medurwkv::engine
