#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <utility>

#include <ATen/Parallel.h>

#include "core/error.h"
#include "core/files.h"
#include "core/memory.h"
#include "core/stop.h"
#include "core/text.h"
#include "core/threads.h"
#include "core/version.h"
#include "data/codecs/read.h"
#include "train/checkpoint.h"
#include "train/learner.h"
#include "train/meeting.h"
#include "train/run/config.h"
#include "train/run/event_file.h"
#include "train/run/folder.h"
#include "train/run/record_text.h"
#include "train/run/schedule.h"
#include "train/run_setup.h"
#include "train/run_start.h"
#include "train/task/memory.h"
#include "train/task/task.h"

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

class Run {
 public:
  Run(const TrainRequest& request, Listener& listener)
      : request_(request),
        listener_(listener),
        initial_(initial_weights_of(request)),
        config_(configuration_of(request, initial_)),
        device_(device_of(request)),
        task_(task_of(request, config_, device_)),
        info_(task_->info()),
        schedule_({.samples = task_->samples(),
                   .batch = config_.run.batch,
                   .accumulate = config_.optimizer.accumulate,
                   .epochs = config_.run.epochs,
                   .epoch_steps = config_.run.epoch_steps}),
        folder_(request.rank == 0 ? std::make_unique<RunFolder>(request.out, request.resume)
                                  : nullptr),
        meeting_(meeting_of(request, device_)),
        memory_(expected_memory(request, config_, *task_, device_)),
        learner_(config_, info_.network, task_->objective(), device_, at::kFloat,
                 Learner::Begin::empty) {
    task_->open({.batches = schedule_.total_batches(),
                 .cache_budget = memory_.cache_budget,
                 .rank = meeting_.rank(),
                 .world = meeting_.world()});
    learner_.set_group(meeting_.group());
  }

  library::RunResult execute() {
    if (meeting_.leads()) {
      begin();
      announce();
      open_events();
    }
    begin_together();
    if (is_between_epochs() && std::ssize(state().rows) < epochs_of_steps()) {
      // Ended while it was being validated.
      rate_ = rate_of(state().step - 1, schedule_.total_steps());
      finish_epoch();
    }
    while (!finished()) {
      step();
      if (is_between_epochs()) finish_epoch();
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
      listener_.line(concat("ended after epoch ", state().rows.size(), ": ",
                            columns().chooses().label, " has not ",
                            columns().chooses().higher_is_better ? "risen" : "fallen", " for ",
                            config_.run.patience, " epochs (run.patience)"));
    }
    save();
    if (meeting_.leads()) {
      write_curves();
      check_best();
      calibrate();
    }
    return summary();
  }

 private:
  [[nodiscard]] RunState& state() { return beginning_.state; }
  [[nodiscard]] const RunState& state() const { return beginning_.state; }
  [[nodiscard]] const Columns& columns() const { return task_->columns(); }

  [[nodiscard]] RunStart start() const {
    return {.folder = *folder_,
            .config = config_,
            .split = task_->source().file,
            .split_sha256 = task_->source().split_sha256,
            .initial = initial_,
            .list_names = request_.names,
            .environment = environment_of(device_, meeting_.world()),
            .listener = listener_};
  }

  /// The leader's: a new run, or the one that lies in the folder.
  void begin() {
    if (request_.resume) {
      beginning_ = resume(start(), info_.network, learner_);
      earlier_ = folder_->record();
      mend_files();
      if (beginning_.resumed) {
        listener_.line(
            state().step >= schedule_.total_steps()
                ? concat("the run has had its ", config_.run.epochs, " epochs: ",
                         lacks_temperature() ? "its model's temperature is left to fit"
                                             : "nothing is left to do",
                         "; --epochs gives it more")
                : concat("resuming after step ", state().step, " of ", schedule_.total_steps()));
      }
    } else {
      beginning_ = start_anew(start(), info_.network, learner_);
    }
    if (!beginning_.initial_weights.empty()) {
      info_.provenance["initial_weights"] = beginning_.initial_weights;
    }
    if (!beginning_.raised_epochs.empty()) {
      info_.provenance["raised_epochs"] = beginning_.raised_epochs;
    }
    if (!request_.resume) {
      write_file(folder_->to("split.json"), task_->source().split);
      write_run();
    }
    if (request_.resume) settle_best();
    if (beginning_.raised_from > 0) tell_of_more_epochs();
    // config.toml comes last: a folder with it holds a run that can be resumed.
    if (!request_.resume || beginning_.raised_from > 0 || !is_there(*folder_ / "config.toml")) {
      write_file(folder_->to("config.toml"), raised_epochs_text(beginning_) + to_toml(config_));
    }
    folder_->keep();
  }

  /// What a resumed run finds damaged and holds elsewhere is written anew.
  void mend_files() const {
    const auto differs = [&](const char* name, const std::string& text, const std::string& from) {
      const std::filesystem::path file = *folder_ / name;
      // Rows of epochs after the last checkpoint may follow; they are trained again.
      if (is_there(file) && read_file(file).starts_with(text)) return false;
      listener_.line(
          concat("note: ", file.string(), " was damaged or gone; written anew from ", from));
      return true;
    };
    if (!state().rows.empty()) {
      differs("log.csv", log_csv(state().rows, columns()), folder_->checkpoint().string());
    }
    write_curves();
    const Source& source = task_->source();
    const std::string from = source.file.empty() ? "the pictures" : source.file.string();
    if (differs("split.json", source.split, from)) {
      write_file(folder_->to("split.json"), source.split);
    }
  }

  [[nodiscard]] std::int64_t epochs_of_steps() const {
    return state().step / schedule_.steps_per_epoch();
  }
  [[nodiscard]] bool is_between_epochs() const {
    return state().step > 0 && state().step % schedule_.steps_per_epoch() == 0;
  }

  /// The weights of the last epoch as its best.model.
  [[nodiscard]] PreparedModel model_of_epoch() const {
    weights::ModelInfo info = info_;
    info.provenance["epoch"] = state().rows.back().epoch;
    return prepare_model(info, learner_);
  }

  /// "best.model of epoch 3 (validation Dice 0.8125) is gone".
  [[nodiscard]] std::string best_text(const std::string& problem) const {
    return concat((*folder_ / "best.model").string(), " of epoch ", state().best_epoch,
                  std::isfinite(state().best)
                      ? concat(" (", columns().chooses().label, " ", fixed(state().best, 4), ")")
                      : "",
                  " ", problem);
  }

  /// The checkpoint knows its best.model. It is written after the checkpoint, so that a run killed
  /// in between, or robbed of it then, writes it again; one of an earlier epoch is lost.
  void settle_best() {
    if (state().best_epoch == 0) return;
    const std::filesystem::path file = *folder_ / "best.model";
    const std::string problem = model_problem(file, state().best_model, calibrated_checksum());
    if (problem.empty()) {
      if (state().best_model.empty()) {  // earlier versions did not note it
        state().best_model = checksum_in(file);
      }
      return;
    }
    const bool at_hand = is_between_epochs() && state().best_epoch == epochs_of_steps() &&
                         std::ssize(state().rows) == state().best_epoch;
    if (at_hand) {
      PreparedModel model = model_of_epoch();
      state().best_model = model.checksum;
      state().fitted.reset();
      write_model(folder_->to("best.model"), std::move(model));
      listener_.line(concat("note: ", best_text(problem), "; written again from last.ckpt"));
      return;
    }
    if (finished()) refuse_best(problem);
    listener_.line(
        concat("warning: ", best_text(problem), "; the best from here on is kept in its place"));
    forget_best(state());
  }

  /// No model is named that is not there.
  void check_best() const {
    if (!has_model()) return;
    const std::string problem =
        model_problem(*folder_ / "best.model", state().best_model, calibrated_checksum());
    if (!problem.empty()) refuse_best(problem);
  }

  /// That of best.model with its temperature; empty while none is fitted.
  [[nodiscard]] std::string calibrated_checksum() const {
    return state().fitted ? state().fitted->model : "";
  }
  static std::string checksum_in(const std::filesystem::path& file) {
    return weights::stored_checksum(weights::WeightsSource::open(file).metadata());
  }

  [[nodiscard]] bool lacks_temperature() const {
    return config_.run.calibrate && config_.task == TaskKind::segmentation && has_model() &&
           !state().fitted;
  }

  [[noreturn]] void refuse_best(const std::string& problem) const {
    throw_failure(concat(best_text(problem),
                         "; restore it, or give the run more epochs (--resume --epochs)"));
  }

  /// The rate falls to 0 at the last epoch, so that more epochs raise it.
  void tell_of_more_epochs() const {
    const std::int64_t step = state().step;
    const std::int64_t before = beginning_.raised_from * schedule_.steps_per_epoch();
    listener_.line(
        concat("run.epochs is raised from ", beginning_.raised_from, " to ", config_.run.epochs,
               "; from here on the rate is that of a schedule of ", config_.run.epochs,
               " epochs: ", rate_of(step, schedule_.total_steps()), " for the next step, ",
               step < before ? concat(rate_of(step, before), " by the former schedule")
                             : std::string("where the former schedule had ended with 0")));
  }

  /// The learning rate of a step in a run of `total`.
  [[nodiscard]] double rate_of(std::int64_t step, std::int64_t total) const {
    const Config::Optimizer& optimizer = config_.optimizer;
    const std::int64_t epoch = schedule_.steps_per_epoch();
    const auto steps = static_cast<std::int64_t>(
        std::llround(optimizer.warmup_epochs * static_cast<double>(epoch)));
    return learning_rate({.base = optimizer.rate,
                          .total = total,
                          .warmup = steps > 0 ? steps : std::min(optimizer.warmup_steps, epoch),
                          .cosine = optimizer.schedule == "cosine",
                          .least = optimizer.least_rate},
                         step);
  }

  /// Every rank goes on from where the leader stands, with the same data and settings.
  void begin_together() {
    const json mine{{"configuration", to_toml(config_)},
                    {"split", task_->source().split_sha256},
                    {"data", task_->source().data_sha256},
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
    events_.emplace(request_.out, now());
    for (const EpochRow& row : state().rows) {
      events_->add(scalar_event(now(), row.epoch, scalars_of(row, columns())));
    }
  }

  void announce() const {
    for (const std::string& note : task_->notes()) listener_.line("note: " + note);
    listener_.line(size_text(info_));
    const std::int64_t accumulate = config_.optimizer.accumulate;
    listener_.line(concat(
        task_->counts(), ", ", config_.run.epochs, " epochs of ", schedule_.steps_per_epoch(),
        " steps, ", accumulate > 1 ? concat(accumulate, " batches of ") : "batch ",
        config_.run.batch, ", ", device_.str(), ", ", thread_count(), " threads"));
    for (const std::string& note : notes_at_start(config_, beginning_, device_)) {
      listener_.line(note);
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
    throw_failure(concat("the ", what, " became ", std::isnan(value) ? "NaN" : "infinite",
                         " at step ", state().step + 1, " (images ", join(ids, ", "), "); ",
                         folder_ && folder_->has_checkpoint()
                             ? folder_->checkpoint().string() + " holds the last saved state; "
                             : std::string(),
                         "start anew with a smaller optimizer.rate than ", config_.optimizer.rate));
  }

  /// When a case cannot be read, or is another one than before, the run is saved as it stands.
  template <class Read>
  auto reading(const Read& read) {
    try {
      return read();
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
    const double waited = task_->waited_seconds();
    const std::int64_t first = schedule_.first_batch(state().step);
    const std::int64_t count = schedule_.batches_of(state().step);
    std::vector<Batch> batches;
    std::vector<std::string> ids;
    for (std::int64_t i = 0; i < count; ++i) {
      batches.push_back(reading([&] { return task_->take(first + i); }));
      ids.insert(ids.end(), batches.back().ids.begin(), batches.back().ids.end());
    }
    epoch_.waited += task_->waited_seconds() - waited;
    learner_.begin_step(state().step);
    std::vector<BatchLoss> losses;
    for (std::int64_t i = 0; i < count; ++i) {
      Batch batch = std::move(batches[static_cast<std::size_t>(i)]);
      const std::vector<std::string> of_batch = batch.ids;
      losses.push_back(learner_.learn(std::move(batch), first + i, 1 / static_cast<double>(count)));
      if (!std::isfinite(losses.back().total)) refuse_step("loss", losses.back().total, of_batch);
    }
    rate_ = rate_of(state().step, schedule_.total_steps());
    const double norm = learner_.update(rate_);
    if (!std::isfinite(norm)) refuse_step("gradient", norm, ids);
    ++state().step;
    double sum = 0;
    for (const BatchLoss& loss : losses) {
      sum += loss.total;
      add_batch(state(), loss.total, loss.parts);
    }
    epoch_.steps += seconds_since(begin);
    if (!meeting_.leads()) return;
    listener_.progress("training step", state().step, schedule_.total_steps(),
                       concat("loss ", fixed(sum / static_cast<double>(count), 3)));
  }

  void finish_epoch() {
    const Clock::time_point begin = Clock::now();
    Judgement judgement =
        reading([&] { return task_->judge(learner_.judged(), learner_.store()); });
    std::vector<double> figures;
    for (const Figure& figure : judgement.figures) {
      const double count = meeting_.sum(figure.count);
      const double sum = meeting_.sum(figure.sum);
      figures.push_back(count > 0 ? sum / count : RunState::none);
    }
    seconds_.validation += seconds_since(begin);
    const bool best = train::finish_epoch(state(), columns(), schedule_.batches_per_epoch(), rate_,
                                          std::move(figures));
    if (!meeting_.leads()) return;
    const Clock::time_point saving = Clock::now();
    const EpochRow& row = state().rows.back();
    write_curves();
    pictures_ = std::move(judgement.pictures);
    if (best) write_pictures({"best.png", "validation.png"});
    events_->add(scalar_event(now(), row.epoch, scalars_of(row, columns())));
    seconds_.saving += seconds_since(saving);
    if (best) save_best();
    listener_.line(concat("epoch ", row.epoch, "/", config_.run.epochs, "  loss ",
                          fixed(row.loss, 4), figures_text(row, columns()), "  waiting for data ",
                          fixed(epoch_.steps > 0 ? 100 * epoch_.waited / epoch_.steps : 0, 1), " %",
                          best ? "  (best so far)" : ""));
    seconds_.steps += epoch_.steps;
    epoch_ = {};
  }

  /// In this order: what is written before the checkpoint is made again by the epoch, what is
  /// written after it by settle_best().
  void save_best() {
    PreparedModel model = model_of_epoch();
    state().best_model = model.checksum;
    state().fitted.reset();
    save();
    const Clock::time_point begin = Clock::now();
    write_model(folder_->to("best.model"), std::move(model));
    seconds_.saving += seconds_since(begin);
  }

  /// Gives best.model its temperature, at the end of the last epoch or of the time for the run. The
  /// checkpoint knows the new checksum before the file has it, so that a run killed in between is
  /// resumed with either file. A better model has none until the run ends again.
  void calibrate() {
    const std::filesystem::path file = *folder_ / "best.model";
    if (!lacks_temperature() && (!state().fitted || checksum_in(file) == state().fitted->model)) {
      return;
    }
    const Clock::time_point begin = Clock::now();
    std::optional<FittedTemperature> fitted = state().fitted;
    if (!fitted) fitted = reading([&] { return task_->fit(file, listener_); });
    seconds_.validation += seconds_since(begin);
    if (!fitted) {
      listener_.line("note: no temperature is fitted: the validation part has no pixels for it");
      return;
    }
    CalibratedModel model(file, *fitted);
    state().fitted = fitted;
    save();
    model.write(folder_->to("best.model"));
    for (const std::string& line : temperature_lines(*fitted)) listener_.line(line);
  }

  /// Those of the last epoch, unless they are written. Packing them takes longer than a small
  /// network's validation: so it is done for a checkpoint, not for every epoch.
  void write_pictures(const std::vector<const char*>& names) {
    if (pictures_.bytes.empty()) return;
    const std::string png = data::encode_png(std::exchange(pictures_, {}), data::Packing::fast);
    for (const char* name : names) write_file(folder_->to(name), png);
  }

  void write_curves() const {
    if (state().rows.empty()) return;
    write_file(folder_->to("log.csv"), log_csv(state().rows, columns()));
    write_file(folder_->to("curves.svg"), curves_svg(state().rows, columns()));
  }

  void save() {
    if (!meeting_.leads()) return;
    const Clock::time_point begin = Clock::now();
    write_pictures({"validation.png"});
    write_checkpoint(folder_->to("last.ckpt"), info_, learner_, state(),
                     started_with(start(), beginning_));
    seconds_.saving += seconds_since(begin);
    write_run();
    last_save_ = Clock::now();
  }

  /// Seconds of the whole run, resumed time included, by what they went into.
  [[nodiscard]] json seconds_by_part() const {
    const ComputeSeconds& compute = learner_.seconds();
    const double waited = task_->waited_seconds();
    // A step that an error ended has waited and computed, but counts no time of its own.
    const double rest = std::max(0.0, seconds_.steps + epoch_.steps - compute.sum() - waited);
    json out{{"forward", compute.forward},        {"loss", compute.loss},
             {"backward", compute.backward},      {"optimiser", compute.update},
             {"waiting_for_data", waited},        {"rest_of_steps", rest},
             {"validation", seconds_.validation}, {"saving", seconds_.saving}};
    const json before = earlier_.value("seconds_in", json::object());
    for (auto& [part, seconds] : out.items()) {
      seconds = seconds.get<double>() + before.value(part, 0.0);
    }
    return out;
  }

  void write_run() const {
    json run = info_.provenance;
    run["environment"] = environment_of(device_, meeting_.world());
    run["seconds"] = total_seconds();
    run["seconds_in"] = seconds_by_part();
    run["expected_memory_bytes"] = memory_.total();
    run["peak_memory_bytes"] = peak_memory();
    if (state().fitted) run["calibration"] = to_json(*state().fitted);
    run["finished_steps"] = state().step;
    run["total_steps"] = schedule_.total_steps();
    write_file(folder_->to("run.json"), run.dump(2) + "\n");
  }

  [[nodiscard]] double total_seconds() const {
    return earlier_.value("seconds", 0.0) + seconds_since(start_time_);
  }

  [[nodiscard]] bool has_epoch() const { return !state().rows.empty(); }
  [[nodiscard]] bool has_model() const { return !state().best_model.empty(); }

  [[nodiscard]] library::RunResult summary() const {
    const auto file = [&](const char* name) { return (request_.out / name).path().string(); };
    return {
        .folder = {},
        .run = request_.out.path().string(),
        .model = has_model() ? file("best.model") : "",
        .model_checksum = state().fitted ? state().fitted->model : state().best_model,
        .temperature = state().fitted ? std::optional(state().fitted->temperature) : std::nullopt,
        .curves = has_epoch() ? file("curves.svg") : "",
        .epochs = std::ssize(state().rows),
        .best_epoch = state().best_epoch,
        .figure = columns().chooses().label,
        .best = std::isfinite(state().best) ? std::optional(state().best) : std::nullopt,
        .ended = finished(),
        .seconds = total_seconds()};
  }

  /// Seconds of this process.
  struct Seconds {
    double steps = 0, validation = 0, saving = 0;
  };
  struct EpochSeconds {
    double steps = 0, waited = 0;
  };

  const TrainRequest& request_;
  Listener& listener_;
  std::optional<InitialWeights> initial_;  ///< until they are in the learner
  Config config_;
  at::Device device_;
  std::unique_ptr<Task> task_;
  weights::ModelInfo info_;  ///< the task's, with what is known of the run
  Schedule schedule_;
  std::unique_ptr<RunFolder> folder_;  ///< the leader's
  Meeting meeting_;
  ExpectedMemory memory_;
  Learner learner_;
  Beginning beginning_;
  json earlier_ = json::object();  ///< what run.json said of the time before
  std::optional<EventFile> events_;
  double rate_ = 0;
  data::Image pictures_;  ///< of the last epoch, until they are written
  Seconds seconds_;
  EpochSeconds epoch_;
  Clock::time_point start_time_ = Clock::now();
  Clock::time_point last_save_ = Clock::now();
};

}  // namespace

library::RunResult train(const TrainRequest& request, Listener& listener) {
  set_thread_count(request.threads);
  at::set_num_threads(request.threads);
  std::vector<std::filesystem::path> read{request.data};
  read.insert(read.end(), request.pictures.begin(), request.pictures.end());
  std::erase_if(read, [](const auto& path) { return path.empty(); });
  refuse_within(request.out, read);
  refuse_links(request.out);
  return Run(request, listener).execute();
}

}  // namespace medurwkv::train
