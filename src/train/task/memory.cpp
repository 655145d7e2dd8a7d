#include "train/task/memory.h"

#include <algorithm>

#include "core/error.h"
#include "core/memory.h"
#include "core/model_description.h"
#include "core/text.h"

namespace medurwkv::train {
namespace {

/// How much more than the live activations the heap grows to, because freed blocks of one size
/// leave gaps for others. Measured (docs/performance.md).
constexpr double heap_gaps = 1.25;

/// Batches of the loader (data/feed/batch_loader.h: two ahead), those of a step and their 64-bit
/// labels.
std::int64_t batch_bytes(const InputContract& input, std::int64_t batch, std::int64_t accumulate) {
  const std::int64_t pixels = batch * input.width * input.height;
  return (2 + accumulate) * pixels * (4 * input.channels + 1) + accumulate * 8 * pixels;
}

torch_backend::TrainingMemory network_memory(const MemoryQuestion& question, std::int64_t batch) {
  if (!question.device.is_cpu()) return {};
  torch_backend::TrainingMemory out = torch_backend::training_memory(
      plan::record(question.network, batch, question.input.height, question.input.width),
      question.loss_parts);
  out.step = static_cast<std::int64_t>(heap_gaps * static_cast<double>(out.step));
  return out;
}

}  // namespace

std::int64_t ExpectedMemory::total() const {
  return network.parameters + network.moments + network.step + average + program + working +
         batches + cached;
}

ExpectedMemory without_cache(const MemoryQuestion& question, std::int64_t batch) {
  // A worker holds a file's bytes, the decoded case and its planes. oneDNN keeps, at the size of
  // its largest, weights in its own order and every thread's sum of their gradient.
  const torch_backend::TrainingMemory network = network_memory(question, batch);
  return {.network = network,
          .average = (question.average ? network.parameters : 0) +
                     (question.copies_weights ? network.parameters : 0) + question.own,
          .program = resident_memory(),
          .working = torch_backend::library_working_set +
                     6 * question.workers * question.mean_case +
                     (1 + question.workers) * network.largest,
          .batches = batch_bytes(question.input, batch, question.accumulate)};
}

ExpectedMemory expect_memory(const MemoryQuestion& question) {
  ExpectedMemory out = without_cache(question, question.batch);
  const std::int64_t free = available_memory();
  out.available = free > (std::int64_t{1} << 62) ? free : free + out.program;
  if (question.limit > 0) {
    out.available = std::min(out.available, question.limit);
  }
  const std::int64_t left = out.available - out.total();
  if (left < 0) {
    std::int64_t fits = question.batch;
    while (fits > 0 && without_cache(question, fits).total() > out.available) fits /= 2;
    throw_failure(concat(
        "training needs about ", human_bytes(static_cast<double>(out.total())), " (",
        human_bytes(static_cast<double>(out.network.step)), " of it for one step of batch ",
        question.batch, " at ", question.input.width, " x ", question.input.height, "), ",
        question.limit > 0 ? "--memory allows " : "available are ",
        human_bytes(static_cast<double>(out.available)),
        fits > 0 ? concat("; run.batch = ", fits, " would fit")
                 : std::string("; no batch would fit: try a smaller network.preset, or smaller "
                               "input.width and input.height")));
  }
  out.cache_budget = question.cache < 0 ? left / 2 : static_cast<std::int64_t>(question.cache);
  out.cached = std::min(question.mean_case * question.cases, out.cache_budget);
  if (out.cached > left) {
    throw_failure(concat(
        "decoded images would take ", human_bytes(static_cast<double>(out.cached)), " beside the ",
        human_bytes(static_cast<double>(out.available - left)), " of training, ",
        question.limit > 0 ? "--memory allows " : "available are ",
        human_bytes(static_cast<double>(out.available)), "; use a smaller --cache (0 keeps none)"));
  }
  return out;
}

std::string to_text(const ExpectedMemory& memory) {
  const auto text = [](std::int64_t bytes) { return human_bytes(static_cast<double>(bytes)); };
  return concat("memory: about ", text(memory.total()), " of ", text(memory.available), " (",
                text(memory.network.parameters), " parameters, ", text(memory.network.moments),
                " moments, ", text(memory.network.step), " activations and gradients, ",
                text(memory.batches), " batches, ", text(memory.cached), " decoded images of ",
                text(memory.cache_budget), " allowed, ", text(memory.program + memory.working),
                " program and libraries)");
}

std::int64_t mean_case_size(const data::CaseReader& read, std::size_t count) {
  const std::size_t looked_at = std::min<std::size_t>(count, 8);
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < looked_at; ++i) sum += read(i * count / looked_at).bytes();
  return sum / static_cast<std::int64_t>(looked_at);
}

}  // namespace medurwkv::train
