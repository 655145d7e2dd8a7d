#include "data/feed/augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/model_description.h"
#include "core/random.h"
#include "core/text.h"
#include "data/feed/values.h"
#include "data/image/levels.h"
#include "data/image/photometric.h"
#include "data/image/warp.h"

namespace medurwkv::data {
namespace {

constexpr AugmentSettings light{.flip_x = 0.5,
                                .flip_y = 0.5,
                                .rotation = 10,
                                .scale = 0.1,
                                .shift = 0.05,
                                .contrast = 0.1,
                                .brightness = 0.05};

constexpr AugmentSettings medium{.flip_x = 0.5,
                                 .flip_y = 0.5,
                                 .quarter_turns = 1,
                                 .rotation = 20,
                                 .scale = 0.2,
                                 .shift = 0.08,
                                 .shear = 0.05,
                                 .crop = 0.2,
                                 .crop_chance = 0.2,
                                 .elastic = 0.1,
                                 .elastic_chance = 0.2,
                                 .hue = 5,
                                 .saturation = 0.2,
                                 .contrast = 0.2,
                                 .brightness = 0.1,
                                 .gamma = 0.2,
                                 .blur = 1,
                                 .blur_chance = 0.1,
                                 .noise = 0.02,
                                 .noise_chance = 0.5};

constexpr AugmentSettings strong{.flip_x = 0.5,
                                 .flip_y = 0.5,
                                 .quarter_turns = 1,
                                 .rotation = 45,
                                 .scale = 0.4,
                                 .shift = 0.15,
                                 .shear = 0.15,
                                 .crop = 0.4,
                                 .crop_chance = 0.3,
                                 .elastic = 0.25,
                                 .elastic_chance = 0.4,
                                 .hue = 15,
                                 .saturation = 0.4,
                                 .contrast = 0.4,
                                 .brightness = 0.2,
                                 .gamma = 0.4,
                                 .blur = 1.5,
                                 .blur_chance = 0.2,
                                 .noise = 0.05,
                                 .noise_chance = 0.5,
                                 .holes = 6,
                                 .hole_side = 0.2,
                                 .holes_chance = 0.3};

constexpr std::int64_t elastic_cells = 4;

/// Positions of the random numbers of one sample. Never reordered: seeds would mean other pictures.
enum Draw : std::uint64_t {
  draw_flip_x,
  draw_flip_y,
  draw_turn_chance,
  draw_turn,
  draw_rotation,
  draw_scale,
  draw_shift_x,
  draw_shift_y,
  draw_shear,
  draw_crop_chance,
  draw_crop_width,
  draw_crop_height,
  draw_crop_x,
  draw_crop_y,
  draw_elastic_chance,
  draw_hue,
  draw_saturation,
  draw_contrast,
  draw_brightness,
  draw_gamma,
  draw_blur_chance,
  draw_blur,
  draw_noise_chance,
  draw_noise,
  draw_holes_chance,
  draw_hole_count,
  draw_window_x,
  draw_window_y,
  draw_foreground_chance,
  draw_foreground_class,
  draw_foreground_pixel,
};

/// One sample's random numbers: `scalars` at positions of Draw, streams of their own for what
/// takes many.
struct Draws {
  Random scalars, elastic, noise, holes;

  Draws(std::uint64_t seed, std::uint64_t epoch, std::uint64_t index)
      : scalars({seed, epoch, index, fnv1a64("augment")}),
        elastic({seed, epoch, index, fnv1a64("elastic")}),
        noise({seed, epoch, index, fnv1a64("noise")}),
        holes({seed, epoch, index, fnv1a64("holes")}) {}

  [[nodiscard]] bool happens(Draw draw, double chance) const {
    return scalars.uniform(draw) < chance;
  }
  [[nodiscard]] double either_way(Draw draw, double most) const {
    return scalars.uniform(draw, -most, most);
  }
  /// 1 / (1 + most) .. 1 + most, as likely above as below 1.
  [[nodiscard]] double ratio(Draw draw, double most) const {
    return std::pow(1 + most, either_way(draw, 1));
  }
};

/// Rotation, scale, shift and shear of the picture about its centre, in pixels of the input.
Affine draw_affine(const Draws& draws, const AugmentSettings& settings, ImageSize input) {
  const double angle = draws.either_way(draw_rotation, settings.rotation) * std::numbers::pi / 180;
  const double scale = draws.ratio(draw_scale, settings.scale);
  const double shear = draws.either_way(draw_shear, settings.shear);
  const double cosine = std::cos(angle) / scale;
  const double sine = std::sin(angle) / scale;
  return {.xx = cosine,
          .xy = shear * cosine - sine,
          .yx = sine,
          .yy = shear * sine + cosine,
          .x0 = draws.either_way(draw_shift_x, settings.shift) * static_cast<double>(input.width),
          .y0 = draws.either_way(draw_shift_y, settings.shift) * static_cast<double>(input.height)};
}

/// Enlarges a window of the picture to fill it.
Affine draw_crop(const Draws& draws, const AugmentSettings& settings, ImageSize input) {
  if (!draws.happens(draw_crop_chance, settings.crop_chance)) return {};
  const double across = 1 - draws.scalars.uniform(draw_crop_width, 0, settings.crop);
  const double down = 1 - draws.scalars.uniform(draw_crop_height, 0, settings.crop);
  return {.xx = across,
          .yy = down,
          .x0 = draws.either_way(draw_crop_x, (1 - across) / 2) * static_cast<double>(input.width),
          .y0 = draws.either_way(draw_crop_y, (1 - down) / 2) * static_cast<double>(input.height)};
}

/// Flips and quarter turns. A turned picture that is stretched to the input fills it again.
Affine draw_symmetry(const Draws& draws, const AugmentSettings& settings,
                     const InputContract& contract) {
  Affine out{.xx = draws.happens(draw_flip_x, settings.flip_x) ? -1.0 : 1.0,
             .yy = draws.happens(draw_flip_y, settings.flip_y) ? -1.0 : 1.0};
  const std::uint64_t turns = draws.happens(draw_turn_chance, settings.quarter_turns)
                                  ? draws.scalars.below(draw_turn, 4)
                                  : 0;
  const double aspect = contract.fit == Fit::stretch ? static_cast<double>(contract.width) /
                                                           static_cast<double>(contract.height)
                                                     : 1.0;
  for (std::uint64_t i = 0; i < turns; ++i) {
    out = out.after({.xx = 0, .xy = -aspect, .yx = 1 / aspect, .yy = 0});
  }
  return out;
}

/// Whether training takes windows of the image at its own resolution.
bool takes_windows(const InputContract& contract) {
  return contract.fit == Fit::native || contract.fit == Fit::tile;
}

struct Pixel {
  std::int64_t x = 0, y = 0;
};

/// For every other sample of tiles a pixel that it must show: of each foreground class that the
/// image has as likely, and of each pixel of it. None where the image has none.
std::optional<Pixel> draw_foreground(const Draws& draws, const InputContract& contract,
                                     const LabelMap& labels) {
  constexpr double share = 0.5;
  if (contract.fit != Fit::tile || !draws.happens(draw_foreground_chance, share)) return {};
  std::array<std::uint64_t, 256> pixels{};
  for (const std::uint8_t label : labels.labels) ++pixels[label];
  std::vector<std::uint8_t> classes;
  for (std::size_t c = 1; c < ignore_label; ++c) {
    if (pixels[c] > 0) classes.push_back(static_cast<std::uint8_t>(c));
  }
  if (classes.empty()) return {};
  const std::uint8_t chosen = classes[draws.scalars.below(draw_foreground_class, classes.size())];
  std::uint64_t left = draws.scalars.below(draw_foreground_pixel, pixels[chosen]);
  const auto at = std::find_if(labels.labels.begin(), labels.labels.end(),
                               [&](std::uint8_t label) { return label == chosen && left-- == 0; });
  const std::int64_t index = at - labels.labels.begin();
  return Pixel{index % labels.width, index / labels.width};
}

/// As placement_of; where training takes windows, one of the contract's size at a drawn place, with
/// the pixel `shown` in it where there is one.
Placement training_placement(const InputContract& contract, ImageSize image, const Draws& draws,
                             const std::optional<Pixel>& shown) {
  if (!takes_windows(contract)) return placement_of(contract, image);
  const auto start = [&](Draw draw, std::int64_t length, std::int64_t window,
                         std::int64_t Pixel::*at) {
    if (length <= window) return (window - length) / 2;
    const std::int64_t least = shown ? std::max<std::int64_t>(0, *shown.*at - window + 1) : 0;
    const std::int64_t most = shown ? std::min(*shown.*at, length - window) : length - window;
    return -least - static_cast<std::int64_t>(
                        draws.scalars.below(draw, static_cast<std::uint64_t>(most - least + 1)));
  };
  return {.input = {contract.width, contract.height},
          .content = image,
          .left = start(draw_window_x, image.width, contract.width, &Pixel::x),
          .top = start(draw_window_y, image.height, contract.height, &Pixel::y)};
}

/// Moves the map no further than it must, so that the centre of a pixel of the output lies on
/// `shown`.
void move_onto(Warp& warp, Pixel shown) {
  const auto x = static_cast<double>(shown.x);
  const auto y = static_cast<double>(shown.y);
  Affine& map = warp.map;
  const double area = map.xx * map.yy - map.xy * map.yx;
  const auto nearest = [](double at, std::int64_t length) {
    return static_cast<std::size_t>(std::clamp<std::int64_t>(std::llround(at), 0, length - 1));
  };
  const std::size_t column =
      nearest((map.yy * (x - map.x0) - map.xy * (y - map.y0)) / area, warp.to.width);
  const std::size_t row =
      nearest((map.xx * (y - map.y0) - map.yx * (x - map.x0)) / area, warp.to.height);
  std::vector<double> xs(static_cast<std::size_t>(warp.to.width));
  std::vector<double> ys(xs.size());
  warp.row(static_cast<std::int64_t>(row), xs, ys);
  map.x0 += x - xs[column];
  map.y0 += y - ys[column];
}

/// From pixels of the input to pixels of the image.
Affine to_source(const Placement& where, ImageSize image) {
  const double across = static_cast<double>(image.width) / static_cast<double>(where.content.width);
  const double down = static_cast<double>(image.height) / static_cast<double>(where.content.height);
  return {.xx = across,
          .yy = down,
          .x0 = (0.5 - static_cast<double>(where.left)) * across - 0.5,
          .y0 = (0.5 - static_cast<double>(where.top)) * down - 0.5};
}

Warp draw_warp(const Draws& draws, const AugmentSettings& settings, const InputContract& contract,
               const LabelMap& labels) {
  const ImageSize input{contract.width, contract.height};
  const ImageSize image{labels.width, labels.height};
  const std::optional<Pixel> shown = draw_foreground(draws, contract, labels);
  const Placement where = training_placement(contract, image, draws, shown);
  const double middle_x = static_cast<double>(input.width - 1) / 2;
  const double middle_y = static_cast<double>(input.height - 1) / 2;
  const Affine centred{.x0 = -middle_x, .y0 = -middle_y};
  const Affine moved = draw_symmetry(draws, settings, contract)
                           .after(draw_crop(draws, settings, input))
                           .after(draw_affine(draws, settings, input))
                           .after(centred);
  Warp warp{
      .to = input,
      .map = to_source(where, image).after(Affine{.x0 = middle_x, .y0 = middle_y}).after(moved)};
  if (draws.happens(draw_elastic_chance, settings.elastic_chance)) {
    warp.elastic.emplace(input, elastic_cells, settings.elastic, draws.elastic);
  }
  if (shown) move_onto(warp, *shown);
  return warp;
}

/// From `begin` to before `end` along one axis of an image.
struct Span {
  std::int64_t begin = 0, end = 0;
};

/// Pixels of an axis of `length` that a warp reads which samples it from `least` to `most`, whole
/// blocks of `block` pixels. Beyond the image's edges it goes on mirrored.
Span read_span(double least, double most, std::int64_t length, std::int64_t block) {
  // Bicubic samples reach two blocks to each side, and their centres lie half of one off.
  const std::int64_t low = static_cast<std::int64_t>(std::floor(least)) - 3 * block;
  const std::int64_t high = static_cast<std::int64_t>(std::ceil(most)) + 3 * block + 1;
  Span out{std::clamp<std::int64_t>(low, 0, length), std::clamp<std::int64_t>(high, 0, length)};
  if (low < 0) out.end = std::max(out.end, std::min(length, block - low));
  if (high > length)
    out.begin = std::min(out.begin, std::max<std::int64_t>(0, 2 * length - high - block));
  out.begin = out.begin / block * block;
  out.end = std::min(length, (out.end + block - 1) / block * block);
  return out;
}

/// The part of a large image that the warp reads, which becomes a warp of that part; `elastic` is
/// the setting. So a window costs what it shows, not what the image holds.
Image part_of(const Image& image, Warp& warp, BlockSize blocks, double elastic) {
  const auto span = [&](double per_x, double per_y, double start, std::int64_t length,
                        std::int64_t block) {
    double least = start;
    double most = start;
    for (const auto& [step, side] :
         {std::pair{per_x, warp.to.width}, std::pair{per_y, warp.to.height}}) {
      const auto pixels = static_cast<double>(side);
      const double moved = warp.elastic ? elastic * pixels / elastic_cells : 0;
      const double from = step * -moved;
      const double to = step * (pixels - 1 + moved);
      least += std::min(from, to);
      most += std::max(from, to);
    }
    return read_span(least, most, length, block);
  };
  const Affine& map = warp.map;
  const Span across = span(map.xx, map.xy, map.x0, image.width, blocks.across);
  const Span down = span(map.yx, map.yy, map.y0, image.height, blocks.down);
  Image out{.width = across.end - across.begin,
            .height = down.end - down.begin,
            .channels = image.channels,
            .type = image.type,
            .bytes = {},
            .extent = Extent::rows};
  const auto pixel = std::ssize(image.bytes) / (image.width * image.height);
  out.bytes.reserve(static_cast<std::size_t>(out.width * out.height * pixel));
  for (std::int64_t y = down.begin; y < down.end; ++y) {
    const auto begin = image.bytes.begin() + (y * image.width + across.begin) * pixel;
    out.bytes.insert(out.bytes.end(), begin, begin + out.width * pixel);
  }
  warp.map.x0 -= static_cast<double>(across.begin);
  warp.map.y0 -= static_cast<double>(down.begin);
  return out;
}

std::vector<Hole> draw_holes(const Draws& draws, const AugmentSettings& settings, ImageSize input) {
  std::vector<Hole> out;
  if (settings.holes < 1 || !draws.happens(draw_holes_chance, settings.holes_chance)) return out;
  const auto count =
      1 + static_cast<std::uint64_t>(draws.scalars.uniform(draw_hole_count, 0, settings.holes));
  const auto side = [&](std::uint64_t draw, std::int64_t length) {
    const double longest = settings.hole_side * static_cast<double>(length);
    return std::clamp<std::int64_t>(std::llround(draws.holes.uniform(draw, longest / 4, longest)),
                                    1, length);
  };
  const auto start = [&](std::uint64_t draw, std::int64_t free) {
    return static_cast<std::int64_t>(draws.holes.below(draw, static_cast<std::uint64_t>(free + 1)));
  };
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::int64_t width = side(4 * i, input.width);
    const std::int64_t height = side(4 * i + 1, input.height);
    out.push_back({.left = start(4 * i + 2, input.width - width),
                   .top = start(4 * i + 3, input.height - height),
                   .width = width,
                   .height = height});
  }
  return out;
}

void change_values(Planes& planes, const Draws& draws, const AugmentSettings& settings) {
  const auto factor = [&](Draw draw, double most) { return 1 + draws.either_way(draw, most); };
  change_colors(planes, {.hue = draws.either_way(draw_hue, settings.hue),
                         .saturation = factor(draw_saturation, settings.saturation),
                         .contrast = factor(draw_contrast, settings.contrast),
                         .brightness = draws.either_way(draw_brightness, settings.brightness),
                         .gamma = draws.ratio(draw_gamma, settings.gamma)});
  if (draws.happens(draw_blur_chance, settings.blur_chance)) {
    const double sigma = draws.scalars.uniform(draw_blur, 0, settings.blur);
    if (sigma > 0) blur(planes, sigma);
  }
  if (draws.happens(draw_noise_chance, settings.noise_chance)) {
    add_noise(planes, draws.scalars.uniform(draw_noise, 0, settings.noise), draws.noise);
  }
  const std::vector<Hole> holes = draw_holes(draws, settings, planes.size);
  if (!holes.empty()) cut_holes(planes, holes);
}

void clear_uncovered(AugmentedSample& sample, const std::vector<std::uint8_t>& inside) {
  for (std::size_t i = 0; i < sample.input.size(); ++i) {
    if (inside[i % inside.size()] == 0) sample.input[i] = 0;
  }
  for (std::size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] == 0) sample.labels.labels[i] = ignore_label;
  }
}

}  // namespace

std::span<const AugmentField> augment_fields() {
  using S = AugmentSettings;
  static constexpr std::array<AugmentField, 23> fields{{{"flip_x", &S::flip_x, 1},
                                                        {"flip_y", &S::flip_y, 1},
                                                        {"quarter_turns", &S::quarter_turns, 1},
                                                        {"rotation", &S::rotation, 180},
                                                        {"scale", &S::scale, 4},
                                                        {"shift", &S::shift, 1},
                                                        {"shear", &S::shear, 1},
                                                        {"crop", &S::crop, 0.9},
                                                        {"crop_chance", &S::crop_chance, 1},
                                                        {"elastic", &S::elastic, 0.45},
                                                        {"elastic_chance", &S::elastic_chance, 1},
                                                        {"hue", &S::hue, 180},
                                                        {"saturation", &S::saturation, 1},
                                                        {"contrast", &S::contrast, 1},
                                                        {"brightness", &S::brightness, 1},
                                                        {"gamma", &S::gamma, 4},
                                                        {"blur", &S::blur, 20},
                                                        {"blur_chance", &S::blur_chance, 1},
                                                        {"noise", &S::noise, 1},
                                                        {"noise_chance", &S::noise_chance, 1},
                                                        {"holes", &S::holes, 1000},
                                                        {"hole_side", &S::hole_side, 1},
                                                        {"holes_chance", &S::holes_chance, 1}}};
  return fields;
}

AugmentSettings augment_preset(const std::string& name) {
  if (name == "none") return {};
  if (name == "light") return light;
  if (name == "medium") return medium;
  if (name == "strong") return strong;
  throw_usage(concat("augmentation '", name, "' is not known",
                     suggestion(name, {"none", "light", "medium", "strong"})));
}

AugmentedSample make_training_sample(const Image& image, const LabelMap& labels,
                                     const InputContract& contract, const AugmentSettings& settings,
                                     std::uint64_t seed, std::uint64_t epoch, std::uint64_t index) {
  if (settings == AugmentSettings{} && !takes_windows(contract)) {
    return {to_network_input(image, contract), to_network_labels(labels, contract)};
  }
  const Draws draws(seed, epoch, index);
  const ImageSize size{image.width, image.height};
  const Warp warp = draw_warp(draws, settings, contract, labels);
  const BlockSize blocks = block_size(warp.map);
  // Gray is changed once and then repeated.
  const bool repeat = channel_use(image.channels, contract.channels) == ChannelUse::repeat;
  const std::int64_t channels = repeat ? 1 : contract.channels;
  // Of the image, also where a part of it alone is read.
  const Windows windows = windows_for(image, contract);
  const auto warped = [&](const Image& source, const Warp& map) {
    return warp_planes(image_planes(source, channels, windows, blocks.across, blocks.down), blocks,
                       map);
  };
  Planes planes{.values = {}, .channels = channels, .size = warp.to};
  if (takes_windows(contract)) {
    Warp of_part = warp;
    const Image part = part_of(image, of_part, blocks, settings.elastic);
    planes.values = warped(part, of_part);
  } else {
    planes.values = warped(image, warp);
  }
  if (settings != AugmentSettings{}) {
    within_unit_range(planes.values, image.type == SampleType::f32 && windows.empty(),
                      [&] { change_values(planes, draws, settings); });
  }
  AugmentedSample out{network_channels(std::move(planes.values), channels, contract),
                      warp_labels(labels, warp)};
  if (contract.fit != Fit::stretch) clear_uncovered(out, covered(warp, size));
  return out;
}

}  // namespace medurwkv::data
