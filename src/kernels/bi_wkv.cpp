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

/// Sums of the gradients of decay and first, rows x channels, added up in a fixed order at the end:
/// a row for each batch element, or for each block of its tokens.
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

/// A strip: channels begin .. begin + count - 1 of one batch element.
struct Place {
  std::int64_t batch = 0;
  std::int64_t begin = 0;
  std::int64_t count = 0;
};

/// A run of tokens, and the sums over the tokens around it.
struct TokenRun {
  std::int64_t begin = 0;
  std::int64_t count = 0;
  const WkvEdge* before = nullptr;
  const WkvEdge* behind = nullptr;
  const WkvEdge* outputs_before = nullptr;
  const WkvEdge* outputs_behind = nullptr;
  WkvEdge* after = nullptr;
  std::int64_t number = 0;  ///< of the run among the runs of a sequence
};

std::size_t size(std::int64_t count) {
  return static_cast<std::size_t>(count);
}

/// Written so that a NaN is beyond them.
bool within_limits(const Job<float>& job, const Place& place) {
  const std::int64_t tokens = job.shape.tokens;
  const float chunk =
      job.mode == WkvMode::exact ? 0.F : static_cast<float>(wkv_chunk(job.mode, tokens));
  for (std::int64_t i = place.begin; i < place.begin + place.count; ++i) {
    const float decay = std::abs(job.in.decay[i]);
    if (!(decay <= wkv_decay_limit && chunk * decay <= wkv_growth_limit &&
          -job.in.decay[i] * static_cast<float>(tokens) <= wkv_growth_limit &&
          std::abs(job.in.first[i]) <= wkv_first_limit)) {
      return false;
    }
  }
  return true;
}

/// Runs the kernels on one thread's strips, of at most `longest` tokens. Copies a strip that is
/// narrower than the vectors into a whole one.
class StripRunner {
 public:
  StripRunner(const Job<float>& job, const VectorKernels& kernels, std::int64_t longest)
      : job_(job),
        kernels_(kernels),
        work_(size(wkv_work_arrays * longest * kernels.lanes)),
        decay_(size(kernels.lanes)),
        first_(size(kernels.lanes)),
        decay_sum_(size(kernels.lanes)),
        first_sum_(size(kernels.lanes)) {}

  void forward(const Place& place, const TokenRun& run) {
    const bool whole = is_whole(place);
    kernels_.wkv_forward(strip_of(place, run), whole ? job_.y + offset(place, run) : room(y_, run));
    if (!whole) unpack(y_, job_.y, place, run);
  }

  void edges(const Place& place, const TokenRun& run, WkvEdge* before, WkvEdge& behind) {
    kernels_.wkv_edges(strip_of(place, run), before, behind);
  }

  void output_edges(const Place& place, const TokenRun& run, WkvEdge& before, WkvEdge& behind) {
    kernels_.wkv_output_edges(strip_of(place, run), grad_y(place, run), before, behind);
  }

  void backward(const Place& place, const TokenRun& run) {
    const bool whole = is_whole(place);
    const std::int64_t at = offset(place, run);
    std::fill(decay_sum_.begin(), decay_sum_.end(), 0);
    std::fill(first_sum_.begin(), first_sum_.end(), 0);
    kernels_.wkv_backward(strip_of(place, run), grad_y(place, run),
                          whole ? job_.grad.key + at : room(grad_key_, run),
                          whole ? job_.grad.value + at : room(grad_value_, run), decay_sum_.data(),
                          first_sum_.data());
    if (!whole) {
      unpack(grad_key_, job_.grad.key, place, run);
      unpack(grad_value_, job_.grad.value, place, run);
    }
    const std::int64_t row = run.number * job_.shape.batch + place.batch;
    const std::int64_t sums_at = row * job_.shape.channels + place.begin;
    std::copy_n(decay_sum_.begin(), place.count, job_.sums->decay.begin() + sums_at);
    std::copy_n(first_sum_.begin(), place.count, job_.sums->first.begin() + sums_at);
  }

 private:
  [[nodiscard]] bool is_whole(const Place& place) const { return place.count == kernels_.lanes; }

  [[nodiscard]] std::int64_t offset(const Place& place, const TokenRun& run) const {
    return (place.batch * job_.shape.tokens + run.begin) * job_.shape.channels + place.begin;
  }

  const float* grad_y(const Place& place, const TokenRun& run) {
    return is_whole(place) ? job_.grad_y + offset(place, run) : packed(y_, job_.grad_y, place, run);
  }

  WkvStrip strip_of(const Place& place, const TokenRun& run) {
    const bool whole = is_whole(place);
    const std::int64_t at = offset(place, run);
    std::copy_n(job_.in.decay + place.begin, place.count, decay_.begin());
    std::copy_n(job_.in.first + place.begin, place.count, first_.begin());
    return {.tokens = run.count,
            .stride = whole ? job_.shape.channels : kernels_.lanes,
            .chunk = wkv_chunk(job_.mode, job_.shape.tokens),
            .mode = job_.mode,
            .decay = decay_.data(),
            .first = first_.data(),
            .key = whole ? job_.in.key + at : packed(key_, job_.in.key, place, run),
            .value = whole ? job_.in.value + at : packed(value_, job_.in.value, place, run),
            .work = work_.data(),
            .before = run.before,
            .behind = run.behind,
            .outputs_before = run.outputs_before,
            .outputs_behind = run.outputs_behind,
            .after = run.after};
  }

  float* room(std::vector<float>& to, const TokenRun& run) const {
    to.resize(size(run.count * kernels_.lanes));
    return to.data();
  }

  const float* packed(std::vector<float>& to, const float* from, const Place& place,
                      const TokenRun& run) {
    room(to, run);
    const float* at = from + offset(place, run);
    for (std::int64_t t = 0; t < run.count; ++t) {
      std::copy_n(at + t * job_.shape.channels, place.count, to.begin() + t * kernels_.lanes);
    }
    return to.data();
  }

  void unpack(const std::vector<float>& from, float* to, const Place& place,
              const TokenRun& run) const {
    float* at = to + offset(place, run);
    for (std::int64_t t = 0; t < run.count; ++t) {
      std::copy_n(from.begin() + t * kernels_.lanes, place.count, at + t * job_.shape.channels);
    }
  }

  const Job<float>& job_;
  const VectorKernels& kernels_;
  std::vector<float> work_, decay_, first_;
  std::vector<double> decay_sum_, first_sum_;
  std::vector<float> key_, value_, y_, grad_key_, grad_value_;
};

/// All strips of a job on one instruction set.
class Strips {
 public:
  Strips(const Job<float>& job, const VectorKernels& kernels)
      : job_(job),
        kernels_(kernels),
        across_((job.shape.channels + kernels.lanes - 1) / kernels.lanes) {
    for (std::int64_t i = 0; i < job.shape.batch * across_; ++i) {
      const std::int64_t begin = i % across_ * kernels.lanes;
      places_.push_back({.batch = i / across_,
                         .begin = begin,
                         .count = std::min(kernels.lanes, job.shape.channels - begin)});
      inside_.push_back(within_limits(job, places_.back()));
    }
  }

  /// Runs many tokens in blocks. A block and the next one, which the passes prefetch, stay in a
  /// core's cache, and a few strips are enough for many threads. Blocks end where the released
  /// modes' chunks do.
  void run() {
    const std::int64_t tokens = job_.shape.tokens;
    if (tokens >= tokens_for_blocks) {
      const std::int64_t chunk = job_.mode == WkvMode::exact ? 1 : wkv_chunk(job_.mode, tokens);
      length_ = (tokens_per_block + chunk - 1) / chunk * chunk;
      blocks_ = (tokens + length_ - 1) / length_;
      run_in_blocks();
      return;
    }
    for_each(count(), tokens, [&](StripRunner& runner, std::int64_t i) {
      const Place& place = places_[size(i)];
      if (!inside_[size(i)]) {
        run_columns(place);
      } else if (job_.sums == nullptr) {
        runner.forward(place, {.begin = 0, .count = tokens});
      } else {
        runner.backward(place, {.begin = 0, .count = tokens});
      }
    });
  }

 private:
  static constexpr std::int64_t tokens_per_block = 256;
  static constexpr std::int64_t tokens_for_blocks = 2048;

  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(places_.size()); }

  template <class Body>
  void for_each(std::int64_t items, std::int64_t longest, const Body& body) const {
    parallel_for(items, [&](std::int64_t begin, std::int64_t end) {
      StripRunner runner(job_, kernels_, longest);
      for (std::int64_t i = begin; i < end; ++i) body(runner, i);
    });
  }

  void run_columns(const Place& place) const {
    for (std::int64_t i = 0; i < place.count; ++i) run_column(job_, place.batch, place.begin + i);
  }

  /// The sums around a block b of a strip: those before it in before[b], those behind it in
  /// behind[b + 1].
  struct Edges {
    std::vector<WkvEdge> before, behind;
  };

  [[nodiscard]] std::size_t at(std::int64_t strip, std::int64_t block) const {
    return size(strip * (blocks_ + 1) + block);
  }

  [[nodiscard]] Edges no_edges() const {
    WkvEdge nothing{};
    std::fill_n(nothing.top, WkvEdge::most_lanes, WkvEdge::nothing);
    const std::vector<WkvEdge> all(size(count() * (blocks_ + 1)), nothing);
    return {all, all};
  }

  [[nodiscard]] TokenRun block_of(std::int64_t block) const {
    const std::int64_t begin = block * length_;
    return {.begin = begin, .count = std::min(length_, job_.shape.tokens - begin), .number = block};
  }

  /// First finds the sums around the blocks, then runs the blocks. Forward, with enough strips for
  /// the threads, it first finds only those behind; each block then hands on the sums before the
  /// next.
  void run_in_blocks() {
    const bool split = count() < thread_count();
    const bool handed_on = !split && job_.sums == nullptr;
    Edges tokens = no_edges();
    for_each_block(split, [&](StripRunner& runner, std::int64_t strip, std::int64_t block) {
      runner.edges(places_[size(strip)], block_of(block),
                   handed_on ? nullptr : &tokens.before[at(strip, block + 1)],
                   tokens.behind[at(strip, block)]);
    });
    join(tokens);
    const auto run_of = [&](std::int64_t strip, std::int64_t block) {
      TokenRun run = block_of(block);
      run.before = &tokens.before[at(strip, block)];
      run.behind = &tokens.behind[at(strip, block + 1)];
      return run;
    };
    if (job_.sums != nullptr) {
      backward_in_blocks(run_of, split);
    } else {
      for_each_block(split, [&](StripRunner& runner, std::int64_t strip, std::int64_t block) {
        TokenRun run = run_of(strip, block);
        if (handed_on) run.after = &tokens.before[at(strip, block + 1)];
        runner.forward(places_[size(strip)], run);
      });
    }
    for_each(count(), 1, [&](StripRunner&, std::int64_t strip) {
      if (!inside_[size(strip)]) run_columns(places_[size(strip)]);
    });
  }

  /// First finds the sums over outputs around the blocks, then their gradients.
  template <class RunOf>
  void backward_in_blocks(const RunOf& run_of, bool split) {
    const std::size_t rows = size(blocks_ * job_.shape.batch * job_.shape.channels);
    job_.sums->decay.assign(rows, 0);
    job_.sums->first.assign(rows, 0);
    Edges outputs = no_edges();
    for_each_block(split, [&](StripRunner& runner, std::int64_t strip, std::int64_t block) {
      runner.output_edges(places_[size(strip)], run_of(strip, block),
                          outputs.before[at(strip, block + 1)], outputs.behind[at(strip, block)]);
    });
    join(outputs);
    for_each_block(split, [&](StripRunner& runner, std::int64_t strip, std::int64_t block) {
      TokenRun run = run_of(strip, block);
      run.outputs_before = &outputs.before[at(strip, block)];
      run.outputs_behind = &outputs.behind[at(strip, block + 1)];
      runner.backward(places_[size(strip)], run);
    });
  }

  /// Turns the sums over each single block into sums over all blocks on one side.
  void join(Edges& edges) const {
    for (std::int64_t strip = 0; strip < count(); ++strip) {
      const Place& place = places_[size(strip)];
      for (std::int64_t block = 1; block < blocks_; ++block) {
        add_far(place, edges.before[at(strip, block)], block_of(block).count,
                edges.before[at(strip, block + 1)]);
      }
      for (std::int64_t block = blocks_ - 2; block >= 0; --block) {
        add_far(place, edges.behind[at(strip, block + 1)], block_of(block).count,
                edges.behind[at(strip, block)]);
      }
    }
  }

  /// Calls body(runner, strip, block) for all strips within the limits. Unless `split` spreads them
  /// over the threads, a strip's blocks come in order, and a thread takes a block of all its strips
  /// of a batch element before the next block: neighbouring strips share pages and cache lines.
  template <class Body>
  void for_each_block(bool split, const Body& body) const {
    const auto unless_outside = [&](StripRunner& runner, std::int64_t strip, std::int64_t block) {
      if (inside_[size(strip)]) body(runner, strip, block);
    };
    if (split) {
      for_each(count() * blocks_, length_, [&](StripRunner& runner, std::int64_t i) {
        unless_outside(runner, i / blocks_, i % blocks_);
      });
      return;
    }
    parallel_for(count(), [&](std::int64_t begin, std::int64_t end) {
      StripRunner runner(job_, kernels_, length_);
      for (std::int64_t first = begin, next = begin; first < end; first = next) {
        while (next < end && next / across_ == first / across_) ++next;
        for (std::int64_t block = 0; block < blocks_; ++block) {
          for (std::int64_t strip = first; strip < next; ++strip) {
            unless_outside(runner, strip, block);
          }
        }
      }
    });
  }

  /// Adds `far`, the edge `steps` tokens further away, to `near`.
  void add_far(const Place& place, const WkvEdge& far, std::int64_t steps, WkvEdge& near) const {
    for (std::int64_t lane = 0; lane < place.count; ++lane) {
      const float decay = job_.in.decay[place.begin + lane];
      const float top = far.top[lane] - static_cast<float>(steps) * decay;
      const float larger = std::max(top, near.top[lane]);
      const float share = std::exp(top - larger);
      const float rest = std::exp(near.top[lane] - larger);
      const auto count = static_cast<float>(steps);
      near.top[lane] = larger;
      near.far_a[lane] = (far.far_a[lane] + count * far.a[lane]) * share + near.far_a[lane] * rest;
      near.far_b[lane] = (far.far_b[lane] + count * far.b[lane]) * share + near.far_b[lane] * rest;
      near.a[lane] = far.a[lane] * share + near.a[lane] * rest;
      near.b[lane] = far.b[lane] * share + near.b[lane] * rest;
    }
  }

  const Job<float>& job_;
  const VectorKernels& kernels_;
  std::int64_t across_;
  std::vector<Place> places_;
  std::vector<bool> inside_;
  std::int64_t length_ = 0;  ///< of a block
  std::int64_t blocks_ = 1;
};

template <class Real>
void run(const Job<Real>& job) {
  const WkvShape& shape = job.shape;
  if (shape.tokens == 0) return;
  if constexpr (std::is_same_v<Real, float>) {
    // A single token is not worth a vector. Without e its result is its value, which a vector would
    // round.
    const VectorKernels* kernels = vector_kernels();
    if (kernels != nullptr && shape.tokens > 1) {
      Strips(job, *kernels).run();
      return;
    }
  }
  parallel_for(shape.batch * shape.channels, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      run_column(job, i / shape.channels, i % shape.channels);
    }
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
    for (auto i = static_cast<std::size_t>(c); i < sums.decay.size();
         i += static_cast<std::size_t>(shape.channels)) {
      decay += sums.decay[i];
      first += sums.first[i];
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
