// One thing that is wrong with a set, with its remedy. Relies on the standard library alone.
#pragma once

#include <string>

namespace medurwkv::data {

enum class Severity {
  warning,  ///< the set can be used; somebody should look
  error,    ///< training or scores would be wrong, or a command will refuse the set
};

struct Fault {
  Severity severity = Severity::warning;
  std::string kind;    ///< short fixed name, for example "size-mismatch" (docs/check-data.md)
  std::string where;   ///< file or pair of files
  std::string what;    ///< one line
  std::string remedy;  ///< one line
};

}  // namespace medurwkv::data
