#include "torch/parameter_store.h"

#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::torch_backend {

ParameterStore::ParameterStore(std::vector<net::ParameterSpec> specs, std::uint64_t seed,
                               at::ScalarType type, at::Device device)
    : specs_(std::move(specs)), type_(type), device_(device) {
  for (const net::ParameterSpec& spec : specs_) {
    at::Tensor tensor;
    if (spec.integer) {
      tensor = at::zeros(spec.shape, at::TensorOptions().dtype(at::kLong).device(device));
    } else {
      std::vector<float> values = net::initial_values(spec, seed);
      tensor = at::from_blob(values.data(), spec.shape, at::kFloat).to(device, type, false, true);
    }
    if (!spec.buffer) tensor.requires_grad_(true);
    tensors_.emplace(spec.name, std::move(tensor));
  }
}

const at::Tensor& ParameterStore::at(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw_internal(concat("the network has no tensor ", name));
  return found->second;
}

void ParameterStore::set(const std::string& name, const std::vector<double>& values) {
  const at::Tensor& tensor = at(name);
  if (static_cast<std::int64_t>(values.size()) != tensor.numel()) {
    throw_failure(
        concat("tensor ", name, " has ", tensor.numel(), " elements, not ", values.size()));
  }
  const at::NoGradGuard no_grad;
  // from_blob wants a mutable pointer; the values are only read.
  tensor.copy_(at::from_blob(const_cast<double*>(values.data()), tensor.sizes(), at::kDouble));
}

void ParameterStore::load(const weights::TensorFile& file, const std::string& prefix) {
  for (const net::ParameterSpec& spec : specs_) {
    const weights::TensorInfo& info = file.info(prefix + spec.name);
    if (info.shape != spec.shape) {
      throw_failure(concat("tensor ", info.name, " has shape ", shape_text(info.shape),
                           ", the network wants ", shape_text(spec.shape)));
    }
    set(spec.name, file.values(info.name));
  }
}

weights::TensorView view_of(const std::string& name, const at::Tensor& tensor) {
  const weights::DType type = tensor.scalar_type() == at::kLong     ? weights::DType::i64
                              : tensor.scalar_type() == at::kDouble ? weights::DType::f64
                                                                    : weights::DType::f32;
  return {.name = name,
          .type = type,
          .shape = tensor.sizes().vec(),
          .data = {static_cast<const char*>(tensor.data_ptr()),
                   static_cast<std::size_t>(tensor.nbytes())}};
}

std::vector<weights::TensorView> ParameterStore::views(std::vector<at::Tensor>& keep_alive,
                                                       const std::string& prefix) const {
  std::vector<weights::TensorView> out;
  for (const net::ParameterSpec& spec : specs_) {
    const at::ScalarType type = spec.integer ? at::kLong : at::kFloat;
    keep_alive.push_back(at(spec.name).detach().to(at::kCPU, type).contiguous());
    out.push_back(view_of(prefix + spec.name, keep_alive.back()));
  }
  return out;
}

}  // namespace medurwkv::torch_backend
