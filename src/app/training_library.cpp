#include "app/training_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/listener.h"
#include "core/model_description.h"
#include "core/own_library.h"
#include "core/text.h"
#include "library/json.h"
#include "library/requests.h"
#include "library/training_library.h"
#include "weights/model_file.h"

namespace medurwkv::app {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* library_name = "libmedurwkv_training.so";

std::optional<fs::path> library_path() {
  return own_library("MEDURWKV_TRAINING_LIBRARY", library_name);
}

/// RTLD_LOCAL keeps LibTorch's symbols (its oneDNN among them) apart from the program's. The
/// library stays open until the process ends: LibTorch's threads outlive any one call.
const MedurwkvTrainingLibrary& opened_library() {
  static const MedurwkvTrainingLibrary* opened = [] {
    const auto path = library_path();
    if (!path) {
      throw_failure(concat("this command computes with LibTorch, but ", library_name,
                           " is not beside the program; build it with `make build` (the runtime "
                           "alone cannot train or run models yet)"));
    }
    void* handle = dlopen(path->c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (handle == nullptr) throw_failure(concat(path->string(), ": cannot be opened: ", dlerror()));
    using Entry = const MedurwkvTrainingLibrary* (*)();
    const auto entry = reinterpret_cast<Entry>(dlsym(handle, medurwkv_training_symbol));
    if (entry == nullptr || entry()->abi != medurwkv_training_abi) {
      throw_failure(concat(path->string(),
                           ": is of another version than the program; build both "
                           "together with `make build`"));
    }
    return entry();
  }();
  return *opened;
}

void throw_on_failure(const MedurwkvStatus& status) {
  switch (status.outcome) {
    case medurwkv_done: return;
    case medurwkv_failure: throw Error(ErrorKind::failure, status.message);
    case medurwkv_usage: throw Error(ErrorKind::usage, status.message);
    case medurwkv_internal: throw Error(ErrorKind::internal, status.message);
    case medurwkv_stopped: throw Stopped{status.signal};
  }
}

/// The program's side of a call: what the library says goes to the listener, the answer is kept.
class Host {
 public:
  explicit Host(Listener& listener) : listener_(listener) {
    interface_ = {
        .user = this,
        .line = [](void* user, const char* text) { self(user).listener_.line(text); },
        .progress =
            [](void* user, const char* what, std::int64_t done, std::int64_t total,
               const char* detail) { self(user).listener_.progress(what, done, total, detail); },
        .deliver = [](void* user, const char* text) { self(user).answer_ = text; },
        .stop_signal = [](void* user) { return self(user).listener_.stop_signal(); }};
  }
  [[nodiscard]] const MedurwkvHost* get() const { return &interface_; }
  [[nodiscard]] json answer() const { return json::parse(answer_); }

 private:
  static Host& self(void* user) { return *static_cast<Host*>(user); }

  Listener& listener_;
  MedurwkvHost interface_{};
  std::string answer_;
};

/// Makes a call that takes a request and delivers a result.
template <class Result, class Call, class Request>
Result result_of(Call call, const Request& request, Listener& listener) {
  const Host host(listener);
  MedurwkvStatus status{};
  call(library::to_text(request).c_str(), host.get(), &status);
  throw_on_failure(status);
  return library::from_value<Result>(host.answer());
}

class LibraryEngine : public Engine {
 public:
  LibraryEngine(MedurwkvEngine* engine, ModelDescription description)
      : engine_(engine, opened_library().close_engine), description_(std::move(description)) {}

  [[nodiscard]] const ModelDescription& description() const override { return description_; }

  [[nodiscard]] std::int64_t memory(const BatchShape& shape) const override {
    MedurwkvStatus status{};
    const std::int64_t out = opened_library().engine_memory(engine_.get(), shape.images,
                                                            shape.height, shape.width, &status);
    throw_on_failure(status);
    return out;
  }

  void run(const BatchShape& shape, std::span<const float> input,
           std::span<float> logits) override {
    if (std::ssize(input) != description_.input.channels * shape.pixels() ||
        std::ssize(logits) != description_.outputs() * shape.pixels()) {
      throw_internal("an engine was handed another number of values than stated");
    }
    MedurwkvStatus status{};
    opened_library().run_engine(engine_.get(), input.data(), shape.images, shape.height,
                                shape.width, logits.data(), &status);
    throw_on_failure(status);
  }

 private:
  std::unique_ptr<MedurwkvEngine, void (*)(MedurwkvEngine*)> engine_;
  ModelDescription description_;
};

}  // namespace

bool has_training_library() {
  return library_path().has_value();
}

library::LibraryDescription describe_training_library() {
  const Host host(silence());
  MedurwkvStatus status{};
  opened_library().describe(host.get(), &status);
  throw_on_failure(status);
  return library::from_value<library::LibraryDescription>(host.answer());
}

library::TrainResult train(const library::TrainRequest& request, Listener& listener) {
  return result_of<library::TrainResult>(opened_library().train, request, listener);
}

library::FeaturesResult features(const library::FeaturesRequest& request, Listener& listener) {
  return result_of<library::FeaturesResult>(opened_library().features, request, listener);
}

library::BenchResult bench(const library::BenchRequest& request, Listener& listener) {
  return result_of<library::BenchResult>(opened_library().bench, request, listener);
}

std::unique_ptr<Engine> open_engine(const library::EngineRequest& request) {
  const Host host(silence());
  MedurwkvStatus status{};
  MedurwkvEngine* engine =
      opened_library().open_engine(library::to_text(request).c_str(), host.get(), &status);
  throw_on_failure(status);
  const json answer = host.answer();
  ModelDescription description;
  description.input = weights::input_from_json(answer.at("input"));
  description.regions = answer.at("regions").get<Regions>();
  description.network = answer.at("network");
  description.file = request.model.string();
  description.content_sha256 = answer.at("content_sha256");
  description.split_sha256 = answer.at("split_sha256");
  library::take(answer.at("temperature"), description.temperature);
  for (const json& one : answer.at("classes")) {
    description.classes.push_back(
        {one.at(0).get<std::string>(), one.at(1).get<std::array<std::uint8_t, 3>>()});
  }
  return std::make_unique<LibraryEngine>(engine, std::move(description));
}

}  // namespace medurwkv::app
