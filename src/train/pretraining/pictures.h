// What the tasks of a pretraining share: pictures, in batches of views, and the run's place among
// processes. Relies on data and train/task/task.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/feed/batch_loader.h"
#include "data/feed/case_cache.h"
#include "data/layout/picture_set.h"
#include "library/requests.h"
#include "train/run/config.h"
#include "train/task/task.h"

namespace medurwkv::train {

/// Pictures of a batch as tensors, and what made them.
struct PictureBatch {
  at::Tensor images;                ///< batch x channels x height x width, normalised
  at::Tensor teacher;               ///< the same views for the teacher; undefined without one
  std::vector<std::size_t> cases;   ///< numbers of the pictures
  std::vector<data::Affine> boxes;  ///< which part of its picture each view shows
  std::vector<std::string> ids;
  std::int64_t first = 0;  ///< position in the whole batch of the first picture
  bool counts = true;      ///< false: the picture stands in
};

/// The picture that a teacher sees beside the network's.
struct TeacherView {
  InputContract contract;  ///< its size, channels, mean and deviation
};

/// A task without what it compares with: that is for those derived from it.
class PicturesTask : public Task {
 public:
  [[nodiscard]] const weights::ModelInfo& info() const override { return info_; }
  [[nodiscard]] const Source& source() const override { return source_; }
  [[nodiscard]] TaskSize size() const override;
  [[nodiscard]] std::int64_t samples() const override { return std::ssize(set_.train); }
  [[nodiscard]] std::string counts() const override;
  [[nodiscard]] const std::vector<std::string>& notes() const override { return set_.notes; }
  void open(const Feed& feed) override;
  [[nodiscard]] double waited_seconds() const override { return loader_->waited_seconds(); }

 protected:
  /// Called on each picture that is read, with the SHA-256 of its file. Throws Error to refuse it.
  using Check = std::function<void(const data::Picture& picture, const std::string& sha256)>;

  /// Reads the set; resolves the network's settings in `config`, which outlives the task. Throws
  /// Error.
  PicturesTask(const library::TrainRequest& request, Config& config);

  /// Views of batch `index` of the run.
  PictureBatch pictures(std::int64_t index);
  /// All validation pictures of this process in batches, each at its evaluation view.
  void each_validation_batch(const std::function<void(const PictureBatch&)>& use);

  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] const data::PictureSet& set() const { return set_; }
  [[nodiscard]] const Feed& feed() const { return feed_; }
  /// The picture of a number: first those of training, then those of validation.
  [[nodiscard]] const data::Picture& picture(std::size_t index) const;
  [[nodiscard]] std::int64_t batches_per_epoch() const;

  std::optional<TeacherView> teacher_;  ///< before open()
  Check check_;                         ///< before open(); may be empty

 private:
  data::CaseReader reader() const;
  data::SampleMaker training_views() const;
  data::SampleMaker validation_views() const;
  data::SampleCounts counts_of_samples() const;

  const Config& config_;
  data::PictureSet set_;
  Source source_;
  weights::ModelInfo info_;
  Feed feed_;
  std::optional<data::CaseCache> cache_;  ///< of training, then of validation
  std::optional<data::BatchLoader> loader_;
};

/// Pictures as 8-bit RGB from normalised planes (channels x height x width on the CPU).
data::Image shown_picture(const at::Tensor& planes, const InputContract& contract);

}  // namespace medurwkv::train
