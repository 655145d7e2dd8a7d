// The one error type of the library. Relies on the standard library alone.
//
// Library code throws Error; it never prints, aborts or exits. The program and the C interfaces
// catch it at their outermost frame and turn `kind()` into an exit code.
#pragma once

#include <stdexcept>
#include <string>

namespace medurwkv {

enum class ErrorKind {
  usage,     ///< the request itself is wrong (exit code 2)
  failure,   ///< the work failed: a bad file, a full disk, a mismatch (exit code 1)
  internal,  ///< a bug of ours; the message says so (exit code 1)
};

/// One line that says what, where, expected and got, and the remedy.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  [[nodiscard]] ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

/// Wrong usage: exit code 2.
[[noreturn]] inline void throw_usage(const std::string& message) {
  throw Error(ErrorKind::usage, message);
}

/// Failed work: exit code 1.
[[noreturn]] inline void throw_failure(const std::string& message) {
  throw Error(ErrorKind::failure, message);
}

/// A bug of ours: the message asks for a report.
[[noreturn]] inline void throw_internal(const std::string& message) {
  throw Error(ErrorKind::internal, message + " (this is a bug in medurwkv; please report it)");
}

}  // namespace medurwkv
