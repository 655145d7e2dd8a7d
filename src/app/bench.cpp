#include "app/bench.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "app/training_library.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "core/threads.h"
#include "measure/machine.h"
#include "native/program.h"
#include "native/read_floats.h"
#include "native/seen_numbers.h"
#include "net/presets.h"
#include "weights/opened_model.h"

namespace medurwkv::app {
namespace {

weights::SourcedNetwork network_of(const library::BenchRequest& request) {
  if (!request.model.empty()) return weights::network_of(request.model);
  return {.network = request.task == "classify" ? net::classifier_preset(request.preset)
                                                : net::preset(request.preset)};
}

/// One image through a program.
class Prediction {
 public:
  Prediction(const weights::SourcedNetwork& subject, std::int64_t width, std::int64_t height,
             native::Precision precision, const native::Ranges& ranges = {})
      : recorded_(plan::record(subject.network, 1, height, width)),
        image_(static_cast<std::size_t>(element_count(recorded_.shape(recorded_.input))), 0.5F),
        logits_(static_cast<std::size_t>(element_count(recorded_.shape(recorded_.outputs[0])))) {
    const std::vector<net::ParameterSpec>& specs = recorded_.parameters;
    const std::int64_t held = resident_memory();
    const std::int64_t own =
        native::program_memory(recorded_, precision, ranges) + native::float_bytes(specs) +
        std::int64_t{sizeof(float)} * static_cast<std::int64_t>(image_.size() + logits_.size());
    if (const std::int64_t left = memory_left(); own > left) {
      throw_failure(concat("--size ", width, ": takes about ",
                           human_bytes(static_cast<double>(own)), " of memory, ",
                           memory_left_text(left), "; use a smaller --size or network"));
    }
    expected_memory_ = held + own;
    program_.emplace(recorded_,
                     subject.file ? native::read_floats(*subject.file, specs).tensors
                                  : native::Tensors(specs,
                                                    [](const net::ParameterSpec& spec) {
                                                      return net::initial_values(spec, 1);
                                                    }),
                     precision, ranges);
    workspace_ = native::workspace_for(*program_);
  }

  void run(const native::Program::Watch& watch = {}) {
    float* const out = logits_.data();
    program_->run(image_.data(), {&out, 1}, workspace_.get(), watch);
  }
  [[nodiscard]] const plan::Plan& recorded() const { return recorded_; }
  /// As it runs, fused.
  [[nodiscard]] const plan::Plan& run_plan() const { return program_->plan(); }
  [[nodiscard]] std::int64_t expected_memory() const { return expected_memory_; }

 private:
  plan::Plan recorded_;
  std::vector<float> image_, logits_;
  std::int64_t expected_memory_ = 0;
  std::optional<native::Program> program_;
  native::Memory workspace_;
};

/// A model's own, or those of one run: what is measured is the time.
native::Ranges ranges_of(const weights::SourcedNetwork& subject, std::int64_t width,
                         std::int64_t height) {
  if (!subject.int8_ranges.empty()) return subject.int8_ranges;
  Prediction prediction(subject, width, height, native::Precision::float32);
  native::SeenNumbers seen;
  prediction.run([&](const plan::Operation& operation, std::span<const float* const> inputs,
                     std::span<const float* const> /*outputs*/) {
    seen.see(prediction.run_plan(), operation, inputs);
  });
  native::Ranges out;
  for (const native::ProductRange& one : seen.products()) {
    if (one.range > 0) out[one.weight] = one.range;
  }
  return out;
}

/// The time of each kind of operation, taken between the steps of whole runs.
class Profile {
 public:
  void run(Prediction& prediction) {
    const bool first = seconds_.empty();
    std::map<std::string, double> taken;
    Clock::time_point before = Clock::now();
    prediction.run([&](const plan::Operation& op, std::span<const float* const> /*inputs*/,
                       std::span<const float* const> /*outputs*/) {
      const Clock::time_point now = Clock::now();
      taken[op.type->name] += std::chrono::duration<double>(now - before).count();
      if (first) {
        works_[op.type->name].push_back(measure::forward_work(prediction.run_plan(), op));
      }
      before = Clock::now();
    });
    for (const auto& [name, one] : taken) seconds_[name].push_back(one);
  }

  /// The slowest first. Limits of the machine while they ran.
  [[nodiscard]] std::vector<OperationFigures> figures(const measure::LoopSpeeds& limits) const {
    const measure::Limits of_machine{.flops_per_second = 1e9 * limits.fma_gflops.median,
                                     .bytes_per_second = 1e9 * limits.triad_gb_s.median};
    double all = 0;
    std::vector<OperationFigures> out;
    for (const auto& [name, taken] : seconds_) {
      OperationFigures kind{.name = name, .seconds = measure::estimate(taken).median};
      all += kind.seconds;
      const std::vector<measure::Work>& works = works_.at(name);
      kind.count = std::ssize(works);
      for (const measure::Work& work : works) {
        kind.gflop += 1e-9 * work.flops;
        kind.gbyte += 1e-9 * work.bytes;
      }
      kind.bound_share = measure::roofline_seconds(works, of_machine) / kind.seconds;
      out.push_back(kind);
    }
    for (OperationFigures& kind : out) kind.share = kind.seconds / all;
    std::sort(out.begin(), out.end(),
              [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
    return out;
  }

 private:
  using Clock = std::chrono::steady_clock;

  std::map<std::string, std::vector<double>> seconds_;
  std::map<std::string, std::vector<measure::Work>> works_;
};

native::Precision precision_of(const weights::SourcedNetwork& subject,
                               const BenchOptions& options) {
  return native::resolved(native::precision_from(options.precision), !subject.int8_ranges.empty());
}

BenchSize measure_size(const weights::SourcedNetwork& subject, std::int64_t width,
                       std::int64_t height, const BenchOptions& options, Listener& listener) {
  listener.line(
      concat("measuring ", width, " x ", height, ", ", options.request.rounds, " rounds"));
  std::optional<Prediction> prediction;
  const native::Precision precision = precision_of(subject, options);
  const native::Ranges ranges =
      precision == native::Precision::int8 ? ranges_of(subject, width, height) : native::Ranges{};
  // Memory first: the machine's loops take some of their own.
  const std::int64_t peak = measure::peak_memory_of([&] {
    prediction.emplace(subject, width, height, precision, ranges);
    prediction->run();
  });
  Profile profile;
  BenchSize out;
  out.width = width;
  out.height = height;
  out.prediction = library::bench_figures(
      measure::measure_beside_limits(
          [&] { options.profile ? profile.run(*prediction) : prediction->run(); },
          measure::network_work(prediction->recorded(), measure::Extent::forward),
          {.rounds = options.request.rounds, .before_round = [&] { throw_if_stopped(listener); }}),
      1);
  out.prediction.expected_memory_bytes = prediction->expected_memory();
  out.prediction.peak_memory_bytes = peak;
  if (options.profile) {
    out.profile = profile.figures(out.prediction.limits);
  }
  return out;
}

}  // namespace

BenchReport measure_network(const BenchOptions& options, Listener& listener) {
  set_thread_count(options.request.threads);
  const weights::SourcedNetwork subject = network_of(options.request);
  BenchReport out{.machine = this_machine(),
                  .libtorch = {},
                  .network = subject.network.preset,
                  .task = subject.classifies() ? "classify" : "segmentation",
                  .precision = native::to_string(precision_of(subject, options)),
                  .batch = options.request.batch,
                  .threads = options.request.threads,
                  .rounds = options.request.rounds,
                  .sizes = {}};
  for (const std::int64_t size : options.request.sizes) {
    out.sizes.push_back(measure_size(subject, size, size, options, listener));
  }
  if (options.request.sizes.empty()) {
    out.sizes.push_back(measure_size(subject, subject.width, subject.height, options, listener));
  }
  if (!options.training) return out;
  if (!has_training_library()) {
    listener.line("note: no training library, so no training step is measured");
    return out;
  }
  out.libtorch = describe_training_library().libtorch;
  const library::BenchResult training = bench(options.request, listener);
  for (std::size_t i = 0; i < out.sizes.size(); ++i) {
    out.sizes[i].training_step = training.training_steps.at(i);
  }
  return out;
}

}  // namespace medurwkv::app
