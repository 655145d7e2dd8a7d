#include "support/paths.h"

namespace medurwkv::test {

std::filesystem::path source_folder() {
  return MEDURWKV_SOURCE_DIR;
}

std::filesystem::path program_file() {
  return MEDURWKV_PROGRAM;
}

bool is_sanitized() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return true;
#else
  return false;
#endif
#else
  return false;
#endif
}

}  // namespace medurwkv::test
