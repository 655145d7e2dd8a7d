// Steps by oneDNN: matrix products, convolutions, pooling. Weights are brought into oneDNN's own
// order once; its scratch is the caller's.
#include <cstring>
#include <optional>
#include <unordered_map>
#include <utility>

#include <oneapi/dnnl/dnnl.hpp>

#include "core/error.h"
#include "core/text.h"
#include "core/threads.h"
#include "native/steps.h"

namespace medurwkv::native {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory::desc floats(const memory::dims& shape, Tag tag) {
  return {shape, memory::data_type::f32, tag};
}

/// oneDNN's errors as ours.
template <class Body>
auto refusing(const char* what, const Body& body) {
  try {
    return body();
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_out_of_memory) throw std::bad_alloc();
    throw_internal(concat("oneDNN refuses ", what, ": ", error.message));
  }
}

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr out;
  out.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return out;
}

/// `values`, which lie as `from` says, in the order of `to`.
memory packed(const std::vector<float>& values, const memory::desc& from, const memory::desc& to) {
  // oneDNN wants a mutable pointer; the values are only read.
  memory source(from, cpu(), const_cast<float*>(values.data()));
  memory out(to, cpu());
  dnnl::stream stream(cpu());
  dnnl::reorder(source, out).execute(stream, source, out);
  stream.wait();
  return out;
}

/// A primitive with one source, one result, packed weights and a bias.
class PrimitiveStep : public Step {
 public:
  PrimitiveStep(dnnl::primitive primitive, const memory::desc& source, const memory::desc& result,
                const memory::desc& scratch, std::optional<memory> weights,
                std::optional<memory> bias)
      : primitive_(std::move(primitive)),
        source_(source, cpu(), DNNL_MEMORY_NONE),
        result_(result, cpu(), DNNL_MEMORY_NONE),
        scratch_(scratch, cpu(), DNNL_MEMORY_NONE),
        stream_(cpu()) {
    arguments_ = {
        {DNNL_ARG_SRC, source_}, {DNNL_ARG_DST, result_}, {DNNL_ARG_SCRATCHPAD, scratch_}};
    if (weights) arguments_.emplace(DNNL_ARG_WEIGHTS, *weights);
    if (bias) arguments_.emplace(DNNL_ARG_BIAS, *bias);
  }

  [[nodiscard]] bool packs(std::size_t input) const override { return input > 0; }
  [[nodiscard]] std::int64_t scratch_bytes() const override {
    return static_cast<std::int64_t>(scratch_.get_desc().get_size());
  }

  void run(const StepArrays& arrays) override {
    // oneDNN wants a mutable pointer; the source is only read.
    source_.set_data_handle(const_cast<float*>(arrays.in[0]));
    result_.set_data_handle(arrays.out[0]);
    scratch_.set_data_handle(arrays.scratch);
    primitive_.execute(stream_, arguments_);
    stream_.wait();
  }

 private:
  dnnl::primitive primitive_;
  memory source_, result_, scratch_;
  std::unordered_map<int, memory> arguments_;
  dnnl::stream stream_;
};

/// x (rows x inner) by the transposed `weight` (columns x inner), plus a bias.
std::unique_ptr<Step> product(std::int64_t rows, std::int64_t inner, std::int64_t columns,
                              const std::vector<float>& weight, const std::vector<float>* bias) {
  return refusing("a matrix product", [&]() -> std::unique_ptr<Step> {
    const memory::desc source = floats({rows, inner}, Tag::ab);
    const memory::desc any = floats({inner, columns}, Tag::any);
    const memory::desc given = floats({inner, columns}, Tag::ba);
    const memory::desc row = floats({1, columns}, Tag::ab);
    const memory::desc result = floats({rows, columns}, Tag::ab);
    const dnnl::matmul::desc what = bias != nullptr ? dnnl::matmul::desc(source, any, row, result)
                                                    : dnnl::matmul::desc(source, any, result);
    const dnnl::matmul::primitive_desc how(what, attributes(), cpu());
    std::optional<memory> added;
    if (bias != nullptr) added = packed(*bias, row, row);
    return std::make_unique<PrimitiveStep>(dnnl::matmul(how), source, result, how.scratchpad_desc(),
                                           packed(weight, given, how.weights_desc()), added);
  });
}

memory::dims dims(const Shape& shape) {
  return {shape.begin(), shape.end()};
}

/// Zeros behind the last row or column, as far as the last window reaches.
std::int64_t padding_behind(std::int64_t from, std::int64_t to, std::int64_t kernel,
                            std::int64_t stride, std::int64_t padding) {
  return (to - 1) * stride + kernel - from - padding;
}

/// A product into scratch, whose rows are then laid out as stride x stride finer pixels.
class TransposedStep : public Step {
 public:
  TransposedStep(std::unique_ptr<Step> product, const Shape& from, const Shape& to,
                 std::int64_t stride)
      : product_(std::move(product)),
        from_(from),
        to_(to),
        stride_(stride),
        wide_(round_up(4 * element_count(to), 64)) {}

  [[nodiscard]] bool packs(std::size_t input) const override { return input > 0; }
  [[nodiscard]] std::int64_t scratch_bytes() const override {
    return wide_ + product_->scratch_bytes();
  }

  void run(const StepArrays& arrays) override {
    auto* const wide = reinterpret_cast<float*>(arrays.scratch);
    product_->run({arrays.in.first(1), {&wide, 1}, arrays.scratch + wide_});
    const std::int64_t channels = to_[1];
    const std::int64_t area = stride_ * stride_;
    parallel_for(to_[0] * to_[2], [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t line = begin; line < end; ++line) {
        const std::int64_t row = line / to_[2] * from_[2] + line % to_[2] / stride_;
        for (std::int64_t x = 0; x < to_[3]; ++x) {
          const std::int64_t part = line % to_[2] % stride_ * stride_ + x % stride_;
          const std::int64_t pixel = row * from_[3] + x / stride_;
          std::memcpy(arrays.out[0] + (line * to_[3] + x) * channels,
                      wide + (pixel * area + part) * channels,
                      static_cast<std::size_t>(channels) * sizeof(float));
        }
      }
    });
  }

 private:
  std::unique_ptr<Step> product_;
  Shape from_, to_;
  std::int64_t stride_, wide_;
};

const std::vector<float>* bias_of(const StepQuestion& question) {
  return question.constants.size() > 2 ? question.constants[2].get() : nullptr;
}

}  // namespace

std::unique_ptr<Step> make_linear(const StepQuestion& question) {
  const std::int64_t inner = question.inputs[1][1];
  return product(element_count(question.inputs[0]) / inner, inner, question.inputs[1][0],
                 *question.constants[1], bias_of(question));
}

std::unique_ptr<Step> make_conv2d(const StepQuestion& question) {
  const auto& how = question.detail<net::Convolution>();
  const Shape& from = question.inputs[0];
  const Shape& weight = question.inputs[1];
  const Shape& to = question.outputs[0];
  if (weight[2] == 1 && weight[3] == 1 && how.stride == 1 && how.padding == 0 && how.groups == 1) {
    return product(element_count(from) / weight[1], weight[1], weight[0], *question.constants[1],
                   bias_of(question));
  }
  return refusing("a convolution", [&]() -> std::unique_ptr<Step> {
    const memory::desc source = floats(dims(from), Tag::nhwc);
    const memory::desc result = floats(dims(to), Tag::nhwc);
    memory::dims kernel = dims(weight);
    if (how.groups > 1) {
      kernel[0] /= how.groups;
      kernel.insert(kernel.begin(), how.groups);
    }
    const memory::desc any = floats(kernel, Tag::any);
    const memory::desc given = floats(kernel, how.groups > 1 ? Tag::goihw : Tag::oihw);
    const memory::desc channels = floats({to[1]}, Tag::a);
    const memory::dims strides{how.stride, how.stride};
    const memory::dims before{how.padding, how.padding};
    const memory::dims behind{padding_behind(from[2], to[2], weight[2], how.stride, how.padding),
                              padding_behind(from[3], to[3], weight[3], how.stride, how.padding)};
    const auto inference = dnnl::prop_kind::forward_inference;
    const auto direct = dnnl::algorithm::convolution_direct;
    const std::vector<float>* bias = bias_of(question);
    const dnnl::convolution_forward::desc what =
        bias != nullptr ? dnnl::convolution_forward::desc(inference, direct, source, any, channels,
                                                          result, strides, before, behind)
                        : dnnl::convolution_forward::desc(inference, direct, source, any, result,
                                                          strides, before, behind);
    const dnnl::convolution_forward::primitive_desc chosen(what, attributes(), cpu());
    std::optional<memory> added;
    if (bias != nullptr) added = packed(*bias, channels, channels);
    return std::make_unique<PrimitiveStep>(
        dnnl::convolution_forward(chosen), source, result, chosen.scratchpad_desc(),
        packed(*question.constants[1], given, chosen.weights_desc()), added);
  });
}

std::unique_ptr<Step> make_conv_transpose2d(const StepQuestion& question) {
  const std::int64_t stride = question.detail<plan::Stride>().value;
  const Shape& from = question.inputs[0];
  const Shape& to = question.outputs[0];
  const std::int64_t area = stride * stride;
  // in x out x stride x stride becomes (part, out) x in.
  const std::vector<float>& weight = *question.constants[1];
  std::vector<float> turned(weight.size());
  std::vector<float> bias(static_cast<std::size_t>(area * to[1]), 0);
  for (std::int64_t part = 0; part < area; ++part) {
    for (std::int64_t c = 0; c < to[1]; ++c) {
      const std::int64_t row = part * to[1] + c;
      if (bias_of(question) != nullptr) {
        bias[static_cast<std::size_t>(row)] = (*bias_of(question))[static_cast<std::size_t>(c)];
      }
      for (std::int64_t i = 0; i < from[1]; ++i) {
        turned[static_cast<std::size_t>(row * from[1] + i)] =
            weight[static_cast<std::size_t>((i * to[1] + c) * area + part)];
      }
    }
  }
  return std::make_unique<TransposedStep>(
      product(element_count(from) / from[1], from[1], area * to[1], turned, &bias), from, to,
      stride);
}

std::unique_ptr<Step> make_max_pool(const StepQuestion& question) {
  const auto& pool = question.detail<plan::Pool>();
  const Shape& from = question.inputs[0];
  const Shape& to = question.outputs[0];
  return refusing("a pooling", [&]() -> std::unique_ptr<Step> {
    const memory::desc source = floats(dims(from), Tag::nhwc);
    const memory::desc result = floats(dims(to), Tag::nhwc);
    const auto behind = [&](std::size_t side) {
      return padding_behind(from[side], to[side], pool.kernel, pool.stride, pool.padding);
    };
    const dnnl::pooling_forward::desc what(dnnl::prop_kind::forward_inference,
                                           dnnl::algorithm::pooling_max, source, result,
                                           {pool.stride, pool.stride}, {pool.kernel, pool.kernel},
                                           {pool.padding, pool.padding}, {behind(2), behind(3)});
    const dnnl::pooling_forward::primitive_desc how(what, attributes(), cpu());
    return std::make_unique<PrimitiveStep>(dnnl::pooling_forward(how), source, result,
                                           how.scratchpad_desc(), std::nullopt, std::nullopt);
  });
}

}  // namespace medurwkv::native
