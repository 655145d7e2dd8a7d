// Operations that move numbers: between tokens and maps, parts, joins, borders, other sizes.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include "core/error.h"
#include "core/text.h"
#include "plan/ops.h"

namespace medurwkv::plan::op {
namespace {

using net::Grid;
using Values = std::vector<const Array*>;

/// Index of a number of a map.
std::size_t at(const Shape& map, std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) {
  return static_cast<std::size_t>(((n * map[1] + c) * map[2] + y) * map[3] + x);
}

/// out(n, c, y, x) = value(n, c, y, x).
template <class Value>
void fill_map(Array& out, const Value& value) {
  std::size_t index = 0;
  for (std::int64_t n = 0; n < out.shape[0]; ++n) {
    for (std::int64_t c = 0; c < out.shape[1]; ++c) {
      for (std::int64_t y = 0; y < out.shape[2]; ++y) {
        for (std::int64_t x = 0; x < out.shape[3]; ++x) {
          out.values[index++] = value(n, c, y, x);
        }
      }
    }
  }
}

Shapes to_tokens_shapes(const Shapes& in, const Detail& /*detail*/) {
  return {{in[0][0], in[0][2] * in[0][3], in[0][1]}};
}

void run_to_tokens(const Values& in, const Detail& /*detail*/, std::vector<Array>& out) {
  const Shape& map = in[0]->shape;
  std::size_t index = 0;
  for (std::int64_t n = 0; n < map[0]; ++n) {
    for (std::int64_t token = 0; token < map[2] * map[3]; ++token) {
      for (std::int64_t c = 0; c < map[1]; ++c) {
        out[0].values[index++] = in[0]->values[at(map, n, c, token / map[3], token % map[3])];
      }
    }
  }
}

Shapes to_map_shapes(const Shapes& in, const Detail& detail) {
  const Grid grid = std::get<Grid>(detail);
  if (in[0][1] != grid.tokens()) throw_internal("tokens do not fill their grid");
  return {{in[0][0], in[0][2], grid.height, grid.width}};
}

void run_to_map(const Values& in, const Detail& /*detail*/, std::vector<Array>& out) {
  const Shape& tokens = in[0]->shape;
  fill_map(out[0], [&](std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) {
    const std::int64_t token = n * tokens[1] + y * out[0].shape[3] + x;
    return in[0]->values[static_cast<std::size_t>(token * tokens[2] + c)];
  });
}

Shapes row_shapes(const Shapes& in, const Detail& /*detail*/) {
  return {{in[0][1]}};
}

void run_row(const Values& in, const Detail& detail, std::vector<Array>& out) {
  const auto first = in[0]->values.begin() + std::get<Range>(detail).start * in[0]->shape[1];
  std::copy(first, first + in[0]->shape[1], out[0].values.begin());
}

/// Numbers of one index of dimension 1.
std::int64_t inner_of(const Shape& shape) {
  std::int64_t out = 1;
  for (std::size_t i = 2; i < shape.size(); ++i) out *= shape[i];
  return out;
}

Shapes slice_shapes(const Shapes& in, const Detail& detail) {
  const auto& range = std::get<Range>(detail);
  if (range.start < 0 || range.start + range.count > in[0][1]) {
    throw_internal("a slice leads out of its array");
  }
  Shape out = in[0];
  out[1] = range.count;
  return {out};
}

void run_slice(const Values& in, const Detail& detail, std::vector<Array>& out) {
  const auto& range = std::get<Range>(detail);
  const std::int64_t inner = inner_of(in[0]->shape);
  for (std::int64_t n = 0; n < out[0].shape[0]; ++n) {
    const auto first = in[0]->values.begin() + (n * in[0]->shape[1] + range.start) * inner;
    std::copy(first, first + range.count * inner, out[0].values.begin() + n * range.count * inner);
  }
}

Shapes concat_shapes(const Shapes& in, const Detail& /*detail*/) {
  Shape out = in.front();
  out[1] = 0;
  for (const Shape& part : in) out[1] += part[1];
  return {out};
}

void run_concat(const Values& in, const Detail& /*detail*/, std::vector<Array>& out) {
  const Shape& to = out[0].shape;
  const std::int64_t inner = inner_of(to);
  for (std::int64_t n = 0; n < to[0]; ++n) {
    auto next = out[0].values.begin() + n * to[1] * inner;
    for (const Array* part : in) {
      const std::int64_t count = part->shape[1] * inner;
      next = std::copy_n(part->values.begin() + n * count, count, next);
    }
  }
}

Shapes of_grid(const Shapes& in, Grid to) {
  return {{in[0][0], in[0][1], to.height, to.width}};
}

Shapes crop_shapes(const Shapes& in, const Detail& detail) {
  return of_grid(in, std::get<Grid>(detail));
}

void run_crop(const Values& in, const Detail& /*detail*/, std::vector<Array>& out) {
  fill_map(out[0], [&](std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) {
    return in[0]->values[at(in[0]->shape, n, c, y, x)];
  });
}

void run_pad_edge(const Values& in, const Detail& /*detail*/, std::vector<Array>& out) {
  const Shape& from = in[0]->shape;
  fill_map(out[0], [&](std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) {
    return in[0]->values[at(from, n, c, std::min(y, from[2] - 1), std::min(x, from[3] - 1))];
  });
}

/// Four neighbours of a place and their weights; of bilinear interpolation two are in use.
struct Taps {
  std::array<std::int64_t, 4> from{};
  std::array<double, 4> weight{};
};

/// Pixel centres aligned; borders are repeated.
Taps taps_of(std::int64_t to, std::int64_t to_side, std::int64_t side, net::Interpolation how) {
  const double scale = static_cast<double>(side) / static_cast<double>(to_side);
  double place = (static_cast<double>(to) + 0.5) * scale - 0.5;
  const bool bilinear = how == net::Interpolation::bilinear;
  if (bilinear) place = std::max(0.0, place);
  const double below = std::floor(place);
  const double t = place - below;
  Taps out;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::int64_t from = static_cast<std::int64_t>(below) + static_cast<std::int64_t>(i) - 1;
    out.from[i] = std::clamp<std::int64_t>(from, 0, side - 1);
    const double d = std::abs(t - (static_cast<double>(i) - 1));
    constexpr double a = -0.75;
    if (bilinear) {
      out.weight[i] = std::max(0.0, 1 - d);
    } else if (d < 1) {
      out.weight[i] = ((a + 2) * d - (a + 3)) * d * d + 1;
    } else {
      out.weight[i] = d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
    }
  }
  return out;
}

Shapes resize_shapes(const Shapes& in, const Detail& detail) {
  return of_grid(in, std::get<Resize>(detail).to);
}

void run_resize(const Values& in, const Detail& detail, std::vector<Array>& out) {
  const auto& resize = std::get<Resize>(detail);
  const Shape& from = in[0]->shape;
  fill_map(out[0], [&](std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) {
    const Taps rows = taps_of(y, resize.to.height, from[2], resize.how);
    const Taps columns = taps_of(x, resize.to.width, from[3], resize.how);
    double sum = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t j = 0; j < 4; ++j) {
        sum += rows.weight[i] * columns.weight[j] *
               in[0]->values[at(from, n, c, rows.from[i], columns.from[j])];
      }
    }
    return sum;
  });
}

Shapes max_pool_shapes(const Shapes& in, const Detail& detail) {
  const auto& pool = std::get<Pool>(detail);
  const auto side = [&](std::int64_t length) {
    return (length + 2 * pool.padding - pool.kernel) / pool.stride + 1;
  };
  return {{in[0][0], in[0][1], side(in[0][2]), side(in[0][3])}};
}

void run_max_pool(const Values& in, const Detail& detail, std::vector<Array>& out) {
  const auto& pool = std::get<Pool>(detail);
  const Shape& from = in[0]->shape;
  fill_map(out[0], [&](std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) {
    double most = -std::numeric_limits<double>::infinity();
    for (std::int64_t ky = 0; ky < pool.kernel; ++ky) {
      for (std::int64_t kx = 0; kx < pool.kernel; ++kx) {
        const std::int64_t from_y = y * pool.stride - pool.padding + ky;
        const std::int64_t from_x = x * pool.stride - pool.padding + kx;
        if (from_y < 0 || from_y >= from[2] || from_x < 0 || from_x >= from[3]) continue;
        most = std::max(most, in[0]->values[at(from, n, c, from_y, from_x)]);
      }
    }
    return most;
  });
}

}  // namespace

const OpType to_tokens{
    .name = "to_tokens", .shapes = to_tokens_shapes, .run = run_to_tokens, .view = true};
const OpType to_map{.name = "to_map", .shapes = to_map_shapes, .run = run_to_map, .view = true};
const OpType row{.name = "row", .shapes = row_shapes, .run = run_row, .view = true};
const OpType slice{.name = "slice", .shapes = slice_shapes, .run = run_slice, .view = true};
const OpType crop{.name = "crop", .shapes = crop_shapes, .run = run_crop, .view = true};
const OpType concat{.name = "concat", .shapes = concat_shapes, .run = run_concat};
const OpType pad_edge{.name = "pad_edge", .shapes = crop_shapes, .run = run_pad_edge};
const OpType resize{.name = "resize", .shapes = resize_shapes, .run = run_resize};
const OpType max_pool{.name = "max_pool",
                      .shapes = max_pool_shapes,
                      .run = run_max_pool,
                      .gradient = {.keeps = Keeps::first, .notes = 8}};

const std::vector<const OpType*>& all() {
  static const std::vector<const OpType*> list{&linear,      &conv2d,      &conv_transpose2d,
                                               &layer_norm,  &expand_norm, &batch_norm,
                                               &norm_relu,   &relu,        &gelu,
                                               &sigmoid,     &tanh,        &squared_relu,
                                               &add,         &subtract,    &multiply,
                                               &scale_add,   &gate,        &shift,
                                               &shift_mix,   &bi_wkv,      &deform_attn,
                                               &mean_tokens, &expand,      &to_tokens,
                                               &to_map,      &row,         &slice,
                                               &crop,        &concat,      &pad_edge,
                                               &resize,      &max_pool};
  return list;
}

}  // namespace medurwkv::plan::op
