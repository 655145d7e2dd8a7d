#include "data/feed/case_cache.h"

#include <span>
#include <tuple>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

namespace medurwkv::data {

CaseCache::CaseCache(std::size_t cases, CaseReader read, std::int64_t budget)
    : read_(std::move(read)), budget_(budget), kept_(cases), seen_(cases) {}

std::shared_ptr<const LoadedCase> CaseCache::get(std::size_t index) {
  {
    const std::scoped_lock lock(mutex_);
    if (kept_.at(index)) return kept_[index];
  }
  // Two threads may read the same case at once; one of the two copies is kept.
  auto item = std::make_shared<const LoadedCase>(read_(index));
  {
    const std::scoped_lock lock(mutex_);
    if (kept_[index]) return kept_[index];
    if (item->bytes() <= budget_ - bytes_ && seen_[index].image.empty()) {
      kept_[index] = item;
      bytes_ += item->bytes();
      return item;
    }
  }
  check_same(index, *item);
  return item;
}

CaseCache::Hashes CaseCache::hashes_of(const LoadedCase& item) {
  const Image& image = item.image;
  const LabelMap& labels = item.labels;
  return {
      concat(image.width, " ", image.height, " ", image.channels, " ", static_cast<int>(image.type),
             " ", sha256(as_text(std::span<const unsigned char>(image.bytes)))),
      concat(labels.width, " ", labels.height, " ",
             sha256(as_text(std::span<const std::uint8_t>(labels.labels))))};
}

void CaseCache::check_same(std::size_t index, const LoadedCase& item) {
  Hashes now = hashes_of(item);
  const std::scoped_lock lock(mutex_);
  Hashes& before = seen_[index];
  if (before.image.empty()) before = now;
  for (const auto& [was, is, name] : {std::tie(before.image, now.image, item.image_name),
                                      std::tie(before.mask, now.mask, item.mask_name)}) {
    if (was == is) continue;
    throw_failure(
        concat(name.empty() ? item.id : name,
               ": has changed since the run first read it; the set must stay the same during "
               "a run"));
  }
}

std::int64_t CaseCache::bytes() const {
  const std::scoped_lock lock(mutex_);
  return bytes_;
}

}  // namespace medurwkv::data
