#include "train/pretraining/classify.h"

#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "train/pretraining/mixing.h"
#include "train/pretraining/pictures.h"
#include "train/pretraining/pretraining.h"

namespace medurwkv::train {
namespace {

using torch_backend::ParameterStore;

constexpr const char* head_weight = "classify.head.weight";
constexpr const char* head_bias = "classify.head.bias";

class ClassifyTask : public PicturesTask {
 public:
  ClassifyTask(const library::TrainRequest& request, Config& config)
      : PicturesTask(request, config), objective_(info().network, std::ssize(set().classes)) {
    const std::int64_t world = request.world;
    if (mixes() && config.run.batch % (2 * world) != 0) {
      throw_usage(concat("setting run.batch = ", config.run.batch,
                         ": mixup and cutmix mix pairs, so that it must be a multiple of ",
                         2 * world, world > 1 ? concat(" for ", world, " processes") : ""));
    }
  }

  [[nodiscard]] const Objective& objective() const override { return objective_; }
  [[nodiscard]] const Columns& columns() const override { return columns_; }

  Batch take(std::int64_t index) override {
    PictureBatch pictures = this->pictures(index);
    std::vector<std::int64_t> labels;
    for (const std::size_t number : pictures.cases) labels.push_back(picture(number).label);
    at::Tensor probabilities =
        smoothed(labels, std::ssize(set().classes), config().classify.smoothing);
    // The last batch of an epoch may be smaller: then pairs would lie in two processes.
    const bool whole =
        pictures.counts && pictures.images.size(0) * feed().world == config().run.batch;
    if (mixes() && whole) {
      mix(pictures.images, probabilities,
          {.mixup = config().classify.mixup, .cutmix = config().classify.cutmix},
          Random({config().run.seed, static_cast<std::uint64_t>(index), fnv1a64("mix")}));
    }
    return {.images = std::move(pictures.images),
            .targets = {std::move(probabilities)},
            .ids = std::move(pictures.ids),
            .first = pictures.first,
            .counts = pictures.counts};
  }

  Judgement judge(const ParameterStore& weights, const ParameterStore& trained) override {
    const at::NoGradGuard no_grad;
    std::vector<Figure> figures(2);
    each_validation_batch([&](const PictureBatch& pictures) {
      const auto out = torch_backend::run_network(info().network, weights, {},
                                                  pictures.images.to(weights.device()));
      const at::Tensor logits = objective_.logits(trained, out).to(at::kCPU);
      for (std::size_t i = 0; i < pictures.cases.size(); ++i) {
        const at::Tensor row = logits[static_cast<std::int64_t>(i)];
        // Its rank: how many classes the network holds for likelier. Equal ones count against it.
        const std::int64_t label = picture(pictures.cases[i]).label;
        const auto before = row.ge(row[label]).sum().item<std::int64_t>() - 1;
        figures[0].sum += before < 1 ? 1 : 0;
        figures[1].sum += before < 5 ? 1 : 0;
        for (Figure& figure : figures) figure.count += 1;
      }
    });
    return {std::move(figures), {}};
  }

 private:
  [[nodiscard]] bool mixes() const {
    return config().classify.mixup > 0 || config().classify.cutmix > 0;
  }

  ClassifyObjective objective_;
  Columns columns_{.parts = {},
                   .figures = {{.name = "validation_top1",
                                .label = "validation top-1",
                                .curve = "validation top-1 (share of the pictures)",
                                .most = 1},
                               {.name = "validation_top5", .label = "top-5", .most = 1}}};
};

}  // namespace

ClassifyObjective::ClassifyObjective(const net::NetworkConfig& network, std::int64_t classes)
    : adapter_(network.architecture == net::Architecture::encoder),
      width_(network.encoder.width),
      classes_(classes) {}

std::vector<net::ParameterSpec> ClassifyObjective::own_parameters() const {
  if (!adapter_) return {};
  return {{.name = head_weight, .shape = {classes_, width_}, .init = net::Init::linear_normal},
          {.name = head_bias, .shape = {classes_}}};
}

at::Tensor ClassifyObjective::logits(const ParameterStore& store,
                                     const net::NetworkOutput<at::Tensor>& output) const {
  if (!adapter_) return output.logits;
  return at::linear(output.features.back().mean({2, 3}), store.at(head_weight),
                    store.at(head_bias));
}

Loss ClassifyObjective::loss(const ParameterStore& store,
                             const net::NetworkOutput<at::Tensor>& output, const Batch& batch,
                             const Gather& gather) const {
  const at::Tensor logs = at::log_softmax(logits(store, output), 1);
  const at::Tensor sum = -(batch.targets.front().to(logs.scalar_type()) * logs).sum();
  const at::Tensor sums = gather(at::stack({sum, at::full_like(sum, batch.images.size(0))}));
  return {.total = sums[0] / sums[1], .parts = {}};
}

std::unique_ptr<Task> classify_task(const library::TrainRequest& request, Config& config) {
  return std::make_unique<ClassifyTask>(request, config);
}

}  // namespace medurwkv::train
