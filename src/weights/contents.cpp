#include "weights/contents.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/text.h"
#include "net/presets.h"
#include "weights/model_file.h"

namespace medurwkv::weights {
namespace {

constexpr std::string_view anchor = "layers.0.att.key.weight";

/// No network of ours comes near these; larger ones would only exhaust the machine.
constexpr std::int64_t most_width = 1 << 14;
constexpr std::int64_t most_blocks = 1 << 10;
constexpr std::int64_t most_classes = 1 << 16;
constexpr std::int64_t most_grid = 1 << 12;

bool is_wrapper(const std::string& part) {
  constexpr std::array<std::string_view, 5> wrappers{"state_dict", "model", "module", "backbone",
                                                     "encoder"};
  return std::find(wrappers.begin(), wrappers.end(), part) != wrappers.end();
}

/// Every prefix behind which a trunk begins.
std::vector<std::string> trunks_of(const TensorIndex& file) {
  std::vector<std::string> out;
  for (const TensorInfo& tensor : file.tensors()) {
    if (!tensor.name.ends_with(anchor)) continue;
    std::string prefix = tensor.name.substr(0, tensor.name.size() - anchor.size());
    if (prefix.empty() || prefix.ends_with('.')) out.push_back(std::move(prefix));
  }
  return out;
}

/// The one trunk of a file, or the one among several that is wrapped in known names alone.
std::optional<std::string> one_trunk(std::vector<std::string> trunks, std::string& problem) {
  if (trunks.size() > 1) {
    std::vector<std::string> plain;
    for (const std::string& trunk : trunks) {
      const std::vector<std::string> parts = split(trunk.substr(0, trunk.rfind('.')), '.');
      if (trunk.empty() || std::all_of(parts.begin(), parts.end(), is_wrapper)) {
        plain.push_back(trunk);
      }
    }
    if (plain.size() == 1) return plain.front();
    for (std::string& trunk : trunks) trunk = concat("'", shown(trunk), "'");
    problem = concat("it holds several encoders, behind the prefixes ", join(trunks, ", "));
    return std::nullopt;
  }
  if (trunks.empty()) {
    problem = concat("no tensor is named [prefix.]", anchor, ", so no Vision-RWKV is in it");
    return std::nullopt;
  }
  return trunks.front();
}

/// Reads sizes off the shapes; remembers the first thing that cannot be.
class Sizes {
 public:
  Sizes(const TensorIndex& file, std::string prefix) : file_(file), prefix_(std::move(prefix)) {}

  [[nodiscard]] bool has(const std::string& name) const { return file_.contains(prefix_ + name); }

  /// Side `index` of a tensor, which must be at least 1 and at most `most`.
  std::int64_t side(const std::string& name, std::size_t index, std::int64_t most) {
    if (!has(name)) return fail(concat("it lacks ", prefix_, name));
    const Shape& shape = file_.info(prefix_ + name).shape;
    if (index >= shape.size() || shape[index] < 1 || shape[index] > most) {
      return fail(concat(prefix_, name, " has the shape ", shape_text(shape)));
    }
    return shape[index];
  }

  /// How many of BASE.0.NAME, BASE.1.NAME, ... there are.
  [[nodiscard]] std::int64_t count(const std::string& base, const std::string& name) const {
    std::int64_t found = 0;
    while (found < most_blocks && has(concat(base, ".", found, ".", name))) ++found;
    return found;
  }

  std::int64_t fail(const std::string& what) {
    if (problem_.empty()) problem_ = shown(what);
    return 1;
  }
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  const TensorIndex& file_;
  std::string prefix_;
  std::string problem_;
};

std::int64_t grid_side(Sizes& sizes) {
  const std::int64_t tokens = sizes.side("pos_embed", 1, most_grid * most_grid);
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(tokens))));
  if (side * side != tokens) {
    return sizes.fail(
        concat("its pos_embed has ", tokens, " tokens, which do not form a square grid"));
  }
  return side;
}

/// What trunk and adapter have in common.
net::EncoderConfig trunk_config(Sizes& sizes) {
  net::EncoderConfig out;
  out.width = sizes.side(std::string(anchor), 0, most_width);
  out.groups = {sizes.count("layers", "att.key.weight")};
  out.key_norm = sizes.has("layers.0.att.key_norm.weight");
  if (sizes.has("layers.0.gamma1")) out.layer_scale = 1.0;
  out.position_grid = grid_side(sizes);
  return out;
}

net::EncoderConfig adapter_config(Sizes& sizes) {
  net::EncoderConfig out = trunk_config(sizes);
  const std::int64_t depth = out.depth();
  const std::int64_t groups = sizes.count("interactions", "injector.gamma");
  if (groups != 4 || depth % groups != 0) {
    sizes.fail(concat("it has ", depth, " blocks and ", groups,
                      " interactions; four interactions of as many blocks each are known"));
    return out;
  }
  out.groups.assign(static_cast<std::size_t>(groups), depth / groups);
  const std::string attention = "interactions.0.injector.attn.";
  const std::int64_t samples =
      sizes.side(attention + "attention_weights.weight", 0, 3 * most_width * out.points);
  out.heads = samples / (3 * out.points);
  if (out.heads < 1 || 3 * out.points * out.heads != samples || out.width % out.heads != 0) {
    sizes.fail(concat("its deformable attention has ", samples,
                      " weights, which is not a whole number of heads (of 3 levels and ",
                      out.points, " points) that divides the width ", out.width));
    out.heads = 1;
  }
  const std::int64_t values = sizes.side(attention + "value_proj.weight", 0, 16 * most_width);
  out.deform_ratio = static_cast<double>(values) / static_cast<double>(out.width);
  out.prior_width = sizes.side("spm.stem.0.weight", 0, most_width);
  return out;
}

void read_head(Sizes& sizes, net::NetworkConfig& out) {
  if (sizes.has("head.0.weight")) {
    out.classifier_hidden = sizes.side("head.0.weight", 0, most_width);
    out.classes = sizes.side("head.2.weight", 0, most_classes);
  } else {
    out.classes =
        sizes.side(sizes.has("head.fc.weight") ? "head.fc.weight" : "head.weight", 0, most_classes);
  }
}

bool same_sizes(const net::NetworkConfig& a, const net::NetworkConfig& b) {
  const bool plain = a.architecture == net::Architecture::classifier;
  return a.encoder.width == b.encoder.width && a.encoder.depth() == b.encoder.depth() &&
         a.classifier_hidden == b.classifier_hidden &&
         (plain ||
          (a.encoder.heads == b.encoder.heads && a.encoder.deform_ratio == b.encoder.deform_ratio &&
           a.encoder.prior_width == b.encoder.prior_width));
}

bool same_names(const net::NetworkConfig& a, const net::NetworkConfig& b) {
  return a.encoder.key_norm == b.encoder.key_norm &&
         a.encoder.layer_scale.has_value() == b.encoder.layer_scale.has_value() &&
         a.bottleneck_depth == b.bottleneck_depth && a.decoder_depths == b.decoder_depths;
}

/// The presets of `like`'s architecture.
std::vector<net::NetworkConfig> presets_like(const net::NetworkConfig& like) {
  std::vector<net::NetworkConfig> out;
  for (const std::string& name : net::preset_names()) {
    if (net::preset(name).architecture != net::Architecture::med_urwkv) continue;
    switch (like.architecture) {
      case net::Architecture::encoder: out.push_back(net::encoder_preset(name)); break;
      case net::Architecture::classifier:
        if (name != "nanopost") out.push_back(net::classifier_preset(name));
        break;
      default: out.push_back(net::preset(name)); break;
    }
  }
  return out;
}

/// What names and shapes leave open comes from the preset of these sizes.
bool complete_from_preset(net::NetworkConfig& network) {
  std::vector<net::NetworkConfig> presets = presets_like(network);
  std::erase_if(presets, [&](const auto& one) { return !same_sizes(one, network); });
  if (presets.empty()) return false;
  const auto exact = std::find_if(presets.begin(), presets.end(),
                                  [&](const auto& one) { return same_names(one, network); });
  const net::NetworkConfig& chosen = exact == presets.end() ? presets.front() : *exact;
  network.encoder.post_norm = chosen.encoder.post_norm;
  network.encoder.groups = chosen.encoder.groups;
  if (network.encoder.layer_scale && chosen.encoder.layer_scale) {
    network.encoder.layer_scale = chosen.encoder.layer_scale;
  }
  if (exact != presets.end()) network.preset = chosen.preset;
  return true;
}

net::NetworkConfig network_of(const TensorIndex& file, const Contents& contents,
                              std::string& problem) {
  Sizes trunk(file, contents.trunk);
  Sizes whole(file, contents.whole);
  net::NetworkConfig out{.encoder = {}};
  out.wkv = net::WkvMode::released32;
  out.encoder = contents.kind == Content::adapter || contents.kind == Content::med_urwkv
                    ? adapter_config(trunk)
                    : trunk_config(trunk);
  out.channels = trunk.side("patch_embed.projection.weight", 1, 1 << 10);
  if (contents.kind == Content::med_urwkv) {
    out.architecture = net::Architecture::med_urwkv;
    out.bottleneck_depth = whole.count("bottleneck.blocks", "att.key.weight");
    for (std::size_t i = 0; i < out.decoder_depths.size(); ++i) {
      out.decoder_depths[i] = whole.count(concat("decoder.", i, ".blocks"), "att.key.weight");
    }
    out.classes = whole.side("head.classify.weight", 0, most_classes);
  } else if (contents.kind == Content::adapter) {
    out.architecture = net::Architecture::encoder;
  } else {
    out.architecture = net::Architecture::classifier;
    if (contents.kind == Content::classifier) read_head(whole, out);
  }
  problem = trunk.problem().empty() ? whole.problem() : trunk.problem();
  return out;
}

}  // namespace

std::string to_string(Content content) {
  switch (content) {
    case Content::med_urwkv: return "Med-URWKV";
    case Content::adapter: return "Vision-RWKV adapter";
    case Content::classifier: return "Vision-RWKV classifier";
    case Content::trunk: return "Vision-RWKV without a head";
    case Content::unknown: return "unknown tensors";
  }
  throw_internal("unknown content");
}

Contents contents_of(const TensorIndex& file) {
  Contents out;
  const auto stated = stated_network(file.file(), file.metadata());
  out.network = stated;
  out.stated = stated.has_value();
  const auto found = one_trunk(trunks_of(file), out.problem);
  if (!found) return out;
  out.trunk = out.whole = *found;
  const auto without = [&](std::string_view part) {
    return out.trunk.ends_with(part) ? out.trunk.substr(0, out.trunk.size() - part.size())
                                     : out.trunk;
  };
  if (file.contains(out.trunk + "spm.stem.0.weight")) {
    out.kind = Content::adapter;
    const std::string whole = without("encoder.");
    if (whole != out.trunk && file.contains(whole + "head.classify.weight")) {
      out.kind = Content::med_urwkv;
      out.whole = whole;
    }
  } else {
    out.kind = Content::trunk;
    const std::string whole = without("backbone.");
    for (const char* head : {"head.fc.weight", "head.2.weight", "head.weight"}) {
      if (!file.contains(whole + head)) continue;
      out.kind = Content::classifier;
      out.whole = whole;
    }
  }
  net::NetworkConfig network = network_of(file, out, out.problem);
  if (!out.problem.empty()) {
    out.network.reset();
    return out;
  }
  out.known_sizes = complete_from_preset(network);
  if (!stated) {
    out.network = std::move(network);
  } else if (stated->architecture != network.architecture || !same_sizes(*stated, network)) {
    out.problem = "its metadata tell of another network than its tensors";
    out.network.reset();
  }
  return out;
}

std::string name_in_file(const Contents& contents, const TensorIndex& file,
                         const std::string& own) {
  constexpr std::string_view backbone = "backbone.";
  constexpr std::string_view linear = "head.fc.";
  switch (contents.kind) {
    case Content::med_urwkv: return contents.whole + own;
    case Content::adapter: return contents.trunk + own;
    case Content::classifier:
    case Content::trunk:
      if (own.starts_with(backbone)) return contents.trunk + own.substr(backbone.size());
      if (own.starts_with(linear) && !file.contains(contents.whole + own)) {
        return concat(contents.whole, "head.", own.substr(linear.size()));
      }
      return contents.whole + own;
    case Content::unknown: break;
  }
  throw_internal("a name of an unknown network");
}

}  // namespace medurwkv::weights
