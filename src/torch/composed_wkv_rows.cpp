// bi-WKV without chunks: all pairs of tokens at once (composed_wkv.h). A token's exponents are a
// row, and a softmax over it gives weights divided by their sum, whatever their size.
//
// The released modes cut tokens into *regions* (what their kernels call chunks) and have additional
// terms within a region, for s < i <= t, the first token of which is s:
//   exp(k_i + (t-i) w) (1 - exp(w)) = exp(k_i + (t-i) w) - exp(k_i + (t-i+1) w).
// These are two further *blocks* of columns, the second one subtracted. For i = s both hold
// exp(k_s + (t-s) w), which cancels, because released32's running maximum counts it: with it the
// largest exponent of a row is that maximum m_t, and e = 1e-6 exp(m_t), divided by the softmax's
// sum as all else, is 1e-6 times its largest result.
#include <algorithm>

#include "torch/composed_wkv.h"

namespace medurwkv::torch_backend {
namespace {

using kernels::WkvMode;

/// What is added to token i's key for token t.
struct Bias {
  double steps = 0;     ///< of decay; negative where weights grow
  bool own = false;     ///< first, for the token itself
  bool absent = false;  ///< takes no part
};

Bias bias_of(WkvMode mode, std::int64_t tokens, std::int64_t t, std::int64_t i,
             std::int64_t block) {
  const auto steps = [](std::int64_t count) { return Bias{.steps = static_cast<double>(count)}; };
  if (mode == WkvMode::exact) {
    return i == t ? Bias{.own = true} : steps(std::abs(t - i) - 1);
  }
  const std::int64_t start = t - t % kernels::wkv_chunk(mode, tokens);
  if (i >= tokens || (block > 0 && (i < start || i > t))) return {.absent = true};
  if (block == 0) {
    if (i == t) return {.own = true};
    return steps(i < start ? t - i : std::abs(t - i) - (i < t ? 1 : 0));
  }
  return steps(i == start ? start - t : i - t - (block == 2 ? 1 : 0));
}

/// A row of columns for every token, after one another, of: steps / tokens, 1 / tokens for the
/// token itself, `wkv_nothing` for what takes no part. where(t, column): its i and block.
template <class Where>
at::Tensor planes_of(WkvMode mode, std::int64_t tokens, std::int64_t rows, std::int64_t columns,
                     const Where& where) {
  Table table(rows * columns);
  const auto add = [&](const auto& part) {
    table.add([&](std::int64_t place) {
      const std::int64_t t = place / columns;
      const auto [i, block] = where(t, place % columns);
      return part(bias_of(mode, tokens, t, i, block));
    });
  };
  const auto count = static_cast<double>(tokens);
  add([&](const Bias& bias) { return -bias.steps / count; });
  add([&](const Bias& bias) { return bias.own ? 1 / count : 0; });
  add([](const Bias& bias) { return bias.absent ? wkv_nothing : 0; });
  return table.tensor();
}

struct Column {
  std::int64_t i = 0;
  std::int64_t block = 0;
};

/// exp(exponents) of every row (the last dimension), divided by a number of that row's.
struct Shares {
  at::Tensor of;
  at::Tensor largest;  ///< released32: of every row, as exp(m_t) divided likewise; else undefined
};

Shares shares_of(WkvMode mode, const at::Tensor& exponents) {
  if (mode != WkvMode::released32) return {.of = exponents.softmax(-1), .largest = {}};
  if (!at::GradMode::is_enabled()) {
    const at::Tensor of = exponents.softmax(-1);
    return {.of = of, .largest = of.amax(-1).view(-1)};
  }
  // For the gradient exp(m_t) is a constant, but the sum that softmax divides by is not.
  const at::Tensor of = (exponents - exponents.detach().amax(-1, true)).exp();
  return {.of = of, .largest = at::ones({of.numel() / of.size(-1)}, of.options())};
}

/// `sums` of weighted values, one for every row, divided by the row's sum of weights.
at::Tensor divided(const at::Tensor& sums, const Shares& shares, const at::Tensor& signs) {
  const at::Tensor rows = shares.of.view({-1, signs.size(0)});
  const at::Tensor weights =
      shares.largest.defined() ? shares.largest.addmv_(rows, signs, 1e-6) : at::mv(rows, signs);
  return sums / weights.view(sums.sizes());
}

}  // namespace

at::Tensor wkv_by_pairs(const WkvArguments& in) {
  const std::int64_t batch = in.key.size(0);
  const std::int64_t tokens = in.key.size(1);
  const std::int64_t channels = in.key.size(2);
  const std::int64_t blocks = in.mode == WkvMode::exact ? 1 : 3;
  const auto constant = [&](const char* what, const std::function<at::Tensor()>& make) {
    return wkv_constant(what, in.mode, tokens, in.key.options().requires_grad(false), make);
  };
  // Rows: which token's key, decay, first, what is always there; columns: t, block, i.
  const at::Tensor pairs = constant("pairs", [&] {
    const at::Tensor keys = at::eye(tokens, at::kDouble)
                                .view({tokens, 1, 1, tokens})
                                .expand({tokens, tokens, blocks, tokens})
                                .reshape({tokens, -1});
    const auto where = [&](std::int64_t /*t*/, std::int64_t column) {
      return Column{column % tokens, column / tokens};
    };
    return at::cat({keys, planes_of(in.mode, tokens, tokens, blocks * tokens, where)});
  });
  const auto of_channels = [&](const at::Tensor& x) {
    return x.view({1, -1, 1}).expand({batch, channels, 1});
  };
  const at::Tensor one = constant("one", [] { return at::ones({1}, at::kDouble); });
  const at::Tensor all =
      at::cat({in.key.transpose(1, 2), of_channels(in.decay), of_channels(in.first),
               of_channels(one), in.value.transpose(1, 2)},
              2)
          .view({batch * channels, 2 * tokens + 3});
  const Shares shares = shares_of(
      in.mode, all.narrow(1, 0, tokens + 3).mm(pairs).view({-1, tokens, blocks * tokens}));
  const at::Tensor value = all.narrow(1, tokens + 3, tokens);
  const auto to_tokens = [&](const at::Tensor& y) {
    return y.view({batch, channels, tokens}).transpose(1, 2);
  };
  if (in.mode == WkvMode::exact) return to_tokens(shares.of.bmm(value.unsqueeze(2)));
  const at::Tensor signs = constant("signs of pairs", [&] {
    return at::tensor({1., 1., -1.}, at::kDouble).repeat_interleave(tokens);
  });
  const at::Tensor signed_value = value.unsqueeze(1) * signs.view({blocks, tokens});
  const at::Tensor sums = shares.of.bmm(signed_value.view({-1, blocks * tokens, 1}));
  return to_tokens(divided(sums, shares, signs));
}

at::Tensor wkv_exact_by_rows(const WkvArguments& in) {
  const std::int64_t tokens = in.key.size(1);
  const at::Tensor steps =
      wkv_constant("steps of rows", in.mode, tokens, in.key.options().requires_grad(false), [&] {
        const at::Tensor index = at::arange(tokens, at::kDouble);
        const at::Tensor distance = (index.unsqueeze(1) - index).abs_();
        return (distance - 1).clamp_min_(0).div_(static_cast<double>(tokens)).unsqueeze(2);
      });
  // batch x tokens x tokens that are summed x channels
  const at::Tensor exponents = at::addcmul(in.key.unsqueeze(1), in.decay, steps, -1);
  exponents.diagonal(0, 1, 2).add_(in.first.unsqueeze(1), 1 / static_cast<double>(tokens));
  return (exponents.softmax(2) * in.value.unsqueeze(1)).sum(2);
}

at::Tensor wkv_released_by_rows(const WkvArguments& in) {
  const std::int64_t batch = in.key.size(0);
  const std::int64_t tokens = in.key.size(1);
  const std::int64_t channels = in.key.size(2);
  const std::int64_t region = kernels::wkv_chunk(in.mode, tokens);
  const std::int64_t regions = (tokens + region - 1) / region;
  const std::int64_t padded = regions * region;
  const std::int64_t columns = padded + 2 * region;  // all tokens, then the own region's twice
  const auto constant = [&](const char* what, const std::function<at::Tensor()>& make) {
    return wkv_constant(what, in.mode, tokens, in.key.options().requires_grad(false), make);
  };
  const at::Tensor planes = constant("planes of rows", [&] {
    const auto where = [&](std::int64_t t, std::int64_t column) {
      if (column < padded) return Column{column, 0};
      const std::int64_t beyond = column - padded;
      return Column{t - t % region + beyond % region, 1 + beyond / region};
    };
    return planes_of(in.mode, tokens, padded, columns, where).view({3, regions, region, columns});
  });
  const at::Tensor signs = constant("signs of rows", [&] {
    at::Tensor out = at::ones({columns}, at::kDouble);
    out.narrow(0, padded + region, region).neg_();
    return out;
  });
  // Takes no part, whatever it is.
  const at::Tensor padding = constant("padding of rows", [&] {
                               return at::zeros({1, 1, padded - tokens}, at::kDouble);
                             }).expand({batch, channels, -1});

  const at::Tensor both =
      at::cat({in.key.transpose(1, 2), padding, in.value.transpose(1, 2), padding}, 2)
          .view({batch * channels, 2 * padded});
  const at::Tensor key = both.narrow(1, 0, padded);
  const at::Tensor value = both.narrow(1, padded, padded);
  // batch and channels x regions x region x columns
  const at::Tensor every_key = key.view({-1, 1, 1, padded}).expand({-1, regions, region, -1});
  const at::Tensor own_key = key.view({-1, regions, 1, region}).expand({-1, -1, region, -1});
  const at::Tensor bias =
      at::addcmul(planes.select(0, 2), planes.select(0, 1), in.first.view({-1, 1, 1, 1}))
          .addcmul_(planes.select(0, 0), in.decay.view({-1, 1, 1, 1}));
  const at::Tensor exponents = at::cat({every_key, own_key, own_key}, 3);
  exponents.view({batch, channels, regions, region, columns}).add_(bias);
  const Shares shares = shares_of(in.mode, exponents);

  const at::Tensor own_value =
      value.view({-1, regions, 1, region}) * signs.narrow(0, padded, 2 * region).view({2, region});
  const at::Tensor of_all =
      shares.of.view({-1, padded, columns}).narrow(2, 0, padded).bmm(value.unsqueeze(2));
  const at::Tensor sums =
      of_all.view({-1, region, 1})
          .baddbmm_(shares.of.view({-1, region, columns}).narrow(2, padded, 2 * region),
                    own_value.view({-1, 2 * region, 1}));
  return divided(sums, shares, signs)
      .view({batch, channels, padded})
      .narrow(2, 0, tokens)
      .transpose(1, 2);
}

}  // namespace medurwkv::torch_backend
