#include "app/features.h"

#include <string>

#include "app/training_library.h"
#include "core/error.h"
#include "core/text.h"
#include "net/config.h"

namespace medurwkv::app {

library::FeaturesResult compute_features(const library::FeaturesRequest& request,
                                         Listener& listener) {
  if (!request.wkv.empty()) static_cast<void>(net::wkv_mode_from(request.wkv));
  for (const std::string& setting : request.settings) {
    if (!setting.starts_with("encoder.")) {
      throw_usage(concat("--set ", setting, ": features takes settings of encoder alone, such as ",
                         "encoder.post_norm=true"));
    }
  }
  return features(request, listener);
}

}  // namespace medurwkv::app
