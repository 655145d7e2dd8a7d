#include "app/features.h"

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "app/segmenting.h"
#include "app/training_library.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "core/threads.h"
#include "maps/maps.h"
#include "native/program.h"
#include "native/read_floats.h"
#include "net/config.h"
#include "plan/plan.h"

namespace medurwkv::app {
namespace {

/// A network for images of one size, by the native engine.
class NativeMaps {
 public:
  explicit NativeMaps(const maps::Question& question)
      : recorded_(
            plan::record_with_maps(question.network, 1, question.image[2], question.image[3])),
        program_(recorded_, tensors_of(question)),
        workspace_(native::workspace_for(program_)) {
    for (const plan::ValueId id : recorded_.outputs) {
      outputs_.emplace_back(static_cast<std::size_t>(element_count(recorded_.shape(id))));
    }
    for (std::vector<float>& output : outputs_) places_.push_back(output.data());
    input_.resize(static_cast<std::size_t>(element_count(question.image)));
  }

  std::vector<maps::Map> run(std::string_view image) {
    std::memcpy(input_.data(), image.data(), image.size());  // a file's bytes may lie anywhere
    program_.run(input_.data(), places_, workspace_.get());
    std::vector<maps::Map> out;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const Shape& shape = recorded_.shape(recorded_.outputs[i]);
      const bool is_map = outputs_.size() > 1 && i < 4;
      out.push_back({.name = is_map ? concat("f", i + 1) : "logits",
                     .shape = shape,
                     .bytes = {reinterpret_cast<const char*>(outputs_[i].data()),
                               outputs_[i].size() * sizeof(float)}});
    }
    return out;
  }

 private:
  [[nodiscard]] native::Tensors tensors_of(const maps::Question& question) const {
    const std::int64_t needed = native::program_memory(recorded_, native::Precision::float32) +
                                native::float_bytes(recorded_.parameters);
    if (const std::int64_t left = memory_left(); needed > left) {
      throw_failure(concat(
          question.file.file(), ": one image at ", question.image[3], " x ", question.image[2],
          " takes about ", human_bytes(static_cast<double>(needed)), " of memory, ",
          memory_left_text(left), "; use a smaller network or image, or allow more memory"));
    }
    std::unordered_map<std::string, std::string> sources;
    for (const weights::UsedTensor& one : question.tensors) sources[one.name] = one.source;
    std::vector<net::ParameterSpec> specs = recorded_.parameters;
    std::erase_if(specs, [](const net::ParameterSpec& spec) { return spec.integer; });
    return native::read_floats(question.file, specs,
                               [&](const std::string& name) { return sources.at(name); })
        .tensors;
  }

  plan::Plan recorded_;
  native::Program program_;
  native::Memory workspace_;
  std::vector<float> input_;
  std::vector<std::vector<float>> outputs_;
  std::vector<float*> places_;
};

maps::Run open_natively(const maps::Question& question) {
  const auto network = std::make_shared<NativeMaps>(question);
  return [network](std::string_view image) { return network->run(image); };
}

}  // namespace

library::FeaturesResult compute_features(const library::FeaturesRequest& request,
                                         const std::string& engine, Listener& listener) {
  if (!request.wkv.empty()) static_cast<void>(net::wkv_mode_from(request.wkv));
  for (const std::string& setting : request.settings) {
    if (!setting.starts_with("encoder.")) {
      throw_usage(concat("--set ", setting, ": features takes settings of encoder alone, such as ",
                         "encoder.post_norm=true"));
    }
  }
  const bool float64 = request.dtype == "float64";
  if (engine == "native" && float64) {
    throw_usage("--engine native computes in float32; leave it out for --dtype float64");
  }
  if (float64 || !runs_natively(engine, request.device)) return features(request, listener);
  set_thread_count(request.threads);
  return maps::write_maps(request, open_natively, listener);
}

}  // namespace medurwkv::app
