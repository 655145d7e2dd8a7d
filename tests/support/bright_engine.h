// An engine without a network, for what is around one.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "core/engine.h"
#include "core/model_description.h"

namespace medurwkv::test {

/// Class 1 where the image is brighter than half.
class BrightEngine : public Engine {
 public:
  BrightEngine() {
    description_.input = {Fit::stretch, 8, 8, 1, {0}, {1}};
    description_.classes = {{"background", {}}, {"bright", {255, 0, 0}}};
    set_content('1');
  }
  [[nodiscard]] const ModelDescription& description() const override { return description_; }
  [[nodiscard]] std::int64_t memory(const BatchShape& /*shape*/) const override { return 0; }
  void run(const BatchShape& /*shape*/, std::span<const float> input,
           std::span<float> logits) override {
    if (stop != nullptr) *stop = 15;
    std::fill_n(logits.begin(), input.size(), 0.0F);
    for (std::size_t i = 0; i < input.size(); ++i) logits[input.size() + i] = input[i] - 0.5F;
  }
  void set_content(char of) { description_.content_sha256 = std::string(64, of); }

  std::atomic<int>* stop = nullptr;  ///< set when an image is predicted, as a signal would

 protected:
  ModelDescription description_;
};

}  // namespace medurwkv::test
