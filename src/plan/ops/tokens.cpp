// Operations on tokens: shifts, bi-WKV, deformable attention, patch expanding.
#include <algorithm>
#include <cstddef>

#include "core/error.h"
#include "kernels/bi_wkv.h"
#include "kernels/deform_attn.h"
#include "net/deformable.h"
#include "plan/ops.h"

namespace medurwkv::plan::op {
namespace {

using net::Grid;
using Values = std::vector<const Array*>;

Shapes as_first(const Shapes& in, const Detail& /*detail*/) {
  return {in[0]};
}

/// The neighbour's value, 0 outside the grid.
double shifted(const Array& x, Grid grid, std::int64_t n, std::int64_t token, std::int64_t c) {
  const std::int64_t channels = x.shape[2];
  std::int64_t y = token / grid.width;
  std::int64_t column = token % grid.width;
  if (c < channels / 4) {
    --column;
  } else if (c < 2 * channels / 4) {
    ++column;
  } else if (c < 3 * channels / 4) {
    --y;
  } else {
    ++y;
  }
  if (y < 0 || y >= grid.height || column < 0 || column >= grid.width) return 0;
  const std::int64_t from = y * grid.width + column;
  return x.values[static_cast<std::size_t>((n * x.shape[1] + from) * channels + c)];
}

/// body(index, own, neighbour, channel) for every number of x.
template <class Body>
void each_shifted(const Array& x, Grid grid, const Body& body) {
  std::size_t index = 0;
  for (std::int64_t n = 0; n < x.shape[0]; ++n) {
    for (std::int64_t token = 0; token < x.shape[1]; ++token) {
      for (std::int64_t c = 0; c < x.shape[2]; ++c, ++index) {
        body(index, x.values[index], shifted(x, grid, n, token, c), static_cast<std::size_t>(c));
      }
    }
  }
}

void run_shift(const Values& in, const Detail& detail, std::vector<Array>& out) {
  each_shifted(*in[0], std::get<Grid>(detail),
               [&](std::size_t i, double /*own*/, double neighbour, std::size_t /*channel*/) {
                 out[0].values[i] = neighbour;
               });
}

Shapes shift_mix_shapes(const Shapes& in, const Detail& /*detail*/) {
  return {in.size() - 1, in[0]};
}

void run_shift_mix(const Values& in, const Detail& detail, std::vector<Array>& out) {
  each_shifted(*in[0], std::get<Grid>(detail),
               [&](std::size_t i, double own, double neighbour, std::size_t channel) {
                 for (std::size_t m = 0; m < out.size(); ++m) {
                   const double mix = in[m + 1]->values[channel];
                   out[m].values[i] = own * mix + neighbour * (1 - mix);
                 }
               });
}

void run_bi_wkv(const Values& in, const Detail& detail, std::vector<Array>& out) {
  const Shape& shape = in[0]->shape;
  const auto tokens = static_cast<double>(shape[1]);
  std::vector<double> decay = in[2]->values;
  std::vector<double> first = in[3]->values;
  for (double& value : decay) value /= tokens;
  for (double& value : first) value /= tokens;
  const kernels::WkvShape where{.batch = shape[0], .tokens = shape[1], .channels = shape[2]};
  const auto mode = std::get<net::WkvMode>(detail);
  const kernels::OwnWorkspace workspace(
      kernels::bi_wkv_forward_workspace(where, mode, decay.data(), first.data()));
  kernels::bi_wkv_forward<double>(where, mode,
                                  {.decay = decay.data(),
                                   .first = first.data(),
                                   .key = in[0]->values.data(),
                                   .value = in[1]->values.data()},
                                  out[0].values.data(), workspace);
}

Shapes deform_shapes(const Shapes& in, const Detail& /*detail*/) {
  return {{in[2][0], in[2][1], in[0][2]}};
}

double deform_flops(const Shapes& out, const Detail& detail) {
  // Per sample: four products with the corners' weights and their sum, over a head's channels; the
  // weights themselves are few.
  const auto& where = std::get<net::DeformableAttention>(detail);
  const auto samples = static_cast<double>(where.points) * static_cast<double>(where.levels.size());
  return 8 * samples * static_cast<double>(element_count(out[0]));
}

void run_deform_attn(const Values& in, const Detail& detail, std::vector<Array>& out) {
  const auto& where = std::get<net::DeformableAttention>(detail);
  const kernels::DeformShape shape = net::deform_shape(where, in[0]->shape[0], in[0]->shape[2]);
  const kernels::OwnWorkspace workspace(kernels::deform_attn_workspace<double>(shape));
  kernels::deform_attn_forward<double>(shape,
                                       {.values = in[0]->values.data(),
                                        .offsets = in[1]->values.data(),
                                        .weights = in[2]->values.data()},
                                       out[0].values.data(), workspace);
}

Shapes mean_shapes(const Shapes& in, const Detail& /*detail*/) {
  return {{in[0][0], in[0][2]}};
}

void run_mean_tokens(const Values& in, const Detail& /*detail*/, std::vector<Array>& out) {
  const Shape& shape = in[0]->shape;
  for (std::size_t i = 0; i < in[0]->values.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t n = at / (shape[1] * shape[2]);
    out[0].values[static_cast<std::size_t>(n * shape[2] + at % shape[2])] +=
        in[0]->values[i] / static_cast<double>(shape[1]);
  }
}

Shapes expand_shapes(const Shapes& in, const Detail& detail) {
  const auto& how = std::get<Expand>(detail);
  const std::int64_t area = how.factor * how.factor;
  if (in[0][1] != how.from.tokens() || in[0][2] % area != 0) {
    throw_internal("tokens to be expanded do not fill their grid");
  }
  return {{in[0][0], in[0][1] * area, in[0][2] / area}};
}

void run_expand(const Values& in, const Detail& detail, std::vector<Array>& out) {
  const auto& how = std::get<Expand>(detail);
  const std::int64_t factor = how.factor;
  const Shape& to = out[0].shape;
  const std::int64_t width = how.from.width * factor;
  std::size_t index = 0;
  for (std::int64_t n = 0; n < to[0]; ++n) {
    for (std::int64_t pixel = 0; pixel < to[1]; ++pixel) {
      const std::int64_t y = pixel / width;
      const std::int64_t x = pixel % width;
      const std::int64_t token = y / factor * how.from.width + x / factor;
      const std::int64_t part = y % factor * factor + x % factor;
      for (std::int64_t c = 0; c < to[2]; ++c) {
        const std::int64_t from =
            (n * in[0]->shape[1] + token) * in[0]->shape[2] + part * to[2] + c;
        out[0].values[index++] = in[0]->values[static_cast<std::size_t>(from)];
      }
    }
  }
}

}  // namespace

const OpType shift{.name = "shift", .shapes = as_first, .run = run_shift};
const OpType shift_mix{.name = "shift_mix",
                       .shapes = shift_mix_shapes,
                       .run = run_shift_mix,
                       .gradient = {.keeps = Keeps::first}};
const OpType bi_wkv{.name = "bi_wkv",
                    .shapes = as_first,
                    .run = run_bi_wkv,
                    .gradient = {.keeps = Keeps::activations}};
const OpType deform_attn{.name = "deform_attn",
                         .shapes = deform_shapes,
                         .run = run_deform_attn,
                         .gradient = {.keeps = Keeps::activations},
                         .flops = deform_flops};
const OpType mean_tokens{.name = "mean_tokens", .shapes = mean_shapes, .run = run_mean_tokens};
const OpType expand{.name = "expand", .shapes = expand_shapes, .run = run_expand};

}  // namespace medurwkv::plan::op
