#include "data/feed/batch_loader.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/error.h"
#include "core/random.h"
#include "core/text.h"

namespace medurwkv::data {

BatchLoader::BatchLoader(CaseCache& cache, LoaderOptions options)
    : cache_(cache), options_(std::move(options)) {
  if (options_.cases < 1) throw_internal("a loader without cases");
  if (!options_.make) throw_internal("a loader that makes no samples");
}

BatchLoader::~BatchLoader() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  work_to_do_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

std::int64_t BatchLoader::steps_per_epoch() const {
  return (options_.cases + options_.batch - 1) / options_.batch;
}

void BatchLoader::start(std::int64_t step) {
  wanted_ = opened_ = step;
  for (int i = 0; i < std::max(1, options_.workers); ++i) workers_.emplace_back([this] { work(); });
}

SampleBatch BatchLoader::take(std::int64_t step) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point asked = Clock::now();
  std::shared_ptr<Pending> pending;
  {
    std::unique_lock lock(mutex_);
    if (workers_.empty()) start(step);
    if (step != wanted_ || step >= options_.steps) {
      throw_internal(concat("batch ", step, " was asked for, the next is ", wanted_));
    }
    batch_ready_.wait(lock, [&] {
      if (failure_) return true;
      const auto found = pending_.find(step);
      return found != pending_.end() &&
             found->second->finished == found->second->batch.cases.size();
    });
    if (failure_) std::rethrow_exception(failure_);
    pending = pending_.at(step);
    pending_.erase(step);
    ++wanted_;
  }
  work_to_do_.notify_all();
  waited_seconds_ += std::chrono::duration<double>(Clock::now() - asked).count();
  for (const std::exception_ptr& error : pending->errors) {
    if (error) std::rethrow_exception(error);
  }
  return std::move(pending->batch);
}

void BatchLoader::work() {
  try {
    make_samples();
  } catch (...) {  // no memory for a batch
    {
      const std::scoped_lock lock(mutex_);
      failure_ = std::current_exception();
    }
    batch_ready_.notify_all();
  }
}

void BatchLoader::make_samples() {
  std::unique_lock lock(mutex_);
  while (true) {
    std::shared_ptr<Pending> pending;
    work_to_do_.wait(lock, [&] {
      if (!stopping_) pending = next_pending();
      return stopping_ || pending;
    });
    if (stopping_) return;
    const std::size_t position = pending->assigned++;
    lock.unlock();
    std::exception_ptr error;
    try {
      make_sample(*pending, position);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    pending->errors[position] = error;
    if (++pending->finished == pending->batch.cases.size()) batch_ready_.notify_all();
  }
}

std::shared_ptr<BatchLoader::Pending> BatchLoader::next_pending() {
  for (const auto& [step, pending] : pending_) {
    if (pending->assigned < pending->batch.cases.size()) return pending;
  }
  if (opened_ >= options_.steps || opened_ >= wanted_ + options_.ahead) return nullptr;
  auto out = make_pending(opened_);
  pending_.emplace(opened_++, out);
  return out;
}

std::shared_ptr<BatchLoader::Pending> BatchLoader::make_pending(std::int64_t step) {
  const std::int64_t epoch = step / steps_per_epoch();
  const std::int64_t batch_first = step % steps_per_epoch() * options_.batch;
  const std::int64_t batch_count = std::min(options_.batch, options_.cases - batch_first);
  const std::int64_t begin = batch_count * options_.part / options_.parts;
  const std::int64_t end = batch_count * (options_.part + 1) / options_.parts;
  const bool counts = end > begin;
  const std::int64_t count = counts ? end - begin : 1;
  const std::int64_t first = batch_first + (counts ? begin : 0);
  if (epoch != ordered_epoch_) {
    order_ = Random({options_.seed, static_cast<std::uint64_t>(epoch)}).permutation(options_.cases);
    ordered_epoch_ = epoch;
  }
  const auto samples = static_cast<std::size_t>(count);
  const auto numbers = [&](std::int64_t each) { return samples * static_cast<std::size_t>(each); };
  auto out = std::make_shared<Pending>();
  out->step = step;
  for (std::int64_t i = first; i < first + count; ++i) {
    out->batch.cases.push_back(
        static_cast<std::size_t>(options_.first + order_[static_cast<std::size_t>(i)]));
  }
  out->errors.resize(samples);
  out->batch.count = count;
  out->batch.first = first - batch_first;
  out->batch.counts = counts;
  out->batch.images.resize(numbers(options_.counts.image));
  out->batch.labels.resize(numbers(options_.counts.labels));
  out->batch.second.resize(numbers(options_.counts.second));
  out->batch.boxes.resize(samples);
  out->batch.ids.resize(samples);
  return out;
}

void BatchLoader::make_sample(Pending& pending, std::size_t position) {
  SampleBatch& batch = pending.batch;
  const std::size_t index = batch.cases[position];
  const std::shared_ptr<const LoadedCase> item = cache_.get(index);
  batch.ids[position] = item->id;
  const auto epoch = static_cast<std::uint64_t>(pending.step / steps_per_epoch());
  const auto part = [&](auto& values, std::int64_t each) {
    return std::span(values).subspan(position * static_cast<std::size_t>(each),
                                     static_cast<std::size_t>(each));
  };
  try {
    options_.make(*item, epoch, index,
                  {.image = part(batch.images, options_.counts.image),
                   .labels = part(batch.labels, options_.counts.labels),
                   .second = part(batch.second, options_.counts.second),
                   .box = batch.boxes[position]});
  } catch (const Error& error) {
    throw Error(error.kind(), concat("case ", item->id, ": ", error.what()));
  }
}

}  // namespace medurwkv::data
