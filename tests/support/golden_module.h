// The modules of the golden files: what a file says about its module, and the module run on its
// inputs by any interpreter.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "net/encoder.h"
#include "support/golden.h"
#include "weights/tensor_file.h"

namespace medurwkv::test {

template <class Tensor>
using Named = std::map<std::string, Tensor>;

inline net::Grid golden_grid(const nlohmann::json& sides) {
  return {sides.at(0).get<std::int64_t>(), sides.at(1).get<std::int64_t>()};
}

inline std::vector<net::Grid> golden_grids(const nlohmann::json& several) {
  std::vector<net::Grid> out;
  for (const auto& sides : several) out.push_back(golden_grid(sides));
  return out;
}

/// The file's name up to the first underscore.
inline std::string kind_of(const std::string& file) {
  return file.substr(0, file.find('_'));
}

/// What a file says about its module.
struct GoldenModule {
  std::string kind;
  nlohmann::json parameters;
  net::Grid grid;  ///< of tokens, where there are
  net::BlockConfig block;
  net::EncoderConfig encoder;

  GoldenModule(const std::string& file, net::WkvMode wkv) : kind(kind_of(file)) {
    const auto& facts = golden_facts(file);
    if (facts.contains("parameters")) parameters = facts.at("parameters");
    if (kind == "qshift") {  // qshift_BxHxWxC
      const std::vector<std::string> sides = split(file.substr(file.find('_') + 1), 'x');
      grid = {std::stoll(sides[1]), std::stoll(sides[2])};
    }
    if (parameters.contains("H")) grid = {number("H"), number("W")};
    block = {.width = number("C"),
             .wkv = wkv,
             .post_norm = flag("post_norm"),
             .key_norm = flag("key_norm"),
             .layer_scale = flag("layer_scale") ? std::optional<double>(1) : std::nullopt,
             .first = parameters.contains("layer") && number("layer") == 0};
    encoder.width = number("C");
    encoder.heads = number("heads");
    encoder.deform_ratio = parameters.value("ratio", 1.0);
    encoder.prior_width = number("inplanes");
  }
  [[nodiscard]] std::int64_t number(const char* name) const {
    return parameters.is_null() ? 0 : parameters.value(name, std::int64_t{0});
  }
  [[nodiscard]] bool flag(const char* name) const {
    return !parameters.is_null() && parameters.value(name, false);
  }
};

/// The module of a file on its inputs: outputs by their names in the file.
template <net::Ops O>
Named<typename O::Tensor> run_module(O& ops, const GoldenModule& facts,
                                     const Named<typename O::Tensor>& in) {
  const net::Scope top;
  const std::string& kind = facts.kind;
  const net::Grid grid = facts.grid;
  if (kind == "qshift") return {{"y", ops.shift(in.at("x"), grid)}};
  if (kind == "spatialmix") {
    return {{"y", net::spatial_mix(ops, top, facts.block, in.at("x"), grid)}};
  }
  if (kind == "channelmix") {
    return {{"y", net::channel_mix(ops, top, facts.block, in.at("x"), grid)}};
  }
  if (kind == "block") return {{"y", net::block(ops, top, facts.block, in.at("x"), grid)}};
  if (kind == "msdeform") {
    return {
        {"y", net::deformable_attention(ops, top, facts.encoder, in.at("query"), in.at("feat"),
                                        {.queries = golden_grids(facts.parameters.at("q_shapes")),
                                         .levels = golden_grids(facts.parameters.at("shapes")),
                                         .heads = facts.encoder.heads})}};
  }
  if (kind == "injector") {
    return {{"x", net::injector(ops, top, facts.encoder, in.at("x"), in.at("c"), grid)}};
  }
  if (kind == "extractor") {
    return {{"c", net::extractor(ops, top, facts.encoder, in.at("c"), in.at("x"), grid)}};
  }
  if (kind == "convffn") return {{"c", net::conv_ffn(ops, top, facts.encoder, in.at("c"), grid)}};
  if (kind == "interaction") {
    const auto blocks = [&](typename O::Tensor x) {
      for (const char* name : {"layers.0", "layers.1"}) {
        x = net::block(ops, net::Scope(name), facts.block, x, grid);
      }
      return x;
    };
    const auto [x, c] = net::interaction(ops, net::Scope("inter"), facts.encoder, in.at("x"),
                                         in.at("c"), grid, true, blocks);
    return {{"x", x}, {"c", c}};
  }
  if (kind == "spm") {
    const auto prior = net::spatial_prior(ops, top, facts.encoder, 3, in.at("img"));
    return {
        {"c1", prior.map}, {"c2", prior.tokens8}, {"c3", prior.tokens16}, {"c4", prior.tokens32}};
  }
  if (kind == "posembed") {
    return {{"y", net::resize_tokens(ops, in.at("pos"), golden_grid(facts.parameters.at("src")),
                                     golden_grid(facts.parameters.at("dst")))}};
  }
  if (kind == "bilinear") {
    const auto size = net::grid_of(ops, in.at("x"));
    const double scale = facts.parameters.at("scale").get<double>();
    const auto scaled = [&](std::int64_t side) {
      return static_cast<std::int64_t>(static_cast<double>(side) * scale);
    };
    const net::Grid to{scaled(size.height), scaled(size.width)};
    return {{"y", ops.resize(in.at("x"), to, net::Interpolation::bilinear)}};
  }
  throw std::logic_error("no module " + kind);
}

/// Names behind `prefix` of the file's tensors.
inline std::vector<std::string> names_behind(const weights::TensorFile& file,
                                             const std::string& prefix) {
  std::vector<std::string> out;
  for (const weights::TensorInfo& info : file.tensors()) {
    if (info.name.starts_with(prefix)) out.push_back(info.name.substr(prefix.size()));
  }
  return out;
}

}  // namespace medurwkv::test
