// Steps by kernels of ours.
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "kernels/bi_wkv.h"
#include "kernels/deform_attn.h"
#include "kernels/norm.h"
#include "kernels/pointwise.h"
#include "kernels/shift_mix.h"
#include "native/steps.h"
#include "net/deformable.h"

namespace medurwkv::native {
namespace {

constexpr std::int64_t number = sizeof(float);

/// Rows of channels that an array of tokens or a map holds.
std::int64_t rows_of(const Shape& shape, std::int64_t channels) {
  return element_count(shape) / channels;
}

float* floats(std::byte* scratch) {
  return reinterpret_cast<float*>(scratch);
}

kernels::Workspace workspace(const StepArrays& arrays, std::int64_t bytes) {
  return {arrays.scratch, static_cast<std::size_t>(bytes)};
}

/// An output that is held in 16 or 8 bits.
kernels::Bfloat16* as_bfloat16(float* output) {
  return reinterpret_cast<kernels::Bfloat16*>(output);
}
kernels::Int8* as_int8(float* output) {
  return reinterpret_cast<kernels::Int8*>(output);
}

/// Whole numbers to 1.
float steps(const plan::Held& held) {
  return static_cast<float>(1 / held.step);
}

std::unique_ptr<Step> norm_step(const StepQuestion& question,
                                const kernels::LayerNormShape& shape) {
  // Mean and deviation of each row, which only a backward pass would want.
  return function_step(
      [shape, held = question.outputs_held[0]](const StepArrays& arrays) {
        float* const mean = floats(arrays.scratch);
        float* const deviation = mean + shape.rows;
        const kernels::LayerNormInput<float> in{
            .x = arrays.in[0], .weight = arrays.in[1], .bias = arrays.in[2]};
        float* const out = arrays.out[0];
        if (held.type == plan::NumberType::bfloat16) {
          kernels::layer_norm_forward(shape, in, as_bfloat16(out), mean, deviation);
        } else if (held.type == plan::NumberType::int8) {
          kernels::layer_norm_forward(shape, in, steps(held), as_int8(out), mean, deviation);
        } else {
          kernels::layer_norm_forward<float>(shape, in, out, mean, deviation);
        }
      },
      2 * number * shape.rows);
}

}  // namespace

std::unique_ptr<Step> make_layer_norm(const StepQuestion& question) {
  const std::int64_t channels = question.inputs[0].back();
  return norm_step(question, {.rows = rows_of(question.inputs[0], channels),
                              .channels = channels,
                              .epsilon = question.detail<plan::Epsilon>().value});
}

std::unique_ptr<Step> make_expand_norm(const StepQuestion& question) {
  const auto& expand = question.detail<plan::Expand>();
  const std::int64_t channels = question.outputs[0].back();
  return norm_step(question, {.rows = rows_of(question.outputs[0], channels),
                              .channels = channels,
                              .epsilon = expand.epsilon,
                              .height = expand.from.height,
                              .width = expand.from.width,
                              .factor = expand.factor});
}

std::unique_ptr<Step> make_norm_relu(const StepQuestion& question) {
  const std::int64_t channels = question.inputs[0][1];
  const std::int64_t rows = rows_of(question.inputs[0], channels);
  std::vector<float> deviation;
  for (const float variance : question.constants[4].numbers) {
    const double epsilon = question.detail<plan::Epsilon>().value;
    deviation.push_back(static_cast<float>(1 / std::sqrt(static_cast<double>(variance) + epsilon)));
  }
  const std::int64_t bytes = kernels::norm_relu_forward_workspace<float>(channels);
  return function_step(
      [rows, channels, deviation = std::move(deviation), bytes](const StepArrays& arrays) {
        kernels::norm_relu_forward<float>({.rows = rows,
                                           .channels = channels,
                                           .x = arrays.in[0],
                                           .mean = arrays.in[3],
                                           .deviation = deviation.data(),
                                           .weight = arrays.in[1],
                                           .bias = arrays.in[2]},
                                          arrays.out[0], workspace(arrays, bytes));
      },
      bytes);
}

std::unique_ptr<Step> make_squared_relu(const StepQuestion& question) {
  return function_step([count = element_count(question.inputs[0])](const StepArrays& arrays) {
    kernels::squared_relu_forward<float>(count, arrays.in[0], arrays.out[0]);
  });
}

std::unique_ptr<Step> make_narrow(const StepQuestion& question) {
  return function_step([count = element_count(question.inputs[0]),
                        held = question.outputs_held[0]](const StepArrays& arrays) {
    if (held.type == plan::NumberType::bfloat16) {
      kernels::to_bfloat16(count, arrays.in[0], as_bfloat16(arrays.out[0]));
    } else {
      kernels::to_int8(count, arrays.in[0], steps(held), as_int8(arrays.out[0]));
    }
  });
}

std::unique_ptr<Step> make_scale_add(const StepQuestion& question) {
  const std::int64_t channels = question.inputs[0].back();
  return function_step(
      [rows = rows_of(question.inputs[0], channels), channels](const StepArrays& arrays) {
        kernels::scale_add_forward<float>(rows, channels, arrays.in[0], arrays.in[1], arrays.in[2],
                                          arrays.out[0]);
      });
}

std::unique_ptr<Step> make_gate(const StepQuestion& question) {
  return function_step([count = element_count(question.inputs[0])](const StepArrays& arrays) {
    kernels::gate_forward<float>(count, arrays.in[0], arrays.in[1], arrays.out[0]);
  });
}

std::unique_ptr<Step> make_shift_mix(const StepQuestion& question) {
  const auto& grid = question.detail<net::Grid>();
  const kernels::ShiftMixShape shape{.batch = question.inputs[0][0],
                                     .height = grid.height,
                                     .width = grid.width,
                                     .channels = question.inputs[0][2]};
  const std::int64_t bytes = kernels::shift_mix_forward_workspace<float>(shape);
  const plan::NumberType type = question.outputs_held[0].type;
  std::array<float, kernels::most_mixes> all_steps{};
  std::transform(question.outputs_held.begin(), question.outputs_held.end(), all_steps.begin(),
                 steps);
  return function_step(
      [shape, bytes, type, all_steps](const StepArrays& arrays) {
        const auto mixes = arrays.in.subspan(1);
        const kernels::Workspace room = workspace(arrays, bytes);
        if (type == plan::NumberType::bfloat16) {
          std::array<kernels::Bfloat16*, kernels::most_mixes> y{};
          std::transform(arrays.out.begin(), arrays.out.end(), y.begin(), as_bfloat16);
          kernels::shift_mix_forward(shape, arrays.in[0], mixes,
                                     std::span(y).first(arrays.out.size()), room);
        } else if (type == plan::NumberType::int8) {
          std::array<kernels::Int8*, kernels::most_mixes> y{};
          std::transform(arrays.out.begin(), arrays.out.end(), y.begin(), as_int8);
          kernels::shift_mix_forward(shape, arrays.in[0], mixes, all_steps,
                                     std::span(y).first(arrays.out.size()), room);
        } else {
          kernels::shift_mix_forward<float>(shape, arrays.in[0], mixes, arrays.out, room);
        }
      },
      bytes);
}

std::unique_ptr<Step> make_bi_wkv(const StepQuestion& question) {
  const Shape& shape = question.inputs[0];
  const auto over_tokens = [&](std::size_t input) {
    const std::span<const float> given = question.constants[input].numbers;
    std::vector<float> out(given.begin(), given.end());
    for (float& value : out) value /= static_cast<float>(shape[1]);
    return out;
  };
  const kernels::WkvShape where{shape[0], shape[1], shape[2]};
  const auto mode = question.detail<net::WkvMode>();
  std::vector<float> decay = over_tokens(2);
  std::vector<float> first = over_tokens(3);
  const std::int64_t bytes =
      kernels::bi_wkv_forward_workspace(where, mode, decay.data(), first.data());
  return function_step(
      [where, mode, decay = std::move(decay), first = std::move(first),
       bytes](const StepArrays& arrays) {
        kernels::bi_wkv_forward<float>(where, mode,
                                       {.decay = decay.data(),
                                        .first = first.data(),
                                        .key = arrays.in[0],
                                        .value = arrays.in[1]},
                                       arrays.out[0], workspace(arrays, bytes));
      },
      bytes);
}

std::unique_ptr<Step> make_deform_attn(const StepQuestion& question) {
  const auto& where = question.detail<net::DeformableAttention>();
  const kernels::DeformShape shape =
      net::deform_shape(where, question.inputs[0][0], question.inputs[0][2]);
  const std::int64_t bytes = kernels::deform_attn_workspace<float>(shape);
  return function_step(
      [shape, bytes](const StepArrays& arrays) {
        kernels::deform_attn_forward<float>(
            shape, {.values = arrays.in[0], .offsets = arrays.in[1], .weights = arrays.in[2]},
            arrays.out[0], workspace(arrays, bytes));
      },
      bytes);
}

}  // namespace medurwkv::native
