// The operations on rows of channels for TorchOps: our kernels as autograd functions on the CPU.
// Relies on kernels/{shift_mix,pointwise,norm}.h and LibTorch's autograd.
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/norm.h"
#include "kernels/pointwise.h"
#include "kernels/shift_mix.h"
#include "torch/torch_ops.h"

namespace medurwkv::torch_backend {
namespace {

using net::Grid;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

bool has_kernels(const at::Tensor& x) {
  return TorchOps::runs_on(x.device()) &&
         (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble);
}

template <class Real>
std::vector<const Real*> pointers(const variable_list& tensors) {
  std::vector<const Real*> out;
  for (const at::Tensor& tensor : tensors) out.push_back(tensor.data_ptr<Real>());
  return out;
}

/// The rows of a matrix.
template <class Real>
std::vector<Real*> rows_of(const at::Tensor& matrix) {
  std::vector<Real*> out;
  for (std::int64_t i = 0; i < matrix.size(0); ++i) {
    out.push_back(matrix.data_ptr<Real>() + i * matrix.size(1));
  }
  return out;
}

template <class Real>
std::vector<const Real*> const_rows_of(const at::Tensor& matrix) {
  const std::vector<Real*> rows = rows_of<Real>(matrix);
  return {rows.begin(), rows.end()};
}

kernels::ShiftMixShape shift_shape(const at::Tensor& x, Grid grid) {
  return {.batch = x.size(0), .height = grid.height, .width = grid.width, .channels = x.size(2)};
}

/// `mixes` is a matrix, a mix in each row.
struct ShiftMixFunction : torch::autograd::Function<ShiftMixFunction> {
  static variable_list forward(AutogradContext* context, const at::Tensor& input,
                               const at::Tensor& mixes, std::int64_t height, std::int64_t width) {
    const at::Tensor x = input.contiguous();
    const at::Tensor matrix = mixes.contiguous();
    variable_list out;
    for (std::int64_t m = 0; m < matrix.size(0); ++m) out.push_back(at::empty_like(x));
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "shift_mix_forward", [&] {
      std::vector<scalar_t*> y;
      for (const at::Tensor& tensor : out) y.push_back(tensor.data_ptr<scalar_t>());
      const kernels::ShiftMixShape shape = shift_shape(x, {height, width});
      const kernels::OwnWorkspace workspace(kernels::shift_mix_forward_workspace<scalar_t>(shape));
      kernels::shift_mix_forward<scalar_t>(shape, x.data_ptr<scalar_t>(),
                                           const_rows_of<scalar_t>(matrix), y, workspace);
    });
    context->save_for_backward({x, matrix});
    context->saved_data["height"] = height;
    context->saved_data["width"] = width;
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list in = context->get_saved_variables();
    const Grid grid{context->saved_data["height"].toInt(), context->saved_data["width"].toInt()};
    for (at::Tensor& grad : grads) {
      grad = grad.defined() ? grad.contiguous() : at::zeros_like(in[0]);
    }
    const at::Tensor grad_x = at::empty_like(in[0]);
    const at::Tensor grad_mixes = at::empty_like(in[1]);
    AT_DISPATCH_FLOATING_TYPES(in[0].scalar_type(), "shift_mix_backward", [&] {
      const kernels::ShiftMixShape shape = shift_shape(in[0], grid);
      const kernels::OwnWorkspace workspace(
          kernels::shift_mix_backward_workspace<scalar_t>(shape, grad_mixes.size(0)));
      kernels::shift_mix_backward<scalar_t>(shape, in[0].data_ptr<scalar_t>(),
                                            const_rows_of<scalar_t>(in[1]),
                                            pointers<scalar_t>(grads), grad_x.data_ptr<scalar_t>(),
                                            rows_of<scalar_t>(grad_mixes), workspace);
    });
    return {grad_x, grad_mixes, at::Tensor(), at::Tensor()};
  }
};

struct GateFunction : torch::autograd::Function<GateFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& receptance,
                            const at::Tensor& value) {
    const at::Tensor r = receptance.contiguous();
    const at::Tensor y = value.contiguous();
    at::Tensor out = at::empty_like(y);
    AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "gate_forward", [&] {
      kernels::gate_forward(y.numel(), r.data_ptr<scalar_t>(), y.data_ptr<scalar_t>(),
                            out.data_ptr<scalar_t>());
    });
    context->save_for_backward({r, y});
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list in = context->get_saved_variables();
    const at::Tensor grad = grads[0].contiguous();
    at::Tensor grad_r = at::empty_like(in[0]);
    at::Tensor grad_y = at::empty_like(in[1]);
    AT_DISPATCH_FLOATING_TYPES(grad.scalar_type(), "gate_backward", [&] {
      kernels::gate_backward(grad.numel(), in[0].data_ptr<scalar_t>(), in[1].data_ptr<scalar_t>(),
                             grad.data_ptr<scalar_t>(), grad_r.data_ptr<scalar_t>(),
                             grad_y.data_ptr<scalar_t>());
    });
    return {grad_r, grad_y};
  }
};

struct SquaredReluFunction : torch::autograd::Function<SquaredReluFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input) {
    const at::Tensor x = input.contiguous();
    at::Tensor out = at::empty_like(x);
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "squared_relu_forward", [&] {
      kernels::squared_relu_forward(x.numel(), x.data_ptr<scalar_t>(), out.data_ptr<scalar_t>());
    });
    context->save_for_backward({x});
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const at::Tensor x = context->get_saved_variables()[0];
    const at::Tensor grad = grads[0].contiguous();
    at::Tensor grad_x = at::empty_like(x);
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "squared_relu_backward", [&] {
      kernels::squared_relu_backward(x.numel(), x.data_ptr<scalar_t>(), grad.data_ptr<scalar_t>(),
                                     grad_x.data_ptr<scalar_t>());
    });
    return {grad_x};
  }
};

struct ScaleAddFunction : torch::autograd::Function<ScaleAddFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& residual,
                            const at::Tensor& scale, const at::Tensor& branch) {
    const at::Tensor x = residual.contiguous();
    const at::Tensor s = scale.contiguous();
    const at::Tensor b = branch.contiguous();
    at::Tensor y = at::empty_like(x);
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "scale_add_forward", [&] {
      kernels::scale_add_forward(x.numel() / s.numel(), s.numel(), x.data_ptr<scalar_t>(),
                                 s.data_ptr<scalar_t>(), b.data_ptr<scalar_t>(),
                                 y.data_ptr<scalar_t>());
    });
    context->save_for_backward({s, b});
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list in = context->get_saved_variables();
    const at::Tensor grad = grads[0].contiguous();
    at::Tensor grad_scale = at::empty_like(in[0]);
    at::Tensor grad_branch = at::empty_like(in[1]);
    AT_DISPATCH_FLOATING_TYPES(grad.scalar_type(), "scale_add_backward", [&] {
      const std::int64_t channels = in[0].numel();
      const std::int64_t rows = grad.numel() / channels;
      const kernels::OwnWorkspace workspace(
          kernels::scale_add_backward_workspace<scalar_t>(rows, channels));
      kernels::scale_add_backward<scalar_t>(rows, channels, in[0].data_ptr<scalar_t>(),
                                            in[1].data_ptr<scalar_t>(), grad.data_ptr<scalar_t>(),
                                            grad_scale.data_ptr<scalar_t>(),
                                            grad_branch.data_ptr<scalar_t>(), workspace);
    });
    return {grad, grad_scale, grad_branch};
  }
};

/// Layer normalisation, of an expanded grid where the factor is above 1.
struct LayerNormFunction : torch::autograd::Function<LayerNormFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input,
                            const at::Tensor& weight, const at::Tensor& bias, double epsilon,
                            const std::vector<std::int64_t>& expansion) {
    const variable_list in{input.contiguous(), weight.contiguous(), bias.contiguous()};
    const std::int64_t channels = weight.numel();
    const std::int64_t rows = input.numel() / channels;
    const std::int64_t factor = expansion[2];
    std::vector<std::int64_t> sizes = input.sizes().vec();
    if (factor > 1) sizes = {sizes[0], sizes[1] * factor * factor, channels};
    at::Tensor y = at::empty(sizes, in[0].options().requires_grad(false));
    const at::Tensor statistics = at::empty({2, rows}, y.options());
    AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "layer_norm_forward", [&] {
      auto* mean = statistics.data_ptr<scalar_t>();
      kernels::layer_norm_forward<scalar_t>(shape_of(rows, channels, epsilon, expansion),
                                            input_of<scalar_t>(in), y.data_ptr<scalar_t>(), mean,
                                            mean + rows);
    });
    context->save_for_backward({in[0], in[1], in[2], statistics});
    context->saved_data["epsilon"] = epsilon;
    context->saved_data["expansion"] = expansion;
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list in = context->get_saved_variables();
    const at::Tensor grad_y = grads[0].contiguous();
    const std::int64_t channels = in[1].numel();
    const std::int64_t rows = in[0].numel() / channels;
    variable_list out{at::empty_like(in[0]), at::empty_like(in[1]), at::empty_like(in[2])};
    AT_DISPATCH_FLOATING_TYPES(grad_y.scalar_type(), "layer_norm_backward", [&] {
      auto* mean = in[3].data_ptr<scalar_t>();
      const kernels::LayerNormShape shape =
          shape_of(rows, channels, context->saved_data["epsilon"].toDouble(),
                   context->saved_data["expansion"].toIntVector());
      const kernels::OwnWorkspace workspace(
          kernels::layer_norm_backward_workspace<scalar_t>(shape));
      kernels::layer_norm_backward<scalar_t>(shape, input_of<scalar_t>(in), mean, mean + rows,
                                             grad_y.data_ptr<scalar_t>(),
                                             {.x = out[0].data_ptr<scalar_t>(),
                                              .weight = out[1].data_ptr<scalar_t>(),
                                              .bias = out[2].data_ptr<scalar_t>()},
                                             workspace);
    });
    out.resize(5);
    return out;
  }

 private:
  static kernels::LayerNormShape shape_of(std::int64_t rows, std::int64_t channels, double epsilon,
                                          const std::vector<std::int64_t>& expansion) {
    return {.rows = rows,
            .channels = channels,
            .epsilon = epsilon,
            .height = expansion[0],
            .width = expansion[1],
            .factor = expansion[2]};
  }

  template <class Real>
  static kernels::LayerNormInput<Real> input_of(const variable_list& in) {
    return {.x = in[0].data_ptr<Real>(),
            .weight = in[1].data_ptr<Real>(),
            .bias = in[2].data_ptr<Real>()};
  }
};

/// A map's pixels as rows of channels.
at::Tensor channels_last(const at::Tensor& map) {
  return map.contiguous(at::MemoryFormat::ChannelsLast);
}

template <class Real>
kernels::NormRelu<Real> norm_relu_of(const variable_list& in) {
  const std::int64_t channels = in[1].numel();
  return {.rows = in[0].numel() / channels,
          .channels = channels,
          .x = in[0].data_ptr<Real>(),
          .mean = in[3].data_ptr<Real>(),
          .deviation = in[4].data_ptr<Real>(),
          .weight = in[1].data_ptr<Real>(),
          .bias = in[2].data_ptr<Real>()};
}

/// relu of a batch normalisation with the given mean and one over the deviation per channel.
struct NormReluFunction : torch::autograd::Function<NormReluFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& map,
                            const at::Tensor& weight, const at::Tensor& bias,
                            const at::Tensor& mean, const at::Tensor& deviation,
                            bool batch_statistics) {
    const variable_list in{channels_last(map), weight, bias, mean, deviation};
    at::Tensor y = at::empty_like(in[0]);
    AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "norm_relu_forward", [&] {
      const kernels::OwnWorkspace workspace(
          kernels::norm_relu_forward_workspace<scalar_t>(weight.numel()));
      kernels::norm_relu_forward<scalar_t>(norm_relu_of<scalar_t>(in), y.data_ptr<scalar_t>(),
                                           workspace);
    });
    context->save_for_backward({in[0], weight, bias, mean, deviation, y});
    context->saved_data["batch_statistics"] = batch_statistics;
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list in = context->get_saved_variables();
    const at::Tensor grad_y = channels_last(grads[0]);
    variable_list out{at::empty_like(in[0]), at::empty_like(in[1]), at::empty_like(in[2])};
    AT_DISPATCH_FLOATING_TYPES(grad_y.scalar_type(), "norm_relu_backward", [&] {
      const auto given = norm_relu_of<scalar_t>(in);
      const kernels::OwnWorkspace workspace(
          kernels::norm_relu_backward_workspace<scalar_t>(given.rows, given.channels));
      kernels::norm_relu_backward<scalar_t>(given, in[5].data_ptr<scalar_t>(),
                                            grad_y.data_ptr<scalar_t>(),
                                            context->saved_data["batch_statistics"].toBool(),
                                            {.x = out[0].data_ptr<scalar_t>(),
                                             .weight = out[1].data_ptr<scalar_t>(),
                                             .bias = out[2].data_ptr<scalar_t>()},
                                            workspace);
    });
    out.resize(6);
    return out;
  }
};

struct Moments {
  at::Tensor mean, variance;  ///< per channel, float64
};

Moments moments_of(const at::Tensor& map) {
  const at::Tensor x = channels_last(map);
  const std::int64_t channels = x.size(1);
  const at::TensorOptions options = at::TensorOptions().dtype(at::kDouble);
  Moments out{.mean = at::empty({channels}, options), .variance = at::empty({channels}, options)};
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "row_moments", [&] {
    const std::int64_t rows = x.numel() / channels;
    const kernels::OwnWorkspace workspace(kernels::row_moments_workspace<scalar_t>(rows, channels));
    kernels::row_moments<scalar_t>(rows, channels, x.data_ptr<scalar_t>(),
                                   out.mean.data_ptr<double>(), out.variance.data_ptr<double>(),
                                   workspace);
  });
  return out;
}

}  // namespace

std::vector<at::Tensor> TorchOps::shift_mix(const Tensor& x, const std::vector<Tensor>& mixes,
                                            Grid grid) {
  ComposedOps& composed = *this;
  if (!has_kernels(x)) return net::shift_mix(composed, x, mixes, grid);
  const at::Tensor matrix =
      at::cat(mixes).reshape({static_cast<std::int64_t>(mixes.size()), x.size(2)});
  return ShiftMixFunction::apply(x, matrix, grid.height, grid.width);
}

at::Tensor TorchOps::gate(const Tensor& receptance, const Tensor& y) {
  ComposedOps& composed = *this;
  return has_kernels(y) ? GateFunction::apply(receptance, y) : net::gate(composed, receptance, y);
}

at::Tensor TorchOps::squared_relu(const Tensor& x) {
  ComposedOps& composed = *this;
  return has_kernels(x) ? SquaredReluFunction::apply(x) : net::squared_relu(composed, x);
}

at::Tensor TorchOps::scale_add(const Tensor& x, const Tensor& scale, const Tensor& branch) {
  ComposedOps& composed = *this;
  return has_kernels(x) ? ScaleAddFunction::apply(x, scale, branch)
                        : net::scale_add(composed, x, scale, branch);
}

at::Tensor TorchOps::layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                double epsilon) {
  if (!has_kernels(x)) return ComposedOps::layer_norm(x, weight, bias, epsilon);
  return LayerNormFunction::apply(x, weight, bias, epsilon, std::vector<std::int64_t>{1, 1, 1});
}

at::Tensor TorchOps::expand_norm(const Tensor& x, Grid grid, std::int64_t factor,
                                 const Tensor& weight, const Tensor& bias, double epsilon) {
  ComposedOps& composed = *this;
  if (!has_kernels(x)) return net::expand_norm(composed, x, grid, factor, weight, bias, epsilon);
  return LayerNormFunction::apply(x, weight, bias, epsilon,
                                  std::vector<std::int64_t>{grid.height, grid.width, factor});
}

at::Tensor TorchOps::norm_relu(const Tensor& x, const net::BatchNorm<Tensor>& norm) {
  ComposedOps& composed = *this;
  if (!has_kernels(x) || shares_batch()) return net::norm_relu(composed, x, norm);
  const bool of_batch = begin_batch(x, norm);
  Moments moments;
  {
    const at::NoGradGuard no_grad;
    if (of_batch) {
      moments = moments_of(x);
      const std::int64_t pixels = x.numel() / x.size(1);
      const auto count = static_cast<double>(pixels);
      const auto follow = [](const at::Tensor& running, const at::Tensor& now) {
        running.mul_(1 - batch_norm_momentum)
            .add_(now.to(running.scalar_type()), batch_norm_momentum);
      };
      follow(norm.running_mean, moments.mean);
      follow(norm.running_var, moments.variance * (count / (count - 1)));
    } else {
      moments = {.mean = norm.running_mean.to(at::kDouble),
                 .variance = norm.running_var.to(at::kDouble)};
    }
  }
  const at::ScalarType type = x.scalar_type();
  const at::Tensor deviation = (moments.variance + batch_norm_epsilon).rsqrt();
  return NormReluFunction::apply(x, norm.weight, norm.bias, moments.mean.to(type),
                                 deviation.to(type), of_batch);
}

}  // namespace medurwkv::torch_backend
