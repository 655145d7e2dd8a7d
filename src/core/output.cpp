#include "core/output.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <memory>
#include <set>
#include <system_error>

#include "core/error.h"
#include "core/file_name.h"
#include "core/text.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view temporary_suffix = ".tmp";
/// Bytes of ".", the writer's number and the suffix, after the name.
constexpr std::size_t temporary_end = 1 + 10 + temporary_suffix.size();

[[noreturn]] void throw_errno(std::string_view what, const fs::path& path) {
  throw_failure(concat(path.string(), ": cannot ", what, ": ", std::strerror(errno)));
}

/// What temporary files of `name` begin with: hidden, and with room for the rest.
std::string temporary_start(const std::string& name) {
  return concat(".", shortened(name, longest_name - 1 - temporary_end), ".");
}

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

/// The last component of a path to a file.
std::string name_of(const OutputPath& file) {
  std::string out = file.path().filename().string();
  if (out.empty() || out == "." || out == "..") {
    throw_usage(concat(file.path().string(), ": names no file"));
  }
  return out;
}

bool is_link(int folder, const char* name) {
  struct stat facts {};
  return ::fstatat(folder, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(facts.st_mode);
}

constexpr int folder_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

enum class Absent { fails, is_made, ends };

/// Opens the user's folder, then one component after the other. A missing one: fails, is made, or
/// ends the walk with an empty Descriptor.
Descriptor walk(const OutputPath& folder, Absent absent) {
  const fs::path start = folder.named().empty() ? fs::path(".") : folder.named();
  Descriptor at(::openat(AT_FDCWD, start.c_str(), folder_flags));
  if (at.get() < 0) {
    if (absent == Absent::ends) return at;
    throw_errno("open the folder", start);
  }
  fs::path way = start;
  for (const fs::path& name : folder.below()) {
    way /= name;
    if (absent == Absent::is_made && ::mkdirat(at.get(), name.c_str(), 0777) != 0 &&
        errno != EEXIST) {
      throw_errno("make the folder", way);
    }
    Descriptor next(::openat(at.get(), name.c_str(), folder_flags | O_NOFOLLOW));
    if (next.get() < 0) {
      const int error = errno;
      if (is_link(at.get(), name.c_str())) throw_link(way, folder);
      if (absent == Absent::ends && error == ENOENT) return next;
      errno = error;
      throw_errno("open the folder", way);
    }
    at = std::move(next);
  }
  return at;
}

bool are_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Whether another process has this number. One that has it by chance keeps a leftover alive, which
/// does no harm.
bool is_alive(std::string_view digits) {
  pid_t number = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), number);
  if (error != std::errc() || number <= 0 || number == ::getpid()) return false;
  return ::kill(number, 0) == 0 || errno == EPERM;
}

}  // namespace

OutputPath OutputPath::operator/(const fs::path& below) const {
  OutputPath out = *this;
  if (below.empty()) return out;
  if (const std::string reason = why_no_path(below.string()); !reason.empty()) {
    throw_failure(concat(shown(below.string()), ": ", reason, ", so it is not written below ",
                         path().string()));
  }
  out.below_ /= below;
  return out;
}

OutputPath OutputPath::folder() const {
  OutputPath out = *this;
  if (below_.empty()) {
    out.named_ = named_.has_parent_path() ? named_.parent_path() : fs::path(".");
  } else {
    out.below_ = below_.parent_path();
  }
  return out;
}

void throw_link(const fs::path& link, const OutputPath& way) {
  throw_failure(concat(link.string(),
                       ": is a symbolic link; medurwkv does not write through links below ",
                       way.named().string(), "; remove the link or choose another --out"));
}

Descriptor open_folder(const OutputPath& folder) {
  return walk(folder, Absent::fails);
}

void refuse_links(const OutputPath& folder) {
  static_cast<void>(walk(folder, Absent::ends));
}

void make_folder(const OutputPath& folder) {
  std::error_code error;
  fs::create_directories(folder.named().empty() ? fs::path(".") : folder.named(), error);
  if (error) {
    throw_failure(concat(folder.named().string(), ": cannot make the folder: ", error.message()));
  }
  const Descriptor made = walk(folder, Absent::is_made);
  if (::faccessat(made.get(), ".", W_OK | X_OK, 0) != 0) {
    throw_errno("write into the folder", folder.path());
  }
}

PendingFile::PendingFile(const OutputPath& file)
    : file_(file),
      name_(name_of(file)),
      temporary_(concat(temporary_start(name_), ::getpid(), temporary_suffix)),
      folder_(open_folder(file.folder())) {
  // Remove what a killed process with this number has left, or a link that somebody put there.
  ::unlinkat(folder_.get(), temporary_.c_str(), 0);
  bytes_to_ = Descriptor(::openat(folder_.get(), temporary_.c_str(),
                                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (bytes_to_.get() < 0) throw_errno("create", file_.path().parent_path() / temporary_);
}

PendingFile::~PendingFile() {
  if (!in_place_) ::unlinkat(folder_.get(), temporary_.c_str(), 0);
}

void PendingFile::append(std::string_view bytes) {
  write_all(bytes_to_.get(), bytes, file_.path());
}

void PendingFile::keep() {
  if (::fsync(bytes_to_.get()) != 0) throw_errno("fsync", file_.path());
  if (!bytes_to_.close_now()) throw_errno("close", file_.path());
  if (::renameat(folder_.get(), temporary_.c_str(), folder_.get(), name_.c_str()) != 0) {
    throw_errno("rename into place", file_.path());
  }
  in_place_ = true;
  if (::fsync(folder_.get()) != 0) throw_errno("fsync", file_.folder().path());
}

void write_file(const OutputPath& file, const std::function<void(const AppendBytes&)>& produce) {
  PendingFile pending(file);
  produce([&](std::string_view bytes) { pending.append(bytes); });
  pending.keep();
}

void write_file(const OutputPath& file, std::string_view bytes) {
  write_file(file, [&](const AppendBytes& append) { append(bytes); });
}

GrowingFile::GrowingFile(const OutputPath& file) : path_(file.path()) {
  const std::string name = name_of(file);
  const Descriptor folder = open_folder(file.folder());
  ::unlinkat(folder.get(), name.c_str(), 0);
  file_ =
      Descriptor(::openat(folder.get(), name.c_str(),
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND | O_CLOEXEC, 0644));
  if (file_.get() < 0) throw_errno("create", path_);
}

void GrowingFile::append(std::string_view bytes) {
  write_all(file_.get(), bytes, path_);
}

void remove_file(const OutputPath& file) {
  const Descriptor folder = open_folder(file.folder());
  if (::unlinkat(folder.get(), name_of(file).c_str(), 0) != 0 && errno != ENOENT) {
    throw_errno("remove", file.path());
  }
}

void remove_leftovers(const OutputPath& folder, const std::vector<std::string>& names) {
  std::set<std::string> starts;
  for (const std::string& name : names) starts.insert(temporary_start(name));
  const Descriptor place = walk(folder, Absent::ends);
  if (place.get() < 0) return;
  // A handle of its own: closedir closes it.
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(
      ::fdopendir(::openat(place.get(), ".", folder_flags)), &::closedir);
  if (!listing) return;  // a leftover that stays does no harm
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    if (!name.ends_with(temporary_suffix)) continue;
    const std::string_view whole = name.substr(0, name.size() - temporary_suffix.size());
    const std::size_t dot = whole.rfind('.');
    if (dot == std::string_view::npos || !are_digits(whole.substr(dot + 1))) continue;
    if (is_alive(whole.substr(dot + 1))) continue;
    if (!starts.contains(std::string(whole.substr(0, dot + 1)))) continue;
    ::unlinkat(place.get(), entry->d_name, 0);
  }
}

bool is_there(const fs::path& path) {
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  throw_failure(concat(path.string(), ": cannot be looked at: ", std::strerror(errno)));
}

bool lies_in(const fs::path& path, const fs::path& folder) {
  struct stat wanted {};
  if (::stat(folder.c_str(), &wanted) != 0 || !S_ISDIR(wanted.st_mode)) return false;
  std::error_code error;
  fs::path at = fs::absolute(path, error);
  if (!error) at = fs::weakly_canonical(at, error);
  // A path that cannot be resolved cannot be written to either; writing reports it.
  if (error) return false;
  while (true) {
    struct stat facts {};
    if (::stat(at.c_str(), &facts) == 0 && facts.st_dev == wanted.st_dev &&
        facts.st_ino == wanted.st_ino) {
      return true;
    }
    fs::path above = at.parent_path();
    if (above == at) return false;
    at = std::move(above);
  }
}

void refuse_within(const OutputPath& out, const std::vector<fs::path>& read) {
  for (const fs::path& folder : read) {
    if (!lies_in(out.path(), folder)) continue;
    throw_usage(concat(out.path().string(), ": lies in ", folder.string(),
                       ", a folder of inputs; files written there would be read as part of it; "
                       "choose a place outside of it"));
  }
}

}  // namespace medurwkv
