#include "train/bench.h"

#include "torch/aten.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <memory>
#include <optional>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "core/threads.h"
#include "engine/memory.h"
#include "engine/torch_engine.h"
#include "measure/machine.h"
#include "measure/roofline.h"
#include "net/presets.h"
#include "train/learner.h"
#include "train/pretraining/classify.h"
#include "train/segmentation/objective.h"
#include "train/task/memory.h"
#include "weights/model_file.h"
#include "weights/weights_source.h"

namespace medurwkv::train {
namespace {

using library::BenchRequest;

/// The network, with the weights of a file where one is named: how fast bi-WKV is depends on them.
struct Subject {
  net::NetworkConfig network;
  Regions regions = {};
  data::ImageSize size{256, 256};
  std::shared_ptr<const weights::WeightsSource> file = {};

  /// Logits of the image, not of its pixels.
  [[nodiscard]] bool classifies() const {
    return network.architecture == net::Architecture::classifier;
  }
};

Subject subject_of(const BenchRequest& request) {
  if (request.model.empty()) {
    return {.network = task_from(request.task) == TaskKind::classify
                           ? net::classifier_preset(request.preset)
                           : net::preset(request.preset)};
  }
  const auto file =
      std::make_shared<const weights::WeightsSource>(weights::WeightsSource::open(request.model));
  const weights::ModelInfo info = file->understood(
      [&] { return weights::model_info(request.model.string(), file->metadata()); });
  const bool classifies = info.network.architecture == net::Architecture::classifier;
  return {info.network,
          classifies ? Regions{} : weights::segmentation_of(request.model.string(), info).regions,
          {info.input.width, info.input.height},
          file};
}

std::unique_ptr<Objective> objective_of(const Subject& subject) {
  if (subject.classifies()) {
    return std::make_unique<ClassifyObjective>(subject.network, subject.network.classes);
  }
  return std::make_unique<SegmentationObjective>(subject.network,
                                                 LossOptions{.regions = subject.regions}, false);
}

/// Labels of the pixels of two classes, or probabilities of the image's classes.
at::Tensor target_of(const Subject& subject, data::ImageSize size, std::int64_t batch) {
  if (subject.classifies()) return at::softmax(at::randn({batch, subject.network.classes}), 1);
  return at::randint(0, 2, {batch, size.height, size.width}, at::kLong);
}

/// The file's weights in place of start values.
void load(const Subject& subject, const torch_backend::ParameterStore& store) {
  if (!subject.file) return;
  const torch_backend::Destinations there =
      subject.file->understood([&] { return store.destinations(*subject.file); });
  torch_backend::read_into(*subject.file, there);
}

/// A learner of the subject and a batch of noise.
class Training {
 public:
  Training(const Subject& subject, data::ImageSize size, std::int64_t batch)
      : objective_(objective_of(subject)),
        learner_(config_, subject.network, *objective_, at::kCPU),
        batch_{.images = at::randn({batch, subject.network.channels, size.height, size.width}),
               .targets = {target_of(subject, size, batch)},
               .ids = {}} {
    load(subject, learner_.store());
  }
  void step() {
    // A loss that is not finite has no backward pass.
    if (!std::isfinite(learner_.learn(batch_, 0, 1).total)) throw_failure("the loss is not finite");
    learner_.update(1e-6);
  }
  [[nodiscard]] const torch_backend::ParameterStore& store() { return learner_.store(); }

 private:
  Config config_;
  std::unique_ptr<Objective> objective_;
  Learner learner_;
  Batch batch_;
};

/// Bytes that the whole process will hold in a prediction and in a training step. Throws Error
/// where they are not left.
std::pair<std::int64_t, std::int64_t> expected_memory(const Subject& subject, data::ImageSize size,
                                                      const BenchRequest& request) {
  const std::int64_t channels = subject.network.channels;
  ExpectedMemory step =
      without_cache({.network = subject.network,
                     .input = {.width = size.width, .height = size.height, .channels = channels},
                     .workers = request.threads},
                    request.batch);
  step.batches = request.batch * size.width * size.height * (4 * channels + 8);
  const std::int64_t prediction =
      engine::prediction_memory({.network = subject.network, .size = size});
  const auto needed = static_cast<double>(std::max(prediction, step.total() - step.program));
  if (const std::int64_t left = memory_left(); needed > static_cast<double>(left)) {
    throw_failure(concat("--size ", size.width, ": takes about ", human_bytes(needed),
                         " of memory, ", memory_left_text(left),
                         "; use a smaller --size, --batch or network"));
  }
  return {step.program + prediction, step.total()};
}

library::BenchSize measure_size(const Subject& subject, data::ImageSize size,
                                const BenchRequest& request,
                                const std::function<void()>& stop_if_asked) {
  const auto [expected_prediction, expected_step] = expected_memory(subject, size, request);
  const auto count = static_cast<std::size_t>(subject.network.channels * size.width * size.height);
  const std::vector<float> image(count, 0.5F);
  std::vector<float> logits(static_cast<std::size_t>(
      subject.network.classes * (subject.classifies() ? 1 : size.width * size.height)));
  const auto predict = [&](const torch_backend::ParameterStore& store) {
    engine::TorchEngine(subject.network, store, {})
        .run({1, size.height, size.width}, image, logits);
  };
  // Memory first: the machine's loops take some of their own.
  const std::int64_t prediction_peak = measure::peak_memory_of([&] {
    torch_backend::ParameterStore store(plan::parameters_of(subject.network), 0, at::kFloat,
                                        at::kCPU);
    load(subject, store);
    predict(store);
  });
  stop_if_asked();
  std::optional<Training> training;
  const std::int64_t training_peak = measure::peak_memory_of([&] {
    training.emplace(subject, size, request.batch);
    for (int i = 0; i < 2; ++i) training->step();  // the first makes AdamW's moments
  });
  measure::MachineLoops loops;
  std::vector<measure::Contender> contenders = loops.contenders();
  contenders.push_back({.name = "prediction", .run = [&] { predict(training->store()); }});
  contenders.push_back({.name = "training step", .run = [&] { training->step(); }});
  const std::vector<measure::Times> times = measure::measure_in_turn(
      contenders, {.rounds = request.rounds, .before_round = stop_if_asked});
  const auto figures = [&](const measure::Times& taken, std::int64_t batch, measure::Extent extent,
                           std::int64_t expected_bytes, std::int64_t peak) {
    const plan::Plan plan = plan::record(subject.network, batch, size.height, size.width);
    const measure::Figures found =
        measure::figures(measure::network_work(plan, extent), taken, loops.limits(times));
    return library::BenchFigures{
        .seconds = found.seconds,
        .share = found.share,
        .gflop = found.gflop,
        .gbyte = found.gbyte,
        .bound_seconds = found.bound_seconds,
        .images_per_second = measure::rate(taken, static_cast<double>(batch)),
        .expected_memory_bytes = expected_bytes,
        .peak_memory_bytes = peak};
  };
  return {.width = size.width,
          .height = size.height,
          .limits = loops.speeds(times),
          .prediction = figures(times[times.size() - 2], 1, measure::Extent::forward,
                                expected_prediction, prediction_peak),
          .training_step = figures(times.back(), request.batch, measure::Extent::training_step,
                                   expected_step, training_peak)};
}

}  // namespace

library::BenchResult run_bench(const BenchRequest& request, Listener& listener) {
  set_thread_count(request.threads);
  at::set_num_threads(request.threads);
  const Subject subject = subject_of(request);
  std::vector<data::ImageSize> sizes;
  for (const std::int64_t size : request.sizes) sizes.push_back({size, size});
  if (sizes.empty()) sizes.push_back(subject.size);
  library::BenchResult out{
      .network = subject.network.preset,
      .task = to_string(subject.classifies() ? TaskKind::classify : TaskKind::segmentation),
      .batch = request.batch,
      .threads = request.threads,
      .rounds = request.rounds,
      .sizes = {}};
  for (const data::ImageSize& size : sizes) {
    listener.line(
        concat("measuring ", size.width, " x ", size.height, ", ", request.rounds, " rounds"));
    out.sizes.push_back(measure_size(subject, size, request, [&] { throw_if_stopped(listener); }));
  }
  return out;
}

}  // namespace medurwkv::train
