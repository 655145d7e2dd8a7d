#include "net/parameters.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/random.h"
#include "core/text.h"

namespace medurwkv::net {
namespace {

/// The "fancy" start values of Vision-RWKV, by channel h of C and block p of N.
double fancy_value(const ParameterSpec& spec, std::int64_t channel) {
  const auto width = static_cast<double>(spec.shape.back());
  const auto h = static_cast<double>(channel);
  // A single block is neither first nor last: the published code leaves its values at zero there.
  if (spec.blocks < 2) return 0;
  const double r = static_cast<double>(spec.block) / static_cast<double>(spec.blocks - 1);
  const double q = 1 - static_cast<double>(spec.block) / static_cast<double>(spec.blocks);
  switch (spec.init) {
    case Init::decay: return -5 + 8 * std::pow(h / (width - 1), 0.7 + 1.3 * r);
    case Init::first: return std::log(0.3) + 0.5 * static_cast<double>((channel + 1) % 3 - 1);
    case Init::mix_key: return std::pow(h / width, q);
    case Init::mix_value: return std::pow(h / width, q) + 0.3 * r;
    case Init::mix_receptance: return std::pow(h / width, 0.5 * q);
    default: throw_internal("not a fancy value");
  }
}

/// Values in the order heads x levels x points x (x, y); rays are normalised to the max norm.
std::vector<float> sampling_rays(const ParameterSpec& spec) {
  std::vector<float> out;
  for (std::int64_t head = 0; head < spec.heads; ++head) {
    const double angle =
        static_cast<double>(head) * (2 * std::numbers::pi / static_cast<double>(spec.heads));
    const double x = std::cos(angle);
    const double y = std::sin(angle);
    const double longest = std::max(std::abs(x), std::abs(y));
    for (std::int64_t level = 0; level < spec.levels; ++level) {
      for (std::int64_t point = 1; point <= spec.points; ++point) {
        out.push_back(static_cast<float>(x / longest * static_cast<double>(point)));
        out.push_back(static_cast<float>(y / longest * static_cast<double>(point)));
      }
    }
  }
  return out;
}

double normal_deviation(const ParameterSpec& spec) {
  if (spec.init == Init::linear_normal) return 0.02;
  if (spec.init == Init::normal) return 1;
  return std::sqrt(2 / spec.fan);
}

}  // namespace

bool ParameterSpec::decays() const {
  return !buffer && shape.size() >= 2 && name.ends_with("weight");
}

std::vector<float> initial_values(const ParameterSpec& spec, std::uint64_t seed) {
  const auto count = static_cast<std::size_t>(element_count(spec.shape));
  const Random random(seed, spec.name);
  std::vector<float> out(count);
  const auto fill = [&](const auto& value_at) {
    for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<float>(value_at(i));
  };
  switch (spec.init) {
    case Init::zeros: break;
    case Init::ones: fill([](std::size_t) { return 1.0; }); break;
    case Init::constant: fill([&](std::size_t) { return spec.constant; }); break;
    case Init::linear_normal:
    case Init::normal:
    case Init::convolution: {
      const double deviation = normal_deviation(spec);
      fill([&](std::size_t i) { return deviation * random.normal(i); });
      break;
    }
    case Init::xavier_uniform: {
      const double bound = std::sqrt(6.0 / static_cast<double>(spec.shape[0] + spec.shape[1]));
      fill([&](std::size_t i) { return random.uniform(i, -bound, bound); });
      break;
    }
    case Init::sampling_rays: out = sampling_rays(spec); break;
    case Init::decay:
    case Init::first:
    case Init::mix_key:
    case Init::mix_value:
    case Init::mix_receptance:
      fill([&](std::size_t i) { return fancy_value(spec, static_cast<std::int64_t>(i)); });
      break;
  }
  if (out.size() != count) throw_internal(concat("start values of ", spec.name));
  return out;
}

}  // namespace medurwkv::net
