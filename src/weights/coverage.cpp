#include "weights/coverage.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::weights {
namespace {

constexpr std::string_view encoder = "encoder.";

bool is_floating(DType type) {
  return type == DType::f64 || type == DType::f32 || type == DType::f16 || type == DType::bf16;
}

bool is_integer(DType type) {
  return !is_floating(type) && type != DType::boolean;
}

/// Whether the tensor is applied to the image itself.
bool reads_image(const std::string& name) {
  return name.ends_with("patch_embed.projection.weight") || name.ends_with("spm.stem.0.weight") ||
         name == "down.0.conv1.weight";
}

/// The square grid of so many tokens.
std::optional<net::Grid> square_grid(std::int64_t tokens) {
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(tokens))));
  return side > 0 && side * side == tokens ? std::optional(net::Grid{side, side}) : std::nullopt;
}

/// How `found` becomes `spec`, if at all.
std::optional<Change> change_for(const net::ParameterSpec& spec, const TensorInfo& found) {
  if (spec.integer ? !is_integer(found.type) : !is_floating(found.type)) return std::nullopt;
  if (found.shape == spec.shape) return Change::none;
  if (found.shape.size() != spec.shape.size()) return std::nullopt;
  if (spec.name.ends_with("pos_embed") && found.shape[0] == 1 && found.shape[2] == spec.shape[2] &&
      square_grid(found.shape[1])) {
    return Change::resized;
  }
  if (reads_image(spec.name) && found.shape[1] == 3) {
    Shape same = spec.shape;
    same[1] = 3;
    if (found.shape == same) return spec.shape[1] == 1 ? Change::summed : Change::averaged;
  }
  return std::nullopt;
}

std::string misfit(const net::ParameterSpec& spec, const TensorInfo& found) {
  if (found.shape == spec.shape) {
    return concat("type ", to_string(found.type), ", the network has ",
                  spec.integer ? "I64" : "F32");
  }
  return concat(shape_text(found.shape), ", the network has ", shape_text(spec.shape));
}

/// A checkpoint's moments are no weights.
bool is_moment(const std::string& name) {
  return name.starts_with("optimizer.moment");
}

/// Fills a coverage; `source_of` gives the name in the file, empty for none.
template <class SourceOf>
Coverage cover(const TensorIndex& file, const std::vector<net::ParameterSpec>& specs,
               const SourceOf& source_of) {
  Coverage out;
  std::set<std::string> taken;
  for (const net::ParameterSpec& spec : specs) {
    const std::string source = source_of(spec.name);
    if (source.empty() || !file.contains(source)) {
      out.fresh.push_back(spec.name);
      continue;
    }
    taken.insert(source);
    const TensorInfo& found = file.info(source);
    if (const auto change = change_for(spec, found)) {
      out.used.push_back({spec.name, source, *change});
    } else {
      out.mismatched.push_back({spec.name, source, misfit(spec, found)});
    }
  }
  for (const TensorInfo& tensor : file.tensors()) {
    if (!taken.contains(tensor.name) && !is_moment(tensor.name)) out.unused.push_back(tensor.name);
  }
  return out;
}

bool is_gamma(const std::string& name) {
  return name.ends_with(".gamma1") || name.ends_with(".gamma2");
}

bool fits_other_preset(const Contents& contents, const net::NetworkConfig& config) {
  return contents.network && contents.network->preset != config.preset &&
         contents.network->preset != "custom";
}

/// "; the file fits --preset small".
std::string advice(const Contents& contents, const net::NetworkConfig& config) {
  if (!fits_other_preset(contents, config)) {
    return concat("; `medurwkv inspect` shows what the file holds");
  }
  return concat("; the file fits --preset ", contents.network->preset);
}

/// ", or choose --preset nanopost", where the sizes are another preset's.
std::string alternative(const Contents& contents, const net::NetworkConfig& config) {
  return fits_other_preset(contents, config)
             ? concat(", or choose --preset ", contents.network->preset)
             : "";
}

[[noreturn]] void throw_no_encoder(const std::string& file_name, const std::string& why) {
  throw_failure(concat(file_name, ": holds no encoder that can be used: ", why));
}

/// The names of the encoder's blocks that the file has and the network lacks.
void refuse_unknown_block_tensors(const std::string& file_name, const Contents& contents,
                                  const net::NetworkConfig& config, const Coverage& coverage) {
  for (const std::string& name : coverage.unused) {
    if (!name.starts_with(contents.trunk + "layers.")) continue;
    if (is_gamma(name)) {
      throw_failure(concat(file_name, ": has a layer scale (", shown(name), "), but the network ",
                           config.preset, " has none; add --set encoder.layer_scale=1",
                           alternative(contents, config)));
    }
    if (name.find("key_norm") != std::string::npos) {
      throw_failure(concat(file_name, ": has key norms (", shown(name), "), but the network ",
                           config.preset, " has none; add --set encoder.key_norm=true",
                           alternative(contents, config)));
    }
    throw_failure(concat(file_name, ": has the block tensor ", shown(name),
                         ", for which the network ", config.preset, " has no place",
                         advice(contents, config)));
  }
}

/// Less than every tensor of the encoder's blocks is no pretrained encoder.
void refuse_missing_block_tensors(const std::string& file_name, const Contents& contents,
                                  const net::NetworkConfig& config, const Coverage& coverage) {
  const auto of_block = [](const std::string& name) { return name.starts_with("encoder.layers."); };
  const auto fitting = std::count_if(coverage.used.begin(), coverage.used.end(),
                                     [&](const auto& one) { return of_block(one.name); });
  const auto refuse = [&](std::size_t missing, const std::string& first) {
    throw_failure(concat(file_name, ": fills ", fitting, " of ",
                         static_cast<std::size_t>(fitting) + missing, " tensors of the blocks of ",
                         config.preset, "'s encoder, all are needed: ", shown(first),
                         advice(contents, config)));
  };
  std::vector<std::string> wrong;
  for (const MismatchedTensor& one : coverage.mismatched) {
    if (of_block(one.name)) wrong.push_back(concat(one.source, " is ", one.why));
  }
  for (const std::string& name : coverage.fresh) {
    if (!of_block(name) || is_gamma(name)) continue;
    if (name.find("key_norm") != std::string::npos) {
      throw_failure(concat(file_name, ": has no key norms, but the network ", config.preset,
                           " needs ", name, "; add --set encoder.key_norm=false",
                           alternative(contents, config)));
    }
    wrong.push_back(concat(contents.trunk, name.substr(encoder.size()), " is not in the file"));
  }
  if (!wrong.empty()) refuse(wrong.size(), wrong.front());
}

double cubic(double x) {
  constexpr double a = -0.75;
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

/// Four sources and their weights for each of `to` positions.
struct Taps {
  std::array<std::int64_t, 4> from{};
  std::array<double, 4> weight{};
};

std::vector<Taps> cubic_taps(std::int64_t from, std::int64_t to) {
  std::vector<Taps> out(static_cast<std::size_t>(to));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double at =
        (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
    const double floor = std::floor(at);
    for (std::size_t tap = 0; tap < 4; ++tap) {
      const double position = floor - 1 + static_cast<double>(tap);
      out[i].from[tap] = std::clamp<std::int64_t>(static_cast<std::int64_t>(position), 0, from - 1);
      out[i].weight[tap] = cubic(at - position);
    }
  }
  return out;
}

/// out x in x area -> out x N x area, every channel the sum over the input's channels times
/// `factor`.
std::vector<double> mix_channels(const std::vector<double>& values, const Shape& from,
                                 const Shape& to, double factor) {
  const auto outputs = static_cast<std::size_t>(from[0]);
  const auto in = static_cast<std::size_t>(from[1]);
  const auto channels = static_cast<std::size_t>(to[1]);
  const std::size_t area = values.size() / (outputs * in);
  std::vector<double> out(outputs * channels * area);
  for (std::size_t o = 0; o < outputs; ++o) {
    for (std::size_t i = 0; i < area; ++i) {
      double sum = 0;
      for (std::size_t c = 0; c < in; ++c) sum += values[(o * in + c) * area + i];
      for (std::size_t c = 0; c < channels; ++c) out[(o * channels + c) * area + i] = factor * sum;
    }
  }
  return out;
}

const char* verb(Change change) {
  switch (change) {
    case Change::none: return "used        ";
    case Change::resized: return "resized     ";
    case Change::averaged: return "averaged    ";
    case Change::summed: return "summed      ";
  }
  throw_internal("unknown change");
}

/// "depth 24, the run's has 12", or empty when only classes, channels and drop path differ.
std::string difference(const net::NetworkConfig& from, const net::NetworkConfig& config) {
  const auto differ = [](const char* what, const auto& there, const auto& here) {
    return concat(what, " ", there, ", the run's has ", here);
  };
  const auto name = [](net::Architecture a) { return net::to_string(a); };
  const net::EncoderConfig& a = from.encoder;
  const net::EncoderConfig& b = config.encoder;
  if (from.architecture != config.architecture) {
    return differ("architecture", name(from.architecture), name(config.architecture));
  }
  if (from.unet_width != config.unet_width) {
    return differ("width", from.unet_width, config.unet_width);
  }
  if (a.width != b.width) return differ("width", a.width, b.width);
  if (a.depth() != b.depth()) return differ("encoder depth", a.depth(), b.depth());
  if (a.post_norm != b.post_norm) return differ("post_norm", a.post_norm, b.post_norm);
  if (a.key_norm != b.key_norm) return differ("key_norm", a.key_norm, b.key_norm);
  if (a.heads != b.heads) return differ("heads", a.heads, b.heads);
  if (a.points != b.points) return differ("points", a.points, b.points);
  if (a.groups != b.groups) return "other groups of blocks";
  if (from.bottleneck_depth != config.bottleneck_depth ||
      from.decoder_depths != config.decoder_depths) {
    return "another depth of bottleneck or decoder";
  }
  return "";
}

}  // namespace

Coverage cover_encoder(const TensorIndex& file, const Contents& contents,
                       const net::NetworkConfig& config,
                       const std::vector<net::ParameterSpec>& specs) {
  if (config.architecture != net::Architecture::med_urwkv) {
    throw_usage(concat(file.file(), ": a pretrained encoder has no place in the network ",
                       config.preset, "; choose a --preset of Med-URWKV"));
  }
  if (contents.kind == Content::unknown) throw_no_encoder(file.file(), contents.problem);
  Coverage out = cover(file, specs, [&](const std::string& name) {
    return name.starts_with(encoder) ? contents.trunk + name.substr(encoder.size()) : std::string();
  });
  refuse_missing_block_tensors(file.file(), contents, config, out);
  refuse_unknown_block_tensors(file.file(), contents, config, out);
  return out;
}

Coverage cover_network(const TensorIndex& file, const net::NetworkConfig& from,
                       const net::NetworkConfig& config,
                       const std::vector<net::ParameterSpec>& specs) {
  const auto refuse = [&](const std::string& why) {
    throw_usage(concat(file.file(), ": its network is a different one (", from.preset,
                       ", the run's is ", config.preset, "): ", why,
                       "; leave out the settings of network and encoder to take the file's"));
  };
  if (const std::string why = difference(from, config); !why.empty()) refuse(why);
  Coverage out = cover(file, specs, [](const std::string& name) { return name; });
  for (const MismatchedTensor& one : out.mismatched) {
    const bool replaced = one.name.starts_with("head.classify.") && from.classes != config.classes;
    if (!replaced) refuse(concat(shown(one.source), " is ", one.why));
  }
  if (!out.fresh.empty()) refuse(concat(out.fresh.front(), " is not in the file"));
  return out;
}

Coverage cover_whole(const TensorIndex& file, const Contents& contents,
                     const net::NetworkConfig& config,
                     const std::vector<net::ParameterSpec>& specs) {
  // A U-Net is known by its metadata alone; its names are our own.
  const bool ours = contents.kind == Content::unknown;
  Coverage out = cover(file, specs, [&](const std::string& name) {
    return ours ? name : name_in_file(contents, file, name);
  });
  const auto refuse = [&](const std::string& why) {
    throw_failure(concat(file.file(), ": does not hold the network ", config.preset, ": ", why));
  };
  for (const MismatchedTensor& one : out.mismatched) {
    refuse(concat(shown(one.source), " is ", one.why));
  }
  for (const UsedTensor& one : out.used) {
    if (one.change != Change::none) {
      refuse(concat(shown(one.source), " is ", shape_text(file.info(one.source).shape),
                    ", another than the network's"));
    }
  }
  for (const std::string& name : out.fresh) {
    if (!name.ends_with("num_batches_tracked")) refuse(concat(name, " is not in it"));
  }
  for (const std::string& name : out.unused) {
    if (!ours && name.starts_with(contents.trunk + "layers.")) {
      refuse(concat("it has no place for ", shown(name)));
    }
  }
  return out;
}

std::vector<double> changed_values(const std::vector<double>& values, const Shape& from,
                                   Change change, const Shape& to) {
  switch (change) {
    case Change::none: return values;
    case Change::resized:
      return resize_positions(values, *square_grid(from[1]), *square_grid(to[1]), from[2]);
    case Change::averaged: return mix_channels(values, from, to, 1 / static_cast<double>(to[1]));
    case Change::summed: return mix_channels(values, from, to, 1);
  }
  throw_internal("unknown change");
}

void refuse_not_finite(const TensorIndex& file, const std::string& source, std::int64_t bad) {
  if (bad == 0) return;
  throw_failure(concat(file.file(), ": ", shown(source), " holds ", bad,
                       " values that are NaN or infinite; such weights cannot be trained on"));
}

std::vector<double> resize_positions(const std::vector<double>& tokens, net::Grid from,
                                     net::Grid to, std::int64_t width) {
  const std::vector<Taps> columns = cubic_taps(from.width, to.width);
  std::vector<double> out;
  out.reserve(static_cast<std::size_t>(to.tokens() * width));
  for (const Taps& row : cubic_taps(from.height, to.height)) {
    for (const Taps& column : columns) {
      for (std::int64_t c = 0; c < width; ++c) {
        double sum = 0;
        for (std::size_t i = 0; i < 4; ++i) {
          double line = 0;
          for (std::size_t j = 0; j < 4; ++j) {
            const std::int64_t token = row.from[i] * from.width + column.from[j];
            line += column.weight[j] * tokens[static_cast<std::size_t>(token * width + c)];
          }
          sum += row.weight[i] * line;
        }
        out.push_back(sum);
      }
    }
  }
  return out;
}

std::int64_t fresh_in_encoder(const Coverage& coverage) {
  return std::count_if(coverage.fresh.begin(), coverage.fresh.end(),
                       [](const auto& name) { return name.starts_with(encoder); });
}

std::string summary(const Coverage& coverage) {
  return concat("used ", coverage.used.size(), ", new ", coverage.fresh.size(), " (",
                fresh_in_encoder(coverage), " of the encoder), unused ", coverage.unused.size(),
                ", mismatched ", coverage.mismatched.size());
}

std::string line(const UsedTensor& tensor) {
  return concat(verb(tensor.change), tensor.name, " from ", shown(tensor.source));
}

std::string line(const MismatchedTensor& tensor) {
  return concat("mismatched  ", tensor.name, ": ", shown(tensor.source), " is ", tensor.why);
}

std::vector<std::string> listing(const Coverage& coverage) {
  std::vector<std::string> out;
  for (const UsedTensor& one : coverage.used) out.push_back(line(one));
  for (const std::string& name : coverage.fresh) out.push_back("new         " + name);
  for (const std::string& name : coverage.unused) out.push_back("unused      " + shown(name));
  for (const MismatchedTensor& one : coverage.mismatched) out.push_back(line(one));
  return out;
}

}  // namespace medurwkv::weights
