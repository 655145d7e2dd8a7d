// What the parts of libmedurwkv_dicom.so share. Relies on DCMTK.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/ofstd/ofcond.h>

#include <stdexcept>
#include <string>

namespace medurwkv::dicom {

/// Sequences within sequences; those of images have a few.
inline constexpr int deepest = 16;

[[noreturn]] inline void fail(const std::string& what) {
  throw std::runtime_error(what);
}

inline void check(const OFCondition& condition, const char* what) {
  if (condition.bad()) fail(std::string(what) + " (" + condition.text() + ")");
}

}  // namespace medurwkv::dicom
