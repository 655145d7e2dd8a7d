#include "predict/runner.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <future>
#include <numeric>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "core/text.h"
#include "predict/contours.h"
#include "predict/overlay.h"

namespace medurwkv::predict {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

void refuse_to_overwrite(const std::vector<Job>& jobs, const fs::path& out,
                         const EarlierRun* earlier) {
  const auto refuse_if_there = [&](const fs::path& file) {
    std::error_code error;
    if (!fs::exists(fs::symlink_status(out / file, error))) return;
    if (earlier != nullptr && (file == manifest_name || earlier->may_have_written(file))) return;
    throw_failure(concat((out / file).string(),
                         " exists; choose another --out, --force to overwrite, or --continue"));
  };
  refuse_if_there(manifest_name);
  for (const Job& job : jobs) {
    for (const Output& one : job.outputs) refuse_if_there(one.file);
  }
}

/// What a run that was killed has left half written. Its names are .FILE.NUMBER.SUFFIX.
void remove_all_leftovers(const std::vector<Job>& jobs, const fs::path& out) {
  std::set<fs::path> files{out / manifest_name};
  std::set<fs::path> folders{out};
  for (const Job& job : jobs) {
    for (const Output& one : job.outputs) files.insert(out / one.file);
    folders.insert((out / job.outputs.front().file).parent_path());
  }
  for (const fs::path& folder : folders) {
    std::set<fs::path> half;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with('.')) continue;
      const fs::path file = folder / fs::path(name.substr(1)).stem().stem();
      if (files.contains(file)) half.insert(file);
    }
    for (const fs::path& file : half) remove_leftovers(file);
  }
}

/// An image, or why it could not be read.
struct Decoded {
  data::Image image;
  std::string sha256;
  std::string error;
};

Decoded decode(const fs::path& input) {
  Decoded out;
  try {
    out.image = data::read_image(input);
    out.sha256 = sha256_file(input);
  } catch (const Error& caught) {
    if (caught.kind() == ErrorKind::internal) throw;
    out.error = caught.what();
  }
  return out;
}

/// The bytes of one output.
std::string encoded(const Output& output, const data::Image& image, const Prediction& prediction,
                    const std::vector<float>& unsure, const std::vector<ClassInfo>& classes) {
  const auto& [labels, probabilities] = prediction;
  const data::ImageSize size{labels.width, labels.height};
  switch (output.what) {
    case What::mask: return data::encode_png(labels, classes);
    case What::overlay: return data::encode_png(overlay(image, labels, classes));
    case What::unsure: return encode_gray(unsure.data(), size, false);
    case What::contours: return contours_json(labels, classes);
    case What::probabilities:
      if (output.class_index == 0) {
        return encode_npy(probabilities, std::ssize(classes), size);
      }
      return encode_gray(probabilities.data() + output.class_index * labels.labels.size(), size,
                         true);
  }
  throw_internal("unknown output");
}

/// What the manifest says of an image, beside its outputs.
json described(const Job& job, const std::string& sha256, const data::LabelMap& labels,
               const std::vector<float>& unsure, std::size_t class_count) {
  std::vector<std::int64_t> pixels(class_count, 0);
  for (const std::uint8_t label : labels.labels) {
    if (label < pixels.size()) ++pixels[label];
  }
  const double sum = std::accumulate(unsure.begin(), unsure.end(), 0.0);
  return {{"input", job.input.string()},
          {"sha256", sha256},
          {"width", labels.width},
          {"height", labels.height},
          {"class_pixels", pixels},
          {"unsure", unsure.empty() ? 0 : sum / static_cast<double>(unsure.size())},
          {"outputs", json::array()}};
}

/// Corrects the label map and writes everything; the image's entry of the manifest.
json finish(const Job& job, const Decoded& decoded, Prediction prediction,
            const std::vector<ClassInfo>& classes, const RunOptions& options) {
  data::LabelMap& labels = prediction.labels;
  const PostOptions& post = options.outputs.post;
  if (post.threshold) {
    labels = labels_at(prediction.probabilities, classes.size(), {labels.width, labels.height},
                       *post.threshold);
  }
  correct(labels, post);
  const std::vector<float> unsure = unsureness(prediction.probabilities, classes.size());
  json entry = described(job, decoded.sha256, labels, unsure, classes.size());
  check_inside(options.out, job.outputs.front().file);
  make_folder((options.out / job.outputs.front().file).parent_path());
  for (const Output& one : job.outputs) {
    const std::string bytes = encoded(one, decoded.image, prediction, unsure, classes);
    write_file(options.out / one.file, bytes);
    entry["outputs"].push_back({{"file", one.file.generic_string()},
                                {"sha256", sha256(bytes)},
                                {"what", to_string(one.what)}});
  }
  return entry;
}

/// What became of one job: an entry, or an error.
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
      const OnFailure& on_failure)
      : ensemble_(ensemble),
        classes_(ensemble.engines.front()->description().classes),
        jobs_(jobs),
        options_(options),
        on_failure_(on_failure),
        manifest_(describe(ensemble, options), jobs) {
    check_same_classes(ensemble);
    if (options.go_on) earlier_.emplace(options.out, manifest_);
    if (!options.force) {
      refuse_to_overwrite(jobs, options.out, earlier_ ? &*earlier_ : nullptr);
    }
    make_folder(options.out);
    if (options.go_on) remove_all_leftovers(jobs, options.out);
    save(false);
  }

  RunResult go(const StopSignal& stop) {
    Progress progress("predicting", std::ssize(jobs_), options_.quiet);
    progress_ = &progress;
    try {
      for (std::size_t i = 0; i < jobs_.size(); ++i) {
        throw_if_stopped(stop);
        read_ahead(i);
        predict(jobs_[i]);
        while (std::ssize(behind_) > (options_.jobs > 1 ? options_.jobs : 0)) take();
      }
      while (!behind_.empty()) take();
    } catch (...) {
      // What was begun becomes whole, and is told of.
      while (!behind_.empty()) take_quietly();
      save(false);
      throw;
    }
    save(true);
    return result_;
  }

 private:
  static RunDescription describe(const Ensemble& ensemble, const RunOptions& options) {
    RunDescription out{.models = {}, .outputs = options.outputs, .flips = ensemble.flips};
    for (const Engine* engine : ensemble.engines) out.models.push_back(engine->description());
    return out;
  }

  [[nodiscard]] std::launch policy() const {
    return options_.jobs > 1 ? std::launch::async : std::launch::deferred;
  }

  /// Reading of job `at` and, on several threads, of those after it.
  void read_ahead(std::size_t at) {
    const auto most = static_cast<std::size_t>(std::max(1, options_.jobs));
    while (read_ < jobs_.size() && read_ < at + most) {
      const Job& job = jobs_[read_++];
      std::optional<json> kept = earlier_ ? earlier_->entry_of(job) : std::nullopt;
      ahead_.push_back({.kept = std::move(kept), .decoded = {}});
      if (!ahead_.back().kept) {
        ahead_.back().decoded = std::async(policy(), [&job] { return decode(job.input); });
      }
    }
  }

  void predict(const Job& job) {
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
    Decoded decoded = next.decoded.get();
    Prediction prediction;
    try {
      if (decoded.error.empty()) prediction = predict_image(ensemble_, decoded.image);
    } catch (const Error& caught) {
      if (caught.kind() == ErrorKind::internal) throw;
      decoded.error = caught.what();
    }
    if (!decoded.error.empty()) {
      ready({.job = &job, .entry = {}, .error = decoded.error});
      return;
    }
    behind_.push_back(std::async(policy(),
                                 [this, &job, decoded = std::move(decoded),
                                  prediction = std::move(prediction)]() mutable -> Outcome {
                                   return {.job = &job,
                                           .entry = finish(job, decoded, std::move(prediction),
                                                           classes_, options_),
                                           .error = {}};
                                 }));
  }

  /// The oldest result, once it is there.
  void take() {
    std::future<Outcome> oldest = std::move(behind_.front());
    behind_.pop_front();
    Outcome outcome = oldest.get();
    const fs::path& input = outcome.job->input;
    if (!outcome.error.empty()) {
      manifest_.add_failure(input, outcome.error);
      progress_->interrupt();
      on_failure_(input, outcome.error);
      ++result_.failed;
    } else {
      manifest_.add_image(std::move(outcome.entry));
      ++(outcome.kept ? result_.kept : result_.done);
    }
    progress_->update(result_.done + result_.kept + result_.failed, input.filename().string());
    if (std::chrono::duration<double>(Clock::now() - saved_).count() > options_.save_every) {
      save(false);
    }
  }

  /// While another error is on its way: that one is told, and what fails now with it.
  void take_quietly() {
    try {
      take();
    } catch (const Error&) {
      return;
    }
  }

  void save(bool complete) {
    write_file(options_.out / manifest_name, manifest_.text(complete));
    saved_ = Clock::now();
  }

  struct Ahead {
    std::optional<json> kept;
    std::future<Decoded> decoded;
  };

  const Ensemble& ensemble_;
  const std::vector<ClassInfo>& classes_;
  const std::vector<Job>& jobs_;
  const RunOptions& options_;
  const OnFailure& on_failure_;
  Manifest manifest_;
  std::optional<EarlierRun> earlier_;
  std::size_t read_ = 0;
  std::deque<Ahead> ahead_;
  std::deque<std::future<Outcome>> behind_;
  Progress* progress_ = nullptr;
  RunResult result_;
  Clock::time_point saved_ = Clock::now();
};

}  // namespace

RunResult run_jobs(const Ensemble& ensemble, const std::vector<Job>& jobs,
                   const RunOptions& options, const OnFailure& on_failure, const StopSignal& stop) {
  return Run(ensemble, jobs, options, on_failure).go(stop);
}

}  // namespace medurwkv::predict
