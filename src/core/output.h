// Writing files: whole or not at all, and without following a link below the folder that the user
// named. Relies on POSIX and core/file_name.h.
#pragma once

#include <concepts>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/descriptor.h"

namespace medurwkv {

/// Where something is written. The path that the user named may lead through links; what is added
/// to it with '/' is a path below, along which no link is followed.
class OutputPath {
 public:
  template <class Path>
  requires std::convertible_to<const Path&, std::filesystem::path>
  // NOLINTNEXTLINE(google-explicit-constructor): a path is what the user named
  OutputPath(const Path& named) : named_(named) {}

  /// Throws Error when `below` is absolute or holds `..`; an empty one adds nothing.
  [[nodiscard]] OutputPath operator/(const std::filesystem::path& below) const;

  [[nodiscard]] std::filesystem::path path() const {
    return below_.empty() ? named_ : named_ / below_;
  }
  [[nodiscard]] const std::filesystem::path& named() const { return named_; }
  [[nodiscard]] const std::filesystem::path& below() const { return below_; }
  /// The folder that it lies in; "." for a path without one.
  [[nodiscard]] OutputPath folder() const;

 private:
  std::filesystem::path named_, below_;
};

/// Replaces `file` by `bytes` atomically: temporary file in the same folder, fsync, rename, fsync
/// of the folder. On an Error the former file is untouched and the temporary one is gone. A link in
/// place of the file is replaced, what it leads to is not.
void write_file(const OutputPath& file, std::string_view bytes);

/// A file that is made piece by piece and appears as write_file's does once it is kept. One that is
/// not kept is gone with the object, and the former file untouched.
class PendingFile {
 public:
  /// Throws Error naming the file.
  explicit PendingFile(const OutputPath& file);
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;
  PendingFile(PendingFile&&) = delete;
  PendingFile& operator=(PendingFile&&) = delete;
  ~PendingFile();

  /// Throws Error naming the file.
  void append(std::string_view bytes);
  /// To be called once, after the last byte. Throws Error naming the file.
  void keep();

 private:
  OutputPath file_;
  std::string name_, temporary_;
  Descriptor folder_, bytes_to_;
  bool in_place_ = false;
};

/// As write_file, for content made piece by piece: `produce` is given a function that appends.
using AppendBytes = std::function<void(std::string_view)>;
void write_file(const OutputPath& file, const std::function<void(const AppendBytes&)>& produce);

/// A file that grows; it replaces what had its name. The only kind that is not written atomically.
class GrowingFile {
 public:
  explicit GrowingFile(const OutputPath& file);
  /// Throws Error naming the file.
  void append(std::string_view bytes);

 private:
  std::filesystem::path path_;
  Descriptor file_;
};

/// Removes the file, or the link, where there is one.
void remove_file(const OutputPath& file);

/// Removes the temporary files that killed writers of these names have left in `folder`. Files of
/// live processes of this machine stay. Where other machines write there too, the caller must hold
/// the folder (core/folder_lock.h).
void remove_leftovers(const OutputPath& folder, const std::vector<std::string>& names);

/// Makes the folder (and its parents) where there is none, to write in it. Throws Error naming it
/// when that fails or when this process may not write there.
void make_folder(const OutputPath& folder);

/// Throws Error when a folder on the way, below the user's own, is a link. A folder that does not
/// exist yet is none.
void refuse_links(const OutputPath& folder);

/// Opens the folder, for openat and the like. Throws Error naming it.
Descriptor open_folder(const OutputPath& folder);

/// Throws the Error for a link on the way.
[[noreturn]] void throw_link(const std::filesystem::path& link, const OutputPath& way);

/// Whether something has this name, a link that leads nowhere included. Throws Error naming it
/// where that cannot be told (a name too long, a folder that may not be entered).
bool is_there(const std::filesystem::path& path);

/// Whether `path`, which need not exist, is `folder` or lies below it. Compared by device and
/// inode, so links and other spellings make no difference. False where there is no such `folder`.
bool lies_in(const std::filesystem::path& path, const std::filesystem::path& folder);

/// Throws a usage Error when `out` lies in one of the folders `read`: what is written there would
/// be taken for a part of what is read.
void refuse_within(const OutputPath& out, const std::vector<std::filesystem::path>& read);

}  // namespace medurwkv
