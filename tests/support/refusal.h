// What a call is refused with. Another exception than Error passes through and fails the test.
#pragma once

#include <optional>
#include <string>

#include "core/error.h"

namespace medurwkv::test {

struct Refusal {
  ErrorKind kind = ErrorKind::failure;
  std::string message;
  [[nodiscard]] bool names(const std::string& part) const {
    return message.find(part) != std::string::npos;
  }
};

/// None when the call succeeds.
template <class Call>
std::optional<Refusal> refusal_of(const Call& call) {
  try {
    static_cast<void>(call());
  } catch (const Error& error) {
    return Refusal{error.kind(), error.what()};
  }
  return std::nullopt;
}

}  // namespace medurwkv::test
