#include "predict/tile_run.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/error.h"
#include "core/model_description.h"
#include "core/text.h"
#include "predict/tiles.h"

namespace medurwkv::predict {
namespace {

std::ptrdiff_t class_count(const Ensemble& ensemble) {
  return std::ssize(ensemble.engines.front()->description().classes);
}

/// The state between two tiles. Rows from `top_`, the first one of the present row of tiles, are in
/// memory: those of the image that were read, and all sums.
class TileRun {
 public:
  TileRun(const Ensemble& ensemble, data::ImageSize tile, data::ImageRows& image,
          const std::function<void(PredictedRows)>& take, const Listener& listener)
      : ensemble_(ensemble),
        image_(image),
        take_(take),
        listener_(listener),
        across_(tile_axis(image.form().width, tile.width)),
        down_(tile_axis(image.form().height, tile.height)),
        classes_(class_count(ensemble)),
        sums_(static_cast<std::size_t>(classes_ * down_.tile * image.form().width), 0) {
    rows_.reserve(static_cast<std::size_t>(down_.tile * image.form().row_bytes()));
  }

  void go() {
    for (std::size_t r = 0; r < down_.starts.size(); ++r) {
      read_until(top_ + down_.tile);
      for (std::size_t c = 0; c < across_.starts.size(); ++c) {
        throw_if_stopped(listener_);
        add(r, c);
      }
      const bool last = r + 1 == down_.starts.size();
      const std::int64_t next = last ? image_.form().height : down_.starts[r + 1];
      give_until(next);
      if (!last) move_to(next);
    }
  }

 private:
  void read_until(std::int64_t end) {
    while (read_ < end) {
      const data::Image band = image_.next(std::min(rows_at_once, end - read_));
      rows_.insert(rows_.end(), band.bytes.begin(), band.bytes.end());
      read_ += band.height;
    }
  }

  /// The pixels of a tile of the present row of tiles.
  [[nodiscard]] data::Image cut(std::size_t column) const {
    const data::ImageForm& form = image_.form();
    data::Image out{.width = across_.tile,
                    .height = down_.tile,
                    .channels = form.channels,
                    .type = form.type,
                    .bytes = {},
                    .extent = data::Extent::rows,
                    .windows = image_.windows()};
    const std::int64_t pixel = form.row_bytes() / form.width;
    out.bytes.reserve(static_cast<std::size_t>(out.width * out.height * pixel));
    for (std::int64_t y = 0; y < out.height; ++y) {
      const auto begin = rows_.begin() + y * form.row_bytes() + across_.starts[column] * pixel;
      out.bytes.insert(out.bytes.end(), begin, begin + out.width * pixel);
    }
    return out;
  }

  void add(std::size_t row, std::size_t column) {
    const std::vector<float> probabilities = mean_probabilities(ensemble_, cut(column));
    const std::int64_t width = image_.form().width;
    const std::vector<float>& across = across_.weights[column];
    const float* from = probabilities.data();
    for (std::ptrdiff_t c = 0; c < classes_; ++c) {
      for (std::int64_t y = 0; y < down_.tile; ++y, from += across_.tile) {
        const float down = down_.weights[row][static_cast<std::size_t>(y)];
        float* to = sums_.data() + (c * down_.tile + y) * width + across_.starts[column];
        for (std::int64_t x = 0; x < across_.tile; ++x) {
          to[x] += down * across[static_cast<std::size_t>(x)] * from[x];
        }
      }
    }
  }

  void give_until(std::int64_t end) {
    const std::int64_t width = image_.form().width;
    for (std::int64_t first = top_; first < end; first += rows_at_once) {
      PredictedRows rows{.first = first,
                         .size = {width, std::min(rows_at_once, end - first)},
                         .probabilities = {}};
      rows.probabilities.reserve(static_cast<std::size_t>(classes_ * width * rows.size.height));
      for (std::ptrdiff_t c = 0; c < classes_; ++c) {
        const auto begin = sums_.begin() + (c * down_.tile + first - top_) * width;
        rows.probabilities.insert(rows.probabilities.end(), begin,
                                  begin + rows.size.height * width);
      }
      take_(std::move(rows));
    }
  }

  /// Forgets the rows above `top`.
  void move_to(std::int64_t top) {
    const std::int64_t step = top - top_;
    rows_.erase(rows_.begin(), rows_.begin() + step * image_.form().row_bytes());
    const std::int64_t width = image_.form().width;
    for (std::ptrdiff_t c = 0; c < classes_; ++c) {
      const auto plane = sums_.begin() + c * down_.tile * width;
      const auto end = plane + down_.tile * width;
      std::fill(std::move(plane + step * width, end, plane), end, 0.0F);
    }
    top_ = top;
  }

  const Ensemble& ensemble_;
  data::ImageRows& image_;
  const std::function<void(PredictedRows)>& take_;
  const Listener& listener_;
  TileAxis across_, down_;
  std::ptrdiff_t classes_;
  std::int64_t top_ = 0;
  std::int64_t read_ = 0;            ///< rows of the image
  std::vector<unsigned char> rows_;  ///< of the image, from top_ to read_
  std::vector<float> sums_;          ///< weighted probabilities: classes x down_.tile x width
};

}  // namespace

std::optional<data::ImageSize> tile_of(const InputContract& input, std::int64_t side) {
  if (input.fit != Fit::native && input.fit != Fit::tile) return std::nullopt;
  if (side > 0) return data::ImageSize{side, side};
  if (input.fit == Fit::native) return std::nullopt;
  return data::ImageSize{input.width, input.height};
}

std::optional<data::ImageSize> tile_of(const Ensemble& ensemble) {
  std::optional<data::ImageSize> out;
  for (const Engine* engine : ensemble.engines) {
    const auto tile = tile_of(engine->description().input, ensemble.tile_side);
    if (!tile || (out && *out != *tile)) return std::nullopt;
    out = tile;
  }
  return out;
}

void check_tiles(const Ensemble& ensemble) {
  if (ensemble.tile_side == 0) return;
  for (const Engine* engine : ensemble.engines) {
    const ModelDescription& model = engine->description();
    if (tile_of(model.input, ensemble.tile_side)) continue;
    throw_usage(concat(model.file, ": was trained on images brought to ", model.input.width, " x ",
                       model.input.height, " (input.fit = ", to_string(model.input.fit),
                       "), so tiles of an image would look to it like nothing that it knows; leave "
                       "--tile out, or train with --set input.fit=tile"));
  }
}

std::int64_t tiles_memory(const Ensemble& ensemble, data::ImageSize tile,
                          const data::ImageRows& image) {
  const data::ImageForm& form = image.form();
  constexpr std::int64_t number = sizeof(float);
  const std::int64_t classes = class_count(ensemble);
  const std::int64_t pixel = form.row_bytes() / form.width;
  const std::int64_t width = std::min(tile.width, form.width);
  const std::int64_t height = std::min(tile.height, form.height);
  const std::int64_t rows = std::min(rows_at_once, form.height);
  std::int64_t channels = 0;
  for (const Engine* engine : ensemble.engines) {
    channels = std::max(channels, engine->description().input.channels);
  }
  // Of a tile: its pixels and a mirror image, the input twice while gray is repeated, and logits,
  // their probabilities and those of the views before.
  return height * form.width * (pixel + number * classes) +
         rows * form.width * (pixel + number * (classes + 3)) +
         width * height * (2 * pixel + 2 * number * channels + 3 * number * (classes + 1)) +
         image.memory(rows);
}

void predict_rows(const Ensemble& ensemble, data::ImageSize tile, data::ImageRows& image,
                  const std::function<void(PredictedRows)>& take, const Listener& listener) {
  TileRun(ensemble, tile, image, take, listener).go();
}

}  // namespace medurwkv::predict
