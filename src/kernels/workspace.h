// Scratch memory of the kernels. It is the caller's, so that a network that runs again and again
// allocates nothing, and running out of memory is an error where memory is asked for. Relies on
// core.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>

#include "core/error.h"
#include "core/shape.h"
#include "core/threads.h"

namespace medurwkv::kernels {

/// At least as many bytes as the function beside a kernel says, asked at the same thread_count()
/// and on the same instruction set. Any address will do. Nothing is kept in it between calls.
using Workspace = std::span<std::byte>;

/// Memory of its own, for a kernel that runs once.
class OwnWorkspace {
 public:
  explicit OwnWorkspace(std::int64_t bytes)
      : size_(static_cast<std::size_t>(bytes)),
        bytes_(std::make_unique_for_overwrite<std::byte[]>(size_)) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  operator Workspace() const { return {bytes_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<std::byte[]> bytes_;
};

/// Cuts arrays out of a workspace, each from a cache line on. Without one it only counts their
/// bytes: a kernel has one function that takes its arrays, to measure and to run.
class Cutter {
 public:
  Cutter() = default;
  explicit Cutter(Workspace workspace)
      : only_counts_(false), at_(workspace.data()), left_(std::ssize(workspace)) {
    const auto past = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(at_) % line);
    if (past == 0) return;
    at_ += line - past;
    left_ -= line - past;
  }

  [[nodiscard]] bool only_counts() const { return only_counts_; }

  /// Null where it only counts.
  template <class T>
  T* take(std::int64_t count) {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= line);
    const std::int64_t bytes = round_up(count * std::int64_t{sizeof(T)}, line);
    taken_ += bytes;
    if (only_counts_) return nullptr;
    if (taken_ > left_) throw_internal("a kernel's workspace is too small");
    return reinterpret_cast<T*>(at_ + taken_ - bytes);
  }

  /// Bytes of a workspace for all that was taken.
  [[nodiscard]] std::int64_t bytes() const { return taken_ == 0 ? 0 : taken_ + line - 1; }

 private:
  static constexpr std::int64_t line = 64;
  bool only_counts_ = true;
  std::byte* at_ = nullptr;
  std::int64_t left_ = 0;
  std::int64_t taken_ = 0;
};

/// Memory for each part of a parallel_for over `count` items.
class PartRooms {
 public:
  PartRooms(Cutter& cutter, std::int64_t count, std::int64_t bytes)
      : bytes_(round_up(bytes, 64)), at_(cutter.take<std::byte>(parts_of(count) * bytes_)) {}

  [[nodiscard]] Workspace of(std::int64_t part) const {
    return {at_ + part * bytes_, static_cast<std::size_t>(bytes_)};
  }

 private:
  std::int64_t bytes_;
  std::byte* at_;
};

}  // namespace medurwkv::kernels
