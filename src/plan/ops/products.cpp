// Linear maps and convolutions.
#include <cstddef>

#include "core/error.h"
#include "core/text.h"
#include "plan/ops.h"

namespace medurwkv::plan::op {
namespace {

void refuse(const char* what, const Shapes& in) {
  throw_internal(medurwkv::concat(what, " of ", shape_text(in[1]), " on ", shape_text(in[0])));
}

double bias_of(const std::vector<const Array*>& in, std::int64_t channel) {
  return in.size() > 2 ? in[2]->values[static_cast<std::size_t>(channel)] : 0;
}

Shapes linear_shapes(const Shapes& in, const Detail& /*detail*/) {
  Shape out = in[0];
  if (out.back() != in[1][1]) refuse("linear map", in);
  out.back() = in[1][0];
  return {out};
}

std::int64_t linear_cost(const Shapes& in, const Shapes& out) {
  return element_count(out[0]) * in[1][1];
}

void run_linear(const std::vector<const Array*>& in, const Detail& /*detail*/,
                std::vector<Array>& out) {
  const std::int64_t inner = in[1]->shape[1];
  const std::int64_t columns = in[1]->shape[0];
  const std::int64_t rows = element_count(in[0]->shape) / inner;
  for (std::int64_t r = 0; r < rows; ++r) {
    const double* x = in[0]->values.data() + r * inner;
    for (std::int64_t c = 0; c < columns; ++c) {
      const double* weight = in[1]->values.data() + c * inner;
      double sum = bias_of(in, c);
      for (std::int64_t i = 0; i < inner; ++i) sum += x[i] * weight[i];
      out[0].values[static_cast<std::size_t>(r * columns + c)] = sum;
    }
  }
}

Shapes conv2d_shapes(const Shapes& in, const Detail& detail) {
  const auto& how = std::get<net::Convolution>(detail);
  if (in[0][1] != in[1][1] * how.groups) refuse("convolution", in);
  const auto side = [&](std::int64_t length, std::int64_t kernel) {
    return (length + 2 * how.padding - kernel) / how.stride + 1;
  };
  return {{in[0][0], in[1][0], side(in[0][2], in[1][2]), side(in[0][3], in[1][3])}};
}

std::int64_t conv2d_cost(const Shapes& in, const Shapes& out) {
  return element_count(out[0]) * in[1][1] * in[1][2] * in[1][3];
}

void run_conv2d(const std::vector<const Array*>& in, const Detail& detail,
                std::vector<Array>& out) {
  const auto& how = std::get<net::Convolution>(detail);
  const Shape& from = in[0]->shape;
  const Shape& weight = in[1]->shape;
  const Shape& to = out[0].shape;
  const std::int64_t group = to[1] / how.groups;  // output channels of a group
  std::size_t index = 0;
  for (std::int64_t n = 0; n < to[0]; ++n) {
    for (std::int64_t c = 0; c < to[1]; ++c) {
      for (std::int64_t y = 0; y < to[2]; ++y) {
        for (std::int64_t x = 0; x < to[3]; ++x) {
          double sum = bias_of(in, c);
          for (std::int64_t i = 0; i < weight[1]; ++i) {
            const std::int64_t channel = c / group * weight[1] + i;
            for (std::int64_t ky = 0; ky < weight[2]; ++ky) {
              const std::int64_t from_y = y * how.stride - how.padding + ky;
              if (from_y < 0 || from_y >= from[2]) continue;
              const double* line =
                  in[0]->values.data() + ((n * from[1] + channel) * from[2] + from_y) * from[3];
              const double* kernel =
                  in[1]->values.data() + ((c * weight[1] + i) * weight[2] + ky) * weight[3];
              for (std::int64_t kx = 0; kx < weight[3]; ++kx) {
                const std::int64_t from_x = x * how.stride - how.padding + kx;
                if (from_x >= 0 && from_x < from[3]) sum += line[from_x] * kernel[kx];
              }
            }
          }
          out[0].values[index++] = sum;
        }
      }
    }
  }
}

Shapes transposed_shapes(const Shapes& in, const Detail& detail) {
  const std::int64_t stride = std::get<Stride>(detail).value;
  if (in[0][1] != in[1][0] || in[1][2] != stride || in[1][3] != stride) {
    refuse("transposed convolution", in);
  }
  return {{in[0][0], in[1][1], in[0][2] * stride, in[0][3] * stride}};
}

std::int64_t transposed_cost(const Shapes& in, const Shapes& out) {
  return element_count(out[0]) * in[1][0];
}

void run_transposed(const std::vector<const Array*>& in, const Detail& detail,
                    std::vector<Array>& out) {
  const std::int64_t stride = std::get<Stride>(detail).value;
  const Shape& from = in[0]->shape;
  const Shape& to = out[0].shape;
  std::size_t index = 0;
  for (std::int64_t n = 0; n < to[0]; ++n) {
    for (std::int64_t c = 0; c < to[1]; ++c) {
      for (std::int64_t y = 0; y < to[2]; ++y) {
        for (std::int64_t x = 0; x < to[3]; ++x) {
          double sum = bias_of(in, c);
          for (std::int64_t i = 0; i < from[1]; ++i) {
            const std::int64_t pixel =
                ((n * from[1] + i) * from[2] + y / stride) * from[3] + x / stride;
            const std::int64_t kernel =
                ((i * to[1] + c) * stride + y % stride) * stride + x % stride;
            sum += in[0]->values[static_cast<std::size_t>(pixel)] *
                   in[1]->values[static_cast<std::size_t>(kernel)];
          }
          out[0].values[index++] = sum;
        }
      }
    }
  }
}

}  // namespace

const OpType linear{.name = "linear",
                    .shapes = linear_shapes,
                    .run = run_linear,
                    .gradient = {.keeps = Keeps::first},
                    .multiply_adds = linear_cost};
const OpType conv2d{.name = "conv2d",
                    .shapes = conv2d_shapes,
                    .run = run_conv2d,
                    .gradient = {.keeps = Keeps::first},
                    .multiply_adds = conv2d_cost};
const OpType conv_transpose2d{.name = "conv_transpose2d",
                              .shapes = transposed_shapes,
                              .run = run_transposed,
                              .gradient = {.keeps = Keeps::first},
                              .multiply_adds = transposed_cost};

}  // namespace medurwkv::plan::op
