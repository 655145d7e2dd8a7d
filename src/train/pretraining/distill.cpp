#include "train/pretraining/distill.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "train/pretraining/pictures.h"
#include "train/pretraining/pretraining.h"
#include "train/pretraining/stored_targets.h"
#include "train/pretraining/teacher.h"

namespace medurwkv::train {
namespace {

using torch_backend::ParameterStore;

constexpr std::size_t map_count = 4;
constexpr double variance_floor = 1e-5;

std::string name_of(std::size_t output, const char* leaf) {
  return concat("distill.", output, ".", leaf);
}

/// The map whose area is nearest to `height` x `width`, by the ratio.
std::size_t nearest_map(double image_area, const Shape& output) {
  if (output.size() == 1) return map_count - 1;
  const double wanted = std::log(static_cast<double>(output[1] * output[2]));
  std::size_t best = 0;
  double least = HUGE_VAL;
  double stride = 4;
  for (std::size_t map = 0; map < map_count; ++map, stride *= 2) {
    const double off = std::abs(std::log(image_area / (stride * stride)) - wanted);
    if (off < least - 1e-9) {
      least = off;
      best = map;
    }
  }
  return best;
}

/// Channel by channel over batch and places, of all processes.
at::Tensor normalised(const at::Tensor& target, const Gather& gather) {
  std::vector<std::int64_t> places{0};
  for (std::int64_t d = 2; d < target.dim(); ++d) places.push_back(d);
  const at::Tensor wide = target.to(at::kDouble);
  const std::int64_t each = target.numel() / target.size(1);
  const at::Tensor count =
      at::full({1}, static_cast<double>(each), at::kDouble).to(target.device());
  const at::Tensor sums = gather(at::cat({wide.sum(places), (wide * wide).sum(places), count}));
  const std::int64_t channels = target.size(1);
  const at::Tensor mean = sums.narrow(0, 0, channels) / sums[2 * channels];
  const at::Tensor variance = sums.narrow(0, channels, channels) / sums[2 * channels] - mean * mean;
  std::vector<std::int64_t> sides(static_cast<std::size_t>(target.dim()), 1);
  sides[1] = channels;
  return ((wide - mean.reshape(sides)) /
          (variance.clamp_min(0) + variance_floor).sqrt().reshape(sides))
      .to(target.scalar_type());
}

/// The outputs of a stored file or of a teacher, one after another.
class DistillTask : public PicturesTask {
 public:
  DistillTask(const library::TrainRequest& request, Config& config, const at::Device& device)
      : PicturesTask(request, config) {
    if (request.teacher.empty() == request.targets.empty()) {
      throw_usage("pretrain distill needs either --teacher FILE.ts or --targets FILE.npy");
    }
    std::vector<Shape>& outputs = outputs_;
    if (!request.teacher.empty()) {
      const std::int64_t scale = config.distill.teacher_scale;
      model_.emplace(request.teacher, (config.run.batch + request.world - 1) / request.world,
                     scale * config.input.width, scale * config.input.height, device);
      teacher_ = TeacherView{model_->contract()};
      outputs = model_->outputs();
    }
    for (const std::string& file : request.targets) {
      stored_.push_back(std::make_unique<StoredTargets>(file));
      outputs.push_back(stored_.back()->output());
    }
    if (!stored_.empty()) {
      check_ = [this](const data::Picture& picture, const std::string& sha256) {
        for (const auto& one : stored_) one->check(picture.id, sha256);
      };
    }
    objective_ = std::make_unique<DistillObjective>(
        info().network, config.input.height, config.input.width, outputs,
        DistillOptions{config.distill.loss == "cosine", config.distill.weights});
    for (std::size_t k = 0; k < outputs.size(); ++k)
      columns_.parts.push_back({concat("output", k)});
  }

  [[nodiscard]] const Objective& objective() const override { return *objective_; }
  [[nodiscard]] const Columns& columns() const override { return columns_; }

  [[nodiscard]] TaskSize size() const override {
    TaskSize out = PicturesTask::size();
    // A target, twice in double for its statistics, what is compared with it and its gradient.
    for (const Shape& output : outputs_) out.own += config().run.batch * element_count(output) * 40;
    if (teacher_) {
      const InputContract& picture = teacher_->contract;
      out.own += 3 * config().run.batch * picture.channels * picture.height * picture.width * 4;
    }
    return out;
  }

  Batch take(std::int64_t index) override {
    PictureBatch pictures = this->pictures(index);
    std::vector<at::Tensor> targets = targets_of(pictures);
    return {.images = std::move(pictures.images),
            .targets = std::move(targets),
            .ids = std::move(pictures.ids),
            .first = pictures.first,
            .counts = pictures.counts};
  }

  Judgement judge(const ParameterStore& weights, const ParameterStore& trained) override {
    const at::NoGradGuard no_grad;
    Figure figure;
    each_validation_batch([&](const PictureBatch& pictures) {
      const at::Device device = weights.device();
      Batch batch{.images = pictures.images.to(device), .targets = targets_of(pictures), .ids = {}};
      for (at::Tensor& target : batch.targets) target = target.to(device);
      const auto out = torch_backend::run_network(info().network, weights, {}, batch.images);
      const auto count = static_cast<double>(pictures.cases.size());
      const Gather alone = [](const at::Tensor& sums) { return sums; };
      figure.sum += count * objective_->loss(trained, out, batch, alone).total.item<double>();
      figure.count += count;
    });
    return {{figure}, {}};
  }

 private:
  [[nodiscard]] std::vector<at::Tensor> targets_of(const PictureBatch& pictures) const {
    if (model_) return model_->run(pictures.teacher);
    std::vector<at::Tensor> out;
    for (const auto& one : stored_) {
      std::vector<std::int64_t> sides = one->output();
      sides.insert(sides.begin(), std::ssize(pictures.cases));
      at::Tensor& target = out.emplace_back(at::empty(sides, at::kFloat));
      for (std::size_t i = 0; i < pictures.cases.size(); ++i) {
        const std::vector<float> values = one->of(picture(pictures.cases[i]).id, pictures.boxes[i]);
        std::copy(values.begin(), values.end(),
                  target[static_cast<std::int64_t>(i)].data_ptr<float>());
      }
    }
    return out;
  }

  std::vector<Shape> outputs_;
  std::optional<Teacher> model_;
  std::vector<std::unique_ptr<StoredTargets>> stored_;
  std::unique_ptr<DistillObjective> objective_;
  Columns columns_{
      .parts = {},
      .figures = {
          {.name = "validation_loss", .label = "validation loss", .higher_is_better = false}}};
};

}  // namespace

DistillObjective::DistillObjective(const net::NetworkConfig& network, std::int64_t height,
                                   std::int64_t width, std::vector<Shape> outputs,
                                   DistillOptions options)
    : width_(network.encoder.width), outputs_(std::move(outputs)), options_(std::move(options)) {
  for (const Shape& output : outputs_) {
    maps_.push_back(nearest_map(static_cast<double>(height * width), output));
  }
  if (options_.weights.empty()) options_.weights.assign(outputs_.size(), 1);
  double sum = 0;
  for (const double weight : options_.weights) sum += weight;
  if (options_.weights.size() != outputs_.size() || !(sum > 0)) {
    throw_usage(concat("setting distill.weights has ", options_.weights.size(),
                       " numbers, the teacher ", outputs_.size(),
                       " outputs; give each a weight, one of them above 0"));
  }
}

std::vector<net::ParameterSpec> DistillObjective::own_parameters() const {
  std::vector<net::ParameterSpec> out;
  for (std::size_t k = 0; k < outputs_.size(); ++k) {
    out.push_back({.name = name_of(k, "weight"),
                   .shape = {outputs_[k][0], width_},
                   .init = net::Init::linear_normal});
    out.push_back({.name = name_of(k, "bias"), .shape = {outputs_[k][0]}});
  }
  return out;
}

Loss DistillObjective::loss(const ParameterStore& store,
                            const net::NetworkOutput<at::Tensor>& output, const Batch& batch,
                            const Gather& gather) const {
  Loss out;
  double sum_of_weights = 0;
  for (std::size_t k = 0; k < outputs_.size(); ++k) {
    const at::Tensor target = normalised(batch.targets.at(k), gather);
    const at::Tensor& map = output.features.at(maps_[k]);
    const at::Tensor weight = store.at(name_of(k, "weight"));
    const at::Tensor bias = store.at(name_of(k, "bias"));
    at::Tensor made;
    if (target.dim() == 2) {
      made = at::linear(map.mean({2, 3}), weight, bias);
    } else {
      made = at::conv2d(map, weight.unsqueeze(-1).unsqueeze(-1), bias);
      if (made.size(2) != target.size(2) || made.size(3) != target.size(3)) {
        made = at::upsample_bilinear2d(made, target.sizes().slice(2).vec(), false);
      }
    }
    const at::Tensor errors = options_.cosine
                                  ? 1 - at::cosine_similarity(made, target, 1)
                                  : at::smooth_l1_loss(made, target, at::Reduction::None);
    const at::Tensor sum = errors.sum();
    const at::Tensor sums =
        gather(at::stack({sum, at::full_like(sum, static_cast<double>(errors.numel()))}));
    out.parts.push_back(sums[0] / sums[1]);
    sum_of_weights += options_.weights[k];
    const at::Tensor part = options_.weights[k] * out.parts.back();
    out.total = out.total.defined() ? out.total + part : part;
  }
  out.total = out.total / sum_of_weights;
  return out;
}

std::unique_ptr<Task> distill_task(const library::TrainRequest& request, Config& config,
                                   const at::Device& device) {
  return std::make_unique<DistillTask>(request, config, device);
}

}  // namespace medurwkv::train
