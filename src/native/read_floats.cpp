#include "native/read_floats.h"

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::native {
namespace {

void refuse_another_shape(const weights::WeightsSource& file, const net::ParameterSpec& spec) {
  const weights::TensorInfo& info = file.info(spec.name);
  if (info.shape == spec.shape) return;
  throw_failure(concat(file.file(), ": tensor ", shown(info.name), " has shape ",
                       shape_text(info.shape), ", but the network needs ", shape_text(spec.shape)));
}

}  // namespace

ReadTensors read_floats(const weights::WeightsSource& file,
                        const std::vector<net::ParameterSpec>& specs) {
  ReadTensors out;
  file.understood([&] {
    for (const net::ParameterSpec& spec : specs) refuse_another_shape(file, spec);
  });
  for (const net::ParameterSpec& spec : specs) {
    if (spec.integer) continue;
    out.tensors[spec.name].resize(static_cast<std::size_t>(element_count(spec.shape)));
  }
  out.content =
      file.read([&](const weights::TensorInfo& tensor, std::uint64_t at, std::string_view piece) {
        const auto found = out.tensors.find(tensor.name);
        if (found == out.tensors.end()) return;
        const auto size = static_cast<std::uint64_t>(weights::size_of(tensor.type));
        weights::to_floats(tensor.type, piece, found->second.data() + at / size);
      });
  return out;
}

std::int64_t float_bytes(const std::vector<net::ParameterSpec>& specs) {
  std::int64_t out = 0;
  for (const net::ParameterSpec& spec : specs) {
    if (!spec.integer) out += std::int64_t{sizeof(float)} * element_count(spec.shape);
  }
  return out;
}

}  // namespace medurwkv::native
