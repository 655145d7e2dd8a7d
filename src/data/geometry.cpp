// The one resize and the normalisation that training and running share: area when an axis shrinks,
// bicubic when it grows, pixel centres aligned.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "core/text.h"
#include "data/image.h"

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

}  // namespace

std::vector<float> image_planes(const Image& image, std::int64_t channels) {
  const auto area = static_cast<std::size_t>(image.width * image.height);
  std::vector<float> out(area * static_cast<std::size_t>(channels));
  const bool same = image.channels == channels;
  const bool replicate = image.channels == 1;
  if (!same && !replicate && !(channels == 1 && image.channels == 3)) {
    throw_failure(concat("an image of ", image.channels,
                         " channels cannot be given to a network of ", channels));
  }
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      const auto at = static_cast<std::size_t>(y * image.width + x);
      if (!same && !replicate) {  // luma, ITU-R BT.601
        out[at] = 0.299F * image.value(x, y, 0) + 0.587F * image.value(x, y, 1) +
                  0.114F * image.value(x, y, 2);
        continue;
      }
      for (std::int64_t c = 0; c < channels; ++c) {
        out[static_cast<std::size_t>(c) * area + at] = image.value(x, y, same ? c : 0);
      }
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
  for (std::int64_t c = 0; c < channels; ++c) {
    const std::vector<float> plane =
        resample(planes.data() + c * from.width * from.height, from, across, down);
    out.insert(out.end(), plane.begin(), plane.end());
  }
  return out;
}

void normalise(std::vector<float>& planes, const InputContract& contract) {
  const std::size_t area = planes.size() / static_cast<std::size_t>(contract.channels);
  for (std::size_t i = 0; i < planes.size(); ++i) {
    const std::size_t c = i / area;
    planes[i] = (planes[i] - static_cast<float>(contract.mean[c])) /
                static_cast<float>(contract.deviation[c]);
  }
}

std::vector<float> to_network_input(const Image& image, const InputContract& contract) {
  std::vector<float> planes =
      resize_planes(image_planes(image, contract.channels), contract.channels,
                    {image.width, image.height}, {contract.width, contract.height});
  normalise(planes, contract);
  return planes;
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
