#include "train/samples.h"

#include <cstdint>
#include <memory>
#include <utility>

namespace medurwkv::train {

Batch to_tensors(data::SampleBatch&& samples, const InputContract& contract) {
  const auto kept = std::make_shared<data::SampleBatch>(std::move(samples));
  return {
      .images = at::from_blob(
          kept->images.data(), {kept->count, contract.channels, contract.height, contract.width},
          [kept](void*) {}, at::kFloat),
      .labels = at::from_blob(kept->labels.data(), {kept->count, contract.height, contract.width},
                              at::kByte)
                    .to(at::kLong),
      .ids = kept->ids,
      .first = kept->first,
      .counts = kept->counts};
}

data::CaseReader case_reader(const data::Dataset& dataset, std::vector<data::Case> cases) {
  return [&dataset, cases = std::move(cases)](std::size_t index) {
    const data::Case& item = cases.at(index);
    return data::LoadedCase{item.id, data::read_image(item), data::read_labels(dataset, item)};
  };
}

}  // namespace medurwkv::train
