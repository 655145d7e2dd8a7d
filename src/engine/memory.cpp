#include "engine/memory.h"

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "plan/counting.h"
#include "torch/training_memory.h"

namespace medurwkv::engine {
namespace {

/// How much more a prediction takes than its live activations: convolutions bring maps into another
/// order and back. Measured with nano from 1024 x 1024 to 3000 x 3000.
constexpr double prediction_copies = 2.25;

}  // namespace

std::int64_t prediction_memory(const PredictionQuestion& question) {
  const auto [width, height] = question.size;
  const plan::Cost cost =
      plan::count(plan::record(question.network, question.images, height, width));
  const std::int64_t weights = question.loaded
                                   ? 0
                                   : question.number_bytes * (cost.parameters + cost.buffers) +
                                         torch_backend::library_working_set;
  const auto activations =
      static_cast<std::int64_t>(prediction_copies * static_cast<double>(cost.peak_bytes) *
                                static_cast<double>(question.number_bytes) / 4);
  return weights + activations;
}

void check_prediction_memory(const std::string& file, const PredictionQuestion& question) {
  if (!question.device.is_cpu()) return;
  const auto [width, height] = question.size;
  const std::int64_t needed = prediction_memory(question);
  const std::int64_t left = memory_left();
  if (needed <= left) return;
  throw_failure(
      concat(file, ": ", question.images > 1 ? concat(question.images, " images") : "one image",
             " at ", width, " x ", height, question.images > 1 ? " take about " : " takes about ",
             human_bytes(static_cast<double>(needed)), " of memory, ", memory_left_text(left),
             "; use a smaller network, input or image, or allow more memory"));
}

}  // namespace medurwkv::engine
