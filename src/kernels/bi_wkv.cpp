#include "kernels/bi_wkv.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "core/threads.h"
#include "kernels/isa.h"
#include "kernels/ref/bi_wkv.h"
#include "kernels/vector/table.h"

namespace medurwkv::kernels {
namespace {

/// Sums of the gradients of decay and first, batch x channels, added up in a fixed order at the
/// end.
struct Sums {
  std::vector<double> decay, first;
};

template <class Real>
struct Job {
  WkvShape shape;
  WkvMode mode = WkvMode::exact;
  WkvInput<Real> in;
  Real* y = nullptr;             // forward
  const Real* grad_y = nullptr;  // backward, with what follows
  WkvGradient<Real> grad;
  Sums* sums = nullptr;
};

template <class Real>
void run_column(const Job<Real>& job, std::int64_t batch, std::int64_t channel) {
  if (job.sums == nullptr) {
    ref::wkv_forward_column(job.shape, job.mode, job.in, batch, channel, job.y);
    return;
  }
  const auto column = ref::wkv_backward_column(job.shape, job.mode, job.in, job.grad_y, batch,
                                               channel, job.grad.key, job.grad.value);
  const auto at = static_cast<std::size_t>(batch * job.shape.channels + channel);
  job.sums->decay[at] = column.decay;
  job.sums->first[at] = column.first;
}

/// A strip's channels begin .. begin + count - 1 of one batch element.
struct Place {
  std::int64_t batch = 0;
  std::int64_t begin = 0;
  std::int64_t count = 0;
};

/// One thread's way through strips: copies strips that are narrower than the vectors into whole
/// ones.
class StripRunner {
 public:
  StripRunner(const Job<float>& job, const VectorKernels& kernels)
      : job_(job),
        kernels_(kernels),
        tokens_(job.shape.tokens),
        work_(size(wkv_work_arrays * tokens_ * kernels.lanes)),
        decay_(size(kernels.lanes)),
        first_(size(kernels.lanes)),
        decay_sum_(size(kernels.lanes)),
        first_sum_(size(kernels.lanes)) {}

  void run(const Place& place) {
    if (!within_limits(place)) {
      for (std::int64_t i = 0; i < place.count; ++i) run_column(job_, place.batch, place.begin + i);
      return;
    }
    const bool whole = place.count == kernels_.lanes;
    const std::int64_t offset = place.batch * tokens_ * job_.shape.channels + place.begin;
    std::copy_n(job_.in.decay + place.begin, place.count, decay_.begin());
    std::copy_n(job_.in.first + place.begin, place.count, first_.begin());
    WkvStrip strip{.tokens = tokens_,
                   .stride = whole ? job_.shape.channels : kernels_.lanes,
                   .chunk = wkv_chunk(job_.mode, tokens_),
                   .mode = job_.mode,
                   .decay = decay_.data(),
                   .first = first_.data(),
                   .key = whole ? job_.in.key + offset : packed(key_, job_.in.key, place),
                   .value = whole ? job_.in.value + offset : packed(value_, job_.in.value, place),
                   .work = work_.data()};
    if (job_.sums == nullptr) {
      kernels_.wkv_forward(strip, whole ? job_.y + offset : room(y_));
      if (!whole) unpack(y_, job_.y, place);
      return;
    }
    std::fill(decay_sum_.begin(), decay_sum_.end(), 0);
    std::fill(first_sum_.begin(), first_sum_.end(), 0);
    kernels_.wkv_backward(strip, whole ? job_.grad_y + offset : packed(y_, job_.grad_y, place),
                          whole ? job_.grad.key + offset : room(grad_key_),
                          whole ? job_.grad.value + offset : room(grad_value_), decay_sum_.data(),
                          first_sum_.data());
    if (!whole) {
      unpack(grad_key_, job_.grad.key, place);
      unpack(grad_value_, job_.grad.value, place);
    }
    const auto at = place.batch * job_.shape.channels + place.begin;
    std::copy_n(decay_sum_.begin(), place.count, job_.sums->decay.begin() + at);
    std::copy_n(first_sum_.begin(), place.count, job_.sums->first.begin() + at);
  }

 private:
  static std::size_t size(std::int64_t count) { return static_cast<std::size_t>(count); }

  /// Written so that a NaN is beyond them.
  [[nodiscard]] bool within_limits(const Place& place) const {
    const float chunk =
        job_.mode == WkvMode::exact ? 0.F : static_cast<float>(wkv_chunk(job_.mode, tokens_));
    for (std::int64_t i = place.begin; i < place.begin + place.count; ++i) {
      const float decay = std::abs(job_.in.decay[i]);
      if (!(decay <= wkv_decay_limit && chunk * decay <= wkv_growth_limit &&
            -job_.in.decay[i] * static_cast<float>(tokens_) <= wkv_growth_limit &&
            std::abs(job_.in.first[i]) <= wkv_first_limit)) {
        return false;
      }
    }
    return true;
  }

  float* room(std::vector<float>& to) const {
    to.resize(size(tokens_ * kernels_.lanes));
    return to.data();
  }

  const float* packed(std::vector<float>& to, const float* from, const Place& place) {
    room(to);
    const float* at = from + place.batch * tokens_ * job_.shape.channels + place.begin;
    for (std::int64_t t = 0; t < tokens_; ++t) {
      std::copy_n(at + t * job_.shape.channels, place.count, to.begin() + t * kernels_.lanes);
    }
    return to.data();
  }

  void unpack(const std::vector<float>& from, float* to, const Place& place) const {
    float* at = to + place.batch * tokens_ * job_.shape.channels + place.begin;
    for (std::int64_t t = 0; t < tokens_; ++t) {
      std::copy_n(from.begin() + t * kernels_.lanes, place.count, at + t * job_.shape.channels);
    }
  }

  const Job<float>& job_;
  const VectorKernels& kernels_;
  std::int64_t tokens_;
  std::vector<float> work_, decay_, first_;
  std::vector<double> decay_sum_, first_sum_;
  std::vector<float> key_, value_, y_, grad_key_, grad_value_;
};

template <class Real>
void run(const Job<Real>& job) {
  const WkvShape& shape = job.shape;
  if (shape.tokens == 0) return;
  // A single token's result is its value, exactly: not worth a vector, and rounded in one.
  const bool vectors = std::is_same_v<Real, float> && shape.tokens > 1;
  const VectorKernels* kernels = vectors ? vector_kernels() : nullptr;
  const std::int64_t width = kernels != nullptr ? kernels->lanes : 1;
  const std::int64_t strips = (shape.channels + width - 1) / width;
  parallel_for(shape.batch * strips, [&](std::int64_t begin, std::int64_t end) {
    if constexpr (std::is_same_v<Real, float>) {
      if (kernels != nullptr) {
        StripRunner runner(job, *kernels);
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t channel = i % strips * width;
          runner.run({i / strips, channel, std::min(width, shape.channels - channel)});
        }
        return;
      }
    }
    for (std::int64_t i = begin; i < end; ++i) run_column(job, i / strips, i % strips);
  });
}

}  // namespace

template <class Real>
void bi_wkv_forward(const WkvShape& shape, WkvMode mode, const WkvInput<Real>& in, Real* y) {
  run(Job<Real>{.shape = shape, .mode = mode, .in = in, .y = y, .grad = {}});
}

template <class Real>
void bi_wkv_backward(const WkvShape& shape, WkvMode mode, const WkvInput<Real>& in,
                     const Real* grad_y, const WkvGradient<Real>& grad) {
  const auto columns = static_cast<std::size_t>(shape.batch * shape.channels);
  Sums sums{std::vector<double>(columns), std::vector<double>(columns)};
  run(Job<Real>{
      .shape = shape, .mode = mode, .in = in, .grad_y = grad_y, .grad = grad, .sums = &sums});
  for (std::int64_t c = 0; c < shape.channels; ++c) {
    double decay = 0;
    double first = 0;
    for (std::int64_t b = 0; b < shape.batch; ++b) {
      decay += sums.decay[static_cast<std::size_t>(b * shape.channels + c)];
      first += sums.first[static_cast<std::size_t>(b * shape.channels + c)];
    }
    grad.decay[c] = static_cast<Real>(decay);
    grad.first[c] = static_cast<Real>(first);
  }
}

template void bi_wkv_forward(const WkvShape&, WkvMode, const WkvInput<float>&, float*);
template void bi_wkv_forward(const WkvShape&, WkvMode, const WkvInput<double>&, double*);
template void bi_wkv_backward(const WkvShape&, WkvMode, const WkvInput<float>&, const float*,
                              const WkvGradient<float>&);
template void bi_wkv_backward(const WkvShape&, WkvMode, const WkvInput<double>&, const double*,
                              const WkvGradient<double>&);

}  // namespace medurwkv::kernels
