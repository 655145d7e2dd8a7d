// The presets by name. Relies on net/config.h.
#pragma once

#include <string>
#include <vector>

#include "net/config.h"

namespace medurwkv::net {

/// Names of the networks that segment: nano, nanopost, tiny, small, base, large, unet, unet_small.
const std::vector<std::string>& preset_names();

/// A segmentation network. Throws a usage Error that names the nearest preset.
NetworkConfig preset(const std::string& name, std::int64_t classes = 2, std::int64_t channels = 3);

/// The adapter encoder of a Med-URWKV preset alone, as published.
NetworkConfig encoder_preset(const std::string& name);

/// The published classifiers tiny, small, base and large, and nano, a test case of depth 3.
NetworkConfig classifier_preset(const std::string& name, std::int64_t classes = 1000);

}  // namespace medurwkv::net
