// Operations from LibTorch's own; bi-WKV and deformable attention have files of their own.
#include "torch/torch_ops.h"

#include <c10/core/MemoryFormat.h>

#include "core/error.h"
#include "core/random.h"

namespace medurwkv::torch_backend {

using net::Grid;

static_assert(net::Ops<ComposedOps>);

namespace {

c10::optional<at::Tensor> optional_bias(const std::optional<at::Tensor>& bias) {
  return bias ? c10::optional<at::Tensor>(*bias) : c10::nullopt;
}

/// A product made in bfloat16, and a bias along `dim`, in float32.
at::Tensor plus(const at::Tensor& product, const std::optional<at::Tensor>& bias,
                std::int64_t dim) {
  at::Tensor y = product.to(at::kFloat);
  if (!bias) return y;
  std::vector<std::int64_t> shape(static_cast<std::size_t>(y.dim()), 1);
  shape[static_cast<std::size_t>(dim)] = y.size(dim);
  return y + bias->reshape(shape);
}

}  // namespace

at::Tensor ComposedOps::conv2d(const Tensor& x, const Tensor& weight,
                               const std::optional<Tensor>& bias,
                               const net::Convolution& how) const {
  if (in_bfloat16(x)) {
    const at::Tensor y = conv2d(x.to(at::kBFloat16), weight.to(at::kBFloat16), std::nullopt, how);
    return plus(y, bias, 1);
  }
  return at::conv2d(x, weight, optional_bias(bias), at::IntArrayRef{how.stride, how.stride},
                    at::IntArrayRef{how.padding, how.padding}, at::IntArrayRef{1, 1}, how.groups);
}

at::Tensor ComposedOps::conv_transpose2d(const Tensor& x, const Tensor& weight,
                                         const std::optional<Tensor>& bias,
                                         std::int64_t stride) const {
  if (in_bfloat16(x)) {
    const at::Tensor y =
        conv_transpose2d(x.to(at::kBFloat16), weight.to(at::kBFloat16), std::nullopt, stride);
    return plus(y, bias, 1);
  }
  return at::conv_transpose2d(x, weight, optional_bias(bias), at::IntArrayRef{stride, stride});
}

bool ComposedOps::begin_batch(const Tensor& x, const net::BatchNorm<Tensor>& norm) const {
  if (!mode_.training) return false;
  if (mode_.frozen != nullptr && mode_.frozen->holds_statistics(norm.running_mean)) return false;
  if (!shares_batch() && x.numel() == x.size(1)) {
    throw_usage(
        "batch normalisation cannot train on one pixel of one image at the coarsest level; take a "
        "larger batch (run.batch) or larger images (input.width, input.height)");
  }
  const at::NoGradGuard no_grad;
  norm.batches.add_(1);
  return true;
}

at::Tensor ComposedOps::batch_norm(const Tensor& x, const net::BatchNorm<Tensor>& norm) const {
  const bool of_batch = begin_batch(x, norm);
  if (of_batch && shares_batch()) return shared_batch_norm(x, norm);
  return at::batch_norm(x, norm.weight, norm.bias, norm.running_mean, norm.running_var, of_batch,
                        batch_norm_momentum, batch_norm_epsilon, true);
}

at::Tensor ComposedOps::shared_batch_norm(const Tensor& x,
                                          const net::BatchNorm<Tensor>& norm) const {
  const ProcessGroup& group = *mode_.group;
  const double weight = mode_.counts ? 1 : 0;
  const auto over_samples = [&](const at::Tensor& values) {
    return values.sum({0, 2, 3}, /*keepdim=*/true, at::kDouble) * weight;
  };
  const std::int64_t here = x.numel() / x.size(1);
  at::Tensor pixels = at::full({1}, weight * static_cast<double>(here), at::kDouble).to(x.device());
  group.sum(pixels);
  const auto count = pixels.item<double>();
  const at::Tensor mean = group.differentiable_sum(over_samples(x)) / count;
  const at::Tensor centred = x - mean.to(x.scalar_type());
  const at::Tensor variance = group.differentiable_sum(over_samples(centred.square())) / count;
  {
    const at::NoGradGuard no_grad;
    const auto follow = [](const at::Tensor& running, const at::Tensor& now) {
      running.mul_(1 - batch_norm_momentum)
          .add_(now.flatten().to(running.scalar_type()), batch_norm_momentum);
    };
    follow(norm.running_mean, mean);
    follow(norm.running_var, variance * (count / (count - 1)));
  }
  const at::Tensor scale = (variance + batch_norm_epsilon).rsqrt().to(x.scalar_type()) *
                           norm.weight.reshape({1, -1, 1, 1});
  return centred * scale + norm.bias.reshape({1, -1, 1, 1});
}

at::Tensor ComposedOps::layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                   double epsilon) {
  return at::layer_norm(x, {weight.size(0)}, weight, bias, epsilon);
}

at::Tensor ComposedOps::shift(const Tensor& x, Grid grid) {
  const std::int64_t channels = x.size(2);
  const at::Tensor map = x.reshape({x.size(0), grid.height, grid.width, channels});
  std::vector<at::Tensor> groups;
  for (std::int64_t n = 0; n < 4; ++n) {
    const std::int64_t begin = n * channels / 4;
    const std::int64_t count = (n + 1) * channels / 4 - begin;
    if (count == 0) continue;
    const at::Tensor group = map.narrow(3, begin, count);
    const std::int64_t side = n < 2 ? 2 : 1;  // along the width first, then along the height
    const bool from_before = n % 2 == 0;      // left and upper neighbours
    const at::Tensor kept = group.narrow(side, from_before ? 0 : 1, group.size(side) - 1);
    std::vector<std::int64_t> padding(side == 2 ? 4 : 6, 0);  // LibTorch counts from the last side
    padding[padding.size() - (from_before ? 2 : 1)] = 1;
    groups.push_back(at::constant_pad_nd(kept, padding));
  }
  return at::cat(groups, 3).reshape(x.sizes());
}

at::Tensor ComposedOps::max_pool(const Tensor& x, std::int64_t kernel, std::int64_t stride,
                                 std::int64_t padding) {
  return at::max_pool2d(x, {kernel, kernel}, {stride, stride}, {padding, padding});
}

at::Tensor ComposedOps::resize(const Tensor& x, Grid to, net::Interpolation how) {
  const std::vector<std::int64_t> size{to.height, to.width};
  return how == net::Interpolation::bilinear ? at::upsample_bilinear2d(x, size, false)
                                             : at::upsample_bicubic2d(x, size, false);
}

at::Tensor ComposedOps::expand(const Tensor& x, Grid grid, std::int64_t factor) {
  const std::int64_t batch = x.size(0);
  const std::int64_t channels = x.size(2) / (factor * factor);
  return x.reshape({batch, grid.height, grid.width, factor, factor, channels})
      .permute({0, 1, 3, 2, 4, 5})
      .reshape({batch, grid.tokens() * factor * factor, channels});
}

at::Tensor ComposedOps::to_tokens(const Tensor& x) {
  return x.permute({0, 2, 3, 1}).reshape({x.size(0), x.size(2) * x.size(3), x.size(1)});
}

at::Tensor ComposedOps::to_map(const Tensor& x, Grid grid) {
  return x.reshape({x.size(0), grid.height, grid.width, x.size(2)}).permute({0, 3, 1, 2});
}

at::Tensor ComposedOps::pad_edge(const Tensor& x, Grid to) {
  return at::replication_pad2d(x, {0, to.width - x.size(3), 0, to.height - x.size(2)});
}

at::Tensor ComposedOps::crop(const Tensor& x, Grid to) {
  return x.narrow(2, 0, to.height).narrow(3, 0, to.width);
}

at::Tensor ComposedOps::drop_path(const Tensor& x, double rate, const std::string& name) const {
  if (!mode_.training || rate <= 0) return x;
  if (mode_.frozen != nullptr && mode_.frozen->holds_part_of(name)) return x;
  const Random random({mode_.seed, mode_.step, fnv1a64(name)});
  std::vector<double> factors;
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    const bool dropped = random.uniform(static_cast<std::uint64_t>(mode_.first_sample + i)) < rate;
    factors.push_back(dropped ? 0 : 1 / (1 - rate));
  }
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[0] = x.size(0);
  return x * at::tensor(factors, x.options().requires_grad(false)).reshape(shape);
}

at::Tensor ComposedOps::linear(const Tensor& x, const Tensor& weight,
                               const std::optional<Tensor>& bias) const {
  if (in_bfloat16(x)) {
    const at::Tensor y = at::linear(x.to(at::kBFloat16), weight.to(at::kBFloat16));
    return plus(y, bias, y.dim() - 1);
  }
  return at::linear(x, weight, optional_bias(bias));
}

}  // namespace medurwkv::torch_backend
