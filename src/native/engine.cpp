#include "native/engine.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "native/fuse.h"
#include "native/lower.h"
#include "native/program.h"
#include "plan/memory.h"
#include "weights/opened_model.h"

namespace medurwkv::native {
namespace {

constexpr std::size_t alignment = 64;

/// Bytes of code and tables that oneDNN makes for a network's products. A prediction with nano held
/// 25.6 MB, of which the program is 10 and weights and workspace less than 3.
constexpr std::int64_t library_bytes = 15'000'000;

struct Free {
  void operator()(std::byte* memory) const {
    ::operator delete (memory, std::align_val_t{alignment});
  }
};

/// Memory aligned for vectors.
using Workspace = std::unique_ptr<std::byte, Free>;

Workspace workspace_of(std::int64_t bytes) {
  return Workspace(static_cast<std::byte*>(
      ::operator new (static_cast<std::size_t>(bytes), std::align_val_t{alignment})));
}

/// Tensors by their names, as float32.
using Tensors = std::unordered_map<std::string, std::vector<float>>;

class NativeEngine : public Engine {
 public:
  explicit NativeEngine(weights::OpenedModel model) : model_(std::move(model)) {
    specs_ = plan::parameters_of(model_.info.network);
    const std::int64_t width = model_.info.input.width;
    const std::int64_t height = model_.info.input.height;
    model_.file.understood([&] {
      for (const net::ParameterSpec& spec : specs_) refuse_another_shape(spec);
      check_memory({1, height, width}, memory({1, height, width}) + weight_bytes());
    });
    description_ = model_.description(read());
  }

  [[nodiscard]] const ModelDescription& description() const override { return description_; }

  [[nodiscard]] std::int64_t memory(const BatchShape& shape) const override {
    const plan::Plan recorded =
        plan::record(model_.info.network, shape.images, shape.height, shape.width);
    return library_bytes + plan::lay_out(fuse(lower(recorded))).bytes;
  }

  void run(const BatchShape& shape, std::span<const float> input,
           std::span<float> logits) override {
    prepare(shape);
    float* const out = logits.data();
    program_->run(input.data(), {&out, 1}, workspace_.get());
  }

 private:
  void prepare(const BatchShape& shape) {
    if (program_ && shape == shape_) return;
    program_.reset();
    workspace_.reset();
    check_memory(shape, memory(shape) + (tensors_.empty() ? 2 : 1) * weight_bytes());
    if (tensors_.empty() && read() != description_.content_sha256) {
      throw_failure(concat(description_.file, ": was changed since it was opened"));
    }
    program_.emplace(
        plan::record(model_.info.network, shape.images, shape.height, shape.width),
        [&](const net::ParameterSpec& spec) { return std::move(tensors_.at(spec.name)); });
    tensors_.clear();
    workspace_ = workspace_of(program_->workspace_bytes());
    shape_ = shape;
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

  [[nodiscard]] std::int64_t weight_bytes() const {
    std::int64_t out = 0;
    for (const net::ParameterSpec& spec : specs_) {
      if (!spec.integer) out += std::int64_t{sizeof(float)} * element_count(spec.shape);
    }
    return out;
  }

  void refuse_another_shape(const net::ParameterSpec& spec) const {
    const weights::TensorInfo& info = model_.file.info(spec.name);
    if (info.shape == spec.shape) return;
    throw_failure(concat(model_.file.file(), ": tensor ", shown(info.name), " has shape ",
                         shape_text(info.shape), ", but the network needs ",
                         shape_text(spec.shape)));
  }

  /// All tensors into memory; the file's content_sha256.
  std::string read() {
    for (const net::ParameterSpec& spec : specs_) {
      if (spec.integer) continue;
      tensors_[spec.name].resize(static_cast<std::size_t>(element_count(spec.shape)));
    }
    return model_.file.read(
        [&](const weights::TensorInfo& tensor, std::uint64_t at, std::string_view piece) {
          const auto found = tensors_.find(tensor.name);
          if (found == tensors_.end()) return;
          const auto size = static_cast<std::uint64_t>(weights::size_of(tensor.type));
          weights::to_floats(tensor.type, piece, found->second.data() + at / size);
        });
  }

  weights::OpenedModel model_;
  std::vector<net::ParameterSpec> specs_;
  ModelDescription description_;
  Tensors tensors_;  ///< until a program has them
  std::optional<Program> program_;
  BatchShape shape_;
  Workspace workspace_;
};

}  // namespace

std::unique_ptr<Engine> open_model(const std::filesystem::path& path) {
  return std::make_unique<NativeEngine>(weights::open_segmentation(path));
}

}  // namespace medurwkv::native
