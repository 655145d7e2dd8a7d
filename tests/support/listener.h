// A listener that keeps what work says, and can ask it to stop.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "core/listener.h"

namespace medurwkv::test {

class KeepingListener : public Listener {
 public:
  KeepingListener() = default;
  explicit KeepingListener(int signal) : stop(signal) {}

  void line(const std::string& text) override { lines.push_back(text); }
  void failure(const std::string& text) override { failures.push_back(text); }
  void progress(const std::string& what, std::int64_t /*done*/, std::int64_t /*total*/,
                const std::string& /*detail*/) override {
    if (works.empty() || works.back() != what) works.push_back(what);
  }
  [[nodiscard]] int stop_signal() const override { return stop; }

  std::vector<std::string> lines, failures;
  std::vector<std::string> works;  ///< names of what made progress, in order
  std::atomic<int> stop{0};
};

}  // namespace medurwkv::test
