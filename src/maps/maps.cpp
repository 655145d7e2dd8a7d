#include "maps/maps.h"

#include <cmath>
#include <cstddef>
#include <map>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/folder_lock.h"
#include "core/output.h"
#include "core/stop.h"
#include "core/text.h"
#include "net/presets.h"
#include "plan/plan.h"
#include "train/run/config.h"
#include "weights/contents.h"

namespace medurwkv::maps {
namespace {

using library::FeaturesRequest;
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

/// An output of all images, as it grows image by image.
struct Collected {
  Shape shape;
  std::string bytes;

  void add(const Map& one, std::int64_t images) {
    if (bytes.empty()) {
      shape = one.shape;
      shape[0] = images;
      bytes.reserve(static_cast<std::size_t>(images) * one.bytes.size());
    }
    bytes += one.bytes;
  }
};

std::map<std::string, Collected> run_all(const Run& run, const NpyArray& input,
                                         Listener& listener) {
  const std::int64_t images = input.shape()[0];
  const std::string_view all = input.data();
  const std::size_t size = all.size() / static_cast<std::size_t>(images);
  std::map<std::string, Collected> out;
  for (std::size_t i = 0; i < static_cast<std::size_t>(images); ++i) {
    throw_if_stopped(listener);
    for (const Map& one : run(all.substr(i * size, size))) out[one.name].add(one, images);
  }
  return out;
}

}  // namespace

library::FeaturesResult write_maps(const FeaturesRequest& request, const Open& open,
                                   Listener& listener) {
  for (const char* name : {"f1", "f2", "f3", "f4", "logits"}) {
    const OutputPath file = request.out / concat(name, ".npy");
    if (!request.force && is_there(file.path())) {
      throw_usage(concat(file.path().string(), ": already exists; --force overwrites it"));
    }
  }
  const auto file = weights::WeightsSource::open(request.model);
  weights::Contents contents;
  net::NetworkConfig network;
  std::vector<weights::UsedTensor> tensors;
  file.understood([&] {
    contents = weights::contents_of(file);
    network = network_of(request, file, contents, listener);
    tensors = weights::cover_whole(file, contents, network, plan::parameters_of(network)).used;
  });
  const NpyArray input = read_input(request, network.channels);
  Shape image = input.shape();
  image[0] = 1;
  const Run run = open(
      {.file = file, .tensors = tensors, .network = network, .image = image, .type = input.type()});
  const std::map<std::string, Collected> outputs = run_all(run, input, listener);
  make_folder(request.out);
  const FolderLock lock(request.out);
  remove_leftovers(request.out, {"f1.npy", "f2.npy", "f3.npy", "f4.npy", "logits.npy"});
  const NpyType type = request.dtype == "float64" ? NpyType::f64 : NpyType::f32;
  std::vector<library::ArrayFile> files;
  for (const auto& [name, output] : outputs) {
    const OutputPath path = request.out / concat(name, ".npy");
    write_npy(path, type, output.shape, output.bytes);
    files.push_back(
        {.name = path.path().string(), .shape = output.shape, .sha256 = sha256_file(path.path())});
  }
  return {.content = weights::to_string(contents.kind),
          .architecture = net::to_string(network.architecture),
          .preset = network.preset,
          .wkv = net::to_string(network.wkv),
          .dtype = request.dtype,
          .files = std::move(files)};
}

}  // namespace medurwkv::maps
