#include "kernels/bi_wkv.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "core/threads.h"
#include "kernels/isa.h"
#include "kernels/ref/bi_wkv.h"
#include "kernels/vector/table.h"
#include "kernels/workspace.h"

namespace medurwkv::kernels {
namespace {

/// Sums of the gradients of decay and first, rows x channels, added up in a fixed order at the end:
/// a row for each batch element, or for each block of its tokens.
struct Sums {
  std::int64_t rows = 0;
  double *decay = nullptr, *first = nullptr;

  Sums() = default;
  Sums(Cutter& cutter, std::int64_t row_count, std::int64_t channels)
      : rows(row_count),
        decay(cutter.take<double>(row_count * channels)),
        first(cutter.take<double>(row_count * channels)) {}
};

template <class Real>
struct Job {
  WkvShape shape;
  WkvMode mode = WkvMode::exact;
  bool backward = false;
  WkvInput<Real> in;
  Real* y = nullptr;             // forward
  const Real* grad_y = nullptr;  // backward, with what follows
  WkvGradient<Real> grad;
  Sums sums;
};

template <class Real>
std::int64_t column_bytes(const Job<Real>& job) {
  return job.backward ? ref::wkv_backward_column_workspace(job.shape.tokens)
                      : ref::wkv_forward_column_workspace(job.shape.tokens);
}

template <class Real>
void run_column(const Job<Real>& job, std::int64_t batch, std::int64_t channel, Workspace room) {
  if (!job.backward) {
    ref::wkv_forward_column(job.shape, job.mode, job.in, batch, channel, job.y, room);
    return;
  }
  const auto column = ref::wkv_backward_column(job.shape, job.mode, job.in, job.grad_y, batch,
                                               channel, job.grad.key, job.grad.value, room);
  const std::int64_t at = batch * job.shape.channels + channel;
  job.sums.decay[at] = column.decay;
  job.sums.first[at] = column.first;
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

/// Where one thread works.
struct StripRoom {
  float *work, *decay, *first;
  double *decay_sum, *first_sum;
  float *key, *value, *y, *grad_key, *grad_value;  ///< a narrow strip's
  Workspace column;                                ///< of the reference

  /// For at most `longest` tokens; with narrow strips; with so many bytes for the reference.
  StripRoom(Cutter& cutter, std::int64_t lanes, std::int64_t longest, bool narrow,
            std::int64_t for_column)
      : work(cutter.take<float>(wkv_work_arrays * longest * lanes)),
        decay(cutter.take<float>(lanes)),
        first(cutter.take<float>(lanes)),
        decay_sum(cutter.take<double>(lanes)),
        first_sum(cutter.take<double>(lanes)),
        key(cutter.take<float>(narrow ? longest * lanes : 0)),
        value(cutter.take<float>(narrow ? longest * lanes : 0)),
        y(cutter.take<float>(narrow ? longest * lanes : 0)),
        grad_key(cutter.take<float>(narrow ? longest * lanes : 0)),
        grad_value(cutter.take<float>(narrow ? longest * lanes : 0)),
        column(cutter.take<std::byte>(for_column), static_cast<std::size_t>(for_column)) {}
};

/// Runs the kernels on one thread's strips. Copies a strip that is narrower than the vectors into a
/// whole one, with zeros in the lanes beyond it.
class StripRunner {
 public:
  StripRunner(const Job<float>& job, const VectorKernels& kernels, const StripRoom& room)
      : job_(job), kernels_(kernels), room_(room) {}

  void forward(const Place& place, const TokenRun& run) {
    const bool whole = is_whole(place);
    kernels_.wkv_forward(strip_of(place, run), whole ? job_.y + offset(place, run) : room_.y);
    if (!whole) unpack(room_.y, job_.y, place, run);
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
    std::fill_n(room_.decay_sum, kernels_.lanes, 0);
    std::fill_n(room_.first_sum, kernels_.lanes, 0);
    kernels_.wkv_backward(
        strip_of(place, run), grad_y(place, run), whole ? job_.grad.key + at : room_.grad_key,
        whole ? job_.grad.value + at : room_.grad_value, room_.decay_sum, room_.first_sum);
    if (!whole) {
      unpack(room_.grad_key, job_.grad.key, place, run);
      unpack(room_.grad_value, job_.grad.value, place, run);
    }
    const std::int64_t row = run.number * job_.shape.batch + place.batch;
    const std::int64_t sums_at = row * job_.shape.channels + place.begin;
    std::copy_n(room_.decay_sum, place.count, job_.sums.decay + sums_at);
    std::copy_n(room_.first_sum, place.count, job_.sums.first + sums_at);
  }

  void columns(const Place& place) {
    for (std::int64_t i = 0; i < place.count; ++i) {
      run_column(job_, place.batch, place.begin + i, room_.column);
    }
  }

 private:
  [[nodiscard]] bool is_whole(const Place& place) const { return place.count == kernels_.lanes; }

  [[nodiscard]] std::int64_t offset(const Place& place, const TokenRun& run) const {
    return (place.batch * job_.shape.tokens + run.begin) * job_.shape.channels + place.begin;
  }

  const float* grad_y(const Place& place, const TokenRun& run) {
    return is_whole(place) ? job_.grad_y + offset(place, run)
                           : packed(room_.y, job_.grad_y, place, run);
  }

  WkvStrip strip_of(const Place& place, const TokenRun& run) {
    const bool whole = is_whole(place);
    const std::int64_t at = offset(place, run);
    copy_row(job_.in.decay + place.begin, place, room_.decay);
    copy_row(job_.in.first + place.begin, place, room_.first);
    return {.tokens = run.count,
            .stride = whole ? job_.shape.channels : kernels_.lanes,
            .chunk = wkv_chunk(job_.mode, job_.shape.tokens),
            .mode = job_.mode,
            .decay = room_.decay,
            .first = room_.first,
            .key = whole ? job_.in.key + at : packed(room_.key, job_.in.key, place, run),
            .value = whole ? job_.in.value + at : packed(room_.value, job_.in.value, place, run),
            .work = room_.work,
            .before = run.before,
            .behind = run.behind,
            .outputs_before = run.outputs_before,
            .outputs_behind = run.outputs_behind,
            .after = run.after};
  }

  const float* packed(float* to, const float* from, const Place& place, const TokenRun& run) const {
    const float* at = from + offset(place, run);
    for (std::int64_t t = 0; t < run.count; ++t) {
      copy_row(at + t * job_.shape.channels, place, to + t * kernels_.lanes);
    }
    return to;
  }

  void copy_row(const float* from, const Place& place, float* to) const {
    std::fill(std::copy_n(from, place.count, to), to + kernels_.lanes, 0.F);
  }

  void unpack(const float* from, float* to, const Place& place, const TokenRun& run) const {
    float* at = to + offset(place, run);
    for (std::int64_t t = 0; t < run.count; ++t) {
      std::copy_n(from + t * kernels_.lanes, place.count, at + t * job_.shape.channels);
    }
  }

  const Job<float>& job_;
  const VectorKernels& kernels_;
  StripRoom room_;
};

/// The sums around a block b of a strip: those before it in before[b], those behind it in
/// behind[b + 1].
struct Edges {
  std::int64_t count;  ///< over all strips
  WkvEdge *before, *behind;

  Edges(Cutter& cutter, std::int64_t number)
      : count(number), before(cutter.take<WkvEdge>(number)), behind(cutter.take<WkvEdge>(number)) {}

  void clear() const {
    WkvEdge nothing{};
    std::fill_n(nothing.top, WkvEdge::most_lanes, WkvEdge::nothing);
    std::fill_n(before, count, nothing);
    std::fill_n(behind, count, nothing);
  }
};

/// All strips of a job on one instruction set. Many tokens run in blocks. A block and the next one,
/// which the passes prefetch, stay in a core's cache, and a few strips are enough for many threads.
/// Blocks end where the released modes' chunks do.
class Strips {
 public:
  /// Takes what run() needs.
  Strips(Job<float>& job, const VectorKernels& kernels, Cutter& cutter)
      : job_(job),
        kernels_(kernels),
        across_((job.shape.channels + kernels.lanes - 1) / kernels.lanes),
        length_(block_length(job)),
        blocks_((job.shape.tokens + length_ - 1) / length_),
        tokens_(cutter, in_blocks() ? count() * (blocks_ + 1) : 0),
        outputs_(cutter, in_blocks() && job.backward ? count() * (blocks_ + 1) : 0),
        rooms_(cutter, count() * blocks_, room_bytes()) {
    if (job.backward) job.sums = Sums(cutter, blocks_ * job.shape.batch, job.shape.channels);
  }

  void run() {
    if (in_blocks()) {
      run_in_blocks();
      return;
    }
    for_each(count(), [&](StripRunner& runner, std::int64_t i) {
      const Place place = place_of(i);
      if (!within_limits(job_, place)) {
        runner.columns(place);
      } else if (job_.backward) {
        runner.backward(place, {.begin = 0, .count = job_.shape.tokens});
      } else {
        runner.forward(place, {.begin = 0, .count = job_.shape.tokens});
      }
    });
  }

 private:
  static constexpr std::int64_t tokens_per_block = 256;
  static constexpr std::int64_t tokens_for_blocks = 2048;

  static std::int64_t block_length(const Job<float>& job) {
    const std::int64_t tokens = job.shape.tokens;
    if (tokens < tokens_for_blocks) return tokens;
    const std::int64_t chunk = job.mode == WkvMode::exact ? 1 : wkv_chunk(job.mode, tokens);
    return (tokens_per_block + chunk - 1) / chunk * chunk;
  }

  [[nodiscard]] bool in_blocks() const { return job_.shape.tokens >= tokens_for_blocks; }
  [[nodiscard]] std::int64_t count() const { return job_.shape.batch * across_; }

  [[nodiscard]] Place place_of(std::int64_t strip) const {
    const std::int64_t begin = strip % across_ * kernels_.lanes;
    return {.batch = strip / across_,
            .begin = begin,
            .count = std::min(kernels_.lanes, job_.shape.channels - begin)};
  }

  StripRoom room_from(Cutter& cutter) const {
    bool outside = false;
    for (std::int64_t i = 0; i < across_; ++i) outside |= !within_limits(job_, place_of(i));
    const bool narrow = job_.shape.channels % kernels_.lanes != 0;
    return {cutter, kernels_.lanes, length_, narrow, outside ? column_bytes(job_) : 0};
  }

  [[nodiscard]] std::int64_t room_bytes() const {
    Cutter cutter;
    room_from(cutter);
    return cutter.bytes();
  }

  [[nodiscard]] StripRunner runner(std::int64_t part) const {
    Cutter cutter(rooms_.of(part));
    return {job_, kernels_, room_from(cutter)};
  }

  template <class Body>
  void for_each(std::int64_t items, const Body& body) const {
    parallel_for(items, [&](std::int64_t begin, std::int64_t end, std::int64_t part) {
      StripRunner mine = runner(part);
      for (std::int64_t i = begin; i < end; ++i) body(mine, i);
    });
  }

  [[nodiscard]] std::int64_t at(std::int64_t strip, std::int64_t block) const {
    return strip * (blocks_ + 1) + block;
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
    const bool handed_on = !split && !job_.backward;
    tokens_.clear();
    for_each_block(split, [&](StripRunner& runner, std::int64_t strip, std::int64_t block) {
      runner.edges(place_of(strip), block_of(block),
                   handed_on ? nullptr : &tokens_.before[at(strip, block + 1)],
                   tokens_.behind[at(strip, block)]);
    });
    join(tokens_);
    const auto run_of = [&](std::int64_t strip, std::int64_t block) {
      TokenRun run = block_of(block);
      run.before = &tokens_.before[at(strip, block)];
      run.behind = &tokens_.behind[at(strip, block + 1)];
      return run;
    };
    if (job_.backward) {
      backward_in_blocks(run_of, split);
    } else {
      for_each_block(split, [&](StripRunner& runner, std::int64_t strip, std::int64_t block) {
        TokenRun run = run_of(strip, block);
        if (handed_on) run.after = &tokens_.before[at(strip, block + 1)];
        runner.forward(place_of(strip), run);
      });
    }
    for_each(count(), [&](StripRunner& runner, std::int64_t strip) {
      const Place place = place_of(strip);
      if (!within_limits(job_, place)) runner.columns(place);
    });
  }

  /// First finds the sums over outputs around the blocks, then their gradients.
  template <class RunOf>
  void backward_in_blocks(const RunOf& run_of, bool split) {
    // A strip beyond the limits writes one row alone.
    std::fill_n(job_.sums.decay, job_.sums.rows * job_.shape.channels, 0);
    std::fill_n(job_.sums.first, job_.sums.rows * job_.shape.channels, 0);
    outputs_.clear();
    for_each_block(split, [&](StripRunner& runner, std::int64_t strip, std::int64_t block) {
      runner.output_edges(place_of(strip), run_of(strip, block),
                          outputs_.before[at(strip, block + 1)], outputs_.behind[at(strip, block)]);
    });
    join(outputs_);
    for_each_block(split, [&](StripRunner& runner, std::int64_t strip, std::int64_t block) {
      TokenRun run = run_of(strip, block);
      run.outputs_before = &outputs_.before[at(strip, block)];
      run.outputs_behind = &outputs_.behind[at(strip, block + 1)];
      runner.backward(place_of(strip), run);
    });
  }

  /// Turns the sums over each single block into sums over all blocks on one side.
  void join(const Edges& edges) const {
    for (std::int64_t strip = 0; strip < count(); ++strip) {
      const Place place = place_of(strip);
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
      if (within_limits(job_, place_of(strip))) body(runner, strip, block);
    };
    if (split) {
      for_each(count() * blocks_, [&](StripRunner& runner, std::int64_t i) {
        unless_outside(runner, i / blocks_, i % blocks_);
      });
      return;
    }
    parallel_for(count(), [&](std::int64_t begin, std::int64_t end, std::int64_t part) {
      StripRunner mine = runner(part);
      for (std::int64_t first = begin, next = begin; first < end; first = next) {
        while (next < end && next / across_ == first / across_) ++next;
        for (std::int64_t block = 0; block < blocks_; ++block) {
          for (std::int64_t strip = first; strip < next; ++strip) {
            unless_outside(mine, strip, block);
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

  Job<float>& job_;
  const VectorKernels& kernels_;
  std::int64_t across_;
  std::int64_t length_;  ///< of a block
  std::int64_t blocks_;
  Edges tokens_, outputs_;
  PartRooms rooms_;
};

/// Runs a job, or only counts what it takes.
template <class Real>
void run(Job<Real>& job, Cutter& cutter) {
  const WkvShape& shape = job.shape;
  if constexpr (std::is_same_v<Real, float>) {
    // A single token is not worth a vector. Without e its result is its value, which a vector would
    // round.
    const VectorKernels* kernels = vector_kernels();
    if (kernels != nullptr && shape.tokens > 1) {
      Strips strips(job, *kernels, cutter);
      if (!cutter.only_counts()) strips.run();
      return;
    }
  }
  const std::int64_t columns = shape.tokens == 0 ? 0 : shape.batch * shape.channels;
  const PartRooms rooms(cutter, columns, column_bytes(job));
  if (job.backward) job.sums = Sums(cutter, shape.batch, shape.channels);
  if (cutter.only_counts()) return;
  parallel_for(columns, [&](std::int64_t begin, std::int64_t end, std::int64_t part) {
    for (std::int64_t i = begin; i < end; ++i) {
      run_column(job, i / shape.channels, i % shape.channels, rooms.of(part));
    }
  });
}

template <class Real>
std::int64_t bytes_of(const WkvShape& shape, WkvMode mode, const Real* decay, const Real* first,
                      bool backward) {
  Job<Real> job{.shape = shape,
                .mode = mode,
                .backward = backward,
                .in = {.decay = decay, .first = first},
                .grad = {},
                .sums = {}};
  Cutter cutter;
  run(job, cutter);
  return cutter.bytes();
}

}  // namespace

template <class Real>
std::int64_t bi_wkv_forward_workspace(const WkvShape& shape, WkvMode mode, const Real* decay,
                                      const Real* first) {
  return bytes_of(shape, mode, decay, first, false);
}

template <class Real>
std::int64_t bi_wkv_backward_workspace(const WkvShape& shape, WkvMode mode, const Real* decay,
                                       const Real* first) {
  return bytes_of(shape, mode, decay, first, true);
}

template <class Real>
void bi_wkv_forward(const WkvShape& shape, WkvMode mode, const WkvInput<Real>& in, Real* y,
                    Workspace workspace) {
  Job<Real> job{.shape = shape, .mode = mode, .in = in, .y = y, .grad = {}, .sums = {}};
  Cutter cutter(workspace);
  run(job, cutter);
}

template <class Real>
void bi_wkv_backward(const WkvShape& shape, WkvMode mode, const WkvInput<Real>& in,
                     const Real* grad_y, const WkvGradient<Real>& grad, Workspace workspace) {
  Job<Real> job{.shape = shape,
                .mode = mode,
                .backward = true,
                .in = in,
                .grad_y = grad_y,
                .grad = grad,
                .sums = {}};
  Cutter cutter(workspace);
  run(job, cutter);
  const std::int64_t rows = shape.tokens == 0 ? 0 : job.sums.rows;
  for (std::int64_t c = 0; c < shape.channels; ++c) {
    double decay = 0;
    double first = 0;
    for (std::int64_t i = c; i < rows * shape.channels; i += shape.channels) {
      decay += job.sums.decay[i];
      first += job.sums.first[i];
    }
    grad.decay[c] = static_cast<Real>(decay);
    grad.first[c] = static_cast<Real>(first);
  }
}

template std::int64_t bi_wkv_forward_workspace(const WkvShape&, WkvMode, const float*,
                                               const float*);
template std::int64_t bi_wkv_backward_workspace(const WkvShape&, WkvMode, const float*,
                                                const float*);
template void bi_wkv_forward(const WkvShape&, WkvMode, const WkvInput<float>&, float*, Workspace);
template void bi_wkv_backward(const WkvShape&, WkvMode, const WkvInput<float>&, const float*,
                              const WkvGradient<float>&, Workspace);
template std::int64_t bi_wkv_forward_workspace(const WkvShape&, WkvMode, const double*,
                                               const double*);
template std::int64_t bi_wkv_backward_workspace(const WkvShape&, WkvMode, const double*,
                                                const double*);
template void bi_wkv_forward(const WkvShape&, WkvMode, const WkvInput<double>&, double*, Workspace);
template void bi_wkv_backward(const WkvShape&, WkvMode, const WkvInput<double>&, const double*,
                              const WkvGradient<double>&, Workspace);

}  // namespace medurwkv::kernels
