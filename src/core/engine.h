// The interface of what turns network input into logits. The native engine implements it, and so
// does the training library (library/training_library.h). predict and evaluate use nothing else.
// Relies on core/model_description.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/model_description.h"

namespace medurwkv {

class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  Engine(Engine&&) = delete;
  Engine& operator=(Engine&&) = delete;
  virtual ~Engine() = default;

  [[nodiscard]] virtual const ModelDescription& description() const = 0;

  /// `input`: one image, channels x height x width, as the input contract says; any height and
  /// width. Returns logits, classes x height x width. Not safe to call from two threads at once.
  virtual std::vector<float> logits(std::span<const float> input, std::int64_t height,
                                    std::int64_t width) = 0;
};

}  // namespace medurwkv
