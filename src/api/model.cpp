// Models of the C interface: opened from a file or memory, described, and run on the caller's
// images.
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "api/guard.h"
#include "core/threads.h"
#include "data/codecs/read.h"
#include "native/engine.h"
#include "predict/predictor.h"
#include "predict/tile_run.h"

namespace {

// The functions of the C interface stand outside the namespace.
using namespace medurwkv;  // NOLINT(google-build-using-namespace)

/// A file of memory, which lives as long as a model may read it again.
class MemoryFile {
 public:
  MemoryFile(const void* bytes, std::size_t count) : file_(::memfd_create("model", MFD_CLOEXEC)) {
    if (file_ < 0) throw_failure(concat("no file in memory can be made: ", std::strerror(errno)));
    const char* at = static_cast<const char*>(bytes);
    while (count > 0) {
      const ssize_t written = ::write(file_, at, count);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        ::close(file_);
        throw std::bad_alloc();
      }
      at += written;
      count -= static_cast<std::size_t>(written);
    }
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  MemoryFile(MemoryFile&&) = delete;
  MemoryFile& operator=(MemoryFile&&) = delete;
  ~MemoryFile() { ::close(file_); }

  [[nodiscard]] std::string path() const { return concat("/proc/self/fd/", file_); }

 private:
  int file_;
};

}  // namespace

struct medurwkv_model {
  std::shared_ptr<const MemoryFile> memory{};  ///< where it was opened from memory
  std::unique_ptr<Engine> engine{};
  int threads = 0;
  std::mutex one_at_a_time{};
};

namespace {

medurwkv_model* opened(const std::string& path, std::shared_ptr<const MemoryFile> memory,
                       const medurwkv_open_options* options) {
  const medurwkv_open_options how = api::taken(options, "options");
  if (how.threads < 0) throw_usage(concat("options.threads is ", how.threads));
  auto out = std::make_unique<medurwkv_model>();
  out->threads = how.threads > 0 ? how.threads : available_cores();
  const ThreadsHere threads(out->threads);
  native::EngineOptions engine;
  if (how.precision != nullptr) engine.precision = native::precision_from(how.precision);
  out->engine = native::open_model(path, engine);
  out->memory = std::move(memory);
  return out.release();
}

std::int64_t sample_bytes(data::SampleType type) {
  switch (type) {
    case data::SampleType::u8: return 1;
    case data::SampleType::u16: return 2;
    case data::SampleType::f32: return 4;
  }
  throw_internal("an unknown type of samples");
}

data::SampleType sample_type(std::int32_t sample, const std::string& name) {
  switch (sample) {
    case MEDURWKV_UINT8: return data::SampleType::u8;
    case MEDURWKV_UINT16: return data::SampleType::u16;
    case MEDURWKV_FLOAT32: return data::SampleType::f32;
    default: throw_usage(concat(name, ".sample is ", sample, ", which is no medurwkv_sample"));
  }
}

/// The caller's image without gaps.
data::Image image_of(const medurwkv_image& from, const std::string& name) {
  constexpr std::int64_t longest = std::int64_t{1} << 20;
  if (from.width < 1 || from.height < 1 || from.width > longest || from.height > longest ||
      from.channels < 1 || from.channels > 1024) {
    throw_usage(concat(name, " is of ", from.width, " x ", from.height, " pixels with ",
                       from.channels, " channels"));
  }
  if (from.data == nullptr) throw_usage(concat(name, ".data is NULL"));
  data::Image out{.width = from.width,
                  .height = from.height,
                  .channels = from.channels,
                  .type = sample_type(from.sample, name),
                  .bytes = {}};
  const std::int64_t size = sample_bytes(out.type);
  const std::int64_t channel = from.channel_stride != 0 ? from.channel_stride : size;
  const std::int64_t pixel = from.pixel_stride != 0 ? from.pixel_stride : size * out.channels;
  const std::int64_t row = from.row_stride != 0 ? from.row_stride : pixel * out.width;
  out.bytes.resize(static_cast<std::size_t>(out.width * out.height * out.channels * size));
  const auto* const data = static_cast<const unsigned char*>(from.data);
  unsigned char* to = out.bytes.data();
  const bool packed = channel == size && pixel == size * out.channels;
  for (std::int64_t y = 0; y < out.height; ++y) {
    if (packed) {
      std::memcpy(to, data + y * row, static_cast<std::size_t>(pixel * out.width));
      to += pixel * out.width;
      continue;
    }
    for (std::int64_t x = 0; x < out.width; ++x) {
      for (std::int64_t c = 0; c < out.channels; ++c) {
        std::memcpy(to, data + y * row + x * pixel + c * channel, static_cast<std::size_t>(size));
        to += size;
      }
    }
  }
  return out;
}

predict::PostOptions post_options(const medurwkv_segment_options& how) {
  predict::PostOptions out;
  if (how.use_threshold != 0) {
    if (!(how.threshold >= 0 && how.threshold <= 1)) {
      throw_usage(concat("options.threshold is ", how.threshold, "; it is from 0 to 1"));
    }
    out.threshold = how.threshold;
  }
  if (how.min_area < 0) throw_usage(concat("options.min_area is ", how.min_area));
  out.fill_holes = how.fill_holes != 0;
  out.largest = how.largest != 0;
  out.min_area = how.min_area;
  return out;
}

void hand_out(const predict::Prediction& prediction, std::size_t class_count,
              const medurwkv_result& to) {
  const data::LabelMap& labels = prediction.labels;
  const std::int64_t stride = to.label_stride != 0 ? to.label_stride : labels.width;
  for (std::int64_t y = 0; to.labels != nullptr && y < labels.height; ++y) {
    std::memcpy(to.labels + y * stride, labels.labels.data() + y * labels.width,
                static_cast<std::size_t>(labels.width));
  }
  if (to.probabilities != nullptr) {
    std::copy(prediction.probabilities.begin(), prediction.probabilities.end(), to.probabilities);
  }
  if (to.unsureness != nullptr) {
    const std::vector<float> unsure = predict::unsureness(prediction.probabilities, class_count);
    std::copy(unsure.begin(), unsure.end(), to.unsureness);
  }
}

}  // namespace

medurwkv_code medurwkv_open(const char* path, const medurwkv_open_options* options,
                            medurwkv_model** out) {
  return api::guarded([&] {
    api::given(out, "out") = nullptr;
    *out = opened(&api::given(path, "path"), nullptr, options);
  });
}

medurwkv_code medurwkv_open_memory(const void* bytes, size_t count,
                                   const medurwkv_open_options* options, medurwkv_model** out) {
  return api::guarded([&] {
    api::given(out, "out") = nullptr;
    if (bytes == nullptr) throw_usage("bytes is NULL");
    const auto memory = std::make_shared<const MemoryFile>(bytes, count);
    *out = opened(memory->path(), memory, options);
  });
}

medurwkv_code medurwkv_clone(medurwkv_model* model, medurwkv_model** out) {
  return api::guarded([&] {
    api::given(out, "out") = nullptr;
    medurwkv_model& own = api::given(model, "model");
    auto copy = std::make_unique<medurwkv_model>();
    copy->memory = own.memory;
    copy->threads = own.threads;
    copy->engine = own.engine->another();
    *out = copy.release();
  });
}

void medurwkv_close(medurwkv_model* model) {
  delete model;
}

medurwkv_code medurwkv_describe(const medurwkv_model* model, medurwkv_description* out) {
  return api::guarded([&] {
    const ModelDescription& own = api::given(model, "model").engine->description();
    api::hand_out(medurwkv_description{.struct_size = 0,
                                       .width = static_cast<std::int32_t>(own.input.width),
                                       .height = static_cast<std::int32_t>(own.input.height),
                                       .channels = static_cast<std::int32_t>(own.input.channels),
                                       .class_count = static_cast<std::int32_t>(own.classes.size()),
                                       .fit = to_string(own.input.fit),
                                       .network = own.network.c_str(),
                                       .precision = own.precision.c_str(),
                                       .content_sha256 = own.content_sha256.c_str()},
                  out, "out");
  });
}

const char* medurwkv_class_name(const medurwkv_model* model, int32_t label) {
  api::begin_call();
  if (model == nullptr || label < 0) return nullptr;
  const auto& classes = model->engine->description().classes;
  const auto at = static_cast<std::size_t>(label);
  return at < classes.size() ? classes[at].name.c_str() : nullptr;
}

medurwkv_code medurwkv_class_color(const medurwkv_model* model, int32_t label, uint8_t rgb[3]) {
  return api::guarded([&] {
    const auto& classes = api::given(model, "model").engine->description().classes;
    api::given(rgb, "rgb");
    if (label < 0 || static_cast<std::size_t>(label) >= classes.size()) {
      throw_usage(concat("label ", label, ": the model has ", classes.size(), " classes"));
    }
    const auto& color = classes[static_cast<std::size_t>(label)].color;
    std::copy(color.begin(), color.end(), rgb);
  });
}

struct medurwkv_picture {
  data::Image image;
};

medurwkv_code medurwkv_picture_read(const char* path, medurwkv_picture** out) {
  return api::guarded([&] {
    api::given(out, "out") = nullptr;
    *out = new medurwkv_picture{data::read_image(&api::given(path, "path"))};
  });
}

medurwkv_code medurwkv_picture_image(const medurwkv_picture* picture, medurwkv_image* out) {
  return api::guarded([&] {
    const data::Image& own = api::given(picture, "picture").image;
    api::hand_out(medurwkv_image{.struct_size = 0,
                                 .data = own.bytes.data(),
                                 .width = own.width,
                                 .height = own.height,
                                 .channels = own.channels,
                                 .row_stride = 0,
                                 .pixel_stride = 0,
                                 .channel_stride = 0,
                                 .sample = own.type == data::SampleType::u8    ? MEDURWKV_UINT8
                                           : own.type == data::SampleType::u16 ? MEDURWKV_UINT16
                                                                               : MEDURWKV_FLOAT32},
                  out, "out");
  });
}

void medurwkv_picture_free(medurwkv_picture* picture) {
  delete picture;
}

medurwkv_code medurwkv_segment(medurwkv_model* model, const medurwkv_image* images, size_t count,
                               const medurwkv_segment_options* options, medurwkv_result* results) {
  return api::guarded([&] {
    medurwkv_model& own = api::given(model, "model");
    if (count == 0) return;
    api::given(images, "images");
    api::given(results, "results");
    const medurwkv_segment_options how = api::taken(options, "options");
    const predict::PostOptions post = post_options(how);
    const std::lock_guard lock(own.one_at_a_time);
    const ThreadsHere threads(own.threads);
    const predict::Ensemble ensemble({own.engine.get()}, how.flips != 0, how.tile);
    predict::check_tiles(ensemble);
    const std::size_t class_count = own.engine->description().classes.size();
    // An array of the caller's structs, which may be smaller than ours.
    const auto element = [](auto* first, std::size_t index) {
      using Struct = std::remove_pointer_t<decltype(first)>;
      using Byte = std::conditional_t<std::is_const_v<Struct>, const char, char>;
      api::check_size(*first, "images[0] or results[0]");
      return reinterpret_cast<Struct*>(reinterpret_cast<Byte*>(first) + index * first->struct_size);
    };
    for (std::size_t i = 0; i < count; ++i) {
      const std::string name = concat("images[", i, "]");
      const medurwkv_image from = api::taken(element(images, i), "images");
      const medurwkv_result to = api::taken(element(results, i), "results");
      predict::Prediction prediction = predict::predict_named(ensemble, image_of(from, name), name);
      predict::decide(prediction, class_count, predict::temperature_of(ensemble), post);
      hand_out(prediction, class_count, to);
      if (how.progress != nullptr &&
          how.progress(how.user, static_cast<std::int64_t>(i + 1),
                       static_cast<std::int64_t>(count)) != 0 &&
          i + 1 < count) {
        throw Stopped{0};
      }
    }
  });
}
