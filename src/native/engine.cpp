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
#include "native/read_floats.h"
#include "weights/opened_model.h"

namespace medurwkv::native {
namespace {

class NativeEngine : public Engine {
 public:
  NativeEngine(weights::OpenedModel model, Precision precision)
      : model_(std::move(model)), precision_(precision) {
    specs_ = plan::parameters_of(model_.info.network);
    const std::int64_t width = model_.info.input.width;
    const std::int64_t height = model_.info.input.height;
    model_.file.understood([&] {
      check_memory({1, height, width}, memory({1, height, width}) + float_bytes(specs_));
    });
    read_ = read_floats(model_.file, specs_);
    description_ = model_.description(read_.content);
    description_.precision = to_string(precision);
  }

  [[nodiscard]] const ModelDescription& description() const override { return description_; }

  [[nodiscard]] std::int64_t memory(const BatchShape& shape) const override {
    return program_memory(
        plan::record(model_.info.network, shape.images, shape.height, shape.width), precision_);
  }

  void run(const BatchShape& shape, std::span<const float> input,
           std::span<float> logits) override {
    prepare(shape);
    float* const out = logits.data();
    program_->run(input.data(), {&out, 1}, workspace_.get());
  }

 private:
  void prepare(const BatchShape& shape) {
    // Products and workspace are made for a number of threads.
    if (program_ && shape == shape_ && threads_ == thread_count()) return;
    program_.reset();
    workspace_.reset();
    check_memory(shape, memory(shape) + (read_.tensors.empty() ? 2 : 1) * float_bytes(specs_));
    if (read_.tensors.empty()) {
      read_ = read_floats(model_.file, specs_);
      if (read_.content != description_.content_sha256) {
        throw_failure(concat(description_.file, ": was changed since it was opened"));
      }
    }
    // Taken whatever happens: where memory runs out meanwhile, they are read anew.
    Tensors taken = std::exchange(read_.tensors, {});
    program_.emplace(plan::record(model_.info.network, shape.images, shape.height, shape.width),
                     std::move(taken), precision_);
    try {
      workspace_ = workspace_for(*program_);
    } catch (...) {
      program_.reset();
      throw;
    }
    shape_ = shape;
    threads_ = thread_count();
  }

  void check_memory(const BatchShape& shape, std::int64_t needed) const {
    const std::int64_t left = memory_left();
    if (needed <= left) return;
    throw_failure(concat(
        model_.file.file(), ": ", shape.images > 1 ? concat(shape.images, " images") : "one image",
        " at ", shape.width, " x ", shape.height,
        shape.images > 1 ? " take about " : " takes about ",
        human_bytes(static_cast<double>(needed)), " of memory, ", memory_left_text(left),
        "; use a smaller network, input or image, or allow more memory"));
  }

  weights::OpenedModel model_;
  Precision precision_;
  std::vector<net::ParameterSpec> specs_;
  ModelDescription description_;
  ReadTensors read_;  ///< until a program has them
  std::optional<Program> program_;
  BatchShape shape_;
  int threads_ = 0;
  Memory workspace_;
};

}  // namespace

std::unique_ptr<Engine> open_model(const std::filesystem::path& path, Precision precision) {
  return std::make_unique<NativeEngine>(weights::open_segmentation(path), precision);
}

}  // namespace medurwkv::native
