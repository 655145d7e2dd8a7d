#include "train/segmentation/samples.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "core/model_description.h"
#include "data/codecs/own_windows.h"
#include "data/codecs/read.h"
#include "train/segmentation/distances.h"

namespace medurwkv::train {

data::SampleMaker sample_maker(const SampleOptions& options) {
  return [options](const data::LoadedCase& item, std::uint64_t epoch, std::uint64_t index,
                   const data::SampleSpace& out) {
    const data::AugmentedSample sample = data::make_training_sample(
        item.image, item.labels, options.input, options.augment, options.seed, epoch, index);
    std::copy(sample.input.begin(), sample.input.end(), out.image.begin());
    std::copy(sample.labels.labels.begin(), sample.labels.labels.end(), out.labels.begin());
    if (!options.distances) return;
    const std::vector<double> distances =
        signed_distances(sample.labels.labels, {sample.labels.width, sample.labels.height},
                         options.classes, options.regions);
    std::copy(distances.begin(), distances.end(), out.second.begin());
  };
}

data::SampleCounts sample_counts(const SampleOptions& options) {
  const std::int64_t area = options.input.width * options.input.height;
  return {
      .image = options.input.channels * area,
      .labels = area,
      .second = options.distances ? area * distance_planes(options.classes, options.regions) : 0};
}

Batch to_tensors(data::SampleBatch&& samples, const InputContract& contract) {
  const auto kept = std::make_shared<data::SampleBatch>(std::move(samples));
  // By one thread: LibTorch would share it out, and wait for a core that the loader has.
  const at::Tensor labels =
      at::empty({kept->count, contract.height, contract.width}, at::TensorOptions(at::kLong));
  std::copy(kept->labels.begin(), kept->labels.end(), labels.data_ptr<std::int64_t>());
  const std::int64_t pixels = kept->count * contract.height * contract.width;
  const auto planes = [&](std::vector<float>& numbers) {
    return at::from_blob(
        numbers.data(),
        {kept->count, std::ssize(numbers) / pixels, contract.height, contract.width},
        [kept](void*) {}, at::kFloat);
  };
  std::vector<at::Tensor> targets{labels};
  if (!kept->second.empty()) targets.push_back(planes(kept->second));
  return {.images = planes(kept->images),
          .targets = std::move(targets),
          .ids = kept->ids,
          .first = kept->first,
          .counts = kept->counts};
}

data::CaseReader case_reader(const data::Dataset& dataset, std::vector<data::Case> cases,
                             const InputContract& input) {
  std::vector<OwnWindow> wanted;
  data::add_wanted(input, wanted);
  return [&dataset, cases = std::move(cases), wanted](std::size_t index) {
    const data::Case& item = cases.at(index);
    return data::LoadedCase{item.id, data::read_image(item, wanted),
                            data::read_labels(dataset, item), item.images.front().name(),
                            item.masks.front().name()};
  };
}

}  // namespace medurwkv::train
