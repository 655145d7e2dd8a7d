// The folder of one training run: who may write in it and what lies in it. Relies on core and
// nlohmann/json.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/folder_lock.h"
#include "core/output.h"

namespace medurwkv::train {

/// Takes away a folder, and those above it, that were made for a run which then did not begin: a
/// refused run leaves nothing behind.
class UnusedFolder {
 public:
  /// Before the folder is made. `files`: what may be written before the run begins.
  UnusedFolder(OutputPath folder, std::vector<std::string> files);
  UnusedFolder(const UnusedFolder&) = delete;
  UnusedFolder& operator=(const UnusedFolder&) = delete;
  UnusedFolder(UnusedFolder&&) = delete;
  UnusedFolder& operator=(UnusedFolder&&) = delete;
  ~UnusedFolder();

  /// Nobody else writes there: the lock is held.
  void own() { owned_ = true; }
  /// The run has begun: the folder stays.
  void keep() { owned_ = false; }

 private:
  OutputPath folder_;
  std::vector<std::string> files_;
  std::vector<std::filesystem::path> made_;  ///< those that were not there, the innermost first
  bool owned_ = false;
};

/// What a resumed run reads of run.json, in the types that it was written in. Throws Error.
nlohmann::json parsed_record(const std::string& text);

/// The folder, made and locked. A new run wants one without a run in it, a resumed run one with.
class RunFolder {
 public:
  /// Throws Error naming the folder. Removes what a killed run has left half written.
  RunFolder(const OutputPath& folder, bool resume);

  /// The run has begun: the folder stays, however it ends.
  void keep() { unused_.keep(); }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// A file in it, to read.
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const {
    return path_ / name;
  }
  /// A file in it, to write.
  [[nodiscard]] OutputPath to(const std::string& name) const { return folder_ / name; }
  [[nodiscard]] std::filesystem::path checkpoint() const { return path_ / "last.ckpt"; }
  [[nodiscard]] bool has_checkpoint() const { return is_there(checkpoint()); }

  /// What run.json says; an empty object where there is none. Throws Error with the remedy where it
  /// is damaged.
  [[nodiscard]] nlohmann::json record() const;

 private:
  static const OutputPath& prepared(const OutputPath& folder, bool resume);

  OutputPath folder_;
  std::filesystem::path path_;
  UnusedFolder unused_;  ///< ends after the lock is given back
  FolderLock lock_;
};
}  // namespace medurwkv::train
