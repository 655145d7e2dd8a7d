#include "train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

namespace medurwkv::train {
namespace {

using nlohmann::json;

constexpr const char* moment1_prefix = "optimizer.moment1.";
constexpr const char* moment2_prefix = "optimizer.moment2.";

/// JSON has no NaN; an epoch without validation is null there.
json number_or_null(double value) {
  return std::isfinite(value) ? json(value) : json();
}
double number_from(const json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

json to_json(const RunState& state) {
  json rows = json::array();
  for (const EpochRow& row : state.rows) {
    rows.push_back({row.epoch, row.rate, number_or_null(row.loss),
                    number_or_null(row.cross_entropy), number_or_null(row.dice_loss),
                    number_or_null(row.validation_dice)});
  }
  return {{"step", state.step},
          {"sum_loss", state.sum_loss},
          {"sum_cross_entropy", state.sum_cross_entropy},
          {"sum_dice", state.sum_dice},
          {"best_dice", state.best_dice},
          {"best_epoch", state.best_epoch},
          {"rows", rows}};
}

RunState state_from(const json& from) {
  RunState state;
  from.at("step").get_to(state.step);
  from.at("sum_loss").get_to(state.sum_loss);
  from.at("sum_cross_entropy").get_to(state.sum_cross_entropy);
  from.at("sum_dice").get_to(state.sum_dice);
  from.at("best_dice").get_to(state.best_dice);
  from.at("best_epoch").get_to(state.best_epoch);
  for (const json& row : from.at("rows")) {
    state.rows.push_back({row.at(0).get<std::int64_t>(), row.at(1).get<double>(),
                          number_from(row.at(2)), number_from(row.at(3)), number_from(row.at(4)),
                          number_from(row.at(5))});
  }
  return state;
}

}  // namespace

RunLock::RunLock(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / ".lock";
  descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) {
    throw_failure(concat(file.string(), ": cannot write here: ", std::strerror(errno)));
  }
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor_);
    throw_failure(concat(folder.string(),
                         ": another run writes here; wait for it or choose "
                         "another --out"));
  }
}

RunLock::~RunLock() {
  ::close(descriptor_);
}

void write_checkpoint(const std::filesystem::path& file, const weights::ModelInfo& info,
                      const torch_backend::ParameterStore& store, AdamW& optimizer,
                      const RunState& state, const json& started_with) {
  std::vector<at::Tensor> keep_alive;
  std::vector<weights::TensorView> tensors = store.views(keep_alive);
  for (const AdamWSlot& slot : optimizer.slots()) {
    keep_alive.push_back(slot.moment1.to(at::kCPU, at::kFloat).contiguous());
    tensors.push_back(torch_backend::view_of(moment1_prefix + slot.name, keep_alive.back()));
    keep_alive.push_back(slot.moment2.to(at::kCPU, at::kFloat).contiguous());
    tensors.push_back(torch_backend::view_of(moment2_prefix + slot.name, keep_alive.back()));
  }
  weights::Metadata metadata = weights::to_metadata(info);
  metadata["checkpoint"] = json{
      {"state", to_json(state)},
      {"optimizer_steps", optimizer.steps()},
      {"started_with",
       started_with}}.dump();
  weights::write_model_file(file, tensors, std::move(metadata));
}

Resumed read_checkpoint(const std::filesystem::path& path, torch_backend::ParameterStore& store,
                        AdamW& optimizer) {
  const weights::TensorFile file = weights::read_checked(path);
  if (!file.metadata().contains("checkpoint")) {
    throw_failure(concat(path.string(), ": is not a checkpoint of a training run"));
  }
  const json checkpoint = weights::metadata_json(path.string(), file.metadata(), "checkpoint");
  try {
    Resumed out{.state = state_from(checkpoint.at("state")),
                .started_with = checkpoint.at("started_with")};
    store.load(file);
    const at::NoGradGuard no_grad;
    for (AdamWSlot& slot : optimizer.slots()) {
      const auto load = [&](const char* prefix, const at::Tensor& to) {
        const std::vector<double> values = file.values(prefix + slot.name);
        if (static_cast<std::int64_t>(values.size()) != to.numel()) {
          throw_failure(concat("moments of ", slot.name, " have another size"));
        }
        to.copy_(at::tensor(values, at::kDouble).reshape(to.sizes()));
      };
      load(moment1_prefix, slot.moment1);
      load(moment2_prefix, slot.moment2);
    }
    optimizer.set_steps(checkpoint.at("optimizer_steps").get<std::int64_t>());
    return out;
  } catch (const json::exception& error) {
    throw_failure(concat(path.string(), ": its state is broken: ", error.what()));
  } catch (const Error& error) {
    throw_failure(concat(path.string(), ": ", error.what()));
  }
}

void write_model(const std::filesystem::path& file, const weights::ModelInfo& info,
                 const torch_backend::ParameterStore& store) {
  std::vector<at::Tensor> keep_alive;
  weights::write_model_file(file, store.views(keep_alive), weights::to_metadata(info));
}

std::string log_csv(const std::vector<EpochRow>& rows) {
  std::string out = "epoch,rate,loss,cross_entropy,dice_loss,validation_dice\n";
  for (const EpochRow& row : rows) {
    const std::string dice =
        std::isfinite(row.validation_dice) ? fixed(row.validation_dice, 6) : "";
    out += concat(row.epoch, ",", fixed(row.rate, 9), ",", fixed(row.loss, 6), ",",
                  fixed(row.cross_entropy, 6), ",", fixed(row.dice_loss, 6), ",", dice, "\n");
  }
  return out;
}

}  // namespace medurwkv::train
