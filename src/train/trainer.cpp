#include "train/trainer.h"

#include <chrono>
#include <cmath>
#include <future>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include <ATen/Parallel.h>
#include <torch/version.h>

#include "core/error.h"
#include "core/files.h"
#include "core/memory.h"
#include "core/stop.h"
#include "core/text.h"
#include "core/threads.h"
#include "core/version.h"
#include "data/split.h"
#include "judge/metrics.h"
#include "plan/counting.h"
#include "predict/predictor.h"
#include "torch/torch_ops.h"
#include "train/config.h"
#include "train/initial_weights.h"
#include "train/loss.h"
#include "train/memory.h"
#include "train/run_folder.h"
#include "train/samples.h"
#include "train/torch_engine.h"

namespace medurwkv::train {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// ImageNet's statistics for RGB, their mean for any other number of channels.
InputContract input_of(const Config& config) {
  InputContract out{.fit = fit_from(config.input.fit),
                    .width = config.input.width,
                    .height = config.input.height,
                    .channels = config.network.channels};
  if (out.fit == Fit::tile) {
    throw_usage("setting input.fit = tile is not supported yet; use native, or stretch or pad");
  }
  if (config.input.window_low < config.input.window_high) {
    out.window = {config.input.window_low, config.input.window_high};
  }
  if (out.channels != 3) {
    const auto channels = static_cast<std::size_t>(out.channels);
    out.mean.assign(channels, 0.449);
    out.deviation.assign(channels, 0.226);
  }
  return out;
}

std::optional<int> fold_of(const Config& config) {
  return config.run.fold > 0 ? std::optional(static_cast<int>(config.run.fold)) : std::nullopt;
}

std::optional<InitialWeights> initial_weights_of(const TrainRequest& request) {
  if (!request.pretrained.empty()) {
    return std::optional<InitialWeights>(std::in_place, InitialWeights::pretrained,
                                         request.pretrained);
  }
  if (!request.init.empty()) {
    return std::optional<InitialWeights>(std::in_place, InitialWeights::init, request.init);
  }
  return std::nullopt;
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
        device_(device_from(request.device)) {
    info_.network = resolve_network(config_, static_cast<std::int64_t>(dataset_.classes.size()));
    info_.input = input_of(config_);
    lock_.emplace(prepared_folder(request.out, request.resume));
    info_.classes = dataset_.classes;
    info_.provenance = {{"data_sha256", split_.data_sha256},
                        {"split_sha256", sha256_file(request.split)},
                        {"configuration", to_toml(config_)},
                        {"seed", config_.run.seed},
                        {"medurwkv", medurwkv::version}};
    open_cases();
    store_ = std::make_unique<torch_backend::ParameterStore>(plan::parameters_of(info_.network),
                                                             config_.run.seed, at::kFloat, device_);
    for (const net::ParameterSpec& spec : store_->specs()) {
      if (spec.buffer) continue;
      optimizer_.add(spec.name, store_->at(spec.name),
                     spec.decays() ? config_.optimizer.weight_decay : 0);
    }
    warmup_ = std::min(config_.optimizer.warmup_steps, steps_per_epoch());
  }

  json execute() {
    // The lock is held: what lies there half written is of a run that was killed.
    for (const char* file : {"split.json", "config.toml", "last.ckpt", "best.model", "run.json",
                             "log.csv", "curves.svg"}) {
      remove_leftovers(request_.out / file);
    }
    if (request_.resume) {
      resume();
    } else {
      fill_initial_weights();
      // config.toml comes last: a folder with it holds a run that can be resumed.
      write_file(request_.out / "split.json", read_file(request_.split));
      write_run();
      write_file(request_.out / "config.toml", to_toml(config_));
    }
    initial_.reset();
    announce();
    while (state_.step < total_steps_) {
      step();
      if (state_.step % steps_per_epoch() == 0) finish_epoch();
      const int signal = listener_.stop_signal();
      const bool out_of_time =
          request_.max_minutes > 0 && total_seconds() > 60 * request_.max_minutes;
      if (signal != 0 || out_of_time || seconds_since(last_save_) > request_.save_every) save();
      if (signal != 0) throw Stopped{signal};
      if (out_of_time) {
        listener_.line(concat("stopped after --max-minutes ", request_.max_minutes));
        break;
      }
    }
    save();
    return summary();
  }

 private:
  /// A new run wants a folder without one; a resumed run wants a folder with one.
  static const std::filesystem::path& prepared_folder(const std::filesystem::path& out,
                                                      bool resume) {
    const bool has_run =
        std::filesystem::exists(out / "last.ckpt") || std::filesystem::exists(out / "config.toml");
    if (resume && !has_run) {
      throw_failure(concat(out.string(), ": nothing to resume (no training run in it)"));
    }
    if (!resume && has_run) {
      throw_usage(concat(out.string(),
                         ": holds a training run already; go on with --resume or "
                         "choose another --out"));
    }
    make_folder(out);
    return out;
  }

  /// Checks that the run fits into memory, then opens its cases.
  void open_cases() {
    std::vector<data::Case> cases = data::part_of(dataset_, split_, "train");
    train_count_ = cases.size();
    if (cases.empty()) throw_failure("the split's train part is empty");
    const std::vector<data::Case> validation = data::part_of(dataset_, split_, "val");
    validation_count_ = validation.size();
    cases.insert(cases.end(), validation.begin(), validation.end());
    const data::CaseReader reader = case_reader(dataset_, std::move(cases));
    const std::size_t count = train_count_ + validation_count_;
    memory_ = expect_memory(
        {.network = info_.network,
         .input = info_.input,
         .batch = std::min(config_.run.batch, static_cast<std::int64_t>(train_count_)),
         .cases = static_cast<std::int64_t>(count),
         .mean_case = mean_case_size(reader, count),
         .workers = thread_count(),
         .cache = request_.cache,
         .limit = request_.memory,
         .device = device_});
    cases_.emplace(count, reader, memory_.cache_budget);
    const auto samples = static_cast<std::int64_t>(train_count_);
    total_steps_ = config_.run.epochs * ((samples + config_.run.batch - 1) / config_.run.batch);
    loader_.emplace(*cases_, data::LoaderOptions{.contract = info_.input,
                                                 .augment = config_.augment,
                                                 .cases = samples,
                                                 .batch = config_.run.batch,
                                                 .steps = total_steps_,
                                                 .seed = config_.run.seed,
                                                 .workers = thread_count()});
  }

  [[nodiscard]] std::int64_t steps_per_epoch() const { return loader_->steps_per_epoch(); }

  void refuse_another_run(const json& configuration, const json& split_sha256) const {
    if (configuration == to_toml(config_) && split_sha256 == info_.provenance.at("split_sha256")) {
      return;
    }
    throw_usage(concat(request_.out.string(),
                       ": the run was started with another configuration or split; resume with "
                       "the same (its configuration is in config.toml)"));
  }

  void fill_initial_weights() {
    if (!initial_) return;
    const weights::Coverage coverage = initial_->fill(info_.network, *store_);
    Origin origin = initial_->origin(coverage);
    info_.provenance["initial_weights"] = std::move(origin.record);
    initial_tensors_ = std::move(origin.tensors);
    for (const std::string& line : initial_->report(info_.network, coverage, request_.names)) {
      listener_.line(line);
    }
  }

  /// A resumed run has its weights already; a file named again must be the one it started from.
  void refuse_another_origin(const json& recorded) const {
    if (!initial_) return;
    if (recorded.value("option", "") == initial_->option() &&
        recorded.value("sha256", "") == initial_->sha256()) {
      return;
    }
    throw_usage(concat(initial_->option(), ": the run in ", request_.out.string(),
                       " did not start from this file; leave the option out to resume it"));
  }

  /// The run was ended before its first checkpoint.
  void start_over() {
    refuse_another_run(to_toml(load_config(request_.out / "config.toml", {})),
                       sha256_file(request_.out / "split.json"));
    const std::filesystem::path run = request_.out / "run.json";
    const json recorded = std::filesystem::exists(run)
                              ? json::parse(read_file(run)).value("initial_weights", json::object())
                              : json::object();
    refuse_another_origin(recorded);
    if (!recorded.empty() && !initial_) {
      throw_usage(concat(request_.out.string(),
                         ": the run was ended before its first checkpoint; name the file that it "
                         "started from again: ",
                         recorded.at("option").get<std::string>(), " FILE (SHA-256 ",
                         recorded.at("sha256").get<std::string>(), ")"));
    }
    listener_.line("the run was ended before its first checkpoint: starting from the beginning");
    fill_initial_weights();
  }

  void resume() {
    if (!std::filesystem::exists(request_.out / "last.ckpt")) {
      start_over();
      return;
    }
    const Resumed resumed = read_checkpoint(request_.out / "last.ckpt", *store_, optimizer_);
    refuse_another_run(resumed.started_with.at("configuration"),
                       resumed.started_with.at("split_sha256"));
    if (resumed.started_with.at("environment") != environment()) {
      listener_.line(concat("note: resumed in another environment (",
                            resumed.started_with.at("environment").dump(), " before, ",
                            environment().dump(), " now); bits may differ from an unbroken run"));
    }
    state_ = resumed.state;
    const json none = json::object();
    const json recorded = resumed.started_with.value("initial_weights", none);
    refuse_another_origin(recorded);
    if (!recorded.empty()) {
      info_.provenance["initial_weights"] = recorded;
      resumed.started_with.at("initial_tensors").get_to(initial_tensors_);
    }
    if (std::filesystem::exists(request_.out / "run.json")) {
      const json run = json::parse(read_file(request_.out / "run.json"));
      earlier_seconds_ = run.value("seconds", 0.0);
      earlier_waited_ = run.value("waited_for_data_seconds", 0.0);
    }
    listener_.line(concat("resuming after step ", state_.step, " of ", total_steps_));
  }

  void announce() const {
    const plan::Cost cost =
        plan::count(plan::record(info_.network, 1, info_.input.height, info_.input.width));
    listener_.line(concat(info_.network.preset, ": ", with_thousands(cost.parameters),
                          " parameters, ", fixed(static_cast<double>(cost.multiply_adds) * 1e-9, 2),
                          " G multiply-adds at ", info_.input.width, " x ", info_.input.height));
    listener_.line(concat(train_count_, " training and ", validation_count_, " validation images, ",
                          config_.run.epochs, " epochs of ", steps_per_epoch(), " steps, batch ",
                          config_.run.batch, ", ", device_.str(), ", ", thread_count(),
                          " threads"));
    listener_.line(to_text(memory_));
  }

  [[noreturn]] void refuse_step(const char* what, double value, const Batch& batch) const {
    const std::filesystem::path checkpoint = request_.out / "last.ckpt";
    throw_failure(concat("the ", what, " became ", value, " at step ", state_.step + 1, " (images ",
                         join(batch.ids, ", "), "); ",
                         std::filesystem::exists(checkpoint)
                             ? checkpoint.string() + " holds the last saved state; "
                             : std::string(),
                         "try a smaller optimizer.rate"));
  }

  /// When a case cannot be read the run is saved as it stands.
  Batch next_batch() {
    try {
      return to_tensors(loader_->take(state_.step), info_.input);
    } catch (const Error& error) {
      save();
      throw Error(error.kind(), concat(error.what(), "; ", (request_.out / "last.ckpt").string(),
                                       " holds the run after step ", state_.step,
                                       ": restore the file and go on with --resume"));
    }
  }

  void step() {
    const Clock::time_point begin = Clock::now();
    const double waited = loader_->waited_seconds();
    const Batch batch = next_batch();
    epoch_waited_ += loader_->waited_seconds() - waited;
    const torch_backend::RunMode mode{.training = true,
                                      .seed = config_.run.seed,
                                      .step = static_cast<std::uint64_t>(state_.step)};
    const auto out =
        torch_backend::run_network(info_.network, *store_, mode, batch.images.to(device_));
    const Loss loss = segmentation_loss(out.logits, batch.labels.to(device_),
                                        {.cross_entropy_weight = config_.loss.cross_entropy,
                                         .dice_weight = config_.loss.dice,
                                         .class_weights = {}});
    const double total = loss.total.item().toDouble();
    if (!std::isfinite(total)) refuse_step("loss", total, batch);
    loss.total.backward();
    const double norm = clip_gradients(optimizer_.slots(), config_.optimizer.clip_norm);
    if (!std::isfinite(norm)) refuse_step("gradient", norm, batch);
    rate_ = learning_rate(config_.optimizer.rate, state_.step, total_steps_, warmup_);
    optimizer_.step(rate_);
    optimizer_.zero_gradients();
    ++state_.step;
    state_.sum_loss += total;
    state_.sum_cross_entropy += loss.cross_entropy.item().toDouble();
    state_.sum_dice += loss.dice.item().toDouble();
    epoch_seconds_ += seconds_since(begin);
    listener_.progress(state_.step, total_steps_, concat("loss ", fixed(total, 3)));
  }

  void finish_epoch() {
    const auto steps = static_cast<double>(steps_per_epoch());
    EpochRow row{.epoch = state_.step / steps_per_epoch(),
                 .rate = rate_,
                 .loss = state_.sum_loss / steps,
                 .cross_entropy = state_.sum_cross_entropy / steps,
                 .dice_loss = state_.sum_dice / steps,
                 .validation_dice = validate()};
    state_.sum_loss = state_.sum_cross_entropy = state_.sum_dice = 0;
    state_.rows.push_back(row);
    // Without validation cases the last epoch is the best.
    const bool best = !std::isfinite(row.validation_dice) || row.validation_dice > state_.best_dice;
    if (best) {
      state_.best_epoch = row.epoch;
      if (std::isfinite(row.validation_dice)) state_.best_dice = row.validation_dice;
      weights::ModelInfo info = info_;
      info.provenance["epoch"] = row.epoch;
      write_model(request_.out / "best.model", info, *store_);
    }
    write_file(request_.out / "log.csv", log_csv(state_.rows));
    write_file(request_.out / "curves.svg", curves_svg(state_.rows));
    listener_.line(concat("epoch ", row.epoch, "/", config_.run.epochs, "  loss ",
                          fixed(row.loss, 4), "  validation Dice ",
                          std::isfinite(row.validation_dice) ? fixed(row.validation_dice, 4) : "-",
                          "  waiting for data ", fixed(100 * epoch_waited_ / epoch_seconds_, 1),
                          " %", best ? "  (best so far)" : ""));
    epoch_waited_ = epoch_seconds_ = 0;
  }

  /// Mean Dice over validation cases at their own resolution; NaN without any.
  double validate() {
    TorchEngine engine(info_.network, *store_,
                       {.input = info_.input,
                        .classes = info_.classes,
                        .network = {},
                        .file = {},
                        .sha256 = {},
                        .split_sha256 = {}});
    double sum = 0;
    std::int64_t used = 0;
    const auto read = [this](std::size_t index) {
      return index < train_count_ + validation_count_ ? cases_->get(index) : nullptr;
    };
    std::shared_ptr<const data::LoadedCase> item = read(train_count_);
    for (std::size_t i = train_count_; i < train_count_ + validation_count_; ++i) {
      auto next = std::async(std::launch::async, read, i + 1);
      const predict::Prediction prediction = predict::predict_image(engine, item->image);
      const judge::CaseScores scores =
          judge::score_case(item->id, item->labels, prediction.labels, info_.classes.size());
      item = next.get();
      if (!scores.dice()) continue;
      sum += *scores.dice();
      ++used;
    }
    return used > 0 ? sum / static_cast<double>(used) : std::numeric_limits<double>::quiet_NaN();
  }

  [[nodiscard]] json environment() const {
    return {{"threads", thread_count()},
            {"device", device_.str()},
            {"libtorch", TORCH_VERSION},
            {"medurwkv", medurwkv::version}};
  }

  void save() {
    json started_with{{"configuration", to_toml(config_)},
                      {"split_sha256", info_.provenance.at("split_sha256")},
                      {"environment", environment()}};
    if (!initial_tensors_.empty()) {
      started_with["initial_weights"] = info_.provenance.at("initial_weights");
      started_with["initial_tensors"] = initial_tensors_;
    }
    write_checkpoint(request_.out / "last.ckpt", info_, *store_, optimizer_, state_, started_with);
    write_run();
    last_save_ = Clock::now();
  }

  void write_run() const {
    json run = info_.provenance;
    run["environment"] = environment();
    run["seconds"] = total_seconds();
    run["waited_for_data_seconds"] = earlier_waited_ + loader_->waited_seconds();
    run["expected_memory_bytes"] = memory_.total();
    run["peak_memory_bytes"] = peak_memory();
    run["finished_steps"] = state_.step;
    run["total_steps"] = total_steps_;
    write_file(request_.out / "run.json", run.dump(2) + "\n");
  }

  [[nodiscard]] double total_seconds() const { return earlier_seconds_ + seconds_since(start_); }

  [[nodiscard]] json summary() const {
    return {{"run", request_.out.string()},
            {"model", (request_.out / "best.model").string()},
            {"epochs", state_.rows.size()},
            {"best_epoch", state_.best_epoch},
            {"best_validation_dice", state_.best_dice < 0 ? json() : json(state_.best_dice)},
            {"seconds", total_seconds()}};
  }

  const TrainRequest& request_;
  const TrainListener& listener_;
  std::optional<InitialWeights> initial_;  ///< until they are in the store
  Config config_;
  data::Dataset dataset_;
  data::Split split_;
  at::Device device_;
  std::optional<RunLock> lock_;
  weights::ModelInfo info_;
  std::size_t train_count_ = 0;
  std::size_t validation_count_ = 0;
  ExpectedMemory memory_;
  std::optional<data::CaseCache> cases_;  ///< of the training part, then of the validation part
  std::optional<data::BatchLoader> loader_;
  std::unique_ptr<torch_backend::ParameterStore> store_;
  std::vector<std::string> initial_tensors_;  ///< the network's, whose first values were a file's
  AdamW optimizer_{{.beta1 = config_.optimizer.beta1, .beta2 = config_.optimizer.beta2}};
  std::int64_t total_steps_ = 0;
  std::int64_t warmup_ = 0;
  RunState state_;
  double rate_ = 0;
  double earlier_seconds_ = 0;
  double earlier_waited_ = 0;
  double epoch_seconds_ = 0;  ///< of the present epoch's steps, and what of it was waiting for data
  double epoch_waited_ = 0;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_save_ = Clock::now();
};

}  // namespace

json train(const TrainRequest& request, const TrainListener& listener) {
  set_thread_count(request.threads);
  at::set_num_threads(request.threads);
  return Run(request, listener).execute();
}

}  // namespace medurwkv::train
