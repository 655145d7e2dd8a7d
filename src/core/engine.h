// The interface of what turns network input into logits. The native engine implements it, and so
// does the training library (library/training_library.h). predict and evaluate use nothing else.
// Relies on core/model_description.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/model_description.h"

namespace medurwkv {

/// Images of one size that run together.
struct BatchShape {
  std::int64_t images = 1;
  std::int64_t height = 0;
  std::int64_t width = 0;

  /// Of all images.
  [[nodiscard]] std::int64_t pixels() const { return images * height * width; }
  bool operator==(const BatchShape&) const = default;
};

class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  Engine(Engine&&) = delete;
  Engine& operator=(Engine&&) = delete;
  virtual ~Engine() = default;

  [[nodiscard]] virtual const ModelDescription& description() const = 0;

  /// Bytes that run() takes beside the weights, for a batch of any size.
  [[nodiscard]] virtual std::int64_t memory(const BatchShape& shape) const = 0;

  /// `input`: images x channels x height x width, as the input contract says. Writes `logits`:
  /// images x description().outputs() x height x width. Throws Error where memory is not left for
  /// it. Not safe to call from two threads at once, but from several one after another; two engines
  /// may run at once.
  virtual void run(const BatchShape& shape, std::span<const float> input,
                   std::span<float> logits) = 0;

  /// Another engine of the same model, to run beside this one; null where there can be none. It
  /// reads the weights anew before it runs first.
  [[nodiscard]] virtual std::unique_ptr<Engine> another() const { return nullptr; }
};

}  // namespace medurwkv
