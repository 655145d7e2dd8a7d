#include "matrix_rate.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <unordered_map>
#include <utility>

#include <oneapi/dnnl/dnnl.hpp>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "core/error.h"
#include "core/text.h"
#include "core/threads.h"
#include "measure/in_turn.h"
#include "plan/ops.h"

namespace medurwkv::bench {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;
using Type = memory::data_type;

/// rows x inner times inner x columns.
struct MatrixShape {
  std::int64_t rows = 0;
  std::int64_t inner = 0;
  std::int64_t columns = 0;
  bool operator==(const MatrixShape&) const = default;
};

/// The different matrix products of the plan's linear maps, in the order of first use.
std::vector<MatrixShape> matrix_shapes(const plan::Plan& plan) {
  std::vector<MatrixShape> out;
  for (const plan::Operation& op : plan.operations) {
    if (!op.is(plan::op::linear)) continue;
    const Shape& weight = plan.values[static_cast<std::size_t>(op.inputs[1])].shape;
    const std::int64_t rows =
        element_count(plan.values[static_cast<std::size_t>(op.inputs[0])].shape) / weight[1];
    const MatrixShape shape{.rows = rows, .inner = weight[1], .columns = weight[0]};
    if (std::find(out.begin(), out.end(), shape) == out.end()) out.push_back(shape);
  }
  return out;
}

std::string size_text(const MatrixShape& shape) {
  return concat(shape.rows, " x ", shape.inner, " x ", shape.columns);
}

double flops_of(const MatrixShape& shape) {
  return 2 * static_cast<double>(shape.rows) * static_cast<double>(shape.inner) *
         static_cast<double>(shape.columns);
}

/// x W^T as LibTorch stores both, through the BLAS interface.
class Gemm : public Product {
 public:
  explicit Gemm(const MatrixShape& shape)
      : shape_(shape),
        x_(static_cast<std::size_t>(shape.rows * shape.inner), 0.5F),
        weight_(static_cast<std::size_t>(shape.inner * shape.columns), 0.25F),
        y_(static_cast<std::size_t>(shape.rows * shape.columns)) {}

  void run() override {
    if (dnnl_sgemm('N', 'T', shape_.rows, shape_.columns, shape_.inner, 1, x_.data(), shape_.inner,
                   weight_.data(), shape_.inner, 0, y_.data(), shape_.columns) != dnnl_success) {
      throw_internal("oneDNN refused a matrix product");
    }
  }
  [[nodiscard]] double flops() const override { return flops_of(shape_); }
  [[nodiscard]] std::string name() const override { return concat("sgemm ", size_text(shape_)); }

 private:
  MatrixShape shape_;
  std::vector<float> x_, weight_, y_;
};

/// A primitive with memory of its own in the orders it asks for, filled with a constant.
class Primitive : public Product {
 public:
  void run() override {
    primitive_.execute(stream_, arguments_);
    stream_.wait();
  }
  [[nodiscard]] double flops() const override { return flops_; }
  [[nodiscard]] std::string name() const override { return name_; }

 protected:
  Primitive(std::string name, double flops)
      : name_(std::move(name)),
        flops_(flops),
        engine_(dnnl::engine::kind::cpu, 0),
        stream_(engine_) {}

  template <class Description>
  void prepare(const Description& description) {
    primitive_ = dnnl::primitive(description);
    const auto give = [&](int role, const memory::desc& what) {
      const memory made(what, engine_);
      std::fill_n(static_cast<float*>(made.get_data_handle()), what.get_size() / sizeof(float),
                  0.5F);
      arguments_.insert({role, made});
    };
    give(DNNL_ARG_SRC, description.src_desc());
    give(DNNL_ARG_WEIGHTS, description.weights_desc());
    give(DNNL_ARG_DST, description.dst_desc());
  }
  [[nodiscard]] const dnnl::engine& engine() const { return engine_; }

 private:
  std::string name_;
  double flops_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::primitive primitive_;
  std::unordered_map<int, memory> arguments_;
};

class PackedMatmul : public Primitive {
 public:
  explicit PackedMatmul(const MatrixShape& shape)
      : Primitive(concat("matmul ", size_text(shape), ", packed weights"), flops_of(shape)) {
    const memory::desc x({shape.rows, shape.inner}, Type::f32, Tag::ab);
    const memory::desc weight({shape.inner, shape.columns}, Type::f32, Tag::any);
    const memory::desc y({shape.rows, shape.columns}, Type::f32, Tag::ab);
    prepare(dnnl::matmul::primitive_desc(dnnl::matmul::desc(x, weight, y), engine()));
  }
};

class Convolution : public Primitive {
 public:
  Convolution(const Shape& x, const Shape& weight, const Shape& y, const net::Convolution& how)
      : Primitive(concat("convolution ", shape_text(x), " by ", shape_text(weight)),
                  2 * static_cast<double>(element_count(y) * weight[1] * weight[2] * weight[3])) {
    const auto any = [](const Shape& shape) { return memory::desc(shape, Type::f32, Tag::any); };
    const memory::dims strides{how.stride, how.stride};
    const memory::dims padding{how.padding, how.padding};
    prepare(dnnl::convolution_forward::primitive_desc(
        dnnl::convolution_forward::desc(dnnl::prop_kind::forward_inference,
                                        dnnl::algorithm::convolution_direct, any(x), any(weight),
                                        any(y), strides, padding, padding),
        engine()));
  }
};

/// Median seconds of the runs that fit in `seconds`, at least three.
double median_seconds(Product& product, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  const auto since = [](Clock::time_point from) {
    return std::chrono::duration<double>(Clock::now() - from).count();
  };
  product.run();
  std::vector<double> runs;
  while (runs.size() < 3 || since(begin) < seconds) {
    const auto start = Clock::now();
    product.run();
    runs.push_back(since(start));
  }
  return measure::estimate(runs).median;
}

/// oneDNN takes its threads from OpenMP.
void share_threads() {
#ifdef _OPENMP
  omp_set_num_threads(thread_count());
#endif
}

}  // namespace

std::vector<std::unique_ptr<Product>> products_of(const plan::Plan& plan) {
  std::vector<std::unique_ptr<Product>> out;
  for (const MatrixShape& shape : matrix_shapes(plan)) {
    out.push_back(std::make_unique<Gemm>(shape));
    out.push_back(std::make_unique<PackedMatmul>(shape));
  }
  std::vector<std::string> seen;
  for (const plan::Operation& op : plan.operations) {
    if (!op.is(plan::op::conv2d)) continue;
    const auto& how = std::get<net::Convolution>(op.detail);
    if (how.groups != 1) continue;
    const auto shape = [&](plan::ValueId id) -> const Shape& {
      return plan.values[static_cast<std::size_t>(id)].shape;
    };
    auto product = std::make_unique<Convolution>(shape(op.inputs[0]), shape(op.inputs[1]),
                                                 shape(op.output()), how);
    if (std::find(seen.begin(), seen.end(), product->name()) != seen.end()) continue;
    seen.push_back(product->name());
    out.push_back(std::move(product));
  }
  return out;
}

MatrixRate best_matrix_rate(const std::vector<plan::Plan>& plans, double seconds) {
  share_threads();
  struct Candidate {
    double rate = 0;
    std::unique_ptr<Product> product;
  };
  std::vector<Candidate> candidates;
  for (const plan::Plan& plan : plans) {
    for (std::unique_ptr<Product>& product : products_of(plan)) {
      const double rate = product->flops() / median_seconds(*product, seconds);
      candidates.push_back({rate, std::move(product)});
    }
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.rate > b.rate; });
  constexpr std::size_t finalists = 5;
  if (candidates.size() > finalists) candidates.resize(finalists);
  std::vector<measure::Contender> contenders;
  for (const Candidate& one : candidates) {
    contenders.push_back(
        {.name = one.product->name(), .run = [product = one.product.get()] { product->run(); }});
  }
  const std::vector<measure::Times> times =
      measure::measure_in_turn(contenders, {.seconds = seconds / 10});
  MatrixRate out;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const double rate = candidates[i].product->flops() / measure::estimate(times[i].seconds).median;
    if (rate <= out.flops_per_second) continue;
    out.flops_per_second = rate;
    out.best = std::move(candidates[i].product);
  }
  return out;
}

}  // namespace medurwkv::bench
