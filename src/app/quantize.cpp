#include "app/quantize.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "app/places.h"
#include "core/error.h"
#include "core/text.h"
#include "core/threads.h"
#include "data/codecs/read.h"
#include "judge/metrics.h"
#include "native/engine.h"
#include "native/onednn.h"
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
constexpr double shares[] = {0, 0.02, 0.04, 0.08, 0.16, 0.32};

/// Images on which each product is tried in 8 bits by itself.
constexpr std::size_t tried_on = 4;

/// At most `most` of them, spread evenly.
template <class Item>
std::vector<Item> spread(const std::vector<Item>& all, std::size_t most) {
  const std::size_t count = std::min(most, all.size());
  std::vector<Item> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(all[i * all.size() / count]);
  return out;
}

class Quantizer {
 public:
  Quantizer(const QuantizeRequest& request, Listener& listener)
      : request_(request),
        listener_(listener),
        float32_(native::open_model(request.model,
                                    {.watch = [&](const auto&... seen) { seen_.see(seen...); }})),
        jobs_(jobs_of(request, float32_->description())),
        expected_(masks_by(*float32_, "float32")),
        products_(seen_.products()) {
    std::erase_if(products_, [](const native::ProductRange& one) { return one.range <= 0; });
  }

  QuantizeResult run() {
    const std::vector<std::string> worst = by_effect();
    QuantizeResult out{.images = jobs_.size(), .products = products_.size()};
    for (const double share : shares) {
      const auto kept = static_cast<std::ptrdiff_t>(share * static_cast<double>(worst.size()));
      out.kept.assign(worst.begin(), worst.begin() + kept);
      native::Ranges ranges = ranges_of({worst.begin() + kept, worst.end()});
      compare(masks_by(*in_int8(ranges), "int8"), out);
      if (*out.mean_dice < enough) continue;
      weights::convert({.from = request_.model,
                        .to = request_.out,
                        .wkv = {},
                        .encoder = false,
                        .classes = {},
                        .int8_ranges = std::move(ranges),
                        .adjust = {},
                        .parameters_of = plan::parameters_of});
      return out;
    }
    throw_failure(concat(request_.model.string(),
                         ": masks in int8 do not agree with those in float32 (mean Dice ",
                         fixed(*out.mean_dice, 3), " with ", out.kept.size(), " of ", out.products,
                         " products left in float32); use --precision bfloat16"));
  }

 private:
  static std::vector<predict::Job> jobs_of(const QuantizeRequest& request,
                                           const ModelDescription& model) {
    const predict::Plan found = predict::plan_outputs(request.inputs, request.out.parent_path(), {},
                                                      model.classes.size(), model.input);
    if (found.jobs.empty()) throw_failure("no image found in the inputs");
    return spread(found.jobs, request.images);
  }

  predict::Prediction predicted(Engine& engine, const predict::Job& job) const {
    throw_if_stopped(listener_);
    data::Case item;
    for (const fs::path& input : job.inputs) item.images.push_back({input});
    return predict::predict_named(
        engine, data::read_image(item, predict::wanted_windows({&engine})), job.input().string());
  }

  std::vector<data::LabelMap> masks_by(Engine& engine, const std::string& what) {
    std::vector<data::LabelMap> out;
    for (const predict::Job& job : jobs_) {
      out.push_back(predicted(engine, job).labels);
      listener_.progress(what, std::ssize(out), std::ssize(jobs_), job.input().filename().string());
    }
    return out;
  }

  [[nodiscard]] std::unique_ptr<Engine> in_int8(native::Ranges ranges) const {
    return native::open_model(request_.model,
                              {.precision = native::Precision::int8, .ranges = std::move(ranges)});
  }

  [[nodiscard]] native::Ranges ranges_of(const std::vector<std::string>& weights) const {
    native::Ranges out;
    for (const native::ProductRange& one : products_) {
      if (std::ranges::find(weights, one.weight) != weights.end()) out[one.weight] = one.range;
    }
    return out;
  }

  /// The products' weights, first those that change probabilities most when they alone are in 8
  /// bits. How well the numbers that a product reads fit into 8 bits says little about that.
  std::vector<std::string> by_effect() {
    const std::vector<predict::Job> jobs = spread(jobs_, tried_on);
    std::vector<std::vector<float>> exact;
    for (const predict::Job& job : jobs) exact.push_back(predicted(*float32_, job).probabilities);
    std::vector<std::pair<double, std::string>> effects;
    for (const native::ProductRange& one : products_) {
      const auto engine = in_int8({{one.weight, one.range}});
      double effect = 0;
      for (std::size_t i = 0; i < jobs.size(); ++i) {
        const std::vector<float> now = predicted(*engine, jobs[i]).probabilities;
        double sum = 0;
        for (std::size_t k = 0; k < now.size(); ++k) {
          sum += std::abs(static_cast<double>(now[k] - exact[i][k]));
        }
        effect += sum / static_cast<double>(now.size());
      }
      effects.emplace_back(effect, one.weight);
      listener_.progress("products", std::ssize(effects), std::ssize(products_), one.weight);
    }
    std::stable_sort(effects.begin(), effects.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<std::string> out;
    for (auto& [effect, weight] : effects) out.push_back(std::move(weight));
    return out;
  }

  /// Dice of the masks against those in float32.
  void compare(const std::vector<data::LabelMap>& masks, QuantizeResult& out) const {
    std::vector<double> dice;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      const auto one = judge::mean_dice(jobs_[i].input().string(), expected_[i], masks[i],
                                        float32_->description().classes.size());
      if (one) dice.push_back(*one);
    }
    if (dice.empty()) {
      throw_failure(concat(request_.model.string(), ": finds nothing in the ", jobs_.size(),
                           " images, so that masks cannot be compared; name images with what it "
                           "segments"));
    }
    double sum = 0;
    for (const double one : dice) sum += one;
    out.mean_dice = sum / static_cast<double>(dice.size());
    out.least_dice = *std::min_element(dice.begin(), dice.end());
  }

  const QuantizeRequest& request_;
  Listener& listener_;
  native::SeenNumbers seen_;
  std::unique_ptr<Engine> float32_;
  std::vector<predict::Job> jobs_;
  std::vector<data::LabelMap> expected_;  ///< in float32
  std::vector<native::ProductRange> products_;
};

}  // namespace

QuantizeResult quantize(const QuantizeRequest& request, Listener& listener) {
  if (weights::format_of(request.out) != weights::Format::model) {
    throw_usage(concat(request.out.string(), ": a model file ends in .model"));
  }
  check_output(request.out, request.force);
  if (!native::onednn_has_int8()) {
    throw_usage(
        "this processor has neither avx512_vnni nor amx_int8, so that int8 cannot be tried on it; "
        "quantize the model on one that has, or use --precision bfloat16 or float32");
  }
  prepare_file(request.out);
  set_thread_count(request.threads > 0 ? request.threads : available_cores());
  return Quantizer(request, listener).run();
}

}  // namespace medurwkv::app
