#include "weights/weights_source.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

#include "core/threads.h"
#include "core/zip.h"
#include "weights/model_file.h"

namespace medurwkv::weights {
namespace {

/// Fits into the cache of one core; a multiple of every element's size.
constexpr std::size_t piece_bytes = 1 << 18;

}  // namespace

WeightsSource WeightsSource::open(const std::filesystem::path& path) {
  FilePieces pieces(path);
  FileLayout layout = model_layout(path.string(), pieces);
  return {path.string(), std::move(pieces), std::move(layout)};
}

WeightsSource::WeightsSource(TensorFile file)
    : TensorIndex(file.kind(), file.file(),
                  {.tensors = file.tensors(), .metadata = file.metadata()}),
      bytes_(std::move(file)) {}

WeightsSource::WeightsSource(const std::string& file, FilePieces pieces, FileLayout layout)
    : TensorIndex(layout.kind, file, std::move(layout.header)),
      bytes_(OnDisk{.pieces = std::move(pieces),
                    .places = std::move(layout.places),
                    .made = std::move(layout.made)}) {}

void WeightsSource::read_bytes(std::size_t tensor, std::uint64_t at, std::span<char> out) const {
  if (const auto* whole = std::get_if<TensorFile>(&bytes_)) {
    whole->data(tensors()[tensor]).copy(out.data(), out.size(), at);
    return;
  }
  const auto& disk = std::get<OnDisk>(bytes_);
  const TensorPlace& place = disk.places[tensor];
  if (place.made.data() != nullptr) {
    place.made.copy(out.data(), out.size(), at);
  } else {
    disk.pieces.read(place.start + at, out);
  }
}

std::string WeightsSource::read(const Take& take) const {
  std::vector<std::string> hashes(tensors().size());
  const auto* disk = std::get_if<OnDisk>(&bytes_);
  // A model's own checksum says more than those of the zip file around it.
  const bool has_checksum = !stored_checksum(metadata()).empty();
  std::atomic<std::size_t> next{0};
  const auto read_tensors = [&] {
    std::vector<char> buffer(piece_bytes);
    for (std::size_t i = next++; i < hashes.size(); i = next++) {
      const TensorInfo& tensor = tensors()[i];
      const bool has_crc = !has_checksum && disk != nullptr && disk->places[i].crc;
      std::uint32_t crc = 0;
      Sha256 hash;
      for (std::uint64_t at = 0; at < tensor.bytes; at += piece_bytes) {
        const std::span<char> piece(buffer.data(),
                                    std::min<std::uint64_t>(piece_bytes, tensor.bytes - at));
        read_bytes(i, at, piece);
        const std::string_view bytes(piece.data(), piece.size());
        hash.add(bytes);
        if (has_crc) crc = zip_crc(crc, bytes);
        take(tensor, at, bytes);
      }
      if (has_crc) refuse_wrong_crc(file(), tensor, disk->places[i], crc);
      hashes[i] = hash.finish();
    }
  };
  std::mutex mutex;
  std::exception_ptr failure;
  parallel_for(thread_count(), [&](std::int64_t /*begin*/, std::int64_t /*end*/) {
    try {
      read_tensors();
    } catch (...) {
      next = hashes.size();
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
  std::string content = content_sha256(metadata(), tensors(), hashes);
  refuse_damaged(*this, content);
  return content;
}

std::string WeightsSource::check() const {
  return read(
      [](const TensorInfo& /*tensor*/, std::uint64_t /*at*/, std::string_view /*piece*/) {});
}

}  // namespace medurwkv::weights
