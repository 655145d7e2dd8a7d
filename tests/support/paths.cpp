#include "support/paths.h"

namespace medurwkv::test {

std::filesystem::path source_folder() {
  return MEDURWKV_SOURCE_DIR;
}

std::filesystem::path program_file() {
  return MEDURWKV_PROGRAM;
}

}  // namespace medurwkv::test
