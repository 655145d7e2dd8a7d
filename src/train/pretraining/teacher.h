// A teacher: a TorchScript module from pictures to maps or vectors. A TorchScript file is a
// program: running it is running its author's code (SECURITY.md). Nothing else in medurwkv loads
// one. Relies on LibTorch.
#pragma once

#include "torch/aten.h"

#include <filesystem>
#include <memory>
#include <vector>

#include "core/model_description.h"
#include "core/shape.h"

namespace medurwkv::train {

class Teacher {
 public:
  /// FILE.ts, and beside it FILE.json: {"mean": [...], "deviation": [...]}, one number per channel,
  /// applied to pictures of 0..1. It is tried on `batch` black pictures of `width` x `height`, so
  /// that the memory it works in is taken before the run's is predicted. Throws Error naming the
  /// file.
  Teacher(const std::filesystem::path& file, std::int64_t batch, std::int64_t width,
          std::int64_t height, const at::Device& device);
  Teacher(const Teacher&) = delete;
  Teacher& operator=(const Teacher&) = delete;
  Teacher(Teacher&&) = delete;
  Teacher& operator=(Teacher&&) = delete;
  ~Teacher();

  /// How its pictures are made.
  [[nodiscard]] const InputContract& contract() const { return contract_; }
  /// Of each output without the batch: {channels, height, width}, or {channels} of a vector.
  [[nodiscard]] const std::vector<Shape>& outputs() const { return outputs_; }

  /// Its outputs for pictures (batch x channels x height x width), float32, on its device.
  [[nodiscard]] std::vector<at::Tensor> run(const at::Tensor& pictures) const;

 private:
  struct Module;
  std::unique_ptr<Module> module_;
  std::filesystem::path file_;
  at::Device device_;
  InputContract contract_;
  std::vector<Shape> outputs_;
};

}  // namespace medurwkv::train
