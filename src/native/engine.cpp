#include "native/engine.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "core/threads.h"
#include "native/program.h"
#include "weights/opened_model.h"

namespace medurwkv::native {
namespace {

class NativeEngine : public Engine {
 public:
  /// `read` gives the weights anew each time.
  NativeEngine(net::NetworkConfig network, ModelDescription description, EngineOptions options,
               std::function<Tensors()> read)
      : network_(std::move(network)),
        description_(std::move(description)),
        options_(std::move(options)),
        specs_(plan::parameters_of(network_)),
        read_(std::move(read)) {
    description_.precision = to_string(options_.precision);
  }

  [[nodiscard]] const ModelDescription& description() const override { return description_; }

  [[nodiscard]] std::int64_t memory(const BatchShape& shape) const override {
    return program_memory(recorded(shape), options_.precision, ranges());
  }

  void run(const BatchShape& shape, std::span<const float> input,
           std::span<float> logits) override {
    prepare(shape);
    float* const out = logits.data();
    if (!options_.watch) {
      program_->run(input.data(), {&out, 1}, workspace_.get());
      return;
    }
    program_->run(input.data(), {&out, 1}, workspace_.get(),
                  [&](const plan::Operation& operation, std::span<const float* const> inputs,
                      std::span<const float* const> /*outputs*/) {
                    options_.watch(program_->plan(), operation, inputs);
                  });
  }

  [[nodiscard]] std::unique_ptr<Engine> another() const override {
    return std::make_unique<NativeEngine>(network_, description_, options_, read_);
  }

  /// Throws Error where a run and weights of so many bytes do not fit.
  void check_memory(const BatchShape& shape, std::int64_t weights) const {
    const std::int64_t needed = memory(shape) + weights;
    const std::int64_t left = memory_left();
    if (needed <= left) return;
    throw_failure(concat(
        description_.file.empty() ? "" : concat(description_.file, ": "),
        shape.images > 1 ? concat(shape.images, " images") : "one image", " at ", shape.width,
        " x ", shape.height, shape.images > 1 ? " take about " : " takes about ",
        human_bytes(static_cast<double>(needed)), " of memory, ", memory_left_text(left),
        "; use a smaller network, input or image, or allow more memory"));
  }

  [[nodiscard]] std::int64_t weight_bytes() const { return float_bytes(specs_); }

  /// What a file's first reading gave.
  void take(ReadTensors read) {
    tensors_ = std::move(read.tensors);
    description_.content_sha256 = read.content;
  }

 private:
  [[nodiscard]] plan::Plan recorded(const BatchShape& shape) const {
    return plan::record(network_, shape.images, shape.height, shape.width);
  }
  [[nodiscard]] const Ranges& ranges() const {
    static const Ranges none;
    return options_.ranges ? *options_.ranges : none;
  }

  void prepare(const BatchShape& shape) {
    // Products and workspace are made for a number of threads.
    if (program_ && shape == shape_ && threads_ == thread_count()) return;
    program_.reset();
    workspace_.reset();
    check_memory(shape, (tensors_.empty() ? 2 : 1) * weight_bytes());
    if (tensors_.empty()) tensors_ = read_();
    // Taken whatever happens: where memory runs out meanwhile, they are read anew.
    Tensors taken = std::exchange(tensors_, {});
    program_.emplace(recorded(shape), std::move(taken), options_.precision, ranges());
    try {
      workspace_ = workspace_for(*program_);
    } catch (...) {
      program_.reset();
      throw;
    }
    shape_ = shape;
    threads_ = thread_count();
  }

  net::NetworkConfig network_;
  ModelDescription description_;
  EngineOptions options_;
  std::vector<net::ParameterSpec> specs_;
  std::function<Tensors()> read_;
  Tensors tensors_;  ///< until a program has them
  std::optional<Program> program_;
  BatchShape shape_;
  int threads_ = 0;
  Memory workspace_;
};

}  // namespace

std::unique_ptr<Engine> open_model(const std::filesystem::path& path,
                                   const EngineOptions& options) {
  const auto model = std::make_shared<const weights::OpenedModel>(weights::open_segmentation(path));
  const weights::ModelInfo& info = model->info;
  EngineOptions mine = options;
  if (!mine.ranges && !info.int8_ranges.empty()) mine.ranges = info.int8_ranges;
  mine.precision = resolved(mine.precision, mine.ranges.has_value());
  if (mine.precision == Precision::int8 && !mine.ranges) {
    const std::string file = model->file.file();
    throw_usage(concat(file, ": has no ranges for int8; `medurwkv quantize ", file,
                       " IMAGES --out int8.model` finds them and writes a model that has them"));
  }
  const std::vector<net::ParameterSpec> specs = plan::parameters_of(info.network);
  const auto content = std::make_shared<std::string>();
  auto out = std::make_unique<NativeEngine>(
      info.network, model->description(""), std::move(mine), [model, specs, content] {
        ReadTensors read = read_floats(model->file, specs);
        if (read.content != *content) {
          throw_failure(concat(model->file.file(), ": was changed since it was opened"));
        }
        return std::move(read.tensors);
      });
  model->file.understood([&] {
    out->check_memory({1, info.input.height, info.input.width}, out->weight_bytes());
  });
  ReadTensors read = read_floats(model->file, specs);
  *content = read.content;
  out->take(std::move(read));
  return out;
}

std::unique_ptr<Engine> engine_of(const net::NetworkConfig& network, ModelDescription description,
                                  ReadParameter read) {
  const std::vector<net::ParameterSpec> specs = plan::parameters_of(network);
  return std::make_unique<NativeEngine>(
      network, std::move(description), EngineOptions{},
      [specs, read = std::move(read)] { return Tensors(specs, read); });
}

}  // namespace medurwkv::native
