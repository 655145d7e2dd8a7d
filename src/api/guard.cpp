#include "api/guard.h"

#include <exception>
#include <new>

#include "core/memory.h"
#include "core/stop.h"
#include "core/version.h"

namespace medurwkv::api {
namespace {

/// Of the thread's last call.
std::string& message() {
  thread_local std::string one;
  return one;
}

/// Where even the message finds no memory, the code alone has to do.
void say(const char* text) noexcept {
  try {
    message() = text;
  } catch (...) {
    message().clear();
  }
}

}  // namespace

void begin_call() {
  message().clear();
}

medurwkv_code code_of_exception() {
  try {
    throw;
  } catch (const MemoryError& error) {
    say(error.what());
    return MEDURWKV_NO_MEMORY;
  } catch (const Error& error) {
    say(error.what());
    switch (error.kind()) {
      case ErrorKind::usage: return MEDURWKV_USAGE;
      case ErrorKind::failure: return MEDURWKV_FAILED;
      case ErrorKind::internal: return MEDURWKV_INTERNAL;
    }
    return MEDURWKV_INTERNAL;
  } catch (const Stopped&) {
    say("stopped by the progress function");
    return MEDURWKV_STOPPED;
  } catch (const std::bad_alloc&) {
    say("memory ran out");
    return MEDURWKV_NO_MEMORY;
  } catch (const std::exception& error) {
    say(error.what());
    return MEDURWKV_INTERNAL;
  } catch (...) {
    say("an unknown exception");
    return MEDURWKV_INTERNAL;
  }
}

char* text_for_caller(const std::string& text) {
  auto* const out = new char[text.size() + 1];
  std::memcpy(out, text.c_str(), text.size() + 1);
  return out;
}

}  // namespace medurwkv::api

const char* medurwkv_message(void) {
  return medurwkv::api::message().c_str();
}

const char* medurwkv_version(void) {
  return medurwkv::version;
}

int medurwkv_api_major(void) {
  return MEDURWKV_API_MAJOR;
}

int medurwkv_api_minor(void) {
  return MEDURWKV_API_MINOR;
}

void medurwkv_free(char* text) {  // NOLINT(readability-non-const-parameter): it is freed
  delete[] text;
}
