#include "weights/weights_source.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

#include "core/threads.h"
#include "weights/model_file.h"
#include "weights/read_weights.h"

namespace medurwkv::weights {
namespace {

/// Fits into the cache of one core; a multiple of every element's size.
constexpr std::size_t piece_bytes = 1 << 18;

/// What looks_like_safetensors wants to see.
constexpr std::uint64_t start_bytes = 9;

}  // namespace

WeightsSource WeightsSource::open(const std::filesystem::path& path) {
  FilePieces pieces(path);
  const std::string start = pieces.read(0, std::min(start_bytes, pieces.size()));
  if (!looks_like_safetensors(start)) return WeightsSource(read_unchecked(path));
  const std::string file = path.string();
  const std::uint64_t data = data_start(file, start, pieces.size());
  TensorHeader header = parse_header(file, pieces.read(0, data), pieces.size() - data);
  return {file, std::move(header), {.pieces = std::move(pieces), .data_start = data}};
}

WeightsSource::WeightsSource(TensorFile file)
    : TensorIndex(file.kind(), file.file(),
                  {.tensors = file.tensors(), .metadata = file.metadata()}),
      bytes_(std::move(file)) {}

WeightsSource::WeightsSource(std::string file, TensorHeader header, OnDisk bytes)
    : TensorIndex(FileKind::safetensors, std::move(file), std::move(header)),
      bytes_(std::move(bytes)) {}

void WeightsSource::read_bytes(const TensorInfo& tensor, std::uint64_t at,
                               std::span<char> out) const {
  if (const auto* disk = std::get_if<OnDisk>(&bytes_)) {
    disk->pieces.read(disk->data_start + tensor.offset + at, out);
  } else {
    std::get<TensorFile>(bytes_).data(tensor).copy(out.data(), out.size(), at);
  }
}

std::string WeightsSource::read(const Take& take) const {
  std::vector<std::string> hashes(tensors().size());
  std::atomic<std::size_t> next{0};
  const auto read_tensors = [&] {
    std::vector<char> buffer(piece_bytes);
    for (std::size_t i = next++; i < hashes.size(); i = next++) {
      const TensorInfo& tensor = tensors()[i];
      Sha256 hash;
      for (std::uint64_t at = 0; at < tensor.bytes; at += piece_bytes) {
        const std::span<char> piece(buffer.data(),
                                    std::min<std::uint64_t>(piece_bytes, tensor.bytes - at));
        read_bytes(tensor, at, piece);
        const std::string_view bytes(piece.data(), piece.size());
        hash.add(bytes);
        take(tensor, at, bytes);
      }
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

void WeightsSource::check() const {
  read([](const TensorInfo& /*tensor*/, std::uint64_t /*at*/, std::string_view /*piece*/) {});
}

}  // namespace medurwkv::weights
