#include "engine/features.h"

#include "torch/aten.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/folder_lock.h"
#include "core/npy.h"
#include "core/stop.h"
#include "core/text.h"
#include "core/threads.h"
#include "engine/memory.h"
#include "engine/torch_engine.h"
#include "net/presets.h"
#include "plan/plan.h"
#include "torch/parameter_store.h"
#include "torch/torch_ops.h"
#include "train/run/config.h"
#include "weights/coverage.h"
#include "weights/model_file.h"
#include "weights/weights_source.h"

namespace medurwkv::engine {
namespace {

using library::FeaturesRequest;
using nlohmann::json;
using weights::Content;

/// The preset `name` of the architecture that the file holds, with the file's own classes, channels
/// and grid of positions.
net::NetworkConfig with_preset(const net::NetworkConfig& found, const std::string& name) {
  net::NetworkConfig out = found.architecture == net::Architecture::classifier
                               ? net::classifier_preset(name, found.classes)
                           : found.architecture == net::Architecture::encoder
                               ? net::encoder_preset(name)
                               : net::preset(name, found.classes, found.channels);
  out.classes = found.classes;
  out.channels = found.channels;
  out.wkv = found.wkv;
  out.encoder.position_grid = found.encoder.position_grid;
  return out;
}

net::NetworkConfig network_of(const FeaturesRequest& request, const weights::TensorIndex& file,
                              const weights::Contents& contents, Listener& listener) {
  if (!contents.network || contents.kind == Content::trunk) {
    throw_failure(
        concat(file.file(), ": holds no network that can be run: ",
               contents.kind == Content::trunk
                   ? "a Vision-RWKV without adapter or head; `train --pretrained` takes it"
                   : contents.problem));
  }
  net::NetworkConfig out = *contents.network;
  if (!request.preset.empty()) {
    if (contents.stated) {
      throw_usage(concat("--preset: ", file.file(), " says itself what its network is (",
                         out.preset, "); leave the option out"));
    }
    out = with_preset(out, request.preset);
  }
  const train::Config settings = train::load_config({}, request.settings);
  train::apply(settings.encoder, out.encoder);
  if (!request.wkv.empty()) out.wkv = net::wkv_mode_from(request.wkv);
  if (!contents.stated && !contents.known_sizes && request.preset.empty() &&
      !settings.encoder.post_norm) {
    listener.line(concat("note: whether the blocks are pre- or post-norm cannot be seen in ",
                         file.file(),
                         ", and its sizes match no preset; taken as pre-norm; --set "
                         "encoder.post_norm=true sets it"));
  }
  if (!contents.stated && request.wkv.empty()) {
    listener.line(concat("note: ", file.file(), " names no bi-WKV mode; taken as ",
                         net::to_string(out.wkv), "; --wkv sets another"));
  }
  return out;
}

/// Where the tensors of the file go in `store`, the network `config`.
torch_backend::Destinations destinations_of(const weights::TensorIndex& file,
                                            const weights::Contents& contents,
                                            const net::NetworkConfig& config,
                                            const torch_backend::ParameterStore& store) {
  torch_backend::Destinations out;
  for (const weights::UsedTensor& one :
       weights::cover_whole(file, contents, config, store.specs()).used) {
    out.emplace(one.source, store.at(one.name));
  }
  return out;
}

NpyArray read_input(const FeaturesRequest& request, std::int64_t channels) {
  NpyArray input = NpyArray::read(request.input);
  const std::string name = request.input.string();
  const bool known =
      input.type() == NpyType::f32 || (input.type() == NpyType::f64 && request.dtype == "float64");
  if (!known) {
    throw_failure(concat(name, ": is ", to_string(input.type()), ", expected float32",
                         request.dtype == "float64" ? " or float64" : "",
                         ", normalised as the model was trained"));
  }
  const Shape& shape = input.shape();
  if (shape.size() != 4 || shape[1] != channels || element_count(shape) == 0) {
    throw_failure(
        concat(name, ": is ", shape_text(shape), ", expected N x ", channels, " x height x width"));
  }
  for (const double value : input.doubles()) {
    if (!std::isfinite(value)) throw_failure(concat(name, ": holds NaN or infinite values"));
  }
  return input;
}

/// One output of all images, as it grows image by image.
struct Collected {
  Shape shape;
  std::string bytes;

  void add(const at::Tensor& one, std::int64_t images) {
    const at::Tensor flat = one.to(at::kCPU).contiguous();
    if (bytes.empty()) {
      shape = flat.sizes().vec();
      shape[0] = images;
      bytes.reserve(static_cast<std::size_t>(images) * flat.nbytes());
    }
    bytes.append(static_cast<const char*>(flat.data_ptr()), flat.nbytes());
  }
};

std::map<std::string, Collected> run(const net::NetworkConfig& config,
                                     const torch_backend::ParameterStore& store,
                                     const NpyArray& input, Listener& listener) {
  const at::NoGradGuard no_grad;
  const bool single = input.type() == NpyType::f32;
  // from_blob wants a mutable pointer; the input is only read.
  const at::Tensor images = at::from_blob(const_cast<char*>(input.data().data()), input.shape(),
                                          single ? at::kFloat : at::kDouble)
                                .clone();
  std::map<std::string, Collected> out;
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    throw_if_stopped(listener);
    const auto result = torch_backend::run_network(
        config, store, {}, images.narrow(0, i, 1).to(store.device(), store.type()));
    for (std::size_t f = 0; f < result.features.size(); ++f) {
      out[concat("f", f + 1)].add(result.features[f], images.size(0));
    }
    if (result.logits.defined()) out["logits"].add(result.logits, images.size(0));
  }
  return out;
}

}  // namespace

library::FeaturesResult features(const FeaturesRequest& request, Listener& listener) {
  set_thread_count(request.threads);
  at::set_num_threads(request.threads);
  const at::ScalarType type = request.dtype == "float64" ? at::kDouble : at::kFloat;
  for (const char* name : {"f1", "f2", "f3", "f4", "logits"}) {
    const OutputPath file = request.out / concat(name, ".npy");
    if (!request.force && is_there(file.path())) {
      throw_usage(concat(file.path().string(), ": already exists; --force overwrites it"));
    }
  }
  const auto file = weights::WeightsSource::open(request.model);
  weights::Contents contents;
  net::NetworkConfig config;
  file.understood([&] {
    contents = weights::contents_of(file);
    config = network_of(request, file, contents, listener);
  });
  const NpyArray input = read_input(request, config.channels);
  const at::Device device = device_from(request.device);
  check_prediction_memory(request.model.string(), {.network = config,
                                                   .size = {input.shape()[3], input.shape()[2]},
                                                   .number_bytes = type == at::kDouble ? 8 : 4,
                                                   .device = device});
  const torch_backend::ParameterStore store(plan::parameters_of(config), std::nullopt, type,
                                            device);
  torch_backend::read_into(
      file, file.understood([&] { return destinations_of(file, contents, config, store); }));
  const std::map<std::string, Collected> outputs = run(config, store, input, listener);
  make_folder(request.out);
  const FolderLock lock(request.out);
  remove_leftovers(request.out, {"f1.npy", "f2.npy", "f3.npy", "f4.npy", "logits.npy"});
  std::vector<library::ArrayFile> files;
  for (const auto& [name, output] : outputs) {
    const OutputPath path = request.out / concat(name, ".npy");
    write_npy(path, type == at::kFloat ? NpyType::f32 : NpyType::f64, output.shape, output.bytes);
    files.push_back(
        {.name = path.path().string(), .shape = output.shape, .sha256 = sha256_file(path.path())});
  }
  return {.content = weights::to_string(contents.kind),
          .architecture = net::to_string(config.architecture),
          .preset = config.preset,
          .wkv = net::to_string(config.wkv),
          .dtype = request.dtype,
          .files = std::move(files)};
}

}  // namespace medurwkv::engine
