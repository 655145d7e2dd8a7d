#include "train/samples.h"

#include <algorithm>
#include <exception>
#include <thread>

#include "core/random.h"
#include "core/threads.h"

namespace medurwkv::train {

std::vector<LoadedCase> load_cases(const data::Dataset& dataset,
                                   const std::vector<data::Case>& cases) {
  std::vector<LoadedCase> out(cases.size());
  std::vector<std::exception_ptr> errors(cases.size());
  parallel_for(static_cast<std::int64_t>(cases.size()), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      try {
        out[i] = {cases[i].id, data::read_image(cases[i]), data::read_labels(dataset, cases[i])};
      } catch (...) {
        errors[i] = std::current_exception();
      }
    }
  });
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  return out;
}

BatchSource::BatchSource(const std::vector<LoadedCase>& cases, const InputContract& contract,
                         const data::AugmentSettings& augment, std::int64_t batch_size,
                         std::uint64_t seed)
    : cases_(cases), contract_(contract), augment_(augment), batch_size_(batch_size), seed_(seed) {}

BatchSource::~BatchSource() {
  if (next_.valid()) next_.wait();
}

std::int64_t BatchSource::steps_per_epoch() const {
  return (static_cast<std::int64_t>(cases_.size()) + batch_size_ - 1) / batch_size_;
}

Batch BatchSource::take(std::int64_t step) {
  Batch batch = next_.valid() && next_step_ == step ? next_.get() : make(step);
  next_step_ = step + 1;
  next_ =
      std::async(std::launch::async, [this, following = next_step_] { return make(following); });
  return batch;
}

Batch BatchSource::make(std::int64_t step) const {
  const std::int64_t epoch = step / steps_per_epoch();
  const std::int64_t first = step % steps_per_epoch() * batch_size_;
  const auto cases = static_cast<std::int64_t>(cases_.size());
  const std::int64_t count = std::min(batch_size_, cases - first);
  const std::vector<std::int64_t> order =
      Random({seed_, static_cast<std::uint64_t>(epoch)}).permutation(cases);
  Batch batch{.images = at::empty({count, contract_.channels, contract_.height, contract_.width}),
              .labels = at::empty({count, contract_.height, contract_.width}, at::kLong),
              .ids = {}};
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t index = order[static_cast<std::size_t>(first + i)];
    const LoadedCase& item = cases_[static_cast<std::size_t>(index)];
    const data::AugmentedSample sample = data::make_training_sample(
        item.image, item.labels, contract_, augment_, seed_, static_cast<std::uint64_t>(epoch),
        static_cast<std::uint64_t>(index));
    std::copy(sample.input.begin(), sample.input.end(), batch.images[i].data_ptr<float>());
    std::copy(sample.labels.labels.begin(), sample.labels.labels.end(),
              batch.labels[i].data_ptr<std::int64_t>());
    batch.ids.push_back(item.id);
  }
  return batch;
}

}  // namespace medurwkv::train
