#include "data/image/geometry.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/model_description.h"
#include "core/text.h"
#include "data/image/levels.h"

namespace medurwkv::data {
namespace {

/// Weighted source positions of one output position along one axis.
struct Taps {
  std::vector<std::int64_t> at;
  std::vector<float> weight;
};

/// Keys' cubic with a = -0.5 (Keys 1981).
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return a * (((x - 5) * x + 8) * x - 4);
  return 0;
}

/// Averages what an output pixel covers when shrinking, interpolates when growing.
std::vector<Taps> axis_taps(std::int64_t from, std::int64_t to) {
  std::vector<Taps> out(static_cast<std::size_t>(to));
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  for (std::int64_t i = 0; i < to; ++i) {
    Taps& taps = out[static_cast<std::size_t>(i)];
    const auto add = [&](std::int64_t at, double weight) {
      if (weight == 0) return;
      taps.at.push_back(std::clamp<std::int64_t>(at, 0, from - 1));
      taps.weight.push_back(static_cast<float>(weight));
    };
    if (scale > 1) {
      const double begin = static_cast<double>(i) * scale;
      const double end = std::min(begin + scale, static_cast<double>(from));
      for (auto at = static_cast<std::int64_t>(begin); static_cast<double>(at) < end; ++at) {
        const double covered =
            std::min(end, static_cast<double>(at + 1)) - std::max(begin, static_cast<double>(at));
        add(at, std::max(0.0, covered) / (end - begin));
      }
    } else {
      const double centre = (static_cast<double>(i) + 0.5) * scale - 0.5;
      const auto base = static_cast<std::int64_t>(std::floor(centre));
      for (std::int64_t at = base - 1; at <= base + 2; ++at) {
        add(at, cubic(centre - static_cast<double>(at)));
      }
    }
  }
  return out;
}

std::vector<Taps> bilinear_taps(std::int64_t from, std::int64_t to) {
  std::vector<Taps> out(static_cast<std::size_t>(to));
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  for (std::int64_t i = 0; i < to; ++i) {
    const double centre = std::max(0.0, (static_cast<double>(i) + 0.5) * scale - 0.5);
    const auto base = std::min(static_cast<std::int64_t>(centre), from - 1);
    const double part = std::min(1.0, centre - static_cast<double>(base));
    out[static_cast<std::size_t>(i)] = {{base, std::min(base + 1, from - 1)},
                                        {static_cast<float>(1 - part), static_cast<float>(part)}};
  }
  return out;
}

/// One plane through horizontal, then vertical taps.
std::vector<float> resample(const float* plane, ImageSize from, const std::vector<Taps>& across,
                            const std::vector<Taps>& down) {
  const std::size_t width = across.size();
  std::vector<float> narrow(static_cast<std::size_t>(from.height) * width);
  for (std::int64_t y = 0; y < from.height; ++y) {
    const float* row = plane + y * from.width;
    float* to = &narrow[static_cast<std::size_t>(y) * width];
    for (std::size_t x = 0; x < width; ++x) {
      float sum = 0;
      for (std::size_t t = 0; t < across[x].at.size(); ++t) {
        sum += across[x].weight[t] * row[across[x].at[t]];
      }
      to[x] = sum;
    }
  }
  std::vector<float> out(down.size() * width);
  for (std::size_t y = 0; y < down.size(); ++y) {
    float* to = &out[y * width];
    for (std::size_t t = 0; t < down[y].at.size(); ++t) {
      const float weight = down[y].weight[t];
      const float* row = &narrow[static_cast<std::size_t>(down[y].at[t]) * width];
      for (std::size_t x = 0; x < width; ++x) to[x] += weight * row[x];
    }
  }
  return out;
}

/// Adds a row of samples, channels innermost, scaled by `windows` where there are some.
template <class Sample>
void add_row(const unsigned char* bytes, const Windows& windows, std::vector<Sample>& row,
             std::vector<float>& sums) {
  std::memcpy(row.data(), bytes, row.size() * sizeof(Sample));
  if (windows.empty()) {
    for (std::size_t i = 0; i < row.size(); ++i) sums[i] += static_cast<float>(row[i]);
    return;
  }
  for (std::size_t c = 0; c < windows.size(); ++c) {
    const auto low = static_cast<float>(windows[c].low);
    const auto range = static_cast<float>(windows[c].high - windows[c].low);
    for (std::size_t i = c; i < row.size(); i += windows.size()) {
      sums[i] += std::clamp((static_cast<float>(row[i]) - low) / range, 0.0F, 1.0F);
    }
  }
}

/// `sums` holds sums over `down` rows, channels innermost; writes row `y` of the planes.
void write_row(const std::vector<float>& sums, std::int64_t width, std::int64_t across,
               float divisor, std::int64_t y, Planes& out) {
  const auto stored = static_cast<std::int64_t>(sums.size()) / width;
  const std::int64_t area = out.size.width * out.size.height;
  for (std::int64_t x = 0; x < out.size.width; ++x) {
    const std::int64_t begin = x * across;
    const std::int64_t end = std::min(begin + across, width);
    const auto mean = [&](std::int64_t c) {
      float sum = 0;
      for (std::int64_t i = begin; i < end; ++i) {
        sum += sums[static_cast<std::size_t>(i * stored + c)];
      }
      return sum / (divisor * static_cast<float>(end - begin));
    };
    float* to = &out.values[static_cast<std::size_t>(y * out.size.width + x)];
    for (std::int64_t c = 0; c < stored; ++c) to[c * area] = mean(c);
  }
}

template <class Sample>
void fill_planes(const Image& image, const Windows& windows, std::int64_t across, std::int64_t down,
                 Planes& out) {
  const float full = !windows.empty() || image.type == SampleType::f32 ? 1.0F
                     : image.type == SampleType::u8                    ? 255.0F
                                                                       : 65535.0F;
  const auto samples = static_cast<std::size_t>(image.width * image.channels);
  std::vector<Sample> row(samples);
  std::vector<float> sums(samples);
  for (std::int64_t y = 0; y < out.size.height; ++y) {
    const std::int64_t begin = y * down;
    const std::int64_t end = std::min(begin + down, image.height);
    std::fill(sums.begin(), sums.end(), 0.0F);
    for (std::int64_t i = begin; i < end; ++i) {
      add_row(image.bytes.data() + static_cast<std::size_t>(i) * samples * sizeof(Sample), windows,
              row, sums);
    }
    write_row(sums, image.width, across, full * static_cast<float>(end - begin), y, out);
  }
}

/// `plane`s of `inner` put at (left, top) of planes of `outer`, `around` elsewhere.
template <class Value>
std::vector<Value> placed(const std::vector<Value>& planes, std::int64_t channels,
                          const Placement& where, Value around) {
  const auto [outer, inner, left, top] = where;
  std::vector<Value> out(static_cast<std::size_t>(channels * outer.width * outer.height), around);
  for (std::int64_t row = 0; row < channels * inner.height; ++row) {
    const std::int64_t y = row / inner.height * outer.height + top + row % inner.height;
    std::copy_n(planes.begin() + row * inner.width, inner.width,
                out.begin() + y * outer.width + left);
  }
  return out;
}

}  // namespace

Placement placement_of(const InputContract& contract, ImageSize image) {
  const ImageSize input{contract.width, contract.height};
  switch (contract.fit) {
    case Fit::stretch: return {input, input, 0, 0};
    case Fit::native:
    case Fit::tile: return {image, image, 0, 0};
    case Fit::pad: {
      const double scale =
          std::min(static_cast<double>(input.width) / static_cast<double>(image.width),
                   static_cast<double>(input.height) / static_cast<double>(image.height));
      const auto side = [&](std::int64_t length, std::int64_t most) {
        return std::clamp<std::int64_t>(std::llround(scale * static_cast<double>(length)), 1, most);
      };
      const ImageSize content{side(image.width, input.width), side(image.height, input.height)};
      return {input, content, (input.width - content.width) / 2,
              (input.height - content.height) / 2};
    }
  }
  throw_internal("unknown fit");
}

std::optional<ChannelUse> channel_use(std::int64_t channels, std::int64_t wanted) {
  if (channels == wanted) return ChannelUse::same;
  if (channels == 1 && wanted == 3) return ChannelUse::repeat;
  return std::nullopt;
}

std::string channels_differ(const std::string& taker, std::int64_t wanted, std::int64_t channels) {
  return concat("the ", taker, " takes ", wanted, wanted == 1 ? " channel" : " channels",
                ", the image has ", channels);
}

std::string window_for(float least, float most) {
  const bool byte = least >= 0 && most <= 255;
  return concat("--set input.window_low=", byte ? 0 : std::floor(least),
                " --set input.window_high=", byte ? 255 : std::ceil(most));
}

bool is_far_from_one(float least, float most) {
  constexpr float farthest = 64;
  return least < -farthest || most > farthest;
}

namespace {

void check_stored_floats(float least, float most) {
  if (!is_far_from_one(least, most)) return;
  throw_failure(concat("the image holds floats from ", least, " to ", most,
                       "; floats are taken as they are stored, so 0 to 1 or near it is expected: "
                       "train with --set input.window=percentile, with ",
                       window_for(least, most), ", or save 8 bits per sample"));
}

}  // namespace

Image shown_image(Image image) {
  const auto range = float_range(image);
  if (!range || !is_far_from_one(range->first, range->second)) return image;
  const double step =
      (static_cast<double>(range->second) - static_cast<double>(range->first)) / 255;
  std::vector<unsigned char> bytes(image.bytes.size() / sizeof(float));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    float value = 0;
    std::memcpy(&value, &image.bytes[i * sizeof(float)], sizeof(float));
    const double above = static_cast<double>(value) - static_cast<double>(range->first);
    bytes[i] = static_cast<unsigned char>(step > 0 ? std::lround(above / step) : 0);
  }
  image.bytes = std::move(bytes);
  image.type = SampleType::u8;
  return image;
}

Planes image_planes(const Image& image, std::int64_t channels, const Windows& windows,
                    std::int64_t across, std::int64_t down) {
  const auto use = channel_use(image.channels, channels);
  if (!use) throw_failure(channels_differ("network", channels, image.channels));
  if (windows.size() > 1 && std::ssize(windows) != image.channels) {
    throw_internal(concat(windows.size(), " windows for ", image.channels, " channels"));
  }
  Planes out{.values = {},
             .channels = channels,
             .size = {(image.width + across - 1) / across, (image.height + down - 1) / down}};
  const auto area = static_cast<std::size_t>(out.size.width * out.size.height);
  out.values.resize(area * static_cast<std::size_t>(channels));
  switch (image.type) {
    case SampleType::u8: fill_planes<std::uint8_t>(image, windows, across, down, out); break;
    case SampleType::u16: fill_planes<std::uint16_t>(image, windows, across, down, out); break;
    case SampleType::f32: {
      fill_planes<float>(image, windows, across, down, out);
      const auto end = out.values.begin() + static_cast<std::ptrdiff_t>(
                                                use == ChannelUse::same ? out.values.size() : area);
      if (!std::all_of(out.values.begin(), end, [](float v) { return std::isfinite(v); })) {
        throw_failure("the image holds values that are not finite (NaN or infinity)");
      }
      if (windows.empty()) {
        const auto [least, most] = std::minmax_element(out.values.begin(), end);
        check_stored_floats(*least, *most);
      }
      break;
    }
  }
  if (use == ChannelUse::repeat) {
    for (std::size_t c = 1; c < static_cast<std::size_t>(channels); ++c) {
      std::copy_n(out.values.begin(), area,
                  out.values.begin() + static_cast<std::ptrdiff_t>(c * area));
    }
  }
  return out;
}

std::vector<float> resize_planes(const std::vector<float>& planes, std::int64_t channels,
                                 ImageSize from, ImageSize to) {
  if (from == to) return planes;
  const std::vector<Taps> across = axis_taps(from.width, to.width);
  const std::vector<Taps> down = axis_taps(from.height, to.height);
  std::vector<float> out;
  out.reserve(static_cast<std::size_t>(channels * to.width * to.height));
  for (std::int64_t c = 0; c < channels; ++c) {
    const std::vector<float> plane =
        resample(planes.data() + c * from.width * from.height, from, across, down);
    out.insert(out.end(), plane.begin(), plane.end());
  }
  return out;
}

void normalise(std::vector<float>& planes, const InputContract& contract) {
  const std::size_t area = planes.size() / static_cast<std::size_t>(contract.channels);
  for (std::size_t c = 0; c * area < planes.size(); ++c) {
    const auto mean = static_cast<float>(contract.mean[c]);
    const auto deviation = static_cast<float>(contract.deviation[c]);
    for (std::size_t i = c * area; i < (c + 1) * area; ++i) {
      planes[i] = (planes[i] - mean) / deviation;
    }
  }
}

std::vector<float> to_network_input(const Image& image, const InputContract& contract) {
  const ImageSize size{image.width, image.height};
  const Placement where = placement_of(contract, size);
  std::vector<float> planes =
      resize_planes(image_planes(image, contract.channels, windows_for(image, contract)).values,
                    contract.channels, size, where.content);
  normalise(planes, contract);
  if (where.content == where.input) return planes;
  return placed(planes, contract.channels, where, 0.0F);
}

LabelMap to_network_labels(const LabelMap& labels, const InputContract& contract) {
  const Placement where = placement_of(contract, {labels.width, labels.height});
  LabelMap inner = resize_nearest(labels, where.content);
  if (where.content == where.input) return inner;
  return {where.input.width, where.input.height,
          placed(inner.labels, 1, where, std::uint8_t{ignore_label})};
}

std::vector<float> to_image_size(std::vector<float> planes, std::int64_t classes,
                                 const Placement& placement, ImageSize image) {
  const auto [input, content, left, top] = placement;
  if (input == image) return planes;
  if (content == input) return resize_bilinear(planes, classes, input, image);
  std::vector<float> inner;
  inner.reserve(static_cast<std::size_t>(classes * content.width * content.height));
  for (std::int64_t row = 0; row < classes * content.height; ++row) {
    const std::int64_t y = row / content.height * input.height + top + row % content.height;
    const auto begin = planes.begin() + y * input.width + left;
    inner.insert(inner.end(), begin, begin + content.width);
  }
  return resize_bilinear(inner, classes, content, image);
}

std::vector<float> resize_bilinear(const std::vector<float>& planes, std::int64_t channels,
                                   ImageSize from, ImageSize to) {
  if (from == to) return planes;
  const std::vector<Taps> across = bilinear_taps(from.width, to.width);
  const std::vector<Taps> down = bilinear_taps(from.height, to.height);
  std::vector<float> out;
  for (std::int64_t c = 0; c < channels; ++c) {
    const std::vector<float> plane =
        resample(planes.data() + c * from.width * from.height, from, across, down);
    out.insert(out.end(), plane.begin(), plane.end());
  }
  return out;
}

LabelMap resize_nearest(const LabelMap& labels, ImageSize to) {
  LabelMap out{to.width, to.height, {}};
  out.labels.resize(static_cast<std::size_t>(to.width * to.height));
  const auto source = [](std::int64_t i, std::int64_t from, std::int64_t size) {
    return std::min((2 * i + 1) * from / (2 * size), from - 1);
  };
  for (std::int64_t y = 0; y < to.height; ++y) {
    const std::int64_t row = source(y, labels.height, to.height) * labels.width;
    for (std::int64_t x = 0; x < to.width; ++x) {
      out.labels[static_cast<std::size_t>(y * to.width + x)] =
          labels.labels[static_cast<std::size_t>(row + source(x, labels.width, to.width))];
    }
  }
  return out;
}

}  // namespace medurwkv::data
