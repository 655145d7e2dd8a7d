// medurwkv for C++20: the C interface (medurwkv.h) with owners, spans and exceptions. Header only,
// so that the library's C++ runtime and the program's need not be one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "medurwkv/medurwkv.h"

// The inner namespace changes with the interface's major number, so that programs of two of them
// can be linked together.
namespace medurwkv {
inline namespace v0 {

/// What every call throws that fails. what() says why.
class Failure : public std::runtime_error {
 public:
  Failure(medurwkv_code code, const std::string& message)
      : std::runtime_error(message), code_(code) {}
  [[nodiscard]] medurwkv_code code() const { return code_; }

 private:
  medurwkv_code code_;
};

namespace detail {

inline void check(medurwkv_code code) {
  if (code != MEDURWKV_OK) throw Failure(code, medurwkv_message());
}

template <class Struct>
Struct sized() {
  Struct out{};
  out.struct_size = sizeof(Struct);
  return out;
}

struct Free {
  void operator()(medurwkv_model* model) const { medurwkv_close(model); }
  void operator()(medurwkv_scores* scores) const { medurwkv_scores_free(scores); }
  void operator()(medurwkv_weights* weights) const { medurwkv_weights_close(weights); }
  void operator()(medurwkv_picture* picture) const { medurwkv_picture_free(picture); }
  void operator()(char* text) const { medurwkv_free(text); }
};
template <class T>
using Owner = std::unique_ptr<T, Free>;

/// Carries an exception of the caller's function over the C interface.
class Carried {
 public:
  template <class Call>
  int run(const Call& call) noexcept {
    try {
      return call() ? 0 : 1;
    } catch (...) {
      thrown_ = std::current_exception();
      return 1;
    }
  }
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  std::exception_ptr thrown_;
};

}  // namespace detail

/// An image of the caller, row by row, channels next to each other; or with strides, in samples.
template <class Sample>
class Image {
  static_assert(std::is_same_v<Sample, std::uint8_t> || std::is_same_v<Sample, std::uint16_t> ||
                std::is_same_v<Sample, float>);

 public:
  /// `samples`: height x width x channels.
  Image(std::span<const Sample> samples, std::int64_t width, std::int64_t height,
        std::int64_t channels) {
    if (static_cast<std::int64_t>(samples.size()) != width * height * channels) {
      throw Failure(MEDURWKV_USAGE, "an image of " + std::to_string(width) + " x " +
                                        std::to_string(height) + " x " + std::to_string(channels) +
                                        " has " + std::to_string(samples.size()) + " samples");
    }
    image_.data = samples.data();
    image_.width = width;
    image_.height = height;
    image_.channels = channels;
    image_.sample = std::is_same_v<Sample, float> ? MEDURWKV_FLOAT32
                    : sizeof(Sample) == 2         ? MEDURWKV_UINT16
                                                  : MEDURWKV_UINT8;
  }
  /// Of memory with gaps, or with the channels in planes. The caller answers for its extent.
  Image(const Sample* data, std::int64_t width, std::int64_t height, std::int64_t channels,
        std::int64_t row_stride, std::int64_t pixel_stride, std::int64_t channel_stride)
      : Image(std::span<const Sample>(data, static_cast<std::size_t>(width * height * channels)),
              width, height, channels) {
    constexpr auto size = static_cast<std::int64_t>(sizeof(Sample));
    image_.row_stride = row_stride * size;
    image_.pixel_stride = pixel_stride * size;
    image_.channel_stride = channel_stride * size;
  }
  [[nodiscard]] const medurwkv_image& c() const { return image_; }

 private:
  medurwkv_image image_ = detail::sized<medurwkv_image>();
};

/// An image file of any format that is read, decoded.
class Picture {
 public:
  explicit Picture(const std::string& path) {
    medurwkv_picture* out = nullptr;
    detail::check(medurwkv_picture_read(path.c_str(), &out));
    picture_.reset(out);
    detail::check(medurwkv_picture_image(picture_.get(), &image_));
  }
  [[nodiscard]] const medurwkv_image& c() const { return image_; }

 private:
  detail::Owner<medurwkv_picture> picture_;
  medurwkv_image image_ = detail::sized<medurwkv_image>();
};

struct OpenOptions {
  int threads = 0;                    ///< 0: every core that this process may use
  std::string precision = "float32";  ///< or bfloat16, int8, auto
};

struct SegmentOptions {
  bool flips = false;  ///< the mean over the mirror images, too
  std::optional<double>
      threshold{};  ///< of the likeliest foreground class; none: the likeliest of all
  bool fill_holes = false;
  bool largest = false;            ///< of each class the largest object alone
  std::int64_t min_area = 0;       ///< objects of fewer pixels become background
  std::int64_t tile = 0;           ///< side of tiles, of models that see images as they are
  bool with_probabilities = true;  ///< else they are left empty
  bool with_unsureness = false;
  std::function<bool(std::int64_t done, std::int64_t total)> progress{};  ///< false: stop
};

/// An image's answer, at its own size.
struct Segmentation {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::vector<std::uint8_t> labels{};  ///< height x width
  std::vector<float> probabilities{};  ///< classes x height x width, or empty
  std::vector<float> unsureness{};     ///< height x width, or empty
};

struct ClassOfModel {
  std::string name;
  std::uint8_t red = 0, green = 0, blue = 0;
};

class Model {
 public:
  explicit Model(const std::string& path, const OpenOptions& options = {}) {
    const medurwkv_open_options how = c(options);
    medurwkv_model* out = nullptr;
    detail::check(medurwkv_open(path.c_str(), &how, &out));
    model_.reset(out);
  }
  /// A model file in memory, which is copied.
  explicit Model(std::span<const std::byte> bytes, const OpenOptions& options = {}) {
    const medurwkv_open_options how = c(options);
    medurwkv_model* out = nullptr;
    detail::check(medurwkv_open_memory(bytes.data(), bytes.size(), &how, &out));
    model_.reset(out);
  }

  /// One to run at the same time as this.
  [[nodiscard]] Model clone() const {
    medurwkv_model* out = nullptr;
    detail::check(medurwkv_clone(model_.get(), &out));
    return Model(out);
  }

  /// Its texts live as long as the model.
  [[nodiscard]] medurwkv_description description() const {
    auto out = detail::sized<medurwkv_description>();
    detail::check(medurwkv_describe(model_.get(), &out));
    return out;
  }

  /// By label, the background first.
  [[nodiscard]] std::vector<ClassOfModel> classes() const {
    std::vector<ClassOfModel> out;
    for (std::int32_t label = 0; const char* name = medurwkv_class_name(model_.get(), label);
         ++label) {
      std::uint8_t rgb[3] = {};
      detail::check(medurwkv_class_color(model_.get(), label, rgb));
      out.push_back({name, rgb[0], rgb[1], rgb[2]});
    }
    return out;
  }

  /// An Image or a Picture.
  template <class OneImage>
  requires requires(const OneImage& image) { image.c().sample; }
  [[nodiscard]] Segmentation segment(const OneImage& image,
                                     const SegmentOptions& options = {}) const {
    return std::move(segment(std::span<const OneImage>(&image, 1), options).front());
  }

  /// Each image of any size.
  template <class OneImage>
  [[nodiscard]] std::vector<Segmentation> segment(std::span<const OneImage> images,
                                                  const SegmentOptions& options = {}) const {
    const auto classes = static_cast<std::size_t>(description().class_count);
    std::vector<medurwkv_image> from;
    std::vector<medurwkv_result> to;
    std::vector<Segmentation> out(images.size());
    for (std::size_t i = 0; i < images.size(); ++i) {
      from.push_back(images[i].c());
      Segmentation& own = out[i];
      own.width = from.back().width;
      own.height = from.back().height;
      const auto pixels = static_cast<std::size_t>(own.width * own.height);
      own.labels.resize(pixels);
      if (options.with_probabilities) own.probabilities.resize(classes * pixels);
      if (options.with_unsureness) own.unsureness.resize(pixels);
      auto result = detail::sized<medurwkv_result>();
      result.labels = own.labels.data();
      if (options.with_probabilities) result.probabilities = own.probabilities.data();
      if (options.with_unsureness) result.unsureness = own.unsureness.data();
      to.push_back(result);
    }
    auto how = detail::sized<medurwkv_segment_options>();
    how.flips = options.flips ? 1 : 0;
    how.use_threshold = options.threshold ? 1 : 0;
    how.threshold = options.threshold.value_or(0);
    how.fill_holes = options.fill_holes ? 1 : 0;
    how.largest = options.largest ? 1 : 0;
    how.min_area = options.min_area;
    how.tile = options.tile;
    struct Progress {
      const SegmentOptions& options;
      detail::Carried carried;
    } progress{options, {}};
    if (options.progress) {
      how.user = &progress;
      how.progress = [](void* user, std::int64_t done, std::int64_t total) {
        auto& own = *static_cast<Progress*>(user);
        return own.carried.run([&] { return own.options.progress(done, total); });
      };
    }
    const medurwkv_code code =
        medurwkv_segment(model_.get(), from.data(), from.size(), &how, to.data());
    progress.carried.rethrow();
    detail::check(code);
    return out;
  }

  [[nodiscard]] medurwkv_model* c() const { return model_.get(); }

 private:
  explicit Model(medurwkv_model* model) : model_(model) {}
  static medurwkv_open_options c(const OpenOptions& options) {
    auto out = detail::sized<medurwkv_open_options>();
    out.threads = options.threads;
    out.precision = options.precision.c_str();
    return out;
  }

  detail::Owner<medurwkv_model> model_;
};

/// Labels to be judged, row by row, slice by slice.
struct Labels {
  std::span<const std::uint8_t> data;
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t depth = 0;  ///< slices; 0: one image
};

struct JudgeOptions {
  int classes = 2;                         ///< background included
  std::string profile{};                   ///< empty: default, of a volume volumes
  std::string metrics{};                   ///< further ones, by commas
  double spacing[3] = {1, 1, 1};           ///< width and height of a pixel, distance of slices
  std::optional<double> tolerance{};       ///< of NSD; none: 2 pixels
  std::span<const float> probabilities{};  ///< classes x height x width, or empty
};

class Scores {
 public:
  [[nodiscard]] std::vector<std::string> metrics() const {
    std::vector<std::string> out;
    for (std::size_t m = 0; const char* key = medurwkv_scores_key(scores_.get(), m); ++m)
      out.emplace_back(key);
    return out;
  }
  /// Of a class, from 1 on; nothing where the metric leaves it out. Throws for an unknown metric.
  [[nodiscard]] std::optional<double> value(const std::string& metric, int label) const {
    for (std::size_t m = 0; const char* key = medurwkv_scores_key(scores_.get(), m); ++m) {
      if (key != metric) continue;
      const double value = medurwkv_scores_value(scores_.get(), label, m);
      return value == value ? std::optional(value) : std::nullopt;
    }
    throw Failure(MEDURWKV_USAGE, "no metric " + metric);
  }
  /// Over the classes that have a value.
  [[nodiscard]] std::optional<double> mean(const std::string& metric) const {
    return value(metric, 0);
  }

 private:
  friend Scores judge(const Labels& truth, const Labels& prediction, const JudgeOptions& options);
  explicit Scores(medurwkv_scores* scores) : scores_(scores) {}
  detail::Owner<medurwkv_scores> scores_;
};

[[nodiscard]] inline Scores judge(const Labels& truth, const Labels& prediction,
                                  const JudgeOptions& options = {}) {
  const auto c = [](const Labels& labels) {
    const std::int64_t slices = labels.depth > 0 ? labels.depth : 1;
    if (static_cast<std::int64_t>(labels.data.size()) != labels.width * labels.height * slices) {
      throw Failure(MEDURWKV_USAGE, "labels are not as many as their size says");
    }
    auto out = detail::sized<medurwkv_labels>();
    out.data = labels.data.data();
    out.width = labels.width;
    out.height = labels.height;
    out.depth = labels.depth;
    return out;
  };
  const medurwkv_labels of_truth = c(truth);
  const medurwkv_labels predicted = c(prediction);
  auto how = detail::sized<medurwkv_judge_options>();
  how.class_count = options.classes;
  if (!options.profile.empty()) how.profile = options.profile.c_str();
  if (!options.metrics.empty()) how.metrics = options.metrics.c_str();
  how.spacing_x = options.spacing[0];
  how.spacing_y = options.spacing[1];
  how.spacing_z = options.spacing[2];
  how.has_tolerance = options.tolerance ? 1 : 0;
  how.tolerance = options.tolerance.value_or(0);
  if (!options.probabilities.empty()) {
    if (static_cast<std::int64_t>(options.probabilities.size()) !=
        options.classes * truth.width * truth.height) {
      throw Failure(MEDURWKV_USAGE, "probabilities are not classes x height x width");
    }
    how.probabilities = options.probabilities.data();
  }
  medurwkv_scores* out = nullptr;
  detail::check(medurwkv_judge(&of_truth, &predicted, &how, &out));
  return Scores(out);
}

/// A file of weights of any kind that is read.
class Weights {
 public:
  struct Tensor {
    std::string name, type;
    std::vector<std::int64_t> shape;
    std::uint64_t elements = 0;
  };

  explicit Weights(const std::string& path) {
    medurwkv_weights* out = nullptr;
    detail::check(medurwkv_weights_open(path.c_str(), &out));
    weights_.reset(out);
  }
  [[nodiscard]] std::size_t size() const { return medurwkv_weights_count(weights_.get()); }
  [[nodiscard]] Tensor tensor(std::size_t index) const {
    auto out = detail::sized<medurwkv_tensor>();
    detail::check(medurwkv_weights_tensor(weights_.get(), index, &out));
    return {out.name, out.type, {out.shape, out.shape + out.dimensions}, out.elements};
  }
  [[nodiscard]] std::vector<float> read(std::size_t index) const {
    std::vector<float> out(tensor(index).elements);
    detail::check(medurwkv_weights_read(weights_.get(), index, out.data(), out.size()));
    return out;
  }

 private:
  detail::Owner<medurwkv_weights> weights_;
};

/// Hears what a command reports.
struct Listener {
  std::function<void(const std::string& text)> line{};
  std::function<void(const std::string& text)> failure{};
  /// What is being done, how far, and on what; false: stop.
  std::function<bool(const std::string& what, std::int64_t done, std::int64_t total,
                     const std::string& detail)>
      progress{};
};

/// Runs a command: JSON in, JSON out (medurwkv_run).
[[nodiscard]] inline std::string run(const std::string& command, const std::string& request,
                                     const Listener& listener = {}) {
  struct Calls {
    const Listener& listener;
    detail::Carried carried;
  } calls{listener, {}};
  auto to = detail::sized<medurwkv_listener>();
  to.user = &calls;
  if (listener.line) {
    to.line = [](void* user, const char* text) {
      auto& own = *static_cast<Calls*>(user);
      own.carried.run([&] { return own.listener.line(text), true; });
    };
  }
  if (listener.failure) {
    to.failure = [](void* user, const char* text) {
      auto& own = *static_cast<Calls*>(user);
      own.carried.run([&] { return own.listener.failure(text), true; });
    };
  }
  if (listener.progress) {
    to.progress = [](void* user, const char* what, std::int64_t done, std::int64_t total,
                     const char* detail) {
      auto& own = *static_cast<Calls*>(user);
      return own.carried.run([&] { return own.listener.progress(what, done, total, detail); });
    };
  }
  char* out = nullptr;
  const medurwkv_code code = medurwkv_run(command.c_str(), request.c_str(), &to, &out);
  const detail::Owner<char> answer(out);
  calls.carried.rethrow();
  detail::check(code);
  return answer.get();
}

}  // namespace v0
}  // namespace medurwkv
