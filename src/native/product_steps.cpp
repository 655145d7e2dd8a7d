// Steps by oneDNN: matrix products, convolutions, pooling. Weights are brought into oneDNN's own
// order once; its scratch is the caller's.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <optional>
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

using plan::Held;
using plan::NumberType;

memory::desc described(const memory::dims& shape, NumberType type, Tag tag) {
  using Type = memory::data_type;
  switch (type) {
    case NumberType::float32: return {shape, Type::f32, tag};
    case NumberType::bfloat16: return {shape, Type::bf16, tag};
    case NumberType::int8: return {shape, Type::s8, tag};
    case NumberType::uint8: return {shape, Type::u8, tag};
  }
  return {};
}

memory::desc floats(const memory::dims& shape, Tag tag) {
  return described(shape, NumberType::float32, tag);
}

bool is_whole(const Held& held) {
  return held.type == NumberType::int8 || held.type == NumberType::uint8;
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

/// What is done to a product's result before it is stored.
struct Post {
  dnnl::algorithm how;
  std::size_t input = 0;    ///< that is multiplied or added, of the result's shape
  memory::desc other = {};  ///< how it lies
};

bool reads_input(const Post& post) {
  return post.how == dnnl::algorithm::binary_mul || post.how == dnnl::algorithm::binary_add;
}

/// `to`: how the result is held. `scales`: of the product's sums, one for each channel; empty: 1.
dnnl::primitive_attr attributes(const std::vector<Post>& posts, const Held& to = {},
                                const std::vector<float>& scales = {}) {
  dnnl::post_ops chain;
  for (const Post& post : posts) {
    if (reads_input(post)) {
      chain.append_binary(post.how, post.other);
    } else {
      chain.append_eltwise(1, post.how, 0, 0);
    }
  }
  if (is_whole(to)) {
    chain.append_eltwise(1, dnnl::algorithm::eltwise_linear, static_cast<float>(1 / to.step), 0);
  }
  dnnl::primitive_attr out;
  // Bit 1: the results' second dimension, their channels.
  if (!scales.empty()) out.set_output_scales(2, scales);
  out.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  out.set_post_ops(chain);
  return out;
}

void reorder(const void* values, const memory::desc& from, const memory& to) {
  // oneDNN wants a mutable pointer; the values are only read.
  memory source(from, cpu(), const_cast<void*>(values));
  dnnl::stream stream(cpu());
  memory target(to);
  dnnl::reorder(source, target).execute(stream, source, target);
  stream.wait();
}

/// `values`, which lie as `from` says and were made of `constant`, in the order of `to`; in the
/// constant's own place where that may be.
memory packed(const void* values, const memory::desc& from, const memory::desc& to,
              const Constant& constant, Arena& arena) {
  if (!constant.sole || to.get_size() > constant.numbers.size_bytes()) {
    memory out(to, cpu(), arena.take(static_cast<std::int64_t>(to.get_size())));
    reorder(values, from, out);
    return out;
  }
  const memory copy(to, cpu());
  reorder(values, from, copy);
  std::memcpy(constant.numbers.data(), copy.get_data_handle(), to.get_size());
  return {to, cpu(), constant.numbers.data()};
}

memory packed(const Constant& constant, const memory::desc& from, const memory::desc& to,
              Arena& arena) {
  return packed(constant.numbers.data(), from, to, constant, arena);
}

/// Whole numbers of 8 bits in place of a product's weights, each channel of the result with a step
/// of its own.
struct WholeWeights {
  std::vector<std::int8_t> numbers;
  std::vector<float> scales;  ///< of the sums over whole numbers times whole numbers
};

/// `weight`: rows of one channel each. `x`: how what it is multiplied by is held.
WholeWeights whole_weights(std::span<const float> weight, std::int64_t channels, const Held& x) {
  WholeWeights out;
  out.numbers.reserve(weight.size());
  const std::size_t row = weight.size() / static_cast<std::size_t>(channels);
  for (std::size_t at = 0; at < weight.size(); at += row) {
    const std::span<const float> numbers = weight.subspan(at, row);
    float most = 0;
    for (const float one : numbers) most = std::max(most, std::abs(one));
    const float step = most > 0 ? most / 127 : 1;
    for (const float one : numbers) {
      out.numbers.push_back(static_cast<std::int8_t>(std::lrint(one / step)));
    }
    out.scales.push_back(step * static_cast<float>(x.step));
  }
  return out;
}

/// What a product multiplies by and adds, as its primitive wants them.
class Operands {
 public:
  Operands(const Constant& weight, const Constant& bias, std::int64_t channels, const Held& x)
      : weight_(weight), bias_(bias) {
    if (is_whole(x)) whole_ = whole_weights(weight.numbers, channels, x);
  }

  /// Of the weights as the primitive reads them, in the order of `tag`.
  [[nodiscard]] memory::desc weights(const memory::dims& shape, const Held& x, Tag tag) const {
    return described(shape, is_whole(x) ? NumberType::int8 : x.type, tag);
  }
  /// Of the sums, each times `factor`; empty where x is not held in whole numbers.
  [[nodiscard]] std::vector<float> scales(double factor = 1) const {
    std::vector<float> out = whole_.scales;
    for (float& one : out) one *= static_cast<float>(factor);
    return out;
  }
  [[nodiscard]] bool has_bias() const { return bias_.is_known(); }

  /// `given`: the order in which the weights lie now.
  [[nodiscard]] memory packed_weights(const memory::dims& shape, Tag given, const memory::desc& to,
                                      Arena& arena) const {
    if (whole_.numbers.empty()) return packed(weight_, floats(shape, given), to, arena);
    return packed(whole_.numbers.data(), described(shape, NumberType::int8, given), to, weight_,
                  arena);
  }
  /// oneDNN adds the bias before it multiplies by the scales.
  [[nodiscard]] memory packed_bias(const memory::desc& lies, Arena& arena) const {
    if (whole_.scales.empty()) return packed(bias_, lies, lies, arena);
    std::vector<float> out(bias_.numbers.begin(), bias_.numbers.end());
    for (std::size_t c = 0; c < out.size(); ++c) out[c] /= whole_.scales[c];
    return packed(out.data(), lies, lies, bias_, arena);
  }

 private:
  Constant weight_, bias_;
  WholeWeights whole_;
};

/// What a primitive reads and writes.
struct Memories {
  memory::desc source, result, scratch;
  std::optional<memory> weights = {};
  std::optional<memory> bias = {};
};

/// A primitive with one source, one result, packed weights and a bias, and what its posts read.
class PrimitiveStep : public Step {
 public:
  /// `source`: which input is the source; weight and bias are behind it.
  PrimitiveStep(dnnl::primitive primitive, const Memories& memories, std::size_t source = 0,
                const std::vector<Post>& posts = {})
      : primitive_(std::move(primitive)),
        input_(source),
        source_(memories.source, cpu(), DNNL_MEMORY_NONE),
        result_(memories.result, cpu(), DNNL_MEMORY_NONE),
        scratch_(memories.scratch, cpu(), DNNL_MEMORY_NONE),
        weights_(memories.weights),
        bias_(memories.bias),
        stream_(cpu()) {
    arguments_ = {{DNNL_ARG_SRC, source_.get()},
                  {DNNL_ARG_DST, result_.get()},
                  {DNNL_ARG_SCRATCHPAD, scratch_.get()}};
    if (weights_) arguments_.push_back({DNNL_ARG_WEIGHTS, weights_->get()});
    if (bias_) arguments_.push_back({DNNL_ARG_BIAS, bias_->get()});
    for (std::size_t i = 0; i < posts.size(); ++i) {
      if (!reads_input(posts[i])) continue;
      others_.emplace_back(posts[i].input, memory(posts[i].other, cpu(), DNNL_MEMORY_NONE));
      const int post = DNNL_ARG_ATTR_MULTIPLE_POST_OP(static_cast<int>(i)) | DNNL_ARG_SRC_1;
      arguments_.push_back({post, others_.back().second.get()});
    }
  }

  [[nodiscard]] bool packs(std::size_t input) const override { return input > input_; }
  [[nodiscard]] std::int64_t scratch_bytes() const override {
    return static_cast<std::int64_t>(scratch_.get_desc().get_size());
  }

  void run(const StepArrays& arrays) override {
    // oneDNN wants mutable pointers; what is read is only read.
    source_.set_data_handle(const_cast<float*>(arrays.in[input_]));
    for (auto& [input, other] : others_) {
      other.set_data_handle(const_cast<float*>(arrays.in[input]));
    }
    result_.set_data_handle(arrays.out[0]);
    scratch_.set_data_handle(arrays.scratch);
    // The C interface: dnnl::primitive::execute makes a list of the arguments each time.
    const dnnl_status_t status = dnnl_primitive_execute(
        primitive_.get(), stream_.get(), static_cast<int>(arguments_.size()), arguments_.data());
    if (status == dnnl_out_of_memory) throw std::bad_alloc();
    if (status != dnnl_success) throw_internal(concat("oneDNN fails with status ", status));
    stream_.wait();
  }

 private:
  dnnl::primitive primitive_;
  std::size_t input_;
  memory source_, result_, scratch_;
  std::optional<memory> weights_, bias_;
  std::vector<std::pair<std::size_t, memory>> others_;
  std::vector<dnnl_exec_arg_t> arguments_;
  dnnl::stream stream_;
};

/// x (rows x inner) by the transposed weight (columns x inner).
struct Product {
  std::int64_t rows, inner, columns;
  Held from, to;      ///< x and the result
  double factor = 1;  ///< of the sum, where x is held in whole numbers
};

/// Plus a bias where it is known; `source` is x's place among the inputs.
std::unique_ptr<Step> product(const Product& shape, const Constant& weight, const Constant& bias,
                              Arena& arena, std::size_t source = 0,
                              const std::vector<Post>& posts = {}) {
  return refusing("a matrix product", [&]() -> std::unique_ptr<Step> {
    const Operands operands(weight, bias, shape.columns, shape.from);
    const memory::dims weights{shape.inner, shape.columns};
    const memory::desc x = described({shape.rows, shape.inner}, shape.from.type, Tag::ab);
    const memory::desc any = operands.weights(weights, shape.from, Tag::any);
    const memory::desc row = floats({1, shape.columns}, Tag::ab);
    const memory::desc y = described({shape.rows, shape.columns}, shape.to.type, Tag::ab);
    const dnnl::matmul::desc what =
        operands.has_bias() ? dnnl::matmul::desc(x, any, row, y) : dnnl::matmul::desc(x, any, y);
    const dnnl::matmul::primitive_desc how(
        what, attributes(posts, shape.to, operands.scales(shape.factor)), cpu());
    Memories memories{
        .source = x,
        .result = y,
        .scratch = how.scratchpad_desc(),
        .weights = operands.packed_weights(weights, Tag::ba, how.weights_desc(), arena)};
    if (operands.has_bias()) memories.bias = operands.packed_bias(row, arena);
    return std::make_unique<PrimitiveStep>(dnnl::matmul(how), memories, source, posts);
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

/// Behind the weight of the source at `source`.
Constant bias_of(const StepQuestion& question, std::size_t source = 0) {
  return question.constants.size() > source + 2 ? question.constants[source + 2] : Constant{};
}

/// x, weight and bias are inputs from `source` on.
std::unique_ptr<Step> linear(const StepQuestion& question, std::size_t source,
                             std::vector<Post> posts) {
  const Shape& weight = question.inputs[source + 1];
  Product shape{.rows = element_count(question.inputs[source]) / weight[1],
                .inner = weight[1],
                .columns = weight[0],
                .from = question.inputs_held[source],
                .to = question.outputs_held[0]};
  for (Post& post : posts) {
    if (!reads_input(post)) continue;
    const Held& other = question.inputs_held[post.input];
    post.other = described({shape.rows, shape.columns}, other.type, Tag::ab);
    // What is multiplied by in whole numbers; nothing is added in them.
    if (is_whole(other)) shape.factor *= other.step;
  }
  return product(shape, question.constants[source + 1], bias_of(question, source), question.arena,
                 source, posts);
}

std::unique_ptr<Step> convolution(const StepQuestion& question, const std::vector<Post>& posts) {
  const auto& how = question.detail<net::Convolution>();
  const Shape& from = question.inputs[0];
  const Shape& weight = question.inputs[1];
  const Shape& to = question.outputs[0];
  if (weight[2] == 1 && weight[3] == 1 && how.stride == 1 && how.padding == 0 && how.groups == 1) {
    return linear(question, 0, posts);
  }
  return refusing("a convolution", [&]() -> std::unique_ptr<Step> {
    const Held& held = question.inputs_held[0];
    const Operands operands(question.constants[1], bias_of(question), to[1], held);
    const memory::desc x = described(dims(from), held.type, Tag::nhwc);
    const memory::desc y = described(dims(to), question.outputs_held[0].type, Tag::nhwc);
    memory::dims kernel = dims(weight);
    if (how.groups > 1) {
      kernel[0] /= how.groups;
      kernel.insert(kernel.begin(), how.groups);
    }
    const memory::desc any = operands.weights(kernel, held, Tag::any);
    const memory::desc channels = floats({to[1]}, Tag::a);
    const memory::dims strides{how.stride, how.stride};
    const memory::dims before{how.padding, how.padding};
    const memory::dims behind{padding_behind(from[2], to[2], weight[2], how.stride, how.padding),
                              padding_behind(from[3], to[3], weight[3], how.stride, how.padding)};
    using Convolution = dnnl::convolution_forward;
    const auto inference = dnnl::prop_kind::forward_inference;
    const auto direct = dnnl::algorithm::convolution_direct;
    const Convolution::desc what =
        operands.has_bias()
            ? Convolution::desc(inference, direct, x, any, channels, y, strides, before, behind)
            : Convolution::desc(inference, direct, x, any, y, strides, before, behind);
    const Convolution::primitive_desc chosen(
        what, attributes(posts, question.outputs_held[0], operands.scales()), cpu());
    Memories memories{
        .source = x,
        .result = y,
        .scratch = chosen.scratchpad_desc(),
        .weights = operands.packed_weights(kernel, how.groups > 1 ? Tag::goihw : Tag::oihw,
                                           chosen.weights_desc(), question.arena)};
    if (operands.has_bias()) memories.bias = operands.packed_bias(channels, question.arena);
    return std::make_unique<PrimitiveStep>(Convolution(chosen), memories, 0, posts);
  });
}

}  // namespace

std::unique_ptr<Step> make_linear(const StepQuestion& question) {
  return linear(question, 0, {});
}
std::unique_ptr<Step> make_linear_sigmoid(const StepQuestion& question) {
  return linear(question, 0, {{dnnl::algorithm::eltwise_logistic}});
}
std::unique_ptr<Step> make_linear_squared_relu(const StepQuestion& question) {
  return linear(question, 0, {{dnnl::algorithm::eltwise_relu}, {dnnl::algorithm::eltwise_square}});
}
std::unique_ptr<Step> make_linear_gate(const StepQuestion& question) {
  return linear(question, 1,
                {{dnnl::algorithm::eltwise_logistic}, {dnnl::algorithm::binary_mul, 0}});
}
std::unique_ptr<Step> make_gated_linear(const StepQuestion& question) {
  return linear(question, 1, {{dnnl::algorithm::binary_mul, 0}});
}
std::unique_ptr<Step> make_linear_add(const StepQuestion& question) {
  return linear(question, 1, {{dnnl::algorithm::binary_add, 0}});
}
std::unique_ptr<Step> make_gated_linear_add(const StepQuestion& question) {
  return linear(question, 2, {{dnnl::algorithm::binary_mul, 1}, {dnnl::algorithm::binary_add, 0}});
}
std::unique_ptr<Step> make_conv2d(const StepQuestion& question) {
  return convolution(question, {});
}
std::unique_ptr<Step> make_conv2d_relu(const StepQuestion& question) {
  return convolution(question, {{dnnl::algorithm::eltwise_relu}});
}
std::unique_ptr<Step> make_conv2d_gelu(const StepQuestion& question) {
  return convolution(question, {{dnnl::algorithm::eltwise_gelu_erf}});
}

std::unique_ptr<Step> make_conv_transpose2d(const StepQuestion& question) {
  const std::int64_t stride = question.detail<plan::Stride>().value;
  const Shape& from = question.inputs[0];
  const Shape& to = question.outputs[0];
  const std::int64_t area = stride * stride;
  // in x out x stride x stride becomes (part, out) x in.
  const std::span<const float> weight = question.constants[1].numbers;
  const std::span<const float> given = bias_of(question).numbers;
  std::vector<float> turned(weight.size());
  std::vector<float> bias(static_cast<std::size_t>(area * to[1]), 0);
  for (std::int64_t part = 0; part < area; ++part) {
    for (std::int64_t c = 0; c < to[1]; ++c) {
      const std::int64_t row = part * to[1] + c;
      if (!given.empty()) {
        bias[static_cast<std::size_t>(row)] = given[static_cast<std::size_t>(c)];
      }
      for (std::int64_t i = 0; i < from[1]; ++i) {
        turned[static_cast<std::size_t>(row * from[1] + i)] =
            weight[static_cast<std::size_t>((i * to[1] + c) * area + part)];
      }
    }
  }
  return std::make_unique<TransposedStep>(product({.rows = element_count(from) / from[1],
                                                   .inner = from[1],
                                                   .columns = area * to[1],
                                                   .from = question.inputs_held[0],
                                                   .to = {}},
                                                  {turned}, {bias}, question.arena),
                                          from, to, stride);
}

std::unique_ptr<Step> make_max_pool(const StepQuestion& question) {
  const auto& pool = question.detail<plan::Pool>();
  const Shape& from = question.inputs[0];
  const Shape& to = question.outputs[0];
  return refusing("a pooling", [&]() -> std::unique_ptr<Step> {
    const memory::desc x = floats(dims(from), Tag::nhwc);
    const memory::desc y = floats(dims(to), Tag::nhwc);
    const auto behind = [&](std::size_t side) {
      return padding_behind(from[side], to[side], pool.kernel, pool.stride, pool.padding);
    };
    const dnnl::pooling_forward::desc what(dnnl::prop_kind::forward_inference,
                                           dnnl::algorithm::pooling_max, x, y,
                                           {pool.stride, pool.stride}, {pool.kernel, pool.kernel},
                                           {pool.padding, pool.padding}, {behind(2), behind(3)});
    const dnnl::pooling_forward::primitive_desc how(what, attributes({}), cpu());
    return std::make_unique<PrimitiveStep>(
        dnnl::pooling_forward(how),
        Memories{.source = x, .result = y, .scratch = how.scratchpad_desc()});
  });
}

}  // namespace medurwkv::native
