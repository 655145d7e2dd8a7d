// Requests as JSON texts and back. Relies on core and nlohmann/json.
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/output.h"
#include "core/text.h"
#include "core/unicode.h"

namespace medurwkv::library {

inline const std::string& plain(const std::string& value) {
  return value;
}
inline std::string plain(const std::filesystem::path& value) {
  return value.string();
}
inline std::string plain(const OutputPath& value) {
  return value.path().string();
}
template <class T>
const T& plain(const T& value) {
  return value;
}

inline void take(const nlohmann::json& from, std::filesystem::path& value) {
  value = from.get<std::string>();
}
inline void take(const nlohmann::json& from, OutputPath& value) {
  value = OutputPath(from.get<std::string>());
}
template <class T>
void take(const nlohmann::json& from, T& value) {
  from.get_to(value);
}

/// Throws a usage Error for a text that is not UTF-8, which JSON cannot hold.
inline void refuse_other_bytes(const nlohmann::json& value) {
  if (value.is_string() && !is_utf8(value.get_ref<const std::string&>())) {
    throw_usage(concat(readable(value.get_ref<const std::string&>()),
                       ": is not UTF-8, which a model and its records hold their names in; rename "
                       "it"));
  }
  if (!value.is_structured()) return;
  for (const nlohmann::json& one : value) refuse_other_bytes(one);
}

template <class Request>
std::string to_text(const Request& request) {
  nlohmann::json out = nlohmann::json::object();
  Request::fields(request, [&](const char* name, const auto& value) { out[name] = plain(value); });
  refuse_other_bytes(out);
  return out.dump();
}

/// Throws json::exception for a text without one of the fields or with one of another type.
template <class Request>
Request from_text(const std::string& text) {
  const nlohmann::json from = nlohmann::json::parse(text);
  Request out;
  Request::fields(out, [&](const char* name, auto& value) { take(from.at(name), value); });
  return out;
}

}  // namespace medurwkv::library
