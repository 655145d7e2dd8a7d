#include "train/pretraining/teacher.h"

#include <string>
#include <utility>

#include <torch/script.h>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

namespace medurwkv::train {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::uint64_t longest_description = 1 << 20;

InputContract contract_of(const fs::path& file, std::int64_t width, std::int64_t height) {
  fs::path beside = file;
  beside.replace_extension(".json");
  InputContract out{.width = width, .height = height, .mean = {}, .deviation = {}};
  try {
    const json said = json::parse(read_file(beside, longest_description));
    said.at("mean").get_to(out.mean);
    said.at("deviation").get_to(out.deviation);
  } catch (const json::exception& error) {
    throw_failure(concat(beside.string(), R"(: expected {"mean": [...], "deviation": [...]}, one )",
                         "number per channel of the teacher's pictures: ", shown(error.what())));
  }
  bool good = !out.mean.empty() && out.mean.size() == out.deviation.size();
  for (const double deviation : out.deviation) good = good && deviation > 0;
  if (!good) {
    throw_failure(concat(beside.string(),
                         ": mean and deviation are not as many, or a deviation is not above 0"));
  }
  out.channels = std::ssize(out.mean);
  return out;
}

/// The tensors of what a module returns: one, or a tuple, list or dict of them.
std::vector<at::Tensor> tensors_of(const c10::IValue& value) {
  if (value.isTensor()) return {value.toTensor()};
  std::vector<at::Tensor> out;
  const auto add = [&](const c10::IValue& one) {
    const std::vector<at::Tensor> more = tensors_of(one);
    out.insert(out.end(), more.begin(), more.end());
  };
  if (value.isTuple()) {
    for (const c10::IValue& one : value.toTupleRef().elements()) add(one);
  } else if (value.isTensorList()) {
    for (const at::Tensor& one : value.toTensorVector()) out.push_back(one);
  } else if (value.isList()) {
    for (const c10::IValue& one : value.toListRef()) add(one);
  } else if (value.isGenericDict()) {
    for (const auto& item : value.toGenericDict()) add(item.value());
  }
  return out;
}

/// Convolutions take in the normalisations behind them, which changes their results by rounding.
/// What LibTorch cannot bring to that form stays as it is.
torch::jit::Module frozen(const torch::jit::Module& module) {
  try {
    return torch::jit::freeze(module);
  } catch (const std::exception&) {
    return module;
  }
}

}  // namespace

struct Teacher::Module {
  mutable torch::jit::Module script;
};

Teacher::Teacher(const fs::path& file, std::int64_t batch, std::int64_t width, std::int64_t height,
                 const at::Device& device)
    : file_(file), device_(device), contract_(contract_of(file, width, height)) {
  try {
    torch::jit::Module script = torch::jit::load(file.string(), device);
    script.eval();
    module_ = std::make_unique<Module>(Module{frozen(script)});
  } catch (const c10::Error& error) {
    throw_failure(concat(file.string(), ": LibTorch cannot load it as a TorchScript module: ",
                         shown(split(error.what_without_backtrace(), '\n').front())));
  }
  for (const at::Tensor& one : run(at::zeros({batch, contract_.channels, height, width}))) {
    outputs_.push_back(one.sizes().slice(1).vec());
  }
}

Teacher::~Teacher() = default;

std::vector<at::Tensor> Teacher::run(const at::Tensor& pictures) const {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> out;
  try {
    // Channels last is the order that oneDNN's and cuDNN's convolutions take without copying.
    out = tensors_of(
        module_->script.forward({pictures.to(device_).contiguous(at::MemoryFormat::ChannelsLast)}));
  } catch (const std::exception& error) {
    throw_failure(concat(file_.string(), ": fails on pictures of ",
                         shape_text(pictures.sizes().vec()), ": ",
                         shown(split(std::string(error.what()), '\n').front())));
  }
  if (out.empty()) throw_failure(concat(file_.string(), ": gives no tensors"));
  for (at::Tensor& one : out) {
    if ((one.dim() != 2 && one.dim() != 4) || one.size(0) != pictures.size(0) ||
        !one.is_floating_point()) {
      throw_failure(concat(file_.string(), ": gives a tensor of ", shape_text(one.sizes().vec()),
                           "; expected maps, batch x channels x height x width, or vectors, batch ",
                           "x channels, of floats"));
    }
    one = one.to(at::kFloat).contiguous();
  }
  return out;
}

}  // namespace medurwkv::train
