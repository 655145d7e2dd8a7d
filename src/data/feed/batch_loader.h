// Training batches made ahead of the step that wants them, on threads, of whatever a task makes of
// a case. Relies on data/feed/case_cache.h, data/image/warp.h and the standard library's threads.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "data/feed/case_cache.h"
#include "data/image/warp.h"

namespace medurwkv::data {

/// How many numbers a sample has of each kind; the same for all samples of a run.
struct SampleCounts {
  std::int64_t image = 0;
  std::int64_t labels = 0;
  std::int64_t second = 0;
};

/// One sample's place in its batch, zeros before it is made.
struct SampleSpace {
  std::span<float> image;  ///< SampleCounts::image numbers, and so on
  std::span<std::uint8_t> labels;
  std::span<float> second;  ///< more of the case: a teacher's picture, distances
  Affine& box;              ///< where the sample lies in the case's image; the identity before
};

/// Makes the sample of case `index` for an epoch: a pure function of its arguments, called from
/// several threads at once. An Error that it throws gets the case's id in front.
using SampleMaker = std::function<void(const LoadedCase& item, std::uint64_t epoch,
                                       std::uint64_t index, const SampleSpace& out)>;

struct LoaderOptions {
  SampleMaker make;
  SampleCounts counts;
  std::int64_t first = 0;  ///< number in the cache of its first case
  std::int64_t cases = 0;  ///< that follow it; at least 1
  std::int64_t batch = 8;
  std::int64_t steps = 0;  ///< of the whole run: nothing is made for later ones
  std::uint64_t seed = 0;  ///< of the order of cases
  int workers = 1;
  /// `parts` loaders share every batch evenly, in order; this one makes the samples of `part`. A
  /// part without samples (the batch has fewer than `parts`) makes the batch's first one as a
  /// stand-in.
  std::int64_t part = 0;
  std::int64_t parts = 1;
  std::int64_t ahead = 2;  ///< batches that may be ready or in the making before they are wanted
};

struct SampleBatch {
  std::int64_t count = 0;
  std::int64_t first = 0;            ///< position in the whole batch of the first sample
  bool counts = true;                ///< false: its one sample is a stand-in
  std::vector<float> images;         ///< count x SampleCounts::image
  std::vector<std::uint8_t> labels;  ///< count x SampleCounts::labels
  std::vector<float> second;         ///< count x SampleCounts::second
  std::vector<Affine> boxes;         ///< count
  std::vector<std::string> ids;
  std::vector<std::size_t> cases;  ///< indices of the cases in the cache
};

/// The batches of a run, a pure function of (seed, step, part) on any number of workers: each epoch
/// is a seeded permutation of the cases, the last batch of an epoch may be smaller. Workers decode
/// and make sample by sample, at most `ahead` batches before the caller.
class BatchLoader {
 public:
  /// The cache must outlive the loader.
  BatchLoader(CaseCache& cache, LoaderOptions options);
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;
  BatchLoader(BatchLoader&&) = delete;
  BatchLoader& operator=(BatchLoader&&) = delete;
  /// Waits for the samples in the making.
  ~BatchLoader();

  [[nodiscard]] std::int64_t steps_per_epoch() const;

  /// The batch of `step`. The first call may take any step; each further one must take the next
  /// step, on the same thread. Throws the first Error, by the order of samples, that reading or
  /// making the batch met; it names the file or the case.
  SampleBatch take(std::int64_t step);

  /// Seconds that take() has waited in all.
  [[nodiscard]] double waited_seconds() const { return waited_seconds_; }

 private:
  /// A batch in the making.
  struct Pending {
    SampleBatch batch;
    std::int64_t step = 0;
    std::size_t assigned = 0;
    std::size_t finished = 0;
    std::vector<std::exception_ptr> errors;
  };

  void start(std::int64_t step);
  /// The main function of a worker; no exception leaves it.
  void work();
  void make_samples();
  /// The batch that the next sample belongs to; none when there is nothing to do now.
  std::shared_ptr<Pending> next_pending();
  std::shared_ptr<Pending> make_pending(std::int64_t step);
  void make_sample(Pending& pending, std::size_t position);

  CaseCache& cache_;
  LoaderOptions options_;
  std::mutex mutex_;  ///< guards all below but waited_seconds_
  std::condition_variable work_to_do_, batch_ready_;
  bool stopping_ = false;
  std::exception_ptr failure_;  ///< of a worker, outside of any sample
  std::int64_t wanted_ = 0;     ///< the step that take() wants next
  std::int64_t opened_ = 0;     ///< the first step without a Pending
  std::map<std::int64_t, std::shared_ptr<Pending>> pending_;
  std::int64_t ordered_epoch_ = -1;
  std::vector<std::int64_t> order_;  ///< of the cases in ordered_epoch_
  std::vector<std::thread> workers_;
  double waited_seconds_ = 0;
};

}  // namespace medurwkv::data
