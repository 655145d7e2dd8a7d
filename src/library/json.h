// Requests and results as JSON texts and back. Relies on core and nlohmann/json.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/output.h"
#include "core/text.h"
#include "core/unicode.h"

namespace medurwkv::library {

/// A struct that names its fields to a visitor: T::fields(value, visit) calls visit("name", field).
template <class T>
concept Fields = requires(T& value) {
  T::fields(value, [](const char*, auto&) {});
};

// All are declared before the first is used: they call each other for types of the standard
// library.
template <class T>
nlohmann::json to_value(const std::optional<T>& value);
template <Fields T>
nlohmann::json to_value(const std::vector<T>& values);
template <class T>
nlohmann::json to_value(const T& value) {
  return value;
}
inline nlohmann::json to_value(const std::filesystem::path& value) {
  return value.string();
}
inline nlohmann::json to_value(const OutputPath& value) {
  return value.path().string();
}
template <Fields T>
nlohmann::json to_value(const T& value) {
  nlohmann::json out = nlohmann::json::object();
  T::fields(value, [&](const char* name, const auto& field) { out[name] = to_value(field); });
  return out;
}
template <class T>
nlohmann::json to_value(const std::optional<T>& value) {
  return value ? to_value(*value) : nlohmann::json();
}
template <Fields T>
nlohmann::json to_value(const std::vector<T>& values) {
  nlohmann::json out = nlohmann::json::array();
  for (const T& one : values) out.push_back(to_value(one));
  return out;
}

// The way back. Each throws json::exception for a value of another type, or without one of the
// fields.

template <class T>
void take(const nlohmann::json& from, std::optional<T>& value);
template <Fields T>
void take(const nlohmann::json& from, std::vector<T>& values);
template <class T>
void take(const nlohmann::json& from, T& value) {
  from.get_to(value);
}
inline void take(const nlohmann::json& from, std::filesystem::path& value) {
  value = from.get<std::string>();
}
inline void take(const nlohmann::json& from, OutputPath& value) {
  value = OutputPath(from.get<std::string>());
}
template <Fields T>
void take(const nlohmann::json& from, T& value) {
  T::fields(value, [&](const char* name, auto& field) { take(from.at(name), field); });
}
template <class T>
void take(const nlohmann::json& from, std::optional<T>& value) {
  value.reset();
  if (!from.is_null()) take(from, value.emplace());
}
template <Fields T>
void take(const nlohmann::json& from, std::vector<T>& values) {
  values.clear();
  for (const nlohmann::json& one : from) take(one, values.emplace_back());
}

template <class T>
T from_value(const nlohmann::json& from) {
  T out;
  take(from, out);
  return out;
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

template <Fields T>
std::string to_text(const T& value) {
  const nlohmann::json out = to_value(value);
  refuse_other_bytes(out);
  return out.dump();
}

template <Fields T>
T from_text(const std::string& text) {
  return from_value<T>(nlohmann::json::parse(text));
}

}  // namespace medurwkv::library
