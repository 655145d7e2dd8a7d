// How images become masks: the models, and what is done with their answers. Predict and evaluate
// share it. Relies on app/members.h, core/engine.h and predict/postprocess.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "app/members.h"
#include "core/engine.h"
#include "core/listener.h"
#include "predict/postprocess.h"

namespace medurwkv::app {

struct Segmenting {
  std::filesystem::path model;                ///< model file, or a run's folder
  std::vector<std::filesystem::path> others;  ///< averaged with it
  bool flips = false;                         ///< averaged over the mirror images, too
  std::int64_t tile = 0;  ///< side of tiles for models that see images as they are; 0: as they say
  predict::PostOptions post{};
  std::string device = "auto";        ///< cpu, cuda or auto
  std::string engine;                 ///< native (CPU alone) or torch; empty: native on the CPU
  std::string precision = "float32";  ///< of the native engine (native/precision.h)
  int threads = 0;                    ///< 0: all cores
};

/// Whether the native engine is to run what is asked for: on the CPU, unless `engine` is "torch".
/// Throws a usage Error where `engine` and `device` contradict each other.
bool runs_natively(const std::string& engine, const std::string& device);

/// The models that the request names, those of a run's folder among them. Tells the listener which.
/// Throws Error.
std::vector<Member> members_of(const Segmenting& request, Listener& listener);

/// The model files, ready to run. Throws Error naming the file.
std::vector<std::unique_ptr<Engine>> open_engines(const Segmenting& request,
                                                  const std::vector<Member>& members);

/// Tells the listener which of several models have no temperature where others have one.
void note_missing_temperatures(const std::vector<Engine*>& engines, Listener& listener);

/// As options of the commands: " --ensemble b.model --tta --threshold 0.3"; empty for none.
std::string options_text(const Segmenting& request);

}  // namespace medurwkv::app
