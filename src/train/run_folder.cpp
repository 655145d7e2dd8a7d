#include "train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

namespace medurwkv::train {
namespace {

using nlohmann::json;

constexpr const char* moment1_prefix = "optimizer.moment1.";
constexpr const char* moment2_prefix = "optimizer.moment2.";

constexpr const char* checksum_key = "checkpoint_sha256";

/// SHA-256 over everything that a checkpoint says: the metadata but for the checksum itself, and
/// the tensors in their order.
std::string content_sha256(const weights::Metadata& metadata,
                           const std::vector<weights::TensorView>& tensors) {
  std::string text;
  for (const auto& [key, value] : metadata) {
    if (key != checksum_key) text += concat(key.size(), ":", key, value.size(), ":", value);
  }
  for (const weights::TensorView& tensor : tensors) {
    text += concat(tensor.name.size(), ":", tensor.name, weights::to_string(tensor.type), " ",
                   shape_text(tensor.shape), " ", sha256(tensor.data), "\n");
  }
  return sha256(text);
}

/// A damaged file can be a valid one with other numbers. A file without a checksum is taken as it
/// is.
void check_content(const std::filesystem::path& path, const weights::TensorFile& file) {
  const auto expected = file.metadata().find(checksum_key);
  if (expected == file.metadata().end()) return;
  std::vector<weights::TensorView> tensors;
  for (const weights::TensorInfo& one : file.tensors()) {
    tensors.push_back({one.name, one.type, one.shape, file.data(one)});
  }
  if (const std::string got = content_sha256(file.metadata(), tensors); got != expected->second) {
    throw_failure(concat(path.string(), ": is damaged: the SHA-256 of its content is ", got,
                         ", expected ", expected->second,
                         "; restore the file from a copy, or train anew into another --out"));
  }
}

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
  metadata[checksum_key] = content_sha256(metadata, tensors);
  weights::write_tensor_file(file, tensors, metadata);
}

Resumed read_checkpoint(const std::filesystem::path& path, torch_backend::ParameterStore& store,
                        AdamW& optimizer) {
  const weights::TensorFile file = weights::TensorFile::read(path);
  if (!file.metadata().contains("checkpoint")) {
    throw_failure(concat(path.string(), ": is not a checkpoint of a training run"));
  }
  check_content(path, file);
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
  weights::write_tensor_file(file, store.views(keep_alive), weights::to_metadata(info));
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
