// bi-WKV over chunks of tokens (composed_wkv.h): a fixed number of operations for any number of
// tokens, and memory for tokens x 64 x channels.
//
// Tokens are cut into chunks of at most 64, and sums of weights are taken on three levels:
//   1. of every chunk's tokens, as seen from its two ends;
//   2. of the chunks before and after every chunk, from the sums of 1;
//   3. for every token, of its own chunk's tokens and the sums of 2.
// A sum is kept divided by exp(scale), where the scale is the largest exponent in it, so nothing
// overflows; and sums are only added to. The released modes treat tokens of one *region* (what
// their kernels call a chunk) differently from those before it, so there chunks are parts of
// regions, and their additional terms (kernels/bi_wkv.h: s < i <= t), whose weights grow with the
// distance, are carried through the levels beside the others ("growing").
#include <algorithm>
#include <array>
#include <functional>
#include <vector>

#include "kernels/bi_wkv.h"
#include "torch/composed_wkv.h"

namespace medurwkv::torch_backend {
namespace {

using kernels::WkvMode;

constexpr std::int64_t longest_chunk = 64;

std::int64_t parts_of(std::int64_t whole, std::int64_t part) {
  return (whole + part - 1) / part;
}

/// How tokens are cut. Chunks and regions may end early; none is empty.
struct Chunks {
  std::int64_t region = 0;  ///< tokens of a region
  std::int64_t regions = 0;
  std::int64_t length = 0;      ///< tokens of a chunk
  std::int64_t per_region = 0;  ///< chunks of a region

  Chunks(WkvMode mode, std::int64_t tokens)
      : region(kernels::wkv_chunk(mode, tokens)),
        regions(parts_of(tokens, region)),
        length(parts_of(region, parts_of(region, longest_chunk))),
        per_region(parts_of(region, length)) {}
  [[nodiscard]] std::int64_t count() const { return regions * per_region; }
  [[nodiscard]] std::int64_t padded_region() const { return per_region * length; }

  /// batch x channels x chunks x length to batch x channels x regions x padded_region, and back.
  [[nodiscard]] at::Tensor by_region(const at::Tensor& x) const {
    return x.reshape({x.size(0), x.size(1), regions, padded_region()});
  }
  [[nodiscard]] at::Tensor by_chunk(const at::Tensor& x) const {
    return x.reshape({x.size(0), x.size(1), count(), length});
  }

  /// batch x tokens x channels to batch x channels x chunks x length; `fill` where a chunk ends
  /// early.
  [[nodiscard]] at::Tensor cut(const at::Tensor& x, double fill) const {
    const auto lengthened = [&](const at::Tensor& part, std::int64_t to) {
      const std::int64_t missing = to - part.size(-1);
      return missing == 0 ? part : at::constant_pad_nd(part, {0, missing}, fill);
    };
    const at::Tensor all = lengthened(x.transpose(1, 2), regions * region);
    return by_chunk(
        lengthened(all.reshape({x.size(0), x.size(2), regions, region}), padded_region()));
  }

  /// The reverse of cut.
  [[nodiscard]] at::Tensor join(const at::Tensor& x, std::int64_t tokens) const {
    const at::Tensor all =
        by_region(x).narrow(-1, 0, region).reshape({x.size(0), x.size(1), regions * region});
    return all.narrow(-1, 0, tokens).transpose(1, 2).contiguous();
  }
};

/// What the levels share. Dimensions are batch x channels x chunks x rows x columns. A *pair* has
/// two tensors in a first dimension, values and ones, for the sums of weighted values and of
/// weights.
struct Inputs {
  std::int64_t tokens;
  Chunks chunks;
  WkvMode mode;
  at::TensorOptions options;
  at::Tensor decay, first;  ///< channels x 1 x 1 x 1; tables hold steps / tokens to go with them
  at::Tensor key, growing_key;  ///< batch x channels x chunks x length
  at::Tensor pair;              ///< of the same

  explicit Inputs(const WkvArguments& in)
      : tokens(in.key.size(1)),
        chunks(in.mode, tokens),
        mode(in.mode),
        options(in.key.options().requires_grad(false)),
        decay(in.decay.reshape({-1, 1, 1, 1})),
        first(in.first.reshape({-1, 1, 1, 1})) {
    key = chunks.cut(in.key, wkv_nothing);
    const at::Tensor value = chunks.cut(in.value, 0);
    const at::Tensor ones = constant("ones", [&] {
      return at::ones({chunks.count(), chunks.length}, at::kDouble);
    });
    pair = at::stack({value, ones.expand(value.sizes())});
    if (exact()) return;
    // A region's first token has no growing term.
    const at::Tensor others = chunks.by_region(key).narrow(-1, 1, chunks.padded_region() - 1);
    growing_key = chunks.by_chunk(at::constant_pad_nd(others, {1, 0}, wkv_nothing));
  }
  [[nodiscard]] bool exact() const { return mode == WkvMode::exact; }
  [[nodiscard]] at::Tensor constant(const char* what,
                                    const std::function<at::Tensor()>& make) const {
    return wkv_constant(what, mode, tokens, options, make);
  }
  [[nodiscard]] double one_step() const { return 1 / static_cast<double>(tokens); }
};

/// Sums over tokens, divided by exp(scale): batch x channels x directions x chunks. Directions:
/// past, future, and in the released modes growing.
struct Sums {
  at::Tensor scale, pair;
};

/// Largest exponent of every row. No gradient: a sum divided by exp(scale) is multiplied by it
/// again or divided by another such sum.
at::Tensor scale_of(const at::Tensor& exponents) {
  const at::NoGradGuard no_grad;
  return exponents.amax(-1, true);
}

/// exp(exponents - scale), in the place of the exponents.
at::Tensor weights_of(const at::Tensor& exponents, const at::Tensor& scale) {
  return exponents.sub_(scale).exp_();
}

/// 1. Every chunk's own tokens, by steps to its last (past) or from its first (future, growing).
Sums sums_of_chunks(const Inputs& in) {
  const std::int64_t length = in.chunks.length;
  const at::Tensor steps = in.constant("steps in a chunk", [&] {
    Table table(length);
    table.add([&](std::int64_t i) { return length - 1 - i; });
    table.add([](std::int64_t i) { return i; });
    if (!in.exact()) table.add([](std::int64_t i) { return i; });
    return table.tensor().unsqueeze(1).mul_(in.one_step());
  });
  const at::Tensor key =
      in.exact() ? in.key.unsqueeze(2) : at::stack({in.key, in.key, in.growing_key}, 2);
  const at::Tensor exponents = at::addcmul(key, in.decay, steps, -1);
  const at::Tensor scale = scale_of(exponents);
  const at::Tensor weights = weights_of(exponents, scale);
  return {.scale = scale.squeeze(-1), .pair = (weights * in.pair.unsqueeze(3)).sum(-1)};
}

/// Between chunks, as sums_elsewhere needs it: directions x chunks that sum x chunks that are
/// summed. Steps of decay; and 1 where a chunk is not summed, after those in the first dimension.
at::Tensor steps_between_chunks(const Inputs& in) {
  const Chunks& chunks = in.chunks;
  const std::int64_t count = chunks.count();
  const std::int64_t directions = in.exact() ? 2 : 3;
  // Of a direction and a chunk: steps of decay are the first number of the chunk that sums, minus
  // the second of the summed one; summed are the chunks from the third to before the fourth.
  const auto facts_of = [&](std::int64_t direction,
                            std::int64_t chunk) -> std::array<std::int64_t, 4> {
    const std::int64_t region = chunk / chunks.per_region;
    const std::int64_t start = region * chunks.region + chunk % chunks.per_region * chunks.length;
    const std::int64_t end = start + chunks.length;
    if (direction == 0) return {start, end, 0, chunk};                                  // past
    if (direction == 1) return {(in.exact() ? 0 : 1) - end, -start, chunk + 1, count};  // future
    return {-start, -start, region * chunks.per_region, chunk};                         // growing
  };
  Table table(count);
  for (std::size_t fact = 0; fact < 4; ++fact) {
    for (std::int64_t direction = 0; direction < directions; ++direction) {
      table.add([&](std::int64_t chunk) { return facts_of(direction, chunk)[fact]; });
    }
  }
  table.add([](std::int64_t chunk) { return chunk; });
  table.add([&](std::int64_t chunk) { return chunk / chunks.per_region; });
  const at::Tensor rows = table.tensor();
  const auto fact = [&](std::int64_t index) {
    return rows.narrow(0, index * directions, directions);
  };
  const at::Tensor summed = rows.select(0, 4 * directions);
  const at::Tensor region = rows.select(0, 4 * directions + 1);

  const at::Tensor steps = fact(0).unsqueeze(2) - fact(1).unsqueeze(1);
  // The released modes take one step more to the past of other regions.
  if (!in.exact()) steps.select(0, 0).add_(region.unsqueeze(1).ne(region));
  const at::Tensor absent =
      summed.lt(fact(2).unsqueeze(2)).logical_or_(summed.ge(fact(3).unsqueeze(2)));
  return at::stack({steps.masked_fill_(absent, 0).mul_(in.one_step()), absent.to(at::kDouble)});
}

/// 2. For every chunk the chunks before it, after it, and those before it in its region (growing).
Sums sums_elsewhere(const Inputs& in, const Sums& own) {
  const at::Tensor between =
      in.constant("steps between chunks", [&] { return steps_between_chunks(in); });
  const at::Tensor exponents =
      at::addcmul(own.scale.unsqueeze(3), in.decay, between.select(0, 0), -1)
          .add_(between.select(0, 1), wkv_nothing);
  const at::Tensor scale = scale_of(exponents);
  const at::Tensor weights = weights_of(exponents, scale);
  return {.scale = scale.squeeze(-1), .pair = (weights * own.pair.unsqueeze(4)).sum(-1)};
}

/// Of every token of a chunk (rows) and what it sums (columns): steps of decay, 1 for the token
/// itself, and `wkv_nothing` for what takes no part.
at::Tensor planes_of_tokens(const Inputs& in) {
  const std::int64_t length = in.chunks.length;
  const std::int64_t columns = in.exact() ? length + 2 : 2 * length + 3;
  Table table(columns);
  for (std::int64_t t = 0; t < length; ++t) {  // steps of decay
    table.add([&](std::int64_t i) {
      if (i < length) return std::max({t - i - 1, i - t - (in.exact() ? 1 : 0), std::int64_t{0}});
      if (i == length) return t;                   // past
      if (i == length + 1) return length - 1 - t;  // future
      if (i == length + 2) return -t;              // growing, before the chunk
      return i - (length + 3) - t;                 // growing, in the chunk
    });
  }
  for (std::int64_t t = 0; t < length; ++t) {  // the token itself
    table.add([&](std::int64_t i) { return i == t ? 1 : 0; });
  }
  for (std::int64_t t = 0; t < length; ++t) {  // growing tokens after this one take no part
    table.add([&](std::int64_t i) { return i > length + 3 + t ? wkv_nothing : 0; });
  }
  at::Tensor planes = table.tensor().reshape({3, length, columns});
  planes.narrow(0, 0, 2).mul_(in.one_step());
  return planes;
}

/// What is added to the keys (columns) for every token of a chunk (rows): channels x 1 x length x
/// columns.
at::Tensor bias_of_tokens(const Inputs& in) {
  const at::Tensor planes = in.constant("planes", [&] { return planes_of_tokens(in); });
  return at::addcmul(planes.select(0, 2), planes.select(0, 1), in.first)
      .addcmul_(planes.select(0, 0), in.decay, -1);
}

/// 3. Every token: its own chunk's tokens and what lies elsewhere, as columns in the order tokens,
/// past, future; in the released modes then growing sum, growing tokens.
at::Tensor outputs(const Inputs& in, const Sums& elsewhere) {
  const std::int64_t length = in.chunks.length;
  std::vector<at::Tensor> keys{in.key, elsewhere.scale.transpose(2, 3)};
  std::vector<at::Tensor> pairs{in.pair, elsewhere.pair.transpose(3, 4)};
  if (!in.exact()) {
    keys.push_back(in.growing_key);
    pairs.push_back(in.pair);
  }
  at::Tensor pair = at::cat(pairs, -1).unsqueeze(4);
  if (!in.exact()) {  // growing terms have a factor
    const at::Tensor factor = -at::expm1(in.decay * in.one_step()).expand({-1, -1, -1, length + 1});
    pair = pair * at::constant_pad_nd(factor, {length + 2, 0}, 1);
  }
  const at::Tensor exponents = at::cat(keys, -1).unsqueeze(3) + bias_of_tokens(in);
  at::Tensor scale = scale_of(exponents);
  double epsilon = 0;
  if (in.mode == WkvMode::released32) {  // its running maximum has seen more
    const at::NoGradGuard no_grad;
    const at::Tensor growing =
        scale_of(exponents.narrow(-1, length + 2, length + 1)).add_(in.decay, in.one_step());
    const at::Tensor from_first =
        in.chunks.by_region(in.key).narrow(-1, 0, 1) +
        in.decay.squeeze(-1) * in.constant("growth", [&] {
          return at::arange(in.chunks.padded_region(), at::kDouble).mul_(in.one_step());
        });
    scale = at::maximum(at::maximum(scale, growing), in.chunks.by_chunk(from_first).unsqueeze(-1));
    epsilon = 1e-6;
  }
  const at::Tensor weights = weights_of(exponents, scale);
  // One after the other: both at once would need twice the memory.
  const at::Tensor sum = (weights * pair.select(0, 0)).sum(-1);
  const at::Tensor sum_of_weights = (weights * pair.select(0, 1)).sum(-1);
  return sum / (epsilon == 0 ? sum_of_weights : sum_of_weights + epsilon);
}

}  // namespace

at::Tensor wkv_by_chunks(const WkvArguments& in) {
  const Inputs inputs(in);
  return inputs.chunks.join(outputs(inputs, sums_elsewhere(inputs, sums_of_chunks(inputs))),
                            inputs.tokens);
}

}  // namespace medurwkv::torch_backend
