#include "app/segmenting.h"

#include <algorithm>
#include <system_error>

#include "app/training_library.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "core/threads.h"
#include "native/engine.h"

namespace medurwkv::app {

namespace fs = std::filesystem;

namespace {

/// Whether the device is one that only LibTorch computes on: "auto" takes it where a driver is.
bool wants_gpu(const std::string& device) {
  std::error_code ignored;
  return device == "cuda" || (device == "auto" && has_training_library() &&
                              fs::exists("/proc/driver/nvidia/version", ignored));
}

}  // namespace

bool runs_natively(const std::string& engine, const std::string& device) {
  if (engine == "native" && device == "cuda") {
    throw_usage("--engine native runs on the CPU; leave it out for --device cuda");
  }
  return engine == "native" || (engine.empty() && !wants_gpu(device));
}

std::vector<Member> members_of(const Segmenting& request, Listener& listener) {
  std::vector<fs::path> named{request.model};
  named.insert(named.end(), request.others.begin(), request.others.end());
  std::vector<Member> out;
  for (const fs::path& one : named) {
    for (Member& member : members_of(one)) {
      if (member.model != one) {
        listener.line(concat("note: model ", member.model.string()));
      }
      out.push_back(std::move(member));
    }
  }
  return out;
}

std::vector<std::unique_ptr<Engine>> open_engines(const Segmenting& request,
                                                  const std::vector<Member>& members) {
  std::vector<std::unique_ptr<Engine>> out;
  out.reserve(members.size());
  const int threads = request.threads > 0 ? request.threads : available_cores();
  const bool native = runs_natively(request.engine, request.device);
  if (native) set_thread_count(threads);
  const native::Precision precision = native::precision_from(request.precision);
  if (!native && precision != native::Precision::float32) {
    throw_usage(concat("--precision ", request.precision,
                       " is the native engine's; LibTorch computes in float32"));
  }
  for (const Member& member : members) {
    out.push_back(native ? native::open_model(member.model, {.precision = precision})
                         : open_engine({.model = member.model,
                                        .device = request.device,
                                        .threads = threads,
                                        .memory = memory_limit()}));
  }
  return out;
}

void note_missing_temperatures(const std::vector<Engine*>& engines, Listener& listener) {
  const auto lacks = [](const Engine* engine) { return !engine->description().temperature; };
  if (std::all_of(engines.begin(), engines.end(), lacks)) return;
  for (const Engine* engine : engines) {
    if (!lacks(engine)) continue;
    listener.line(concat("note: ", engine->description().file,
                         " has no temperature; it counts as 1 in that of the ensemble"));
  }
}

std::string options_text(const Segmenting& request) {
  std::string out;
  for (const fs::path& one : request.others) {
    out += concat(" --ensemble ", shell_quoted(one.string()));
  }
  if (request.flips) out += " --tta";
  if (request.tile > 0) out += concat(" --tile ", request.tile);
  if (!request.engine.empty()) out += concat(" --engine ", request.engine);
  if (request.precision != "float32") out += concat(" --precision ", request.precision);
  const predict::PostOptions& post = request.post;
  if (post.threshold) out += concat(" --threshold ", *post.threshold);
  if (post.fill_holes) out += " --fill-holes";
  if (post.largest) out += " --largest";
  if (post.min_area > 0) out += concat(" --min-area ", post.min_area);
  return out;
}

}  // namespace medurwkv::app
