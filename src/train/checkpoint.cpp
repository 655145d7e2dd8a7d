#include "train/checkpoint.h"

#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::train {
namespace {

using nlohmann::json;

constexpr const char* moment1_prefix = "optimizer.moment1.";
constexpr const char* moment2_prefix = "optimizer.moment2.";
constexpr const char* average_prefix = "average.";

/// Zeros where the file has none: the tensor was not trained yet.
void load_moment(const weights::TensorFile& file, const std::string& name,
                 const at::Tensor& parameter, at::Tensor& moment) {
  if (!file.contains(name)) return;
  const std::vector<double> values = file.values(name);
  if (static_cast<std::int64_t>(values.size()) != parameter.numel()) {
    throw_failure(concat("tensor ", name, " has another size than what it is the moment of"));
  }
  moment = at::tensor(values, at::kDouble)
               .reshape(parameter.sizes())
               .to(parameter.options().requires_grad(false));
}

}  // namespace

void write_checkpoint(const std::filesystem::path& file, const weights::ModelInfo& info,
                      Learner& learner, const RunState& state, const json& started_with) {
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

Resumed read_checkpoint(const std::filesystem::path& path, Learner& learner) {
  const weights::TensorFile file = weights::read_checked(path);
  if (!file.metadata().contains("checkpoint")) {
    throw_failure(concat(path.string(), ": is not a checkpoint of a training run"));
  }
  const json checkpoint = weights::metadata_json(path.string(), file.metadata(), "checkpoint");
  try {
    Resumed out{.state = state_from(checkpoint.at("state")),
                .started_with = checkpoint.at("started_with")};
    learner.store().load(file);
    if (learner.average() != nullptr) learner.average()->load(file, average_prefix);
    for (AdamWSlot& slot : learner.optimizer().slots()) {
      load_moment(file, moment1_prefix + slot.name, slot.parameter, slot.moment1);
      load_moment(file, moment2_prefix + slot.name, slot.parameter, slot.moment2);
    }
    learner.optimizer().set_steps(checkpoint.at("optimizer_steps").get<std::int64_t>());
    return out;
  } catch (const json::exception& error) {
    throw_failure(concat(path.string(), ": its state is broken: ", error.what()));
  } catch (const Error& error) {
    throw_failure(concat(path.string(), ": ", error.what()));
  }
}

void write_model(const std::filesystem::path& file, const weights::ModelInfo& info,
                 const Learner& learner) {
  std::vector<at::Tensor> keep_alive;
  std::vector<weights::TensorView> tensors = learner.judged().views(keep_alive);
  std::erase_if(tensors, [](const weights::TensorView& tensor) {
    return tensor.name.starts_with("deep_supervision.");
  });
  weights::write_model_file(file, tensors, weights::to_metadata(info));
}

}  // namespace medurwkv::train
