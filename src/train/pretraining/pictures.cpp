#include "train/pretraining/pictures.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "core/threads.h"
#include "core/version.h"
#include "data/codecs/own_windows.h"
#include "data/feed/view.h"
#include "data/layout/channels.h"
#include "train/run/input.h"
#include "train/task/memory.h"

namespace medurwkv::train {
namespace {

using nlohmann::json;

data::PictureSet opened(const library::TrainRequest& request, const Config& config) {
  const std::vector<std::filesystem::path> roots(request.pictures.begin(), request.pictures.end());
  data::PictureSet out = data::open_pictures(roots, config.task == TaskKind::classify,
                                             {.share = config.run.validation, .seed = 0});
  if (out.train.empty()) throw_failure(concat(out.root.string(), ": has no picture to learn from"));
  return out;
}

/// The run's split.json: what the pictures were, and which were judged.
Source source_of(const data::PictureSet& set) {
  json val = json::array();
  for (const data::Picture& picture : set.val) val.push_back(picture.id);
  const std::string text = json{{"format", "medurwkv-pictures"}, {"format_version", 1},
                                {"medurwkv", medurwkv::version}, {"data_sha256", set.sha256},
                                {"train", set.train.size()},     {"val", val}}
                               .dump(1) +
                           "\n";
  return {.split = text, .split_sha256 = sha256(text), .data_sha256 = set.sha256};
}

weights::ModelInfo described(Config& config, const data::PictureSet& set, const Source& source) {
  const std::int64_t classes = std::ssize(set.classes);
  weights::ModelInfo out{.network = resolve_pretrained(config, std::max<std::int64_t>(2, classes)),
                         .input = input_of(config),
                         .heads = {},
                         .provenance = {{"task", to_string(config.task)},
                                        {"data_sha256", source.data_sha256},
                                        {"split_sha256", source.split_sha256},
                                        {"configuration", to_toml(config)},
                                        {"seed", config.run.seed},
                                        {"medurwkv", medurwkv::version}}};
  if (out.network.architecture == net::Architecture::classifier) {
    Head head{.name = "label", .kind = HeadKind::label};
    for (const std::string& name : set.classes) head.classes.push_back({name, {}});
    out.heads.push_back(std::move(head));
  }
  return out;
}

/// The loader's buffers as a tensor that owns them.
at::Tensor tensor_of(std::vector<float>&& values, std::int64_t count,
                     const InputContract& contract) {
  const auto kept = std::make_shared<std::vector<float>>(std::move(values));
  return at::from_blob(
      kept->data(), {count, contract.channels, contract.height, contract.width}, [kept](void*) {},
      at::kFloat);
}

std::int64_t floats_of(const InputContract& contract) {
  return contract.channels * contract.height * contract.width;
}

PictureBatch to_pictures(data::SampleBatch&& samples, const InputContract& contract,
                         const std::optional<TeacherView>& teacher) {
  PictureBatch out;
  out.images = tensor_of(std::move(samples.images), samples.count, contract);
  if (teacher) out.teacher = tensor_of(std::move(samples.second), samples.count, teacher->contract);
  out.cases = std::move(samples.cases);
  out.boxes = std::move(samples.boxes);
  out.ids = std::move(samples.ids);
  out.first = samples.first;
  out.counts = samples.counts;
  return out;
}

}  // namespace

PicturesTask::PicturesTask(const library::TrainRequest& request, Config& config)
    : config_(config),
      set_(opened(request, config)),
      source_(source_of(set_)),
      info_(described(config, set_, source_)) {}

const data::Picture& PicturesTask::picture(std::size_t index) const {
  return index < set_.train.size() ? set_.train[index] : set_.val.at(index - set_.train.size());
}

std::int64_t PicturesTask::batches_per_epoch() const {
  return (samples() + config_.run.batch - 1) / config_.run.batch;
}

std::string PicturesTask::counts() const {
  std::string out = concat(set_.layout, ", ", set_.train.size(), " training and ", set_.val.size(),
                           " validation pictures");
  if (!set_.classes.empty()) out += concat(" of ", set_.classes.size(), " classes");
  return out;
}

TaskSize PicturesTask::size() const {
  const std::size_t count = set_.train.size() + set_.val.size();
  return {.loss_parts = 0,
          .cases = static_cast<std::int64_t>(count),
          .mean_case = mean_case_size(reader(), count)};
}

data::CaseReader PicturesTask::reader() const {
  return [this](std::size_t index) {
    const data::Picture& one = picture(index);
    std::vector<OwnWindow> wanted;
    data::add_wanted(info_.input, wanted);
    if (teacher_) data::add_wanted(teacher_->contract, wanted);
    if (!check_)
      return data::LoadedCase{one.id, data::read_image(one.source, wanted), {}, one.source.name()};
    data::HashedImage hashed = data::read_hashed(one.source);
    check_(one, hashed.sha256);
    hashed.image.windows = data::find_windows(one.source, hashed.image, wanted);
    return data::LoadedCase{one.id, std::move(hashed.image), {}, one.source.name()};
  };
}

data::SampleMaker PicturesTask::training_views() const {
  return [this](const data::LoadedCase& item, std::uint64_t epoch, std::uint64_t index,
                const data::SampleSpace& place) {
    const data::ViewDraw draw = data::draw_view(config_.view, {item.image.width, item.image.height},
                                                config_.run.seed, epoch, index);
    const auto render = [&](const InputContract& contract, std::span<float> to) {
      const std::vector<float> planes = data::render_view(item.image, contract, config_.view, draw,
                                                          {contract.width, contract.height});
      std::copy(planes.begin(), planes.end(), to.begin());
    };
    render(info_.input, place.image);
    if (teacher_) render(teacher_->contract, place.second);
    place.box = draw.box;
  };
}

data::SampleMaker PicturesTask::validation_views() const {
  return [this](const data::LoadedCase& item, std::uint64_t /*epoch*/, std::uint64_t /*index*/,
                const data::SampleSpace& place) {
    // A classifier is judged on the middle, as is usual; what has no classes on the whole picture.
    const double share = config_.task == TaskKind::classify ? 0.875 : 0;
    const auto render = [&](const InputContract& contract, std::span<float> to) {
      const std::vector<float> planes = data::render_central(item.image, contract, share);
      std::copy(planes.begin(), planes.end(), to.begin());
    };
    render(info_.input, place.image);
    if (teacher_) render(teacher_->contract, place.second);
    place.box = data::central_box({item.image.width, item.image.height},
                                  {info_.input.width, info_.input.height}, share);
  };
}

void PicturesTask::open(const Feed& feed) {
  feed_ = feed;
  cache_.emplace(set_.train.size() + set_.val.size(), reader(), feed.cache_budget);
  loader_.emplace(*cache_, data::LoaderOptions{.make = training_views(),
                                               .counts = counts_of_samples(),
                                               .cases = samples(),
                                               .batch = config_.run.batch,
                                               .steps = feed.batches,
                                               .seed = config_.run.seed,
                                               .workers = thread_count(),
                                               .part = feed.rank,
                                               .parts = feed.world});
}

data::SampleCounts PicturesTask::counts_of_samples() const {
  return {.image = floats_of(info_.input), .second = teacher_ ? floats_of(teacher_->contract) : 0};
}

PictureBatch PicturesTask::pictures(std::int64_t index) {
  return to_pictures(loader_->take(index), info_.input, teacher_);
}

void PicturesTask::each_validation_batch(const std::function<void(const PictureBatch&)>& use) {
  if (set_.val.empty()) return;
  const std::int64_t count = std::ssize(set_.val);
  const std::int64_t batches = (count + config_.run.batch - 1) / config_.run.batch;
  data::BatchLoader loader(*cache_, {.make = validation_views(),
                                     .counts = counts_of_samples(),
                                     .first = samples(),
                                     .cases = count,
                                     .batch = config_.run.batch,
                                     .steps = batches,
                                     .seed = 0,
                                     .workers = thread_count(),
                                     .part = feed_.rank,
                                     .parts = feed_.world});
  for (std::int64_t step = 0; step < batches; ++step) {
    const PictureBatch batch = to_pictures(loader.take(step), info_.input, teacher_);
    if (batch.counts) use(batch);
  }
}

data::Image shown_picture(const at::Tensor& planes, const InputContract& contract) {
  const std::int64_t channels = planes.size(0);
  data::Image out{.width = planes.size(2), .height = planes.size(1), .channels = 3, .bytes = {}};
  const at::Tensor whole = planes.to(at::kFloat).contiguous();
  const auto values = whole.accessor<float, 3>();
  for (std::int64_t y = 0; y < out.height; ++y) {
    for (std::int64_t x = 0; x < out.width; ++x) {
      for (std::int64_t color = 0; color < 3; ++color) {
        const std::int64_t c = data::shown_channel(color, channels);
        const auto k = static_cast<std::size_t>(c);
        const double value = values[c][y][x] * contract.deviation[k] + contract.mean[k];
        out.bytes.push_back(
            static_cast<unsigned char>(std::lround(255 * std::clamp(value, 0.0, 1.0))));
      }
    }
  }
  return out;
}

}  // namespace medurwkv::train
