#include "train/trainer.h"

#include <chrono>
#include <cmath>
#include <optional>
#include <utility>

#include <ATen/Parallel.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include "core/error.h"
#include "core/files.h"
#include "core/memory.h"
#include "core/stop.h"
#include "core/text.h"
#include "core/threads.h"
#include "core/version.h"
#include "data/split.h"
#include "kernels/isa.h"
#include "plan/counting.h"
#include "train/checkpoint.h"
#include "train/config.h"
#include "train/event_file.h"
#include "train/learner.h"
#include "train/meeting.h"
#include "train/memory.h"
#include "train/run_folder.h"
#include "train/run_setup.h"
#include "train/run_start.h"
#include "train/samples.h"
#include "train/schedule.h"
#include "train/torch_engine.h"
#include "train/validation.h"

namespace medurwkv::train {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

/// Seconds since 1970, for TensorBoard alone.
double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The GPU of a rank where several share a machine's.
at::Device device_of(const TrainRequest& request) {
  const at::Device device = device_from(request.device);
  if (!device.is_cuda() || request.rendezvous.empty()) return device;
  return {at::kCUDA, static_cast<at::DeviceIndex>(request.rank % torch::cuda::device_count())};
}

Meeting meeting_of(const TrainRequest& request, const at::Device& device) {
  if (request.rendezvous.empty()) return {};
  torch_backend::Rendezvous where = torch_backend::rendezvous_from(request.rendezvous);
  where.rank = request.rank;
  where.world = request.world;
  return {where, device};
}

class Run {
 public:
  Run(const TrainRequest& request, const TrainListener& listener)
      : request_(request),
        listener_(listener),
        initial_(initial_weights_of(request)),
        config_(load_config(request.config, request.settings,
                            initial_ ? initial_->defaults() : Config())),
        dataset_(data::open_dataset(request.data, data::split_options(request.split))),
        split_(data::read_split(request.split, dataset_, fold_of(config_))),
        split_sha256_(sha256_file(request.split)),
        info_(described()),
        cases_(dataset_, split_),
        schedule_({.samples = static_cast<std::int64_t>(cases_.train),
                   .batch = config_.run.batch,
                   .accumulate = config_.optimizer.accumulate,
                   .epochs = config_.run.epochs}),
        folder_(request.rank == 0 ? std::make_unique<RunFolder>(request.out, request.resume)
                                  : nullptr),
        device_(device_of(request)),
        meeting_(meeting_of(request, device_)),
        memory_(expected_memory()),
        cache_(cases_.count(), cases_.reader, memory_.cache_budget),
        loader_(cache_, {.contract = info_.input,
                         .augment = config_.augment,
                         .cases = static_cast<std::int64_t>(cases_.train),
                         .batch = config_.run.batch,
                         .steps = schedule_.total_batches(),
                         .seed = config_.run.seed,
                         .workers = thread_count(),
                         .part = meeting_.rank(),
                         .parts = meeting_.world()}),
        learner_(config_, info_.network, loss_options(config_, class_count()), device_) {
    learner_.set_group(meeting_.group());
  }

  json execute() {
    if (meeting_.leads()) {
      begin();
      announce();
      open_events();
    }
    begin_together();
    while (!finished()) {
      step();
      if (state().step % schedule_.steps_per_epoch() == 0) finish_epoch();
      const int signal = meeting_.largest(listener_.stop_signal());
      const bool out_of_time =
          meeting_.largest(
              request_.max_minutes > 0 && total_seconds() > 60 * request_.max_minutes ? 1 : 0) != 0;
      if (signal != 0 || out_of_time || seconds_since(last_save_) > request_.save_every) save();
      if (signal != 0) throw Stopped{signal};
      if (out_of_time) {
        listener_.line(concat("stopped after --max-minutes ", request_.max_minutes));
        break;
      }
    }
    if (out_of_patience() && state().step < schedule_.total_steps()) {
      listener_.line(concat("ended after epoch ", state().rows.size(),
                            ": validation Dice has not risen for ", config_.run.patience,
                            " epochs (run.patience)"));
    }
    save();
    return summary();
  }

 private:
  [[nodiscard]] RunState& state() { return beginning_.state; }
  [[nodiscard]] const RunState& state() const { return beginning_.state; }
  [[nodiscard]] std::int64_t class_count() const { return std::ssize(dataset_.classes); }

  weights::ModelInfo described() {
    return {.network = resolve_network(config_, class_count()),
            .input = input_of(config_),
            .classes = dataset_.classes,
            .regions = regions_of(config_, class_count()),
            .provenance = {{"data_sha256", split_.data_sha256},
                           {"split_sha256", split_sha256_},
                           {"configuration", to_toml(config_)},
                           {"seed", config_.run.seed},
                           {"medurwkv", medurwkv::version}}};
  }

  /// Refuses a run that does not fit.
  ExpectedMemory expected_memory() {
    return expect_memory(
        {.network = info_.network,
         .input = info_.input,
         .batch = (std::min(config_.run.batch, static_cast<std::int64_t>(cases_.train)) +
                   request_.world - 1) /
                  request_.world,
         .accumulate = config_.optimizer.accumulate,
         .loss_parts = (config_.loss.focal > 0 ? 1 : 0) + (config_.loss.tversky > 0 ? 1 : 0) +
                       (config_.loss.boundary > 0 ? 1 : 0),
         .average = config_.optimizer.ema > 0,
         .cases = static_cast<std::int64_t>(cases_.count()),
         .mean_case = mean_case_size(cases_.reader, cases_.count()),
         .workers = thread_count(),
         .cache = request_.cache,
         .limit = request_.memory,
         .device = device_});
  }

  [[nodiscard]] RunStart start() const {
    return {.folder = *folder_,
            .config = config_,
            .split_sha256 = split_sha256_,
            .initial = initial_,
            .list_names = request_.names,
            .environment = environment(),
            .line = listener_.line};
  }

  /// The leader's: a new run, or the one that lies in the folder.
  void begin() {
    if (request_.resume) {
      beginning_ = resume(start(), info_.network, learner_);
      earlier_ = folder_->record();
      if (beginning_.resumed) {
        listener_.line(
            concat("resuming after step ", state().step, " of ", schedule_.total_steps()));
      }
    } else {
      beginning_ = start_anew(start(), info_.network, learner_);
    }
    if (!beginning_.initial_weights.empty()) {
      info_.provenance["initial_weights"] = beginning_.initial_weights;
    }
    if (request_.resume) return;
    // config.toml comes last: a folder with it holds a run that can be resumed.
    write_file(*folder_ / "split.json", read_file(request_.split));
    write_run();
    write_file(*folder_ / "config.toml", to_toml(config_));
  }

  /// Every rank goes on from where the leader stands, with the same data and settings.
  void begin_together() {
    const json mine{{"configuration", to_toml(config_)},
                    {"split", split_sha256_},
                    {"data", split_.data_sha256},
                    {"version of medurwkv", medurwkv::version}};
    const json leaders = meeting_.from_leader(mine);
    for (const auto& [what, value] : leaders.items()) {
      if (mine.at(what) != value) {
        throw_usage(concat("rank ", meeting_.rank(), ": its ", what, " is not that of rank 0"));
      }
    }
    const json beginning = meeting_.from_leader(to_json(beginning_));
    if (!meeting_.leads()) beginning_ = beginning_from(beginning);
    meeting_.share(learner_);
    if (beginning_.initial_weights.value("option", "") == InitialWeights::pretrained) {
      learner_.set_published(beginning_.initial_tensors,
                             config_.encoder.frozen_epochs * schedule_.steps_per_epoch());
    }
    initial_.reset();
  }

  void open_events() {
    events_.emplace(folder_->path(), now());
    for (const EpochRow& row : state().rows) {
      events_->add(scalar_event(now(), row.epoch, scalars(row)));
    }
  }

  void announce() const {
    const plan::Cost cost =
        plan::count(plan::record(info_.network, 1, info_.input.height, info_.input.width));
    listener_.line(concat(info_.network.preset, ": ", with_thousands(cost.parameters),
                          " parameters, ", fixed(static_cast<double>(cost.multiply_adds) * 1e-9, 2),
                          " G multiply-adds at ", info_.input.width, " x ", info_.input.height));
    const std::int64_t accumulate = config_.optimizer.accumulate;
    listener_.line(
        concat(cases_.train, " training and ", cases_.val, " validation images, ",
               config_.run.epochs, " epochs of ", schedule_.steps_per_epoch(), " steps, ",
               accumulate > 1 ? concat(accumulate, " batches of ") : "batch ", config_.run.batch,
               ", ", device_.str(), ", ", thread_count(), " threads"));
    if (!beginning_.initial_tensors.empty() && config_.encoder.frozen_epochs > 0 &&
        beginning_.initial_weights.value("option", "") == InitialWeights::pretrained) {
      listener_.line(concat("the ", beginning_.initial_tensors.size(),
                            " tensors of the file stay as they are for ",
                            config_.encoder.frozen_epochs, " epochs"));
    }
    if (config_.run.precision == "bfloat16" && !bfloat16_pays(device_)) {
      listener_.line(
          "warning: bfloat16 is no faster than float32 on this processor, which has no AMX "
          "(docs/performance.md); run.precision = float32 is the better choice");
    }
    listener_.line(to_text(memory_));
  }

  [[nodiscard]] bool out_of_patience() const {
    return ends_early(std::ssize(state().rows), state().best_epoch, config_.run.patience);
  }
  [[nodiscard]] bool finished() const {
    return state().step >= schedule_.total_steps() || out_of_patience();
  }

  [[noreturn]] void refuse_step(const char* what, double value,
                                const std::vector<std::string>& ids) const {
    throw_failure(concat("the ", what, " became ", value, " at step ", state().step + 1,
                         " (images ", join(ids, ", "), "); ",
                         folder_ && folder_->has_checkpoint()
                             ? folder_->checkpoint().string() + " holds the last saved state; "
                             : std::string(),
                         "try a smaller optimizer.rate"));
  }

  /// When a case cannot be read the run is saved as it stands.
  Batch next_batch(std::int64_t index) {
    try {
      return to_tensors(loader_.take(index), info_.input);
    } catch (const Error& error) {
      if (!meeting_.leads()) throw;
      learner_.optimizer().zero_gradients();
      save();
      throw Error(error.kind(), concat(error.what(), "; ", folder_->checkpoint().string(),
                                       " holds the run after step ", state().step,
                                       ": restore the file and go on with --resume"));
    }
  }

  /// The batches of one step, then its update. They are all read before the first is learned, so
  /// that one that cannot be read finds the run as it was after the step before.
  void step() {
    const Clock::time_point begin = Clock::now();
    const double waited = loader_.waited_seconds();
    const std::int64_t first = schedule_.first_batch(state().step);
    const std::int64_t count = schedule_.batches_of(state().step);
    std::vector<Batch> batches;
    std::vector<std::string> ids;
    for (std::int64_t i = 0; i < count; ++i) {
      batches.push_back(next_batch(first + i));
      ids.insert(ids.end(), batches.back().ids.begin(), batches.back().ids.end());
    }
    epoch_.waited += loader_.waited_seconds() - waited;
    learner_.begin_step(state().step);
    BatchLoss sums;
    for (std::int64_t i = 0; i < count; ++i) {
      const Batch batch = std::move(batches[static_cast<std::size_t>(i)]);
      const BatchLoss loss = learner_.learn(batch, first + i, 1 / static_cast<double>(count));
      if (!std::isfinite(loss.total)) refuse_step("loss", loss.total, batch.ids);
      sums.total += loss.total;
      for (std::size_t part = 0; part < sums.parts.size(); ++part) {
        sums.parts[part] += loss.parts[part];
      }
    }
    rate_ = learning_rate(config_.optimizer.rate, state().step, schedule_.total_steps(),
                          std::min(config_.optimizer.warmup_steps, schedule_.steps_per_epoch()));
    const double norm = learner_.update(rate_);
    if (!std::isfinite(norm)) refuse_step("gradient", norm, ids);
    ++state().step;
    state().sum_loss += sums.total;
    for (std::size_t part = 0; part < sums.parts.size(); ++part) {
      state().sums[part] += sums.parts[part];
    }
    epoch_.steps += seconds_since(begin);
    if (!meeting_.leads()) return;
    listener_.progress(state().step, schedule_.total_steps(),
                       concat("loss ", fixed(sums.total / static_cast<double>(count), 3)));
  }

  void finish_epoch() {
    const Clock::time_point begin = Clock::now();
    const Validated validated = validated_now();
    const double used = meeting_.sum(static_cast<double>(validated.used));
    const double sum = meeting_.sum(validated.sum);
    seconds_.validation += seconds_since(begin);
    const bool best =
        train::finish_epoch(state(), schedule_.batches_per_epoch(), rate_,
                            used > 0 ? sum / used : std::numeric_limits<double>::quiet_NaN());
    if (!meeting_.leads()) return;
    const Clock::time_point saving = Clock::now();
    const EpochRow& row = state().rows.back();
    if (best) {
      weights::ModelInfo info = info_;
      info.provenance["epoch"] = row.epoch;
      write_model(*folder_ / "best.model", info, learner_);
    }
    write_file(*folder_ / "log.csv", log_csv(state().rows, weights_of_loss()));
    write_file(*folder_ / "curves.svg", curves_svg(state().rows));
    if (!validated.strip.empty()) {
      write_file(*folder_ / "validation.png", validated.strip);
      if (best) write_file(*folder_ / "best.png", validated.strip);
    }
    events_->add(scalar_event(now(), row.epoch, scalars(row)));
    seconds_.saving += seconds_since(saving);
    listener_.line(concat("epoch ", row.epoch, "/", config_.run.epochs, "  loss ",
                          fixed(row.loss, 4), "  validation Dice ",
                          std::isfinite(row.validation_dice) ? fixed(row.validation_dice, 4) : "-",
                          "  waiting for data ", fixed(100 * epoch_.waited / epoch_.steps, 1), " %",
                          best ? "  (best so far)" : ""));
    seconds_.steps += epoch_.steps;
    epoch_ = {};
  }

  [[nodiscard]] LossParts weights_of_loss() const {
    return loss_options(config_, class_count()).weights;
  }

  [[nodiscard]] Scalars scalars(const EpochRow& row) const {
    Scalars out{{"rate", row.rate}, {"loss/total", row.loss}};
    const LossParts weights = weights_of_loss();
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (weights[i] > 0) out.emplace_back(concat("loss/", loss_names[i]), row.parts[i]);
    }
    if (std::isfinite(row.validation_dice))
      out.emplace_back("validation/dice", row.validation_dice);
    return out;
  }

  Validated validated_now() {
    TorchEngine engine(info_.network, learner_.judged(),
                       {.input = info_.input,
                        .classes = info_.classes,
                        .network = {},
                        .file = {},
                        .sha256 = {},
                        .split_sha256 = {}},
                       info_.regions);
    return validate(
        engine, cache_,
        {.first = cases_.train,
         .count = cases_.val,
         .pictures = meeting_.leads() ? static_cast<std::size_t>(config_.run.pictures) : 0,
         .part = static_cast<std::size_t>(meeting_.rank()),
         .parts = static_cast<std::size_t>(meeting_.world())});
  }

  [[nodiscard]] json environment() const {
    return {
        {"threads", thread_count()}, {"processes", meeting_.world()},
        {"device", device_.str()},   {"instruction_set", kernels::to_string(kernels::chosen_isa())},
        {"libtorch", TORCH_VERSION}, {"medurwkv", medurwkv::version}};
  }

  void save() {
    if (!meeting_.leads()) return;
    const Clock::time_point begin = Clock::now();
    write_checkpoint(folder_->checkpoint(), info_, learner_, state(),
                     started_with(start(), beginning_));
    seconds_.saving += seconds_since(begin);
    write_run();
    last_save_ = Clock::now();
  }

  /// Seconds of the whole run, resumed time included, by what they went into.
  [[nodiscard]] json seconds_by_part() const {
    const ComputeSeconds& compute = learner_.seconds();
    const double waited = loader_.waited_seconds();
    const double steps = seconds_.steps + epoch_.steps;
    json out{{"forward", compute.forward},        {"loss", compute.loss},
             {"backward", compute.backward},      {"optimiser", compute.update},
             {"waiting_for_data", waited},        {"rest_of_steps", steps - compute.sum() - waited},
             {"validation", seconds_.validation}, {"saving", seconds_.saving}};
    const json before = earlier_.value("seconds_in", json::object());
    for (auto& [part, seconds] : out.items()) {
      seconds = seconds.get<double>() + before.value(part, 0.0);
    }
    return out;
  }

  void write_run() const {
    json run = info_.provenance;
    run["environment"] = environment();
    run["seconds"] = total_seconds();
    run["seconds_in"] = seconds_by_part();
    run["expected_memory_bytes"] = memory_.total();
    run["peak_memory_bytes"] = peak_memory();
    run["finished_steps"] = state().step;
    run["total_steps"] = schedule_.total_steps();
    write_file(*folder_ / "run.json", run.dump(2) + "\n");
  }

  [[nodiscard]] double total_seconds() const {
    return earlier_.value("seconds", 0.0) + seconds_since(start_time_);
  }

  [[nodiscard]] json summary() const {
    return {{"run", request_.out.string()},
            {"model", (request_.out / "best.model").string()},
            {"epochs", state().rows.size()},
            {"best_epoch", state().best_epoch},
            {"best_validation_dice", state().best_dice < 0 ? json() : json(state().best_dice)},
            {"ended", finished()},
            {"seconds", total_seconds()}};
  }

  /// Seconds of this process.
  struct Seconds {
    double steps = 0, validation = 0, saving = 0;
  };
  struct EpochSeconds {
    double steps = 0, waited = 0;
  };

  const TrainRequest& request_;
  const TrainListener& listener_;
  std::optional<InitialWeights> initial_;  ///< until they are in the learner
  Config config_;
  data::Dataset dataset_;
  data::Split split_;
  std::string split_sha256_;
  weights::ModelInfo info_;
  RunCases cases_;
  Schedule schedule_;
  std::unique_ptr<RunFolder> folder_;  ///< the leader's
  at::Device device_;
  Meeting meeting_;
  ExpectedMemory memory_;
  data::CaseCache cache_;  ///< of the training part, then of the validation part
  data::BatchLoader loader_;
  Learner learner_;
  Beginning beginning_;
  json earlier_ = json::object();  ///< what run.json said of the time before
  std::optional<EventFile> events_;
  double rate_ = 0;
  Seconds seconds_;
  EpochSeconds epoch_;
  Clock::time_point start_time_ = Clock::now();
  Clock::time_point last_save_ = Clock::now();
};

}  // namespace

json train(const TrainRequest& request, const TrainListener& listener) {
  set_thread_count(request.threads);
  at::set_num_threads(request.threads);
  return Run(request, listener).execute();
}

}  // namespace medurwkv::train
