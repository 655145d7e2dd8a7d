#include "data/case_cache.h"

#include <utility>

namespace medurwkv::data {

CaseCache::CaseCache(std::size_t cases, CaseReader read, std::int64_t budget)
    : read_(std::move(read)), budget_(budget), kept_(cases) {}

std::shared_ptr<const LoadedCase> CaseCache::get(std::size_t index) {
  {
    const std::scoped_lock lock(mutex_);
    if (kept_.at(index)) return kept_[index];
  }
  // Two threads may read the same case at once; one of the two copies is kept.
  auto item = std::make_shared<const LoadedCase>(read_(index));
  const std::scoped_lock lock(mutex_);
  if (kept_[index]) return kept_[index];
  if (item->bytes() <= budget_ - bytes_) {
    kept_[index] = item;
    bytes_ += item->bytes();
  }
  return item;
}

std::int64_t CaseCache::bytes() const {
  const std::scoped_lock lock(mutex_);
  return bytes_;
}

}  // namespace medurwkv::data
