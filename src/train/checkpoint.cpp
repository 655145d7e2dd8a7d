#include "train/checkpoint.h"

#include <string>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/text.h"
#include "plan/plan.h"
#include "weights/weights_source.h"

namespace medurwkv::train {
namespace {

using nlohmann::json;

constexpr const char* moment1_prefix = "optimizer.moment1.";
constexpr const char* moment2_prefix = "optimizer.moment2.";
constexpr const char* average_prefix = "average.";

/// None where the file has none: the tensor was not trained yet.
void add_moment(const weights::TensorIndex& file, const std::string& name,
                const at::Tensor& parameter, at::Tensor& moment,
                torch_backend::Destinations& destinations) {
  if (!file.contains(name)) return;
  if (element_count(file.info(name).shape) != parameter.numel()) {
    throw_failure(
        concat(file.file(), ": tensor ", name, " has another size than what it is the moment of"));
  }
  moment = at::empty(parameter.sizes(), parameter.options().requires_grad(false));
  destinations.emplace(name, moment);
}

/// Where the tensors of the file go in `learner`.
torch_backend::Destinations destinations_of(const weights::TensorIndex& file, Learner& learner) {
  torch_backend::Destinations out = learner.store().destinations(file);
  if (learner.average() != nullptr) {
    out.merge(learner.average()->destinations(file, average_prefix));
  }
  for (AdamWSlot& slot : learner.optimizer().slots()) {
    add_moment(file, moment1_prefix + slot.name, slot.parameter, slot.moment1, out);
    add_moment(file, moment2_prefix + slot.name, slot.parameter, slot.moment2, out);
  }
  return out;
}

}  // namespace

void write_checkpoint(const OutputPath& file, const weights::ModelInfo& info, Learner& learner,
                      const RunState& state, const json& started_with) {
  std::vector<at::Tensor> keep_alive;
  std::vector<weights::TensorView> tensors = learner.store().views(keep_alive);
  const auto add = [&](const std::string& name, const at::Tensor& tensor) {
    keep_alive.push_back(tensor.to(at::kCPU, at::kFloat).contiguous());
    tensors.push_back(torch_backend::view_of(name, keep_alive.back()));
  };
  for (const AdamWSlot& slot : learner.optimizer().slots()) {
    if (!slot.moment1.defined()) continue;
    add(moment1_prefix + slot.name, slot.moment1);
    add(moment2_prefix + slot.name, slot.moment2);
  }
  if (const torch_backend::ParameterStore* average = learner.average()) {
    const std::vector<weights::TensorView> views = average->views(keep_alive, average_prefix);
    tensors.insert(tensors.end(), views.begin(), views.end());
  }
  weights::Metadata metadata = weights::to_metadata(info);
  metadata["checkpoint"] = json{
      {"state", to_json(state)},
      {"optimizer_steps", learner.optimizer().steps()},
      {"started_with",
       started_with}}.dump();
  weights::write_model_file(file, tensors, std::move(metadata));
}

Resumed read_checkpoint(const std::filesystem::path& path, Learner& learner,
                        const std::function<void(const json& started_with)>& check) {
  const auto file = weights::WeightsSource::open(path);
  json checkpoint;
  torch_backend::Destinations destinations;
  file.understood([&] {
    if (!file.metadata().contains("checkpoint")) {
      throw_failure(concat(path.string(), ": is not a checkpoint of a training run"));
    }
    checkpoint = weights::metadata_json(path.string(), file.metadata(), "checkpoint");
    check(checkpoint.value("started_with", json::object()));
    destinations = destinations_of(file, learner);
  });
  torch_backend::read_into(file, destinations);
  try {
    Resumed out{.state = state_from(checkpoint.at("state")),
                .started_with = checkpoint.at("started_with")};
    learner.optimizer().set_steps(checkpoint.at("optimizer_steps").get<std::int64_t>());
    return out;
  } catch (const json::exception& error) {
    throw_failure(concat(path.string(), ": its state is broken: ", error.what()));
  } catch (const Error& error) {
    throw_failure(concat(path.string(), ": ", error.what()));
  }
}

PreparedModel prepare_model(const weights::ModelInfo& info, const Learner& learner) {
  PreparedModel out;
  out.tensors = learner.judged().views(out.keep_alive);
  std::unordered_set<std::string> network;
  for (net::ParameterSpec& spec : plan::parameters_of(info.network)) {
    network.insert(std::move(spec.name));
  }
  std::erase_if(out.tensors,
                [&](const weights::TensorView& tensor) { return !network.contains(tensor.name); });
  out.metadata = weights::to_metadata(info);
  out.checksum = weights::content_sha256(out.metadata, out.tensors);
  return out;
}

void write_model(const OutputPath& file, PreparedModel model) {
  weights::write_model_file(file, model.tensors, std::move(model.metadata));
}

CalibratedModel::CalibratedModel(const std::filesystem::path& file, FittedTemperature& fitted)
    : file_(weights::read_checked(file)) {
  weights::ModelInfo info = weights::model_info(file.string(), file_.metadata());
  info.temperature = fitted.temperature;
  info.provenance["calibration"] = to_json(fitted);
  metadata_ = weights::to_metadata(info);
  for (const weights::TensorInfo& tensor : file_.tensors()) {
    tensors_.push_back({tensor.name, tensor.type, tensor.shape, file_.data(tensor)});
  }
  fitted.model = weights::content_sha256(metadata_, tensors_);
}

void CalibratedModel::write(const OutputPath& file) {
  weights::write_model_file(file, tensors_, std::move(metadata_));
}

std::string model_problem(const std::filesystem::path& file, const std::string& checksum,
                          const std::string& or_checksum) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return "is gone";
  try {
    const auto model = weights::WeightsSource::open(file);
    model.check();
    const std::string stored = weights::stored_checksum(model.metadata());
    const bool same =
        checksum.empty() || stored == checksum || (!or_checksum.empty() && stored == or_checksum);
    return same ? "" : "is not the one that this run wrote";
  } catch (const Error& error) {
    return concat("cannot be read: ", error.what());
  }
}

}  // namespace medurwkv::train
