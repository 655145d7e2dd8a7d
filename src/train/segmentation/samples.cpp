#include "train/segmentation/samples.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "core/model_description.h"
#include "data/codecs/read.h"

namespace medurwkv::train {

data::SampleMaker sample_maker(const InputContract& contract, const data::AugmentSettings& settings,
                               std::uint64_t seed) {
  return [contract, settings, seed](const data::LoadedCase& item, std::uint64_t epoch,
                                    std::uint64_t index, const data::SampleSpace& out) {
    const data::AugmentedSample sample =
        data::make_training_sample(item.image, item.labels, contract, settings, seed, epoch, index);
    std::copy(sample.input.begin(), sample.input.end(), out.image.begin());
    std::copy(sample.labels.labels.begin(), sample.labels.labels.end(), out.labels.begin());
  };
}

data::SampleCounts sample_counts(const InputContract& contract) {
  const std::int64_t area = contract.width * contract.height;
  return {.image = contract.channels * area, .labels = area};
}

Batch to_tensors(data::SampleBatch&& samples, const InputContract& contract) {
  const auto kept = std::make_shared<data::SampleBatch>(std::move(samples));
  // By one thread: LibTorch would share it out, and wait for a core that the loader has.
  const at::Tensor labels =
      at::empty({kept->count, contract.height, contract.width}, at::TensorOptions(at::kLong));
  std::copy(kept->labels.begin(), kept->labels.end(), labels.data_ptr<std::int64_t>());
  return {
      .images = at::from_blob(
          kept->images.data(), {kept->count, contract.channels, contract.height, contract.width},
          [kept](void*) {}, at::kFloat),
      .targets = {labels},
      .ids = kept->ids,
      .first = kept->first,
      .counts = kept->counts};
}

data::CaseReader case_reader(const data::Dataset& dataset, std::vector<data::Case> cases) {
  return [&dataset, cases = std::move(cases)](std::size_t index) {
    const data::Case& item = cases.at(index);
    return data::LoadedCase{item.id, data::read_image(item), data::read_labels(dataset, item),
                            item.images.front().name(), item.masks.front().name()};
  };
}

}  // namespace medurwkv::train
