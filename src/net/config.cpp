#include "net/config.h"

#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::net {
namespace {

constexpr std::array<std::pair<WkvMode, const char*>, 3> wkv_names{{
    {WkvMode::exact, "exact"},
    {WkvMode::released32, "released32"},
    {WkvMode::released16, "released16"},
}};

constexpr std::array<std::pair<Architecture, const char*>, 4> architecture_names{{
    {Architecture::med_urwkv, "med_urwkv"},
    {Architecture::unet, "unet"},
    {Architecture::encoder, "encoder"},
    {Architecture::classifier, "classifier"},
}};

template <class Names, class Value>
std::string name_of(const Names& names, Value value) {
  for (const auto& [known, name] : names) {
    if (known == value) return name;
  }
  throw_internal("enumeration value without a name");
}

template <class Names>
auto value_of(const Names& names, const std::string& what, const std::string& wanted) {
  std::vector<std::string> known;
  for (const auto& [value, name] : names) {
    if (wanted == name) return value;
    known.emplace_back(name);
  }
  throw_usage(concat(what, " '", wanted, "' is not known", suggestion(wanted, known)));
}

}  // namespace

std::string to_string(WkvMode mode) {
  return name_of(wkv_names, mode);
}
WkvMode wkv_mode_from(const std::string& name) {
  return value_of(wkv_names, "bi-WKV mode", name);
}

std::string to_string(Architecture architecture) {
  return name_of(architecture_names, architecture);
}
Architecture architecture_from(const std::string& name) {
  return value_of(architecture_names, "architecture", name);
}

}  // namespace medurwkv::net
