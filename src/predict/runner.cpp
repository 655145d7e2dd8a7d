#include "predict/runner.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <exception>
#include <future>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <shared_mutex>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/folder_lock.h"
#include "core/memory.h"
#include "core/model_description.h"
#include "core/side_by_side.h"
#include "core/text.h"
#include "core/threads.h"
#include "data/codecs/image_rows.h"
#include "data/layout/dataset.h"
#include "data/volumes/series.h"
#include "predict/image_outputs.h"
#include "predict/label_tables.h"
#include "predict/tile_run.h"
#include "predict/volume_run.h"

namespace medurwkv::predict {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

void refuse_to_overwrite(const std::vector<Job>& jobs, const fs::path& out,
                         const std::string& manifest, const EarlierRun* earlier) {
  const auto is_manifest = [&](const fs::path& file) {
    return file == manifest || file == manifest_name;
  };
  const auto refuse_if_there = [&](const fs::path& file) {
    std::error_code error;
    if (!fs::exists(fs::symlink_status(out / file, error))) return;
    if (earlier != nullptr && (is_manifest(file) || earlier->may_have_written(file))) return;
    throw_failure(concat((out / file).string(),
                         " exists; choose another --out, --force to overwrite, or --continue"));
  };
  refuse_if_there(manifest);
  // Of all shards, merged, or of a run that was in one piece.
  refuse_if_there(manifest_name);
  for (const Job& job : jobs) {
    for (const Output& one : job.outputs) refuse_if_there(one.file);
  }
}

/// The tables of classes that lie beside masks of volumes; none where no mask is one, and of DICOM,
/// which names its segments itself.
std::map<std::string, std::string> label_tables(const std::vector<Job>& jobs,
                                                const std::vector<ClassInfo>& classes) {
  const bool wanted = std::any_of(jobs.begin(), jobs.end(), [](const Job& job) {
    return job.volume && job.as.format != data::VolumeFormat::dicom;
  });
  if (!wanted) return {};
  return {{itksnap_labels_name, itksnap_labels(classes)},
          {slicer_labels_name, slicer_labels(classes)}};
}

/// Removes what killed runs have left half written.
void remove_all_leftovers(const std::vector<Job>& jobs, const fs::path& out,
                          const std::string& manifest) {
  std::map<fs::path, std::vector<std::string>> names{{{}, {manifest}}};
  for (const Job& job : jobs) {
    for (const Output& one : job.outputs) {
      names[one.file.parent_path()].push_back(one.file.filename().string());
    }
  }
  for (const auto& [folder, own] : names) remove_leftovers(OutputPath(out) / folder, own);
}

/// An image as a whole or, opened, by rows; or why it could not be read.
struct Decoded {
  data::Image image;
  std::unique_ptr<data::ImageRows> rows;
  std::vector<std::string> sha256;  ///< of each file
  std::string error;
  bool short_of_memory = false;  ///< the error may be gone once other images are
};

constexpr const char* out_of_memory =
    "out of memory; use a model that sees tiles (--set input.fit=tile), or fewer --jobs";

Decoded decode(const Job& job, bool by_rows, const std::vector<OwnWindow>& wanted) {
  Decoded out{
      .image = {}, .rows = {}, .sha256 = {}, .error = job.problem, .short_of_memory = false};
  if (!out.error.empty() || job.volume) return out;
  try {
    data::Case item;
    for (const fs::path& input : job.inputs) item.images.push_back({input});
    if (by_rows) {
      // A file that changes afterwards is another one to --continue.
      for (const fs::path& input : job.inputs) out.sha256.push_back(sha256_file(input));
      out.rows = data::open_rows(item, wanted);
    } else {
      out.image = data::read_image(item, out.sha256, wanted);
    }
  } catch (const MemoryError& caught) {
    out.error = caught.what();
    out.short_of_memory = true;
  } catch (const Error& caught) {
    if (caught.kind() == ErrorKind::internal) throw;
    out.error = caught.what();
  } catch (const std::bad_alloc&) {
    out.error = out_of_memory;
    out.short_of_memory = true;
  }
  return out;
}

/// The result of one job: an entry of the manifest, or an error.
struct Outcome {
  const Job* job = nullptr;
  json entry;
  std::string error;
  bool kept = false;
};

/// The run's state between images. Reading ahead and writing behind are done by tasks of their own,
/// models run in between; results are taken in the order of the jobs.
class Run {
 public:
  Run(const Ensemble& ensemble, const std::vector<Job>& jobs, const RunOptions& options,
      Listener& listener)
      : ensemble_(ensemble),
        classes_(ensemble.engines.front()->description().classes),
        temperature_(temperature_of(ensemble)),
        jobs_(jobs),
        options_(options),
        listener_(listener),
        wanted_(wanted_windows(ensemble.engines)),
        tile_(options_for_whole_images(options.outputs).empty() ? tile_of(ensemble) : std::nullopt),
        manifest_(describe(ensemble, options), jobs) {
    check_same_classes(ensemble);
    check_tiles(ensemble);
    plane_of(ensemble.engines);
    make_folder(options.out);
    if (options.part) {
      lock_.emplace(options.out, FolderLock::Part{to_string(options.part->shard)});
    } else {
      lock_.emplace(options.out);
    }
    if (options.go_on) earlier_.emplace(options.out, manifest_);
    const auto tables = label_tables(jobs, classes_);
    if (!options.force) {
      refuse_to_overwrite(jobs, options.out, manifest_.name(), earlier_ ? &*earlier_ : nullptr);
      for (const auto& [name, text] : tables) {
        const fs::path file = options.out / name;
        if (!is_there(file) || read_file(file) == text) continue;
        throw_failure(concat(file.string(), " exists; choose another --out, or --force"));
      }
    }
    remove_all_leftovers(jobs, options.out, manifest_.name());
    for (const auto& [name, text] : tables) write_file(options.out / name, text);
    save(false);
  }

  RunResult go() {
    make_lanes();
    try {
      if (lanes_.size() > 1) {
        go_side_by_side();
        save(true);
        return result_;
      }
      for (std::size_t i = 0; i < jobs_.size(); ++i) {
        throw_if_stopped(listener_);
        read_ahead(i);
        predict(i);
        while (std::ssize(behind_) > (options_.jobs > 1 ? options_.jobs : 0)) take();
      }
      while (!behind_.empty()) take();
    } catch (...) {
      // Finish and report what was begun.
      while (!behind_.empty()) take_quietly();
      save(false);
      throw;
    }
    save(true);
    return result_;
  }

 private:
  static RunDescription describe(const Ensemble& ensemble, const RunOptions& options) {
    RunDescription out{.models = {},
                       .outputs = options.outputs,
                       .flips = ensemble.flips,
                       .tile = ensemble.tile_side,
                       .part = options.part};
    for (const Engine* engine : ensemble.engines) out.models.push_back(engine->description());
    return out;
  }

  [[nodiscard]] std::launch policy() const {
    return options_.jobs > 1 ? std::launch::async : std::launch::deferred;
  }

  /// Starts to read job `at` and, on several threads, those after it. An image that lacks memory is
  /// tried again by itself (make_room), so what fails does not depend on its neighbours.
  void read_ahead(std::size_t at) {
    const auto most = static_cast<std::size_t>(std::max(1, options_.jobs));
    while (read_ < jobs_.size() && read_ < at + most) {
      const Job& job = jobs_[read_++];
      std::optional<json> kept = earlier_ ? earlier_->entry_of(job) : std::nullopt;
      ahead_.push_back({.kept = std::move(kept), .decoded = {}});
      if (!ahead_.back().kept) {
        ahead_.back().decoded =
            std::async(policy(), [this, &job] { return decode(job, tile_.has_value(), wanted_); });
      }
    }
  }

  /// Gives back what other images hold; those that were read ahead are read again.
  void make_room(std::size_t at) {
    while (!behind_.empty()) take();
    ahead_.clear();
    read_ = at + 1;
  }

  void predict(std::size_t at) {
    const Job& job = jobs_[at];
    Ahead next = std::move(ahead_.front());
    ahead_.pop_front();
    const auto ready = [&](Outcome outcome) {
      std::promise<Outcome> promise;
      promise.set_value(std::move(outcome));
      behind_.push_back(promise.get_future());
    };
    if (next.kept) {
      ready({.job = &job, .entry = std::move(*next.kept), .error = {}, .kept = true});
      return;
    }
    if (job.volume) {
      const auto slice_done = [&](std::int64_t done, std::int64_t all) {
        throw_if_stopped(listener_);
        listener_.progress("predicting", result_.done + result_.kept + result_.failed,
                           std::ssize(jobs_),
                           concat(job.input().filename().string(), ", slice ", done, " of ", all));
      };
      ready(whole_volume(ensemble_, job, slice_done));
      return;
    }
    Decoded decoded = next.decoded.get();
    if (decoded.short_of_memory) {
      make_room(at);
      decoded = decode(job, tile_.has_value(), wanted_);
    }
    Prediction prediction;
    json entry;
    std::exception_ptr unwritten;
    if (decoded.error.empty()) {
      decoded.error = refusal([&] {
        if (bytes_for(decoded) > memory_left()) make_room(at);
        if (tile_) {
          entry = predict_by_rows(job, decoded, unwritten);
        } else {
          prediction = predict_image(ensemble_, decoded.image);
        }
      });
      if (unwritten) std::rethrow_exception(unwritten);
    }
    if (!decoded.error.empty() || tile_) {
      ready({.job = &job, .entry = std::move(entry), .error = decoded.error});
      return;
    }
    behind_.push_back(std::async(policy(),
                                 [this, &job, decoded = std::move(decoded),
                                  prediction = std::move(prediction)]() mutable -> Outcome {
                                   return {
                                       .job = &job,
                                       .entry = write_outputs(destination(job, decoded),
                                                              decoded.image, std::move(prediction)),
                                       .error = {}};
                                 }));
  }

  /// What keeps `body` from predicting its image; empty: nothing.
  template <class Body>
  [[nodiscard]] std::string refusal(const Body& body) const {
    try {
      body();
    } catch (const MemoryError& caught) {
      std::string out = caught.what();
      if (const auto asked = options_for_whole_images(options_.outputs);
          tile_of(ensemble_) && !asked.empty()) {
        out += concat("; without ", join(asked, ", "), " it is predicted row by row");
      }
      return out;
    } catch (const Error& caught) {
      if (caught.kind() == ErrorKind::internal) throw;
      return caught.what();
    } catch (const std::bad_alloc&) {
      return out_of_memory;
    }
    return "";
  }

  /// How many images may be computed at once: as many as threads and jobs, unless there are too few
  /// of them to repay further models, or too little memory for those (half of what is left).
  [[nodiscard]] std::size_t possible_lanes() const {
    if (tile_) return 1;
    std::int64_t bytes =
        prediction_bytes(ensemble_, data::Image{1024, 1024, 3, data::SampleType::u8, {}});
    for (const Engine* engine : ensemble_.engines) {
      const ModelDescription& model = engine->description();
      std::error_code unknown;
      const std::uintmax_t weights = fs::file_size(model.file, unknown);
      if (unknown) return 1;
      bytes += static_cast<std::int64_t>(weights) +
               engine->memory({1, model.input.height, model.input.width});
    }
    const auto fit = static_cast<std::size_t>(memory_left() / 2 / bytes);
    const auto asked = static_cast<std::size_t>(std::max(1, options_.jobs));
    return std::min({static_cast<std::size_t>(thread_count()), asked, jobs_.size() / 4, 1 + fit});
  }

  void make_lanes() {
    const std::size_t count = possible_lanes();
    lanes_.push_back(ensemble_);
    while (lanes_.size() < count) {
      Ensemble lane({}, ensemble_.flips, ensemble_.tile_side);
      for (const Engine* engine : ensemble_.engines) {
        others_.push_back(engine->another());
        if (!others_.back()) return;
        lane.engines.push_back(others_.back().get());
      }
      lanes_.push_back(std::move(lane));
    }
  }

  void go_side_by_side() {
    const int threads = std::max(1, thread_count() / static_cast<int>(lanes_.size()));
    const auto work = [&](std::size_t lane, std::size_t i) -> Outcome {
      const ThreadsHere here(threads);
      const std::shared_lock beside(alone_);
      if (earlier_) {
        if (std::optional<json> kept = earlier_->entry_of(jobs_[i])) {
          return {.job = &jobs_[i], .entry = std::move(*kept), .error = {}, .kept = true};
        }
      }
      return whole(lanes_[lane], jobs_[i]);
    };
    const auto take_outcome = [&](Outcome outcome) {
      if (!outcome.error.empty()) {
        // Again while no other is computed, so that what fails does not depend on its neighbours.
        const ThreadsHere here(threads);
        const std::unique_lock nothing_beside(alone_);
        outcome = whole(ensemble_, *outcome.job);
      }
      count(std::move(outcome));
    };
    side_by_side<Outcome>(lanes_.size(), jobs_.size(), work, take_outcome, listener_);
  }

  /// Reads, predicts and writes one volume.
  [[nodiscard]] Outcome whole_volume(const Ensemble& ensemble, const Job& job,
                                     const SliceDone& slice_done) const {
    Outcome out{.job = &job, .entry = {}, .error = job.problem};
    if (!out.error.empty()) return out;
    std::vector<std::string> hashes;
    std::optional<PredictedVolume> volume;
    const Destination to{job, hashes, options_.out, options_.outputs, classes_, temperature_};
    out.error = refusal([&] {
      for (const fs::path& input : job.inputs)
        hashes.push_back(data::sha256_of(data::files_behind(input)));
      volume = predict_volume(ensemble, to, slice_done);
    });
    if (volume) out.entry = write_volume(to, *volume);
    return out;
  }

  /// Reads, predicts and writes one image.
  [[nodiscard]] Outcome whole(const Ensemble& ensemble, const Job& job) const {
    if (job.volume) return whole_volume(ensemble, job, {});
    Decoded decoded = decode(job, false, wanted_);
    Prediction prediction;
    if (decoded.error.empty()) {
      decoded.error = refusal([&] { prediction = predict_image(ensemble, decoded.image); });
    }
    if (!decoded.error.empty()) return {.job = &job, .entry = {}, .error = decoded.error};
    return {.job = &job,
            .entry = write_outputs(destination(job, decoded), decoded.image, std::move(prediction)),
            .error = {}};
  }

  [[nodiscard]] std::int64_t bytes_for(const Decoded& decoded) const {
    return tile_ ? tiles_memory(ensemble_, *tile_, *decoded.rows)
                 : prediction_bytes(ensemble_, decoded.image);
  }

  [[nodiscard]] Destination destination(const Job& job, const Decoded& decoded) const {
    return {job, decoded.sha256, options_.out, options_.outputs, classes_, temperature_};
  }

  /// Reads, predicts and writes rows by turns. `unwritten`: what a file threw that could not be
  /// written, which ends the run.
  json predict_by_rows(const Job& job, Decoded& decoded, std::exception_ptr& unwritten) {
    const data::ImageSize size = decoded.rows->form().size();
    const MemoryClaim claim(concat("an image of ", size.width, " x ", size.height, " pixels"),
                            bytes_for(decoded));
    const auto writing = [&](const auto& write) {
      try {
        return write();
      } catch (...) {
        unwritten = std::current_exception();
        throw;
      }
    };
    std::optional<RowOutputs> outputs;
    writing([&] { outputs.emplace(destination(job, decoded), size); });
    const auto take_rows = [&](PredictedRows rows) {
      const std::int64_t done = rows.first + rows.size.height;
      writing([&] { outputs->add(std::move(rows)); });
      if (done == size.height) return;
      listener_.progress(
          "predicting", result_.done + result_.kept + result_.failed, std::ssize(jobs_),
          concat(job.input().filename().string(), ", row ", done, " of ", size.height));
    };
    predict_rows(ensemble_, *tile_, *decoded.rows, take_rows, listener_);
    return writing([&] { return outputs->finish(); });
  }

  /// The oldest result, once it is there.
  void take() {
    std::future<Outcome> oldest = std::move(behind_.front());
    behind_.pop_front();
    count(oldest.get());
  }

  void count(Outcome outcome) {
    const fs::path& input = outcome.job->input();
    if (!outcome.error.empty()) {
      manifest_.add_failure(*outcome.job, outcome.error);
      // The readers' messages name the file already.
      const bool named = outcome.error.find(input.string()) != std::string::npos;
      listener_.failure(named ? outcome.error : concat(input.string(), ": ", outcome.error));
      ++result_.failed;
    } else {
      manifest_.add_image(*outcome.job, std::move(outcome.entry));
      ++(outcome.kept ? result_.kept : result_.done);
    }
    listener_.progress("predicting", result_.done + result_.kept + result_.failed,
                       std::ssize(jobs_), input.filename().string());
    if (std::chrono::duration<double>(Clock::now() - saved_).count() > options_.save_every) {
      save(false);
    }
  }

  /// take() while another error is on its way: an Error of this one is dropped.
  void take_quietly() {
    try {
      take();
    } catch (const Error&) {
      return;
    }
  }

  void save(bool complete) {
    write_file(options_.out / manifest_.name(), manifest_.text(complete));
    saved_ = Clock::now();
  }

  struct Ahead {
    std::optional<json> kept;
    std::future<Decoded> decoded;
  };

  const Ensemble& ensemble_;
  std::vector<std::unique_ptr<Engine>> others_;
  std::vector<Ensemble> lanes_;  ///< that compute side by side; the first is ensemble_
  std::shared_mutex alone_;      ///< held by each of them while it computes
  const std::vector<ClassInfo>& classes_;
  double temperature_;  ///< of the ensemble
  const std::vector<Job>& jobs_;
  const RunOptions& options_;
  Listener& listener_;
  std::vector<OwnWindow> wanted_;        ///< of all models
  std::optional<data::ImageSize> tile_;  ///< of a run that goes by rows, else none
  Manifest manifest_;
  std::optional<FolderLock> lock_;
  std::optional<EarlierRun> earlier_;
  std::size_t read_ = 0;
  std::deque<Ahead> ahead_;
  std::deque<std::future<Outcome>> behind_;
  RunResult result_;
  Clock::time_point saved_ = Clock::now();
};

}  // namespace

RunResult run_jobs(const Ensemble& ensemble, const std::vector<Job>& jobs,
                   const RunOptions& options, Listener& listener) {
  return Run(ensemble, jobs, options, listener).go();
}

}  // namespace medurwkv::predict
