#include "native/steps.h"

#include <map>

#include "native/fuse.h"
#include "native/lower.h"
#include "native/precision.h"
#include "plan/ops.h"

namespace medurwkv::native {

MakeStep step_maker(const plan::OpType& type) {
  namespace op = plan::op;
  static const std::map<const plan::OpType*, MakeStep> table{
      {&op::linear, make_linear},
      {&linear_sigmoid, make_linear_sigmoid},
      {&linear_squared_relu, make_linear_squared_relu},
      {&linear_gate, make_linear_gate},
      {&gated_linear, make_gated_linear},
      {&linear_add, make_linear_add},
      {&gated_linear_add, make_gated_linear_add},
      {&op::conv2d, make_conv2d},
      {&conv2d_relu, make_conv2d_relu},
      {&conv2d_gelu, make_conv2d_gelu},
      {&op::conv_transpose2d, make_conv_transpose2d},
      {&op::max_pool, make_max_pool},
      {&op::layer_norm, make_layer_norm},
      {&op::expand_norm, make_expand_norm},
      {&op::batch_norm, make_batch_norm},
      {&op::norm_relu, make_norm_relu},
      {&op::relu, make_relu},
      {&op::gelu, make_gelu},
      {&op::tanh, make_tanh},
      {&op::squared_relu, make_squared_relu},
      {&op::add, make_add},
      {&op::scale_add, make_scale_add},
      {&op::gate, make_gate},
      {&op::shift_mix, make_shift_mix},
      {&op::bi_wkv, make_bi_wkv},
      {&op::deform_attn, make_deform_attn},
      {&op::mean_tokens, make_mean_tokens},
      {&op::concat, make_concat},
      {&copied_slice, make_slice},
      {&op::resize, make_resize},
      {&narrow, make_narrow},
      {&from_planes, make_from_planes},
      {&to_planes, make_to_planes},
  };
  const auto found = table.find(&type);
  return found == table.end() ? nullptr : found->second;
}

}  // namespace medurwkv::native
