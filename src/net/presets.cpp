#include "net/presets.h"

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::net {
namespace {

struct Named {
  const char* name;
  EncoderConfig encoder;
  std::int64_t bottleneck_depth;
  std::array<std::int64_t, 3> decoder_depths;
};

// Sources: the published adapter configurations of Vision-RWKV (tiny to large); nano and nanopost
// are ours, for tests and demonstrations; bottleneck and decoder are ours throughout.
const std::vector<Named>& med_urwkv_presets() {
  static const std::vector<Named> presets{
      {"nano",
       {.width = 24,
        .groups = {1, 1, 1, 1},
        .heads = 3,
        .layer_scale = {},
        .position_grid = 4,
        .prior_width = 8},
       1,
       {2, 1, 1}},
      {"nanopost",
       {.width = 24,
        .groups = {1, 1, 1, 1},
        .heads = 3,
        .deform_ratio = 0.5,
        .post_norm = true,
        .layer_scale = 0.5,
        .key_norm = true,
        .position_grid = 4,
        .prior_width = 8},
       1,
       {2, 1, 1}},
      {"tiny",
       {.width = 192, .groups = {3, 3, 3, 3}, .heads = 6, .layer_scale = 1.0},
       2,
       {9, 2, 2}},
      {"small",
       {.width = 384, .groups = {3, 3, 3, 3}, .heads = 6, .post_norm = true, .layer_scale = 1e-5},
       2,
       {9, 2, 2}},
      {"base",
       {.width = 768,
        .groups = {3, 3, 3, 3},
        .heads = 12,
        .deform_ratio = 0.5,
        .post_norm = true,
        .layer_scale = 1e-5},
       2,
       {9, 2, 2}},
      {"large",
       {.width = 1024,
        .groups = {6, 6, 6, 6},
        .heads = 16,
        .deform_ratio = 0.5,
        .post_norm = true,
        .layer_scale = 1e-5,
        .key_norm = true,
        .position_grid = 12},
       2,
       {9, 2, 2}},
  };
  return presets;
}

const Named* find_med_urwkv(const std::string& name) {
  for (const Named& known : med_urwkv_presets()) {
    if (name == known.name) return &known;
  }
  return nullptr;
}

[[noreturn]] void throw_unknown(const std::string& name) {
  throw_usage(concat("preset '", name, "' is not known", suggestion(name, preset_names())));
}

}  // namespace

const std::vector<std::string>& preset_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const Named& known : med_urwkv_presets()) out.emplace_back(known.name);
    out.insert(out.end(), {"unet", "unet_small"});
    return out;
  }();
  return names;
}

NetworkConfig preset(const std::string& name, std::int64_t classes, std::int64_t channels) {
  if (classes < 1) throw_usage("a segmentation needs at least one output");
  if (channels < 1) throw_usage("an image has at least 1 channel");
  NetworkConfig config{.preset = name, .channels = channels, .classes = classes, .encoder = {}};
  if (name == "unet" || name == "unet_small") {
    config.architecture = Architecture::unet;
    config.unet_width = name == "unet" ? 64 : 16;
    return config;
  }
  const Named* known = find_med_urwkv(name);
  if (known == nullptr) throw_unknown(name);
  config.encoder = known->encoder;
  config.bottleneck_depth = known->bottleneck_depth;
  config.decoder_depths = known->decoder_depths;
  return config;
}

NetworkConfig encoder_preset(const std::string& name) {
  const Named* known = find_med_urwkv(name);
  if (known == nullptr) throw_unknown(name);
  return {.preset = name, .architecture = Architecture::encoder, .encoder = known->encoder};
}

NetworkConfig classifier_preset(const std::string& name, std::int64_t classes) {
  const Named* known = find_med_urwkv(name);
  if (known == nullptr || name == "nanopost") throw_unknown(name);
  NetworkConfig config{.preset = name,
                       .architecture = Architecture::classifier,
                       .classes = classes,
                       .encoder = known->encoder};
  // The published classifiers differ from the adapters in layer scale; nano is a test case.
  if (name == "nano") config.encoder.groups = {3};
  if (name == "tiny") config.encoder.layer_scale.reset();
  if (name == "small") config.encoder.layer_scale = 1.0;
  if (name == "large") config.classifier_hidden = 3072;
  return config;
}

}  // namespace medurwkv::net
