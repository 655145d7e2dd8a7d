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
#include "measure/machine.h"
#include "measure/roofline.h"
#include "net/presets.h"
#include "train/learner.h"
#include "train/pretraining/classify.h"
#include "train/segmentation/objective.h"
#include "train/task/memory.h"
#include "weights/opened_model.h"

namespace medurwkv::train {
namespace {

using library::BenchRequest;

using Subject = weights::SourcedNetwork;

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

/// Bytes that the whole process will hold in a training step. Throws Error where they are not left.
std::int64_t expected_memory(const Subject& subject, data::ImageSize size,
                             const BenchRequest& request) {
  const std::int64_t channels = subject.network.channels;
  ExpectedMemory step =
      without_cache({.network = subject.network,
                     .input = {.width = size.width, .height = size.height, .channels = channels},
                     .workers = request.threads},
                    request.batch);
  step.batches = request.batch * size.width * size.height * (4 * channels + 8);
  const auto needed = static_cast<double>(step.total() - step.program);
  if (const std::int64_t left = memory_left(); needed > static_cast<double>(left)) {
    throw_failure(concat("--size ", size.width, ": takes about ", human_bytes(needed),
                         " of memory, ", memory_left_text(left),
                         "; use a smaller --size, --batch or network"));
  }
  return step.total();
}

library::BenchFigures measure_size(const Subject& subject, data::ImageSize size,
                                   const BenchRequest& request,
                                   const std::function<void()>& stop_if_asked) {
  const std::int64_t expected = expected_memory(subject, size, request);
  // Memory first: the machine's loops take some of their own.
  std::optional<Training> training;
  const std::int64_t peak = measure::peak_memory_of([&] {
    training.emplace(subject, size, request.batch);
    for (int i = 0; i < 2; ++i) training->step();  // the first makes AdamW's moments
  });
  const plan::Plan plan = plan::record(subject.network, request.batch, size.height, size.width);
  library::BenchFigures out = library::bench_figures(
      measure::measure_beside_limits([&] { training->step(); },
                                     measure::network_work(plan, measure::Extent::training_step),
                                     {.rounds = request.rounds, .before_round = stop_if_asked}),
      static_cast<double>(request.batch));
  out.expected_memory_bytes = expected;
  out.peak_memory_bytes = peak;
  return out;
}

}  // namespace

library::BenchResult run_bench(const BenchRequest& request, Listener& listener) {
  set_thread_count(request.threads);
  at::set_num_threads(request.threads);
  const Subject subject = !request.model.empty() ? weights::network_of(request.model)
                          : task_from(request.task) == TaskKind::classify
                              ? Subject{.network = net::classifier_preset(request.preset)}
                              : Subject{.network = net::preset(request.preset)};
  library::BenchResult out;
  const auto measure = [&](data::ImageSize size) {
    listener.line(concat("measuring training at ", size.width, " x ", size.height, ", ",
                         request.rounds, " rounds"));
    out.training_steps.push_back(
        measure_size(subject, size, request, [&] { throw_if_stopped(listener); }));
  };
  for (const std::int64_t size : request.sizes) measure({size, size});
  if (request.sizes.empty()) measure({subject.width, subject.height});
  return out;
}

}  // namespace medurwkv::train
