// The folder of one training run: who may write in it and what lies in it. Relies on core and
// nlohmann/json.
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

namespace medurwkv::train {

/// Holds the folder against a second writer for as long as it lives (flock, so that a killed run
/// leaves nothing behind that blocks). Throws Error naming the folder when another process has it.
class RunLock {
 public:
  explicit RunLock(const std::filesystem::path& folder);
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  RunLock(RunLock&&) = delete;
  RunLock& operator=(RunLock&&) = delete;
  ~RunLock();

 private:
  int descriptor_ = -1;
};

/// The folder, made and locked. A new run wants one without a run in it, a resumed run one with.
class RunFolder {
 public:
  /// Throws Error naming the folder. Removes what a killed run has left half written.
  RunFolder(std::filesystem::path folder, bool resume);

  [[nodiscard]] const std::filesystem::path& path() const { return folder_; }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const {
    return folder_ / name;
  }
  [[nodiscard]] std::filesystem::path checkpoint() const { return folder_ / "last.ckpt"; }
  [[nodiscard]] bool has_checkpoint() const { return std::filesystem::exists(checkpoint()); }

  /// What run.json says; an empty object where there is none.
  [[nodiscard]] nlohmann::json record() const;

 private:
  static const std::filesystem::path& prepared(const std::filesystem::path& folder, bool resume);

  std::filesystem::path folder_;
  RunLock lock_;
};

}  // namespace medurwkv::train
