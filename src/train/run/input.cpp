#include "train/run/input.h"

#include <cstddef>

#include "data/image/levels.h"

namespace medurwkv::train {

InputContract input_of(const Config& config, std::int64_t files) {
  InputContract out{.fit = fit_from(config.input.fit),
                    .width = config.input.width,
                    .height = config.input.height,
                    .channels = config.network.channels,
                    .plane = plane_from(config.input.plane),
                    .files = files};
  const data::WindowChoice choice =
      data::window_choice(config.input.window, config.input.window_over);
  out.window = choice.window;
  out.own_window = choice.own;
  if (config.input.window_low < config.input.window_high) {
    out.window = Window{config.input.window_low, config.input.window_high};
  }
  if (out.channels != 3) {
    const auto channels = static_cast<std::size_t>(out.channels);
    out.mean.assign(channels, 0.449);
    out.deviation.assign(channels, 0.226);
  }
  return out;
}

}  // namespace medurwkv::train
