#include "train/segmentation/task.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/model_description.h"
#include "core/text.h"
#include "core/threads.h"
#include "core/version.h"
#include "data/check/open.h"
#include "data/feed/batch_loader.h"
#include "data/feed/case_cache.h"
#include "data/feed/window_check.h"
#include "data/layout/channels.h"
#include "data/split/split.h"
#include "engine/torch_engine.h"
#include "native/engine.h"
#include "train/run/input.h"
#include "train/segmentation/calibration.h"
#include "train/segmentation/objective.h"
#include "train/segmentation/samples.h"
#include "train/segmentation/strip.h"
#include "train/segmentation/validation.h"
#include "train/task/memory.h"

namespace medurwkv::train {
namespace {

using library::TrainRequest;

/// The cases of a run, numbered: first those of the training part, then those of the validation
/// part. The data set must outlive the reader.
struct RunCases {
  /// Throws Error when the training part is empty, when its images lie outside the input's window,
  /// and for an image that a network of the input's
  /// channels does not take.
  RunCases(const data::Dataset& dataset, const data::Split& split, const InputContract& input);
  [[nodiscard]] std::size_t count() const { return train + val; }

  std::size_t train = 0;
  std::size_t val = 0;
  data::CaseReader reader;
  std::string remark;  ///< on the window, for people; often empty
};

RunCases::RunCases(const data::Dataset& dataset, const data::Split& split,
                   const InputContract& input) {
  std::vector<data::Case> all = data::part_of(dataset, split, "train");
  if (all.empty()) throw_failure("the split's train part is empty");
  train = all.size();
  remark = data::check_window(all, input);
  const std::vector<data::Case> validation = data::part_of(dataset, split, "val");
  val = validation.size();
  all.insert(all.end(), validation.begin(), validation.end());
  data::check_channels(all, data::read_channels(all), input.channels, "--set network.channels=");
  reader = case_reader(dataset, std::move(all), input);
}

/// The fold that `run.fold` names.
std::optional<int> fold_of(const Config& config) {
  return config.run.fold > 0 ? std::optional(static_cast<int>(config.run.fold)) : std::nullopt;
}

/// What the split says of how the set is read.
data::DatasetOptions split_options_of(const TrainRequest& request) {
  try {
    return data::split_options(request.split);
  } catch (const Error& error) {
    if (!request.resume || request.split != (request.out / "split.json").path()) throw;
    throw_failure(
        concat(error.what(), "; name the split that the run was started with: --split FILE"));
  }
}

/// What the model file says; the settings of the network that were unset are filled in in `config`.
weights::ModelInfo described(Config& config, const data::Dataset& dataset, const data::Split& split,
                             const std::string& split_sha256) {
  const std::int64_t classes = std::ssize(dataset.classes);
  return {.network = resolve_network(config, classes),
          .input = input_of(config, std::ssize(dataset.cases.front().images)),
          .heads = {segmentation_head(dataset.classes, regions_of(config, classes))},
          .provenance = {{"data_sha256", split.data_sha256},
                         {"split_sha256", split_sha256},
                         {"configuration", to_toml(config)},
                         {"seed", config.run.seed},
                         {"medurwkv", medurwkv::version}}};
}

Columns columns_of(const Config& config, std::int64_t classes) {
  const LossParts weights = loss_options(config, classes).weights;
  Columns out{.parts = {},
              .figures = {{.name = "validation_dice",
                           .label = "validation Dice",
                           .curve = "validation Dice (mean over cases)",
                           .most = 1}}};
  for (std::size_t i = 0; i < weights.size(); ++i) {
    out.parts.push_back({loss_names[i], weights[i] > 0});
  }
  return out;
}

/// The slices that the split is of must be those that the network is to see.
data::Dataset opened(const TrainRequest& request, const Config& config) {
  data::Dataset out = data::open_dataset(request.data, split_options_of(request));
  if (out.plane == plane_from(config.input.plane)) return out;
  throw_usage(concat(request.split.string(), ": was made of ", to_string(out.plane),
                     " slices, and input.plane is ", config.input.plane, "; train with --set ",
                     "input.plane=", to_string(out.plane), ", or split the set with --plane ",
                     config.input.plane));
}

class SegmentationTask : public Task {
 public:
  SegmentationTask(const TrainRequest& request, Config& config, const at::Device& device)
      : config_(config),
        device_(device),
        dataset_(opened(request, config)),
        split_(data::read_split(request.split, dataset_, fold_of(config))),
        source_{read_file(request.split), sha256_file(request.split), request.split,
                split_.data_sha256},
        info_(described(config, dataset_, split_, source_.split_sha256)),
        columns_(columns_of(config, std::ssize(dataset_.classes))),
        objective_(config, info_.network, std::ssize(dataset_.classes)),
        cases_(dataset_, split_, info_.input),
        samples_{.input = info_.input,
                 .augment = config.augment,
                 .seed = config.run.seed,
                 .distances = config.loss.boundary > 0,
                 .classes = std::ssize(dataset_.classes),
                 .regions = info_.heads.front().regions} {
    if (!cases_.remark.empty()) dataset_.notes.push_back(cases_.remark);
  }

  [[nodiscard]] const weights::ModelInfo& info() const override { return info_; }
  [[nodiscard]] const Objective& objective() const override { return objective_; }
  [[nodiscard]] const Columns& columns() const override { return columns_; }
  [[nodiscard]] const Source& source() const override { return source_; }
  [[nodiscard]] TaskSize size() const override {
    return {.loss_parts = (config_.loss.focal > 0 ? 1 : 0) + (config_.loss.tversky > 0 ? 1 : 0) +
                          (config_.loss.boundary > 0 ? 1 : 0),
            .cases = static_cast<std::int64_t>(cases_.count()),
            .mean_case = mean_case_size(cases_.reader, cases_.count()),
            .own = (2 + config_.optimizer.accumulate) * config_.run.batch *
                   sample_counts(samples_).second * std::int64_t{sizeof(float)},
            .copies_weights = true};
  }
  [[nodiscard]] std::int64_t samples() const override {
    return static_cast<std::int64_t>(cases_.train);
  }
  [[nodiscard]] std::string counts() const override {
    return concat(cases_.train, " training and ", cases_.val, " validation images");
  }
  [[nodiscard]] const std::vector<std::string>& notes() const override { return dataset_.notes; }

  void open(const Feed& feed) override {
    feed_ = feed;
    cache_.emplace(cases_.count(), cases_.reader, feed.cache_budget);
    loader_.emplace(*cache_, data::LoaderOptions{.make = sample_maker(samples_),
                                                 .counts = sample_counts(samples_),
                                                 .cases = samples(),
                                                 .batch = config_.run.batch,
                                                 .steps = feed.batches,
                                                 .seed = config_.run.seed,
                                                 .workers = thread_count(),
                                                 .part = feed.rank,
                                                 .parts = feed.world});
  }
  Batch take(std::int64_t index) override { return to_tensors(loader_->take(index), info_.input); }
  [[nodiscard]] double waited_seconds() const override { return loader_->waited_seconds(); }

  Judgement judge(const torch_backend::ParameterStore& weights,
                  const torch_backend::ParameterStore& /*trained*/) override {
    const std::unique_ptr<Engine> engine = engine_for(weights);
    const Validated out =
        validate(*engine, *cache_,
                 {.first = cases_.train,
                  .count = cases_.val,
                  .batch = static_cast<std::size_t>(config_.run.batch / feed_.world),
                  .pictures = feed_.rank == 0 ? static_cast<std::size_t>(config_.run.pictures) : 0,
                  .part = static_cast<std::size_t>(feed_.rank),
                  .parts = static_cast<std::size_t>(feed_.world)},
                 strip_);
    return {{{.sum = out.sum, .count = static_cast<double>(out.used)}}, strip_.sheet()};
  }

  std::optional<FittedTemperature> fit(const std::filesystem::path& model,
                                       Listener& listener) override {
    // As predict opens it where the run computes.
    const std::unique_ptr<Engine> engine =
        device_.is_cpu() ? native::open_model(model) : engine::open_model(model, device_);
    return calibrate(*engine, *cache_, cases_.train, cases_.val, listener);
  }

 private:
  /// The native engine where it computes in what the weights are held in.
  [[nodiscard]] std::unique_ptr<Engine> engine_for(
      const torch_backend::ParameterStore& weights) const {
    const ModelDescription model{.input = info_.input,
                                 .classes = info_.heads.front().classes,
                                 .regions = info_.heads.front().regions,
                                 .network = {},
                                 .file = {},
                                 .content_sha256 = {},
                                 .split_sha256 = {}};
    if (!weights.device().is_cpu() || weights.type() != at::kFloat) {
      return std::make_unique<engine::TorchEngine>(info_.network, weights, model);
    }
    return native::engine_of(info_.network, model, [&weights](const net::ParameterSpec& spec) {
      const at::Tensor numbers = weights.at(spec.name).detach().contiguous();
      const float* const first = numbers.data_ptr<float>();
      return std::vector<float>(first, first + numbers.numel());
    });
  }

  const Config& config_;
  at::Device device_;
  data::Dataset dataset_;
  data::Split split_;
  Source source_;
  weights::ModelInfo info_;
  Columns columns_;
  SegmentationObjective objective_;
  RunCases cases_;
  SampleOptions samples_;
  Feed feed_;
  std::optional<data::CaseCache> cache_;  ///< of the training part, then of the validation part
  std::optional<data::BatchLoader> loader_;
  Strip strip_;
};

}  // namespace

std::unique_ptr<Task> segmentation_task(const TrainRequest& request, Config& config,
                                        const at::Device& device) {
  return std::make_unique<SegmentationTask>(request, config, device);
}

}  // namespace medurwkv::train
