#include "plain_ops.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/nn/utils/clip_grad.h>

#include <cstdint>

#include "core/error.h"
#include "core/threads.h"
#include "plain_wkv.h"

namespace medurwkv::bench {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Calls body(column, index) for every column on thread_count() threads, with work space of its
/// own.
template <class Body>
void for_each_column(const at::Tensor& decay, const at::Tensor& first, const at::Tensor& key,
                     const Body& body) {
  const std::int64_t tokens = key.size(1);
  const std::int64_t channels = key.size(2);
  const auto* decays = decay.data_ptr<float>();
  const auto* firsts = first.data_ptr<float>();
  parallel_for(key.size(0) * channels, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> work(static_cast<std::size_t>(5 * tokens));
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t channel = i % channels;
      body(PlainColumn{.tokens = tokens,
                       .stride = channels,
                       .start = i / channels * tokens * channels + channel,
                       .decay = decays[channel],
                       .first = firsts[channel]},
           i, work.data());
    }
  });
}

struct PlainWkv : torch::autograd::Function<PlainWkv> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& decay,
                            const at::Tensor& first, const at::Tensor& key,
                            const at::Tensor& value) {
    const variable_list in{decay.contiguous(), first.contiguous(), key.contiguous(),
                           value.contiguous()};
    at::Tensor y = at::empty_like(in[2]);
    const float* k = in[2].data_ptr<float>();
    const float* v = in[3].data_ptr<float>();
    auto* to = y.data_ptr<float>();
    for_each_column(in[0], in[1], in[2],
                    [&](const PlainColumn& column, std::int64_t /*index*/, float* work) {
                      plain_wkv_forward_column(column, k, v, to, work);
                    });
    context->save_for_backward(in);
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list in = context->get_saved_variables();
    const at::Tensor grad_y = grads[0].contiguous();
    at::Tensor grad_key = at::empty_like(in[2]);
    at::Tensor grad_value = at::empty_like(in[3]);
    at::Tensor sums = at::empty({2, in[2].size(0), in[2].size(2)}, in[2].options());
    const float* k = in[2].data_ptr<float>();
    const float* v = in[3].data_ptr<float>();
    const float* g = grad_y.data_ptr<float>();
    auto* to_key = grad_key.data_ptr<float>();
    auto* to_value = grad_value.data_ptr<float>();
    auto* to_sums = sums.data_ptr<float>();
    const std::int64_t columns = in[2].size(0) * in[2].size(2);
    for_each_column(in[0], in[1], in[2],
                    [&](const PlainColumn& column, std::int64_t index, float* work) {
                      const PlainColumnGradient own =
                          plain_wkv_backward_column(column, k, v, g, to_key, to_value, work);
                      to_sums[index] = own.decay;
                      to_sums[columns + index] = own.first;
                    });
    const at::Tensor summed = sums.sum(1);
    return {summed[0], summed[1], grad_key, grad_value};
  }
};

}  // namespace

at::Tensor plain_bi_wkv(const at::Tensor& decay, const at::Tensor& first, const at::Tensor& key,
                        const at::Tensor& value, net::WkvMode mode) {
  if (mode != net::WkvMode::exact) throw_internal("the plain bi-WKV knows the exact mode alone");
  const auto tokens = static_cast<double>(key.size(1));
  return PlainWkv::apply(decay / tokens, first / tokens, key, value);
}

namespace {

/// Weight decay on the weights of linear maps and convolutions alone, as the trainer does.
torch::optim::AdamW made_optimizer(const torch_backend::ParameterStore& store) {
  std::vector<at::Tensor> decayed;
  std::vector<at::Tensor> kept;
  for (const net::ParameterSpec& spec : store.specs()) {
    if (!spec.buffer) (spec.decays() ? decayed : kept).push_back(store.at(spec.name));
  }
  using Options = torch::optim::AdamWOptions;
  std::vector<torch::optim::OptimizerParamGroup> groups;
  groups.emplace_back(decayed, std::make_unique<Options>(Options(1e-4).weight_decay(0.01)));
  groups.emplace_back(kept, std::make_unique<Options>(Options(1e-4).weight_decay(0)));
  return torch::optim::AdamW(groups, Options(1e-4));
}

}  // namespace

PlainTail::PlainTail(const torch_backend::ParameterStore& store)
    : optimizer_(made_optimizer(store)) {
  for (const net::ParameterSpec& spec : store.specs()) {
    if (!spec.buffer) parameters_.push_back(store.at(spec.name));
  }
}

at::Tensor PlainTail::loss(const at::Tensor& logits, const at::Tensor& labels) {
  const at::Tensor probabilities = at::softmax(logits, 1);
  const at::Tensor truth =
      at::one_hot(labels, logits.size(1)).permute({0, 3, 1, 2}).to(logits.scalar_type());
  const at::Tensor overlap = (probabilities * truth).sum({0, 2, 3});
  const at::Tensor area = probabilities.sum({0, 2, 3}) + truth.sum({0, 2, 3});
  const at::Tensor dice = 1 - (2 * overlap + 1e-5) / (area + 1e-5);
  return at::cross_entropy_loss(logits, labels) + dice.narrow(0, 1, dice.size(0) - 1).mean();
}

void PlainTail::update() {
  torch::nn::utils::clip_grad_norm_(parameters_, 1);
  optimizer_.step();
  // Not zero_grad(), which would fill them, and have the next backward add to them.
  for (at::Tensor& parameter : parameters_) parameter.mutable_grad().reset();
}

}  // namespace medurwkv::bench
