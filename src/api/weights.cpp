// Files of weights for the caller.
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "api/guard.h"
#include "weights/weights_source.h"

struct medurwkv_weights {
  medurwkv::weights::WeightsSource file;
  mutable std::once_flag once{};
  mutable std::vector<std::vector<float>> values{};  ///< by tensor, since the first was asked for

  explicit medurwkv_weights(medurwkv::weights::WeightsSource source) : file(std::move(source)) {}
};

namespace {

// The functions of the C interface stand outside the namespace.
using namespace medurwkv;  // NOLINT(google-build-using-namespace)

/// Reads all tensors, so that what is given is checked against the file's checksum.
void read_all(const medurwkv_weights& weights) {
  std::call_once(weights.once, [&] {
    const auto& tensors = weights.file.tensors();
    std::vector<std::vector<float>> values(tensors.size());
    std::unordered_map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      values[i].resize(static_cast<std::size_t>(element_count(tensors[i].shape)));
      places[tensors[i].name] = i;
    }
    weights.file.read(
        [&](const weights::TensorInfo& tensor, std::uint64_t at, std::string_view piece) {
          const auto size = static_cast<std::uint64_t>(weights::size_of(tensor.type));
          weights::to_floats(tensor.type, piece, values[places.at(tensor.name)].data() + at / size);
        });
    weights.values = std::move(values);
  });
}

const weights::TensorInfo& tensor_at(const medurwkv_weights* weights, std::size_t index) {
  const auto& tensors = api::given(weights, "weights").file.tensors();
  if (index >= tensors.size()) {
    throw_usage(concat("tensor ", index, ": the file has ", tensors.size()));
  }
  return tensors[index];
}

}  // namespace

medurwkv_code medurwkv_weights_open(const char* path, medurwkv_weights** out) {
  return api::guarded([&] {
    api::given(out, "out") = nullptr;
    *out = new medurwkv_weights(weights::WeightsSource::open(&api::given(path, "path")));
  });
}

size_t medurwkv_weights_count(const medurwkv_weights* weights) {
  api::begin_call();
  return weights == nullptr ? 0 : weights->file.tensors().size();
}

medurwkv_code medurwkv_weights_tensor(const medurwkv_weights* weights, size_t index,
                                      medurwkv_tensor* out) {
  return api::guarded([&] {
    const weights::TensorInfo& own = tensor_at(weights, index);
    api::hand_out(medurwkv_tensor{.struct_size = 0,
                                  .name = own.name.c_str(),
                                  .type = weights::to_string(own.type),
                                  .shape = own.shape.data(),
                                  .dimensions = own.shape.size(),
                                  .elements = static_cast<std::uint64_t>(element_count(own.shape))},
                  out, "out");
  });
}

medurwkv_code medurwkv_weights_read(const medurwkv_weights* weights, size_t index, float* out,
                                    uint64_t elements) {
  return api::guarded([&] {
    const weights::TensorInfo& own = tensor_at(weights, index);
    const auto count = static_cast<std::uint64_t>(element_count(own.shape));
    if (elements != count) {
      throw_usage(
          concat("tensor ", own.name, " has ", count, " elements, there is room for ", elements));
    }
    if (count == 0) return;
    api::given(out, "out");
    read_all(*weights);
    std::copy(weights->values[index].begin(), weights->values[index].end(), out);
  });
}

void medurwkv_weights_close(medurwkv_weights* weights) {
  delete weights;
}
