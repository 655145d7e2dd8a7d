#include "data/image/image.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/error.h"

namespace medurwkv::data {

float Image::value(std::int64_t x, std::int64_t y, std::int64_t channel) const {
  const auto index = static_cast<std::size_t>((y * width + x) * channels + channel);
  switch (type) {
    case SampleType::u8: return static_cast<float>(bytes[index]) / 255.0F;
    case SampleType::u16: {
      std::uint16_t sample = 0;
      std::memcpy(&sample, &bytes[2 * index], sizeof(sample));
      return static_cast<float>(sample) / 65535.0F;
    }
    case SampleType::f32: {
      float sample = 0;
      std::memcpy(&sample, &bytes[4 * index], sizeof(sample));
      return sample;
    }
  }
  throw_internal("unknown sample type");
}

std::optional<std::pair<float, float>> float_range(const Image& image) {
  if (image.type != SampleType::f32 || image.bytes.empty()) return std::nullopt;
  std::pair<float, float> out{std::numeric_limits<float>::max(),
                              std::numeric_limits<float>::lowest()};
  for (std::size_t at = 0; at < image.bytes.size(); at += sizeof(float)) {
    float sample = 0;
    std::memcpy(&sample, &image.bytes[at], sizeof(sample));
    out = {std::min(out.first, sample), std::max(out.second, sample)};
  }
  return out;
}

}  // namespace medurwkv::data
