#include "core/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void throw_errno(std::string_view what, const fs::path& path) {
  throw_failure(concat(path.string(), ": cannot ", what, ": ", std::strerror(errno)));
}

/// Opens for reading without blocking on a FIFO, and insists on a regular file.
Descriptor open_regular(const fs::path& path, std::uint64_t& size) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) throw_errno("open", path);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw_errno("examine", path);
  if (!S_ISREG(info.st_mode)) throw_failure(concat(path.string(), ": is not a regular file"));
  size = static_cast<std::uint64_t>(info.st_size);
  return file;
}

/// Calls `expect` with the number of bytes to come, then `consume` with piece after piece.
template <class Expect, class Consume>
void read_pieces(const fs::path& path, std::uint64_t limit, const Expect& expect,
                 const Consume& consume) {
  std::uint64_t size = 0;
  const Descriptor file = open_regular(path, size);
  if (size > limit) {
    throw_failure(concat(path.string(), ": holds ", size, " bytes, more than the ", limit,
                         " that are read here"));
  }
  expect(size);
  std::array<char, 1 << 16> buffer{};
  std::uint64_t total = 0;
  while (true) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0) {
      if (errno == EINTR) continue;
      throw_errno("read", path);
    }
    if (got == 0) return;
    total += static_cast<std::uint64_t>(got);
    if (total > limit) throw_failure(concat(path.string(), ": grew while it was read"));
    consume(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
  }
}

std::string hex(const std::array<std::uint8_t, SHA256_DIGEST_SIZE>& digest) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t byte : digest) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

}  // namespace

std::string read_file(const fs::path& path, std::uint64_t limit) {
  std::string bytes;
  std::optional<MemoryClaim> claim;
  // Room for all of it at once: a string that grows needs up to three times its size.
  const auto reserve = [&](std::uint64_t size) {
    claim.emplace(path.string(), static_cast<std::int64_t>(size));
    bytes.reserve(size);
  };
  read_pieces(path, limit, reserve, [&](std::string_view piece) { bytes += piece; });
  return bytes;
}

FilePieces::FilePieces(fs::path path) : path_(std::move(path)), file_(open_regular(path_, size_)) {}

FilePieces::FilePieces(fs::path path, std::string_view bytes)
    : path_(std::move(path)), size_(bytes.size()), file_(-1), memory_(bytes) {}

void FilePieces::refuse_beyond(std::uint64_t start, std::uint64_t count) const {
  if (start <= size_ && count <= size_ - start) return;
  throw_failure(concat(path_.string(), ": holds ", size_, " bytes, ", count, " from byte ", start,
                       " were asked for"));
}

std::string FilePieces::read(std::uint64_t start, std::uint64_t count) const {
  refuse_beyond(start, count);
  const MemoryClaim claim(path_.string(), static_cast<std::int64_t>(count));
  std::string out(count, '\0');
  read(start, std::span<char>(out));
  return out;
}

std::string_view FilePieces::look(std::uint64_t start, std::uint64_t count,
                                  std::string& room) const {
  refuse_beyond(start, count);
  if (file_.get() < 0) return memory_.substr(start, count);
  if (count > room.size()) room = std::string();  // before the claim
  std::optional<MemoryClaim> claim;
  constexpr std::uint64_t much = 1 << 20;  // a claim takes longer than reading less
  if (count > much) claim.emplace(path_.string(), static_cast<std::int64_t>(count));
  room.resize(count);
  read(start, std::span<char>(room));
  return room;
}

void FilePieces::read(std::uint64_t start, std::span<char> out) const {
  refuse_beyond(start, out.size());
  if (file_.get() < 0) {
    memory_.copy(out.data(), out.size(), start);
    return;
  }
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = ::pread(file_.get(), out.data() + done, out.size() - done,
                                static_cast<off_t>(start + done));
    if (got < 0) {
      if (errno == EINTR) continue;
      throw_errno("read", path_);
    }
    if (got == 0) throw_failure(concat(path_.string(), ": became shorter while it was read"));
    done += static_cast<std::size_t>(got);
  }
}

std::string read_start(const fs::path& path, std::size_t most) {
  std::uint64_t size = 0;
  const Descriptor file = open_regular(path, size);
  std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(size, most)), '\0');
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("read", path);
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

std::vector<fs::path> list_folder(const fs::path& folder) {
  const auto refuse = [&] {
    throw_failure(concat(folder.string(), ": cannot be listed: ", std::strerror(errno),
                         "; make it readable or move it away"));
  };
  struct Close {
    void operator()(DIR* listing) const { ::closedir(listing); }
  };
  const std::unique_ptr<DIR, Close> listing(::opendir(folder.c_str()));
  if (listing == nullptr) refuse();
  std::vector<fs::path> out;
  while (true) {
    // readdir returns null both at the end and on failure.
    errno = 0;
    const dirent* entry = ::readdir(listing.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") out.push_back(folder / name);
  }
  if (errno != 0) refuse();
  std::sort(out.begin(), out.end());
  return out;
}

Sha256::Sha256() {
  sha256_init(&state_);
}

void Sha256::add(std::string_view bytes) {
  sha256_update(&state_, bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
}

std::string Sha256::finish() {
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
  sha256_digest(&state_, digest.size(), digest.data());
  return hex(digest);
}

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.finish();
}

std::string sha256_file(const fs::path& path) {
  Sha256 hash;
  const auto expect = [](std::uint64_t /*size*/) {};
  read_pieces(path, ~std::uint64_t{0}, expect, [&](std::string_view piece) { hash.add(piece); });
  return hash.finish();
}

}  // namespace medurwkv
