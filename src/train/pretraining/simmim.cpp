#include "train/pretraining/simmim.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/random.h"
#include "core/text.h"
#include "train/pretraining/pictures.h"
#include "train/pretraining/pretraining.h"
#include "train/task/panels.h"

namespace medurwkv::train {
namespace {

using torch_backend::ParameterStore;

constexpr std::int64_t patch_side = 16;  // of the trunk's patches
constexpr std::int64_t first_stride = 4;
constexpr std::size_t maps = 4;
constexpr const char* patch_name = "simmim.patch";

std::string head_name(std::size_t map, const char* leaf) {
  return concat("simmim.head.", map, ".", leaf);
}

class SimmimTask : public PicturesTask {
 public:
  SimmimTask(const library::TrainRequest& request, Config& config)
      : PicturesTask(request, config), objective_(info().network) {
    const std::int64_t patch = config.simmim.patch;
    if (config.input.width % patch != 0 || config.input.height % patch != 0 ||
        config.input.width % 32 != 0 || config.input.height % 32 != 0) {
      throw_usage(concat("settings input.width = ", config.input.width,
                         " and input.height = ", config.input.height,
                         " must be multiples of 32 and of simmim.patch = ", patch));
    }
    if (patches() < 1 || masked_of_all() == 0 || masked_of_all() == patches()) {
      throw_usage(concat("setting simmim.ratio = ", config.simmim.ratio, ": masks ",
                         masked_of_all(), " of ", patches(), " patches, from which nothing can be ",
                         "learned"));
    }
  }

  [[nodiscard]] const Objective& objective() const override { return objective_; }
  [[nodiscard]] const Columns& columns() const override { return columns_; }

  Batch take(std::int64_t index) override {
    PictureBatch pictures = this->pictures(index);
    const auto epoch = static_cast<std::uint64_t>(index / batches_per_epoch());
    at::Tensor mask = mask_of(pictures.cases, epoch);
    return {.images = std::move(pictures.images),
            .targets = {std::move(mask)},
            .ids = std::move(pictures.ids),
            .first = pictures.first,
            .counts = pictures.counts};
  }

  Judgement judge(const ParameterStore& weights, const ParameterStore& trained) override {
    const at::NoGradGuard no_grad;
    Figure figure;
    std::vector<data::Image> rows;
    const auto wanted =
        feed().rank == 0 ? static_cast<std::size_t>(config().run.pictures) : std::size_t{0};
    each_validation_batch([&](const PictureBatch& pictures) {
      const at::Device device = weights.device();
      const Batch batch{.images = pictures.images.to(device),
                        .targets = {mask_of(pictures.cases, 0).to(device)},
                        .ids = {}};
      const at::Tensor seen = objective_.masked(trained, batch.images, batch.targets.front());
      const auto out = torch_backend::run_network(info().network, weights, {}, seen);
      const auto count = static_cast<double>(pictures.cases.size());
      const Gather alone = [](const at::Tensor& sums) { return sums; };
      figure.sum += count * objective_.loss(trained, out, batch, alone).total.item<double>();
      figure.count += count;
      const at::Tensor made = objective_.rebuilt(trained, out).to(at::kCPU);
      for (std::int64_t i = 0; i < pictures.images.size(0) && rows.size() < wanted; ++i) {
        rows.push_back(row(pictures.images[i], batch.targets.front()[i].to(at::kCPU), made[i]));
      }
    });
    return {{figure}, rows.empty() ? data::Image() : stacked(rows)};
  }

 private:
  [[nodiscard]] std::int64_t patches() const {
    const std::int64_t side = config().simmim.patch;
    return (config().input.width / side) * (config().input.height / side);
  }
  [[nodiscard]] std::int64_t masked_of_all() const {
    return std::llround(config().simmim.ratio * static_cast<double>(patches()));
  }

  /// Of the pictures in an epoch: a pure function of the seed, the epoch and the picture's number.
  [[nodiscard]] at::Tensor mask_of(const std::vector<std::size_t>& cases,
                                   std::uint64_t epoch) const {
    const std::int64_t side = config().simmim.patch;
    std::vector<float> all;
    for (const std::size_t number : cases) {
      const std::vector<float> one = drawn_mask(
          patches(), config().simmim.ratio,
          Random({config().run.seed, epoch, static_cast<std::uint64_t>(number), fnv1a64("mask")}));
      all.insert(all.end(), one.begin(), one.end());
    }
    const at::Tensor grid = at::tensor(all).reshape(
        {std::ssize(cases), 1, config().input.height / side, config().input.width / side});
    return grid.repeat_interleave(side, 2).repeat_interleave(side, 3);
  }

  /// Picture, what the network saw of it, and the picture with what it rebuilt.
  [[nodiscard]] data::Image row(const at::Tensor& image, const at::Tensor& mask,
                                const at::Tensor& made) const {
    const auto panel = [&](const at::Tensor& planes) {
      const data::Image picture = shown_picture(planes, info().input);
      return resized(picture, panel_size(picture));
    };
    const at::Tensor seen = image * (1 - mask);
    return side_by_side({panel(image), panel(seen), panel(seen + made * mask)});
  }

  SimmimObjective objective_;
  Columns columns_{.parts = {},
                   .figures = {{.name = "validation_loss",
                                .label = "validation loss",
                                .curve = "validation loss (masked pixels)",
                                .higher_is_better = false}}};
};

}  // namespace

std::vector<float> drawn_mask(std::int64_t patches, double ratio, const Random& random) {
  std::vector<float> out(static_cast<std::size_t>(patches), 0);
  const auto count = static_cast<std::size_t>(std::llround(ratio * static_cast<double>(patches)));
  const std::vector<std::int64_t> order = random.permutation(patches);
  for (std::size_t i = 0; i < count; ++i) out[static_cast<std::size_t>(order[i])] = 1;
  return out;
}

SimmimObjective::SimmimObjective(const net::NetworkConfig& network)
    : width_(network.encoder.width), channels_(network.channels) {}

std::vector<net::ParameterSpec> SimmimObjective::own_parameters() const {
  std::vector<net::ParameterSpec> out{
      {.name = patch_name, .shape = {1, channels_, patch_side, patch_side}}};
  std::int64_t stride = first_stride;
  for (std::size_t map = 0; map < maps; ++map, stride *= 2) {
    out.push_back({.name = head_name(map, "weight"),
                   .shape = {channels_ * stride * stride, width_, 1, 1},
                   .init = net::Init::linear_normal});
    out.push_back({.name = head_name(map, "bias"), .shape = {channels_ * stride * stride}});
  }
  return out;
}

at::Tensor SimmimObjective::masked(const ParameterStore& store, const at::Tensor& images,
                                   const at::Tensor& mask) const {
  const at::Tensor tiled =
      store.at(patch_name).repeat({1, 1, images.size(2) / patch_side, images.size(3) / patch_side});
  return images * (1 - mask) + tiled * mask;
}

at::Tensor SimmimObjective::rebuilt(const ParameterStore& store,
                                    const net::NetworkOutput<at::Tensor>& output) const {
  at::Tensor sum;
  std::int64_t stride = first_stride;
  for (std::size_t map = 0; map < maps; ++map, stride *= 2) {
    const at::Tensor pixels =
        at::pixel_shuffle(at::conv2d(output.features.at(map), store.at(head_name(map, "weight")),
                                     store.at(head_name(map, "bias"))),
                          stride);
    sum = sum.defined() ? sum + pixels : pixels;
  }
  return sum;
}

net::NetworkOutput<at::Tensor> SimmimObjective::forward(const net::NetworkConfig& network,
                                                        const ParameterStore& store,
                                                        const torch_backend::RunMode& mode,
                                                        const Batch& batch) const {
  return torch_backend::run_network(network, store, mode,
                                    masked(store, batch.images, batch.targets.front()));
}

Loss SimmimObjective::loss(const ParameterStore& store,
                           const net::NetworkOutput<at::Tensor>& output, const Batch& batch,
                           const Gather& gather) const {
  const at::Tensor& mask = batch.targets.front();
  const at::Tensor error = ((rebuilt(store, output) - batch.images).abs() * mask).sum();
  const at::Tensor pixels = (mask.sum() * channels_).to(error.scalar_type());
  const at::Tensor sums = gather(at::stack({error, pixels}));
  return {.total = sums[0] / sums[1], .parts = {}};
}

std::unique_ptr<Task> simmim_task(const library::TrainRequest& request, Config& config) {
  return std::make_unique<SimmimTask>(request, config);
}

}  // namespace medurwkv::train
