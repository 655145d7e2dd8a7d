// Commands by their names, with requests and answers as JSON (docs/library.md).
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "api/guard.h"
#include "app/convert.h"
#include "app/data_check.h"
#include "app/data_split.h"
#include "app/evaluate.h"
#include "app/export.h"
#include "app/inspect.h"
#include "app/train.h"
#include "core/text.h"
#include "core/threads.h"
#include "library/json.h"

namespace {

// The functions of the C interface stand outside the namespace.
using namespace medurwkv;  // NOLINT(google-build-using-namespace)
using nlohmann::json;

/// Passes the work's reports on to the caller's functions.
class CallerListener : public Listener {
 public:
  explicit CallerListener(const medurwkv_listener& to) : to_(to) {}

  void line(const std::string& text) override {
    if (to_.line != nullptr) to_.line(to_.user, text.c_str());
  }
  void failure(const std::string& text) override {
    if (to_.failure != nullptr) to_.failure(to_.user, text.c_str());
  }
  void progress(const std::string& what, std::int64_t done, std::int64_t total,
                const std::string& detail) override {
    if (to_.progress == nullptr) return;
    if (to_.progress(to_.user, what.c_str(), done, total, detail.c_str()) != 0) stop_ = ctrl_c;
  }
  [[nodiscard]] int stop_signal() const override { return stop_.load(std::memory_order_relaxed); }

 private:
  static constexpr int ctrl_c = 2;  ///< SIGINT

  medurwkv_listener to_;
  StopSignal stop_{0};
};

/// A request's keys, each taken once; what is left is unknown.
class Keys {
 public:
  Keys(const std::string& command, json from) : command_(command), left_(std::move(from)) {
    if (!left_.is_object()) throw_usage(concat("the request of ", command, " is no JSON object"));
  }

  /// Leaves `value` alone where the key is absent.
  template <class T>
  Keys& take(const char* key, T& value) {
    known_.emplace_back(key);
    const auto found = left_.find(key);
    if (found == left_.end()) return *this;
    try {
      library::take(*found, value);
    } catch (const json::exception& error) {
      throw_usage(concat("the request of ", command_, ": ", key,
                         " has a wrong type: ", shown(found->dump())));
    }
    left_.erase(found);
    return *this;
  }
  void finish() const {
    if (left_.empty()) return;
    const std::string key = left_.begin().key();
    throw_usage(
        concat("the request of ", command_, " has no key ", shown(key), suggestion(key, known_)));
  }

 private:
  std::string command_;
  json left_;
  std::vector<std::string> known_;
};

void take_set(Keys& keys, app::SetRequest& set) {
  keys.take("data", set.folder)
      .take("mask_encoding", set.encoding)
      .take("class_names", set.class_names)
      .take("classes", set.class_file)
      .take("plane", set.plane);
}

json inspect(Keys& keys, Listener& /*listener*/) {
  app::InspectRequest request;
  bool names = false;
  keys.take("file", request.file)
      .take("preset", request.preset)
      .take("classes", request.classes)
      .take("channels", request.channels)
      .take("size", request.size)
      .take("names", names)
      .finish();
  return app::answer_of(app::inspect(request), names);
}

json convert(Keys& keys, Listener& /*listener*/) {
  app::ConvertRequest request;
  keys.take("from", request.from)
      .take("to", request.to)
      .take("wkv", request.wkv)
      .take("set", request.settings)
      .take("classes", request.classes)
      .take("width", request.width)
      .take("height", request.height)
      .take("encoder", request.encoder)
      .take("force", request.force)
      .finish();
  return app::answer_of(request, app::convert(request));
}

json export_onnx(Keys& keys, Listener& /*listener*/) {
  app::ExportRequest request;
  keys.take("model", request.model)
      .take("onnx", request.onnx)
      .take("pixels", request.options.pixels)
      .take("labels", request.options.labels)
      .take("force", request.force)
      .finish();
  return app::answer_of(request, app::export_onnx(request));
}

json check(Keys& keys, Listener& listener) {
  app::CheckRequest request;
  take_set(keys, request.set);
  keys.take("split", request.split)
      .take("against", request.against)
      .take("fix", request.fix)
      .finish();
  return app::answer_of(request, app::check_data(request, listener));
}

json split(Keys& keys, Listener& listener) {
  app::SplitDataRequest request;
  take_set(keys, request.set);
  keys.take("out", request.out)
      .take("ratios", request.ratios)
      .take("folds", request.folds)
      .take("test", request.test)
      .take("group_by", request.group_by)
      .take("seed", request.seed)
      .take("force", request.force)
      .finish();
  return app::split_data(request, listener).json;
}

json train(Keys& keys, Listener& listener) {
  library::TrainRequest request;
  request.threads = available_cores();
  library::TrainRequest::fields(request,
                                [&](const char* name, auto& field) { keys.take(name, field); });
  keys.finish();
  return library::to_value(app::train_network(request, listener));
}

json evaluate(Keys& keys, Listener& listener) {
  app::EvaluateRequest request;
  take_set(keys, request.set);
  std::vector<double> spacing;
  keys.take("model", request.how.model)
      .take("ensemble", request.how.others)
      .take("tta", request.how.flips)
      .take("tile", request.how.tile)
      .take("threshold", request.how.post.threshold)
      .take("fill_holes", request.how.post.fill_holes)
      .take("largest", request.how.post.largest)
      .take("min_area", request.how.post.min_area)
      .take("precision", request.how.precision)
      .take("threads", request.how.threads)
      .take("predictions", request.predictions)
      .take("prediction_encoding", request.prediction_encoding)
      .take("missing", request.missing)
      .take("split", request.split)
      .take("part", request.part)
      .take("fold", request.fold)
      .take("spacing", spacing)
      .take("spacing_file", request.spacing_file)
      .take("tolerance", request.tolerances)
      .take("volumes", request.volumes)
      .take("strata", request.strata)
      .take("metrics", request.metrics)
      .take("profiles", request.profiles)
      .take("batch", request.batch)
      .take("seed", request.seed)
      .take("per_group", request.per_group)
      .take("out", request.out)
      .take("force", request.force)
      .finish();
  if (spacing.size() > 3 || spacing.size() == 1) {
    throw_usage("the request of evaluate: spacing has two or three sides");
  }
  if (!spacing.empty()) {
    request.spacing = {1, 1, 1};
    std::copy(spacing.begin(), spacing.end(), request.spacing->begin());
  }
  const app::EvaluateResult result = app::evaluate(request, listener);
  return result.report ? judge::summary_json(*result.report)
                       : judge::series_json(result.trained, result.together, result.command);
}

using Command = json (*)(Keys& keys, Listener& listener);
const std::map<std::string, Command>& commands() {
  static const std::map<std::string, Command> all{
      {"inspect", inspect}, {"convert", convert}, {"export", export_onnx}, {"check", check},
      {"split", split},     {"train", train},     {"evaluate", evaluate}};
  return all;
}

}  // namespace

medurwkv_code medurwkv_run(const char* command, const char* request,
                           const medurwkv_listener* listener, char** answer) {
  return api::guarded([&] {
    api::given(answer, "answer") = nullptr;
    const std::string name = &api::given(command, "command");
    const auto found = commands().find(name);
    if (found == commands().end()) {
      std::vector<std::string> known;
      for (const auto& [own, run] : commands()) known.push_back(own);
      throw_usage(concat("unknown command ", shown(name), suggestion(name, known), "; there are ",
                         join(known, ", ")));
    }
    json parsed;
    try {
      parsed = json::parse(&api::given(request, "request"));
    } catch (const json::exception& error) {
      throw_usage(concat("the request of ", name, " is no JSON: ", error.what()));
    }
    CallerListener caller(api::taken(listener, "listener"));
    Keys keys(name, std::move(parsed));
    const json out = found->second(keys, caller);
    *answer = api::text_for_caller(out.dump(-1, ' ', false, json::error_handler_t::replace));
  });
}
