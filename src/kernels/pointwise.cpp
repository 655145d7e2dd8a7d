#include "kernels/pointwise.h"

#include "kernels/token_blocks.h"

namespace medurwkv::kernels {
namespace {

/// Numbers are spread over the threads in runs of this many, as rows are.
constexpr std::int64_t run_length = 64;

/// Calls body(start, count) on runs of `count` numbers.
template <class Body>
void for_each_run(std::int64_t count, const Body& body) {
  for_each_block((count + run_length - 1) / run_length, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t start = begin * run_length;
    body(start, std::min(count, end * run_length) - start);
  });
}

}  // namespace

template <class Real>
void gate_forward(std::int64_t count, const Real* r, const Real* y, Real* out) {
  for_each_run(count, [&](std::int64_t i, std::int64_t n) {
    token_kernels<Real>().gate_forward(r + i, y + i, n, out + i);
  });
}

template <class Real>
void gate_backward(std::int64_t count, const Real* r, const Real* y, const Real* grad_out,
                   Real* grad_r, Real* grad_y) {
  for_each_run(count, [&](std::int64_t i, std::int64_t n) {
    token_kernels<Real>().gate_backward(r + i, y + i, grad_out + i, n, grad_r + i, grad_y + i);
  });
}

template <class Real>
void squared_relu_forward(std::int64_t count, const Real* x, Real* out) {
  for_each_run(count, [&](std::int64_t i, std::int64_t n) {
    token_kernels<Real>().squared_relu_forward(x + i, n, out + i);
  });
}

template <class Real>
void squared_relu_backward(std::int64_t count, const Real* x, const Real* grad_out, Real* grad_x) {
  for_each_run(count, [&](std::int64_t i, std::int64_t n) {
    token_kernels<Real>().squared_relu_backward(x + i, grad_out + i, n, grad_x + i);
  });
}

void to_bfloat16(std::int64_t count, const float* x, Bfloat16* out) {
  for_each_run(count, [&](std::int64_t i, std::int64_t n) {
    token_kernels<float>().to_bfloat16(x + i, n, out + i);
  });
}

void to_int8(std::int64_t count, const float* x, float steps, Int8* out) {
  for_each_run(count, [&](std::int64_t i, std::int64_t n) {
    token_kernels<float>().to_int8(x + i, steps, n, out + i);
  });
}

template <class Real>
void adamw(const AdamWUpdate<Real>& update, std::int64_t count, const Real* gradient,
           Real* parameter, Real* moment1, Real* moment2) {
  for_each_run(count, [&](std::int64_t i, std::int64_t n) {
    token_kernels<Real>().adamw(update, gradient + i, n, parameter + i, moment1 + i, moment2 + i);
  });
}

template <class Real>
void scale_add_forward(std::int64_t rows, std::int64_t channels, const Real* x, const Real* scale,
                       const Real* branch, Real* y) {
  const ScaleAddRows<Real> work{
      .channels = channels, .x = x, .scale = scale, .branch = branch, .y = y};
  for_each_block(rows, [&](std::int64_t begin, std::int64_t end) {
    token_kernels<Real>().scale_add_forward(work, begin, end);
  });
}

template <class Real>
std::int64_t scale_add_backward_workspace(std::int64_t rows, std::int64_t channels) {
  Cutter cutter;
  const BlockSums<Real> measured(cutter, rows, channels);
  return cutter.bytes();
}

template <class Real>
void scale_add_backward(std::int64_t rows, std::int64_t channels, const Real* scale,
                        const Real* branch, const Real* grad_y, Real* grad_scale, Real* grad_branch,
                        Workspace workspace) {
  const ScaleAddRows<Real> work{.channels = channels,
                                .scale = scale,
                                .branch = branch,
                                .grad_y = grad_y,
                                .grad_branch = grad_branch};
  Cutter cutter(workspace);
  const BlockSums<Real> sums(cutter, rows, channels);
  sum_blocks(sums, [&](std::int64_t begin, std::int64_t end, Real* partial) {
    ScaleAddRows<Real> mine = work;
    mine.grad_scale = partial;
    token_kernels<Real>().scale_add_backward(mine, begin, end);
  });
  write_sums(sums, 0, channels, grad_scale);
}

template void gate_forward(std::int64_t, const float*, const float*, float*);
template void gate_backward(std::int64_t, const float*, const float*, const float*, float*, float*);
template void squared_relu_forward(std::int64_t, const float*, float*);
template void squared_relu_backward(std::int64_t, const float*, const float*, float*);
template void adamw(const AdamWUpdate<float>&, std::int64_t, const float*, float*, float*, float*);
template void scale_add_forward(std::int64_t, std::int64_t, const float*, const float*,
                                const float*, float*);
template std::int64_t scale_add_backward_workspace<float>(std::int64_t, std::int64_t);
template void scale_add_backward(std::int64_t, std::int64_t, const float*, const float*,
                                 const float*, float*, float*, Workspace);
template void gate_forward(std::int64_t, const double*, const double*, double*);
template void gate_backward(std::int64_t, const double*, const double*, const double*, double*,
                            double*);
template void squared_relu_forward(std::int64_t, const double*, double*);
template void squared_relu_backward(std::int64_t, const double*, const double*, double*);
template void adamw(const AdamWUpdate<double>&, std::int64_t, const double*, double*, double*,
                    double*);
template void scale_add_forward(std::int64_t, std::int64_t, const double*, const double*,
                                const double*, double*);
template std::int64_t scale_add_backward_workspace<double>(std::int64_t, std::int64_t);
template void scale_add_backward(std::int64_t, std::int64_t, const double*, const double*,
                                 const double*, double*, double*, Workspace);

}  // namespace medurwkv::kernels
