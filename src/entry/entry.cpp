// The C entry of the training library: JSON in, calls, exceptions turned into a status.
#include "library/training_library.h"

#include "torch/aten.h"

#include <ATen/Parallel.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/engine.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/listener.h"
#include "core/memory.h"
#include "core/model_description.h"
#include "core/stop.h"
#include "core/text.h"
#include "core/threads.h"
#include "engine/features.h"
#include "engine/torch_engine.h"
#include "library/json.h"
#include "library/requests.h"
#include "library/results.h"
#include "train/bench.h"
#include "train/series.h"
#include "weights/model_file.h"

struct MedurwkvEngine {
  std::unique_ptr<medurwkv::Engine> engine;
};

namespace medurwkv {
namespace {

using nlohmann::json;

void set_status(MedurwkvStatus* status, MedurwkvOutcome outcome, const std::string& message) {
  status->outcome = outcome;
  std::snprintf(status->message, sizeof(status->message), "%s", message.c_str());
}

MedurwkvOutcome outcome_of(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::usage: return medurwkv_usage;
    case ErrorKind::failure: return medurwkv_failure;
    case ErrorKind::internal: return medurwkv_internal;
  }
  return medurwkv_internal;
}

/// LibTorch has no type for it on the CPU.
bool is_out_of_memory(const c10::Error& error) {
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
         std::strstr(error.what_without_backtrace(), "can't allocate memory") != nullptr;
}

constexpr const char* no_memory_to_train =
    "out of memory; training needs less with a smaller run.batch, input.width and input.height";
constexpr const char* no_memory = "out of memory; use a smaller network, input or image";

/// Runs `body`; whatever it throws ends here.
template <class Body>
void guarded(MedurwkvStatus* status, const Body& body, const char* out_of_memory = no_memory) {
  *status = {};
  try {
    body();
  } catch (const Stopped& stopped) {
    set_status(status, medurwkv_stopped, "");
    status->signal = stopped.signal;
  } catch (const Error& error) {
    set_status(status, outcome_of(error), without_identity(error.what()));
  } catch (const std::bad_alloc&) {
    set_status(status, medurwkv_failure, out_of_memory);
  } catch (const c10::Error& error) {
    const bool memory = is_out_of_memory(error);
    set_status(status, memory ? medurwkv_failure : medurwkv_internal,
               memory ? out_of_memory : error.what_without_backtrace());
  } catch (const std::filesystem::filesystem_error& error) {
    set_status(status, medurwkv_failure,
               concat(error.path1().string(), ": ", error.code().message()));
  } catch (const std::exception& error) {
    set_status(status, medurwkv_internal, without_identity(error.what()));
  }
}

class HostListener : public Listener {
 public:
  explicit HostListener(const MedurwkvHost& host) : host_(host) {}
  void line(const std::string& text) override {
    host_.line(host_.user, without_identity(text).c_str());
  }
  void failure(const std::string& text) override {
    host_.line(host_.user, without_identity(text).c_str());
  }
  void progress(const std::string& what, std::int64_t done, std::int64_t total,
                const std::string& detail) override {
    host_.progress(host_.user, what.c_str(), done, total, without_identity(detail).c_str());
  }
  [[nodiscard]] int stop_signal() const override { return host_.stop_signal(host_.user); }

 private:
  const MedurwkvHost& host_;
};

template <class Result>
void deliver(const MedurwkvHost& host, const Result& result) {
  host.deliver(host.user, library::to_value(result).dump().c_str());
}

void describe(const MedurwkvHost* host, MedurwkvStatus* status) {
  guarded(status, [&] {
    library::LibraryDescription out{.libtorch = TORCH_VERSION,
                                    .devices = {"cpu"},
                                    .onednn = at::hasMKLDNN(),
                                    .openmp = at::hasOpenMP()};
    const auto gpus = static_cast<int>(torch::cuda::device_count());
    for (int i = 0; i < gpus; ++i) out.devices.push_back(concat("cuda:", i));
    // A matrix product tells an optimised BLAS from the reference one, which is 40 times slower.
    const at::NoGradGuard no_grad;
    const at::Tensor a = at::ones({512, 512});
    at::mm(a, a);
    const auto start = std::chrono::steady_clock::now();
    at::mm(a, a);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    out.matrix_product_gflops = 2e-9 * 512 * 512 * 512 / seconds;
    deliver(*host, out);
  });
}

void train_call(const char* text, const MedurwkvHost* host, MedurwkvStatus* status) {
  guarded(
      status,
      [&] {
        HostListener listener(*host);
        const auto request = library::from_text<library::TrainRequest>(text);
        deliver(*host, train::train_series(request, listener));
      },
      no_memory_to_train);
}

MedurwkvEngine* open_engine(const char* text, const MedurwkvHost* host, MedurwkvStatus* status) {
  MedurwkvEngine* out = nullptr;
  guarded(status, [&] {
    const auto request = library::from_text<library::EngineRequest>(text);
    set_thread_count(request.threads);
    at::set_num_threads(request.threads);
    set_memory_limit(request.memory);
    auto engine = std::make_unique<MedurwkvEngine>();
    engine->engine = engine::open_model(request.model, engine::device_from(request.device));
    const ModelDescription& model = engine->engine->description();
    json classes = json::array();
    for (const ClassInfo& one : model.classes) classes.push_back({one.name, one.color});
    host->deliver(host->user,
                  json{{"network", model.network},
                       {"content_sha256", model.content_sha256},
                       {"split_sha256", model.split_sha256},
                       {"classes", classes},
                       {"regions", model.regions},
                       {"temperature", model.temperature ? json(*model.temperature) : json()},
                       {"input", weights::to_json(model.input)}}
                      .dump()
                      .c_str());
    out = engine.release();
  });
  return out;
}

std::int64_t engine_memory(MedurwkvEngine* engine, std::int64_t images, std::int64_t height,
                           std::int64_t width, MedurwkvStatus* status) {
  std::int64_t out = 0;
  guarded(status, [&] { out = engine->engine->memory({images, height, width}); });
  return out;
}

void run_engine(MedurwkvEngine* engine, const float* input, std::int64_t images,
                std::int64_t height, std::int64_t width, float* logits, MedurwkvStatus* status) {
  guarded(status, [&] {
    const BatchShape shape{images, height, width};
    const ModelDescription& model = engine->engine->description();
    const auto numbers = [&](std::int64_t planes) {
      return static_cast<std::size_t>(planes * shape.pixels());
    };
    engine->engine->run(shape, {input, numbers(model.input.channels)},
                        {logits, numbers(model.outputs())});
  });
}

void close_engine(MedurwkvEngine* engine) {
  delete engine;
}

void bench_call(const char* text, const MedurwkvHost* host, MedurwkvStatus* status) {
  guarded(status, [&] {
    HostListener listener(*host);
    deliver(*host, train::run_bench(library::from_text<library::BenchRequest>(text), listener));
  });
}

void features_call(const char* text, const MedurwkvHost* host, MedurwkvStatus* status) {
  guarded(status, [&] {
    HostListener listener(*host);
    const auto request = library::from_text<library::FeaturesRequest>(text);
    set_memory_limit(request.memory);
    deliver(*host, engine::features(request, listener));
  });
}

constexpr MedurwkvTrainingLibrary offered{.abi = medurwkv_training_abi,
                                          .describe = describe,
                                          .train = train_call,
                                          .open_engine = open_engine,
                                          .engine_memory = engine_memory,
                                          .run_engine = run_engine,
                                          .close_engine = close_engine,
                                          .bench = bench_call,
                                          .features = features_call};

}  // namespace
}  // namespace medurwkv

const MedurwkvTrainingLibrary* medurwkv_training_library() {
  medurwkv::keep_freed_memory();
  return &medurwkv::offered;
}
