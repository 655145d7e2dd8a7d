// How images become network input, and probabilities become images again: the one resize that
// training and running share, the placement of the input contract, normalisation. Relies on
// data/image/image.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/model_description.h"
#include "data/image/image.h"

namespace medurwkv::data {

/// Where an image lies in the network's input.
struct Placement {
  ImageSize input;    ///< of the network's input
  ImageSize content;  ///< the pixels of it that the image covers, from (left, top)
  std::int64_t left = 0;
  std::int64_t top = 0;

  bool operator==(const Placement&) const = default;
};

/// stretch: the whole input. pad: the largest size of the image's aspect ratio that fits (rounded,
/// at least 1 pixel), in the middle (the odd pixel right and below). native, tile: the image's own
/// size.
Placement placement_of(const InputContract& contract, ImageSize image);

/// How an image's channels become a network's.
enum class ChannelUse {
  same,    ///< as they are
  repeat,  ///< gray, three times
};

/// How a network of `wanted` channels takes an image of `channels`; none where it does not.
std::optional<ChannelUse> channel_use(std::int64_t channels, std::int64_t wanted);

/// "the network takes 5 channels, the image has 1".
std::string channels_differ(const std::string& taker, std::int64_t wanted, std::int64_t channels);

/// The channel of an image of `channels` that a picture of it shows as red, green or blue (`color`
/// 0, 1, 2): the first three channels, or the first one alone where there are fewer.
inline std::int64_t shown_channel(std::int64_t color, std::int64_t channels) {
  return channels >= 3 ? color : 0;
}

/// Planes (channels x height x width) with their size.
struct Planes {
  std::vector<float> values;
  std::int64_t channels = 0;
  ImageSize size;
};

/// Mirrors a coordinate into 0 .. size - 1 about the outer edges: 1 0 | 0 1 2 | 2 1.
inline std::int64_t mirrored(std::int64_t at, std::int64_t size) {
  if (at >= 0 && at < size) return at;
  const std::int64_t period = 2 * size;
  at = ((at % period) + period) % period;
  return at < size ? at : period - 1 - at;
}

/// Whether floats from `least` to `most` need a window: beyond -64..64 they are neither 0..1 nor
/// normalised.
bool is_far_from_one(float least, float most);
/// The settings of a window for such floats: "--set input.window_low=0 --set
/// input.window_high=255".
std::string window_for(float least, float most);

/// The image for people's eyes: floats far from 0..1 (Hounsfield units, say) become 8 bits over the
/// image's own range. Others stay as they are.
Image shown_image(Image image);

/// Samples as planes of 0..1, averaged over blocks of `across` x `down` pixels (fewer at the right
/// and lower border; 1 x 1 = as they are). Values as InputContract says, by `windows` where given
/// (windows_for, data/image/levels.h). Throws Error for `channels` that the image does not become
/// (channel_use), for floats that are not finite and, without a window, for floats far from 0..1.
Planes image_planes(const Image& image, std::int64_t channels, const Windows& windows = {},
                    std::int64_t across = 1, std::int64_t down = 1);

/// Planes resized along each axis by area when shrinking, bicubically (Keys, a = -0.5) when
/// growing, pixel centres aligned, border values repeated.
std::vector<float> resize_planes(const std::vector<float>& planes, std::int64_t channels,
                                 ImageSize from, ImageSize to);

/// Planes resized bilinearly, pixel centres aligned (align_corners = false), border values
/// repeated.
std::vector<float> resize_bilinear(const std::vector<float>& planes, std::int64_t channels,
                                   ImageSize from, ImageSize to);

/// Nearest neighbour, pixel centres aligned.
LabelMap resize_nearest(const LabelMap& labels, ImageSize to);

/// (value - mean) / deviation per channel, in place.
void normalise(std::vector<float>& planes, const InputContract& contract);

/// The image as network input, channels x height x width of placement_of(): resized by
/// resize_planes, normalised; 0 where no image is.
std::vector<float> to_network_input(const Image& image, const InputContract& contract);

/// Labels where to_network_input puts their pixels, by resize_nearest; ignore_label where no image
/// is.
LabelMap to_network_labels(const LabelMap& labels, const InputContract& contract);

/// The way back from network input: cuts what the image covers out of `planes` (classes x
/// placement.input) and resizes it bilinearly to the image's own size.
std::vector<float> to_image_size(std::vector<float> planes, std::int64_t classes,
                                 const Placement& placement, ImageSize image);

}  // namespace medurwkv::data
