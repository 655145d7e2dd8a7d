#include "app/predict.h"

#include <algorithm>
#include <memory>

#include "core/error.h"
#include "core/text.h"
#include "core/threads.h"
#include "predict/predictor.h"

namespace medurwkv::app {
namespace {

/// Reading and writing take less time than computing; more jobs would only hold more images in
/// memory.
constexpr int most_jobs_unasked = 4;

predict::RunOptions run_options(const PredictRequest& request) {
  predict::RunOptions out{.out = request.out,
                          .outputs = request.outputs,
                          .force = request.force,
                          .go_on = request.go_on,
                          .jobs = request.jobs};
  out.outputs.post = request.how.post;
  if (out.jobs == 0) out.jobs = std::min(thread_count(), most_jobs_unasked);
  return out;
}

/// Reports inputs without images before a model is loaded.
void refuse_inputs_without_images(const PredictRequest& request, const predict::RunOptions& run) {
  const predict::Plan plan = predict::plan_outputs(request.inputs, run.out, run.outputs);
  if (!plan.jobs.empty()) return;
  if (plan.unread.empty()) throw_failure("no image found in the inputs");
  throw_failure(concat("no image found in the inputs; ", plan.unread.front().file.string(), ": ",
                       plan.unread.front().what));
}

}  // namespace

PredictResult predict_images(const PredictRequest& request, Listener& listener) {
  predict::RunOptions run = run_options(request);
  refuse_inputs_without_images(request, run);
  const auto engines = open_engines(request.how, members_of(request.how, listener));
  std::vector<Engine*> several;
  several.reserve(engines.size());
  for (const auto& engine : engines) several.push_back(engine.get());
  note_missing_temperatures(several, listener);
  const predict::Ensemble ensemble(several, request.how.flips, request.how.tile);
  const ModelDescription& model = several.front()->description();
  predict::Plan plan = predict::plan_outputs(request.inputs, run.out, run.outputs,
                                             model.classes.size(), model.input);
  if (request.shard) run.part = predict::take_shard(plan.jobs, *request.shard);
  if (const std::size_t count = plan.masks_left_out; count > 0) {
    listener.line(
        concat("note: ", count, count == 1 ? " mask" : " masks",
               " beside their images are not predicted; name a file to predict it all the same"));
  }
  return {.images = plan.jobs.size(),
          .run = predict::run_jobs(ensemble, plan.jobs, run, listener),
          .manifest = request.out / (request.shard ? predict::manifest_name_of(*request.shard)
                                                   : std::string(predict::manifest_name))};
}

predict::Merged merge_predictions(const std::filesystem::path& out, bool force,
                                  Listener& listener) {
  return predict::merge_shards(out, force, listener);
}

}  // namespace medurwkv::app
