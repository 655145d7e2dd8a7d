// The C entry of the training library: JSON in, calls, exceptions turned into a status.
#include "train/entry.h"

#include "torch/aten.h"

#include <ATen/Parallel.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/engine.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/stop.h"
#include "core/threads.h"
#include "train/bench.h"
#include "train/features.h"
#include "train/series.h"
#include "train/torch_engine.h"
#include "weights/model_file.h"

struct MedurwkvEngine {
  std::unique_ptr<medurwkv::Engine> engine;
};

namespace medurwkv::train {
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

/// Runs `body`; whatever it throws ends here.
template <class Body>
void guarded(MedurwkvStatus* status, const Body& body) {
  *status = {};
  try {
    body();
  } catch (const Stopped& stopped) {
    set_status(status, medurwkv_stopped, "");
    status->signal = stopped.signal;
  } catch (const Error& error) {
    set_status(status, outcome_of(error), error.what());
  } catch (const std::bad_alloc&) {
    set_status(status, medurwkv_failure,
               "out of memory; use a smaller run.batch or input.width and input.height");
  } catch (const c10::Error& error) {
    set_status(status, medurwkv_internal, error.what_without_backtrace());
  } catch (const std::exception& error) {
    set_status(status, medurwkv_internal, error.what());
  }
}

void describe(const MedurwkvHost* host, MedurwkvStatus* status) {
  guarded(status, [&] {
    json devices = json::array({"cpu"});
    const auto gpus = static_cast<int>(torch::cuda::device_count());
    for (int i = 0; i < gpus; ++i) {
      devices.push_back("cuda:" + std::to_string(i));
    }
    // A matrix product tells an optimised BLAS from the reference one, which is 40 times slower.
    const at::NoGradGuard no_grad;
    const at::Tensor a = at::ones({512, 512});
    at::mm(a, a);
    const auto start = std::chrono::steady_clock::now();
    at::mm(a, a);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    host->deliver(host->user, json{{"libtorch", TORCH_VERSION},
                                   {"devices", devices},
                                   {"onednn", at::hasMKLDNN()},
                                   {"openmp", at::hasOpenMP()},
                                   {"matrix_product_gflops", 2e-9 * 512 * 512 * 512 / seconds}}
                                  .dump()
                                  .c_str());
  });
}

void train_call(const char* text, const MedurwkvHost* host, MedurwkvStatus* status) {
  guarded(status, [&] {
    const json from = json::parse(text);
    const TrainRequest request{.data = from.at("data").get<std::string>(),
                               .split = from.at("split").get<std::string>(),
                               .out = from.at("out").get<std::string>(),
                               .config = from.at("config").get<std::string>(),
                               .settings = from.at("settings").get<std::vector<std::string>>(),
                               .device = from.at("device").get<std::string>(),
                               .threads = from.at("threads").get<int>(),
                               .pretrained = from.at("pretrained").get<std::string>(),
                               .init = from.at("init").get<std::string>(),
                               .names = from.at("names").get<bool>(),
                               .folds = from.at("folds").get<std::string>(),
                               .seeds = from.at("seeds").get<int>(),
                               .resume = from.at("resume").get<bool>(),
                               .max_minutes = from.at("max_minutes").get<double>(),
                               .save_every = from.at("save_every").get<double>(),
                               .cache = from.at("cache").get<double>(),
                               .memory = from.at("memory").get<double>(),
                               .rendezvous = from.at("rendezvous").get<std::string>(),
                               .rank = from.at("rank").get<int>(),
                               .world = from.at("world").get<int>()};
    const TrainListener listener{
        .line = [&](const std::string& line) { host->line(host->user, line.c_str()); },
        .progress =
            [&](std::int64_t done, std::int64_t total, const std::string& detail) {
              host->progress(host->user, done, total, detail.c_str());
            },
        .stop_signal = [&] { return host->stop_signal(host->user); }};
    host->deliver(host->user, train_series(request, listener).dump().c_str());
  });
}

MedurwkvEngine* open_engine(const char* text, const MedurwkvHost* host, MedurwkvStatus* status) {
  MedurwkvEngine* out = nullptr;
  guarded(status, [&] {
    const json from = json::parse(text);
    const int threads = from.at("threads").get<int>();
    set_thread_count(threads);
    at::set_num_threads(threads);
    auto engine = std::make_unique<MedurwkvEngine>();
    engine->engine = open_model(from.at("model").get<std::string>(),
                                device_from(from.at("device").get<std::string>()));
    const ModelDescription& model = engine->engine->description();
    json classes = json::array();
    for (const ClassInfo& one : model.classes) classes.push_back({one.name, one.color});
    host->deliver(host->user, json{{"network", model.network},
                                   {"sha256", model.sha256},
                                   {"split_sha256", model.split_sha256},
                                   {"classes", classes},
                                   {"input", weights::to_json(model.input)}}
                                  .dump()
                                  .c_str());
    out = engine.release();
  });
  return out;
}

void run_engine(MedurwkvEngine* engine, const float* input, std::int64_t height, std::int64_t width,
                float* logits, MedurwkvStatus* status) {
  guarded(status, [&] {
    const auto count =
        static_cast<std::size_t>(engine->engine->description().input.channels * height * width);
    const std::vector<float> out = engine->engine->logits({input, count}, height, width);
    std::copy(out.begin(), out.end(), logits);
  });
}

void close_engine(MedurwkvEngine* engine) {
  delete engine;
}

void bench_call(const char* text, const MedurwkvHost* host, MedurwkvStatus* status) {
  guarded(status, [&] {
    const json from = json::parse(text);
    const BenchRequest request{.preset = from.at("preset").get<std::string>(),
                               .sizes = from.at("sizes").get<std::vector<std::int64_t>>(),
                               .threads = from.at("threads").get<int>(),
                               .rounds = from.at("rounds").get<int>(),
                               .quick = from.at("quick").get<bool>(),
                               .matrix_flops = from.at("matrix_flops").get<double>()};
    const BenchListener listener{
        .line = [&](const std::string& line) { host->line(host->user, line.c_str()); },
        .matrix_product = [&] { host->matrix_product(host->user); },
        .stop_signal = [&] { return host->stop_signal(host->user); }};
    host->deliver(host->user, run_bench(request, listener).dump().c_str());
  });
}

void features_call(const char* text, const MedurwkvHost* host, MedurwkvStatus* status) {
  guarded(status, [&] {
    const json from = json::parse(text);
    const FeaturesRequest request{.model = from.at("model").get<std::string>(),
                                  .input = from.at("input").get<std::string>(),
                                  .out = from.at("out").get<std::string>(),
                                  .preset = from.at("preset").get<std::string>(),
                                  .wkv = from.at("wkv").get<std::string>(),
                                  .dtype = from.at("dtype").get<std::string>(),
                                  .settings = from.at("settings").get<std::vector<std::string>>(),
                                  .device = from.at("device").get<std::string>(),
                                  .threads = from.at("threads").get<int>(),
                                  .force = from.at("force").get<bool>()};
    const FeaturesListener listener{
        .line = [&](const std::string& line) { host->line(host->user, line.c_str()); },
        .stop_signal = [&] { return host->stop_signal(host->user); }};
    host->deliver(host->user, features(request, listener).dump().c_str());
  });
}

constexpr MedurwkvTrainingLibrary library{.abi = medurwkv_training_abi,
                                          .describe = describe,
                                          .train = train_call,
                                          .open_engine = open_engine,
                                          .run_engine = run_engine,
                                          .close_engine = close_engine,
                                          .bench = bench_call,
                                          .features = features_call};

}  // namespace
}  // namespace medurwkv::train

const MedurwkvTrainingLibrary* medurwkv_training_library() {
  medurwkv::keep_freed_memory();
  return &medurwkv::train::library;
}
