#include "support/other_device.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/cuda.h>
#include <torch/library.h>

#include <string>
#include <vector>

namespace medurwkv::test {
namespace {

constexpr at::DeviceType type = at::DeviceType::PrivateUse1;

at::Device emulated_device() {
  return {type, 0};
}

bool is_other(const at::Tensor& tensor) {
  return tensor.defined() && tensor.device().type() == type;
}

/// One device, one stream, nothing to wait for.
struct Guard final : c10::impl::DeviceGuardImplInterface {
  [[nodiscard]] at::DeviceType type() const override { return test::type; }
  [[nodiscard]] at::Device exchangeDevice(at::Device /*device*/) const override {
    return emulated_device();
  }
  [[nodiscard]] at::Device getDevice() const override { return emulated_device(); }
  void setDevice(at::Device /*device*/) const override {}
  void uncheckedSetDevice(at::Device /*device*/) const noexcept override {}
  [[nodiscard]] c10::Stream getStream(at::Device device) const noexcept override {
    return c10::Stream(c10::Stream::DEFAULT, device);
  }
  [[nodiscard]] c10::Stream exchangeStream(c10::Stream stream) const noexcept override {
    return stream;
  }
  [[nodiscard]] at::DeviceIndex deviceCount() const noexcept override { return 1; }
};

/// The same memory as a tensor of the CPU; a new one where there is none, for a result.
at::Tensor on_cpu(const at::Tensor& tensor) {
  if (tensor.numel() == 0) {
    return at::empty(tensor.sizes(), tensor.options().device(at::kCPU).requires_grad(false));
  }
  const auto& memory = tensor.storage();
  const auto count = static_cast<std::int64_t>(memory.nbytes() / tensor.itemsize());
  return at::from_blob(memory.data_ptr().get(), {count},
                       tensor.options().device(at::kCPU).requires_grad(false))
      .as_strided(tensor.sizes(), tensor.strides(), tensor.storage_offset());
}

void arrange(c10::TensorImpl& tensor, const at::Tensor& like, std::int64_t offset) {
  tensor.set_sizes_and_strides(like.sizes(), like.strides());
  tensor.set_storage_offset(offset);
}

at::Tensor tensor_of(c10::Storage storage, const at::Tensor& like, std::int64_t offset) {
  auto out = c10::make_intrusive<c10::TensorImpl>(
      std::move(storage), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1), like.dtype());
  arrange(*out, like, offset);
  return at::Tensor(std::move(out));
}

/// A result on the CPU as one of the device; of an input's memory where it lies there.
at::Tensor on_other(const at::Tensor& result, const std::vector<at::Tensor>& inputs) {
  const auto* begin = static_cast<const char*>(result.data_ptr());
  for (const at::Tensor& input : inputs) {
    const auto* first = static_cast<const char*>(input.storage().data());
    if (begin == nullptr || begin < first || begin >= first + input.storage().nbytes()) continue;
    return tensor_of(input.storage(), result,
                     (begin - first) / static_cast<std::int64_t>(result.itemsize()));
  }
  auto* kept = new at::Tensor(result);
  const auto release = [](void* tensor) { delete static_cast<at::Tensor*>(tensor); };
  c10::Storage storage(
      c10::Storage::use_byte_size_t(), result.storage().nbytes(),
      c10::DataPtr(result.storage().data_ptr().get(), kept, release, emulated_device()), nullptr,
      false);
  return tensor_of(std::move(storage), result, result.storage_offset());
}

/// Runs any operation on the CPU.
void run_on_cpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  const c10::FunctionSchema& schema = op.schema();
  const std::string& name = schema.name();
  const std::size_t count = schema.arguments().size();
  const std::size_t base = stack->size() - count;
  std::vector<at::Tensor> inputs;  // of the device
  std::vector<c10::IValue> given(stack->begin() + static_cast<std::ptrdiff_t>(base), stack->end());
  std::vector<at::Tensor> alive;  // LibTorch returns references to results that came in
  bool mixed = false;
  const auto moved = [&](const at::Tensor& tensor) {
    if (!is_other(tensor)) {
      mixed = mixed || (tensor.defined() && tensor.dim() > 0);
      return tensor;
    }
    inputs.push_back(tensor);
    return alive.emplace_back(on_cpu(tensor));
  };
  for (std::size_t i = base; i < stack->size(); ++i) {
    c10::IValue& value = (*stack)[i];
    if (value.isTensor()) {
      value = moved(value.toTensor());
    } else if (value.isTensorList()) {
      c10::List<at::Tensor> list;
      for (const at::Tensor& tensor : value.toTensorVector()) list.push_back(moved(tensor));
      value = std::move(list);
    } else if (value.isDevice()) {
      value = at::Device(at::kCPU);
    } else if (value.isList()) {
      for (const c10::IValue& element : value.toListRef()) {
        TORCH_CHECK(!element.isTensor(), name, ": lists of optional tensors are not made for");
      }
    }
  }
  TORCH_CHECK(!mixed || inputs.empty() || name == "aten::copy_", name, ": tensors of two devices");
  op.callBoxed(stack);

  const std::size_t results = stack->size() - base;
  for (std::size_t i = 0; i < results; ++i) {
    c10::IValue& value = (*stack)[base + i];
    const auto* alias = schema.returns()[i].alias_info();
    if (alias != nullptr && alias->isWrite()) {  // what was written to is what came in
      for (std::size_t a = 0; a < count; ++a) {
        const auto* own = schema.arguments()[a].alias_info();
        if (own == nullptr || !own->isWrite() || own->beforeSets() != alias->beforeSets()) continue;
        const at::Tensor filled = value.toTensor();
        value = given[a];
        c10::TensorImpl* tensor = value.toTensor().unsafeGetTensorImpl();
        if (tensor->numel() != 0 || filled.numel() == 0) continue;
        const at::Tensor result = on_other(filled, {});
        tensor->set_storage_keep_dtype(result.storage());
        arrange(*tensor, result, 0);
      }
    } else if (value.isTensor() && value.toTensor().defined()) {
      value = on_other(value.toTensor(), inputs);
    } else if (value.isTensorList()) {
      c10::List<at::Tensor> list;
      for (const at::Tensor& tensor : value.toTensorVector()) {
        list.push_back(on_other(tensor, inputs));
      }
      value = std::move(list);
    }
  }
}

at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight,
                       const c10::optional<at::Tensor>& bias, at::IntArrayRef stride,
                       at::IntArrayRef padding, at::IntArrayRef dilation, bool transposed,
                       at::IntArrayRef output_padding, std::int64_t groups) {
  const bool biased = bias && bias->defined();
  TORCH_CHECK(is_other(x) && is_other(weight) && (!biased || is_other(*bias)),
              "convolution: tensors of two devices");
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  return on_other(at::convolution(on_cpu(x), on_cpu(weight),
                                  biased ? c10::make_optional(on_cpu(*bias)) : c10::nullopt, stride,
                                  padding, dilation, transposed, output_padding, groups),
                  {});
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> convolution_backward(
    const at::Tensor& grad, const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef stride,
    at::IntArrayRef padding, at::IntArrayRef dilation, bool transposed,
    at::IntArrayRef output_padding, std::int64_t groups, std::array<bool, 3> wanted) {
  TORCH_CHECK(is_other(grad) && is_other(x) && is_other(weight),
              "convolution's gradient: tensors of two devices");
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  const std::vector<std::int64_t> biases{transposed ? weight.size(1) * groups : weight.size(0)};
  const auto out = at::convolution_backward(on_cpu(grad), on_cpu(x), on_cpu(weight),
                                            at::IntArrayRef(biases), stride, padding, dilation,
                                            transposed, output_padding, groups, wanted);
  const auto back = [](const at::Tensor& tensor) {
    return tensor.defined() ? on_other(tensor, {}) : tensor;
  };
  return {back(std::get<0>(out)), back(std::get<1>(out)), back(std::get<2>(out))};
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool /*non_blocking*/) {
  const auto memory = [](const at::Tensor& tensor) {
    return is_other(tensor) ? on_cpu(tensor) : tensor;
  };
  memory(to).copy_(memory(from));
  return to;
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&run_on_cpu>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("_copy_from", &copy_from);
  library.impl("convolution_overrideable", &convolution);
  library.impl("convolution_backward_overrideable", &convolution_backward);
}

bool made_for_gpus() {
  return at::globalContext().hasCUDART();
}

/// Before the first gradient is computed: LibTorch then starts a thread for every device it knows.
const bool registered = [] {
  static const Guard guard;
  if (!made_for_gpus()) c10::impl::DeviceGuardImplRegistrar(type, &guard);
  return true;
}();

}  // namespace

at::Device other_device() {
  return torch::cuda::is_available() ? at::Device(at::kCUDA, 0) : emulated_device();
}

bool has_other_device() {
  return torch::cuda::is_available() || !made_for_gpus();
}

}  // namespace medurwkv::test
