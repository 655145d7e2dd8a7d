#include "native/read_floats.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::native {
namespace {

void refuse_another_shape(const weights::WeightsSource& file, const std::string& source,
                          const net::ParameterSpec& spec) {
  const weights::TensorInfo& info = file.info(source);
  if (info.shape == spec.shape) return;
  throw_failure(concat(file.file(), ": tensor ", shown(info.name), " has shape ",
                       shape_text(info.shape), ", but the network needs ", shape_text(spec.shape)));
}

/// Where the numbers of a tensor of the file go.
struct Destination {
  float* numbers = nullptr;
  bool finite = true;  ///< written by the one thread that reads the tensor
};

/// Whether no exponent is that of NaN and infinity. To the end in any case, so that the compiler
/// puts it on vectors.
bool are_finite(std::span<const float> values) {
  constexpr std::uint32_t exponent = 0x7f800000;
  std::uint32_t found = 0;
  for (const float value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    found |= static_cast<std::uint32_t>((bits & exponent) == exponent);
  }
  return found == 0;
}

constexpr std::int64_t line = 64;

std::int64_t bytes_of(const net::ParameterSpec& spec) {
  return spec.integer ? 0 : round_up(std::int64_t{sizeof(float)} * element_count(spec.shape), line);
}

}  // namespace

Tensors::Tensors(const std::vector<net::ParameterSpec>& specs)
    : memory_(memory_of(float_bytes(specs))) {
  std::byte* next = memory_.get();
  for (const net::ParameterSpec& spec : specs) {
    if (spec.integer) continue;
    places_[spec.name] = {reinterpret_cast<float*>(next),
                          static_cast<std::size_t>(element_count(spec.shape))};
    next += bytes_of(spec);
  }
}

Tensors::Tensors(const std::vector<net::ParameterSpec>& specs, const ReadParameter& read)
    : Tensors(specs) {
  for (const net::ParameterSpec& spec : specs) {
    if (spec.integer) continue;
    const std::vector<float> values = read(spec);
    std::copy(values.begin(), values.end(), at(spec.name).begin());
  }
}

ReadTensors read_floats(const weights::WeightsSource& file,
                        const std::vector<net::ParameterSpec>& specs, const SourceOf& source_of) {
  const auto source = [&](const net::ParameterSpec& spec) {
    return source_of ? source_of(spec.name) : spec.name;
  };
  ReadTensors out;
  file.understood([&] {
    for (const net::ParameterSpec& spec : specs) refuse_another_shape(file, source(spec), spec);
  });
  out.tensors = Tensors(specs);
  std::unordered_map<std::string, Destination> destinations;
  for (const net::ParameterSpec& spec : specs) {
    if (spec.integer) continue;
    destinations[source(spec)] = {.numbers = out.tensors.at(spec.name).data()};
  }
  out.content =
      file.read([&](const weights::TensorInfo& tensor, std::uint64_t at, std::string_view piece) {
        const auto found = destinations.find(tensor.name);
        if (found == destinations.end()) return;
        const auto size = static_cast<std::uint64_t>(weights::size_of(tensor.type));
        float* const begin = found->second.numbers + at / size;
        weights::to_floats(tensor.type, piece, begin);
        found->second.finite = found->second.finite && are_finite({begin, piece.size() / size});
      });
  for (const net::ParameterSpec& spec : specs) {
    if (spec.integer || destinations.at(source(spec)).finite) continue;
    throw_failure(concat(file.file(), ": tensor ", shown(source(spec)),
                         " holds NaN or infinite values; the model is damaged or its training "
                         "diverged"));
  }
  return out;
}

std::int64_t float_bytes(const std::vector<net::ParameterSpec>& specs) {
  std::int64_t out = 0;
  for (const net::ParameterSpec& spec : specs) out += bytes_of(spec);
  return out;
}

}  // namespace medurwkv::native
