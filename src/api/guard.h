// What every function of the C interface does around its work: arguments that must not be null,
// structs of older callers, exceptions as codes and a message. Relies on core/error.h and
// include/medurwkv/medurwkv.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

#include "core/error.h"
#include "core/text.h"
#include "medurwkv/medurwkv.h"

namespace medurwkv::api {

/// The code of the exception that is being handled; its words become medurwkv_message().
medurwkv_code code_of_exception();

/// Forgets the message of the thread's last call.
void begin_call();

/// Runs `work` and says how it ended.
template <class Work>
medurwkv_code guarded(const Work& work) noexcept {
  begin_call();
  try {
    work();
    return MEDURWKV_OK;
  } catch (...) {
    return code_of_exception();
  }
}

/// Throws a usage Error for a null pointer, by the argument's name.
template <class T>
T& given(T* pointer, const char* name) {
  if (pointer == nullptr) throw_usage(concat(name, " is NULL"));
  return *pointer;
}

/// Throws a usage Error where the caller did not set struct_size.
template <class Struct>
void check_size(const Struct& from, const char* name) {
  // No version has a struct so large: it was not set at all.
  constexpr std::size_t most = 4096;
  if (from.struct_size < sizeof(std::size_t) || from.struct_size > most) {
    throw_usage(concat(name, ".struct_size is ", from.struct_size,
                       "; set it to sizeof of the struct, as MEDURWKV_NEW does"));
  }
}

/// A struct as its caller knows it: fields beyond its size are 0. Null gives the defaults. Throws a
/// usage Error for what a later caller asks for in fields that are not known here: passing them
/// over would answer another question.
template <class Struct>
Struct taken(const Struct* from, const char* name) {
  Struct out{};
  if (from == nullptr) return out;
  check_size(*from, name);
  std::memcpy(&out, from, std::min(from->struct_size, sizeof(Struct)));
  const char* const bytes = reinterpret_cast<const char*>(from);
  for (std::size_t i = sizeof(Struct); i < from->struct_size; ++i) {
    if (bytes[i] == 0) continue;
    throw_usage(concat(name, " has a field set that this library (", medurwkv_version(),
                       ") does not know; it needs a later one"));
  }
  return out;
}

/// Writes as much of `value` as the caller's struct has.
template <class Struct>
void hand_out(Struct value, Struct* to, const char* name) {
  check_size(given(to, name), name);
  value.struct_size = to->struct_size;
  std::memcpy(to, &value, std::min(to->struct_size, sizeof(Struct)));
}

/// A copy for medurwkv_free().
char* text_for_caller(const std::string& text);

}  // namespace medurwkv::api
