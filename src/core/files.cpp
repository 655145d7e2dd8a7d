#include "core/files.h"

#include <fcntl.h>
#include <nettle/sha2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view temporary_suffix = ".tmp";

[[noreturn]] void throw_errno(std::string_view what, const fs::path& path) {
  throw_failure(concat(path.string(), ": cannot ", what, ": ", std::strerror(errno)));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  /// Hands it to who closes it.
  int release() { return std::exchange(fd_, -1); }
  /// Closes now and reports what close() reports (some file systems say "full" only here).
  bool close_now() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

void write_all(int fd, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      throw_errno("write", path);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
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

class Sha256 {
 public:
  Sha256() { sha256_init(&state_); }
  void add(std::string_view bytes) {
    sha256_update(&state_, bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
  }
  std::string finish() {
    std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
    sha256_digest(&state_, digest.size(), digest.data());
    return hex(digest);
  }

 private:
  sha256_ctx state_{};
};

}  // namespace

std::string read_file(const fs::path& path, std::uint64_t limit) {
  std::string bytes;
  // Room for all of it at once: a string that grows needs up to three times its size.
  const auto reserve = [&](std::uint64_t size) { bytes.reserve(size); };
  read_pieces(path, limit, reserve, [&](std::string_view piece) { bytes += piece; });
  return bytes;
}

FilePieces::FilePieces(fs::path path) : path_(std::move(path)) {
  descriptor_ = open_regular(path_, size_).release();
}

FilePieces::~FilePieces() {
  ::close(descriptor_);
}

std::string FilePieces::read(std::uint64_t start, std::uint64_t count) const {
  if (start > size_ || count > size_ - start) {
    throw_failure(concat(path_.string(), ": holds ", size_, " bytes, ", count, " from byte ", start,
                         " were asked for"));
  }
  std::string out(count, '\0');
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = ::pread(descriptor_, out.data() + done, out.size() - done,
                                static_cast<off_t>(start + done));
    if (got < 0) {
      if (errno == EINTR) continue;
      throw_errno("read", path_);
    }
    if (got == 0) throw_failure(concat(path_.string(), ": became shorter while it was read"));
    done += static_cast<std::size_t>(got);
  }
  return out;
}

void write_file(const fs::path& path, const std::function<void(const AppendBytes&)>& produce) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const fs::path temporary =
      folder / concat(".", path.filename().string(), ".", ::getpid(), temporary_suffix);
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (file.get() < 0) throw_errno("create", temporary);
  try {
    produce([&](std::string_view bytes) { write_all(file.get(), bytes, path); });
    if (::fsync(file.get()) != 0) throw_errno("fsync", path);
    if (!file.close_now()) throw_errno("close", path);
    if (::rename(temporary.c_str(), path.c_str()) != 0) throw_errno("rename into place", path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) throw_errno("fsync", folder);
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

void write_file(const fs::path& path, std::string_view bytes) {
  write_file(path, [&](const AppendBytes& append) { append(bytes); });
}

void remove_leftovers(const fs::path& path) {
  const std::string prefix = concat(".", path.filename().string(), ".");
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix) || !name.ends_with(temporary_suffix)) continue;
    if (name.size() <= prefix.size() + temporary_suffix.size()) continue;
    const std::string writer =
        name.substr(prefix.size(), name.size() - prefix.size() - temporary_suffix.size());
    if (writer.find_first_not_of("0123456789") != std::string::npos) continue;
    ::unlink(entry.path().c_str());  // a leftover that stays does no harm
  }
}

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) throw_failure(concat(path.string(), ": cannot make the folder: ", error.message()));
  if (::access(path.c_str(), W_OK | X_OK) != 0) throw_errno("write into the folder", path);
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
