// Configurations of every network we know: plain data. Relies on kernels/bi_wkv.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/bi_wkv.h"

namespace medurwkv::net {

using kernels::WkvMode;

std::string to_string(WkvMode mode);
/// Throws a usage Error for another name.
WkvMode wkv_mode_from(const std::string& name);

/// Height and width of a token grid or map.
struct Grid {
  std::int64_t height = 0;
  std::int64_t width = 0;
  [[nodiscard]] std::int64_t tokens() const { return height * width; }
  bool operator==(const Grid&) const = default;
};

/// One Vision-RWKV block.
struct BlockConfig {
  std::int64_t width = 0;  ///< channels C
  WkvMode wkv = WkvMode::exact;
  bool post_norm = false;             ///< ln1 and ln2 after the branch instead of before
  bool key_norm = false;              ///< LayerNorm on bi-WKV's result and on the squared ReLU
  std::optional<double> layer_scale;  ///< start value of gamma1 and gamma2; none = no gammas
  bool first = false;                 ///< has ln0
  std::int64_t block = 0;             ///< index from 0; only start values depend on it
  std::int64_t blocks = 1;            ///< number of blocks
  double drop_path = 0;               ///< probability of leaving the branch out in training
};

/// The Vision-RWKV trunk and its adapter.
struct EncoderConfig {
  std::int64_t width = 0;            ///< C
  std::vector<std::int64_t> groups;  ///< blocks before each extractor; the adapter has four groups
  std::int64_t heads = 0;            ///< of the deformable attention
  double deform_ratio = 1;           ///< width of its values / C
  bool post_norm = false;
  std::optional<double> layer_scale;
  bool key_norm = false;
  std::int64_t position_grid = 14;  ///< side of the grid that pos_embed was made for
  std::int64_t prior_width = 64;    ///< of the spatial prior's first stage
  std::int64_t points = 4;          ///< sampling points per head and level
  double drop_path = 0;             ///< the last block's; rises linearly from 0
  [[nodiscard]] std::int64_t depth() const {
    std::int64_t sum = 0;
    for (const std::int64_t blocks : groups) sum += blocks;
    return sum;
  }
  bool operator==(const EncoderConfig&) const = default;
};

/// What a network computes.
enum class Architecture {
  med_urwkv,   ///< encoder, bottleneck, decoder, head: logits per pixel
  unet,        ///< the plain U-Net: logits per pixel
  encoder,     ///< the adapter alone: four maps
  classifier,  ///< plain Vision-RWKV with a linear head: logits per image
};

std::string to_string(Architecture architecture);
Architecture architecture_from(const std::string& name);

/// A whole network. Fields that an architecture does not use keep their defaults.
struct NetworkConfig {
  std::string preset = "custom";
  Architecture architecture = Architecture::med_urwkv;
  std::int64_t channels = 3;  ///< of the input
  std::int64_t classes = 2;   ///< background included
  WkvMode wkv = WkvMode::exact;
  EncoderConfig encoder;
  std::int64_t bottleneck_depth = 0;
  std::array<std::int64_t, 3> decoder_depths{};  ///< at strides 16, 8, 4
  std::int64_t unet_width = 0;                   ///< channels of the U-Net's first level
  std::int64_t classifier_hidden = 0;            ///< width of a two-layer tanh head; 0 = one layer
  bool operator==(const NetworkConfig&) const = default;
};

}  // namespace medurwkv::net
