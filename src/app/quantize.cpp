#include "app/quantize.h"

#include <algorithm>
#include <utility>

#include "app/places.h"
#include "core/error.h"
#include "core/text.h"
#include "core/threads.h"
#include "data/codecs/read.h"
#include "judge/metrics.h"
#include "native/engine.h"
#include "native/seen_numbers.h"
#include "plan/plan.h"
#include "predict/outputs.h"
#include "predict/predictor.h"
#include "weights/convert.h"

namespace medurwkv::app {
namespace {

namespace fs = std::filesystem;

/// Masks agree from this mean Dice on. The bar for images that were not seen is 0.98.
constexpr double enough = 0.99;

/// Shares of the products that stay in float32, tried in this order.
constexpr double shares[] = {0, 0.02, 0.05, 0.1, 0.2, 0.4};

/// At most `most` of the jobs, spread evenly.
std::vector<predict::Job> spread(const std::vector<predict::Job>& jobs, std::size_t most) {
  const std::size_t count = std::min(most, jobs.size());
  std::vector<predict::Job> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(jobs[i * jobs.size() / count]);
  return out;
}

data::LabelMap mask_of(Engine& engine, const predict::Job& job) {
  data::Case item;
  for (const fs::path& input : job.inputs) item.images.push_back({input});
  return predict::predict_named(engine, data::read_image(item), job.input().string()).labels;
}

/// The products' ranges but for the first `kept`.
native::Ranges ranges_without(const std::vector<native::ProductRange>& products, std::size_t kept) {
  native::Ranges out;
  for (std::size_t i = kept; i < products.size(); ++i) {
    if (products[i].range > 0) out[products[i].weight] = products[i].range;
  }
  return out;
}

}  // namespace

QuantizeResult quantize(const QuantizeRequest& request, Listener& listener) {
  const native::Precision int8 = native::precision_from("int8");
  if (weights::format_of(request.out) != weights::Format::model) {
    throw_usage(concat(request.out.string(), ": a model file ends in .model"));
  }
  check_output(request.out, request.force);
  prepare_file(request.out);
  set_thread_count(request.threads > 0 ? request.threads : available_cores());
  native::SeenNumbers seen;
  const auto float32 =
      native::open_model(request.model, {.watch = [&](const auto&... args) { seen.see(args...); }});
  const ModelDescription& model = float32->description();
  const predict::Plan found = predict::plan_outputs(request.inputs, request.out.parent_path(), {},
                                                    model.classes.size(), model.input);
  const std::vector<predict::Job> jobs = spread(found.jobs, request.images);
  if (jobs.empty()) throw_failure("no image found in the inputs");
  const auto masks_by = [&](Engine& engine, const std::string& what) {
    std::vector<data::LabelMap> out;
    for (const predict::Job& job : jobs) {
      throw_if_stopped(listener);
      out.push_back(mask_of(engine, job));
      listener.progress(what, std::ssize(out), std::ssize(jobs), job.input().filename().string());
    }
    return out;
  };
  const std::vector<data::LabelMap> expected = masks_by(*float32, "float32");
  const std::vector<native::ProductRange> products = seen.products();
  QuantizeResult out{.images = jobs.size(), .products = products.size()};
  for (const double share : shares) {
    const auto kept = static_cast<std::size_t>(share * static_cast<double>(products.size()));
    native::Ranges ranges = ranges_without(products, kept);
    const auto engine = native::open_model(request.model, {.precision = int8, .ranges = ranges});
    const std::vector<data::LabelMap> masks = masks_by(*engine, "int8");
    std::vector<double> dice;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      const auto one =
          judge::mean_dice(jobs[i].input().string(), expected[i], masks[i], model.classes.size());
      if (one) dice.push_back(*one);
    }
    if (dice.empty()) {
      throw_failure(concat(request.model.string(), ": finds nothing in the ", jobs.size(),
                           " images, so that masks cannot be compared; name images with what it "
                           "segments"));
    }
    double sum = 0;
    for (const double one : dice) sum += one;
    out.mean_dice = sum / static_cast<double>(dice.size());
    out.least_dice = *std::min_element(dice.begin(), dice.end());
    if (*out.mean_dice < enough) continue;
    for (const native::ProductRange& one : products) {
      if (!ranges.contains(one.weight)) out.kept.push_back(one.weight);
    }
    weights::convert({.from = request.model,
                      .to = request.out,
                      .wkv = {},
                      .encoder = false,
                      .classes = {},
                      .int8_ranges = std::move(ranges),
                      .adjust = {},
                      .parameters_of = plan::parameters_of});
    return out;
  }
  throw_failure(concat(request.model.string(),
                       ": masks in int8 do not agree with those in float32 "
                       "(mean Dice ",
                       fixed(*out.mean_dice, 3),
                       " with 40 % of the products left in float32); use --precision bfloat16"));
}

}  // namespace medurwkv::app
