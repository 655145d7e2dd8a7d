#include "predict/runner.h"

#include <optional>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "core/text.h"
#include "predict/overlay.h"
#include "predict/predictor.h"

namespace medurwkv::predict {

namespace {

namespace fs = std::filesystem;

void refuse_to_overwrite(const std::vector<Job>& jobs, const fs::path& out) {
  const auto refuse_if_there = [&](const fs::path& file) {
    std::error_code error;
    if (!fs::exists(fs::symlink_status(out / file, error))) return;
    throw_failure(
        concat((out / file).string(), " exists; choose another --out, or --force to overwrite"));
  };
  refuse_if_there(manifest_name);
  for (const Job& job : jobs) {
    for (const fs::path& file : job.outputs()) refuse_if_there(file);
  }
}

struct Predicted {
  data::Image image;
  Prediction prediction;
};

// Nothing when the image is bad: reported, and the run goes on.
std::optional<Predicted> try_predict(Engine& engine, const fs::path& input, std::string& error) {
  try {
    Predicted out{data::read_image(input), {}};
    out.prediction = predict_image(engine, out.image);
    return out;
  } catch (const Error& caught) {
    if (caught.kind() == ErrorKind::internal) throw;
    error = caught.what();
    return std::nullopt;
  }
}

void write_outputs(const Job& job, const Predicted& predicted,
                   const std::vector<ClassInfo>& classes, const fs::path& out, Manifest& manifest) {
  const auto write = [&](const fs::path& file, const std::string& bytes, const char* what) {
    write_file(out / file, bytes);
    manifest.add_output(file, bytes, what);
  };
  const auto& [labels, probabilities] = predicted.prediction;
  make_folder((out / job.mask).parent_path());
  manifest.add_image(job, labels);
  write(job.mask, data::encode_png(labels, classes), "mask");
  if (!job.overlay.empty()) {
    write(job.overlay, data::encode_png(overlay(predicted.image, labels, classes)), "overlay");
  }
  if (!job.probabilities.empty()) {
    const auto channels = static_cast<std::int64_t>(classes.size());
    write(job.probabilities, encode_npy(probabilities, channels, {labels.width, labels.height}),
          "probabilities");
  }
}

}  // namespace

RunResult run_jobs(Engine& engine, const std::vector<Job>& jobs, const RunOptions& options,
                   const OnFailure& on_failure, const StopSignal& stop) {
  if (!options.force) refuse_to_overwrite(jobs, options.out);
  make_folder(options.out);
  Manifest manifest(engine.description(), options.outputs);
  RunResult result;
  const auto write_manifest = [&](bool complete) {
    write_file(options.out / manifest_name, manifest.text(complete));
  };
  try {
    Progress progress("predicting", static_cast<std::int64_t>(jobs.size()), options.quiet);
    for (const Job& job : jobs) {
      throw_if_stopped(stop);
      std::string error;
      if (const auto predicted = try_predict(engine, job.input, error)) {
        write_outputs(job, *predicted, engine.description().classes, options.out, manifest);
        ++result.done;
      } else {
        manifest.add_failure(job.input, error);
        on_failure(job.input, error);
        ++result.failed;
      }
      progress.update(result.done + result.failed, job.input.filename().string());
    }
  } catch (const Stopped&) {
    write_manifest(false);
    throw;
  }
  write_manifest(true);
  return result;
}

}  // namespace medurwkv::predict
