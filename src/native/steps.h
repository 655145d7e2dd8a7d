// The native engine's implementations, one for each operation. Relies on native/step.h.
#pragma once

#include "native/step.h"

namespace medurwkv::native {

/// Null for an operation that the engine does not have.
MakeStep step_maker(const plan::OpType& type);

// product_steps.cpp, by oneDNN
std::unique_ptr<Step> make_linear(const StepQuestion& question);
std::unique_ptr<Step> make_linear_sigmoid(const StepQuestion& question);
std::unique_ptr<Step> make_linear_squared_relu(const StepQuestion& question);
std::unique_ptr<Step> make_linear_gate(const StepQuestion& question);
std::unique_ptr<Step> make_gated_linear(const StepQuestion& question);
std::unique_ptr<Step> make_linear_add(const StepQuestion& question);
std::unique_ptr<Step> make_gated_linear_add(const StepQuestion& question);
std::unique_ptr<Step> make_conv2d(const StepQuestion& question);
std::unique_ptr<Step> make_conv2d_relu(const StepQuestion& question);
std::unique_ptr<Step> make_conv2d_gelu(const StepQuestion& question);
std::unique_ptr<Step> make_conv_transpose2d(const StepQuestion& question);
std::unique_ptr<Step> make_max_pool(const StepQuestion& question);
// kernel_steps.cpp, by kernels of ours
std::unique_ptr<Step> make_layer_norm(const StepQuestion& question);
std::unique_ptr<Step> make_expand_norm(const StepQuestion& question);
std::unique_ptr<Step> make_norm_relu(const StepQuestion& question);
std::unique_ptr<Step> make_squared_relu(const StepQuestion& question);
std::unique_ptr<Step> make_narrow(const StepQuestion& question);
std::unique_ptr<Step> make_scale_add(const StepQuestion& question);
std::unique_ptr<Step> make_gate(const StepQuestion& question);
std::unique_ptr<Step> make_shift_mix(const StepQuestion& question);
std::unique_ptr<Step> make_bi_wkv(const StepQuestion& question);
std::unique_ptr<Step> make_deform_attn(const StepQuestion& question);
// plain_steps.cpp, in loops over rows of channels
std::unique_ptr<Step> make_batch_norm(const StepQuestion& question);
std::unique_ptr<Step> make_relu(const StepQuestion& question);
std::unique_ptr<Step> make_gelu(const StepQuestion& question);
std::unique_ptr<Step> make_tanh(const StepQuestion& question);
std::unique_ptr<Step> make_add(const StepQuestion& question);
std::unique_ptr<Step> make_mean_tokens(const StepQuestion& question);
std::unique_ptr<Step> make_concat(const StepQuestion& question);
std::unique_ptr<Step> make_slice(const StepQuestion& question);
std::unique_ptr<Step> make_resize(const StepQuestion& question);
std::unique_ptr<Step> make_from_planes(const StepQuestion& question);
std::unique_ptr<Step> make_to_planes(const StepQuestion& question);

}  // namespace medurwkv::native
