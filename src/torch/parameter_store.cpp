#include "torch/parameter_store.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::torch_backend {
namespace {

at::ScalarType scalar_type(weights::DType type) {
  switch (type) {
    case weights::DType::f64: return at::kDouble;
    case weights::DType::f32: return at::kFloat;
    case weights::DType::f16: return at::kHalf;
    case weights::DType::bf16: return at::kBFloat16;
    case weights::DType::i64: return at::kLong;
    case weights::DType::i32: return at::kInt;
    case weights::DType::i16: return at::kShort;
    case weights::DType::i8: return at::kChar;
    case weights::DType::u8:
    // A file's bytes may be others than 0 and 1.
    case weights::DType::boolean: return at::kByte;
  }
  throw_internal("unknown tensor type");
}

std::int64_t count_not_finite(const at::Tensor& values) {
  if (!values.is_cpu() || values.scalar_type() != at::kFloat) {
    return at::isfinite(values).logical_not().sum().item<std::int64_t>();
  }
  // One pass over what the cache still holds.
  const auto* first = static_cast<const float*>(values.data_ptr());
  std::int64_t out = 0;
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    constexpr std::uint32_t exponent = 0x7f800000;
    out += (std::bit_cast<std::uint32_t>(first[i]) & exponent) == exponent ? 1 : 0;
  }
  return out;
}

}  // namespace

std::string read_into(const weights::WeightsSource& file, const Destinations& destinations,
                      std::unordered_map<std::string, std::int64_t>* not_finite) {
  if (not_finite != nullptr) {
    for (const auto& [name, place] : destinations) (*not_finite)[name] = 0;
  }
  return file.read(
      [&](const weights::TensorInfo& tensor, std::uint64_t at, std::string_view piece) {
        const auto found = destinations.find(tensor.name);
        if (found == destinations.end()) return;
        // Of the thread that reads.
        const at::NoGradGuard no_grad;
        const std::int64_t size = weights::size_of(tensor.type);
        const auto count = static_cast<std::int64_t>(piece.size()) / size;
        const at::Tensor place =
            found->second.view(-1).narrow(0, static_cast<std::int64_t>(at) / size, count);
        const at::ScalarType type = scalar_type(tensor.type);
        if (place.is_cpu() && place.scalar_type() == type) {
          std::memcpy(place.data_ptr(), piece.data(), piece.size());
        } else {
          // from_blob wants a mutable pointer; the bytes are only read.
          place.copy_(at::from_blob(const_cast<char*>(piece.data()), count, type));
        }
        if (not_finite != nullptr) not_finite->at(tensor.name) += count_not_finite(place);
      });
}

ParameterStore::ParameterStore(std::vector<net::ParameterSpec> specs,
                               std::optional<std::uint64_t> seed, at::ScalarType type,
                               at::Device device)
    : specs_(std::move(specs)), type_(type), device_(device) {
  for (const net::ParameterSpec& spec : specs_) {
    at::Tensor tensor =
        spec.integer ? at::zeros(spec.shape, at::TensorOptions().dtype(at::kLong).device(device))
                     : at::empty(spec.shape, at::TensorOptions().dtype(type).device(device));
    if (!spec.buffer) tensor.requires_grad_(true);
    tensors_.emplace(spec.name, std::move(tensor));
    if (seed) start(spec, *seed);
  }
}

void ParameterStore::start(const net::ParameterSpec& spec, std::uint64_t seed) const {
  if (spec.integer) return;  // a counter, 0
  std::vector<float> values = net::initial_values(spec, seed);
  const at::NoGradGuard no_grad;
  at(spec.name).copy_(at::from_blob(values.data(), spec.shape, at::kFloat));
}

void ParameterStore::start(const std::string& name, std::uint64_t seed) const {
  const auto found = std::find_if(specs_.begin(), specs_.end(),
                                  [&](const net::ParameterSpec& one) { return one.name == name; });
  if (found == specs_.end()) throw_internal(concat("the network has no tensor ", name));
  start(*found, seed);
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

Destinations ParameterStore::destinations(const weights::TensorIndex& file,
                                          const std::string& prefix) const {
  Destinations out;
  for (const net::ParameterSpec& spec : specs_) {
    const weights::TensorInfo& info = file.info(prefix + spec.name);
    if (info.shape != spec.shape) {
      throw_failure(concat(file.file(), ": tensor ", shown(info.name), " has shape ",
                           shape_text(info.shape), ", but the network needs ",
                           shape_text(spec.shape)));
    }
    out.emplace(info.name, at(spec.name));
  }
  return out;
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
