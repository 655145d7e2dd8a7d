#include "core/model_description.h"

#include "core/error.h"
#include "core/text.h"

namespace medurwkv {

const char* to_string(Fit fit) {
  switch (fit) {
    case Fit::stretch: return "stretch";
    case Fit::pad: return "pad";
    case Fit::native: return "native";
    case Fit::tile: return "tile";
  }
  throw_internal("unknown fit");
}

Fit fit_from(const std::string& name) {
  for (const Fit fit : {Fit::stretch, Fit::pad, Fit::native, Fit::tile}) {
    if (name == to_string(fit)) return fit;
  }
  throw_usage(concat("input fit '", name, "' is not known",
                     suggestion(name, {"stretch", "pad", "native", "tile"})));
}

}  // namespace medurwkv
